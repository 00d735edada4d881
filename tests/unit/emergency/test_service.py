"""The service that follows alerts: a press raises or joins, a reset ends, each step counts once, whatever dies."""

import pytest

from core.errors import TemporaryError
from emergency.model import Call, CallFilter, CallState, EventKind, Place
from emergency.ports import AlertStep, Followed
from emergency.service import EmergencyService
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
    async def of_lift(self, path: str) -> Place:
        return Place(path.partition("/")[0], path)


def service(board: Board, timeline: Timeline) -> EmergencyService:
    return EmergencyService(board.switchboard, board.records, timeline, Lifts(), board.clock)


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
