"""What the engine commits, the API reads; what people do joins the same timeline. On SQLite and PostgreSQL."""

import asyncio
from datetime import timedelta, timezone

import pytest

from alerts.history import AlertFilter
from core.clock import ManualClock
from core.errors import Fenced, PermanentError, TemporaryError
from storage.records import AlertRecordsAdapter, RecordsAdapter, RecordsDatabase
from tests.contract.records_cases import GATE, LIFT, OTHER_LIFT, START, after, commit, fired, resolved, seen

pytestmark = pytest.mark.timeout(60)


async def test_an_alert_with_its_timeline(records_database: RecordsDatabase, api_records: RecordsAdapter) -> None:
    engine = AlertRecordsAdapter(records_database, ManualClock(after(61)))
    local = after(60).astimezone(timezone(timedelta(hours=8)))
    await engine.commit(commit(1, transitions=fired("a1", local)))
    found = await api_records.alert("a1")
    assert found is not None
    alert, timeline = found
    assert (alert.number, alert.id, alert.rule, alert.severity, alert.device) == (1, "a1", "trapped", "critical", LIFT)
    assert (alert.state, alert.title_zh, alert.title_en) == ("firing", "困人", "Trapped passenger")
    assert (alert.reason_zh, alert.reason_en) == ("原因 firing", "because firing")
    assert (alert.pending_since, alert.fired_at, alert.resolved_at) == (START, after(60), None)
    assert (alert.acknowledged_at, alert.acknowledged_by) == (None, None)
    assert [(step.sequence, step.kind) for step in timeline] == [(1, "pending"), (2, "firing")]
    last = timeline[-1]
    assert (last.at, last.recorded_at, last.actor) == (after(60), after(61), None)
    assert last.at.utcoffset() == timedelta(0)
    assert last.facts == {"temperature_celsius": 61.5, "open": True}


