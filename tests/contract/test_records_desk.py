"""What the notification desk commits, the API reads. On SQLite and PostgreSQL."""

import asyncio
from collections.abc import Sequence

import pytest
from msgspec import Struct, structs
from sqlalchemy import select

from alerts.dispatch.model import OutboxEntry, TimelineNote
from alerts.history import AlertFilter
from alerts.model import DESK_KINDS, Severity, TransitionKind
from core.clock import ManualClock
from core.errors import Fenced
from storage.records import AlertRecordsAdapter, DeskRecordsAdapter, OutboxAdapter, RecordsAdapter, RecordsDatabase
from storage.records.desk_tables import outbox_alerts
from storage.records.tables import FOR_THE_DESK
from tests.contract.records_cases import GATE, after, commit, fired, resolved
from tests.contract.records_desk_cases import desk_commit, intent, note

pytestmark = pytest.mark.timeout(60)
_SUPPRESSED = TransitionKind.SUPPRESSED


@pytest.fixture
def desk(records_database: RecordsDatabase) -> DeskRecordsAdapter:
    return DeskRecordsAdapter(records_database, ManualClock(after(60)))


@pytest.fixture
def outbox(records_database: RecordsDatabase) -> OutboxAdapter:
    return OutboxAdapter(records_database, ManualClock(after(70)))


async def _told(api: RecordsAdapter) -> dict[str, tuple[str | None, str | None]]:
    return {row.id: (row.suppression, row.inhibited_by) for row in await api.alerts(AlertFilter(), None, 100)}


async def test_notes_join_the_timeline_without_a_gap(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter, desk: DeskRecordsAdapter
) -> None:
    await engine_records.commit(commit(1, transitions=fired("a1", device=GATE, severity=Severity.MINOR)))
    notes = [note("a1", _SUPPRESSED, "silence"), note("unknown"), note("a1")]
    await desk.commit(desk_commit(2, 0, notes=notes))
    steps = await api_records.transitions(2, 10)
    assert [(step.sequence, step.kind, step.reason_code) for step in steps] == [
        (3, "suppressed", "silence"),
        (4, "notified", "notified"),
    ]
    last = steps[-1]
    assert (last.alert_id, last.rule, last.severity, last.device) == ("a1", "trapped", "minor", GATE)
    assert (last.at, last.recorded_at, last.actor, last.facts) == (after(1), after(60), None, {"receiver": "duty"})
    assert (last.reason_zh, last.reason_en) == ("原因 notified", "because notified")
    assert await api_records.last_sequence() == 4


TELLING = [
    ("nobody decided yet", [], (None, None)),
    ("told", [note("a1")], (None, None)),
    ("silenced", [note("a1", _SUPPRESSED, "silence")], ("silence", None)),
    ("inhibited", [note("a1", _SUPPRESSED, "inhibited", by="cause")], ("inhibited", "cause")),
    (
        "first so, then so",
        [note("a1", _SUPPRESSED, "inhibited", by="x"), note("a1", _SUPPRESSED, "flood")],
        ("flood", None),
    ),
    ("told in the end", [note("a1", _SUPPRESSED, "inhibited", by="x"), note("a1")], (None, None)),
    ("told, then silenced", [note("a1"), note("a1", _SUPPRESSED, "shelved")], ("shelved", None)),
]


@pytest.mark.parametrize(("notes", "expected"), [row[1:] for row in TELLING], ids=[row[0] for row in TELLING])
async def test_an_alert_says_why_people_are_not_told(
    engine_records: AlertRecordsAdapter,
    api_records: RecordsAdapter,
    desk: DeskRecordsAdapter,
    notes: list[TimelineNote],
    expected: tuple[str | None, str | None],
) -> None:
    await engine_records.commit(commit(1, transitions=[*fired("a1"), *fired("other", rule="door")]))
    for number, each in enumerate(notes):
        await desk.commit(desk_commit(number, max(number - 1, 0), notes=[each]))
    assert await _told(api_records) == {"a1": expected, "other": (None, None)}
    inhibited = await api_records.alerts(AlertFilter(inhibited_by="cause"), None, 10)
    assert [row.id for row in inhibited] == (["a1"] if expected[1] == "cause" else [])


