"""The switchboard: one commit for each thing, joined calls, keys, races, receivers that are away."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from core.errors import Conflict, TemporaryError
from emergency import acts
from emergency.ladder import LadderStep
from emergency.model import Call, CallFilter, CallState, Cause, EventKind, PageKind, Place, Source, Words
from emergency.ports import CallCommit, Followed
from emergency.steps import CallRequest
from emergency.switchboard import NobodyToTell, Switchboard
from storage.memory.calls import MemoryCallRecords
from tests.unit.emergency.boards import Board, words
from tests.unit.emergency.calls import LIFT, T0, after, plan

REQUEST = CallRequest(Source.APP, LIFT)


async def told(board: Board, call: Call) -> list[str]:
    return [page.receiver for page in await board.records.pages(call.id)]


async def test_a_call_and_its_first_page_are_one_commit() -> None:
    board = Board()
    call, new = await board.switchboard.raise_call(REQUEST, "app", key="k1")
    assert new
    assert len(board.records.commits) == 1
    assert await told(board, call) == ["property"]
    assert call.next_at == after(30)


async def test_the_same_key_again_is_the_same_call_even_when_it_is_closed() -> None:
    board = Board()
    call, _ = await board.switchboard.raise_call(REQUEST, "app", key="k1")
    await board.switchboard.act(call.id, acts.Answer(), "li")
    await board.switchboard.act(call.id, acts.Close(Cause.HUMAN), "li")
    again, new = await board.switchboard.raise_call(REQUEST, "app", key="k1")
    assert (again.id, again.state, new) == (call.id, CallState.CLOSED, False)
    another, new = await board.switchboard.raise_call(REQUEST, "app", key="k2")
    assert new
    assert another.id != call.id


async def test_all_that_calls_from_one_lift_is_one_call() -> None:
    board = Board()
    call, _ = await board.switchboard.raise_call(REQUEST, "app", key="k1")
    joined, new = await board.switchboard.raise_call(CallRequest(Source.CAR_BUTTON, LIFT, ref="a/1"), "lift-3")
    assert (joined.id, new, joined.alarm) == (call.id, False, True)
    await board.switchboard.raise_call(CallRequest(Source.CAR_BUTTON, LIFT, ref="a/1"), "lift-3")
    kinds = [row.event.kind for row in await board.records.events(call.id)]
    assert kinds == [EventKind.RAISED, EventKind.STEP_TOLD, EventKind.JOINED]
    assert await told(board, call) == ["property"]


async def test_a_drill_and_a_call_for_help_are_two() -> None:
    board = Board()
    drill, _ = await board.switchboard.raise_call(CallRequest(Source.DRILL, LIFT, drill=True), "li")
    call, new = await board.switchboard.raise_call(REQUEST, "app")
    assert new
    assert call.id != drill.id
    assert await told(board, drill) == []  # Nobody on its ladder is there by a rota.


async def test_two_hundred_taps_at_one_lift_at_once_are_one_call() -> None:
    board = Board()
    raising = (board.switchboard.raise_call(REQUEST, "app", key=f"k{index}") for index in range(200))
    answers = await asyncio.gather(*raising)
    assert len({call.id for call, _ in answers}) == 1
    assert sum(new for _, new in answers) == 1
    assert await told(board, answers[0][0]) == ["property"]


class _Racing(MemoryCallRecords):
    """Lets everybody who works at the same time read before the first of them commits."""

    async def commit(self, commits: Sequence[CallCommit], followed: Followed | None = None) -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        await super().commit(commits, followed)


async def test_fifty_residents_who_tap_at_once_are_all_heard() -> None:
    board = Board()
    board.records = _Racing(clock=board.clock)
    board.restart()
    pages = [CallRequest(Source.RESIDENT, LIFT, ref=f"page-{index}") for index in range(50)]
    answers = await asyncio.gather(*(board.switchboard.raise_call(page, "caller") for page in pages))
    assert sum(new for _, new in answers) == 1
    call = await board.records.call(answers[0][0].id)
    assert call is not None
    assert len(call.callers) == 50


async def test_calls_from_many_lifts_ring_at_once_and_climb_at_once() -> None:
    board = Board()
    places = [Place("willow-court", f"willow-court/elevator/lift-{index}") for index in range(200)]
    calls = await asyncio.gather(*(board.switchboard.raise_call(CallRequest(Source.APP, at), "a") for at in places))
    board.clock.advance(timedelta(seconds=30))
    await board.switchboard.tick()
    for call, new in calls:
        assert new
        assert await told(board, call) == ["property", "second"]


@pytest.mark.parametrize("stored", [False, True], ids=["nothing kept", "only the answer lost"])
async def test_after_an_unknown_outcome_the_same_key_finds_out(stored: bool) -> None:
    board = Board()
    board.records.fail(times=1, stored=stored)
    with pytest.raises(TemporaryError):
        await board.switchboard.raise_call(REQUEST, "app", key="k1")
    call, new = await board.switchboard.raise_call(REQUEST, "app", key="k1")
    assert new is not stored
    assert await told(board, call) == ["property"]
    assert len(await board.records.calls(CallFilter(), None, 10)) == 1


async def test_a_step_that_reaches_nobody_is_passed_over_at_once() -> None:
    board = Board()
    board.directory.away = {"property", "second"}
    call, _ = await board.switchboard.raise_call(REQUEST, "app")
    assert await told(board, call) == ["maintainer"]
    assert (call.told, call.version, call.climb_at) == (3, 1, after(60))
    steps = [row.event.facts.get("step") for row in await board.records.events(call.id)][1:]
    assert steps == [1, 2, 3]


async def test_a_step_that_reaches_nobody_is_passed_over_behind_one_that_came_due_with_it() -> None:
    board = Board()
    call, _ = await board.switchboard.raise_call(REQUEST, "app")
    board.directory.away = {"maintainer"}
    board.clock.advance(timedelta(seconds=61))
    await board.switchboard.tick()
    assert await told(board, call) == ["property", "second", "station"]


async def test_a_receiver_on_two_steps_that_came_due_together_is_told_and_nobody_beyond() -> None:
    contacts = [replace(each, tell=["receiver:wall"]) if each.name != "property" else each for each in plan().contacts]
    board = Board(replace(plan(), contacts=contacts))
    call, _ = await board.switchboard.raise_call(REQUEST, "app")
    board.clock.advance(timedelta(seconds=61))
    await board.switchboard.tick()
    now = await board.records.call(call.id)
    assert now is not None
    assert now.told == 3, "the second and the third step were due"
    assert await told(board, call) == ["property", "wall"]


async def test_at_the_end_of_the_clock_too_a_step_that_reaches_nobody_is_passed_over() -> None:
    board = Board()
    call, _ = await board.switchboard.raise_call(REQUEST, "app")
    await board.switchboard.act(call.id, acts.OnTheWay("zhang"), "zhang")
    board.directory.away = {"second"}
    board.clock.advance(timedelta(minutes=30))
    await board.switchboard.tick()
    assert [page.receiver for page in await board.records.pages(call.id) if page.kind == "call"] == [
        "property",
        "maintainer",
    ]


class _FaultyPlaces:
    """A registry with a mistake at one lift."""

    async def of_lift(self, path: str) -> Place:
        if path == LIFT.lift:
            raise ValueError("no place for it")
        return Place("willow-court", path)


async def test_a_damaged_call_that_cannot_be_repaired_holds_up_no_other() -> None:
    board = Board()
    lifts = (LIFT.lift, "willow-court/elevator/lift-9")
    first, second = [
        (await board.switchboard.raise_call(CallRequest(Source.CAR_BUTTON, Place("willow-court", lift)), lift))[0]
        for lift in lifts
    ]
    for call in (first, second):
        kept = await board.records.call(call.id)
        assert kept is not None
        damaged = replace(kept, damaged="cannot be decoded", rescue_by=None, version=kept.version + 1)
        await board.records.commit([CallCommit(damaged, ())])
    assert await board.switchboard.repair(_FaultyPlaces()) == [second.id]
    assert "no place for it" in board.switchboard.unrepaired[first.id]


async def test_a_call_that_cannot_be_decided_holds_up_no_other() -> None:
    board = Board()
    first, _ = await board.switchboard.raise_call(REQUEST, "app")
    second, _ = await board.switchboard.raise_call(CallRequest(Source.APP, Place("willow-court", "", "gate")), "app")

    def failing(
        call: Call, kind: PageKind, step: LadderStep | None, to_dial: Sequence[LadderStep]
    ) -> tuple[Words, Words]:
        if call.id == first.id:
            raise ValueError("no words for it")
        return words(call, kind, step, to_dial)

    board.switchboard = Switchboard(board.records, board.directory, board.clock, lambda: board.plan, failing)
    board.clock.advance(timedelta(seconds=30))
    await board.switchboard.tick()
    assert await told(board, second) == ["property", "second"]
    assert list(board.switchboard.stuck) == [first.id]
    assert "no words for it" in board.switchboard.stuck[first.id]
    board.restart()
    await board.switchboard.tick()
    assert await told(board, first) == ["property", "second"]
    assert board.switchboard.stuck == {}


async def test_who_names_no_place_is_a_call_of_their_own() -> None:
    board = Board()
    request = CallRequest(Source.APP, Place("willow-court"))
    first, _ = await board.switchboard.raise_call(request, "app", key="k1")
    second, new = await board.switchboard.raise_call(request, "app", key="k2")
    assert new
    again, new = await board.switchboard.raise_call(request, "app", key="k1")
    assert (again.id, new) == (first.id, False)
    assert second.id != first.id


async def test_where_nobody_at_all_is_reached_the_call_is_there_all_the_same() -> None:
    board = Board()
    board.directory.away = {"property", "second", "maintainer", "station", "fire"}
    call, new = await board.switchboard.raise_call(REQUEST, "app")
    assert new
    assert (call.told, call.state) == (5, CallState.RINGING)
    board.directory.away = set()
    board.clock.advance(timedelta(seconds=60))
    await board.switchboard.tick()
    assert sorted(await told(board, call)) == ["fire", "maintainer", "property", "second", "station"]


async def test_two_who_answer_at_once_are_told_apart() -> None:
    board = Board()
    call, _ = await board.switchboard.raise_call(REQUEST, "app")
    answering = (board.switchboard.act(call.id, acts.Answer(), name) for name in ("li", "wang"))
    answers = await asyncio.gather(*answering, return_exceptions=True)
    assert [type(each) for each in answers] == [Call, Conflict]


async def test_an_act_on_no_call_is_none() -> None:
    assert await Board().switchboard.act("nowhere", acts.Answer(), "li") is None


async def test_whoever_delivers_is_woken_by_pages_only() -> None:
    board, woken = Board(), list[int]()
    board.switchboard.on_pages = lambda: woken.append(1)
    call, _ = await board.switchboard.raise_call(REQUEST, "app")
    assert woken == [1]
    await board.switchboard.act(call.id, acts.Note("shouting heard"), "li")
    assert woken == [1]


async def test_a_plan_that_changes_during_a_call_moves_what_comes_next() -> None:
    board = Board()
    call, _ = await board.switchboard.raise_call(REQUEST, "app")
    board.plan = Board().plan
    board.clock.advance(timedelta(seconds=31))
    board.restart()
    await board.switchboard.tick()
    assert await told(board, call) == ["property", "second"]
    assert (await board.records.call(call.id) or call).stamps.raised == T0


async def test_news_that_nobody_told_so_far_can_get_goes_to_the_first_who_can() -> None:
    board = Board()
    call, _ = await board.switchboard.raise_call(REQUEST, "app")
    await board.switchboard.act(call.id, acts.OnSite("zhang"), "li")
    board.directory.away = {"property"}
    await board.switchboard.raise_call(CallRequest(Source.CAR_BUTTON, LIFT, ref="a/1"), "lift-3")
    pages = [(page.receiver, page.kind) for page in await board.records.pages(call.id)]
    assert pages == [("property", "call"), ("second", "again")]
    board.clock.advance(timedelta(minutes=31))
    await board.switchboard.tick()
    pages = [(page.receiver, page.kind) for page in await board.records.pages(call.id)]
    assert pages[2:] == [("second", "reminder")]


async def test_reminders_that_nobody_looked_at_are_one_page_to_whoever_was_told_first() -> None:
    board = Board()
    call, _ = await board.switchboard.raise_call(REQUEST, "app")
    await board.switchboard.act(call.id, acts.OnSite("zhang"), "li")
    board.clock.advance(timedelta(hours=5))
    await board.switchboard.tick()
    pages = [(page.receiver, page.kind) for page in await board.records.pages(call.id)]
    assert pages == [("property", "call"), ("property", "reminder")]


@pytest.mark.parametrize(
    ("by_hand", "away", "expected", "told_steps"),
    [
        pytest.param(1, {"property", "second", "maintainer"}, [("station", "dial")], 2, id="whoever can be told dials"),
        pytest.param(0, {"property"}, [("second", "call")], 2, id="nobody was told before the number"),
    ],
)
async def test_a_number_is_waited_for_only_where_somebody_was_asked_to_dial(
    by_hand: int, away: set[str], expected: list[tuple[str, str]], told_steps: int
) -> None:
    board = Board()
    ladder = board.plan.ladders[0]
    steps = [replace(step, dial=index == by_hand) for index, step in enumerate(ladder.steps)]
    board.plan = replace(board.plan, ladders=[replace(ladder, steps=steps)])
    board.directory.away = away
    call, _ = await board.switchboard.raise_call(REQUEST, "app")
    assert [(page.receiver, page.kind) for page in await board.records.pages(call.id)] == expected
    assert call.told == told_steps


async def test_nobody_is_sent_who_cannot_be_told() -> None:
    board = Board()
    call, _ = await board.switchboard.raise_call(REQUEST, "app")
    board.directory.away = {"maintainer"}
    with pytest.raises(NobodyToTell):
        await board.switchboard.act(call.id, acts.Dispatch("zhang", step=2), "li")
    kept = await board.records.call(call.id)
    assert kept is not None
    assert kept.state is CallState.RINGING
