"""Stories of emergency calls that once went wrong, on a real `anju run` with its API, its pages and its receivers.

The traces are those of `tests/unit/emergency/test_responsible.py`. Forty-five minutes pass as on a machine that is
suspended: `SuspendedMachine` moves CLOCK_REALTIME and CLOCK_BOOTTIME of the running processes forward together, in one
step, and leaves CLOCK_MONOTONIC alone, which is what Linux does. The steady clock of Anju goes by CLOCK_BOOTTIME
(`core.clock`), so calls really are that much older, while no event loop sees a timer jump. libfaketime alone cannot do
this: it moves the boot clock with the monotonic one or not at all, and waits for locks hang in Python where it does.

Where nobody may look at a call meanwhile, `anju run` is halted by SIGSTOP before and goes on after somebody has acted
through a second API on the same folder: else it would be chance who comes first. All stories share the processes; each
has a lift of its own and ends its call.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.acceptance.stories import (
    ANSWERED_WAIT,
    DISPATCH_WAIT,
    LATE_AGAIN,
    MINUTE,
    RESCUE,
    STEP_WAIT,
    Estate,
    Story,
    estate,
    instant,
)
from tests.servers.plugin import required_program

pytestmark = pytest.mark.timeout(240)
MakeStory = Callable[..., Story]
# Events bear the wall clock, to 10 ms.
CLOSE = timedelta(seconds=1)
PRESSED_ANEW = 90
"""Seconds after which a button that is pressed again is told again; less than who takes a call holds it."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    required_program("faketime")
    with estate(tmp_path_factory.mktemp("stories")) as running:
        yield running


@pytest.fixture
def at(here: Estate) -> Iterator[MakeStory]:
    """Begin a story at a lift; each is ended, whatever becomes of another one."""
    with ExitStack() as stack:

        def begin(lift: str) -> Story:
            story = Story(here, lift)
            stack.callback(story.close_phones)
            stack.callback(story.end)
            return story

        yield begin


@pytest.mark.parametrize("promised", [{"arrives_in": "2h"}, {}], ids=["in two hours", "some time"])
def test_behind_the_rescue_clock_nobody_is_waited_for_longer_than_five_minutes(
    at: MakeStory, promised: dict[str, str]
) -> None:
    story = at(f"promised-{len(promised)}")
    story.tap("r1")
    call = story.done("zhang", "on-the-way", name="zhang", **promised)
    who = call["responsible"]
    assert (call["state"], who["party"], who["name"]) == ("on_the_way", "responder", "zhang")
    news = story.news(lambda: story.sleep_until(call["rescue"]["by"]))
    assert news == [("maintainer", "call"), ("property", "half_time"), ("property", "overdue")]
    story.waits_at_most()
    # Arrivals that nobody believes: refused, or no reason to wait.
    far = (story.here.now + timedelta(days=365)).isoformat()
    assert story.does("zhang", "on-the-way", name="zhang", arrives_at=far).status_code == 409
    story.done("zhang", "on-the-way", name="zhang", arrives_in="20h")
    for _ in range(3):
        story.waits_at_most()
        assert story.news(lambda: story.sleep_until(story.shown()["responsible"]["until"]))
    late = sorted((*story.instants("overdue"), *story.instants("step_told")[1:], *story.instants("on_the_way")[1:]))
    assert len(late) == 1 + 4 + 1
    assert max(after - before for before, after in pairwise(late)) <= LATE_AGAIN + CLOSE


@pytest.mark.parametrize(("set_out", "later"), [(0, 45 * MINUTE), (901, 899)], ids=["45 min", "901 s and 899 s"])
def test_an_answer_after_a_gap_keeps_the_call_alive(at: MakeStory, set_out: int, later: int) -> None:
    story = at(f"gap-{later}")
    story.tap("r1")
    story.sleep(set_out)
    story.done("li", "on-the-way", name="li")
    with story.here.halted():
        story.here.machine.sleep(later)
        call = story.done("li", "answer")
    assert call["answered_by"] == "li"
    assert (call["responsible"]["party"], call["responsible"]["name"]) == ("staff", "li")
    story.waits_at_most()
    told = {"property"} if not set_out else {"property", "maintainer", "station"}
    assert story.news(lambda: story.tap("r2")) == sorted((name, "again") for name in told)
    assert {name for name, kind in story.news(story.press) if kind == "again"} == told
    call = story.shown()
    assert call["callers"] == 2
    assert any(kind == "call" for _, kind in story.news(lambda: story.sleep_until(call["responsible"]["until"])))
    story.waits_at_most()


