"""What residents' taps and take-backs do to a call that is there: whose they are counts, and how often does not."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from emergency import acts, steps
from emergency.joining import CALLERS_KEPT, DETAILS_KEPT, TAP_PAGES
from emergency.model import Call, CallEvent, CallState, Decision, EventKind, PageKind, Source, TakenBack
from emergency.steps import CallRequest
from tests.unit.emergency.calls import LIFT, RULES, T0, after

ANSWER, FREED = acts.Answer(), acts.Freed()


def ringing(page: str = "page-a", *, shared: bool = False) -> Call:
    """Return a call that ``page`` raised at `T0`."""
    return steps.raised(CallRequest(Source.RESIDENT, LIFT, ref=page, shared=shared), "c1", "caller", T0, RULES).call


def does(call: Call, what: acts.Act, at: datetime, actor: str = "caller") -> tuple[Call, Decision]:
    """Return the call after ``what``, and what was decided: an empty decision where nothing was."""
    decided = steps.act(call, what, actor, at, RULES) or Decision(call)
    return decided.call, decided


def tap(page: str, *, shared: bool = False) -> acts.Join:
    return acts.Join(Source.RESIDENT, page, shared=shared)


def kinds(decided: Decision) -> tuple[list[EventKind], list[PageKind]]:
    return [each.kind for each in decided.events], [each.kind for each in decided.tellings]


def test_details_are_the_callers_and_one_event_when_repeated() -> None:
    call, said = ringing(), acts.Details("page-a", "张三", "138 0000", 2)
    call, decided = does(call, said, after(5))
    assert (kinds(decided), decided.events[0].facts["people"]) == (([EventKind.DETAILS], []), 2)
    assert (call.caller.name, call.caller.phone, call.people) == ("张三", "138 0000", 2)
    assert does(call, said, after(6))[1].events == ()
    call, _ = does(call, acts.Details("page-a", phone="139 1111"), after(7))
    assert (call.caller.name, call.caller.phone, call.people) == ("张三", "139 1111", 2)
    assert does(call, acts.Details("page-a"), after(8))[1].events == ()


def test_another_page_does_not_overwrite_details_but_is_heard() -> None:
    call = does(ringing(), acts.Details("page-a", "张三", people=2), after(5))[0]
    call, heard = does(call, acts.Details("page-b", "nobody", people=9), after(6))
    assert heard.events[0].text == "nobody"
    call, decided = does(call, acts.Details("page-b", "nobody", people=9), after(6))
    assert (call.caller.name, call.people, decided.events) == ("张三", 2, ())
    for number in range(2 * DETAILS_KEPT):
        call = does(call, acts.Details("page-b", f"nobody {number}"), after(7))[0]
    assert len(call.details) == DETAILS_KEPT


def test_who_raised_the_call_corrects_what_another_page_left_first() -> None:
    call = does(ringing(), acts.Details("page-b", "nobody"), after(5))[0]
    call = does(call, acts.Details("page-a", "张三"), after(6))[0]
    assert call.caller.name == "张三"
    assert does(call, acts.Details("", "nobody"), after(7))[0].caller.name == "张三"


NOTHING: tuple[list[EventKind], list[PageKind]] = ([], [])
TAKEN = {
    "ringing": ([], []),
    "answered": ([ANSWER], [PageKind.AGAIN]),
    "dispatched": ([ANSWER, acts.Dispatch("wang")], [PageKind.AGAIN]),
    "on site": ([ANSWER, acts.OnSite()], [PageKind.AGAIN]),
}


@pytest.mark.parametrize(("done", "paged"), TAKEN.values(), ids=TAKEN)
def test_another_page_is_written_down_once_and_people_who_have_the_call_are_told(
    done: list[acts.Act], paged: list[PageKind]
) -> None:
    call = ringing()
    for what in done:
        call, _ = does(call, what, after(1), "li")
    assert kinds(does(call, tap("page-a"), after(10))[1]) == NOTHING
    call, decided = does(call, tap("page-b"), after(20))
    assert kinds(decided) == ([EventKind.JOINED], paged)
    assert call.callers == ("page-a", "page-b")
    for page in ("page-a", "page-b"):
        assert kinds(does(call, tap(page), after(25))[1]) == NOTHING


def test_pages_that_somebody_makes_up_do_not_ring_up_the_duty_room_again_and_again() -> None:
    call, paged, written = does(ringing(), ANSWER, after(1), "li")[0], 0, 0
    for number in range(1_000):
        call, decided = does(call, tap(f"page-{number}"), after(10 + number))
        paged += kinds(decided)[1].count(PageKind.AGAIN)
        written += kinds(decided)[0].count(EventKind.JOINED)
    assert (paged, written) == (1, CALLERS_KEPT - 1)
    slow = ringing()
    for number in range(CALLERS_KEPT - 1):
        slow = does(slow, ANSWER, after(100 * number + 1), "li")[0]
        slow, decided = does(slow, tap(f"page-{number}"), after(100 * number + 2))
        paged += kinds(decided)[1].count(PageKind.AGAIN)
    assert paged == 1 + TAP_PAGES


def test_requests_of_an_app_are_bounded_as_taps_are() -> None:
    call, paged, written = does(ringing(), ANSWER, after(1), "li")[0], 0, 0
    for number in range(1_000):
        call, decided = does(call, acts.Join(Source.APP, f"key-{number}"), after(10 + number), "app")
        paged += len(decided.tellings)
        written += len(decided.events)
    assert (paged, written) == (1, CALLERS_KEPT)
    freed, _ = does(call, FREED, after(2_000), "li")
    again, decided = does(freed, acts.Join(Source.APP, "key-a"), after(2_001), "app")
    assert (again.state, kinds(decided)[1]) == (CallState.RINGING, [PageKind.CALL])


@pytest.mark.parametrize("over", [[acts.Abandon("page-a")], [ANSWER, FREED]], ids=["taken back", "freed"])
@pytest.mark.parametrize("page", ["page-a", "page-b"], ids=["who called", "another"])
def test_whoever_taps_when_all_seemed_over_is_heard_whatever_was_tapped_before(over: list[acts.Act], page: str) -> None:
    call = ringing()
    for number in range(CALLERS_KEPT):
        call, _ = does(call, tap(f"page-{number}"), after(number))
    alone = ringing()
    for raised in (call, alone):
        ended = raised
        for what in over:
            ended, _ = does(ended, what, after(100), "caller")
        if ended.state is CallState.RINGING:
            continue  # So many called that one's word did not stop it.
        again, decided = does(ended, tap(page), after(200))
        assert (again.state, kinds(decided)[1]) == (CallState.RINGING, [PageKind.CALL])


def test_who_called_alone_takes_it_back_however_often_they_tapped() -> None:
    call = ringing()
    for second in range(5):
        call, _ = does(call, tap("page-a"), after(second))
    call, decided = does(call, acts.Abandon("page-a"), after(9))
    assert (call.state, kinds(decided)) == (CallState.ABANDONED, ([EventKind.ABANDONED], [PageKind.UPDATE]))


def test_who_asks_again_after_taking_it_back_cannot_stop_it_again() -> None:
    call, rung = ringing(), 0
    for second in range(20):
        call, _ = does(call, acts.Abandon("page-a"), after(2 * second))
        call, decided = does(call, tap("page-a"), after(2 * second + 1))
        rung += len(decided.tellings)
    assert (call.state, rung) == (CallState.RINGING, 1)


@pytest.mark.parametrize(
    ("raised", "joined", "who", "stops"),
    [
        ("page-a", [], "page-a", True),
        ("page-a", [], "page-b", False),
        ("page-a", [], "net-x", False),
        ("page-a", ["page-b"], "page-a", False),
        ("page-a", ["page-b"], "page-b", False),
        ("page-a", [], "", True),
        ("page-a", ["page-b"], "", False),
        ("net-x", [], "net-x", True),
        ("net-x", ["net-x"], "net-x", False),
        ("net-x", ["page-b"], "page-b", False),
        ("net-x", ["page-b"], "net-x", False),
        ("", [], "", True),
        ("", ["k2"], "", False),
    ],
    ids=[
        "one's own",
        "a stranger's",
        "from a network",
        "where another called",
        "who joined",
        "staff for one",
        "staff for one of two",
        "a page without a name",
        "two pages without names in one network",
        "who joined a page without a name",
        "a page without a name that another joined",
        "nothing known",
        "nothing known of two",
    ],
)
def test_a_take_back_stops_the_ladder_only_for_who_called_alone(
    raised: str, joined: list[str], who: str, *, stops: bool
) -> None:
    call = ringing(raised, shared=raised.startswith("net-"))
    for page in joined:
        call, _ = does(call, tap(page, shared=page.startswith("net-")), after(1))
    call, _ = does(call, acts.Abandon(who), after(2))
    assert (call.state is CallState.ABANDONED) is stops


@pytest.mark.parametrize("source", [Source.STAFF, Source.APP])
def test_who_taps_where_staff_or_an_app_called_does_not_stop_their_call(source: Source) -> None:
    call = steps.raised(CallRequest(source, LIFT), "c1", "li", T0, RULES).call
    call, _ = does(call, tap("page-a"), after(1))
    for who in ("page-a", ""):
        again, _ = does(call, acts.Abandon(who), after(2))
        assert again.state is CallState.RINGING
    alone = steps.raised(CallRequest(source, LIFT), "c1", "li", T0, RULES).call
    assert does(alone, acts.Abandon(), after(2))[0].state is CallState.ABANDONED
    assert does(alone, acts.Abandon("page-a"), after(2))[0].state is CallState.RINGING


def test_who_taps_into_a_call_of_an_earlier_version_does_not_stop_it() -> None:
    kept = replace(ringing(), callers=())
    call, _ = does(kept, tap("page-b"), after(1))
    assert does(call, acts.Abandon("page-b"), after(2))[0].state is CallState.RINGING
    assert does(kept, acts.Abandon("page-a"), after(2))[0].state is CallState.ABANDONED


def test_take_backs_that_stop_nothing_are_written_once_until_it_rings_again() -> None:
    call, _ = does(ringing(), tap("page-b"), after(1))
    written: list[CallEvent] = []
    for number in range(1_500):
        call, decided = does(call, acts.Abandon(f"page-{number}"), after(2 + number / 100))
        written += decided.events
    assert [each.kind for each in written] == [EventKind.ABANDONED]
    for what in (ANSWER, FREED):
        call, _ = does(call, what, after(100), "li")
    call, _ = does(call, tap("page-b"), after(200))
    assert kinds(does(call, acts.Abandon("page-b"), after(201))[1])[0] == [EventKind.ABANDONED]


def test_the_same_note_again_is_not_written_again_until_something_happens() -> None:
    call, first = does(ringing(), acts.Note("door jammed"), after(1), "li")
    assert kinds(first)[0] == [EventKind.NOTED]
    assert kinds(does(call, acts.Note("door jammed"), after(2), "li")[1]) == NOTHING
    assert kinds(does(call, acts.Note("door jammed"), after(2), "wang")[1])[0] == [EventKind.NOTED]
    assert kinds(does(call, acts.Note("door free"), after(2), "li")[1])[0] == [EventKind.NOTED]
    call, _ = does(call, ANSWER, after(3), "li")
    assert kinds(does(call, acts.Note("door jammed"), after(4), "li")[1])[0] == [EventKind.NOTED]


def test_a_button_on_a_call_that_somebody_has_is_told_whatever_was_tapped() -> None:
    call, _ = does(ringing(), ANSWER, after(1), "li")
    for number in range(CALLERS_KEPT):
        call, _ = does(call, tap(f"page-{number}"), after(2))
    for number in range(3):
        call, decided = does(call, acts.Join(Source.CAR_BUTTON, f"alert-{number}"), after(10 + number), "lift")
        assert kinds(decided) == ([EventKind.JOINED], [PageKind.AGAIN])


def test_what_was_taken_back_before_stands_in_the_history() -> None:
    request = CallRequest(Source.RESIDENT, LIFT, ref="page-a", taken_back=TakenBack(code=6, network=4))
    decided = steps.raised(request, "c1", "caller", T0, RULES)
    assert decided.call.taken_back_before == TakenBack(6, 4, 0)
    assert decided.events[0].facts == {"source": "resident", "taken_back_before": 6}
    assert [each.kind for each in decided.tellings] == [PageKind.CALL]
    assert decided.call.climb_at == T0 + timedelta(seconds=30)
