"""Accepting connections: the gate is asked before a protocol is made, and descriptors that run out end nothing."""

import asyncio
import errno
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from app.serving.gate import ConnectionGate, Slot

_log = structlog.get_logger()
# So many in one turn of the event loop; this also bounds by how much descriptors can exceed the limit for a moment.
_ACCEPTS_A_TURN = 32
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_GIVING_WAY = 16
# What the kernel keeps for a client that does not read; its own measure grows to 4 MB a connection, and hides for as
# long whether the client reads at all.
_SEND_BUFFER_BYTES = 128 * 1024
_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

MakeProtocol = Callable[[Slot], asyncio.Protocol]


class Acceptor:
    """Accepts on one listening socket from `start` to `stop`; the socket stays its owner's.

    asyncio's own server accepts up to its whole backlog before a protocol may object, and logs each of these tries when
    there are no descriptors.
    """

    def __init__(self, listening: socket.socket, gate: ConnectionGate, make_protocol: MakeProtocol) -> None:
        self._listening = listening
        self._gate = gate
        self._make_protocol = make_protocol
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self.shortages = 0
        self.short_at: float | None = None
        """When a connection could last not be accepted for want of descriptors or memory, in monotonic seconds."""

    def start(self) -> None:
        """Begin, or go on after a pause."""
        self._pause = None
        # Accepted sockets inherit it.
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._loop.add_reader(self._listening.fileno(), self._accept)

    def stop(self) -> None:
        """Accept no more; calling it again does nothing."""
        if self._pause is not None:
            self._pause.cancel()
        if self._listening.fileno() >= 0:
            self._loop.remove_reader(self._listening.fileno())

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_A_TURN):
            try:
                connection, address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _SHORT:
                    raise
                self._rest(error)
                return
            self._recover()
            self._take(connection, address[0])

    def _take(self, connection: socket.socket, host: str) -> None:
        connection.setblocking(False)
        slot = self._gate.admit(host)
        if slot is None:
            with suppress(OSError):
                connection.send(_REFUSAL)
            connection.close()
            return
        task = self._loop.create_task(self._open(connection, slot), name="http.open")
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, connection: socket.socket, slot: Slot) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: self._make_protocol(slot), connection)
        except OSError:
            self._gate.leave(slot)
            connection.close()

    def _rest(self, error: OSError) -> None:
        """Stop accepting for a moment: the socket stays readable, so looking again at once would be a busy loop."""
        self.shortages += 1
        if self._pause_seconds == _FIRST_PAUSE_SECONDS:
            _log.warning("http.accept_failed", error=error.strerror, open=self._gate.open)
        self.short_at = time.monotonic()
        self._gate.give_way(_GIVING_WAY)
        self._loop.remove_reader(self._listening.fileno())
        self._pause = self._loop.call_later(self._pause_seconds, self.start)
        self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)

    def _recover(self) -> None:
        if self._pause_seconds != _FIRST_PAUSE_SECONDS:
            self._pause_seconds = _FIRST_PAUSE_SECONDS
            _log.info("http.accepts_again", shortages=self.shortages)
