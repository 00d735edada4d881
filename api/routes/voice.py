"""Where a resident's page and the duty room meet to talk: two addresses, one room.

Staff shows a token or a session. For a resident the call's id, which nobody can guess and only pages that tapped there
were told, together with the token of the code they scanned is the credential. By the cookie of their page, else by a
name that the page drew, they are known again: so whoever else tapped there cannot take their seat.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import APIRouter, FastAPI, Query, WebSocket
from starlette.datastructures import Headers

from api.auth import actor_of_websocket
from api.resident_identity import Identities
from api.sessions import is_foreign
from api.voice import Peer, Side
from api.voice_exchange import FORBIDDEN, GONE, NOT_FOUND, TRY_AGAIN, UNAUTHORIZED, OpenCalls, VoiceExchange
from core.errors import TemporaryError
from emergency.model import Call, ScannedCode

router = APIRouter()

Client = Annotated[str, Query(max_length=64, description="The page's own name for itself.")]
TakeOver = Annotated[bool, Query(description="Take the seat of a colleague who talks already.")]


class PointTokens(Protocol):
    """Whose a token on a wall is; `api.call_ports.CallPoints` has it."""

    async def by_token(self, token: str) -> ScannedCode | None:
        """Return what the token leads to, one that has ended as well. Raises `TemporaryError`."""
        ...


@dataclass(frozen=True)
class Voice:
    """What these routes need. ``staff`` returns the name of who asks, or ``None``; it raises `TemporaryError`."""

    exchange: VoiceExchange
    calls: OpenCalls
    points: PointTokens
    staff: Callable[[WebSocket], Awaitable[str | None]]
    identities: Identities = field(default_factory=Identities)
    origins: frozenset[str] = frozenset()
    """Further origins of pages, ``https://name``, where a proxy does not pass on the name it is called by."""


def install(app: FastAPI, voice: Voice) -> None:
    """Let ``app`` serve voices."""
    app.state.voice = voice


async def staff_by_session(websocket: WebSocket) -> str | None:
    """Return the name behind the token or the session of ``websocket``. Raises `TemporaryError`."""
    actor = await actor_of_websocket(websocket)
    return None if actor is None else actor.name


@router.websocket("/api/v1/emergency-calls/{call_id}/voice")
async def staff_voice(websocket: WebSocket, call_id: str, client: Client = "", take_over: TakeOver = False) -> None:
    """The duty room's side; a colleague who talks already makes it `busy`."""
    voice: Voice = websocket.app.state.voice
    if await _greeted(websocket, voice):
        name = await _staff(websocket, voice)
        if name is not None and (call := await _open_call(websocket, voice, call_id)) is not None:
            peer = Peer(secrets.token_hex(8), Side.STAFF, client or secrets.token_hex(8), name)
            await voice.exchange.attend(websocket, call.id, peer, take_over=take_over)


@router.websocket("/c/{token}/calls/{call_id}/voice")
async def resident_voice(websocket: WebSocket, token: str, call_id: str, client: Client = "") -> None:
    """The resident's side."""
    voice: Voice = websocket.app.state.voice
    if await _greeted(websocket, voice):
        call = await _open_call(websocket, voice, call_id)
        if call is not None and await _belongs(websocket, voice, call, token):
            identity = voice.identities.of(websocket)
            name = identity.page or client or secrets.token_hex(8)
            peer = Peer(secrets.token_hex(8), Side.RESIDENT, name, "", network=identity.network)
            await voice.exchange.attend(websocket, call.id, peer)


async def _greeted(websocket: WebSocket, voice: Voice) -> bool:
    """Accept the connection, so that a refusal can say why; but never one that another site's page opened."""
    if not is_welcome(websocket.headers, voice.origins):
        await websocket.close(FORBIDDEN)
        return False
    await websocket.accept()
    return True


def is_welcome(headers: Headers, further: frozenset[str]) -> bool:
    """Tell whether who asks may connect: a page of ours, as for signing in, one of ``further``, or a program."""
    return headers.get("origin") in further or not is_foreign(headers)


async def _staff(websocket: WebSocket, voice: Voice) -> str | None:
    try:
        name = await voice.staff(websocket)
    except TemporaryError:
        await websocket.close(TRY_AGAIN, "tokens cannot be checked now")
        return None
    if name is None:
        await websocket.close(UNAUTHORIZED, "no token and no session")
    return name


async def _open_call(websocket: WebSocket, voice: Voice, call_id: str) -> Call | None:
    try:
        call = await voice.calls.call(call_id)
    except TemporaryError:
        await websocket.close(TRY_AGAIN, "calls cannot be read now")
        return None
    if call is None or not call.open:
        await websocket.close(GONE if call else NOT_FOUND, "the call is closed" if call else "there is no such call")
        return None
    return call


async def _belongs(websocket: WebSocket, voice: Voice, call: Call, token: str) -> bool:
    """Tell whether the call was made at the point with this token, whatever became of the token meanwhile."""
    try:
        found = await voice.points.by_token(token)
    except TemporaryError:
        await websocket.close(TRY_AGAIN, "call points cannot be read now")
        return False
    if found is None or not _made_at(call, found.point.id, found.point.lift):
        await websocket.close(NOT_FOUND, "there is no such call")
        return False
    return True


def _made_at(call: Call, point: str, lift: str) -> bool:
    # A tap may have been joined into a call that a button or an alert at the same lift had raised before.
    return call.place.point == point or (lift != "" and call.place.lift == lift)
