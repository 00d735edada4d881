"""Stores and journals that fail on command, and a writer over them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from core.clock import ManualClock
from core.errors import MalformedPoints, TemporaryError
from core.observations import Entry
from core.telemetry import Point
from ingest.backoff import Backoff
from ingest.patience import Patience
from ingest.ports import Journal, Settlement, TelemetryWriter
from ingest.writer import TelemetryWriterService
from ingest.writer_state import WriterSettings
from storage.memory.journal import MemoryJournal
from storage.memory.telemetry import MemoryTelemetry
from tests.unit.ingest.entries import DECODER, RECEIVED_AT


class ScriptedStore(MemoryTelemetry):
    """A store in memory that fails ``failures`` times, refuses points that ``refuses`` names, and notes each write."""

    def __init__(self, failures: int = 0, refuses: Callable[[Point], bool] = lambda point: False) -> None:
        super().__init__()
        self.failures = failures
        self.refuses = refuses
        self.writes: list[list[int]] = []
        self.began = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def prepare(self) -> None:
        self._fail()

    async def write(self, points: Sequence[Point]) -> None:
        self.writes.append([point.position for point in points])
        self.began.set()
        self._fail()
        if bad := [point for point in points if self.refuses(point)]:
            # As InfluxDB does: what can be stored of the batch is, before it complains.
            await super().write([point for point in points if point not in bad])
            raise MalformedPoints(f"{len(bad)} of {len(points)} points")
        await super().write(points)
        await self.gate.wait()

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise TemporaryError("no route to the store")

    def has(self, point: Point) -> bool:
        """Whether a point of the identity of ``point`` is kept."""
        return (point.family, point.device, point.part, point.at_nanoseconds) in self._points

    @property
    def kept(self) -> list[int]:
        """The ``seq`` of every point kept, in order."""
        return sorted(int(values["seq"]) for values in self._points.values() if "seq" in values)


class FailingJournal(MemoryJournal):
    """A journal in memory whose ``settle`` and ``read`` fail as often as told."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: dict[str, int] = {"settle": 0, "read": 0}
        self.settlements: list[Settlement] = []

    def settle(self, reader: str, settlement: Settlement) -> None:
        self.settlements.append(settlement)
        self._fail("settle")
        super().settle(reader, settlement)

    def read(self, after: int, limit: int) -> list[Entry]:
        self._fail("read")
        return super().read(after, limit)

    def _fail(self, name: str) -> None:
        if self.failures[name]:
            self.failures[name] -= 1
            raise TemporaryError("disk full")


class Writing:
    """A writer over a journal and a store, which can be awaited until it has settled everything."""

    def __init__(self, journal: Journal, store: TelemetryWriter, *, batch_limit: int = 5_000) -> None:
        self._journal = journal
        self._idle = asyncio.Event()
        self.pauses: list[float] = []
        settings = WriterSettings(batch_limit=batch_limit)
        patience = Patience(Backoff(), pause=self._pause, jitter=lambda: 0.0)
        clock = ManualClock(RECEIVED_AT + timedelta(seconds=1))
        self.service = TelemetryWriterService(
            journal, DECODER, store, clock, wait_for_more=self._wait, settings=settings, patience=patience
        )

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    async def _wait(self, position: int, seconds: float) -> None:
        self._idle.set()
        await asyncio.sleep(0.001)

    async def settled(self) -> None:
        """Return when everything in the journal is settled."""
        while self.service.stats.position != self._journal.last_position():
            self._idle.clear()
            await self._idle.wait()


@asynccontextmanager
async def running(writing: Writing) -> AsyncIterator[asyncio.Task[None]]:
    """Run the writer for the length of the block, and cancel it."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(writing.service.run())
        yield task
        task.cancel()


def ledger(journal: Journal) -> tuple[int, int, int, int]:
    """Return received, stored, duplicate and rejected over all communities and days."""
    rows = journal.ledger((RECEIVED_AT - timedelta(days=2)).date())
    assert all(row.in_flight >= 0 for row in rows)
    return (
        sum(row.received for row in rows),
        sum(row.stored for row in rows),
        sum(row.duplicate for row in rows),
        sum(row.rejected for row in rows),
    )
