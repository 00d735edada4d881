"""How readers learn that the journal has grown: rung inside one process, polled across processes."""

import asyncio
from collections.abc import Callable
from typing import Protocol

POLL_SECONDS = 0.005


class Waiting(Protocol):
    """Wakes a reader when the journal has grown."""

    async def wait(self, after: int, seconds: float) -> None:
        """Return when the journal reaches beyond ``after``, or after ``seconds``."""
        ...


class Doorbell:
    """Wakes the tasks of one event loop; `ring` may be called from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = asyncio.Event()
        self._position = 0

    def attach(self) -> None:
        """Remember the running loop; call it once, from inside."""
        self._loop = asyncio.get_running_loop()

    def ring(self, position: int) -> None:
        """Say that the journal now reaches ``position``."""
        self._position = position
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._rung.set()
        self._rung = asyncio.Event()

    async def wait(self, after: int, seconds: float) -> None:
        """Return when the journal reaches beyond ``after``, or after ``seconds``."""
        if self._position > after:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return


class Poll:
    """The same promise for a journal that another process appends to."""

    def __init__(self, last_position: Callable[[], int]) -> None:
        self._last_position = last_position

    async def wait(self, after: int, seconds: float) -> None:
        """Return when the journal reaches beyond ``after``, or after ``seconds``."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        # The look is one indexed read of some 20 µs: cheaper here than a hop to a thread.
        while self._last_position() <= after and loop.time() < end:  # noqa: ASYNC110 - nobody here could set an event
            await asyncio.sleep(min(POLL_SECONDS, max(0.0, end - loop.time())))
