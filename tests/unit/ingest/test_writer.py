"""The telemetry writer: nothing skipped, nothing counted twice, one bad message blocks nobody."""

import asyncio
from datetime import timedelta

import pytest

from core.errors import CorruptJournal
from core.observations import RejectionReason
from ingest.ports import Settlement
from ingest.writer import READER
from ingest.writer_state import WriterState
from storage.memory.journal import MemoryJournal
from tests.unit.ingest.entries import LIFT, RECEIVED_AT, message, reading
from tests.unit.ingest.writing import FailingJournal, ScriptedStore, Writing, ledger, running


async def test_stored_duplicate_and_rejected_add_up_by_day_and_community() -> None:
    journal, store = MemoryJournal(), ScriptedStore()
    other = message("anju/v1/other/elevator/lift-1/telemetry", {"at": "2026-03-01T08:00:00Z"})
    yesterday = message(LIFT, {"at": "2026-02-28T08:00:00Z"}, received_at=RECEIVED_AT - timedelta(days=1))
    journal.append([reading(1), reading(2), reading(1), message(LIFT, b"{"), message("lost", b"{}"), other, yesterday])
    writing = Writing(journal, store)
    async with running(writing):
        await writing.settled()
    rows = {(row.day.day, row.community): row for row in journal.ledger((RECEIVED_AT - timedelta(days=9)).date())}
    counts = {key: (row.received, row.stored, row.duplicate, row.rejected) for key, row in rows.items()}
    assert counts == {(28, "demo"): (1, 1, 0, 0), (1, "demo"): (4, 2, 1, 1), (1, "other"): (1, 1, 0, 0), (1, "-"): (1, 0, 0, 1)}  # fmt: skip  # noqa: E501
    stats = writing.service.stats
    assert (stats.messages, stats.points, stats.rejected, stats.position) == (4, 4, 2, 7)
    assert (stats.state, stats.detail) == (WriterState.STOPPED, "")


async def test_a_store_that_is_away_delays_and_skips_nothing() -> None:
    journal, store = MemoryJournal(), ScriptedStore(failures=12)
    journal.append([reading(seq) for seq in range(1, 21)])
    writing = Writing(journal, store, batch_limit=5)
    async with running(writing):
        await writing.settled()
    assert store.kept == list(range(1, 21))
    assert ledger(journal) == (20, 20, 0, 0)
    assert writing.pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15.0, 15.0, 15.0, 15.0, 15.0]
    assert writing.service.stats.retries == 12


async def test_what_is_being_retried_can_be_seen() -> None:
    journal, store = MemoryJournal(), ScriptedStore()
    writing = Writing(journal, store)
    async with running(writing):
        journal.append([reading(1)])
        await writing.settled()
        assert writing.service.stats.state is WriterState.RUNNING
        store.failures = 1_000_000
        journal.append([reading(2)])
        store.began.clear()
        await store.began.wait()
        while not writing.pauses:
            await asyncio.sleep(0)
        stats = writing.service.stats
        assert (stats.state, stats.detail) == (WriterState.RETRYING, "telemetry: no route to the store")
        store.failures = 0
        await writing.settled()
        assert (writing.service.stats.state, writing.service.stats.detail) == (WriterState.RUNNING, "")


@pytest.mark.parametrize("step", ["settle", "read"])
async def test_a_journal_that_fails_for_a_while_is_asked_again(step: str) -> None:
    journal, store = FailingJournal(), ScriptedStore()
    journal.append([reading(seq) for seq in range(1, 11)])
    journal.failures[step] = 3
    writing = Writing(journal, store, batch_limit=4)
    async with running(writing):
        await writing.settled()
    assert store.kept == list(range(1, 11))
    assert ledger(journal) == (10, 10, 0, 0)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({1}, id="the first"),
        pytest.param({64}, id="the last"),
        pytest.param({20, 21, 50}, id="some"),
        pytest.param(set(range(1, 65)), id="all"),
    ],
)
async def test_a_refused_batch_is_halved_until_the_bad_messages_stand_alone(bad: set[int]) -> None:
    journal = MemoryJournal()
    store = ScriptedStore(failures=3, refuses=lambda point: point.position in bad)
    journal.append([reading(seq) for seq in range(1, 65)])
    writing = Writing(journal, store)
    async with running(writing):
        await writing.settled()
    assert store.kept == [seq for seq in range(1, 65) if seq not in bad]
    assert ledger(journal) == (64, 64 - len(bad), 0, len(bad))
    kept_aside = journal.quarantine(None, 100)
    assert sorted(rejection.position for rejection in kept_aside) == sorted(bad)
    assert {(one.reason, one.detail) for one in kept_aside} == {(RejectionReason.REFUSED_BY_STORE, "1 of 1 points")}
    assert all(b'"seq"' in one.excerpt for one in kept_aside)


