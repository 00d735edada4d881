"""The wall clock is set forward or back: rules count the seconds that pass; what they say is stamped by it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from alerts.engine import Engine
from alerts.model import TransitionKind
from alerts.service import SETTLING
from core.clock import ManualClock, to_microseconds
from core.observations import Observation
from storage.memory.records import MemoryAlertRecords
from tests.unit.alerts.talk import START, Talk, instant, rule, told
from tests.unit.alerts.test_service import DOOR, SILENT, Journal, World, started

HOURS = timedelta(hours=2)
JUMPS = pytest.mark.parametrize("jump", [HOURS, -HOURS], ids=["forward", "back"])
RESTARTS = pytest.mark.parametrize("restart", [False, True])
FIRING, RESOLVED = TransitionKind.FIRING, TransitionKind.RESOLVED


class Site(Talk):
    """Devices whose clocks follow the machine's; ``clock`` is both of ours."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock = clock

    def says(self, **signals: Any) -> Observation:
        """Return what the lift says now, as ingest keeps it."""
        now = self.clock.now()
        said = self.lift((now - START).total_seconds(), **signals)
        ahead = now - self.clock.steady()
        return replace(said, wall_ahead=ahead // timedelta(microseconds=1))


class Duty:
    """A service over one journal and one set of records, which may be started again."""

    def __init__(self, *rules: Any) -> None:
        self.rules = list(rules)
        self.clock = ManualClock(START)
        self.site = Site(self.clock)
        self.journal = Journal()
        self.records = MemoryAlertRecords()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[World]:
        async with started(self.rules, self.journal, self.records) as world:
            world.clock = world.service._clock = self.clock
            await world.settle()
            yield world

    @property
    def said(self) -> list[TransitionKind]:
        steps = [one.kind for commit in self.records.commits for one in commit.transitions]
        return [kind for kind in steps if kind is not TransitionKind.PENDING]


@JUMPS
@RESTARTS
async def test_a_door_that_stays_open_is_told_after_its_seconds(jump: timedelta, restart: bool) -> None:
    duty = Duty(DOOR)
    async with duty.working() as world:
        duty.journal.hear(duty.site.says(door_state="open"))
        await world.pass_seconds(1)
        duty.clock.jump(jump)
        if not restart:
            await _fires_at_ten(duty, world)
    if restart:
        async with duty.working() as world:
            await _fires_at_ten(duty, world)


async def _fires_at_ten(duty: Duty, world: World) -> None:
    await world.pass_seconds(8.9)
    assert duty.said == []
    await world.pass_seconds(0.1 + SETTLING.total_seconds())
    assert duty.said == [FIRING]
    fired = next(one for commit in duty.records.commits for one in commit.transitions if one.kind is FIRING)
    assert fired.at == duty.clock.now() - SETTLING
    assert fired.at - fired.pending_since == timedelta(seconds=10)


@JUMPS
@RESTARTS
async def test_silence_is_told_after_its_minutes_and_no_device_seems_silent_for_the_jump(
    jump: timedelta, restart: bool
) -> None:
    duty = Duty(SILENT)
    async with duty.working() as world:
        duty.journal.hear(duty.site.says(floor="1"))
        await world.settle()
        duty.clock.jump(jump)
        await world.pass_seconds(30)
        assert duty.said == []
        duty.journal.hear(duty.site.says(floor="2"))
        await world.settle()
        if not restart:
            await _silent_at_five_minutes(duty, world)
    if restart:
        async with duty.working() as world:
            await _silent_at_five_minutes(duty, world)


async def _silent_at_five_minutes(duty: Duty, world: World) -> None:
    await world.pass_seconds(299)
    assert duty.said == []
    await world.pass_seconds(1 + SETTLING.total_seconds())
    assert duty.said == [FIRING]


@JUMPS
async def test_what_comes_after_a_jump_is_as_new_as_what_came_before(jump: timedelta) -> None:
    duty = Duty(DOOR)
    async with duty.working() as world:
        duty.journal.hear(duty.site.says(door_state="open"))
        await world.pass_seconds(11)
        duty.clock.jump(jump)
        duty.journal.hear(duty.site.says(door_state="closed"))
        await world.settle()
        assert duty.said == [FIRING, RESOLVED]


@JUMPS
async def test_the_live_view_goes_on(jump: timedelta) -> None:
    duty = Duty(DOOR)
    async with duty.working() as world:
        duty.journal.hear(duty.site.says(floor="1"))
        await world.pass_seconds(1)
        duty.clock.jump(jump)
        duty.journal.hear(duty.site.says(floor="2"))
        await world.pass_seconds(1)
        duty.journal.hear(duty.site.says(floor="3"))
        await world.pass_seconds(2)
    (*_, newest) = (sight for commit in duty.records.commits for sight in commit.sightings)
    assert b'"3"' in bytes(newest.latest)
    assert newest.last_heard_at == duty.clock.now() - timedelta(seconds=2)


@JUMPS
def test_a_replay_of_the_journal_says_the_same_whatever_the_wall_clock_did(jump: timedelta) -> None:
    clock = ManualClock(START)
    site, heard = Site(clock), []
    for second in range(0, 60, 3):
        if second == 15:
            clock.jump(jump)
        heard.append(site.says(door_state="open" if 3 <= second < 45 else "closed"))
        clock.advance(timedelta(seconds=3))
    whole = Engine([DOOR])
    said = [one for each in heard for one in whole.observe(each)]
    # The timer of 13 s is seen with the next message, when the wall clock was set already.
    assert told(said) == [(13.0 + jump.total_seconds(), "firing"), (45.0 + jump.total_seconds(), "resolved")]
    cut, again = Engine([DOOR]), []
    for each in heard:
        again += cut.observe(each)
        kept, cut = cut, Engine([DOOR])
        cut.restore({path: state for path, state in kept.dirty().items() if state is not None})
    assert again == said


HOURS_OF_DUTY = "schedule: {zone: Asia/Shanghai, hours: ['14:00-16:00']}"


@JUMPS
def test_the_hours_of_a_rule_are_those_of_the_wall_clock(jump: timedelta) -> None:
    """15:00 there is `START`: two hours on or back, the rule is not in force."""
    engine = Engine([rule("elevator", "{kind: state, signal: door_state, equals: open}", HOURS_OF_DUTY)])
    talk = Talk()
    assert [one.kind for one in engine.observe(talk.lift(60, door_state="open"))][-1] is FIRING
    said = engine.advance(instant(61), jump)
    assert [(one.kind, one.reason.code) for one in said] == [(RESOLVED, "out_of_schedule")]
    assert to_microseconds(said[0].at) == to_microseconds(instant(61) + jump)
