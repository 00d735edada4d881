"""What is open in the records, counted for operators, in SQLite and PostgreSQL."""

from datetime import timedelta

import pytest

from core.clock import ManualClock
from emergency.model import CallFilter
from storage.records import (
    AlertRecordsAdapter,
    CallRecordsAdapter,
    DeskRecordsAdapter,
    OpenCounts,
    OutboxAdapter,
    RecordsDatabase,
)
from tests.contract.records_call_cases import closing, raising
from tests.contract.records_cases import after, commit, fired, resolved
from tests.contract.records_desk_cases import desk_commit, intent

pytestmark = pytest.mark.timeout(60)
NOTHING = {"alerts_open": 0.0, "calls_open": 0.0, "outbox_waiting": 0.0, "outbox_oldest_seconds": 0.0}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(after(60))


@pytest.fixture
def counts(records_database: RecordsDatabase, clock: ManualClock) -> OpenCounts:
    return OpenCounts(records_database, clock)


async def counted(counts: OpenCounts) -> dict[str, float]:
    await counts.look()
    return counts.figures()


async def test_alerts_and_calls_count_until_they_end(records_database: RecordsDatabase, counts: OpenCounts) -> None:
    assert await counted(counts) == NOTHING
    alerts, calls = AlertRecordsAdapter(records_database), CallRecordsAdapter(records_database)
    await alerts.commit(commit(1, transitions=fired("a1", after(1))))
    await calls.commit([raising("c1")])
    assert await counted(counts) == NOTHING | {"alerts_open": 1.0, "calls_open": 1.0}
    await alerts.commit(commit(2, transitions=[resolved("a1", after(2))]))
    (call,) = await calls.calls(CallFilter(), None, 10)
    await calls.commit([closing(call)])
    assert await counted(counts) == NOTHING


async def test_messages_wait_until_they_are_delivered_and_the_oldest_says_for_how_long(
    records_database: RecordsDatabase, counts: OpenCounts, clock: ManualClock
) -> None:
    desk, outbox = DeskRecordsAdapter(records_database, clock), OutboxAdapter(records_database, clock)
    await desk.commit(desk_commit(0, 0, states={"k": b"1"}, intents=[intent("n1")]))
    clock.advance(timedelta(seconds=60))
    await desk.commit(desk_commit(0, 0, states={"k": b"2"}, intents=[intent("n2", incident="i2")]))
    clock.advance(timedelta(seconds=30))
    assert await counted(counts) == NOTHING | {"outbox_waiting": 2.0, "outbox_oldest_seconds": 90.0}
    await outbox.postpone(1, clock.steady(), after(900), "connection refused")
    assert (await counted(counts))["outbox_oldest_seconds"] == 90.0
    await outbox.delivered(1, clock.steady(), "ok")
    assert await counted(counts) == NOTHING | {"outbox_waiting": 1.0, "outbox_oldest_seconds": 30.0}
    await outbox.give_up(2, clock.steady(), "refused")
    assert await counted(counts) == NOTHING


async def test_how_long_messages_waited_goes_by_the_steady_clock_and_counts_each_once(
    records_database: RecordsDatabase, clock: ManualClock
) -> None:
    desk, outbox = DeskRecordsAdapter(records_database, clock), OutboxAdapter(records_database, clock)
    await desk.commit(desk_commit(0, 0, states={"k": b"1"}, intents=[intent("n1"), intent("n2", incident="i2")]))
    clock.jump(timedelta(seconds=86_400))
    clock.advance(timedelta(seconds=20))
    await outbox.delivered(1, clock.steady(), "ok")
    await outbox.delivered(1, clock.steady(), "again")
    await outbox.give_up(2, clock.steady(), "refused")
    assert outbox.delivery_seconds == 20.0
