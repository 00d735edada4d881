"""Traces that once left a person in a lift waiting for nobody, or told somebody what was not so."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from msgspec.structs import replace

from core.errors import Conflict
from emergency import acts, steps
from emergency.figures import figures_of
from emergency.ladder import rules_of
from emergency.model import Call, CallState, Cause, Decision, EventKind, PageKind, Party, Source
from emergency.own_rules import OVERDUE
from emergency.plan import Contact, EmergencyPlan
from emergency.rescue import ClockState, clock_state
from emergency.steps import CallRequest
from tests.unit.emergency.calls import LIFT, NAMES, RULES, T0, after, plan

ANSWER, BACK, TICK = acts.Answer(), acts.Abandon("r1"), "tick"
MINUTE, LATE_AGAIN = 60, timedelta(minutes=5)


def going(name: str = "zhang", arrives: float | None = None) -> acts.OnTheWay:
    return acts.OnTheWay(name, None if arrives is None else after(arrives))


class Trace:
    """One call, and all that was decided of it."""

    def __init__(self, source: Source = Source.RESIDENT, ref: str = "r1") -> None:
        self.decided = [steps.raised(CallRequest(source, LIFT, ref=ref), "c1", "caller", T0, RULES)]

    @property
    def call(self) -> Call:
        return self.decided[-1].call

    def at(self, seconds: float, what: acts.Act | str = TICK, actor: str = "li") -> Decision | None:
        """Do it, and return what was decided, ``None`` for nothing."""
        now = after(seconds)
        if isinstance(what, str):
            decided = steps.tick(self.call, now, RULES)
        else:
            decided = steps.act(self.call, what, actor, now, RULES)
        if decided is not None:
            self.decided.append(decided)
        return decided

    def ticked(self, begin: int, end: int) -> list[tuple[int, PageKind]]:
        """Tick each second, and return who was told when."""
        told = []
        for second in range(begin, end + 1):
            if (decided := self.at(second)) is not None:
                told += [(second, telling.kind) for telling in decided.tellings]
        return told


def longest_silence(told: Sequence[tuple[int, PageKind]], begin: int, end: int) -> int:
    instants = [begin, *(second for second, _ in told), end]
    return max(later - earlier for earlier, later in pairwise(instants))


@pytest.mark.parametrize("arrives", [7_200, None], ids=["in two hours", "some time"])
def test_behind_the_rescue_clock_nobody_is_waited_for_longer_than_five_minutes(arrives: float | None) -> None:
    trace = Trace()
    trace.at(10, going(arrives=arrives), "zhang")
    told = trace.ticked(11, 3 * 3_600)
    assert (1_800, PageKind.OVERDUE) in told
    assert (1_800, PageKind.CALL) in told
    late = [(second, kind) for second, kind in told if second >= 1_800]
    assert longest_silence(late, 1_800, 3 * 3_600) <= 300


def test_an_arrival_in_the_wrong_year_is_refused() -> None:
    trace = Trace()
    with pytest.raises(Conflict, match="expected within 1 day"):
        trace.at(1_900, going(arrives=365 * 86_400))


@pytest.mark.parametrize("set_out", [10, 901])
def test_an_answer_after_a_gap_keeps_the_call_alive(set_out: int) -> None:
    trace = Trace()
    trace.at(set_out, going())
    trace.at(set_out + 45 * MINUTE, ANSWER)
    who = trace.call.responsible
    assert who is not None
    assert (who.party, trace.call.answered_by) == (Party.STAFF, "li")
    assert trace.ticked(set_out + 45 * MINUTE, set_out + 50 * MINUTE)


@pytest.mark.parametrize("by", ["overdue", "cannot come"])
def test_whoever_was_told_may_answer(by: str) -> None:
    trace = Trace()
    trace.at(10, going("li"), "li")
    told = trace.ticked(11, 1_800) if by == "overdue" else trace.at(20, acts.CannotCome("li"), "li")
    assert told
    decided = trace.at(1_801 if by == "overdue" else 21, ANSWER, "wang")
    assert decided is not None
    assert decided.call.answered_by == "wang"


def test_what_was_taken_back_is_nobodys_to_hand_on() -> None:
    trace = Trace()
    trace.at(1, acts.Dispatch("zhang"))
    trace.at(61)
    trace.at(62, ANSWER)
    trace.at(63, acts.CannotCome("zhang"), "zhang")
    trace.at(64, ANSWER)
    trace.at(65, BACK, "caller")
    assert (trace.call.state, trace.call.answered_by, trace.call.responder) == (CallState.ABANDONED, "", None)
    with pytest.raises(Conflict, match="nobody has to come"):
        trace.at(66, acts.CannotCome("li"))
    assert trace.ticked(66, 1_799) == []
    for actor in ("li", "wang"):
        answered = steps.act(trace.call, ANSWER, actor, after(1_800), RULES)
        assert answered is not None
        assert (answered.call.state, answered.call.answered_by) == (CallState.ANSWERED, actor)
        assert clock_state(answered.call, after(1_800)) is ClockState.RUNNING
        assert answered.call.rescue_by == after(3_600)


@pytest.mark.parametrize("taken", [ANSWER, acts.Dispatch("zhang"), going(), acts.OnSite("zhang")])
def test_a_press_under_a_taken_state_is_told_as_one(taken: acts.Act) -> None:
    trace = Trace(Source.CAR_BUTTON, "alert/1")
    trace.at(1, taken)
    pressed = trace.at(20, acts.Join(Source.CAR_BUTTON, "alert/2"), "lift")
    assert pressed is not None
    assert [telling.kind for telling in pressed.tellings] == [PageKind.AGAIN]


def test_after_a_mistaken_on_site_help_is_called_at_once() -> None:
    trace = Trace(Source.CAR_BUTTON, "alert/1")
    trace.at(1, acts.OnSite("zhang"))
    trace.at(20, acts.Join(Source.CAR_BUTTON, "alert/2"), "lift")
    who = trace.call.responsible
    assert who is not None
    assert who.until == after(20) + RULES.answered_wait
    assert (20 + 180, PageKind.REMINDER) in trace.ticked(21, 20 + 180)
    left = trace.at(300, acts.NotOnSite("wrong lift"))
    assert left is not None
    assert (left.call.state, left.call.responder) == (CallState.RINGING, None)
    assert [telling.kind for telling in left.tellings] == [PageKind.CALL]
    assert left.call.rescue_by == after(1_800)
    assert (1_800, PageKind.OVERDUE) in trace.ticked(301, 1_800)


def test_who_was_only_sent_is_never_called_on_the_way() -> None:
    trace = Trace()
    trace.at(1, acts.Dispatch("zhang"))
    trace.at(61)
    trace.at(62, ANSWER)
    assert trace.call.state is CallState.DISPATCHED
    trace.at(63, going("zhang"), "zhang")
    trace.at(70, acts.Dispatch("zhang"))
    assert (trace.call.state, trace.call.responder and trace.call.responder.on_the_way_at) == (
        CallState.ON_THE_WAY,
        after(63),
    )
    trace.at(80, acts.Dispatch("chen"))
    assert (trace.call.state, trace.call.further) == (CallState.ON_THE_WAY, ("chen",))
    trace.at(90, going("chen"), "chen")
    assert trace.call.responder is not None
    assert trace.call.responder.on_the_way_at == after(90)


def test_who_was_sent_beside_one_who_cannot_come_can_be_sent_again() -> None:
    trace = Trace()
    trace.at(1, going("zhang"), "zhang")
    trace.at(2, acts.Dispatch("chen"))
    trace.at(3, acts.CannotCome("zhang"), "zhang")
    trace.at(4, ANSWER)
    trace.at(5, acts.Dispatch("chen"))
    assert trace.call.responder is not None
    assert (trace.call.state, trace.call.responder.name, trace.call.further) == (CallState.DISPATCHED, "chen", ())


def test_a_take_back_that_stopped_nothing_is_none_in_the_figures() -> None:
    trace = Trace()
    trace.at(1, acts.Join(Source.RESIDENT, "r2"), "caller")
    trace.at(2, BACK, "caller")
    assert trace.at(3, BACK, "caller") is None
    trace.ticked(4, 1_801)
    figures = figures_of([trace.call], after(1_801))
    assert (figures.taken_back, figures.overdue, figures.answer.late) == (0, 1, 1)


def test_the_history_never_runs_backwards() -> None:
    trace = Trace()
    trace.at(5, ANSWER)
    trace.at(45 * MINUTE)
    trace.at(45 * MINUTE + 1, acts.Note("x"))
    instants = [event.at for decided in trace.decided for event in decided.events]
    assert instants == sorted(instants)
    assert trace.call.climb_at is not None
    assert trace.call.climb_at <= after(45 * MINUTE) + LATE_AGAIN


def test_a_tap_that_nobody_was_told_of_in_time_is_told_after_what_was_done_meanwhile() -> None:
    trace = Trace()
    trace.at(5, ANSWER)
    for second, page in ((6, "r2"), (10, "r3")):
        trace.at(second, acts.Join(Source.RESIDENT, page), "caller")
    trace.at(1_000, acts.OnSite("zhang"))
    told = trace.ticked(1_000, 1_181)
    assert told == [(1_000, PageKind.AGAIN), (1_180, PageKind.REMINDER)]
    instants = [event.at for decided in trace.decided for event in decided.events]
    assert instants == sorted(instants)


def test_cannot_come_said_twice_tells_one_step() -> None:
    trace = Trace()
    assert trace.at(1, acts.CannotCome("wang"), "wang") is not None
    assert trace.at(2, acts.CannotCome("wang"), "wang") is None
    assert trace.call.told == 2
    trace.at(3, acts.Dispatch("wang"))
    assert trace.at(4, acts.CannotCome("wang"), "wang") is not None


@pytest.mark.parametrize("what", [acts.Close(Cause.HUMAN), acts.Freed(1), acts.OnSite("li")])
def test_who_ends_a_matter_late_tells_nobody_that_it_is_late(what: acts.Act) -> None:
    trace = Trace()
    trace.at(5, ANSWER)
    decided = trace.at(45 * MINUTE, what)
    assert decided is not None
    assert PageKind.OVERDUE not in [telling.kind for telling in decided.tellings]
    assert decided.alerts == ()
    assert EventKind.OVERDUE in [event.kind for event in decided.events]
    assert decided.call.alerts == ()


def test_an_alert_that_fired_before_ends_with_the_matter() -> None:
    trace = Trace()
    trace.ticked(1, 1_800)
    assert OVERDUE in trace.call.alerts
    decided = trace.at(1_900, acts.Freed(1))
    assert decided is not None
    assert (OVERDUE, False) in [(alert.rule, alert.firing) for alert in decided.alerts]


def test_the_wall_clock_moves_no_ladder() -> None:
    before = Trace().call
    for ahead in (timedelta(hours=-1), timedelta(hours=1)):
        decided = steps.tick(before, after(30), RULES, ahead=ahead)
        assert decided is not None
        assert decided.call.climb_at == after(60)


@pytest.mark.parametrize(
    ("what", "instants"),
    [
        (acts.OnSite("zhang"), [1_801, 3_601, 7_201]),
        (acts.Freed(1), [1_801, 3_601, 7_201]),
        (BACK, [1_801, 3_601, 7_201]),
    ],
    ids=["on site", "freed", "taken back"],
)
def test_who_was_told_first_is_reminded_of_what_nobody_closed(what: acts.Act, instants: list[int]) -> None:
    trace = Trace()
    trace.at(1, what)
    assert trace.ticked(2, 8_000) == [(second, PageKind.REMINDER) for second in instants]
    assert trace.decided[-1].tellings[0].steps == (0,)


def test_a_call_of_an_earlier_version_has_somebody_responsible() -> None:
    trace = Trace()
    trace.at(1, going(arrives=600), "zhang")
    known = trace.call.responder
    assert known is not None
    former = replace(trace.call, responsible=None, responder=replace(known, on_the_way_at=None))
    decided = steps.act(former, acts.Note("x"), "li", after(20), RULES)
    assert decided is not None
    assert decided.call.state is CallState.ON_THE_WAY
    assert decided.call.responsible is not None
    assert decided.call.responsible.party is Party.RESPONDER
    assert isinstance(decided.call.next_at, datetime)


def test_a_call_for_which_an_earlier_version_waited_for_nothing_is_due_at_once() -> None:
    trace = Trace()
    trace.at(1, acts.OnSite("zhang"))
    former = replace(trace.call, responsible=None, next_at=None)
    decided = steps.tick(former, after(200_000), RULES)
    assert decided is not None
    assert [(event.kind, event.at) for event in decided.events] == [(EventKind.REMINDED, after(200_000))]
    assert decided.call.next_at is not None


def test_the_one_on_the_way_is_responsible_for_a_call_of_an_earlier_version() -> None:
    trace = Trace()
    trace.at(1, ANSWER)
    trace.at(2, going(), "zhang")
    adopted = steps.act(replace(trace.call, responsible=None), acts.Note("x"), "wang", after(20), RULES)
    assert adopted is not None
    assert adopted.call.responsible is not None
    assert adopted.call.responsible.name == "zhang"


def test_who_could_not_come_answered_and_cannot_come_again_hands_on_again() -> None:
    trace = Trace()
    trace.at(5, acts.CannotCome("li"))
    trace.at(6, ANSWER)
    decided = trace.at(7, acts.CannotCome("li"))
    assert decided is not None
    assert [event.kind for event in decided.events][-1] is EventKind.STEP_TOLD
    assert trace.call.state is CallState.RINGING


def test_a_tap_right_after_another_is_told_a_minute_later() -> None:
    trace = Trace()
    trace.at(5, ANSWER)
    trace.at(6, going(), "zhang")
    assert trace.at(7, acts.Join(Source.RESIDENT, "r2"), "caller") is not None
    held_back = trace.at(30, acts.Join(Source.RESIDENT, "r3"), "caller")
    assert held_back is not None
    assert held_back.tellings == ()
    assert trace.ticked(31, 200) == [(67, PageKind.AGAIN)]


def test_who_was_sent_beside_another_can_be_sent_again_once_that_one_cannot_come() -> None:
    trace = Trace()
    trace.at(5, ANSWER)
    trace.at(6, going(), "zhang")
    trace.at(7, acts.Dispatch("wang"))
    trace.at(8, acts.CannotCome("zhang"), "zhang")
    back = trace.at(9, BACK, "caller")
    assert back is not None
    assert trace.call.state is CallState.RINGING, "wang was asked to go, and has a look all the same"
    trace.at(10, acts.Dispatch("wang"))
    assert trace.call.responder is not None
    assert (trace.call.state, trace.call.responder.name, trace.call.further) == (CallState.DISPATCHED, "wang", ())


def test_who_sets_out_beside_another_does_not_make_that_one_forgotten() -> None:
    trace = Trace()
    trace.at(5, going(), "zhang")
    trace.at(6, going("wang"), "wang")
    assert trace.call.responder is not None
    assert (trace.call.responder.name, trace.call.further) == ("wang", ("zhang",))


def test_who_is_late_is_not_forgotten_where_another_is_sent() -> None:
    trace = Trace()
    trace.at(5, going(), "zhang")
    trace.at(1_900)
    trace.at(1_901, acts.Dispatch("wang"))
    assert trace.call.responder is not None
    assert (trace.call.responder.name, trace.call.further) == ("wang", ("zhang",))


@pytest.mark.parametrize(
    ("before", "what", "goes", "further"),
    [
        pytest.param(going(), acts.Dispatch("zhang", "139", "otis"), ("zhang", "139", "otis"), (), id="another number"),
        pytest.param(acts.OnSite("li"), going(), None, ("zhang",), id="sets out to where somebody is"),
    ],
)
def test_what_is_said_of_who_goes_is_kept_and_written_once(
    before: acts.Act, what: acts.Act, goes: tuple[str, str, str] | None, further: tuple[str, ...]
) -> None:
    trace = Trace()
    trace.at(5, before)
    state = trace.call.state
    trace.at(6, what)
    known = trace.call.responder
    assert (known and (known.name, known.phone, known.contractor), trace.call.further) == (goes, further)
    assert (trace.call.state, trace.at(7, what)) == (state, None)


def test_a_number_that_is_known_stays_where_a_dispatch_is_repeated_without_it() -> None:
    trace = Trace()
    trace.at(5, acts.Dispatch("zhang", "138", "otis"))
    trace.at(6, acts.Dispatch("zhang", step=0))
    trace.at(120, acts.Dispatch("zhang"))
    assert trace.call.responder is not None
    assert (trace.call.responder.phone, trace.call.responder.contractor) == ("138", "otis")


def test_who_was_sent_to_where_somebody_is_sets_out_and_that_is_written_once() -> None:
    trace = Trace()
    trace.at(5, acts.OnSite("li"))
    trace.at(6, acts.Dispatch("zhang"))
    set_out = trace.at(7, going(), "zhang")
    assert set_out is not None
    assert [event.kind for event in set_out.events] == [EventKind.ON_THE_WAY]
    assert (trace.call.state, trace.call.further) == (CallState.ON_SITE, ("zhang",))
    assert trace.at(8, going(), "zhang") is None


def test_everybody_of_the_last_round_hears_how_it_ended() -> None:
    trace = Trace()
    trace.at(5, acts.Dispatch("x", step=4))
    assert trace.ticked(6, 70) == [(65, PageKind.CALL)]
    freed = trace.at(80, acts.Freed())
    assert freed is not None
    assert [each.steps for each in freed.tellings] == [(0, 1, 2, 3, 4)]


def test_nobody_is_told_not_to_come_after_a_button_was_pressed_on_site() -> None:
    trace = Trace()
    trace.at(31)
    trace.at(40, acts.OnSite("zhang"))
    trace.at(60, acts.Join(Source.CAR_BUTTON, "a/1"), "lift")
    answered = trace.at(65, ANSWER, "wang")
    assert answered is not None
    assert answered.tellings == ()


@pytest.mark.parametrize(
    "resumed",
    [
        pytest.param([(1_801, TICK), (1_900, BACK), (1_910, acts.OnSite())], id="taken back and looked after"),
        pytest.param(
            [(1_801, TICK), (2_400, acts.OnSite()), (2_500, acts.Freed()), (2_510, acts.Join(Source.RESIDENT, "r1"))],
            id="called again after all were out",
        ),
    ],
)
def test_nothing_takes_an_overdue_rescue_out_of_the_figures(resumed: list[tuple[float, acts.Act | str]]) -> None:
    trace = Trace()
    for second, what in resumed:
        trace.at(second, what)
    figures = figures_of([trace.call], after(3_000))
    assert (figures.overdue, figures.arrival.late, figures.arrival.in_time) == (1, 1, 0)


def test_a_call_that_was_taken_back_and_rescued_late_counts() -> None:
    trace = Trace()
    trace.at(10, BACK, "caller")
    trace.at(20, going(), "zhang")
    trace.at(1_900)
    trace.at(4_000, acts.OnSite())
    figures = figures_of([trace.call], after(5_000))
    assert (figures.taken_back, figures.overdue) == (0, 1)


def test_who_sent_somebody_may_answer_as_well_and_who_answered_before_still_has() -> None:
    trace = Trace()
    trace.at(5, ANSWER, "li")
    trace.at(6, acts.Dispatch("zhang"), "wang")
    assert trace.at(7, ANSWER, "li") is None
    assert trace.at(8, ANSWER, "wang") is not None
    assert (trace.call.answered_by, trace.call.state) == ("wang", CallState.DISPATCHED)


TITLED = rules_of(
    msgspec.convert(
        {
            **msgspec.to_builtins(plan()),
            "contacts": [
                {"name": name, "title": {"zh": f"{name}组", "en": f"the {name}"}, "tell": [f"person:{name}-li"]}
                for name in NAMES
            ],
        },
        EmergencyPlan,
    ),
    LIFT,
)


@pytest.mark.parametrize("name", ["maintainer-li", "maintainer组", "the maintainer", "maintainer"])
def test_who_was_sent_under_a_title_is_the_one_who_declines_under_another_name(name: str) -> None:
    sent = steps.act(Trace().call, acts.Dispatch("the maintainer", step=2), "li", after(5), TITLED)
    assert sent is not None
    declined = steps.act(sent.call, acts.CannotCome(name), name, after(6), TITLED)
    assert declined is not None
    assert (declined.call.state, declined.call.responder, declined.call.declined) == (
        CallState.RINGING,
        None,
        ("the maintainer",),
    )
    assert EventKind.HANDED_ON in [event.kind for event in declined.events]
    set_out = steps.act(declined.call, acts.OnTheWay(name), name, after(7), TITLED)
    assert set_out is not None
    assert (set_out.call.responder and set_out.call.responder.name, set_out.call.declined) == ("the maintainer", ())


def test_a_title_that_two_contacts_share_lets_neither_decline_for_the_other() -> None:
    contacts = [
        {"name": name, "title": {"zh": "值班", "en": "duty"}, "tell": [f"person:{name}-li"]}
        for name in ("property", "second")
    ]
    shared = rules_of(replace(plan(), contacts=msgspec.convert(contacts, list[Contact])), LIFT)
    call = Trace().call
    done: list[acts.Act] = [acts.Dispatch("duty"), going("property-li"), acts.CannotCome("second-li")]
    for what in done:
        decided = steps.act(call, what, "li", after(5), shared)
        call = decided.call if decided else call
    assert (call.responder and call.responder.name, call.declined) == ("property-li", ("second-li",))


def test_one_of_two_people_of_a_contact_declines_for_themselves_alone() -> None:
    contacts = [replace(each, tell=["person:wei", "person:wan"]) for each in plan().contacts]
    rules = rules_of(replace(plan(), contacts=contacts), LIFT)
    sent = steps.act(Trace().call, acts.Dispatch("maintainer", step=2), "li", after(5), rules)
    assert sent is not None
    declined = steps.act(sent.call, acts.CannotCome("wei"), "wei", after(6), rules)
    assert declined is not None
    assert (declined.call.state, declined.call.declined) == (CallState.DISPATCHED, ("wei",))
