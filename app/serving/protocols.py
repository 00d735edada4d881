"""uvicorn's protocols, with the gate told at which phase each connection is."""

import asyncio
from functools import partial
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from api.voice import Rate
from app.serving.gate import ConnectionGate, Phase, Slot

# asyncio reads 256 KiB at once, which takes half a second to parse where a body comes in pieces of one byte.
_READ_BYTES = 16 * 1024
_HEADER_BYTES = 16 * 1024
# The largest body in pieces of 256 bytes; programs send thousands at once.
_BODY_PIECES = 1_024
# Ten times what a voice may say: the application ends that one with a reason.
FRAMES_AT_ONCE = 1_000
FRAMES_PER_SECOND = 200.0
_NO_HANDSHAKE = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class GatedWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket: it keeps its place until it is closed. uvicorn's pings find out clients that are gone."""

    def __init__(self, *, gate: ConnectionGate, slot: Slot, **others: Any) -> None:
        super().__init__(**others)
        self._gate = gate
        self._slot = slot
        self._rate = Rate(self.loop.time(), FRAMES_AT_ONCE, FRAMES_PER_SECOND)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._gate.leave(self._slot)

    async def send(self, message: Any) -> None:
        """Send as uvicorn does; what only waits for its client's goodbye is no stream any more, and gives way."""
        await super().send(message)
        if self.close_sent:
            self._gate.enter(self._slot, Phase.REQUEST_HEAD)

    def handle_events(self) -> None:
        """Drop a client that sends more frames than a page does.

        uvicorn makes a client wait after messages only. Pings are answered at once, whether anybody reads the answers,
        and fragments are kept until the last one.
        """
        if self._rate.take(self.loop.time(), len(self.conn.events)):
            super().handle_events()
        else:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # What h11 took for a request and websockets does not: uvicorn would neither answer nor ever close.
            self.transport.write(_NO_HANDSHAKE)
            self.transport.close()


class BoundedConnection(h11.Connection):
    """h11 with a bound on the pieces of one body: each costs as much as a packet, and a piece may be one byte."""

    def __init__(self, *positional: Any, **named: Any) -> None:
        super().__init__(*positional, **named)
        self._pieces = 0

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Return what comes next. Raises `h11.RemoteProtocolError`."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._pieces = 0
        elif isinstance(event, h11.Data):
            self._pieces += 1
            if self._pieces > _BODY_PIECES:
                raise h11.RemoteProtocolError(f"a body in more than {_BODY_PIECES} pieces")
        return event


class GatedHttp(H11Protocol):
    """HTTP/1.1 on one connection."""

    def __init__(
        self, config: uvicorn.Config, state: ServerState, app_state: dict[str, Any], gate: ConnectionGate, slot: Slot
    ) -> None:
        super().__init__(config, state, app_state)
        self._gate = gate
        self._slot = slot
        self._request: object = None
        self.conn = BoundedConnection(h11.SERVER, _HEADER_BYTES)
        self.ws_protocol_class = partial(GatedWebSocket, gate=gate, slot=slot)  # type: ignore[assignment]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.max_size = _READ_BYTES  # type: ignore[attr-defined]
        self._slot.transport = transport
        self._gate.enter(self._slot, Phase.REQUEST_HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._gate.leave(self._slot)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._note_phase()

    def send_400_response(self, msg: str) -> None:
        """Answer, where an answer has not begun; else h11 would raise, and asyncio log it at every request."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        super().handle_websocket_upgrade(event)
        self._gate.enter(self._slot, Phase.RESPONSE)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._note_phase()

    def _note_phase(self) -> None:
        if self.transport.get_protocol() is not self:
            return  # It is a WebSocket by now.
        cycle = self.cycle
        over = cycle is None or cycle.response_complete
        request = None if over else cycle
        phase = Phase.REQUEST_HEAD if over else Phase.REQUEST_BODY if cycle.more_body else Phase.RESPONSE
        if phase is not self._slot.phase or request is not self._request:
            self._request = request
            self._gate.enter(self._slot, phase)
