"""The service that follows alerts: a press raises or joins, a reset ends, each step counts once, whatever dies."""

from collections.abc import Collection
from datetime import timedelta

import pytest
from msgspec.structs import replace

from core.errors import TemporaryError
from emergency.acts import Close, Freed
from emergency.model import Call, CallFilter, CallState, Cause, EventKind, Place
from emergency.pending import PendingSteps
from emergency.ports import AlertStep, Followed, Standing
from emergency.service import EmergencyService
from emergency.watch import late_words
from tests.unit.emergency.boards import Board
from tests.unit.emergency.calls import LIFT, T0

PRESSED = AlertStep(3, "a1", "car-alarm-button", LIFT.lift, "firing", T0)
AGAIN = AlertStep(5, "a1", "car-alarm-button", LIFT.lift, "repeated", T0)
TRAPPED = AlertStep(6, "a2", "trapped-passenger", LIFT.lift, "firing", T0)
OVER = AlertStep(7, "a1", "car-alarm-button", LIFT.lift, "resolved", T0)
RESET = AlertStep(8, "a3", "car-alarm-ended", LIFT.lift, "firing", T0)
AT_A_GATE = AlertStep(9, "a4", "car-alarm-button", "willow-court/gate/east", "firing", T0)
ODD = AlertStep(2, "a5", "car-alarm-button", "no path at all", "firing", T0)


class Timeline:
    """Steps of alerts, as far as calls hang on them."""

    def __init__(self, board: Board, *steps: AlertStep) -> None:
        self._board = board
        self.told = list(steps)

    async def followed(self) -> int:
        return self._board.records.followed

    async def steps(self, after: int, limit: int) -> list[AlertStep]:
        return [step for step in self.told if step.sequence > after][:limit]

    async def last_sequence(self) -> int:
        return max((step.sequence for step in self.told), default=0)


class Lifts:
    """Lifts of which nothing is known but those in ``standing``."""

    def __init__(self, standing: Standing | None = None) -> None:
        self._standing = standing or Standing()

    async def standing(self, paths: Collection[str]) -> Standing:
        del paths
        return self._standing

    async def of_lift(self, path: str) -> Place:
        return Place(path.partition("/")[0], path)


def service(board: Board, timeline: Timeline, lifts: Lifts | None = None) -> EmergencyService:
    return EmergencyService(board.switchboard, board.records, timeline, lifts or Lifts())


async def calls(board: Board) -> list[Call]:
    return await board.records.calls(CallFilter(), None, 10)


async def kinds(board: Board, call: Call) -> list[EventKind]:
    return [row.event.kind for row in await board.records.events(call.id)]


async def test_a_press_is_a_call_and_what_follows_at_the_lift_joins_it() -> None:
    board = Board()
    await service(board, Timeline(board, PRESSED, AGAIN, TRAPPED, OVER)).turn()
    (call,) = await calls(board)
    assert (call.place.lift, call.alarm, call.state) == (LIFT.lift, True, CallState.RINGING)
    assert await kinds(board, call) == [EventKind.RAISED, EventKind.STEP_TOLD, EventKind.JOINED, EventKind.JOINED]


async def test_a_step_counts_once_however_often_the_service_starts() -> None:
    board = Board()
    timeline = Timeline(board, PRESSED, AGAIN)
    for _ in range(3):
        board.restart()
        await service(board, timeline).turn()
    (call,) = await calls(board)
    assert (await kinds(board, call)).count(EventKind.JOINED) == 1
    assert [page.receiver for page in await board.records.pages(call.id)] == ["property"]


@pytest.mark.parametrize("stored", [False, True], ids=["nothing kept", "only the answer lost"])
async def test_a_press_whose_commit_failed_is_one_call_after_the_next_turn(stored: bool) -> None:
    board = Board()
    following = service(board, Timeline(board, PRESSED))
    board.records.fail(times=1, stored=stored)
    with pytest.raises(TemporaryError):
        await following.turn()
    board.restart()
    await service(board, Timeline(board, PRESSED)).turn()
    (call,) = await calls(board)
    assert board.records.followed == PRESSED.sequence
    assert (await kinds(board, call))[0] is EventKind.RAISED


async def test_the_reset_of_the_lift_ends_the_alarm_of_its_call() -> None:
    board = Board()
    await service(board, Timeline(board, PRESSED, RESET)).turn()
    (call,) = await calls(board)
    assert call.stamps.alarm_ended == T0
    assert board.records.followed == RESET.sequence


@pytest.mark.parametrize(
    "before", [pytest.param([], id="no call"), pytest.param([TRAPPED], id="a call without a button")]
)
async def test_a_reset_without_an_alarm_is_passed_over(before: list[AlertStep]) -> None:
    board = Board()
    await service(board, Timeline(board, *before, RESET)).turn()
    assert [call.stamps.alarm_ended for call in await calls(board)] == [None] * len(before)
    assert board.records.followed == RESET.sequence


