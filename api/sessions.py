"""Sessions of browsers: a random name in a cookie stands for a token, so that no page has to keep the token."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from api.ports import SessionRecords
from core.errors import TemporaryError

COOKIE = "anju_session"
# Ours: a shift in the duty room; a page that is open asks all the time, and so stays signed in.
LASTS = timedelta(hours=12)
# Beside 12 h a minute is nothing, and an open page asks several times a second.
WRITTEN_EVERY = timedelta(minutes=1)
_REMEMBERED_LIMIT = 1_024


@dataclass(frozen=True)
class Session:
    """One signed-in browser, under the name of its token, until an instant of the steady clock."""

    name: str
    expires_at: datetime


@dataclass
class _Known:
    name: str
    used_at: datetime
    until: datetime
    """When the records are asked again: until then a revoked token's session still counts."""
    written_at: datetime
    """When its use was last written, or could not be."""


class Sessions:
    """The sessions in ``records``; what they say of one is believed for ``remembered_for``. All raise `TemporaryError`.

    A session ends with its token, when it was not used for `LASTS`, and when somebody signs out; not by a restart.
    Instants are those of the steady clock: no wall clock that is set signs anybody out, or lets them stay.
    """

    def __init__(self, records: SessionRecords, remembered_for: timedelta) -> None:
        self._records = records
        self._remembered_for = remembered_for
        self._known: dict[bytes, _Known] = {}

    async def begin(self, name: str, token: str, now: datetime) -> tuple[str, Session]:
        """Return the name of a new session, told this once, and the session."""
        session_id = secrets.token_urlsafe(32)
        await self._records.begin(_hashed(session_id), token, now, now - LASTS)
        return session_id, Session(name, now + LASTS)

    async def find(self, session_id: str, now: datetime) -> Session | None:
        """Return a session that has not ended, and let it last on from ``now``, to the minute."""
        key = _hashed(session_id)
        known = self._known.get(key)
        if known is None or known.until <= now:
            known = await self._ask(key, known, now)
        if known is None or known.used_at + LASTS <= now:
            return None
        await self._write(key, known, now)
        return Session(known.name, known.used_at + LASTS)

    async def end(self, session_id: str) -> None:
        """Sign out; where there is no such session nothing changes."""
        key = _hashed(session_id)
        await self._records.end(key)
        self._known.pop(key, None)

    async def _ask(self, key: bytes, before: _Known | None, now: datetime) -> _Known | None:
        found = await self._records.find(key)
        if found is None:
            self._known.pop(key, None)
            return None
        if len(self._known) >= _REMEMBERED_LIMIT:
            self._known.clear()
        name, used_at = found
        written_at = max(used_at, before.written_at) if before else used_at
        known = self._known[key] = _Known(name, used_at, now + self._remembered_for, written_at)
        return known

    async def _write(self, key: bytes, known: _Known, now: datetime) -> None:
        if now - known.written_at < WRITTEN_EVERY:
            return
        known.written_at = now
        try:
            await self._records.used(key, now)
        except TemporaryError:
            return  # It was found, which is what was asked for: a use a minute later is written then.
        known.used_at = now


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
    return origin.partition("://")[2].lower() in [host.lower() for host in hosts if host]


def _hashed(session_id: str) -> bytes:
    return hashlib.sha256(session_id.encode("utf-8", "surrogateescape")).digest()
