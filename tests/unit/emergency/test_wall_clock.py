"""A wall clock that is set forward or back stamps what is said; nobody waits a second longer or less."""

from datetime import timedelta

import pytest

from emergency import acts
from emergency.figures import ANSWER_TARGET, figures_of
from emergency.model import Call, CallState, Cause, EventKind, Source
from emergency.rescue import ClockState, clock_state, half_at, on_the_wall
from emergency.steps import CallRequest
from tests.unit.emergency.boards import Board
from tests.unit.emergency.calls import LIFT, T0

JUMPS = pytest.mark.parametrize("jump", [timedelta(hours=2), timedelta(hours=-2)], ids=["forward", "back"])
MINUTE = timedelta(minutes=1)


class Jumping(Board):
    """A board at which one call rings."""

    async def raised(self) -> Call:
        call, _ = await self.switchboard.raise_call(CallRequest(Source.RESIDENT, LIFT), "caller")
        return call

    async def passes(self, seconds: float, *, restart: bool = False) -> Call:
        """Let time pass, do what is due, and return the call."""
        self.clock.advance(timedelta(seconds=seconds))
        if restart:
            self.restart()
        await self.switchboard.tick()
        return await self.call()

    async def call(self) -> Call:
        (call,) = self.records._calls.values()
        return call

    async def does(self, what: acts.Act, actor: str = "li") -> Call:
        call = await self.switchboard.act((await self.call()).id, what, actor)
        assert call is not None
        return call

    async def seen(self) -> Call:
        """Return the call as people are shown it now."""
        return on_the_wall(await self.call(), self.clock.now() - self.clock.steady())


@JUMPS
@pytest.mark.parametrize("restart", [False, True])
async def test_the_ladder_climbs_in_its_time(jump: timedelta, restart: bool) -> None:
    board = Jumping()
    await board.raised()
    board.clock.jump(jump)
    assert (await board.passes(29, restart=restart)).told == 1
    assert (await board.passes(1, restart=restart)).told == 2
    board.clock.jump(-jump)
    assert (await board.passes(29, restart=restart)).told == 2
    assert (await board.passes(1, restart=restart)).told == 3


@JUMPS
async def test_the_rescue_clock_runs_its_time_and_is_shown_by_the_wall_clock(jump: timedelta) -> None:
    board = Jumping()
    await board.raised()
    await board.does(acts.OnTheWay("zhang"))
    board.clock.jump(jump)
    seen, now = await board.seen(), board.clock.now()
    assert (seen.rescue_by, half_at(seen)) == (now + 30 * MINUTE, now + 15 * MINUTE)
    assert clock_state(seen, now) is ClockState.RUNNING
    await board.passes(15 * 60)
    assert clock_state(await board.seen(), board.clock.now()) is ClockState.HALF_TIME
    overdue = await board.passes(15 * 60)
    assert overdue.stamps.overdue == board.clock.now()
    assert clock_state(await board.seen(), board.clock.now()) is ClockState.OVERDUE


@JUMPS
async def test_whoever_was_there_in_time_was_in_time(jump: timedelta) -> None:
    board = Jumping()
    await board.raised()
    await board.passes(10)
    await board.does(acts.Answer())
    board.clock.jump(jump)
    await board.passes(20 * 60)
    await board.does(acts.OnSite("zhang"))
    await board.passes(5 * 60)
    await board.does(acts.Freed())
    seen = await board.seen()
    assert clock_state(seen, board.clock.now()) is ClockState.ON_TIME
    figures = figures_of([seen], board.clock.now())
    assert (figures.answer.in_time, figures.answer.median_seconds) == (1, 10)
    assert (figures.arrival.in_time, figures.arrival.median_seconds) == (1, 20 * 60 + 10)
    assert (figures.release.median_seconds, figures.overdue) == (5 * 60, 0)
    assert timedelta(seconds=10) < ANSWER_TARGET


@JUMPS
async def test_who_is_expected_in_ten_minutes_is_waited_for_ten_minutes(jump: timedelta) -> None:
    board = Jumping()
    await board.raised()
    board.clock.jump(jump)
    expected = board.clock.now() + 10 * MINUTE
    await board.does(acts.OnTheWay("zhang", arrives_at=expected))
    seen = await board.seen()
    assert seen.responder is not None
    assert seen.responder.arrives_at == expected
    assert (await board.passes(15 * 60 - 1)).told == 1
    assert (await board.passes(1)).told == 2


@JUMPS
async def test_steps_are_stamped_by_the_wall_clock_and_alerts_end_under_their_name(jump: timedelta) -> None:
    board = Jumping()
    await board.raised()
    await board.passes(240)
    board.clock.jump(jump)
    answered = await board.does(acts.Answer())
    assert answered.stamps.answered == board.clock.now() == T0 + timedelta(seconds=240) + jump
    rows = await board.records.events(answered.id)
    assert rows[-1].event.kind is EventKind.ANSWERED
    assert rows[-1].event.at == board.clock.now()
    alerts = [alert for commit in board.records.commits for alert in commit.alerts]
    assert [alert.firing for alert in alerts] == [True, False]
    assert len({(alert.rule, alert.since) for alert in alerts}) == 1


@JUMPS
async def test_what_is_closed_is_shown_as_it_was(jump: timedelta) -> None:
    board = Jumping()
    await board.raised()
    board.clock.jump(jump)
    await board.does(acts.OnSite())
    await board.does(acts.Freed())
    closed = await board.does(acts.Close(Cause.OTHER))
    assert closed.state is CallState.CLOSED
    board.clock.jump(jump)
    assert (await board.seen()).rescue_by == T0 + 30 * MINUTE


@JUMPS
async def test_a_call_that_rings_again_begins_anew(jump: timedelta) -> None:
    board = Jumping()
    first = await board.raised()
    await board.does(acts.Abandon(), "caller")
    board.clock.jump(jump)
    await board.passes(60)
    again = await board.raised()
    assert again.id == first.id
    assert (again.state, again.told) == (CallState.RINGING, 1)
    seen = await board.seen()
    assert (seen.rescue_from, seen.rescue_by) == (board.clock.now(), board.clock.now() + 30 * MINUTE)
    assert seen.stamps.abandoned is None
    assert (await board.passes(30)).told == 2
