"""A messenger that does as told, for tests of the deliverer."""

import asyncio
from collections.abc import Callable

from alerts.dispatch.model import Intent


class Mouth:
    """A messenger that keeps what it was given; ``behave`` may raise or wait before it does."""

    def __init__(self, behave: Callable[[Intent], None] | None = None) -> None:
        self.said: list[Intent] = []
        self.tried: list[Intent] = []
        self.behave = behave or (lambda _intent: None)
        self.gate = asyncio.Event()
        self.gate.set()
        self.closed = False
        self.open_at_once = self.most_open_at_once = 0

    async def deliver(self, intent: Intent) -> str:
        self.tried.append(intent)
        self.open_at_once += 1
        self.most_open_at_once = max(self.most_open_at_once, self.open_at_once)
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
            self.behave(intent)
        finally:
            self.open_at_once -= 1
        self.said.append(intent)
        return "heard"

    async def close(self) -> None:
        self.closed = True
