"""What can be done to a call in which state, and what follows."""

from datetime import timedelta

import pytest

from core.errors import Conflict
from emergency import acts, steps
from emergency.model import Call, Caller, CallState, Cause, EventKind, PageKind, Source
from tests.unit.emergency.calls import RULES, T0, after, call, raised

ANSWER, ABANDON, FREED, ON_SITE = acts.Answer(), acts.Abandon(), acts.Freed(), acts.OnSite("zhang")
DISPATCH, ON_THE_WAY = acts.Dispatch("zhang", step=2), acts.OnTheWay("zhang", after(600))
CANNOT_COME, CLOSE = acts.CannotCome("zhang"), acts.Close(Cause.HUMAN)


def test_a_call_is_raised_with_its_first_step_told() -> None:
    decided = raised()
    assert decided.call.state is CallState.RINGING
    assert [event.kind for event in decided.events] == [EventKind.RAISED, EventKind.STEP_TOLD]
    assert [(each.kind, each.steps) for each in decided.tellings] == [(PageKind.CALL, (0,))]
    assert decided.call.stamps.raised == decided.call.stamps.rang == T0
    assert decided.call.climb_at == decided.call.next_at == after(30)
    assert decided.call.rescue_by == T0 + timedelta(minutes=30)
    assert decided.call.version == 1


@pytest.mark.parametrize(
    ("done", "state"),
    [
        pytest.param([], CallState.RINGING, id="raised"),
        pytest.param([ANSWER], CallState.ANSWERED, id="answered"),
        pytest.param([DISPATCH], CallState.DISPATCHED, id="dispatched unanswered"),
        pytest.param([ANSWER, DISPATCH], CallState.DISPATCHED, id="dispatched"),
        pytest.param([ANSWER, DISPATCH, ON_THE_WAY], CallState.ON_THE_WAY, id="on the way"),
        pytest.param([ON_THE_WAY], CallState.ON_THE_WAY, id="whoever was paged sets out at once"),
        pytest.param([ANSWER, ON_SITE], CallState.ON_SITE, id="the guard goes there"),
        pytest.param([ANSWER, ON_SITE, FREED], CallState.FREED, id="freed"),
        pytest.param([ANSWER, FREED], CallState.FREED, id="freed before anybody came"),
        pytest.param([ANSWER, ON_SITE, FREED, CLOSE], CallState.CLOSED, id="closed"),
        pytest.param([ANSWER, CLOSE], CallState.CLOSED, id="closed after a talk"),
        pytest.param([CANNOT_COME], CallState.RINGING, id="nobody has answered and one cannot come"),
        pytest.param(
            [ANSWER, DISPATCH, CANNOT_COME], CallState.RINGING, id="handed on: whoever is told next may answer"
        ),
        pytest.param([ANSWER, acts.CannotCome("li")], CallState.RINGING, id="who answered cannot come"),
        pytest.param([ON_THE_WAY, acts.CannotCome("chen")], CallState.ON_THE_WAY, id="another one cannot come"),
        pytest.param([ABANDON], CallState.ABANDONED, id="taken back"),
        pytest.param([ABANDON, ANSWER], CallState.ANSWERED, id="taken back and looked at all the same"),
        pytest.param([ANSWER, ON_THE_WAY, ABANDON], CallState.ON_THE_WAY, id="too late to be taken back"),
    ],
)
def test_states(done: list[acts.Act], state: CallState) -> None:
    assert call(Source.RESIDENT, *done).state is state


@pytest.mark.parametrize(
    ("done", "what", "text"),
    [
        pytest.param([], CLOSE, "answer it before", id="close while it rings"),
        pytest.param([ANSWER, FREED], DISPATCH, "freed: too late to dispatch", id="dispatch when freed"),
        pytest.param([ANSWER, ON_SITE], CANNOT_COME, "on_site: nobody has to come", id="cannot come on site"),
        pytest.param([ABANDON], CANNOT_COME, "abandoned: nobody has to come", id="cannot come when taken back"),
        pytest.param([ANSWER], acts.NotOnSite(), "answered: nobody is on site", id="not on site before they came"),
        pytest.param([ANSWER], acts.OnTheWay("x", after(90_000)), "within 1 day", id="an arrival in the wrong year"),
        pytest.param([ANSWER, FREED], ON_THE_WAY, "too late to set out", id="set out when freed"),
        pytest.param([ANSWER, FREED], ON_SITE, "freed: too late to arrive", id="arrive when freed"),
        pytest.param([ANSWER, FREED, CLOSE], ANSWER, "closed: expected an open one", id="answer when closed"),
        pytest.param([ANSWER, FREED, CLOSE], acts.Note("x"), "closed", id="note when closed"),
        pytest.param([ANSWER], acts.EndAlarm("code"), "no alarm", id="end of an alarm that is none"),
        pytest.param(
            [ANSWER],
            acts.Dispatch("zhang", step=5),
            "step 5 of call c1 is not one",
            id="dispatch to a step that is none",
        ),
        pytest.param([ANSWER], acts.Close(Cause.DRILL), "no drill", id="close as a drill"),
    ],
)
def test_conflicts(done: list[acts.Act], what: acts.Act, text: str) -> None:
    with pytest.raises(Conflict, match=text):
        steps.act(call(Source.RESIDENT, *done), what, "li", after(60), RULES)