def test_whoever_was_told_when_it_was_overdue_may_answer(at: MakeStory) -> None:
    story = at("overdue")
    story.tap("r1")
    call = story.done("li", "on-the-way", name="li")
    assert ("maintainer", "call") in story.news(lambda: story.sleep_until(call["rescue"]["by"]))
    assert "overdue" in story.kinds()
    taken = story.done("wang", "answer")
    assert (taken["answered_by"], taken["responsible"]["name"]) == ("wang", "wang")
    story.waits_at_most()


@pytest.mark.parametrize(
    ("goes", "declines", "answers"),
    [("li", "li", "wang"), ("", "wang", "li")],
    ids=["who was on the way", "somebody else"],
)
def test_whoever_was_told_after_somebody_could_not_come_may_answer(
    at: MakeStory, goes: str, declines: str, answers: str
) -> None:
    story = at(f"handed-on-by-{declines}")
    story.tap("r1")
    if goes:
        story.done(goes, "on-the-way", name=goes)
    assert story.news(lambda: story.done(declines, "cannot-come", name=declines)) == [("maintainer", "call")]
    taken = story.done(answers, "answer")
    assert (taken["state"], taken["answered_by"]) == ("answered", answers)
    story.waits_at_most()


def test_what_was_taken_back_is_never_over_while_the_ladder_climbs(at: MakeStory) -> None:
    story = at("sent")
    story.tap("r1")
    story.done("li", "dispatch", name="zhang")
    assert story.news(lambda: story.sleep(DISPATCH_WAIT)) == [("maintainer", "call")]
    assert story.done("li", "answer")["state"] == "dispatched"
    story.take_back("r1")
    # zhang was asked to go and has a look all the same.
    assert story.shown()["state"] == "dispatched"
    assert story.news(lambda: story.done("li", "cannot-come", name="li")) == [("station", "call")]
    climbing = story.shown()
    assert (climbing["state"], climbing["answered_by"], climbing["responsible"]["party"]) == ("ringing", "", "ladder")
    assert climbing["ladder"]["climb_at"] is not None
    taken = story.done("wang", "answer")
    assert (taken["state"], taken["answered_by"], taken["responsible"]["name"]) == ("dispatched", "wang", "wang")
    assert story.kinds().count("abandoned") == 1


@pytest.mark.parametrize("who", ["li", "wang"])
def test_an_answer_to_what_was_taken_back_is_kept(at: MakeStory, who: str) -> None:
    story = at(f"back-{who}")
    story.tap("r1")
    story.done("li", "answer")
    assert story.news(lambda: story.take_back("r1")) == [("property", "update")]
    back = story.shown()
    assert (back["state"], back["answered_by"], back["rescue"]["state"]) == ("abandoned", "", "none")
    taken = story.done(who, "answer")
    assert (taken["state"], taken["answered_by"], taken["rescue"]["state"]) == ("answered", who, "running")
    assert story.shown()["answered_by"] == who
    assert story.kinds() == ["raised", "step_told", "answered", "abandoned", "answered"]
    assert story.history()[-1]["actor"] == who
    assert story.news(lambda: story.sleep(ANSWERED_WAIT)) == [("maintainer", "call")]


def test_nobody_has_to_come_to_what_was_taken_back_until_it_rings_again(at: MakeStory) -> None:
    story = at("quiet")
    story.tap("r1")
    story.take_back("r1")
    story.sleep(10 * MINUTE)
    refused = story.does("wang", "cannot-come", name="wang")
    assert (refused.status_code, "nobody has to come" in refused.text) == (409, True)
    assert story.news(lambda: story.sleep(RESCUE)) == [("property", "reminder")]
    assert "overdue" not in story.kinds()
    assert story.shown()["rescue"]["state"] == "none"
    assert story.news(lambda: story.tap("r1")) == [("property", "call")]
    again = story.shown()
    assert (again["state"], again["rescue"]["state"]) == ("ringing", "running")
    assert timedelta(minutes=29) < instant(again["rescue"]["by"]) - story.here.now <= timedelta(minutes=30)
    news = story.news(lambda: story.sleep_until(again["rescue"]["by"]))
    assert {kind for _, kind in news} == {"call", "half_time", "overdue"}
    assert story.shown()["rescue"]["state"] == "overdue"


