"""Sessions of browsers: a random name in a cookie stands for a token, so that no page has to keep the token."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

COOKIE = "anju_session"
# Ours: a shift in the duty room; a page that is open asks all the time, and so stays signed in.
LASTS = timedelta(hours=12)
_LIMIT = 1_000


@dataclass
class Session:
    """One signed-in browser. The token is kept in memory only: its session ends when the token is revoked."""

    name: str
    token: str = field(repr=False)
    expires_at: datetime


class Sessions:
    """The sessions of one process: after a restart people sign in again."""

    def __init__(self) -> None:
        self._open: dict[bytes, Session] = {}

    def begin(self, name: str, token: str, now: datetime) -> tuple[str, Session]:
        """Return the name of a new session, told this once, and the session."""
        self._open = {key: each for key, each in self._open.items() if each.expires_at > now}
        if len(self._open) >= _LIMIT:
            del self._open[min(self._open, key=lambda key: self._open[key].expires_at)]
        session_id = secrets.token_urlsafe(32)
        session = self._open[_hashed(session_id)] = Session(name, token, now + LASTS)
        return session_id, session

    def find(self, session_id: str, now: datetime) -> Session | None:
        """Return a session that has not expired, and let it last on from ``now``."""
        session = self._open.get(_hashed(session_id))
        if session is None or session.expires_at <= now:
            return None
        session.expires_at = now + LASTS
        return session

    def end(self, session_id: str) -> None:
        """Sign out; where there is no such session nothing changes."""
        self._open.pop(_hashed(session_id), None)


def is_secure(connection: HTTPConnection) -> bool:
    """Tell whether the browser spoke over TLS, to us or to the proxy in front of us."""
    forwarded = connection.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    return connection.url.scheme in ("https", "wss") or forwarded == "https"


def is_foreign(headers: Headers) -> bool:
    """Tell whether a page of another origin made the browser ask: `Sec-Fetch-Site` says so, or `Origin` does."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site != "same-origin"
    origin = headers.get("origin")
    return origin is not None and not _is_own(origin, headers)


def is_own_page(headers: Headers) -> bool:
    """Tell whether a page of ours made the browser ask. What says nothing of it is not: browsers always do."""
    return ("sec-fetch-site" in headers or "origin" in headers) and not is_foreign(headers)


def _is_own(origin: str, headers: Headers) -> bool:
    # No page can set these two headers of a request to another origin without asking that origin first.
    hosts = (headers.get("host"), headers.get("x-forwarded-host"))
    return origin.partition("://")[2] in [host for host in hosts if host]


def _hashed(session_id: str) -> bytes:
    return hashlib.sha256(session_id.encode("utf-8", "surrogateescape")).digest()