def test_who_comes_second_is_told_who_was_first() -> None:
    with pytest.raises(Conflict, match="was taken by li: it is answered"):
        steps.act(call(Source.RESIDENT, ANSWER), ANSWER, "wang", after(5), RULES)


@pytest.mark.parametrize(
    ("done", "what"),
    [
        pytest.param([ANSWER], ANSWER, id="answer"),
        pytest.param([ANSWER, ON_SITE], ON_SITE, id="on site"),
        pytest.param([ANSWER, FREED], FREED, id="freed"),
        pytest.param([ABANDON], ABANDON, id="abandon"),
        pytest.param([ANSWER, CLOSE], CLOSE, id="close"),
        pytest.param([acts.Dispatch("chen")], acts.Dispatch("chen"), id="dispatch"),
        pytest.param([acts.OnTheWay("chen", after(600))], acts.OnTheWay("chen", after(600)), id="on the way"),
    ],
)
def test_done_twice_is_done_once(done: list[acts.Act], what: acts.Act) -> None:
    assert steps.act(call(Source.RESIDENT, *done), what, "li", after(60), RULES) is None


def test_cannot_come_tells_the_next_step_at_once() -> None:
    before = call(Source.RESIDENT, ANSWER, DISPATCH)
    decided = steps.act(before, CANNOT_COME, "zhang", after(9), RULES)
    assert decided is not None
    kinds = [event.kind for event in decided.events]
    assert kinds == [EventKind.CANNOT_COME, EventKind.HANDED_ON, EventKind.STEP_TOLD]
    # The dispatch told step 2 (from 0), so step 3 is the next.
    assert [(each.kind, each.steps) for each in decided.tellings] == [(PageKind.CALL, (3,))]
    assert (decided.call.responder, decided.call.answered_by) == (None, "")
    assert decided.call.climb_at == after(9 + 60)


def test_the_first_stamp_of_each_thing_stays() -> None:
    first = call(Source.RESIDENT, ANSWER, DISPATCH, CANNOT_COME, acts.Dispatch("chen"))
    assert first.stamps.dispatched == after(2)
    assert first.responder is not None
    assert first.responder.name == "chen"


def test_a_car_button_is_closed_only_after_the_end_of_alarm() -> None:
    pressed = call(Source.CAR_BUTTON, ANSWER, FREED)
    with pytest.raises(Conflict, match="end of alarm has to be set at the lift first"):
        steps.act(pressed, CLOSE, "li", after(60), RULES)
    ended = steps.act(pressed, acts.EndAlarm("device"), "lift-3", after(61), RULES)
    assert ended is not None
    assert ended.call.stamps.alarm_ended == after(61)
    closed = steps.act(ended.call, CLOSE, "li", after(62), RULES)
    assert closed is not None
    assert closed.call.cause is Cause.HUMAN


@pytest.mark.parametrize("source", [Source.CAR_BUTTON, Source.ALERT])
def test_a_word_of_the_caller_does_not_stop_what_a_machine_raised(source: Source) -> None:
    taken_back = call(source, ABANDON)
    assert taken_back.state is CallState.RINGING
    assert taken_back.climb_at == after(30)


@pytest.mark.parametrize("source", [Source.RESIDENT, Source.APP, Source.ALERT])
def test_a_word_of_one_caller_does_not_stop_what_another_calls_for(source: Source) -> None:
    taken_back = call(Source.RESIDENT, acts.Join(source, "another tap"), ABANDON)
    assert taken_back.state is CallState.RINGING
    assert taken_back.climb_at == after(30)
    assert (taken_back.withdrawn, taken_back.stamps.abandoned) == (("staff",), None)


def test_a_button_joined_into_a_call_makes_it_one_with_an_alarm() -> None:
    joined = call(Source.RESIDENT, acts.Join(Source.CAR_BUTTON, "alert-1/7"))
    assert joined.alarm
    assert joined.joined == ("alert-1/7",)
    assert steps.act(joined, acts.Join(Source.CAR_BUTTON, "alert-1/7"), "lift", after(9), RULES) is None
    assert call(Source.RESIDENT, acts.Join(Source.CAR_BUTTON, "alert-1/7"), ABANDON).state is CallState.RINGING


@pytest.mark.parametrize("over", [[ABANDON], [ANSWER, FREED]], ids=["taken back", "freed"])
def test_who_asks_again_when_all_seemed_over_is_heard_from_the_beginning(over: list[acts.Act]) -> None:
    decided = steps.act(call(Source.RESIDENT, *over), acts.Join(Source.RESIDENT, "k2"), "caller", after(100), RULES)
    assert decided is not None
    again = decided.call
    assert (again.state, again.told, again.answered_by) == (CallState.RINGING, 1, "")
    assert again.rescue_by == after(100) + timedelta(minutes=30)
    assert [(each.kind, each.steps) for each in decided.tellings] == [(PageKind.CALL, (0,))]


