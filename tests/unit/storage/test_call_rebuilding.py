"""A call whose record is lost is rebuilt from columns and history as it stood, or as the louder case."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from emergency import acts, steps
from emergency.model import Call, CallEvent, CallState, Cause, Decision, PageKind, Place, Source
from emergency.own_rules import DAMAGED, OVERDUE, UNANSWERED
from emergency.rescue import ClockState, clock_state
from storage.records.call_rebuilding import CallColumns, rebuilt
from tests.unit.emergency.calls import LIFT, RULES, T0, after, columns_of, raised

GOING = acts.OnTheWay("赵", None, "139", "tonghui")
ASKED_AGAIN = acts.Join(Source.RESIDENT, "page-2")
PRESSED = acts.Join(Source.CAR_BUTTON, "a/7", "alarm")
STORIES: dict[str, list[acts.Act | float]] = {
    "rings": [],
    "rings at the second step": [31],
    "rings at the end of its ladder": [300],
    "joined by the button": [PRESSED],
    "answered": [acts.Answer()],
    "on the way": [acts.Answer(), GOING],
    "cannot come": [acts.Answer(), GOING, acts.CannotCome("赵", "flat tyre")],
    "on site": [acts.Answer(), GOING, acts.OnSite("赵")],
    "overdue": [acts.Answer(), 3_600],
    "freed": [acts.Answer(), acts.Freed(2)],
    "taken back": [acts.Abandon()],
    "closed": [acts.Answer(), acts.Close(Cause.DOOR_SYSTEM, "")],
    "asked again after everybody was freed": [200, acts.Answer(), acts.Freed(2), ASKED_AGAIN],
    "asked again, answered, and the ladder climbs on": [acts.Answer(), GOING, acts.Freed(2), ASKED_AGAIN, 35],
    "asked again after it was overdue": [acts.Answer(), 3_600, acts.OnSite("赵"), acts.Freed(1), ASKED_AGAIN],
    "asked again after it was taken back": [acts.Abandon("page-1"), ASKED_AGAIN],
    "asked again, and another one took it": [acts.Answer(), GOING, acts.Freed(2), ASKED_AGAIN, acts.Answer()],
    "answered after it was taken back": [acts.Abandon(), acts.Answer()],
    "answered after it was late and taken back": [3_600, acts.Abandon(), acts.Answer()],
    "late once more after it was taken back": [acts.Abandon(), GOING, 3_600],
    "freed after it was taken back": [acts.Abandon(), acts.Freed(2)],
    "pressed again after the end of alarm": [PRESSED, acts.EndAlarm("code"), acts.Join(Source.CAR_BUTTON, "a/8", "")],
}
KEPT = (
    "id",
    "number",
    "version",
    "source",
    "state",
    "drill",
    "told",
    "alarm",
    "joined",
    "answered_by",
    "cause",
    "people",
)


def told(story: list[acts.Act | float]) -> tuple[Call, list[CallEvent]]:
    """Return the call to which ``story`` happened, acts a second apart and numbers as seconds to wait."""
    decided, now = raised(), T0
    events, call = list(decided.events), decided.call
    for what in story:
        now += timedelta(seconds=what if isinstance(what, int | float) else 1)
        next_one = (
            steps.tick(call, now, RULES) if isinstance(what, int | float) else steps.act(call, what, "li", now, RULES)
        )
        assert next_one is not None
        call, events = next_one.call, events + list(next_one.events)
    return call, events


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_call_is_rebuilt_as_it_stood(story: list[acts.Act | float]) -> None:
    call, events = told(story)
    again = rebuilt(columns_of(call), events, "cut off")
    assert {name: getattr(again, name) for name in KEPT} == {name: getattr(call, name) for name in KEPT}
    assert again.alerts == tuple(rule for rule in (OVERDUE, UNANSWERED) if rule in call.alerts)
    assert (again.place.key, again.damaged) == (call.place.key, "cut off")
    assert (again.stamps, again.rescue_from) == (call.stamps, call.rescue_from)
    assert (again.responder is None) == (call.responder is None)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_without_any_column_what_is_not_closed_rings(story: list[acts.Act | float]) -> None:
    call, events = told(story)
    lost = columns_of(call, state="\ufffd", source="", raised_at=None, next_at=None)
    again = rebuilt(lost, events, "cut off")
    assert again.state is (CallState.RINGING if call.open else CallState.CLOSED)
    assert (again.stamps.raised, again.source) == (call.stamps.raised, call.source)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_repaired_call_is_late_when_its_last_round_is(story: list[acts.Act | float]) -> None:
    call, events = told(story)
    decided = steps.repaired(rebuilt(columns_of(call), events, "cut off"), LIFT, after(4_000), RULES)
    if call.open:
        assert decided is not None
        assert (decided.call.rescue_by, decided.call.next_at) == (call.rescue_by, call.next_at)


def test_one_of_two_callers_does_not_take_a_rebuilt_call_back_for_both() -> None:
    call, events = told([acts.Join(Source.RESIDENT, "page-2")])
    again = rebuilt(columns_of(call), events, "cut off")
    for caller in ("page-2", ""):
        decided = steps.act(again, acts.Abandon(caller), "caller", after(5), RULES)
        assert decided is not None
        assert decided.call.state is CallState.RINGING


def test_a_take_back_that_stopped_nothing_does_not_stop_the_rebuilt_call() -> None:
    call, events = told([PRESSED, acts.Abandon()])
    assert call.state is CallState.RINGING
    assert rebuilt(columns_of(call, state=""), events, "cut off").state is CallState.RINGING


def test_a_call_of_which_nothing_is_left_rings_and_is_due_at_once() -> None:
    again = rebuilt(CallColumns("c1", 7, 3, LIFT.lift, ""), [], "a zeroed page")
    assert (again.state, again.place.key, again.told) == (CallState.RINGING, LIFT.lift, 0)
    decided = steps.repaired(again, LIFT, T0, RULES)
    assert decided is not None
    assert decided.call.next_at is not None
    assert decided.call.next_at <= T0
    climbed = steps.tick(decided.call, T0, RULES)
    assert climbed is not None
    assert climbed.tellings


def test_news_of_a_call_without_history_goes_to_the_first_step() -> None:
    call, _ = told([acts.Answer(), acts.OnSite("wang")])
    again = rebuilt(columns_of(call), [], "a zeroed page")
    pressed = steps.act(again, PRESSED, "lift", after(60), RULES)
    reminded = steps.tick(again, after(3_600), RULES)
    assert again.due == ()
    for decided, kind in ((pressed, PageKind.AGAIN), (reminded, PageKind.REMINDER)):
        assert decided is not None
        assert [(telling.kind, telling.steps) for telling in decided.tellings][:1] == [(kind, (0,))]


@pytest.mark.parametrize(
    "place",
    [Place("court", point="gate-1"), Place("court", apart="key-1"), Place("court"), LIFT],
    ids=["call point", "apart", "community", "lift"],
)
def test_the_place_keeps_its_key(place: Place) -> None:
    lost = CallColumns("c1", 1, 1, place.key, place.community, lift=place.lift)
    assert rebuilt(lost, [], "").place.key == place.key


def test_the_repair_sets_the_rescue_clock_and_alerts_once() -> None:
    call, events = told([31])
    damaged = rebuilt(columns_of(call), events, "cut off")
    decided = steps.repaired(damaged, LIFT, after(40), RULES)
    assert decided is not None
    assert decided.call.rescue_by == call.rescue_by
    assert [(alert.rule, alert.firing) for alert in decided.alerts] == [(DAMAGED, True)]
    assert steps.repaired(decided.call, LIFT, after(41), RULES) is None
    assert steps.repaired(call, LIFT, after(40), RULES) is None


def test_the_alert_of_a_damaged_record_ends_with_the_call_whatever_clock_runs_by_then() -> None:
    call, events = told([acts.Abandon()])
    begun = steps.repaired(rebuilt(columns_of(call), events, "cut off"), LIFT, after(40), RULES)
    assert begun is not None
    answered = steps.act(begun.call, acts.Answer(), "li", after(50), RULES)
    assert answered is not None
    assert answered.call.rescue_from == after(50)
    closed = steps.act(answered.call, acts.Close(Cause.OTHER), "li", after(60), RULES)
    assert closed is not None
    assert ended_by(closed) >= {(alert.rule, alert.device, alert.since) for alert in begun.alerts}


def test_an_alert_that_only_the_lost_history_knew_of_ends_as_well() -> None:
    call, _ = told([300])
    assert call.alerts == (UNANSWERED,)
    again = rebuilt(columns_of(call), [], "a zeroed page")
    answered = steps.act(again, acts.Answer(), "li", after(310), RULES)
    assert answered is not None
    assert (UNANSWERED, LIFT.lift, T0) in ended_by(answered)


def ended_by(decided: Decision) -> set[tuple[str, str, datetime]]:
    return {(alert.rule, alert.device, alert.since) for alert in decided.alerts if not alert.firing}


def test_a_drill_is_repaired_without_an_alert() -> None:
    call, events = told([])
    damaged = replace(rebuilt(columns_of(call), events, "cut off"), drill=True)
    decided = steps.repaired(damaged, LIFT, after(40), RULES)
    assert decided is not None
    assert decided.alerts == ()
    assert steps.repaired(decided.call, LIFT, after(41), RULES) is None


SENT: dict[str, tuple[list[acts.Act | float], str, tuple[str, ...]]] = {
    "one more beside who is on the way": ([acts.OnTheWay("zhang"), acts.Dispatch("wang")], "zhang", ("wang",)),
    "one more to where somebody is": (
        [acts.OnTheWay("zhang"), acts.OnSite(), acts.Dispatch("wang")],
        "zhang",
        ("wang",),
    ),
    "another says so on site": ([acts.OnTheWay("zhang"), acts.OnSite(), acts.OnTheWay("wang")], "zhang", ("wang",)),
    "another sets out as well": ([acts.OnTheWay("zhang"), acts.OnTheWay("wang")], "wang", ("zhang",)),
    "another one is asked": ([acts.Dispatch("zhang"), acts.Dispatch("wang")], "wang", ("zhang",)),
    "another one sets out first": ([acts.Dispatch("zhang"), acts.OnTheWay("wang")], "wang", ("zhang",)),
    "one more than who was there": (
        [acts.Dispatch("zhang"), acts.OnSite(), acts.NotOnSite(), acts.OnTheWay("wang")],
        "wang",
        ("zhang",),
    ),
}


@pytest.mark.parametrize(("story", "goes", "further"), SENT.values(), ids=SENT)
def test_who_was_only_sent_is_not_on_the_way(
    story: list[acts.Act | float], goes: str, further: tuple[str, ...]
) -> None:
    call, events = told(story)
    again = rebuilt(columns_of(call), events, "cut off")
    for each in (call, again):
        assert each.responder is not None
        assert (each.responder.name, each.further) == (goes, further)


def test_nobody_is_on_site_after_it_was_taken_back() -> None:
    call, events = told([acts.OnSite("zhang"), acts.NotOnSite()])
    again = rebuilt(columns_of(call), events, "cut off")
    assert (again.stamps.on_site, again.responder) == (None, None)
    repaired = steps.repaired(again, LIFT, after(100), RULES)
    assert repaired is not None
    assert clock_state(repaired.call, after(4_000)) is ClockState.OVERDUE


def test_what_a_resident_left_afterwards_is_a_name_and_a_number_and_no_message() -> None:
    call, events = told([acts.Details("page-a", "张三", "138 0000")])
    again = rebuilt(columns_of(call), events, "cut off")
    assert (again.caller.name, again.caller.phone, again.caller.text) == ("张三", "138 0000", "")