async def test_many_notes_and_intents_in_one_commit(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter, desk: DeskRecordsAdapter, outbox: OutboxAdapter
) -> None:
    """More than fit into one look-up."""
    ids = [f"a{number}" for number in range(1_200)]
    await engine_records.commit(
        commit(1, transitions=[step for alert_id in ids for step in fired(alert_id, rule=alert_id)])
    )
    intents = [intent(f"n-{alert_id}", incident=alert_id, alerts=[alert_id]) for alert_id in ids]
    await desk.commit(desk_commit(2_400, 0, intents=intents, notes=[note(alert_id) for alert_id in ids]))
    assert await api_records.last_sequence() == 3_600
    found = await outbox.outbox(status=None, receiver=None, alert_id="a1199", before=None, limit=10)
    assert [entry.intent.id for entry in found] == ["n-a1199"]
    assert len(await outbox.due(after(60), 5_000)) == 1_200


async def test_the_desks_own_alert_is_an_alert_like_any_other(
    api_records: RecordsAdapter, desk: DeskRecordsAdapter
) -> None:
    own = fired("own", after(5), rule="receiver_unreachable")
    await desk.commit(desk_commit(0, 0, transitions=own, notes=[note("own")]))
    found = await api_records.alert("own")
    assert found is not None
    assert (found[0].state, found[0].rule, found[0].fired_at) == ("firing", "receiver_unreachable", after(5))
    assert [step.kind for step in found[1]] == ["pending", "firing", "notified"]
    ending = [resolved("own", after(9), rule="receiver_unreachable")]
    await desk.commit(desk_commit(0, 0, transitions=ending))
    assert [row.state for row in await api_records.alerts(AlertFilter(), None, 10)] == ["resolved"]


async def test_a_second_open_alert_of_the_desk_is_refused_whole(
    api_records: RecordsAdapter, desk: DeskRecordsAdapter, outbox: OutboxAdapter
) -> None:
    await desk.commit(desk_commit(0, 0, transitions=fired("own")))
    again = [*fired("new", rule="door"), *fired("own")]
    with pytest.raises(Fenced):
        await desk.commit(desk_commit(3, 0, states={"k": b"s"}, transitions=again, intents=[intent("n1")]))
    assert (await desk.load()).sequence == 0
    assert await api_records.last_sequence() == 2
    assert await outbox.due(after(3600), 10) == []


async def test_what_was_given_up_is_said_in_the_timelines_of_its_alerts(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter, desk: DeskRecordsAdapter, outbox: OutboxAdapter
) -> None:
    await engine_records.commit(commit(1, transitions=[*fired("a1"), *fired("a2", rule="door")]))
    await desk.commit(desk_commit(4, 0, intents=[intent("n1", alerts=("a2", "a1", "never seen"))]))
    for _ in range(2):
        await outbox.give_up(1, after(65), "550 no such user")
    steps = await api_records.transitions(4, 10)
    assert [(step.sequence, step.alert_id, step.kind) for step in steps] == [
        (5, "a1", "undelivered"),
        (6, "a2", "undelivered"),
    ]
    assert (steps[0].at, steps[0].recorded_at) == (after(65), after(70))
    assert steps[0].reason_en == "could not tell duty: 550 no such user"
    assert steps[0].facts == {"receiver": "duty", "detail": "550 no such user"}


async def test_everybody_writes_at_once_and_no_line_is_forgotten(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter, desk: DeskRecordsAdapter, outbox: OutboxAdapter
) -> None:
    """The desk adds to a line while the deliverer finishes it: what waits behind always gets its turn."""
    await engine_records.commit(commit(1, transitions=fired("a1")))

    async def decide() -> None:
        for number in range(1, 31):
            intents = [intent(f"n{number}-{receiver}", receiver=receiver) for receiver in ("duty", "guard")]
            await desk.commit(desk_commit(number, number - 1, intents=intents, notes=[note("a1")]))

    async def talk() -> None:
        for number in range(20):
            await api_records.comment("a1", "li", f"{number}", after(number))

    async def deliver() -> list[str]:
        delivered: list[str] = []
        while len(delivered) < 60:
            for entry in await outbox.due(after(100), 10):
                if len(delivered) % 2:
                    await outbox.delivered(entry.number, after(90), "ok")
                else:
                    await outbox.give_up(entry.number, after(90), "refused")
                delivered.append(entry.intent.id)
        return delivered

    delivered, *_ = await asyncio.gather(deliver(), decide(), talk())
    for receiver in ("duty", "guard"):
        mine = [each for each in delivered if each.endswith(receiver)]
        assert mine == [f"n{number}-{receiver}" for number in range(1, 31)]
    assert await outbox.next_due() is None
    assert await api_records.last_sequence() == 2 + 30 + 20 + 30