def test_a_rescue_of_which_nobody_wrote_the_end_does_not_swallow_the_next_call() -> None:
    forgotten = call(Source.RESIDENT, ANSWER, ON_SITE)
    soon = steps.act(forgotten, acts.Join(Source.RESIDENT, "k2"), "caller", after(1_000), RULES)
    assert soon is not None
    assert (soon.call.state, [each.kind for each in soon.tellings]) == (CallState.ON_SITE, [PageKind.AGAIN])
    late = steps.act(forgotten, acts.Join(Source.RESIDENT, "k3"), "caller", after(20 * 3_600), RULES)
    assert late is not None
    assert (late.call.state, late.call.told) == (CallState.RINGING, 1)
    assert late.tellings[-1].kind is PageKind.CALL


def test_who_else_calls_is_written_down_with_their_number() -> None:
    another = Caller("chen", "139 0000 0000", "water in the shaft")
    decided = steps.act(call(), acts.Join(Source.APP, "k2", another.text, caller=another), "app", after(9), RULES)
    assert decided is not None
    (joined,) = decided.events
    assert (joined.facts["name"], joined.facts["phone"]) == ("chen", "139 0000 0000")
    assert decided.call.caller == another


def test_a_button_pressed_after_its_reset_wants_another_reset() -> None:
    reset = call(Source.CAR_BUTTON, ANSWER, acts.EndAlarm("device"))
    pressed = steps.act(reset, acts.Join(Source.CAR_BUTTON, "alert-2/9"), "lift-3", after(60), RULES)
    assert pressed is not None
    with pytest.raises(Conflict, match="end of alarm"):
        steps.act(pressed.call, CLOSE, "li", after(61), RULES)


def test_a_tap_after_a_reset_wants_no_other_reset() -> None:
    freed = call(Source.CAR_BUTTON, ANSWER, acts.EndAlarm("device"), FREED)
    tapped = steps.act(freed, acts.Join(Source.RESIDENT, "k2"), "caller", after(60), RULES)
    assert tapped is not None
    answered = steps.act(tapped.call, ANSWER, "li", after(61), RULES)
    assert answered is not None
    assert steps.act(answered.call, CLOSE, "li", after(62), RULES) is not None


def test_those_told_before_learn_that_it_is_taken() -> None:
    second = steps.tick(call(), after(30), RULES)
    assert second is not None
    decided = steps.act(second.call, ANSWER, "li", after(31), RULES)
    assert decided is not None
    assert [(each.kind, each.steps) for each in decided.tellings] == [(PageKind.UPDATE, (0, 1))]


@pytest.mark.parametrize(
    ("done", "told"),
    [
        pytest.param([ANSWER], [], id="nobody else knows of it"),
        pytest.param([ANSWER, acts.Dispatch("zhang", step=2)], [(PageKind.UPDATE, (0, 2))], id="somebody was sent"),
        pytest.param([acts.OnTheWay("zhang")], [(PageKind.UPDATE, (0,))], id="somebody is on the way"),
        pytest.param(
            [acts.OnSite(), acts.Dispatch("zhang", step=0)],
            [(PageKind.UPDATE, (0,))],
            id="somebody was sent to another",
        ),
        pytest.param([acts.OnTheWay("zhang"), acts.Freed()], [], id="they know already that everybody is out"),
        pytest.param([ANSWER, acts.Abandon("page")], [], id="they know already that it was taken back"),
    ],
)
def test_who_was_asked_to_go_learns_that_the_call_is_closed(
    done: list[acts.Act], told: list[tuple[PageKind, tuple[int, ...]]]
) -> None:
    closed = steps.act(call(Source.RESIDENT, *done), CLOSE, "li", after(20), RULES)
    assert closed is not None
    assert [(each.kind, each.steps) for each in closed.tellings] == told


def test_a_drill_is_closed_as_a_drill_and_raises_no_alert() -> None:
    drill = call(Source.DRILL, drill=True)
    late = steps.tick(drill, T0 + timedelta(hours=1), RULES)
    assert late is not None
    assert late.call.stamps.overdue == T0 + timedelta(minutes=30)
    assert late.alerts == ()
    answered = steps.act(late.call, ANSWER, "li", T0 + timedelta(hours=1), RULES)
    assert answered is not None
    with pytest.raises(Conflict, match="a drill"):
        steps.act(answered.call, CLOSE, "li", T0 + timedelta(hours=1), RULES)
    closed = steps.act(answered.call, acts.Close(Cause.DRILL), "li", T0 + timedelta(hours=1), RULES)
    assert closed is not None
    assert closed.call.state is CallState.CLOSED


def test_nothing_is_due_of_what_is_closed() -> None:
    closed: Call = call(Source.RESIDENT, ANSWER, CLOSE)
    assert closed.next_at is None
    assert steps.tick(closed, T0 + timedelta(days=1), RULES) is None