async def test_resolving_keeps_the_acknowledgement_apart(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    await engine_records.commit(commit(1, transitions=fired("a1")))
    await api_records.acknowledge("a1", "li", None, after(10))
    await engine_records.commit(commit(2, transitions=[resolved("a1", after(90))]))
    found = await api_records.alert("a1")
    assert found is not None
    assert (found[0].state, found[0].resolved_at) == ("resolved", after(90))
    assert (found[0].acknowledged_at, found[0].acknowledged_by) == (after(10), "li")
    assert [step.kind for step in found[1]] == ["pending", "firing", "acknowledged", "resolved"]


async def test_an_alert_may_end_and_the_next_begin_in_one_commit(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    await engine_records.commit(commit(1, transitions=fired("a1")))
    steps = [resolved("a1", after(5)), *fired("a2", after(6)), resolved("a2", after(7)), *fired("a3", after(8))]
    await engine_records.commit(commit(2, transitions=steps))
    alerts = await api_records.alerts(AlertFilter(), None, 10)
    assert [(alert.id, alert.state) for alert in alerts] == [("a3", "firing"), ("a2", "resolved"), ("a1", "resolved")]


async def test_the_same_instant_again_opens_the_same_alert_again(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    await engine_records.commit(commit(1, transitions=[*fired("a1"), resolved("a1", START), *fired("a1")]))
    alerts = await api_records.alerts(AlertFilter(), None, 10)
    assert [(alert.id, alert.state) for alert in alerts] == [("a1", "firing")]


async def test_a_second_open_alert_of_a_rule_and_device_is_refused_whole(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    await engine_records.commit(commit(1, transitions=fired("a1")))
    second = [*fired("other", rule="door"), *fired("a2", after(5))]
    with pytest.raises(PermanentError):
        await engine_records.commit(commit(2, states={"p": b"s"}, transitions=second, sightings=[seen()]))
    assert [alert.id for alert in await api_records.alerts(AlertFilter(), None, 10)] == ["a1"]
    assert (await engine_records.load()).position == await api_records.alert_position() == 1
    assert await api_records.last_sequence() == 2
    assert await api_records.devices(None, None, None, 10) == []


async def test_raising_what_fires_already_betrays_a_second_engine(engine_records: AlertRecordsAdapter) -> None:
    await engine_records.commit(commit(1, transitions=fired("a1")))
    with pytest.raises(Fenced):
        await engine_records.commit(commit(1, previous=1, transitions=fired("a1", after(1))))


@pytest.mark.parametrize("position", [1, 2], ids=["a timer, no message", "a message"])
async def test_a_repeated_commit_writes_the_timeline_once(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter, position: int
) -> None:
    await engine_records.commit(commit(1))
    decided = commit(position, previous=1, transitions=[*fired("a1"), resolved("a1", after(3))])
    await engine_records.commit(decided)
    await engine_records.commit(decided)
    assert [step.kind for step in await api_records.transitions(0, 10)] == ["pending", "firing", "resolved"]


async def test_the_first_acknowledgement_stays_and_no_comment_is_lost(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    await engine_records.commit(commit(1, transitions=fired("a1")))
    first = await api_records.acknowledge("a1", "li", "看到了", after(10))
    second = await api_records.acknowledge("a1", "wang", "me too", after(20))
    third = await api_records.acknowledge("a1", "zhao", None, after(30))
    assert first == second == third
    assert first is not None
    assert (first.acknowledged_by, first.acknowledged_at) == ("li", after(10))
    said = [(step.kind, step.actor, step.reason_en) for step in await api_records.transitions(2, 10)]
    assert said == [
        ("acknowledged", "li", "acknowledged by li"),
        ("commented", "li", "看到了"),
        ("commented", "wang", "me too"),
    ]


async def test_a_comment_is_returned_as_it_stands_in_the_timeline(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    await engine_records.commit(commit(1, transitions=fired("a1", device=GATE)))
    written = await api_records.comment("a1", "li", "door wedged", after(10))
    assert written is not None
    assert [written] == await api_records.transitions(2, 10)
    assert (written.sequence, written.device, written.at, written.recorded_at) == (3, GATE, after(10), after(10))
    assert written.facts == {}


async def test_an_unknown_alert_is_none_and_takes_no_sequence(api_records: RecordsAdapter) -> None:
    assert await api_records.alert("no") is None
    assert await api_records.acknowledge("no", "li", "text", START) is None
    assert await api_records.comment("no", "li", "text", START) is None
    assert (await api_records.last_sequence(), await api_records.transitions(0, 10)) == (0, [])


async def test_transitions_go_on_after_a_sequence(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    await engine_records.commit(commit(1, transitions=[*fired("a1"), *fired("b1", device=OTHER_LIFT)]))
    assert [step.sequence for step in await api_records.transitions(1, 2)] == [2, 3]
    assert await api_records.last_sequence() == 4


async def test_sequences_have_no_gap_and_never_appear_late(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    """People and the engine write at once; a reader that always goes on after what it saw last sees everything."""
    await engine_records.commit(commit(1, transitions=fired("a0")))
    seen_sequences: list[int] = []
    done = asyncio.Event()

    async def follow() -> None:
        finished = False
        while not finished:
            finished = done.is_set()
            steps = await api_records.transitions(seen_sequences[-1] if seen_sequences else 0, 5)
            seen_sequences.extend(step.sequence for step in steps)
            finished = finished and not steps

    async def decide() -> None:
        for position in range(2, 22):
            ending = resolved(f"a{position - 2}", after(position))
            await engine_records.commit(commit(position, transitions=[ending, *fired(f"a{position - 1}")]))

    async def talk(actor: str) -> None:
        for number in range(10):
            await api_records.acknowledge("a0", actor, f"{number}", after(number))

    async with asyncio.TaskGroup() as tasks:
        follower = tasks.create_task(follow())
        await asyncio.gather(decide(), talk("li"), talk("wang"), talk("zhao"))
        done.set()
        await follower
    # 2 steps at first, 20 x 3 of the engine, 30 comments and the one acknowledgement.
    assert seen_sequences == list(range(1, 2 + 60 + 30 + 1 + 1))


async def test_a_cancelled_commit_is_whole_or_absent(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    """Cancelled after 0, 1, 2, … turns of the event loop; a repeat of the same commit always succeeds."""
    for turns in range(30):
        position = turns + 1
        ending = [resolved(f"a{position - 1}", after(position))] if turns else []
        decided = commit(position, states={"p": b"s"}, transitions=[*ending, *fired(f"a{position}")])
        task = asyncio.create_task(engine_records.commit(decided))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await engine_records.commit(decided)
    steps = await api_records.transitions(0, 1000)
    assert [step.sequence for step in steps] == list(range(1, 30 * 3))
    assert [alert.state for alert in await api_records.alerts(AlertFilter(), None, 100)] == ["firing"] + 29 * [
        "resolved"
    ]


async def test_a_closed_database_is_a_temporary_error(
    records_database: RecordsDatabase, api_records: RecordsAdapter
) -> None:
    await api_records.ping()
    await records_database.close()
    await records_database.close()
    with pytest.raises(TemporaryError):
        await api_records.ping()
    await records_database.open()
    await api_records.ping()