async def test_what_cannot_be_read_and_what_is_no_lift_hold_up_nothing() -> None:
    board = Board()
    following = service(board, Timeline(board, ODD, PRESSED, AT_A_GATE))
    await following.turn()
    assert [call.place.lift for call in await calls(board)] == [LIFT.lift]
    assert "no path at all" in following.stats.detail


async def test_another_service_that_was_faster_is_followed() -> None:
    board = Board()
    slow = service(board, Timeline(board, PRESSED))
    await board.records.commit([], Followed(0, 2))
    await slow.turn()
    assert board.records.followed == PRESSED.sequence
    assert len(await calls(board)) == 1


def presses(count: int, lift: str = LIFT.lift, first: int = 10) -> list[AlertStep]:
    """A button that is pressed and reset again and again."""
    rules = ("car-alarm-button", "car-alarm-ended")
    return [AlertStep(first + number, f"p{number}", rules[number % 2], lift, "firing", T0) for number in range(count)]


def others(count: int, first: int) -> list[AlertStep]:
    """One press at each of ``count`` lifts."""
    lifts = (f"willow-court/elevator/other-{number:03}" for number in range(count))
    return [
        AlertStep(first + number, f"o{number}", "car-alarm-button", lift, "firing", T0)
        for number, lift in enumerate(lifts)
    ]


async def test_a_thousand_presses_of_one_lift_are_a_few_commits_and_one_call() -> None:
    board = Board()
    await service(board, Timeline(board, *presses(1_000))).turn()
    (call,) = await calls(board)
    assert len(board.records.commits) <= 3
    assert call.alarm
    assert call.stamps.alarm_ended == T0, "the last step was the reset"
    assert board.records.followed == 1_009


async def test_a_press_after_the_last_of_many_resets_is_an_alarm_that_stands() -> None:
    board = Board()
    timeline = Timeline(board, *presses(999))
    for _ in range(2):
        board.restart()
        await service(board, timeline).turn()
    (call,) = await calls(board)
    assert call.alarm
    assert call.stamps.alarm_ended is None


async def test_steps_that_are_taken_again_after_a_kill_change_nothing() -> None:
    board = Board()
    timeline = Timeline(board, PRESSED, RESET, replace(AGAIN, sequence=9, alert="a9"))
    await service(board, timeline).turn()
    before = await calls(board)
    board.records.forget_followed()
    await service(board, timeline).turn()
    assert await calls(board) == before
    assert before[0].stamps.alarm_ended is None, "it was pressed again after the reset"


async def test_a_call_that_was_closed_is_not_raised_again_by_a_step_that_is_taken_again() -> None:
    board = Board()
    timeline = Timeline(board, TRAPPED)
    await service(board, timeline).turn()
    (call,) = await calls(board)
    await board.switchboard.act(call.id, Freed(), "li")
    await board.switchboard.act(call.id, Close(Cause.CONTROL), "li")
    board.records.forget_followed()
    await service(board, timeline).turn()
    assert [each.id for each in await calls(board)] == [call.id]


async def test_a_lift_that_pressed_once_goes_before_one_that_was_served_just_now() -> None:
    queue = PendingSteps()
    for step in presses(6):
        queue.add(step)
    for step in others(40, 100):
        queue.add(step)
    assert [steps[0].device for steps in queue.take(1, Standing())] == [LIFT.lift]
    for step in presses(2, first=200):
        queue.add(step)
    rest = [steps[0].device for steps in queue.take(100, Standing())]
    assert rest[-1] == LIFT.lift
    assert len(rest) == 41


async def test_known_lifts_go_first_then_those_heard_longest() -> None:
    queue = PendingSteps()
    steps = others(40, 100)
    for step in steps:
        queue.add(step)
    lifts = [step.device for step in steps]
    standing = Standing({lifts[30]}, {lifts[20]: T0 - timedelta(hours=1), lifts[10]: T0})
    assert [taken[0].device for taken in queue.take(4, standing)] == [lifts[30], lifts[20], lifts[10], lifts[0]]


async def test_another_lifts_press_does_not_wait_for_a_thousand_of_strangers() -> None:
    board = Board()
    strangers = others(200, 100)
    timeline = Timeline(board, *strangers, replace(PRESSED, sequence=900))
    await service(board, timeline, Lifts(Standing({LIFT.lift}))).turn()
    raised = [commit.call.place.lift for commit in board.records.commits]
    assert len(raised) == 201
    assert LIFT.lift in raised[:32]


async def test_a_press_that_arrived_late_is_a_call_that_says_when_it_was() -> None:
    board = Board()
    words = late_words({"happened_at": "2026-08-14T07:18:00+00:00"}, "发生于 15:18，刚刚收到", "happened at 15:18")
    await service(board, Timeline(board, replace(PRESSED, late=words))).turn()
    (call,) = await calls(board)
    assert call.caller.text == "发生于 15:18，刚刚收到 / happened at 15:18"
    (raised, _) = await board.records.events(call.id)
    assert raised.event.text == call.caller.text
    assert late_words({"event": "alarm_pressed"}, "按下", "pressed") == ""
