"""Which web addresses a webhook may have: encrypted, unless the way there is inside the house."""

from ipaddress import ip_address

import httpx

from core.errors import PermanentError

_MOST_PORT = 65_535
_INSIDE = ("localhost", ".localhost", ".local", ".internal", ".lan", ".home.arpa")


def webhook_address(url: str) -> httpx.URL:
    """Return ``url`` checked: https, or http to an address inside the house.

    Raises `PermanentError` with what was expected. The text shows the host alone: path and query may hold a secret.
    """
    try:
        address = httpx.URL(url)
        _ = address.host  # Decoded only here: a name such as xn-- has no form that people read.
    except (httpx.InvalidURL, ValueError) as error:
        raise PermanentError("webhook: not a URL; expected https://HOST/PATH") from error
    if address.scheme not in ("https", "http") or not address.host:
        raise PermanentError(f"webhook {address.host or '?'}: expected https://HOST/PATH, not {address.scheme or '?'}:")
    if address.port is not None and not 0 < address.port <= _MOST_PORT:
        raise PermanentError(f"webhook {address.host}: port {address.port}; expected 1 to {_MOST_PORT}")
    if address.userinfo:
        raise PermanentError(f"webhook {address.host}: a name and password in a URL; expected a secret to sign with")
    if address.scheme == "http" and not _is_inside(address.host):
        raise PermanentError(f"webhook {address.host}: http to a public host; expected https")
    return address


def _is_inside(host: str) -> bool:
    """Tell whether ``host`` is this machine, a private address, or a name that only a local network knows."""
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_INSIDE)
    return address.is_private or address.is_loopback or address.is_link_local
