"""Drills by the calendar: when, of which lift, and what holds one back."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from core.devices import DeviceKey
from emergency import acts
from emergency.drills import DrillCalendar, due, is_time
from emergency.model import CallFilter, Cause, Place, Source
from emergency.plan import DrillHours
from emergency.selftest import KnownLift
from emergency.steps import CallRequest
from tests.unit.emergency.boards import Board
from tests.unit.emergency.calls import T0, plan

ZONE = ZoneInfo("Asia/Shanghai")
HOURS = DrillHours("09:30-11:00", ["tue", "thu"])
LIFTS = [f"willow-court/elevator/lift-{number}" for number in range(9)]
TUESDAY = datetime(2026, 3, 3, 9, 30, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(TUESDAY, True, id="it begins"),
        pytest.param(TUESDAY - timedelta(minutes=1), False, id="before"),
        pytest.param(TUESDAY + timedelta(minutes=90), False, id="it has ended"),
        pytest.param(TUESDAY + timedelta(days=1), False, id="another day of the week"),
    ],
)
def test_the_hours(now: datetime, expected: bool) -> None:
    assert is_time(HOURS, now) is expected


def test_every_lift_has_one_a_month_and_no_day_has_many() -> None:
    drilled: dict[str, date] = {}
    for day in range(1, 32):
        today = date(2026, 3, day)
        while is_time(HOURS, datetime(2026, 3, day, 10, tzinfo=ZONE)) and (lift := due(HOURS, LIFTS, drilled, today)):
            drilled[lift] = today
    assert sorted(drilled) == LIFTS
    # March 2026 has nine Tuesdays and Thursdays.
    assert sorted(drilled.values()) == sorted(set(drilled.values()))


def test_what_was_missed_is_spread_over_the_days_that_are_left() -> None:
    today, drilled = date(2026, 3, 26), dict[str, date]()
    while (lift := due(HOURS, LIFTS, drilled, today)) is not None:
        drilled[lift] = today
    assert len(drilled) == 5


async def nine_lifts() -> Sequence[KnownLift]:
    """`emergency.selftest.Lifts`."""
    return [KnownLift(DeviceKey.from_path(path), T0) for path in LIFTS]


class Nowhere:
    """`emergency.ports.Places`: nothing is known."""

    async def of_lift(self, path: str) -> Place:
        return Place(path.partition("/")[0], path)


class Scene:
    """A board whose clock stands at the beginning of the hours, and the calendar over it."""

    def __init__(self) -> None:
        community = replace(plan().communities[0], drills=HOURS)
        self.board = Board(replace(plan(), communities=[community]))
        self.board.clock.advance(TUESDAY.astimezone(UTC) - T0)
        board = self.board
        self.calendar = DrillCalendar(board.switchboard, board.records, nine_lifts, Nowhere(), board.clock, ZONE)

    async def drills(self) -> list[str]:
        await self.calendar.look()
        return [call.place.lift for call in await self.board.records.calls(CallFilter(drill=True), None, 99)]


async def test_a_drill_begins_and_waits_for_its_end() -> None:
    scene = Scene()
    first = await scene.drills()
    assert len(first) == 1
    assert await scene.drills() == first
    [drill] = await scene.board.records.calls(CallFilter(drill=True), None, 99)
    assert (drill.source, drill.drill) == (Source.DRILL, True)
    for what in (acts.Answer(), acts.Close(Cause.DRILL)):
        await scene.board.switchboard.act(drill.id, what, "li")
    # Nine lifts on nine days: one a day.
    assert await scene.drills() == first
    scene.board.clock.advance(timedelta(days=2))
    assert len(await scene.drills()) == 2


async def test_none_begins_while_somebody_calls() -> None:
    scene = Scene()
    call, _ = await scene.board.switchboard.raise_call(
        CallRequest(Source.APP, await Nowhere().of_lift(LIFTS[0])), "app"
    )
    assert await scene.drills() == []
    for what in (acts.Answer(), acts.Close(Cause.OTHER)):
        await scene.board.switchboard.act(call.id, what, "li")
    assert len(await scene.drills()) == 1


async def test_a_drill_that_people_held_counts() -> None:
    scene = Scene()
    for lift in LIFTS:
        request = CallRequest(Source.DRILL, await Nowhere().of_lift(lift), drill=True)
        drill, _ = await scene.board.switchboard.raise_call(request, "li")
        for what in (acts.Answer(), acts.Close(Cause.DRILL)):
            await scene.board.switchboard.act(drill.id, what, "li")
    assert len(await scene.drills()) == len(LIFTS)


async def test_without_hours_in_the_plan_none_begins() -> None:
    scene = Scene()
    scene.board.plan = plan()
    assert await scene.drills() == []


async def test_a_drill_that_nobody_closes_ends_with_the_hours_and_one_of_people_goes_on() -> None:
    scene = Scene()
    request = CallRequest(Source.DRILL, Place("elm-court", "elm-court/elevator/lift-1"), drill=True)
    by_people, _ = await scene.board.switchboard.raise_call(request, "li")
    await scene.drills()
    scene.board.clock.advance(timedelta(minutes=90))
    await scene.drills()
    drills = await scene.board.records.calls(CallFilter(drill=True), None, 99)
    assert [(call.open, call.cause) for call in drills if call.id != by_people.id] == [(False, Cause.DRILL)]
    assert [call.open for call in drills if call.id == by_people.id] == [True]
