"""Housekeeping: journal and store stay within their bounds, and one failing does not stop the other."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from core.clock import ManualClock
from core.errors import TemporaryError
from ingest.housekeeping import Housekeeping
from storage.memory.journal import MemoryJournal
from storage.memory.telemetry import MemoryTelemetry
from tests.unit.ingest.entries import reading

NOW = datetime(2026, 3, 10, tzinfo=UTC)


class Bounded(MemoryJournal):
    """Notes what it was asked to trim; fails first when told to."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self.fails = fails
        self.asked: list[tuple[datetime | None, int | None]] = []

    def trim(self, *, older_than: datetime | None, beyond_bytes: int | None) -> int:
        self.asked.append((older_than, beyond_bytes))
        if self.fails:
            raise TemporaryError("locked")
        return super().trim(older_than=older_than, beyond_bytes=beyond_bytes)


class Expiring(MemoryTelemetry):
    def __init__(self) -> None:
        super().__init__()
        self.expired: list[tuple[timedelta, datetime]] = []

    async def expire(self, before: timedelta, now: datetime) -> None:
        self.expired.append((before, now))


def housekeeping(
    journal: Bounded, store: Expiring, clock: ManualClock, retention: timedelta | None = timedelta(days=400)
) -> Housekeeping:
    async def pause(seconds: float) -> None:
        clock.advance(timedelta(seconds=seconds))
        await asyncio.sleep(0)

    return Housekeeping(
        journal, store, clock, max_age=timedelta(days=7), max_bytes=10**6, retention=retention, pause=pause
    )


@pytest.mark.parametrize("fails", [False, True])
async def test_both_are_asked_with_their_bounds(fails: bool) -> None:
    journal, store = Bounded(fails=fails), Expiring()
    await housekeeping(journal, store, ManualClock(NOW)).tidy()
    assert journal.asked == [(NOW - timedelta(days=7), 10**6)]
    assert store.expired == [(timedelta(days=400), NOW)]


async def test_without_a_retention_points_stay() -> None:
    store = Expiring()
    await housekeeping(Bounded(), store, ManualClock(NOW), retention=None).tidy()
    assert store.expired == []


async def test_old_entries_go_once_every_reader_has_had_them() -> None:
    journal = Bounded()
    journal.register("telemetry")
    journal.append([reading(1)])
    chores = housekeeping(journal, Expiring(), ManualClock(NOW))
    await chores.tidy()
    assert len(journal.read(0, 10)) == 1
    journal.advance("telemetry", 1)
    await chores.tidy()
    assert journal.read(0, 10) == []


async def test_it_comes_back_after_its_interval() -> None:
    journal, store = Bounded(), Expiring()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(housekeeping(journal, store, ManualClock(NOW)).run())
        while len(store.expired) < 3:
            await asyncio.sleep(0)
        task.cancel()
    assert [now - NOW for _, now in store.expired[:3]] == [timedelta(minutes=minutes) for minutes in (0, 5, 10)]
