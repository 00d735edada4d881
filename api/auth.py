"""Who is asking: a bearer token, or the cookie of a session. Full accounts later change this and nothing else."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from api.dependencies import Dependencies
from api.ports import Tokens
from api.sessions import COOKIE, Session, Sessions, is_own_page
from core.clock import Clock
from core.errors import TemporaryError

# A console asks several times a second; a revoked token must still stop working while a person watches.
REMEMBERED_FOR = timedelta(seconds=3)
_REMEMBERED_LIMIT = 1_024
_TOKEN_LIMIT = 512  # Ours have 48 characters: what is far longer is not worth hashing.
_SAFE = ("GET", "HEAD", "OPTIONS")

_bearer = HTTPBearer(
    auto_error=False, scheme_name="token", description="A named token, as `anju token add NAME` prints it once."
)
_cookie = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    scheme_name="session",
    description="For pages of the same origin: what `POST /api/v1/session` sets in exchange for a token.",
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
SessionCookie = Annotated[str | None, Depends(_cookie)]


@dataclass(frozen=True)
class Actor:
    """Somebody whom the API knows; ``name`` is what timelines record."""

    name: str


class TokenMemory:
    """Remembers for a few seconds whose a token is. Refusals are not remembered: a new token works at once."""

    def __init__(self, tokens: Tokens, clock: Clock) -> None:
        self._tokens = tokens
        self._clock = clock
        self._known: dict[bytes, tuple[str, datetime]] = {}

    async def identify(self, token: str) -> str | None:
        """Return the name behind ``token``, or ``None``. Raises `TemporaryError`."""
        if len(token) > _TOKEN_LIMIT:
            return None
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        known, now = self._known.get(digest), self._clock.steady()
        if known is not None and known[1] > now:
            return known[0]
        return await self._ask(token, digest, now)

    async def _ask(self, token: str, digest: bytes, now: datetime) -> str | None:
        name = await self._tokens.identify(token)
        if len(self._known) >= _REMEMBERED_LIMIT:
            self._known.clear()
        self._known.pop(digest, None)
        if name is not None:
            self._known[digest] = (name, now + REMEMBERED_FOR)
        return name


async def current_actor(request: Request, credentials: Credentials, session_id: SessionCookie) -> Actor:
    """Return who asks; answers 401 where nobody known does, 503 where that cannot be found out now.

    A token goes before a cookie. With a cookie only pages of ours may change anything: else 403.
    """
    if credentials is not None:
        return Actor(await _known_name(request, credentials.credentials))
    if session_id is None:
        raise unauthorized("no token: expected the header `Authorization: Bearer <token>`", "Bearer")
    if request.method not in _SAFE and not is_own_page(request.headers):
        raise HTTPException(403, "a session changes things only for pages of the same origin: expected `Origin`")
    return Actor((await current_session(request, session_id)).name)


async def current_session(connection: HTTPConnection, session_id: str) -> Session:
    """Return the session; answers 401 where it has ended, 503 where that cannot be found out now."""
    dependencies: Dependencies = connection.app.state.dependencies
    sessions: Sessions = connection.app.state.sessions
    try:
        session = await sessions.find(session_id, dependencies.clock.steady())
    except TemporaryError:
        raise _unchecked() from None
    if session is None:
        raise unauthorized("the session has ended: sign in again", "Bearer")
    return session


async def actor_if_known(request: Request, credentials: Credentials, session_id: SessionCookie) -> Actor | None:
    """Return who asks, or ``None``: for routes that everybody may read and that tell more to those we know."""
    try:
        return await current_actor(request, credentials, session_id)
    except (HTTPException, TemporaryError):
        return None


async def actor_of_websocket(websocket: WebSocket) -> Actor | None:
    """Return who opens ``websocket``, by token or by cookie from a page of ours; raises `TemporaryError`.

    For routes to ask before they accept: browsers open sockets for pages of any origin, and send the cookie along.
    """
    scheme, _, token = websocket.headers.get("authorization", "").partition(" ")
    session_id = websocket.cookies.get(COOKIE)
    try:
        if scheme.lower() == "bearer":
            return Actor(await _known_name(websocket, token))
        if session_id is None or not is_own_page(websocket.headers):
            return None
        return Actor((await current_session(websocket, session_id)).name)
    except HTTPException:
        return None


def token_memory(dependencies: Dependencies) -> TokenMemory:
    """Return the memory that `current_actor` uses in one application."""
    return TokenMemory(dependencies.tokens, dependencies.clock)


def open_sessions(dependencies: Dependencies) -> Sessions:
    """Return the sessions of one application."""
    return Sessions(dependencies.sessions, REMEMBERED_FOR)


def unauthorized(detail: str, challenge: str) -> HTTPException:
    """Return the 401 that says ``detail``."""
    return HTTPException(401, detail, {"WWW-Authenticate": challenge})


async def name_behind(connection: HTTPConnection, token: str) -> str | None:
    """Return the name behind ``token``, or ``None``. Raises `TemporaryError` that says nothing of the records."""
    memory: TokenMemory = connection.app.state.token_memory
    try:
        return await memory.identify(token)
    except TemporaryError:
        raise _unchecked() from None


def _unchecked() -> TemporaryError:
    # The reason may name hosts and files, and nobody has shown yet that they may read that.
    return TemporaryError("tokens cannot be checked now: try again shortly")


async def _known_name(connection: HTTPConnection, token: str) -> str:
    name = await name_behind(connection, token)
    if name is None:
        raise unauthorized("the token is unknown or revoked", 'Bearer error="invalid_token"')
    return name


CurrentActor = Annotated[Actor, Depends(current_actor)]
KnownActor = Annotated[Actor | None, Depends(actor_if_known)]
