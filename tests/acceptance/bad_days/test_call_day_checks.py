"""The checks of the day of calls find what they look for: a sound story passes all, a bent one fails its own."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.acceptance.bad_days.call_day import checks, pages
from tests.acceptance.bad_days.call_day.history import Event, Story
from tests.acceptance.bad_days.call_day.plans import LONGEST
from tests.acceptance.bad_days.call_day.records import BUSY_SECONDS, Act, Day, Json, Seen

Happened = tuple[float, str, str, Json]
"""Seconds after the call was raised, kind, actor, facts."""
RAISED: list[Happened] = [
    (0.0, "raised", "caller", {"source": "resident"}),
    (0.0, "step_told", "ladder", {"step": 1, "name": "guard"}),
]
ANSWERED: Happened = (2.0, "answered", "li", {})
CLOSED: Happened = (4.0, "closed", "li", {"cause": "other"})
NEXT: Happened = (2.0 + LONGEST.answered, "step_told", "ladder", {"step": 2, "name": "manager"})
LATE_SECONDS = 3 * BUSY_SECONDS + LONGEST.answered


def shown(day: Day, after: float) -> str:
    return datetime.fromtimestamp(day.began + after, UTC).isoformat()


def story(day: Day, *happened: Happened, acts: tuple[Act, ...] = (), told: tuple[Json, ...] = ()) -> Story:
    events = [Event(kind, day.began + at, 0.0, by, facts, n) for n, (at, kind, by, facts) in enumerate(happened)]
    closed = happened[-1][1] == "closed"
    call: Json = {"id": "c", "source": "resident", "drill": False, "pages": list(told), "open": not closed}
    return Story({**call, "state": "closed" if closed else "ringing", "responsible": None}, events, list(acts))


def page(day: Day, receiver: str, after: float = 0.0, **fields: Any) -> Json:
    said = {"kind": "call", "status": "delivered", "detail": "200", "at": shown(day, after)}
    return {"receiver": receiver, **said, **fields}


def act(day: Day, what: str, at: float, status: int = 200, **said: Any) -> Act:
    return Act("c", what, "li", day.began + at - 0.1, day.began + at + 0.1, status, False, said)


def seen(day: Day, state: str, until: float | None) -> Seen:
    who = None if until is None else {"party": "staff", "until": shown(day, until)}
    call: Json = {"id": "c", "state": state, "responsible": who, "rescue": {"by": shown(day, 1_800.0)}}
    return Seen(day.began, day.began, call)


def test_a_sound_story_passes_every_check() -> None:
    day = Day()
    acts = (act(day, "answer", 2.0), act(day, "close", 4.0))
    sound = story(day, *RAISED, ANSWERED, CLOSED, acts=acts, told=(page(day, "gao"),))
    for check in (checks.left_alone, checks.undone, pages.undecided):
        assert list(check(sound, day)) == []
    for alone in (checks.uninvited, checks.misordered):
        assert list(alone(sound)) == []
    assert list(checks.unwatched(seen(day, "answered", 5.0), day)) == []


BENT: dict[str, tuple[tuple[Happened, ...], Callable[[Story, Day], Iterator[str]]]] = {
    "nobody is told after an answer": ((*RAISED, ANSWERED, (LATE_SECONDS, *CLOSED[1:])), checks.left_alone),
    "the second step is told late": ((*RAISED, ANSWERED, (LATE_SECONDS, *NEXT[1:])), checks.left_alone),
    "not on site, and nobody is told": (
        (*RAISED, (1.0, "on_site", "li", {}), (2.0, "not_on_site", "li", {}), (LATE_SECONDS, *CLOSED[1:])),
        checks.left_alone,
    ),
    "a step is told without a page": ((*RAISED, CLOSED), pages.undecided),
    "who was sent is not told of the closing": (
        (*RAISED, (1.0, "dispatched", "li", {"name": "wei"}), CLOSED),
        lambda told, day: (each for each in pages.undecided(told, day) if "closed" in each),
    ),
    "nobody is told that it was taken back": (
        (*RAISED, (1.0, "abandoned", "caller", {"stopped": True}), CLOSED),
        lambda told, day: (each for each in pages.undecided(told, day) if "abandoned" in each),
    ),
    "an instant goes back": ((*RAISED, CLOSED, ANSWERED, CLOSED), lambda told, _: checks.misordered(told)),
    "it is open in the evening": ((*RAISED, ANSWERED), lambda told, _: checks.misordered(told)),
    "an alarm goes on": (
        (*RAISED, (1.0, "joined", "lift", {"source": "car_button"}), ANSWERED, CLOSED),
        lambda told, _: checks.misordered(told),
    ),
    "staff did nothing": ((*RAISED, ANSWERED, CLOSED), lambda told, _: checks.uninvited(told)),
}


@pytest.mark.parametrize(("happened", "check"), BENT.values(), ids=BENT)
def test_what_is_wrong_with_a_history_is_found(
    happened: tuple[Happened, ...], check: Callable[[Story, Day], Iterator[str]]
) -> None:
    day = Day()
    assert list(check(story(day, *happened), day))


def test_an_act_that_was_answered_and_stands_nowhere_is_found() -> None:
    day = Day()
    assert list(checks.undone(story(day, *RAISED, CLOSED, acts=(act(day, "answer", 2.0),)), day))


@pytest.mark.parametrize(("taken", "found"), [(True, False), (False, True)], ids=["held again", "held by nobody"])
def test_who_was_asked_is_asked_still_once_somebody_holds_the_call_again(taken: bool, found: bool) -> None:
    day = Day()
    asked: Happened = (1.0, "dispatched", "zhang", {"name": "gao"})
    again: Happened = (2.0, "step_told", "ladder", {"again": True})
    going: Happened = (3.0, "on_the_way", "wang", {"name": "wei"})
    another: Happened = (3.5, "cannot_come", "wang", {"name": "ding"})
    happened = (*RAISED, asked, again, *([going] if taken else []), another, (6.0, *CLOSED[1:]))
    told = story(day, *happened, acts=(act(day, "dispatch", 4.0, name="gao"),))
    assert bool(list(checks.undone(told, day))) is found


def test_an_act_that_was_refused_and_changed_something_is_found() -> None:
    day = Day()
    assert list(checks.undone(story(day, *RAISED, ANSWERED, acts=(act(day, "answer", 2.0, 409),)), day))


@pytest.mark.parametrize(
    ("state", "until"),
    [("answered", None), ("answered", LONGEST.answered + 1.0), ("ringing", -BUSY_SECONDS - 1.0), ("on_the_way", 3_000)],
    ids=["nobody", "for too long", "over", "behind the rescue clock"],
)
def test_what_is_wrong_with_who_is_responsible_is_found(state: str, until: float | None) -> None:
    day = Day()
    assert list(checks.unwatched(seen(day, state, until), day))


@pytest.mark.parametrize(
    "fields",
    [{}, {"status": "waiting"}, {"status": "failed", "detail": ""}, {"status": "failed", "detail": "503"}],
    ids=["unreceived", "waiting", "no reason", "given up while they could be reached"],
)
def test_a_page_that_nobody_got_is_found(fields: Json) -> None:
    day = Day()
    assert list(pages.unarrived(story(day, *RAISED, CLOSED, told=(page(day, "gao", **fields),)), day, {}))


def test_a_page_to_somebody_who_was_out_of_reach_may_have_been_given_up() -> None:
    day = Day()
    day.deaf["gao"].times.append((day.began + 1.0, day.began + 2.0))
    failed = page(day, "gao", status="failed", detail="503", finished_at=shown(day, 3.0))
    assert list(pages.unarrived(story(day, *RAISED, CLOSED, told=(failed,)), day, {})) == []
    before = page(day, "gao", status="failed", detail="503", finished_at=shown(day, 0.5))
    assert list(pages.unarrived(story(day, *RAISED, CLOSED, told=(before,)), day, {}))


CLOSINGS: dict[str, tuple[Happened, ...]] = {
    "only the first step was told": (),
    "who was sent cannot come": (
        (1.0, "dispatched", "li", {"name": "wei"}),
        (2.0, "cannot_come", "wei", {"name": "wei"}),
    ),
    "everybody is out": ((1.0, "dispatched", "li", {"name": "wei"}), (2.0, "freed", "li", {})),
    "the caller takes back after everybody is out": (
        (1.0, "dispatched", "li", {"name": "wei"}),
        (2.0, "freed", "li", {}),
        (3.0, "abandoned", "caller", {}),
    ),
}


@pytest.mark.parametrize("happened", CLOSINGS.values(), ids=CLOSINGS)
def test_a_closing_that_is_no_news_needs_no_page(happened: tuple[Happened, ...]) -> None:
    day = Day()
    wrong = pages.undecided(story(day, *RAISED, *happened, CLOSED), day)
    assert [each for each in wrong if each.startswith("closed")] == []
