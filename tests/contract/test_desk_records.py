"""The contract of `alerts.ports.DeskRecords`: what every implementation of it promises."""

import math

import pytest
from msgspec.structs import replace

from alerts.dispatch.model import DeskSnapshot
from alerts.model import Severity, TransitionKind
from core.errors import Fenced
from tests.contract.records_cases import GATE, START, after, fired, resolved
from tests.contract.records_desk_cases import Bench, desk_commit, intent, note

pytestmark = pytest.mark.timeout(60)


async def test_begins_at_sequence_zero_with_no_state(bench: Bench) -> None:
    assert await bench.desk.load() == DeskSnapshot(sequence=0, states={})
    assert await bench.desk.told(0, 10) == []
    assert await bench.desk.failing_receivers() == {}
    assert await bench.desk.suppressions(START) == []


async def test_loads_what_was_committed(bench: Bench) -> None:
    await bench.desk.commit(desk_commit(3, 0, states={"incident/1": b"\x00one", "flood": b""}))
    await bench.desk.commit(desk_commit(5, 3, states={"incident/1": b"two", "flood": None, "never": None}))
    assert await bench.desk.load() == DeskSnapshot(sequence=5, states={"incident/1": b"two"})


async def test_a_step_is_told_with_what_its_alert_is(bench: Bench) -> None:
    await bench.engine.decide(fired("a1", after(5), device=GATE, severity=Severity.MAJOR))
    (told,) = await bench.desk.told(0, 10)
    assert (told.sequence, told.alert_id, told.rule, told.device) == (2, "a1", "trapped", GATE)
    assert (told.severity, told.kind) == (Severity.MAJOR, TransitionKind.FIRING)
    assert (told.at, told.recorded_at, told.fired_at, told.actor) == (after(5), after(60), after(5), None)
    assert (told.title_zh, told.title_en, told.reason.code) == ("困人", "Trapped passenger", "firing")
    assert told.reason.facts == {"temperature_celsius": 61.5, "open": True}
    assert (told.latching, told.protected, told.maintenance) == (False, False, False)


async def test_a_fact_that_is_no_number_does_not_stop_the_desk(bench: Bench) -> None:
    """JSON has no infinity."""
    firing = fired("a1")[1]
    reason = replace(firing.reason, facts={"ratio": math.inf, "limit": 2.0})
    await bench.engine.decide([replace(firing, reason=reason)])
    (told,) = await bench.desk.told(0, 10)
    assert told.reason.facts["limit"] == 2.0


async def test_the_flags_of_a_rule_come_with_its_alert(bench: Bench) -> None:
    steps = [*fired("a1", after(5)), resolved("a1", after(9))]
    await bench.engine.decide([replace(each, latching=True, protected=True, maintenance=True) for each in steps])
    told = await bench.desk.told(0, 10)
    assert [(each.latching, each.protected, each.maintenance) for each in told] == [(True, True, True)] * 2
    assert [each.fired_at for each in told] == [after(5)] * 2


async def test_pending_and_the_desks_own_notes_are_not_told(bench: Bench) -> None:
    await bench.engine.decide(fired("a1"))
    await bench.desk.commit(desk_commit(2, 0, notes=[note("a1"), note("a1", TransitionKind.SUPPRESSED, "silence")]))
    assert await bench.desk.told(2, 10) == []
    await bench.engine.decide([resolved("a1", after(9))])
    (told,) = await bench.desk.told(2, 10)
    assert (told.sequence, told.kind) == (5, TransitionKind.RESOLVED)


async def test_steps_are_told_in_order_and_in_pages(bench: Bench) -> None:
    for number in range(4):
        await bench.engine.decide([*fired(f"a{number}"), resolved(f"a{number}", after(number))])
    first = await bench.desk.told(0, 3)
    rest = await bench.desk.told(first[-1].sequence, 100)
    assert [told.sequence for told in (*first, *rest)] == [2, 3, 5, 6, 8, 9, 11, 12]


async def test_the_desks_own_alerts_are_told_to_it(bench: Bench) -> None:
    own = fired("own", rule="receiver_unreachable")
    await bench.desk.commit(desk_commit(0, 0, states={"k": b"1"}, transitions=own))
    assert [(told.alert_id, told.kind) for told in await bench.desk.told(0, 10)] == [("own", TransitionKind.FIRING)]