ON_THE_WAY = ("在路上", "已有人前往", "On the way:", "somebody is on the way")
TAKEN = {
    "answered": ("answer", {}),
    "dispatched": ("dispatch", {"name": "zhang"}),
    "on_the_way": ("on-the-way", {"name": "zhang"}),
    "on_site": ("on-site", {"name": "zhang"}),
}


@pytest.mark.parametrize("state", TAKEN)
def test_a_press_under_a_taken_state_is_told_as_one(at: MakeStory, state: str) -> None:
    story = at(f"pressed-{state.replace('_', '-')}")
    story.press()
    act, body = TAKEN[state]
    assert story.done("li", act, **body)["state"] == state
    # Less than anybody is waited for, and enough for the button to count as pressed anew.
    story.sleep(PRESSED_ANEW)
    assert story.news(story.press) == [("property", "again")]
    (page,) = [each for each in story.documents() if each["call"]["kind"] == "again"]
    assert "再次求助" in str(page["words"])
    _nobody_is_told_to_stay(page)
    assert story.shown()["state"] == state
    assert [event["facts"]["source"] for event in story.history() if event["kind"] == "joined"] == ["car_button"]


def test_a_press_on_site_lets_nobody_stay_away(at: MakeStory) -> None:
    story = at("pressed-after-all")
    story.press()
    assert story.news(lambda: story.sleep(STEP_WAIT)) == [("maintainer", "call")]
    assert story.news(lambda: story.done("li", "on-site", name="li")) == []
    story.sleep(PRESSED_ANEW)
    assert story.news(story.press) == [("maintainer", "again"), ("property", "again")]
    pressed = story.shown()["responsible"]
    assert instant(pressed["until"]) - story.here.now <= timedelta(seconds=ANSWERED_WAIT)
    assert story.news(lambda: story.done("wang", "answer")) == []
    assert story.news(lambda: story.sleep_until(pressed["until"])) == [("property", "reminder")]
    for page in story.documents():
        _nobody_is_told_to_stay(page)
    assert story.news(lambda: story.done("li", "not-on-site", reason="another lift")) == [("station", "call")]
    assert story.shown()["state"] == "ringing"


def _nobody_is_told_to_stay(page: dict[str, Any]) -> None:
    words = str(page["words"])
    assert ("不必再前往" in words, "need not go" in words) == (False, False), words


def test_who_was_only_sent_is_never_called_on_the_way(at: MakeStory) -> None:
    story = at("sent-again")
    story.tap("r1")
    set_out = story.done("zhang", "on-the-way", name="zhang")["responder"]["on_the_way_at"]
    story.sleep(5 * MINUTE)
    sent_again = story.done("li", "dispatch", name="zhang", step="property")
    story.sleep(MINUTE)
    for call in (sent_again, story.done("li", "answer")):
        assert (call["state"], call["responder"]["on_the_way_at"]) == ("on_the_way", set_out)
    story.done("wang", "dispatch", name="wang")
    assert story.shown()["responder"]["name"] == "zhang", "wang was only sent"
    story.done("zhang", "cannot-come", name="zhang")
    before = len(story.documents())
    sent = story.done("li", "dispatch", name="zhang", step="property")
    assert story.news(lambda: story.sleep(DISPATCH_WAIT)) == [("station", "call")]
    answered = story.done("li", "answer")
    for call in (sent, answered):
        shown = (call["state"], call["responder"]["name"], call["responder"]["on_the_way_at"])
        assert shown == ("dispatched", "zhang", None)
    pages = story.documents()[before:]
    assert {page["call"]["kind"] for page in pages} == {"dispatch", "call", "update"}
    for page in pages:
        assert [each for each in ON_THE_WAY if each in str(page["words"])] == [], page
    seen = story.seen_by("r1")
    assert (seen["state"], list(seen["steps"])[-1]) == ("dispatched", "dispatched")
    assert seen["steps"]["dispatched"]["by"] == "zhang"
    left = story.done("zhang", "on-the-way", name="zhang")["responder"]["on_the_way_at"]
    assert instant(left) - instant(set_out) >= timedelta(seconds=5 * MINUTE + DISPATCH_WAIT)
    departed = story.seen_by("r1")["steps"]["on_the_way"]
    assert departed == {"at": f"{instant(left):%H:%M}", "by": "zhang"}


