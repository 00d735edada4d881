"""A deliverer on twins, whose time passes only while nothing happens."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from alerts.dispatch.model import Intent, OutboxStatus
from alerts.notify.book import Channel, MessengerBook
from alerts.notify.deliverer import Deliverer, Limits
from core.clock import ManualClock, moment
from core.errors import TemporaryError
from storage.memory.outbox import MemoryOutbox
from tests.unit.alerts.notify.intents import START, after
from tests.unit.alerts.notify.mouth import Mouth

WAITING, DELIVERED, FAILED = OutboxStatus.WAITING, OutboxStatus.DELIVERED, OutboxStatus.FAILED


class World:
    """A deliverer whose time passes only while it has nothing to do and nothing is on its way."""

    def __init__(self, mouths: dict[str, Mouth], limits: Limits | None = None, per_minute: int | None = None) -> None:
        self.clock = ManualClock(START)
        self.outbox = MemoryOutbox()
        self.mouths = mouths
        self.book = MessengerBook({name: Channel(mouth, per_minute) for name, mouth in mouths.items()})
        self.pauses: list[float] = []
        self.deliverer = Deliverer(
            self.outbox,
            self.book,
            self.clock,
            # Time jumps from one due instant to the next.
            limits=replace(limits or Limits(), poll_seconds=3600.0),
            wait=self._wait,
            pause=self._pause,
        )
        self.until = START
        self.task: asyncio.Task[None]
        self._arrived = asyncio.Event()
        self._go = asyncio.Event()

    async def _wait(self, woken: asyncio.Event, seconds: float) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        if woken.is_set():
            return
        if self.deliverer.stats.in_flight:
            self._arrived.set()
            await woken.wait()
        elif self.clock.steady() < self.until:
            self.clock.advance(min(timedelta(seconds=max(seconds, 1e-6)), self.until - self.clock.steady()))
        else:
            self._arrived.set()
            await self._go.wait()
            self._go.clear()

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    async def run_until(self, seconds: float) -> None:
        """Let time pass to ``seconds`` after the start; with something stuck on its way, return as it stands."""
        self.until = after(seconds)
        self._arrived.clear()
        self._go.set()
        arrived = asyncio.create_task(self._arrived.wait())
        await asyncio.wait({arrived, self.task}, return_when=asyncio.FIRST_COMPLETED)
        arrived.cancel()
        if self.task.done():
            self.task.result()

    def add(self, *told: Intent) -> None:
        self.outbox.put(told, *moment(self.clock))
        self.deliverer.wake()

    def status(self, number: int = 1) -> OutboxStatus:
        return self.outbox.entries[number - 1].status

    def detail(self, number: int = 1) -> str:
        return self.outbox.entries[number - 1].detail


@asynccontextmanager
async def started(
    mouths: dict[str, Mouth], limits: Limits | None = None, per_minute: int | None = None
) -> AsyncIterator[World]:
    world = World(mouths, limits, per_minute)
    world.task = asyncio.create_task(world.deliverer.run(), name="deliverer")
    try:
        await world.run_until(0)
        yield world
    finally:
        world.task.cancel()
        await asyncio.gather(world.task, return_exceptions=True)


def fails(*, times: int, error: Exception) -> Callable[[Intent], None]:
    left = [times]

    def behave(_intent: Intent) -> None:
        if left[0] > 0:
            left[0] -= 1
            raise error

    return behave


AWAY = TemporaryError("duty: away")
