"""The wall clock is set forward or back: ladders, reminders and holds of the desk go on in their time."""

from datetime import timedelta

import pytest

from alerts.dispatch.model import Purpose
from alerts.dispatch.service import LOOK_EVERY, SETTLING
from alerts.model import Severity, TransitionKind
from core.clock import ManualClock
from storage.memory.desk import MemoryDeskRecords
from tests.unit.alerts.dispatch.scene import START, instant, silence, step
from tests.unit.alerts.dispatch.test_service import World, started

HOURS = timedelta(hours=2)
JUMPS = pytest.mark.parametrize("jump", [HOURS, -HOURS], ids=["forward", "back"])
RESTARTS = pytest.mark.parametrize("restart", [False, True])
FIRING, RESOLVED, ACKNOWLEDGED = TransitionKind.FIRING, TransitionKind.RESOLVED, TransitionKind.ACKNOWLEDGED
SETTLED = SETTLING.total_seconds()
LOOKED = LOOK_EVERY.total_seconds()


@JUMPS
@RESTARTS
async def test_the_ladder_climbs_in_its_time(jump: timedelta, restart: bool) -> None:
    clock = ManualClock(START)
    records = MemoryDeskRecords(clock=clock)
    async with started(records, clock) as world:
        records.tell(step(0, FIRING, severity=Severity.CRITICAL))
        await world.settle()
        await world.pass_seconds(60)
        clock.jump(jump)
        if not restart:
            await _climbs_at_300(world, jump)
    if restart:
        async with started(records, clock) as world:
            await _climbs_at_300(world, jump)


async def _climbs_at_300(world: World, jump: timedelta) -> None:
    await world.pass_seconds(239)
    assert [one.receiver for one in world.intents] == ["wall"]
    await world.pass_seconds(1 + SETTLED)
    assert [one.receiver for one in world.intents] == ["wall", "phone-li"]
    assert world.intents[-1].at == instant(300) + jump


@JUMPS
async def test_what_was_recorded_before_a_jump_and_is_read_after_it_takes_no_ladder_along(jump: timedelta) -> None:
    async with started() as world:
        world.records.tell(step(0, FIRING, severity=Severity.CRITICAL))
        await world.settle()
        await world.pass_seconds(10)
        world.clock.jump(jump)
        world.records.tell(step(10, FIRING, "other", severity=Severity.CRITICAL))
        await world.settle()
        await world.pass_seconds(280)
        assert [one.purpose for one in world.intents if one.purpose is Purpose.ESCALATION] == []


@JUMPS
async def test_a_silence_ends_by_the_wall_clock(jump: timedelta) -> None:
    """It was set until a time of day: whoever reads that time on the clock expects it to be over."""
    async with started() as world:
        world.records.kept = [silence(0, 3_600)]
        await world.pass_seconds(LOOKED)
        world.records.tell(step(1, FIRING, severity=Severity.CRITICAL))
        await world.pass_seconds(LOOKED)
        assert world.intents == []
        world.clock.jump(jump)
        await world.pass_seconds(LOOKED + SETTLED)
        await world.pass_seconds(LOOKED + SETTLED)
        assert len(world.intents) == 1


@JUMPS
async def test_a_component_is_told_of_after_it_was_away_for_its_time(jump: timedelta) -> None:
    async with started() as world:
        world.health = {"broker": "gone"}
        await world.pass_seconds(LOOKED)
        world.clock.jump(jump)
        await world.pass_seconds(20)
        assert world.intents == []
        await world.pass_seconds(20)
        transitions = [one for commit in world.records.commits for one in commit.transitions]
        fired = [one for one in transitions if one.kind is FIRING]
        assert [(one.rule, one.at) for one in fired] == [("broker-away", world.clock.now())]
