"""Waiting for the broker, for time to pass, or to be told to stop; and how long to wait between tries."""

import os
import random
import select
from contextlib import suppress
from datetime import timedelta

# Linux tells a closed connection apart from readable bytes; elsewhere it is noticed at the next write.
_HANG_UP = select.POLLERR | select.POLLHUP | getattr(select, "POLLRDHUP", 0)


class Wakeable:
    """Waits on sockets, and wakes up early when another thread calls `wake`."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._watched: int | None = None
        self._events = 0
        self._poll = select.poll()
        self._poll.register(self._reading, select.POLLIN)

    def wake(self) -> None:
        """End the present wait and every later one; from any thread, also after `close`."""
        with suppress(OSError):
            os.write(self._writing, b"!")

    def wait(self, seconds: float, fileno: int = -1, *, read: bool = False, write: bool = False) -> bool:
        """Wait for at most ``seconds``; return whether anything happened on ``fileno``.

        With neither ``read`` nor ``write`` only the connection's end counts; without ``fileno`` only `wake`.
        """
        self._watch(fileno, (select.POLLIN if read else 0) | (select.POLLOUT if write else 0))
        happened = self._poll.poll(max(0.0, seconds) * 1_000)
        return any(found == fileno for found, _ in happened)

    def _watch(self, fileno: int, events: int) -> None:
        if (fileno, events) == (self._watched, self._events):
            return
        if self._watched is not None and self._watched >= 0:
            with suppress(KeyError):
                self._poll.unregister(self._watched)
        if fileno >= 0:
            self._poll.register(fileno, events | _HANG_UP)
        self._watched, self._events = fileno, events

    def close(self) -> None:
        os.close(self._reading)
        os.close(self._writing)


class Backoff:
    """Rising delays between tries: doubled each time up to the most, and drawn from the upper half of that."""

    def __init__(self, first: timedelta, most: timedelta) -> None:
        self._first = first.total_seconds()
        self._most = most.total_seconds()
        self._tries = 0
        self._chance = random.Random()  # noqa: S311 - jitter, not a secret

    def next_seconds(self) -> float:
        """Return how long to wait before the next try."""
        delay = min(self._most, self._first * 2.0 ** min(self._tries, 32))
        self._tries += 1
        return delay * self._chance.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start again with the first delay."""
        self._tries = 0