def test_a_take_back_that_stopped_nothing_is_none_in_the_figures(at: MakeStory) -> None:
    story = at("willow-figures/elevator/lift-1")
    story.tap("r1")
    story.tap("r2")
    story.take_back("r1")
    call = story.shown()
    assert (call["state"], call["callers"]) == ("ringing", 2)
    news = story.news(lambda: story.sleep_until(call["rescue"]["by"]))
    assert ("property", "overdue") in news
    month = f"{instant(call['stamps']['raised']):%Y-%m}"
    total = story.here.read("/emergency-figures", month=month, community="willow-figures")["total"]
    assert (total["calls"], total["taken_back"], total["overdue"], total["answer"]["late"]) == (1, 0, 1, 1)
    assert "rescue-overdue" in _firing(story.here, "willow-figures")


def _firing(here: Estate, community: str) -> list[str]:
    items = here.read("/alerts", state="firing", community=community)["items"]
    return [alert["rule"] for alert in items]


def test_the_history_of_what_nobody_looked_at_is_in_order_of_time(at: MakeStory) -> None:
    story = at("asleep")
    story.tap("r1")
    story.done("li", "answer")
    with story.here.halted():
        story.here.machine.sleep(45 * MINUTE)
    story.sleep(0)
    story.done("li", "note", text="x")
    now, events = story.here.now, [(instant(each["at"]), each["kind"]) for each in story.history()]
    instants = [each for each, _ in events]
    assert instants == sorted(instants)
    assert instants[-1] <= now
    call = story.shown()
    (overdue,) = story.instants("overdue")
    assert abs(overdue - instant(call["rescue"]["by"])) <= CLOSE
    # As if somebody had looked every second: the next step at the end of what li had, and on, also beyond the clock.
    told = story.instants("step_told")
    assert [round((each - told[0]) / timedelta(minutes=1)) for each in told[1:3]] == [4, 6]
    assert any(each >= overdue for each in told)
    assert {kind for _, kind in story.told()} == {"call", "half_time", "overdue"}
    story.waits_at_most()


def test_cannot_come_whose_answer_was_lost_is_sent_again_and_tells_one_step(at: MakeStory) -> None:
    story = at("lost")
    story.tap("r1")

    news = story.news(lambda: story.does_unheard("wang", "cannot-come", "cannot_come", name="wang"))
    assert news == [("maintainer", "call")]
    assert story.news(lambda: story.done("wang", "cannot-come", name="wang")) == []
    assert [story.kinds().count(kind) for kind in ("cannot_come", "handed_on", "step_told")] == [1, 1, 2]
    story.waits_at_most()


def test_who_closes_a_call_that_nobody_looked_at_tells_nobody_that_it_is_late(at: MakeStory) -> None:
    story = at("willow-late/elevator/lift-1")
    story.tap("r1")
    month = f"{instant(story.done('li', 'answer')['stamps']['raised']):%Y-%m}"
    with story.here.halted():
        story.here.machine.sleep(45 * MINUTE)
        closed = story.done("li", "close", cause="human")
    assert (closed["state"], closed["responsible"]) == ("closed", None)
    assert story.told() == [("property", "call")]
    assert story.kinds()[-3:] == ["half_time", "overdue", "closed"]
    assert _firing(story.here, "willow-late") == []
    total = story.here.read("/emergency-figures", month=month, community="willow-late")["total"]
    assert (total["overdue"], total["unfinished"]) == (1, 0)


def test_the_ladder_goes_on_within_the_hour_by_which_the_wall_clock_is_set_back(at: MakeStory) -> None:
    story = at("set-back")
    story.tap("r1")
    before = story.shown()
    try:
        story.here.machine.jump(-3_600)
        assert story.news(lambda: story.sleep(2 * MINUTE)) == [("maintainer", "call")]
        assert story.news(lambda: story.sleep(2 * MINUTE)) == [("station", "call")]
        call = story.shown()
        assert story.here.now < instant(before["stamps"]["raised"])
        assert instant(before["rescue"]["by"]) - instant(call["rescue"]["by"]) == timedelta(hours=1)
        assert (call["ladder"]["told"], call["rescue"]["state"]) == (3, "running")
        news = story.news(lambda: story.sleep_until(call["rescue"]["by"]))
        assert ("property", "overdue") in news
        assert story.done("li", "answer")["state"] == "answered"
    finally:
        story.here.machine.jump(3_600)
