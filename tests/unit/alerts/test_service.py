"""The alert service on twins: nothing is lost, doubled or decided too early, whatever fails and whenever it stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest

from alerts.engine import Engine
from alerts.inventory import DeviceFacts, Inventory
from alerts.model import Commit, DeviceSighting, Snapshot, Transition, TransitionKind
from alerts.rules import Rule
from alerts.service import SETTLING, SLICE, AlertService
from alerts.unknown_devices import UnknownLimits
from core.clock import ManualClock
from core.devices import DeviceKey, DeviceKind
from core.errors import Fenced, TemporaryError
from core.observations import Entry, Observation, Rejection, RejectionReason
from core.wire.payloads import ElevatorEvent, ElevatorTelemetry, PresenceStatus
from core.wire.payloads import ElevatorEventType as Lift
from core.wire.payloads import GateEventType as Gate
from storage.memory.records import MemoryAlertRecords
from tests.unit.alerts.settling import Settling
from tests.unit.alerts.talk import CAMERA, LIFT, START, Talk, instant, rule, told

DOOR = rule("elevator", "{kind: state, signal: door_state, equals: open}", "for: 10s", rule_id="door")
BUTTON = rule("elevator", "{kind: event, types: [alarm_pressed], clears_on: [alarm_released]}", rule_id="button")
SILENT = rule("elevator", "{kind: missing, nothing_for: 5m}", rule_id="silent")


class Journal:
    """Holds observations by position; a decoder that looks them up stands for the real one."""

    def __init__(self) -> None:
        self.advanced: list[int] = []
        self.registered: list[str] = []
        self.reads = 0
        self.failures = 0
        self._entries: list[Entry] = []
        self._observations: dict[int, Observation] = {}

    def hear(self, *observations: Observation) -> None:
        for one in observations:
            self._observations[one.position] = one
            self._entries.append(Entry(one.position, one.received_at, "t", b"{}", 2, digest=one.position))

    def spoil(self, position: int, *, duplicate: bool) -> None:
        """Add an entry that is a duplicate, or one that cannot be decoded."""
        self._entries.append(Entry(position, START, "t", b"", 0, digest=position, duplicate=duplicate))

    def decode(self, entry: Entry) -> Observation | Rejection:
        assert not entry.duplicate, "duplicates carry no payload to decode"
        rejected = Rejection(entry.position, entry.received_at, "t", RejectionReason.NOT_JSON, "", b"")
        return self._observations.get(entry.position, rejected)

    def read(self, after: int, limit: int) -> list[Entry]:
        self.reads += 1
        if self.failures:
            self.failures -= 1
            raise TemporaryError("journal: told to fail")
        return [entry for entry in self._entries if entry.position > after][:limit]

    def register(self, reader: str) -> int:
        self.registered.append(reader)
        return 0

    def advance(self, reader: str, position: int) -> None:
        self.advanced.append(position)

    def last_position(self) -> int:
        return self._entries[-1].position if self._entries else 0


class Changes:
    """Rules and facts of devices that a test changes; ``failures`` makes the registry unreachable so many times."""

    def __init__(self) -> None:
        self.rules: list[Rule] | None = None
        self.facts = Inventory()
        self.failures = 0

    async def changed(self) -> list[Rule] | None:
        changed, self.rules = self.rules, None
        return changed

    async def inventory(self) -> Inventory:
        if self.failures:
            self.failures -= 1
            raise TemporaryError("records: told to fail")
        return self.facts


class World(Settling):
    """A service with its twins; `settle` lets it run until it waits at the journal's end."""

    def __init__(
        self,
        rules: list[Rule],
        journal: Journal,
        records: MemoryAlertRecords,
        now: datetime,
        changes: Changes | None = None,
        limits: UnknownLimits | None = None,
    ) -> None:
        super().__init__()
        self.journal = journal
        self.records = records
        self.clock = ManualClock(now)
        self.service = AlertService(
            journal,
            journal.decode,
            records,
            Engine(rules, limits),
            self.clock,
            wait=self._wait,
            pause=self._pause,
            rules=changes,
            registry=changes,
        )

    async def pass_seconds(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        await self.settle()

    @property
    def transitions(self) -> list[Transition]:
        return [one for commit in self.records.commits for one in commit.transitions]


@asynccontextmanager
async def started(
    rules: list[Rule],
    journal: Journal | None = None,
    records: MemoryAlertRecords | None = None,
    now: datetime = START,
    changes: Changes | None = None,
    limits: UnknownLimits | None = None,
) -> AsyncIterator[World]:
    world = World(rules, journal or Journal(), records or MemoryAlertRecords(), now, changes, limits)
    world.task = asyncio.create_task(world.service.run(), name="alerts")
    try:
        await world.settle()
        yield world
    finally:
        world.task.cancel()
        await asyncio.gather(world.task, return_exceptions=True)


async def test_it_registers_and_commits_a_transition_with_everything_that_belongs_to_it() -> None:
    talk, journal = Talk(), Journal()
    journal.hear(talk.lift(0, floor="B1"), talk.lift_event(0, Lift.FAULT_RAISED, "2"))
    journal.hear(talk.lift_event(0, Lift.ALARM_PRESSED))
    async with started([BUTTON], journal) as world:
        (commit,) = world.records.commits
    assert journal.registered == ["alerts"]
    assert (commit.previous_position, commit.position) == (0, 3)
    assert [one.kind for one in commit.transitions] == [TransitionKind.PENDING, TransitionKind.FIRING]
    assert [one.code for one in commit.faults] == ["2"]
    assert [one.device for one in commit.sightings] == [LIFT]
    assert LIFT.path in commit.states


async def test_a_transition_does_not_wait_for_a_long_batch() -> None:
    talk, journal = Talk(), Journal()
    journal.hear(talk.lift_event(0, Lift.ALARM_PRESSED), *(talk.lift(0) for _ in range(3 * SLICE)))
    async with started([BUTTON], journal) as world:
        assert world.records.commits[0].position == SLICE


async def test_without_transitions_it_commits_once_a_second() -> None:
    talk, journal = Talk(), Journal()
    async with started([BUTTON], journal) as world:
        for _ in range(5):
            journal.hear(talk.lift(0))
            await world.pass_seconds(0.3)
        assert [commit.position for commit in world.records.commits] == [4]
        assert journal.advanced == [4]


async def test_nothing_new_is_no_commit() -> None:
    async with started([BUTTON]) as world:
        for _ in range(5):
            await world.pass_seconds(2)
    assert world.records.commits == []


async def test_duplicates_and_rejections_only_move_the_position() -> None:
    journal = Journal()
    journal.spoil(1, duplicate=True)
    journal.spoil(2, duplicate=False)
    async with started([BUTTON], journal) as world:
        await world.pass_seconds(2)
    (commit,) = world.records.commits
    assert (commit.position, commit.states, commit.sightings) == (2, {}, [])


async def test_timers_run_out_at_the_end_of_the_journal_at_their_own_instant() -> None:
    talk, journal = Talk(), Journal()
    journal.hear(talk.lift(0, door_state="open"))
    async with started([DOOR], journal) as world:
        await world.pass_seconds(10)
        assert told(world.transitions) == []
        await world.pass_seconds(SETTLING.total_seconds())
        assert told(world.transitions) == [(10, "firing")]


async def test_no_timer_overtakes_a_message_that_was_received_before_it() -> None:
    talk, journal = Talk(), Journal()
    journal.hear(talk.lift(0, door_state="open"))
    async with started([DOOR], journal) as world:
        # Received at 9.99 s, but in the journal only when the clock stands at 10.1 s.
        await world.pass_seconds(10.1)
        journal.hear(talk.lift(9.99, door_state="closed"))
        await world.settle()
        await world.pass_seconds(60)
    assert world.transitions == []


@pytest.mark.parametrize("stored", [False, True], ids=["not stored", "only the answer lost"])
async def test_a_failed_commit_is_repeated_as_it_was_until_it_succeeds(stored: bool) -> None:
    talk, journal, records = Talk(), Journal(), MemoryAlertRecords()
    journal.hear(talk.lift_event(0, Lift.ALARM_PRESSED))
    records.fail(times=8, stored=stored)
    async with started([BUTTON], journal, records) as world:
        assert (records.attempts, world.service.stats.retries) == (9, 8)
        assert len(records.commits) == 1
        assert told(world.transitions) == [(0, "firing")]
        assert world.service.stats.detail == ""
        journal.hear(talk.lift_event(1, Lift.ALARM_RELEASED))
        await world.settle()
        assert told(world.transitions) == [(0, "firing"), (1, "resolved")]
    assert all(seconds <= 5.0 for seconds in world.pauses)
    assert world.pauses[5] > world.pauses[0]


async def test_a_journal_that_fails_is_read_again() -> None:
    talk, journal = Talk(), Journal()
    journal.hear(talk.lift_event(0, Lift.ALARM_PRESSED))
    journal.failures = 3
    async with started([BUTTON], journal) as world:
        assert told(world.transitions) == [(0, "firing")]


async def test_a_second_engine_is_fenced() -> None:
    talk, journal, records = Talk(), Journal(), MemoryAlertRecords()
    async with started([BUTTON], journal, records) as world:
        await records.commit(Commit(50, 0, {}, [], [], []))
        journal.hear(talk.lift_event(0, Lift.ALARM_PRESSED))
        with pytest.raises(Fenced):
            await world.settle()


async def test_stopping_commits_what_is_decided() -> None:
    talk, journal = Talk(), Journal()
    journal.hear(talk.lift(0), talk.lift(0))
    async with started([BUTTON], journal) as world:
        assert world.records.commits == []
    assert [commit.position for commit in world.records.commits] == [2]
    assert world.task.cancelled()


async def test_stopped_while_the_records_are_away_it_decides_the_same_at_the_next_start() -> None:
    talk, journal, records = Talk(), Journal(), MemoryAlertRecords()
    journal.hear(talk.lift_event(0, Lift.ALARM_PRESSED))
    records.fail(times=1_000)
    world = World([BUTTON], journal, records, START)
    world.task = asyncio.create_task(world.service.run())
    while world.service.stats.retries < 3:
        await asyncio.sleep(0)
    world.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await world.task
    assert records.commits == []
    again = MemoryAlertRecords(await records.load())
    async with started([BUTTON], journal, again) as second:
        assert told(second.transitions) == [(0, "firing")]


async def test_stopped_within_a_commit_it_repeats_that_commit() -> None:
    talk, journal, records = Talk(), Journal(), MemoryAlertRecords()
    journal.hear(talk.lift_event(0, Lift.ALARM_PRESSED))
    world = World([BUTTON], journal, records, START)
    records.fail(times=1)
    stop = asyncio.Event()

    async def stop_here(_seconds: float) -> None:
        stop.set()
        await asyncio.Event().wait()

    world.service = AlertService(
        journal, journal.decode, records, Engine([BUTTON]), world.clock, wait=world._wait, pause=stop_here
    )
    world.task = asyncio.create_task(world.service.run())
    await stop.wait()
    world.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await world.task
    assert told(world.transitions) == [(0, "firing")]


async def test_after_a_crash_it_catches_up_by_the_time_of_the_messages() -> None:
    talk, journal, records = Talk(), Journal(), MemoryAlertRecords()
    journal.hear(talk.lift(0, door_state="open"), talk.lift(30), talk.lift(40, door_state="closed"))
    async with started([DOOR], journal, records, now=instant(50)) as world:
        assert told(world.transitions) == [(10, "firing"), (40, "resolved")]
    assert world.transitions[0].position == 1


@pytest.mark.parametrize("cut", range(5))
async def test_started_again_at_any_commit_it_tells_the_same(cut: int) -> None:
    talk, journal = Talk(), Journal()
    said = [
        talk.lift(0, door_state="open"),
        talk.lift_event(5, Lift.ALARM_PRESSED),
        talk.lift(20),
        talk.lift(25, door_state="closed"),
        talk.lift_event(30, Lift.ALARM_RELEASED),
    ]
    records = MemoryAlertRecords()
    journal.hear(*said[:cut])
    async with started([DOOR, BUTTON], journal, records, now=instant(0)):
        pass
    journal.hear(*said[cut:])
    async with started([DOOR, BUTTON], journal, records, now=instant(31)) as world:
        pass
    assert told(world.transitions) == [(5, "firing"), (10, "firing"), (25, "resolved"), (30, "resolved")]


async def test_the_live_view_survives_a_restart() -> None:
    talk, journal, records = Talk(), Journal(), MemoryAlertRecords()
    journal.hear(talk.lift(0, floor="B1"))
    async with started([BUTTON], journal, records):
        pass
    journal.hear(talk.lift(1, door_zone=True))
    async with started([BUTTON], journal, records):
        pass
    latest = records.commits[-1].sightings[-1].latest
    assert b'"floor":{"value":"B1"' in latest
    assert b'"door_zone":{"value":true' in latest


@pytest.mark.parametrize(("away", "expected"), [(30, [(300, "firing")]), (3600, [])])
async def test_a_night_switched_off_does_not_make_every_device_missing(away: float, expected: list[object]) -> None:
    talk, journal, records = Talk(), Journal(), MemoryAlertRecords()
    journal.hear(talk.lift(0))
    async with started([SILENT], journal, records):
        pass
    async with started([SILENT], journal, records, now=instant(away)) as world:
        await world.pass_seconds(290)
        assert told(world.transitions) == expected


GONE = rule("elevator", "{kind: missing, nothing_for: 5m, offline_for: 30s}", rule_id="silent")


@pytest.mark.parametrize(
    ("away", "again", "expected"),
    [
        pytest.param(20, 45, [], id="back after a short absence of ours"),
        pytest.param(150, 175, [], id="back after a longer one"),
        pytest.param(150, None, [(182, "firing")], id="it stays away: its patience counts from our return"),
        pytest.param(5, None, [(32, "firing")], id="nobody noticed that we were away"),
    ],
)
async def test_an_offline_from_before_our_absence_proves_nothing_after_it(
    away: float, again: float | None, expected: list[object]
) -> None:
    talk, journal, records = Talk(), Journal(), MemoryAlertRecords()
    journal.hear(talk.lift(0), talk.presence(2, PresenceStatus.OFFLINE))
    async with started([GONE], journal, records, now=instant(2)):
        pass
    # Somebody else is the first to speak after our return: before anything is told of the lift.
    journal.hear(talk.gate(2 + away, Gate.GRANTED))
    async with started([GONE], journal, records, now=instant(2 + away)) as world:
        await world.pass_seconds(1)
        if again is not None:
            journal.hear(talk.presence(again, PresenceStatus.ONLINE), talk.lift(again + 1))
        await world.pass_seconds(100)
    assert told(world.transitions) == expected


def sightings(records: MemoryAlertRecords) -> list[DeviceSighting]:
    return [each for commit in records.commits for each in commit.sightings]


async def test_the_skew_of_a_slow_clock_is_seen_and_told_of() -> None:
    talk, journal, records = Talk(), Journal(), MemoryAlertRecords()
    journal.hear(*(talk.lift(at - 400, received=at, late=True) for at in range(0, 100, 10)))
    async with started([BUTTON], journal, records, now=instant(100)) as world:
        await world.pass_seconds(2)
        assert sightings(records)[-1].skew == timedelta(seconds=-400)
        assert list(world.service.problems()) == [f"device-clock/{LIFT.path}"]
    async with started([BUTTON], journal, records, now=instant(103)) as world:
        assert list(world.service.problems()) == [f"device-clock/{LIFT.path}"]
        journal.hear(*(talk.lift(at) for at in range(110, 200, 10)))
        await world.pass_seconds(100)
        assert sightings(records)[-1].skew is None
        assert world.service.problems() == {}


async def test_unknown_devices_at_their_bound_are_told_and_counted() -> None:
    talk, journal, limits = Talk(), Journal(), UnknownLimits(2, 9)
    lifts = [DeviceKey("demo", DeviceKind.ELEVATOR, f"lift-{number}") for number in range(5)]
    journal.hear(*(talk.say(n, lift, ElevatorTelemetry(at=instant(n))) for n, lift in enumerate(lifts)))
    changes = Changes()
    async with started([BUTTON], journal, now=instant(9), changes=changes, limits=limits) as world:
        ((component, told_of),) = world.service.problems().items()
        assert component == "unknown-devices/demo"
        assert (world.service.stats.forgotten, world.service.unknown_devices) == (3, 2)
        assert "上限 2 台" in told_of
        assert "2 unregistered devices" in told_of
        changes.facts = Inventory({lifts[4]: DeviceFacts()}, 1)
        await world.pass_seconds(2)
        assert world.service.problems() == {}
        assert [device for commit in world.records.commits for device in commit.forgotten] == lifts[:3]


async def test_a_device_that_is_forgotten_by_its_own_message_is_not_shown() -> None:
    talk, journal, limits = Talk(), Journal(), UnknownLimits(15, 15)
    rising = rule("thermal", "{kind: rate, signal: maximum_celsius, above: 4, clear: 2, window: 2m}", rule_id="rising")
    for number in range(14):
        lift = DeviceKey("demo", DeviceKind.ELEVATOR, f"lift-{number}")
        journal.hear(talk.say(number, lift, ElevatorEvent(at=instant(number), type=Lift.ALARM_PRESSED)))
    journal.hear(talk.camera(20, **{f"rack-{number}": 20.0 for number in range(64)}))
    async with started([BUTTON, rising], journal, now=instant(21), limits=limits) as world:
        assert world.service.stats.forgotten == 1
    states = world.records.commits[-1].states
    assert [path for path, state in states.items() if state is None] == [CAMERA.path, f"live:{CAMERA.path}"]
    assert CAMERA not in {sighting.device for sighting in world.records.commits[-1].sightings}


async def test_alerts_of_rules_that_are_gone_are_resolved_at_the_start() -> None:
    talk, journal, records = Talk(), Journal(), MemoryAlertRecords()
    journal.hear(talk.lift_event(0, Lift.ALARM_PRESSED))
    async with started([BUTTON], journal, records):
        pass
    async with started([DOOR], journal, records, now=instant(60)) as world:
        assert world.transitions[-1].reason.code == "rule_removed"


async def test_changed_rules_are_put_in_force_within_a_second() -> None:
    talk, journal, changes = Talk(), Journal(), Changes()
    async with started([BUTTON], journal, changes=changes) as world:
        journal.hear(talk.lift(0, door_state="open"))
        await world.settle()
        changes.rules = [BUTTON, DOOR]
        await world.pass_seconds(0.5)
        assert world.service.stats.rule_changes == 0
        await world.pass_seconds(0.5)
        assert world.service.stats.rule_changes == 1
        journal.hear(talk.lift(1, door_state="open"))
        await world.pass_seconds(10.3)
        assert told(world.transitions) == [(11, "firing")]


async def test_the_alert_of_a_rule_taken_out_of_force_is_resolved_with_no_message() -> None:
    talk, journal, changes = Talk(), Journal(), Changes()
    journal.hear(talk.lift_event(0, Lift.ALARM_PRESSED))
    async with started([BUTTON], journal, changes=changes) as world:
        changes.rules = [DOOR]
        await world.pass_seconds(1)
        await world.settle()
        assert [one.reason.code for one in world.transitions[2:]] == ["rule_removed"]


async def test_facts_of_devices_are_known_before_anything_is_decided_and_followed_afterwards() -> None:
    talk, journal, records, changes = Talk(), Journal(), MemoryAlertRecords(), Changes()
    scoped = rule("elevator", "{kind: state, signal: door_state, equals: open}", "scope: {buildings: ['3']}")
    changes.facts = Inventory({LIFT: DeviceFacts(building="3")}, 7)
    journal.hear(talk.lift(0, door_state="open"))
    async with started([scoped], journal, records, changes=changes) as world:
        assert told(world.transitions) == [(0, "firing")]
    changes.failures = 2
    async with started([scoped], journal, records, now=instant(5), changes=changes) as world:
        assert world.service.stats.inventory_version == 7
        changes.failures = 1
        await world.pass_seconds(1)
        assert world.service.stats.inventory_problem == "records: told to fail"
        assert told(world.transitions) == [(0, "firing")]
        changes.facts = Inventory({LIFT: DeviceFacts(building="4")}, 8)
        await world.pass_seconds(1)
        await world.settle()
        assert world.service.stats.inventory_problem == ""
        assert world.transitions[-1].reason.code == "out_of_scope"


async def test_a_fresh_snapshot_is_empty() -> None:
    assert await MemoryAlertRecords().load() == Snapshot(0, {})
