"""The rooms in which voices are set up: open connections by call, in this process.

A room ends with its call, whoever closes the call and in whichever process: the records are asked while it is open.
"""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Protocol

import msgspec
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from api.voice import Bye, Message, Peer, Post, Rate, Room, read, written
from api.voice_ice import IceSettings, ice_servers
from core.clock import Clock
from core.errors import TemporaryError
from emergency.model import Call

CONNECTIONS_LIMIT = 1_000
# A page that does not take what it is sent: far more than a round needs.
_WAITING_LIMIT = 256
_WATCH_SECONDS = 2.0

# Codes of our own (RFC 6455 leaves 4000 to 4999 to applications), after the HTTP statuses they stand for.
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TAKEN, GONE = 4401, 4403, 4404, 4409, 4410
TRY_AGAIN, _WRONG_MESSAGE = 1013, 1008

_log = structlog.get_logger()


class OpenCalls(Protocol):
    """Where an exchange learns whether a call is still open; `api.call_ports.CallReader` has it."""

    async def call(self, call_id: str) -> Call | None:
        """Return one call. Raises `TemporaryError`."""
        ...


class _Line:
    """One connection: what is sent to it waits here, so that a slow page holds up nobody else."""

    def __init__(self, websocket: WebSocket, peer: Peer) -> None:
        self.peer = peer
        self._websocket = websocket
        self._waiting: asyncio.Queue[tuple[str, int | None]] = asyncio.Queue(_WAITING_LIMIT)

    def put(self, message: Message, close_code: int | None) -> None:
        if self._waiting.full():
            self._waiting.get_nowait()
            close_code = TRY_AGAIN
        self._waiting.put_nowait((written(message), close_code))

    async def write(self) -> None:
        """Send what comes until a message closes the connection, or the page is gone."""
        try:
            while True:
                text, close_code = await self._waiting.get()
                await self._websocket.send_text(text)
                if close_code is not None:
                    await self.close(close_code)
        except (WebSocketDisconnect, OSError, RuntimeError):
            return  # It is gone: reading says so, too.

    async def close(self, code: int, reason: str = "") -> None:
        if self._websocket.application_state is WebSocketState.CONNECTED:
            await self._websocket.close(code, reason[:100])


class VoiceExchange:
    """All rooms of this process."""

    def __init__(
        self, calls: OpenCalls, clock: Clock, ice: IceSettings, *, watch_seconds: float = _WATCH_SECONDS
    ) -> None:
        self._calls = calls
        self._clock = clock
        self._ice = ice
        self._watch_seconds = watch_seconds
        self._rooms: dict[str, Room] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._lines: dict[str, _Line] = {}

    @property
    def connections(self) -> int:
        """How many pages are connected."""
        return len(self._lines)

    @property
    def rooms(self) -> int:
        """How many calls have a voice, or wait for who dropped out of it."""
        return len(self._rooms)

    async def attend(self, websocket: WebSocket, call: str, peer: Peer, *, take_over: bool = False) -> None:
        """Serve one accepted connection until it ends."""
        if len(self._lines) >= CONNECTIONS_LIMIT:
            await websocket.close(TRY_AGAIN, "too many voices at once")
            return
        peer = msgspec.structs.replace(peer, ice=ice_servers(self._ice, peer.side.value, self._clock.now()))
        line = self._lines[peer.id] = _Line(websocket, peer)
        writing = asyncio.create_task(line.write(), name="voice.write")
        try:
            room = self._room(call)
            self._post(room.join(peer, _at(), take_over=take_over))
            await self._listen(websocket, room, line)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            self._leave(call, peer.id)

    def staff_waits(self, call: str) -> bool:
        """Whether staff is in the voice of a call and no resident is."""
        room = self._rooms.get(call)
        return room is not None and room.staff_waits

    def hand_on(self, call: str) -> int | None:
        """Give the resident's seat to the page that waits longest; return how many wait, ``None`` where none does."""
        room = self._rooms.get(call)
        if room is None or not room.waiting:
            return None
        self._post(room.hand_on())
        return room.waiting

    def end(self, call: str) -> None:
        """End the voice of a call at once."""
        if (room := self._rooms.pop(call, None)) is not None:
            self._post(room.end())
        if (watch := self._watches.pop(call, None)) is not None:
            watch.cancel()

    def _room(self, call: str) -> Room:
        if call not in self._rooms:
            self._rooms[call] = Room(secrets.token_hex(4))
            self._watches[call] = asyncio.create_task(self._watch(call), name="voice.watch")
        return self._rooms[call]

    async def _listen(self, websocket: WebSocket, room: Room, line: _Line) -> None:
        rate = Rate(_at())
        try:
            while True:
                text = await websocket.receive_text()
                said = read(text) if rate.take(_at()) else "more messages than a voice needs"
                if isinstance(said, str):
                    _log.warning("voice.refused", reason=said, side=line.peer.side.value)
                    await line.close(_WRONG_MESSAGE, said)
                    return
                self._post(room.say(line.peer.id, said))
        except (WebSocketDisconnect, KeyError, RuntimeError):
            return  # It left, was sent away, or sent bytes, which no page of ours does.

    def _leave(self, call: str, peer_id: str) -> None:
        self._lines.pop(peer_id, None)
        room = self._rooms.get(call)
        if room is not None:
            self._post(room.leave(peer_id, _at()))
            if room.empty:
                self.end(call)

    def _post(self, posts: Sequence[Post]) -> None:
        for post in posts:
            if (line := self._lines.get(post.to)) is not None:
                line.put(post.message, _code(post))

    async def _watch(self, call_id: str) -> None:
        """End the room once the call is closed, or nobody comes again; while the records are away nobody is cut off."""
        while True:
            await asyncio.sleep(self._watch_seconds)
            room = self._rooms[call_id]
            self._post(room.pass_time(_at()))
            if room.empty:
                self._forget(call_id)
                return
            try:
                call = await self._calls.call(call_id)
            except TemporaryError:
                continue
            if call is None or not call.open:
                self._forget(call_id)
                return

    def _forget(self, call_id: str) -> None:
        self._watches.pop(call_id, None)  # The task that asks: `end` must not cancel it before it has told everybody.
        self.end(call_id)


def _at() -> float:
    return asyncio.get_running_loop().time()


def _code(post: Post) -> int | None:
    if not post.closes:
        return None
    codes = {"closed": GONE, "displaced": TRY_AGAIN}
    return codes.get(post.message.reason, TAKEN) if isinstance(post.message, Bye) else TAKEN
