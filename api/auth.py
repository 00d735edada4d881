"""Who is asking. Bearer tokens today; full accounts later change `current_actor` and nothing else."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from api.dependencies import Dependencies
from api.ports import Tokens
from core.clock import Clock
from core.errors import TemporaryError

# A console asks several times a second; a revoked token must still stop working while a person watches.
REMEMBERED_FOR = timedelta(seconds=3)
_REMEMBERED_LIMIT = 1_024
_TOKEN_LIMIT = 512  # Ours have 48 characters: what is far longer is not worth hashing.

_bearer = HTTPBearer(
    auto_error=False, scheme_name="token", description="A named token, as `anju token add NAME` prints it once."
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


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
        known, now = self._known.get(digest), self._clock.now()
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


async def current_actor(request: Request, credentials: Credentials) -> Actor:
    """Return who asks; answers 401 where nobody known does, 503 where that cannot be found out now."""
    if credentials is None:
        raise _unauthorized("no token: expected the header `Authorization: Bearer <token>`", "Bearer")
    memory: TokenMemory = request.app.state.token_memory
    try:
        name = await memory.identify(credentials.credentials)
    except TemporaryError:
        # The reason may name hosts and files, and nobody has shown yet that they may read that.
        raise TemporaryError("tokens cannot be checked now: try again shortly") from None
    if name is None:
        raise _unauthorized("the token is unknown or revoked", 'Bearer error="invalid_token"')
    return Actor(name)


async def actor_if_known(request: Request, credentials: Credentials) -> Actor | None:
    """Return who asks, or ``None``: for routes that everybody may read and that tell more to those we know."""
    try:
        return await current_actor(request, credentials)
    except (HTTPException, TemporaryError):
        return None


def token_memory(dependencies: Dependencies) -> TokenMemory:
    """Return the memory that `current_actor` uses in one application."""
    return TokenMemory(dependencies.tokens, dependencies.clock)


def _unauthorized(detail: str, challenge: str) -> HTTPException:
    return HTTPException(401, detail, {"WWW-Authenticate": challenge})


CurrentActor = Annotated[Actor, Depends(current_actor)]
KnownActor = Annotated[Actor | None, Depends(actor_if_known)]