async def test_a_repeat_of_the_last_commit_succeeds_and_changes_nothing(bench: Bench) -> None:
    await bench.engine.decide(fired("a1"))
    for sequence in (2, 2):  # The second commit moves no sequence: a timer ran out.
        before = (await bench.desk.load()).sequence
        decided = desk_commit(sequence, before, states={"k": f"{before}".encode()}, intents=[intent(f"n{before}")])
        await bench.desk.commit(decided)
        await bench.desk.commit(decided)
    assert await bench.desk.load() == DeskSnapshot(sequence=2, states={"k": b"2"})
    await bench.engine.decide([resolved("a1", after(9))])
    assert [told.sequence for told in await bench.desk.told(2, 10)] == [3]


async def test_commits_that_move_no_sequence_count(bench: Bench) -> None:
    for number in range(3):
        await bench.desk.commit(desk_commit(0, 0, states={"k": str(number).encode()}))
    assert (await bench.desk.load()).states == {"k": b"2"}


@pytest.mark.parametrize("previous", [0, 4, 6])
async def test_another_sequence_than_expected_fences_and_changes_nothing(bench: Bench, previous: int) -> None:
    await bench.desk.commit(desk_commit(5, 0, states={"k": b"s"}))
    with pytest.raises(Fenced):
        await bench.desk.commit(desk_commit(9, previous, states={"k": b"other"}, intents=[intent("n1")]))
    assert await bench.desk.load() == DeskSnapshot(sequence=5, states={"k": b"s"})
    assert await bench.outbox.due(after(3600), 10) == []


async def test_a_receiver_fails_until_something_reaches_it(bench: Bench) -> None:
    receivers = ("duty", "guard")
    intents = [intent(f"{receiver}-{number}", receiver=receiver) for number in (1, 2) for receiver in receivers]
    await bench.desk.commit(desk_commit(0, 0, states={"k": b"1"}, intents=intents))
    first = {entry.intent.receiver: entry.number for entry in await bench.outbox.due(after(100), 10)}
    await bench.outbox.give_up(first["duty"], after(101), "no such address")
    await bench.outbox.delivered(first["guard"], after(101), "200 OK")
    assert await bench.desk.failing_receivers() == {"duty": "no such address"}
    second = {entry.intent.receiver: entry.number for entry in await bench.outbox.due(after(200), 10)}
    await bench.outbox.delivered(second["duty"], after(201), "200 OK")
    await bench.outbox.give_up(first["duty"], after(202), "again")
    assert await bench.desk.failing_receivers() == {}


async def test_a_receiver_at_which_attempts_have_failed_for_ten_minutes_fails_until_something_reaches_it(
    bench: Bench,
) -> None:
    """The bench stands a minute after the start."""
    intents = [intent("n1"), intent("n2", incident="i2"), intent("n3", receiver="guard")]
    await bench.desk.commit(desk_commit(0, 0, states={"k": b"1"}, intents=intents))
    await bench.outbox.postpone(1, after(60 - 599), after(60), "timed out")
    await bench.outbox.postpone(3, after(60 - 600), after(60), "timed out")
    assert await bench.desk.failing_receivers() == {"guard": "timed out"}
    await bench.outbox.postpone(3, after(60), after(90), "connection refused")
    assert await bench.desk.failing_receivers() == {"guard": "connection refused"}
    await bench.outbox.delivered(3, after(60), "200 OK")
    assert await bench.desk.failing_receivers() == {}


async def test_a_receiver_that_takes_others_meanwhile_is_not_failing(bench: Bench) -> None:
    intents = [intent("n1"), intent("n2", incident="i2")]
    await bench.desk.commit(desk_commit(0, 0, states={"k": b"1"}, intents=intents))
    await bench.outbox.postpone(1, after(-3600), after(-1800), "timed out")
    await bench.outbox.delivered(2, after(-900), "200 OK")
    assert await bench.desk.failing_receivers() == {}
    await bench.outbox.postpone(1, after(-600), after(60), "timed out again")
    assert await bench.desk.failing_receivers() == {"duty": "timed out again"}


async def test_a_failed_attempt_that_is_recorded_too_late_says_nothing_of_the_receiver(bench: Bench) -> None:
    await bench.desk.commit(desk_commit(0, 0, states={"k": b"1"}, intents=[intent("n1")]))
    await bench.outbox.delivered(1, after(-900), "200 OK")
    await bench.outbox.postpone(1, after(-800), after(60), "timed out")
    assert await bench.desk.failing_receivers() == {}


async def test_one_given_up_names_the_receiver_at_once_and_newer_errors_take_its_place(bench: Bench) -> None:
    await bench.desk.commit(desk_commit(0, 0, states={"k": b"1"}, intents=[intent("n1"), intent("n2")]))
    await bench.outbox.give_up(1, after(60), "410 Gone")
    await bench.outbox.postpone(2, after(60), after(90), "timed out")
    assert await bench.desk.failing_receivers() == {"duty": "timed out"}
