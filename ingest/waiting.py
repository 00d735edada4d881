"""Waiting for the broker or for time to pass, until told to stop."""

import select
import socket
from contextlib import suppress

# Linux tells a closed connection apart from readable bytes; elsewhere it is noticed at the next write.
_HANG_UP = select.POLLERR | select.POLLHUP | getattr(select, "POLLRDHUP", 0)


class StopSignal:
    """Set once, from any thread; from then on no wait takes any time. The waits belong to one thread."""

    def __init__(self) -> None:
        # A pair of sockets, for a write after `close` fails on them; a bare descriptor may be somebody else's by then.
        self._reading, self._writing = socket.socketpair()
        self._writing.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._reading.fileno(), select.POLLIN)
        self._is_set = False

    def set(self) -> None:
        """End the present wait and every later one; may be repeated, also after `close`."""
        self._is_set = True
        with suppress(OSError):
            self._writing.send(b"!")

    def is_set(self) -> bool:
        """Tell whether `set` was called."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait for ``seconds``, or until told to stop; return whether that was so."""
        self._poll.poll(max(0.0, seconds) * 1_000)
        return self._is_set

    def wait_for(self, fileno: int, seconds: float, *, read: bool = False, write: bool = False) -> bool:
        """Wait for at most ``seconds``; return whether ``fileno`` is ready.

        With neither ``read`` nor ``write`` only the connection's end counts.
        """
        wanted = (select.POLLIN if read else 0) | (select.POLLOUT if write else 0)
        self._poll.register(fileno, wanted | _HANG_UP)
        try:
            ready = self._poll.poll(max(0.0, seconds) * 1_000)
        finally:
            self._poll.unregister(fileno)
        return any(found == fileno for found, _ in ready)

    def close(self) -> None:
        """Release the sockets."""
        self._reading.close()
        self._writing.close()
