"""The desk service on twins: each intent is committed once, whatever fails and whenever it stops."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from alerts.dispatch.model import DeskCommit, Intent, Purpose, SuppressionKind
from alerts.dispatch.plan import Plan
from alerts.dispatch.service import SETTLING, SLICE, DeskService, Surroundings
from alerts.history import RotaOverrideRow
from alerts.inventory import DeviceFacts, Inventory
from alerts.matchers import Matcher
from alerts.model import Severity, TransitionKind
from core.clock import ManualClock
from core.errors import Fenced, TemporaryError
from storage.memory.desk import MemoryDeskRecords
from tests.unit.alerts.dispatch.scene import PLAN, START, instant, lift, plan, silence, step
from tests.unit.alerts.settling import Settling

FIRING, ACKNOWLEDGED = TransitionKind.FIRING, TransitionKind.ACKNOWLEDGED
CRITICAL = Severity.CRITICAL


class World(Settling):
    """A service with its twins and what it goes by; `settle` lets it run until it waits at the timelines' end."""

    def __init__(self, records: MemoryDeskRecords, clock: ManualClock) -> None:
        super().__init__()
        self.records = records
        self.clock = clock
        self.plan: Plan = plan()
        self.facts = Inventory({}, 1)
        self.overrides: list[RotaOverrideRow] = []
        self.health: dict[str, str | None] = {"broker": None}
        around = Surroundings(lambda: self.plan, self, self._overrides, lambda: self.health)
        self.service = DeskService(records, around, clock, wait=self._wait, pause=self._pause)

    async def inventory(self) -> Inventory:
        return self.facts

    async def _overrides(self, since: datetime) -> Sequence[RotaOverrideRow]:
        return [each for each in self.overrides if each.ends_at > since]

    async def pass_seconds(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        await self.settle()
        await self.settle()

    @property
    def intents(self) -> list[Intent]:
        return [one for commit in self.records.commits for one in commit.intents]


@asynccontextmanager
async def started(records: MemoryDeskRecords | None = None, clock: ManualClock | None = None) -> AsyncIterator[World]:
    clock = clock or ManualClock(START)
    world = World(records or MemoryDeskRecords(clock=clock), clock)
    world.task = asyncio.create_task(world.service.run(), name="desk")
    try:
        await world.settle()
        yield world
    finally:
        world.task.cancel()
        await asyncio.gather(world.task, return_exceptions=True)


async def test_an_intent_is_committed_with_the_step_it_follows_from() -> None:
    async with started() as world:
        world.records.tell(step(0, FIRING, severity=CRITICAL))
        await world.settle()
        commit = next(one for one in world.records.commits if one.intents)
    assert (commit.previous_sequence, commit.sequence) == (0, 1)
    assert [one.receiver for one in commit.intents] == ["wall"]
    assert [note.reason.code for note in commit.notes] == ["firing"]
    assert {key.split("/")[0] for key in commit.states} == {"alert", "incident", "desk"}
    assert world.service.stats.intents == 1


async def test_time_alone_climbs_the_ladder_after_the_settling() -> None:
    async with started() as world:
        world.records.tell(step(0, FIRING, severity=CRITICAL))
        await world.settle()
        await world.pass_seconds(300)
        assert len(world.intents) == 1
        await world.pass_seconds(SETTLING.total_seconds())
        assert [one.receiver for one in world.intents] == ["wall", "phone-li"]
        assert world.intents[-1].at == instant(300)


async def test_a_step_recorded_just_before_a_timer_and_seen_just_after_it_comes_first() -> None:
    async with started() as world:
        world.records.tell(step(0, FIRING, severity=CRITICAL))
        await world.settle()
        await world.pass_seconds(300.2)
        world.records.tell(step(299.9, ACKNOWLEDGED, severity=CRITICAL))
        await world.settle()
        await world.pass_seconds(10)
        assert len(world.intents) == 1


async def test_an_act_from_a_machine_whose_clock_is_ahead_takes_no_ladder_along() -> None:
    async with started() as world:
        world.records.tell(step(0, FIRING, "a1", severity=CRITICAL))
        world.records.tell(step(7_200, ACKNOWLEDGED, "a2", severity=CRITICAL))
        await world.settle()
        assert [one.purpose for one in world.intents] == [Purpose.FIRING]
        await world.pass_seconds(300 + SETTLING.total_seconds())
        assert [(one.receiver, one.at) for one in world.intents[1:]] == [("phone-li", instant(300))]


@pytest.mark.parametrize("stored", [False, True])
async def test_a_commit_that_fails_is_repeated_and_nothing_is_said_twice(stored: bool) -> None:
    async with started() as world:
        world.records.fail(times=3, stored=stored)
        world.records.tell(step(0, FIRING, severity=CRITICAL))
        await world.settle()
        assert len(world.intents) == 1
        assert world.service.stats.retries == 3
        assert world.service.stats.detail == ""
        assert len(world.pauses) == 3


async def test_what_was_decided_and_not_committed_is_decided_again_at_the_next_start() -> None:
    clock = ManualClock(START)
    records = MemoryDeskRecords(clock=clock)
    async with started(records, clock) as world:
        records.fail(times=1_000_000)
        records.tell(step(0, FIRING, severity=CRITICAL))
        world.service.stats.detail = ""
        while world.service.stats.retries < 3:
            world._go.set()
            await asyncio.sleep(0)
    records._failures.clear()
    async with started(records, clock) as world:
        await world.settle()
        assert [one.purpose for one in world.intents] == [Purpose.FIRING]


async def test_a_restart_repeats_nothing() -> None:
    clock = ManualClock(START)
    records = MemoryDeskRecords(clock=clock)
    records.tell(step(0, FIRING, severity=CRITICAL))
    for _ in range(5):
        async with started(records, clock) as world:
            await world.pass_seconds(100)
    intents = [one for commit in records.commits for one in commit.intents]
    names = [one.id for one in intents]
    assert [one.receiver for one in intents] == ["wall", "phone-li"]
    assert len(set(names)) == 2


async def test_a_second_desk_is_stopped() -> None:
    async with started() as world:
        world.records.tell(step(0, FIRING, severity=CRITICAL))
        world.records._stands_at = 77
        with pytest.raises(Fenced):
            await world.settle()


async def test_shelving_holds_from_the_very_step_that_tells_of_it() -> None:
    async with started() as world:
        world.records.tell(step(0, FIRING, severity=Severity.MINOR))
        await world.settle()
        world.records.kept.append(silence(0, 3_600, Matcher("rule", "door"), kind=SuppressionKind.SHELVED))
        world.records.tell(step(0.2, TransitionKind.SHELVED, severity=Severity.MINOR))
        await world.pass_seconds(600)
        assert world.intents == []


async def test_silences_facts_and_a_new_plan_are_taken_up_while_running() -> None:
    async with started() as world:
        world.records.kept.append(silence(0, 10_000, Matcher("tag", "quiet")))
        world.facts = Inventory({lift(): DeviceFacts(tags=frozenset({"quiet"}))}, 2)
        world.plan = plan(PLAN.replace("notify: [receiver:wall]", "notify: [person:wang]"))
        await world.pass_seconds(2)
        world.records.tell(step(2, FIRING, "a1", severity=CRITICAL))
        world.records.tell(step(2, FIRING, "a2", severity=CRITICAL, device=lift(2)))
        await world.settle()
        assert [(one.receiver, one.alerts[0].id) for one in world.intents] == [("phone-wang", "a2")]


async def test_a_broker_that_is_away_raises_an_alert_and_tells_people() -> None:
    async with started() as world:
        world.health["broker"] = "connection refused"
        await world.pass_seconds(2)
        await world.pass_seconds(31)
        assert [one.rule for commit in world.records.commits for one in commit.transitions][-1] == "broker-away"
        assert [one.alerts[0].rule for one in world.intents] == ["broker-away"]
        world.health["broker"] = None
        await world.pass_seconds(2)
        assert [one.purpose for one in world.intents] == [Purpose.FIRING, Purpose.RESOLVED]


async def test_a_receiver_that_fails_is_told_of_by_another() -> None:
    async with started() as world:
        world.records.outbox.failing["wall"] = "410 Gone"
        await world.pass_seconds(2)
        await world.pass_seconds(31)
        assert [(one.receiver, one.alerts[0].rule) for one in world.intents] == [("phone-li", "notification-failed")]


async def test_a_restart_while_a_receiver_is_away_neither_resolves_nor_raises_again() -> None:
    clock = ManualClock(START)
    records = MemoryDeskRecords(clock=clock)
    async with started(records, clock) as world:
        records.tell(step(0, FIRING, severity=CRITICAL))
        await world.settle()
        await records.outbox.postpone(1, clock.now(), instant(900), "connection refused")
        await world.pass_seconds(599)
        assert own_steps(records) == []
        await world.pass_seconds(2)
        assert own_steps(records) == ["pending", "firing"]
    for _ in range(2):
        async with started(records, clock) as world:
            await world.pass_seconds(30)
            await world.pass_seconds(700)
    assert own_steps(records) == ["pending", "firing"]
    async with started(records, clock) as world:
        await records.outbox.delivered(1, clock.now(), "200 OK")
        await world.pass_seconds(2)
    assert own_steps(records) == ["pending", "firing", "resolved"]


def own_steps(records: MemoryDeskRecords) -> list[str]:
    own = [one for commit in records.commits for one in commit.transitions]
    assert {(one.rule, one.device.device) for one in own} <= {("notification-failed", "receiver-wall")}
    return [one.kind.value for one in own]


async def test_a_desk_that_failed_and_is_run_again_decides_from_the_last_commit() -> None:
    class Broken(MemoryDeskRecords):
        mistakes = 1

        async def commit(self, decided: DeskCommit) -> None:
            if decided.intents and self.mistakes:
                self.mistakes -= 1
                raise ValueError("a mistake of ours")
            await super().commit(decided)

    async with started(Broken()) as world:
        world.records.tell(step(0, FIRING, severity=CRITICAL))
        with pytest.raises(ValueError, match="a mistake of ours"):
            await world.settle()
        assert world.intents == []
        world.task = asyncio.create_task(world.service.run(), name="desk")
        await world.settle()
        assert [one.receiver for one in world.intents] == ["wall"]


async def test_a_long_backlog_is_committed_in_slices() -> None:
    clock = ManualClock(instant(100))
    records = MemoryDeskRecords(clock=clock)
    for number in range(3 * SLICE):
        records.tell(step(number / 100, FIRING, f"a{number}", device=lift(number)))
    async with started(records, clock) as world:
        await world.settle()
        sizes = [
            one.sequence - one.previous_sequence for one in records.commits if one.sequence > one.previous_sequence
        ]
        assert sizes == [SLICE] * 3
        assert world.service.stats.steps == 3 * SLICE


async def test_records_that_are_away_are_waited_for() -> None:
    class Away(MemoryDeskRecords):
        refusals = 4

        async def suppressions(self, now: datetime) -> Sequence[object]:  # type: ignore[override]
            if self.refusals:
                self.refusals -= 1
                raise TemporaryError("records: away")
            return await super().suppressions(now)

    async with started(Away()) as world:
        assert world.service.stats.retries == 4
        assert world.service.stats.detail == ""


async def test_what_changes_nothing_is_not_committed() -> None:
    async with started() as world:
        for _ in range(20):
            await world.pass_seconds(60)
        assert [one for one in world.records.commits if not only_the_clock(one)] == []
        assert len(world.records.commits) <= 1


def only_the_clock(commit: DeskCommit) -> bool:
    return set(commit.states) <= {"desk"} and not commit.intents and replace(commit, states={}).notes == []


async def test_after_eight_hours_away_nobody_gets_eight_hours_of_reminders() -> None:
    records, clock = MemoryDeskRecords(clock=ManualClock(START)), ManualClock(START)
    async with started(records, clock) as world:
        records.tell(step(0, FIRING, severity=CRITICAL))
        await world.settle()
        await world.pass_seconds(700)
        assert [one.receiver for one in world.intents] == ["wall", "phone-li", "phone-wang"]
    clock.advance(timedelta(hours=8))
    before = len(world.intents)
    async with started(records, clock) as world:
        await world.pass_seconds(1)
        said = world.intents[before:]
        assert [(one.receiver, one.purpose) for one in said] == [
            (receiver, Purpose.REMINDER) for receiver in ("wall", "phone-li", "phone-wang")
        ]
        # The newest of them, and the timeline tells of that one alone.
        assert clock.now() - said[0].at < timedelta(minutes=30)
        notes = [note for commit in records.commits for note in commit.notes if note.reason.code == "reminder"]
        assert len(notes) == 1
        await world.pass_seconds(1_800)
        assert len(world.intents) == before + 6
