"""Raw rows for the figures of alarm quality. On SQLite and PostgreSQL."""

import pytest
from msgspec.structs import replace

from alerts.model import Reason
from core.clock import ManualClock
from storage.records import AlertRecordsAdapter, DeskRecordsAdapter, OutboxAdapter, QualityAdapter, RecordsDatabase
from tests.contract.records_cases import GATE, LIFT, OTHER_LIFT, after, commit, fired, resolved
from tests.contract.records_desk_cases import desk_commit, intent

pytestmark = pytest.mark.timeout(60)

LIVES: list[tuple[str, float, float | None, bool]] = [
    ("over before the span", 10, 20, False),
    ("over within it", 30, 150, False),
    ("fired at its beginning", 100, 110, True),
    ("open at its end", 40, None, True),
    ("over just at its end", 50, 200, True),
    ("over later", 60, 999, True),
    ("within", 120, 130, True),
    ("fired at its end", 200, None, False),
]


async def test_alerts_that_belong_to_a_span(
    records_database: RecordsDatabase, engine_records: AlertRecordsAdapter
) -> None:
    for position, (name, begin, end, _) in enumerate(LIVES, 1):
        steps = fired(name, after(begin), rule=name, device=LIFT if position % 2 else OTHER_LIFT)
        steps += [] if end is None else [resolved(name, after(end))]
        await engine_records.commit(commit(position, transitions=steps))
    quality = QualityAdapter(records_database)
    expected = [name for name, begin, _, belongs in sorted(LIVES, key=lambda life: life[1]) if belongs]
    found = await quality.alerts_between(None, after(100), after(200))
    assert [row.id for row in found] == expected
    of_one = await quality.alerts_between("lakeside", after(100), after(200))
    assert [row.id for row in of_one] == ["open at its end", "over later"]


async def test_what_was_put_into_the_outbox_in_a_span(records_database: RecordsDatabase) -> None:
    clock = ManualClock(after(100))
    desk, outbox = DeskRecordsAdapter(records_database, clock), OutboxAdapter(records_database, clock)
    intents = [intent("n1", person="li"), intent("n2", receiver="guard"), intent("n3", community="lakeside")]
    await desk.commit(desk_commit(0, 0, intents=intents))
    await outbox.delivered(1, after(101), "ok")
    await outbox.give_up(2, after(102), "gone")
    quality = QualityAdapter(records_database)
    found = await quality.notified_between(None, after(100), after(101))
    assert [(row.person, row.receiver, row.status, row.finished_at) for row in found] == [
        ("li", "duty", "delivered", after(101)),
        (None, "guard", "failed", after(102)),
        (None, "duty", "waiting", None),
    ]
    assert {(row.created_at, row.severity, row.purpose) for row in found} == {(after(100), "critical", "firing")}
    lakeside = await quality.notified_between("lakeside", after(100), after(101))
    assert [row.community for row in lakeside] == ["lakeside"]
    assert await quality.notified_between(None, after(99), after(100)) == []


async def test_what_was_said_to_chatter(records_database: RecordsDatabase) -> None:
    chatters = Reason("chattering", "反复触发", "chattering")
    pending, firing = fired("a1", after(100), device=GATE, rule="door")
    steps = [pending, replace(firing, reason=chatters), *fired("a2", after(150))]
    await AlertRecordsAdapter(records_database).commit(commit(1, transitions=steps))
    quality = QualityAdapter(records_database)
    assert await quality.chattering_between(None, after(100), after(101)) == {("door", GATE.path)}
    assert await quality.chattering_between(GATE.community, after(0), after(200)) == {("door", GATE.path)}
    assert await quality.chattering_between("elsewhere", after(0), after(200)) == set()
    assert await quality.chattering_between(None, after(101), after(200)) == set()
