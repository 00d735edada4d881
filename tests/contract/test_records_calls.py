"""What the databases promise of calls beyond the port: sharing transactions, being cancelled, being refused."""

import asyncio

import pytest
from msgspec.structs import replace
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.engine import Connection

from alerts.history import AlertFilter
from core.clock import SystemClock
from core.errors import Stale, TemporaryError
from emergency.model import Call, CallFilter
from storage.records import (
    AlertRecordsAdapter,
    CallRecordsAdapter,
    DeskRecordsAdapter,
    OutboxAdapter,
    RecordsAdapter,
    RecordsDatabase,
    upgrade,
)
from tests.contract.records_call_cases import LIFT_PATH, acting, overdue, page, raising
from tests.contract.records_cases import after, commit, fired
from tests.contract.records_desk_cases import desk_commit, intent, note

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def records(records_database: RecordsDatabase) -> CallRecordsAdapter:
    return CallRecordsAdapter(records_database)


class Commits:
    """Counts the transactions that a database ends."""

    def __init__(self, database: RecordsDatabase) -> None:
        self.count = 0
        engine = database._opened().sync_engine
        sqlalchemy_event.listen(engine, "commit", self._note)

    def _note(self, _connection: Connection) -> None:
        self.count += 1


def _lift(number: int) -> str:
    return f"garden/elevator/lift-{number}"


async def test_many_that_commit_at_once_share_transactions_and_keep_their_order(
    records_database: RecordsDatabase, records: CallRecordsAdapter
) -> None:
    counted = Commits(records_database)
    pages = [page(f"p{number}", f"c{number}") for number in range(200)]
    raised = [raising(f"c{number}", lift=_lift(number), pages=[each]) for number, each in enumerate(pages)]
    await asyncio.gather(*(records.commit([each]) for each in raised))
    assert counted.count <= 2
    found = await records.calls(CallFilter(), None, 500)
    assert [one.id for one in reversed(found)] == [f"c{number}" for number in range(200)]


async def test_in_a_shared_transaction_each_is_judged_by_itself(records: CallRecordsAdapter) -> None:
    keyed = [raising("c3", lift=_lift(3), key="k"), raising("c4", lift=_lift(4), key="k")]
    raised = [raising("c1"), raising("c2"), *keyed]
    answers = await asyncio.gather(*(records.commit([each]) for each in raised), return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(None), Stale, type(None), Stale]
    assert [one.id for one in await records.calls(CallFilter(), None, 9)] == ["c3", "c1"]
    assert await records.last_event() == 2


async def test_one_whom_the_database_refuses_harms_no_other(records: CallRecordsAdapter) -> None:
    unspeakable = "\ud800"
    raised = [raising("c1"), raising("c2", lift=_lift(2), ladder=unspeakable), raising("c3", lift=_lift(3))]
    answers = await asyncio.gather(*(records.commit([each]) for each in raised), return_exceptions=True)
    assert [isinstance(answer, Exception) for answer in answers] == [False, True, False]
    assert [one.id for one in await records.calls(CallFilter(), None, 9)] == ["c3", "c1"]


async def test_a_cancelled_commit_is_whole_or_absent(records: CallRecordsAdapter) -> None:
    """Cancelled after 0, 1, 2, … turns of the event loop; a repeat is stored, or is stale as it was stored before."""
    for turns in range(25):
        decided = raising(f"c{turns}", lift=_lift(turns), pages=[page(f"p{turns}", f"c{turns}")])
        task = asyncio.create_task(records.commit([decided]))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        try:
            await records.commit([decided])
        except Stale:
            assert turns > 0
        assert len(await records.pages(f"c{turns}")) == 1
    assert [row.number for row in await records.events_after(0, 100)] == list(range(1, 26))


async def test_a_database_that_goes_away_is_temporary_for_everybody_and_may_come_back(records_url: str) -> None:
    await upgrade(records_url)
    database = RecordsDatabase(records_url)
    records = CallRecordsAdapter(database)
    raised = [raising(f"c{number}", lift=_lift(number)) for number in range(3)]
    answers = await asyncio.gather(*(records.commit([each]) for each in raised), return_exceptions=True)
    assert [type(answer) for answer in answers] == [TemporaryError] * 3
    await database.open()
    await records.commit([raising()])
    await database.close()


async def test_its_own_alert_is_one_like_any_other(
    records_database: RecordsDatabase, records: CallRecordsAdapter
) -> None:
    api = RecordsAdapter(records_database)
    await records.commit([raising(alerts=[overdue()])])
    (alert,) = await api.alerts(AlertFilter(rule="rescue-overdue"), None, 10)
    assert (alert.state, alert.title_zh, alert.protected, alert.device.path) == ("firing", "救援超时", True, LIFT_PATH)
    await api.comment(alert.id, "li", "在路上", after(31))
    await records.commit([replace(acting(await _kept(records)), alerts=(overdue(firing=False, at=60),))])
    (alert,) = await api.alerts(AlertFilter(rule="rescue-overdue"), None, 10)
    assert (alert.state, alert.resolved_at) == ("resolved", after(60))
    kinds = [step.kind for step in await api.transitions(0, 10)]
    assert kinds == ["pending", "firing", "commented", "acknowledged", "resolved"]  # Whoever answered has seen it.


async def test_everybody_writes_at_once_and_nobody_waits_in_a_circle(
    records_database: RecordsDatabase, records: CallRecordsAdapter
) -> None:
    """Calls with pages and alerts, the engine, the desk, the deliverer and people, all at the same time."""
    api, engine = RecordsAdapter(records_database), AlertRecordsAdapter(records_database)
    desk, outbox = DeskRecordsAdapter(records_database), OutboxAdapter(records_database)
    await engine.commit(commit(1, transitions=fired("a1")))

    async def call() -> None:
        for number in range(15):
            alert = overdue(device=_lift(number))
            pages = [page(f"p{number}", f"c{number}")]
            await records.commit([raising(f"c{number}", lift=_lift(number), pages=pages, alerts=[alert])])

    async def decide() -> None:
        for number in range(15):
            intents = [intent(f"n{number}")]
            await desk.commit(desk_commit(number + 1, number, intents=intents, notes=[note("a1")]))
            await engine.commit(commit(number + 2, transitions=fired(f"b{number}", rule=f"r{number}")))
            await api.comment("a1", "li", f"{number}", after(number))

    async def deliver() -> int:
        delivered = 0
        while delivered < 30:
            for entry in await outbox.due(SystemClock().now(), 5):
                delivered += 1
                ending = outbox.delivered if delivered % 3 else outbox.give_up
                await ending(entry.number, SystemClock().now(), "said")
        return delivered

    delivered, *_ = await asyncio.gather(deliver(), call(), decide())
    assert delivered == 30
    assert await outbox.next_due() is None
    assert await records.last_event() == 15


async def _kept(records: CallRecordsAdapter) -> Call:
    found = await records.call("c1")
    assert found is not None
    return found