async def test_a_cancelled_commit_of_the_desk_is_whole_or_absent(
    api_records: RecordsAdapter, desk: DeskRecordsAdapter, outbox: OutboxAdapter
) -> None:
    """Cancelled after 0, 1, 2, … turns of the event loop; a repeat of the same commit always succeeds."""
    await desk.commit(desk_commit(0, 0, transitions=fired("own")))
    for turns in range(25):
        decided = desk_commit(turns + 1, turns, intents=[intent(f"n{turns}")], notes=[note("own")])
        task = asyncio.create_task(desk.commit(decided))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await desk.commit(decided)
    assert [step.sequence for step in await api_records.transitions(0, 1000)] == list(range(1, 2 + 25 + 1))
    entries = await Asked(limit=100).of(outbox)
    assert [entry.intent.id for entry in reversed(entries)] == [f"n{turns}" for turns in range(25)]


class Asked(Struct):
    """What somebody looks for in the outbox."""

    status: str | None = None
    receiver: str | None = None
    alert_id: str | None = None
    before: int | None = None
    limit: int = 10

    async def of(self, outbox: OutboxAdapter) -> Sequence[OutboxEntry]:
        return await outbox.outbox(**structs.asdict(self))


VIEWS = [
    ("everything", Asked(), [5, 4, 3, 2, 1]),
    ("waiting", Asked(status="waiting"), [5, 4, 3]),
    ("delivered", Asked(status="delivered"), [1]),
    ("failed", Asked(status="failed"), [2]),
    ("receiver", Asked(receiver="guard"), [4, 2]),
    ("alert", Asked(alert_id="a2"), [5, 3]),
    ("before", Asked(before=3), [2, 1]),
    ("limit", Asked(limit=2), [5, 4]),
    ("all of them", Asked(status="waiting", receiver="duty", alert_id="a2", before=5), [3]),
    ("nobody", Asked(receiver="nobody"), []),
]


async def test_the_outbox_can_be_looked_through(desk: DeskRecordsAdapter, outbox: OutboxAdapter) -> None:
    intents = [
        intent("n1"),
        intent("n2", receiver="guard"),
        intent("n3", alerts=("a1", "a2")),
        intent("n4", receiver="guard"),
        intent("n5", alerts=("a2",)),
    ]
    await desk.commit(desk_commit(0, 0, intents=intents))
    await outbox.delivered(1, after(61), "200 OK")
    await outbox.give_up(2, after(62), "410 Gone")
    expected, found = {}, {}
    for name, asked, numbers in VIEWS:
        expected[name] = numbers
        found[name] = [entry.number for entry in await asked.of(outbox)]
    assert found == expected
    (gone,) = await Asked(status="failed").of(outbox)
    assert (gone.attempts, gone.finished_at, gone.detail) == (1, after(62), "410 Gone")


async def test_what_was_trimmed_leaves_no_link_to_its_alerts(
    records_database: RecordsDatabase, desk: DeskRecordsAdapter, outbox: OutboxAdapter
) -> None:
    await desk.commit(desk_commit(0, 0, intents=[intent("n1", alerts=("a1", "a2")), intent("n2", incident="i2")]))
    await outbox.delivered(1, after(61), "200 OK")
    assert await outbox.trim(after(62), 10) == 1
    assert [entry.number for entry in await Asked(alert_id="a1").of(outbox)] == [2]
    async with records_database.reading() as connection:
        links = (await connection.execute(select(outbox_alerts.c.number))).scalars()
        assert list(links) == [2]


def test_the_index_of_the_desk_leaves_out_just_what_it_does_not_read() -> None:
    passed_over = {TransitionKind.PENDING, *DESK_KINDS}
    for kind in TransitionKind:
        assert (f"'{kind.value}'" in FOR_THE_DESK.text) == (kind in passed_over)
