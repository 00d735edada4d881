"""Which page taps: by a cookie that its phone keeps, else by the network it comes from.

A page that shows the cookie is one person's as far as anybody can tell. Who sends none is known by their network alone,
which others share, perhaps with somebody trapped: such a name never counts as one person (`emergency.acts.Join`).
"""

import hashlib
import re
import secrets

from msgspec import Struct
from starlette.requests import HTTPConnection
from starlette.responses import Response

from api.take_backs import Tapper, network_of
from emergency.model import Call

COOKIE = "anju_page"
_VALUE = re.compile(r"[\w-]{22}", re.ASCII)
_VALUE_BYTES = 16
# Long enough for a rescue and the questions after it; who comes next month is somebody new.
_KEPT_SECONDS = 7 * 24 * 3600


class Identity(Struct, frozen=True):
    """Names of who taps, empty where there is none; nobody can get at the cookie or the address from them."""

    page: str
    network: str

    @property
    def name(self) -> str:
        """The best name there is."""
        return self.page or self.network

    @property
    def shared(self) -> bool:
        """Whether that name may stand for several people."""
        return not self.page

    def name_in(self, call: Call) -> str:
        """Return the name by which they are among the callers of ``call``."""
        return self.page if self.page in call.callers else self.network or self.page

    def tapper(self, point: str) -> Tapper:
        """Return what take-backs are counted by."""
        return Tapper(point, self.network, self.page)


class Identities:
    """Names those who tap; networks are named anew after each start, for a digest of an address is easily undone."""

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(16)

    def of(self, connection: HTTPConnection) -> Identity:
        """Return who is behind ``connection``."""
        shown = connection.cookies.get(COOKIE, "")
        network = network_of(connection.client.host if connection.client else None)
        return Identity(
            page=f"page-{_digest(shown.encode())}" if _VALUE.fullmatch(shown) else "",
            network=f"net-{_digest(network.encode(), self._salt)}" if network else "",
        )


def give(connection: HTTPConnection, response: Response) -> None:
    """Have the phone keep a cookie, where it shows none."""
    if not _VALUE.fullmatch(connection.cookies.get(COOKIE, "")):
        response.set_cookie(
            COOKIE,
            secrets.token_urlsafe(_VALUE_BYTES),
            max_age=_KEPT_SECONDS,
            path="/c",
            secure=connection.url.scheme in ("https", "wss"),
            httponly=True,
            samesite="lax",
        )


def _digest(value: bytes, salt: bytes = b"") -> str:
    return hashlib.blake2b(value, digest_size=8, key=salt).hexdigest()