async def test_one_bad_message_costs_two_writes_a_halving() -> None:
    journal = MemoryJournal()
    store = ScriptedStore(refuses=lambda point: point.position == 700)
    journal.append([reading(seq) for seq in range(1, 1_025)])
    writing = Writing(journal, store)
    async with running(writing):
        await writing.settled()
    assert len(store.writes) == 1 + 2 * 10


async def test_a_stop_between_storing_and_settling_loses_and_doubles_nothing() -> None:
    journal, store = MemoryJournal(), ScriptedStore()
    journal.append([reading(seq) for seq in range(1, 11)])
    store.gate.clear()
    async with running(Writing(journal, store, batch_limit=4)):
        await store.began.wait()
    assert (journal.positions(), ledger(journal)) == ({READER: 0}, (10, 0, 0, 0))
    store.gate.set()
    journal.append([reading(seq) for seq in range(11, 21)])
    writing = Writing(journal, store, batch_limit=7)  # cut elsewhere than before
    async with running(writing):
        await writing.settled()
    assert store.kept == list(range(1, 21))
    assert ledger(journal) == (20, 20, 0, 0)


@pytest.mark.parametrize("steps", range(1, 60))
async def test_a_stop_at_any_step_loses_and_doubles_nothing(steps: int) -> None:
    journal, store = MemoryJournal(), ScriptedStore(failures=1, refuses=lambda point: point.position == 9)
    journal.append([reading(seq) for seq in range(1, 13)] + [reading(1), message(LIFT, b"{")])
    async with running(Writing(journal, store, batch_limit=5)):
        for _ in range(steps):
            await asyncio.sleep(0)
    writing = Writing(journal, store, batch_limit=3)
    async with running(writing):
        await writing.settled()
    assert store.kept == [seq for seq in range(1, 13) if seq != 9]
    assert ledger(journal) == (14, 11, 1, 2)


class SlowlySettling(MemoryJournal):
    """A journal that holds the thread of ``settle`` until the loop has cancelled the writer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self.settling = asyncio.Event()
        self.cancelled = asyncio.Event()

    def settle(self, reader: str, settlement: Settlement) -> None:
        self._loop.call_soon_threadsafe(self.settling.set)
        asyncio.run_coroutine_threadsafe(self.cancelled.wait(), self._loop).result()
        super().settle(reader, settlement)


async def test_a_settlement_under_way_is_awaited_before_the_writer_stops() -> None:
    journal = SlowlySettling(asyncio.get_running_loop())
    journal.append([reading(1)])
    async with running(Writing(journal, ScriptedStore())) as task:
        await journal.settling.wait()
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        journal.cancelled.set()
        await asyncio.wait([task])
        assert ledger(journal) == (1, 1, 0, 0)


class BrokenJournal(MemoryJournal):
    def settle(self, reader: str, settlement: Settlement) -> None:
        raise CorruptJournal("journal is damaged")


async def test_what_cannot_be_mended_ends_the_writer_with_its_own_error() -> None:
    journal = BrokenJournal()
    journal.append([reading(1)])
    with pytest.raises(CorruptJournal):
        await Writing(journal, ScriptedStore()).service.run()


async def test_decoding_a_full_batch_lets_other_tasks_run() -> None:
    journal, store = MemoryJournal(), ScriptedStore()
    journal.append([reading(seq) for seq in range(5_000)])
    writing = Writing(journal, store)
    async with running(writing):
        await store.began.wait()
    assert len(store.writes[0]) == 5_000
