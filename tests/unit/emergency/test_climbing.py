"""What time alone does to a call: the ladder, half time, overdue."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.devices import DeviceKey
from emergency import acts, steps
from emergency.model import Call, CallState, Decision, EventKind, PageKind, Place, Source
from emergency.own_rules import OVERDUE, UNANSWERED
from emergency.rescue import ClockState, clock_state, half_at
from emergency.steps import CallRequest
from tests.unit.emergency.calls import LIFT, RULES, T0, after, call

HALF, WHOLE = timedelta(minutes=15), timedelta(minutes=30)


def ticked(before: Call, seconds: float) -> Decision:
    decided = steps.tick(before, after(seconds), RULES)
    assert decided is not None
    return decided


def told(decided: Decision) -> list[int]:
    return [step for telling in decided.tellings if telling.kind is PageKind.CALL for step in telling.steps]


@pytest.mark.parametrize(
    ("seconds", "steps_told"),
    [(29.9, []), (30, [1]), (59, [1]), (60, [1, 2]), (119, [1, 2]), (120, [1, 2, 3]), (180, [1, 2, 3, 4])],
)
def test_the_ladder_climbs_by_itself(seconds: float, steps_told: list[int]) -> None:
    decided = steps.tick(call(), after(seconds), RULES)
    assert ([] if decided is None else told(decided)) == steps_told


def test_behind_its_end_everybody_is_told_again_and_an_alert_is_raised_once() -> None:
    decided = ticked(call(), 240)
    assert told(decided) == [1, 2, 3, 4, 0, 1, 2, 3, 4]
    assert [(each.rule, each.firing, each.at) for each in decided.alerts] == [(UNANSWERED, True, after(240))]
    again = ticked(decided.call, 300)
    assert told(again) == [0, 1, 2, 3, 4]
    assert again.alerts == ()


def test_rounds_that_nobody_looked_at_are_one() -> None:
    decided = ticked(ticked(call(), 240).call, 240 + 3 * 60 + 10)
    assert told(decided) == [0, 1, 2, 3, 4]
    assert decided.call.climb_at == after(240 + 4 * 60)


def test_the_alert_ends_when_somebody_takes_it() -> None:
    decided = steps.act(ticked(call(), 240).call, acts.Answer(), "li", after(250), RULES)
    assert decided is not None
    assert [(each.rule, each.firing) for each in decided.alerts] == [(UNANSWERED, False)]


def test_calls_that_may_be_open_at_once_have_alerts_of_their_own() -> None:
    places = [
        Place("court"),
        Place("court", apart="k1"),
        Place("court", apart="k2"),
        Place("court", point="gate-1"),
        LIFT,
    ]
    begun = [steps.raised(CallRequest(Source.STAFF, place), "c1", "li", T0, RULES).call for place in places]
    about = {alert.device for each in begun for alert in ticked(each, 240).alerts}
    assert len(about) == len(places)
    assert all(DeviceKey.from_path(each).path == each and len(each) <= 64 for each in about)


@pytest.mark.parametrize(
    ("what", "quiet_seconds"),
    [
        pytest.param(acts.Answer(), 180, id="answered, but nobody dispatched"),
        pytest.param(acts.Dispatch("zhang"), 60, id="dispatched, but nobody says they go"),
    ],
)
def test_what_is_taken_and_then_left_alone_climbs_on(what: acts.Act, quiet_seconds: int) -> None:
    decided = steps.act(call(), what, "li", after(10), RULES)
    assert decided is not None
    assert steps.tick(decided.call, after(10 + quiet_seconds - 1), RULES) is None
    assert told(ticked(decided.call, 10 + quiet_seconds)) == [1]


def test_who_is_on_the_way_is_waited_for_until_the_clock_has_run_down() -> None:
    decided = steps.act(call(), acts.OnTheWay("zhang"), "zhang", after(10), RULES)
    assert decided is not None
    assert decided.call.next_at == T0 + HALF
    half = ticked(decided.call, HALF.total_seconds())
    assert [(each.kind, each.steps) for each in half.tellings] == [(PageKind.HALF_TIME, (0,))]
    over = ticked(half.call, WHOLE.total_seconds())
    assert [each.kind for each in over.tellings] == [PageKind.OVERDUE, PageKind.CALL]
    assert [(each.rule, each.firing) for each in over.alerts] == [(OVERDUE, True)]
    assert over.call.climb_at == T0 + WHOLE + timedelta(seconds=30)
    there = steps.act(over.call, acts.OnSite(), "zhang", T0 + WHOLE + HALF, RULES)
    assert there is not None
    assert [(each.rule, each.firing) for each in there.alerts] == [(OVERDUE, False)]


def test_who_never_arrives_is_followed_by_everybody_else_in_turn_and_then_again() -> None:
    decided = steps.act(call(), acts.OnTheWay("zhang"), "zhang", after(10), RULES)
    assert decided is not None
    late = ticked(decided.call, WHOLE.total_seconds() + 200)
    # After each other, by what each step has; then everybody again, every 5 minutes.
    assert told(late) == [1, 2, 3, 4]
    assert {each.rule for each in late.alerts} == {OVERDUE}
    again = ticked(late.call, WHOLE.total_seconds() + 210)
    assert told(again) == [0, 1, 2, 3, 4]
    assert again.alerts == ()
    assert again.call.climb_at == T0 + WHOLE + timedelta(seconds=510)


@pytest.mark.parametrize(
    ("arrives_seconds", "climbs_seconds"),
    [
        pytest.param(120, 120 + 300, id="five minutes after they said they would be there"),
        pytest.param(-60, 10 + 300, id="a time that is past counts as now"),
        pytest.param(None, 1_800 + 300, id="no time said: the rescue clock decides"),
        pytest.param(7_200, 1_800 + 300, id="nobody is waited for much longer than the rescue clock says"),
    ],
)
def test_who_says_when_they_come_is_waited_for_until_then(arrives_seconds: int | None, climbs_seconds: int) -> None:
    arrives = None if arrives_seconds is None else after(arrives_seconds)
    decided = steps.act(call(), acts.OnTheWay("zhang", arrives), "zhang", after(10), RULES)
    assert decided is not None
    assert decided.call.climb_at == after(climbs_seconds)


def test_who_sets_out_when_all_is_late_is_not_waited_for_without_end() -> None:
    overdue = ticked(call(), WHOLE.total_seconds())
    decided = steps.act(overdue.call, acts.OnTheWay("zhang"), "zhang", T0 + WHOLE, RULES)
    assert decided is not None
    assert decided.call.climb_at == T0 + WHOLE + timedelta(minutes=5)


def test_an_answer_after_a_time_when_nobody_looked_pages_nobody_and_the_clock_is_told() -> None:
    decided = steps.act(call(), acts.Answer(), "li", T0 + WHOLE + timedelta(minutes=10), RULES)
    assert decided is not None
    kinds = [event.kind for event in decided.events]
    assert kinds == [EventKind.HALF_TIME, EventKind.OVERDUE, EventKind.ANSWERED]
    assert told(decided) == []
    assert decided.call.told == 1
    assert decided.call.climb_at == T0 + WHOLE + timedelta(minutes=13)


def test_who_looks_after_what_was_taken_back_has_all_the_time_again() -> None:
    taken_back = steps.act(call(), acts.Abandon(), "caller", after(60), RULES)
    assert taken_back is not None
    later = T0 + timedelta(minutes=45)
    decided = steps.act(taken_back.call, acts.Answer(), "li", later, RULES)
    assert decided is not None
    assert decided.call.rescue_by == later + WHOLE
    assert steps.tick(decided.call, later + timedelta(seconds=1), RULES) is None


@pytest.mark.parametrize("arrives_at", [None, after(20 * 60)], ids=["some time", "at an instant"])
def test_whoever_answers_when_who_goes_is_late_has_the_call_for_a_while(arrives_at: datetime | None) -> None:
    gone = steps.act(call(), acts.OnTheWay("zhang", arrives_at), "li", after(60), RULES)
    assert gone is not None
    late = T0 + WHOLE + timedelta(minutes=1)
    for actor in ("li", "wang"):
        decided = steps.act(gone.call, acts.Answer(), actor, late, RULES)
        assert decided is not None
        assert EventKind.OVERDUE in [event.kind for event in decided.events]
        assert (decided.call.state, decided.call.answered_by) == (CallState.ON_THE_WAY, actor)
        assert decided.call.next_at == late + RULES.answered_wait


def test_who_answers_what_was_taken_back_has_it_whoever_had_it_before() -> None:
    taken_back = call(Source.RESIDENT, acts.Answer(), acts.Abandon())
    for actor in ("li", "wang"):
        decided = steps.act(taken_back, acts.Answer(), actor, after(60), RULES)
        assert decided is not None
        assert (decided.call.state, decided.call.answered_by) == (CallState.ANSWERED, actor)
        assert [event.kind for event in decided.events] == [EventKind.ANSWERED]
        assert decided.call.climb_at == after(60) + RULES.answered_wait


@pytest.mark.parametrize(
    ("done", "seconds"),
    [
        pytest.param([acts.Answer()], 200, id="answered and left alone"),
        pytest.param([acts.Answer(), acts.CannotCome("li")], 2, id="answered, but cannot come"),
    ],
)
def test_what_was_left_may_be_answered_by_whoever_is_told_next(done: list[acts.Act], seconds: int) -> None:
    left = call_with(done)
    left = (steps.tick(left, after(seconds), RULES) or Decision(left)).call
    decided = steps.act(left, acts.Answer(), "wang", after(seconds + 1), RULES)
    assert decided is not None
    assert (decided.call.answered_by, decided.call.stamps.answered) == ("wang", after(1))
    assert decided.call.climb_at == after(seconds + 1 + 180)


@pytest.mark.parametrize(
    ("done", "at", "expected"),
    [
        pytest.param([], 0, ClockState.RUNNING, id="begins"),
        pytest.param([], 899, ClockState.RUNNING, id="before half time"),
        pytest.param([], 900, ClockState.HALF_TIME, id="half time"),
        pytest.param([], 1800, ClockState.OVERDUE, id="over"),
        pytest.param([acts.OnSite()], 5000, ClockState.ON_TIME, id="on site"),
        pytest.param([acts.Freed()], 5000, ClockState.ON_TIME, id="freed"),
        pytest.param([acts.Abandon()], 5000, ClockState.NONE, id="taken back"),
    ],
)
def test_the_rescue_clock(done: list[acts.Act], at: float, expected: ClockState) -> None:
    assert clock_state(call_with(done), after(at)) is expected


def call_with(done: list[acts.Act]) -> Call:
    now = call()
    for what in done:
        decided = steps.act(now, what, "li", after(1), RULES)
        assert decided is not None
        now = decided.call
    return now


def test_who_comes_late_is_late() -> None:
    decided = steps.act(call(), acts.OnSite(), "li", T0 + WHOLE + timedelta(seconds=1), RULES)
    assert decided is not None
    assert clock_state(decided.call, T0 + timedelta(days=1)) is ClockState.LATE
    assert half_at(decided.call) == T0 + HALF


@given(st.lists(st.integers(1, 4_000), max_size=30), st.integers(1, 4_000))
def test_time_may_be_cut_as_one_likes(cuts: list[int], end: int) -> None:
    """A call that nobody looked at comes to stand as one looked at often; no step is told twice or left out."""
    often, seen = call(), [0]
    for second in sorted({cut for cut in cuts if cut < end} | {end}):
        decided = steps.tick(often, after(second), RULES)
        if decided is not None:
            often = decided.call
            seen += [int(event.facts["step"]) - 1 for event in decided.events if "step" in event.facts]  # type: ignore[arg-type]
    once = steps.tick(call(), after(end), RULES)
    at_once = call() if once is None else once.call
    assert _standing(often) == _standing(at_once)
    assert seen == list(range(often.told))


def _standing(each: Call) -> tuple[object, ...]:
    return each.state, each.told, each.climb_at, each.next_at, each.stamps, each.alerts


def test_every_event_has_its_own_instant() -> None:
    decided = ticked(call(), 100)
    found = [(event.kind, event.at) for event in decided.events]
    assert found == [(EventKind.STEP_TOLD, after(30)), (EventKind.STEP_TOLD, after(60))]
    assert decided.call.state is CallState.RINGING
