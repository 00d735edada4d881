"""Trimming the outbox on a twin: in batches, soon after the start and once an hour, whatever is away meanwhile."""

import asyncio
from datetime import timedelta

import pytest

from alerts.dispatch.model import OutboxStatus
from alerts.notify.trimming import BATCH, BETWEEN_SECONDS, EVERY_SECONDS, FIRST_AFTER_SECONDS, OutboxTrimming
from core.clock import ManualClock
from storage.memory.outbox import MemoryOutbox
from tests.unit.alerts.notify.intents import START, after, intent

KEEP = timedelta(days=90)


class World:
    """An outbox and its trimming; a pause passes at once, until there have been enough of them."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.outbox = MemoryOutbox()
        self.pauses: list[float] = []
        self.left: list[int] = []
        self._rounds = 0
        self.trimming = OutboxTrimming(self.outbox, self.clock, KEEP, pause=self._pause)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.left.append(len(self.outbox.entries))
        if len(self.pauses) == self._rounds:
            raise asyncio.CancelledError
        self.clock.advance(timedelta(seconds=seconds))

    async def run(self, pauses: int) -> None:
        """Let trimming run until its pause number ``pauses`` begins."""
        self._rounds = pauses
        with pytest.raises(asyncio.CancelledError):
            await self.trimming.run()

    async def deliver(self, count: int) -> None:
        """Put ``count`` messages in, and deliver them at the start."""
        self.outbox.put([intent(number, incident=f"i{number}") for number in range(count)], START)
        for number in range(1, count + 1):
            await self.outbox.delivered(number, START, "heard")


async def test_it_begins_a_minute_after_the_start_and_looks_once_an_hour() -> None:
    world = World()
    await world.deliver(3)
    world.clock.advance(KEEP - timedelta(hours=1))
    await world.run(4)
    assert world.pauses == [FIRST_AFTER_SECONDS, EVERY_SECONDS, EVERY_SECONDS, EVERY_SECONDS]
    assert world.left == [3, 3, 0, 0]


async def test_what_waits_stays_however_old() -> None:
    world = World()
    await world.deliver(2)
    world.outbox.put([intent(7, incident="i7"), intent(8, incident="i7")], START)
    await world.outbox.postpone(3, START, after(60), "busy")
    world.clock.advance(KEEP * 10)
    await world.run(2)
    assert [(entry.number, entry.status) for entry in world.outbox.entries] == [
        (3, OutboxStatus.WAITING),
        (4, OutboxStatus.WAITING),
    ]


async def test_much_is_deleted_in_batches_with_pauses_between() -> None:
    asked: list[int] = []

    class Full(MemoryOutbox):
        async def trim(self, before: object, limit: int) -> int:
            asked.append(limit)
            return limit if len(asked) < 4 else 17

    world = World()
    world.trimming = OutboxTrimming(Full(), world.clock, KEEP, pause=world._pause)
    await world.run(5)
    assert asked == [BATCH] * 4
    assert world.pauses == [FIRST_AFTER_SECONDS, *[BETWEEN_SECONDS] * 3, EVERY_SECONDS]


async def test_records_that_are_away_are_asked_again_in_the_next_round() -> None:
    world = World()
    await world.deliver(1)
    world.clock.advance(KEEP)
    world.outbox.fail(times=1)
    await world.run(3)
    assert world.left == [1, 1, 0]
