"""One open call at one call point, an exchange over them, and pages' sockets."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from fastapi import FastAPI, WebSocket
from websockets.asyncio.client import ClientConnection, connect

from api.routes import voice
from api.voice_exchange import VoiceExchange
from api.voice_ice import IceSettings
from core.clock import ManualClock
from core.errors import TemporaryError
from emergency.model import Call, CallPoint, CallState, Place, ScannedCode, Source, Stamps

START = datetime(2026, 1, 1, tzinfo=UTC)
CALL = "call-1"
TOKEN = "on-the-wall"
RESIDENT = f"/c/{TOKEN}/calls/{CALL}/voice"
STAFF = f"/api/v1/emergency-calls/{CALL}/voice"


class VoiceWorld:
    """What stands behind the voice; a test closes the call, or takes the records away."""

    def __init__(self) -> None:
        place = Place("xingfu", "xingfu/elevator/lift-1", point="lobby")
        self.call_ = Call(CALL, Source.RESIDENT, place, Stamps(START))
        self.away = False
        ice = IceSettings(("stun:127.0.0.1:3478",), "turn:127.0.0.1:3478", "secret")
        self.exchange = VoiceExchange(self, ManualClock(START), ice, watch_seconds=0.02)

    async def call(self, call_id: str) -> Call | None:
        if self.away:
            raise TemporaryError("the records are away")
        return self.call_ if call_id == CALL else None

    async def by_token(self, token: str) -> ScannedCode | None:
        points = {TOKEN: CallPoint("lobby", "xingfu", "", ""), "next": CallPoint("gate", "xingfu", "", "")}
        return ScannedCode(points[token]) if token in points else None

    async def staff(self, websocket: WebSocket) -> str | None:
        return websocket.query_params.get("as")

    def close(self) -> None:
        """Close the call."""
        self.call_ = msgspec.structs.replace(self.call_, state=CallState.CLOSED)

    def application(self) -> FastAPI:
        """The voice's routes over this world."""
        app = FastAPI()
        app.include_router(voice.router)
        voice.install(app, voice.Voice(self.exchange, self, self, self.staff))
        return app


class PageSocket:
    """A page's end of the voice, as far as messages go."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, **said: Any) -> None:
        await self.connection.send(json.dumps(said))

    async def hear(self) -> dict[str, Any]:
        """Return the next message, within five seconds."""
        async with asyncio.timeout(5):
            heard: dict[str, Any] = json.loads(await self.connection.recv())
            return heard

    async def closed(self) -> int | None:
        """Return the code with which the server closed, within five seconds; what came before is thrown away."""
        async with asyncio.timeout(5):
            await self.connection.wait_closed()
        return self.connection.close_code


@contextlib.asynccontextmanager
async def page(
    host: str, path: str, *, origin: str | None = None, source: str = "127.0.0.1"
) -> AsyncIterator[PageSocket]:
    """Open a socket as a page of ours would, from the address ``source``."""
    address = f"ws://{host}{path}"
    async with connect(address, origin=origin, proxy=None, local_addr=(source, 0)) as connection:  # type: ignore[arg-type]
        yield PageSocket(connection)
