"""Whose turn it is to write to a SQLite file, among the tasks of one process.

SQLite lets one writer in at a time, and lets the others try again after pauses that grow to a tenth of a second, in no
order: among four busy writers one waited for 2.8 s (measured). Here they queue in the order in which they came, those
of emergency calls before all others; only other processes are left to SQLite's own waiting.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class WriteTurns:
    """Lets in one task at a time; urgent ones overtake those that wait, never the one that writes."""

    def __init__(self) -> None:
        self._writing = False
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self, *, urgent: bool = False) -> AsyncIterator[None]:
        """Wait for the turn, and hold it for the block."""
        await self._wait(self._urgent if urgent else self._others)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, queue: "deque[asyncio.Future[None]]") -> None:
        if not self._writing:
            self._writing = True
            return
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(called)
        try:
            await called
        except asyncio.CancelledError:
            # Cancelled after it was called: nobody else knows that it is their turn.
            if called.done() and not called.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        for queue in (self._urgent, self._others):
            while queue:
                called = queue.popleft()
                if not called.done():
                    called.set_result(None)
                    return
        self._writing = False
