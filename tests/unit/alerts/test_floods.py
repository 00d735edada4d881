"""Messages beyond a budget are decided later, and the same comes of them: whatever the budget, batches and restarts."""

import asyncio
import random
from collections.abc import Iterable, Sequence
from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from alerts.engine import Engine
from alerts.inventory import DeviceFacts, Inventory
from alerts.model import Commit, FaultCleared, FaultRaised, Transition
from alerts.rules import Rule
from alerts.scheduling import Budget, Budgets, RateLimiter, units
from alerts.service import SETTLING, AlertService
from alerts.unknown_devices import UnknownLimits
from core.clock import ManualClock
from core.devices import DeviceKey, DeviceKind
from core.errors import Fenced
from core.observations import Entry, Observation
from core.wire import topics
from core.wire.payloads import ElevatorEventType as Lift
from core.wire.payloads import ElevatorTelemetry
from storage.memory.records import MemoryAlertRecords
from tests.unit.alerts.settling import Settling
from tests.unit.alerts.talk import LIFT, START, Talk, instant, rule
from tests.unit.alerts.talk import told as told_of
from tests.unit.alerts.test_replay import EVERY, LIFTS, Maker, Step, told, undisturbed
from tests.unit.alerts.test_replay import step as any_step
from tests.unit.alerts.test_service import BUTTON, DOOR, Changes, Journal

BEYOND_PEER = rule(
    "elevator",
    "{kind: compare, signal: load_kilograms, with: lift-2, above_by: 50}",
    "for: 3s\nscope: {devices: [lift-1]}",
    rule_id="beyond-peer",
)
PER_DEVICE = [*EVERY]
WITH_PEERS = [*EVERY, BEYOND_PEER]
OTHER = DeviceKey("demo", DeviceKind.ELEVATOR, "lift-9")
NONE_BEYOND = Budgets(Budget(1e9, 1e9), Budget(1e9, 1e9))
LITTLE = Budgets(Budget(1, 10), Budget(1e9, 1e9), backlog_units=2)
MORE = timedelta(days=2)


class TopicJournal(Journal):
    """Whose entries stand under their devices' topics."""

    def hear(self, *observations: Observation) -> None:
        for one in observations:
            self._observations[one.position] = one
            topic = topics.build(one.device, one.channel)
            entry = Entry(one.position, one.received_at, topic, b"{}", 2, digest=one.position)
            self._entries.append(msgspec.structs.replace(entry, wall_ahead=one.wall_ahead))


class Killed(MemoryAlertRecords):
    """Ends the service at some commits, by their numbers; what those hold is lost."""

    def __init__(self, at: Iterable[int] = ()) -> None:
        super().__init__()
        self.at = set(at)

    async def commit(self, decided: Commit) -> None:
        if self.attempts in self.at:
            self.attempts += 1
            raise Fenced("killed")
        await super().commit(decided)


class World(Settling):
    """One installation whose service starts again whenever it was killed."""

    def __init__(
        self,
        rules: Sequence[Rule],
        budgets: Budgets,
        *,
        batch: int = 2_000,
        killed: Iterable[int] = (),
        limits: UnknownLimits | None = None,
    ) -> None:
        super().__init__()
        self.rules, self.budgets, self.batch, self.limits = rules, budgets, batch, limits
        self.journal, self.records, self.clock = TopicJournal(), Killed(killed), ManualClock(START)
        self.changes = Changes()
        self.starts = 0
        self.service: AlertService

    async def __aenter__(self) -> "World":
        self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def _start(self) -> None:
        self._idle.clear()
        self.starts += 1
        self.service = AlertService(
            self.journal,
            self.journal.decode,
            self.records,
            Engine(self.rules, self.limits),
            self.clock,
            wait=self._wait,
            pause=self._pause,
            rules=self.changes,
            registry=self.changes,
            budgets=self.budgets,
            batch=self.batch,
        )
        self.task = asyncio.create_task(self.service.run(), name="alerts")

    async def hear(self, observations: Sequence[Observation]) -> None:
        """Let the journal hold ``observations``, and decide all there is."""
        self.journal.hear(*observations)
        for one in observations[-1:]:
            received = one.received_at - timedelta(microseconds=one.wall_ahead)
            self.clock.advance(max(received - self.clock.steady(), timedelta(0)))
        await self.go_on()

    async def go_on(self) -> None:
        """Decide all there is; started again after each kill."""
        while True:
            try:
                return await self.settle()
            except Fenced:
                self._start()

    async def end(self) -> None:
        """Let everything due happen; a start after so long an absence would forgive it."""
        self.records.at = set()
        # As far as `undisturbed` goes, to the instant: a rule's hours may end within the second after it.
        self.clock.advance(MORE + SETTLING)
        await self.go_on()

    @property
    def said(self) -> list[Transition]:
        return [one for commit in self.records.commits for one in commit.transitions]

    @property
    def faults(self) -> list[FaultRaised | FaultCleared]:
        return [one for commit in self.records.commits for one in commit.faults]

    @property
    def sightings(self) -> dict[DeviceKey, tuple[object, ...]]:
        newest = {one.device: one for commit in self.records.commits for one in commit.sightings}
        return {
            device: (one.last_heard_at, one.online, one.skew, msgspec.json.decode(one.latest))
            for device, one in newest.items()
        }


def by_device(said: Iterable[Transition]) -> dict[DeviceKey, list[Transition]]:
    devices: dict[DeviceKey, list[Transition]] = {}
    for one in said:
        devices.setdefault(one.device, []).append(one)
    return devices


def load() -> st.SearchStrategy[Maker]:
    return st.builds(
        lambda key, kilograms: lambda at: (key, ElevatorTelemetry(at=instant(at), load_kilograms=kilograms)),
        st.sampled_from(LIFTS),
        st.sampled_from([0.0, 100.0, 200.0]),
    )


# No pause of ours between them: what a start forgives is tested by itself.
pauses = st.sampled_from([0.0, 0.0, 0.0, 0.1, 0.5, 2.0, 5.0])
step = st.one_of(
    any_step.flatmap(lambda one: st.tuples(pauses, *map(st.just, one[1:]))),
    st.tuples(pauses, st.just(0.0), st.just(False), load()),
)
stories = st.lists(step, min_size=15, max_size=60)
budgets = st.builds(
    Budgets,
    st.builds(Budget, st.sampled_from([0.1, 1.0]), st.sampled_from([2.0, 7.0, 20.0])),
    st.builds(Budget, st.sampled_from([1.0, 1e9]), st.sampled_from([10.0, 1e9])),
    st.sampled_from([1, 1, 6, 12]),
    st.sampled_from([0, 2, 1_000]),
    st.sampled_from([0, 1, 2, 1_000]),
)


def in_parts(observations: list[Observation], sizes: list[int]) -> list[list[Observation]]:
    parts, start = [], 0
    for size in sizes:
        parts.append(observations[start : start + size])
        start += size
    return [part for part in [*parts, observations[start:]] if part]


async def decided(world: World, parts: list[list[Observation]]) -> World:
    async with world:
        for part in parts:
            await world.hear(part)
        await world.end()
    return world


# Not shrunk: each example is a service that is started some times, and a story of 60 steps would shrink for an hour.
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(
    stories,
    st.sampled_from([PER_DEVICE, WITH_PEERS]),
    budgets,
    st.integers(1, 20),
    st.lists(st.integers(1, 30), max_size=5),
    st.sets(st.integers(0, 20), max_size=4),
)
def test_the_same_comes_of_every_device_whatever_budget_batches_and_restarts(
    steps: list[Step], rules: list[Rule], budget: Budgets, batch: int, sizes: list[int], killed: set[int]
) -> None:
    observations = told(steps)
    parts = in_parts(observations, sizes)
    world = asyncio.run(decided(World(rules, budget, batch=batch, killed=killed), parts))
    plain = asyncio.run(decided(World(rules, NONE_BEYOND), parts))
    assert plain.service.stats.deferred == 0
    assert by_device(world.said) == by_device(undisturbed(observations, rules)) == by_device(plain.said)
    assert sorted(map(repr, world.faults)) == sorted(map(repr, plain.faults))
    assert world.sightings == plain.sightings
    assert world.records.commits[-1].position == observations[-1].position


class Lifts(Talk):
    """Also another lift."""

    def press(self, seconds: float, device: DeviceKey = OTHER) -> Observation:
        event = self.lift_event(seconds, Lift.ALARM_PRESSED)
        return msgspec.structs.replace(event, device=device)


def names(said: Iterable[Transition]) -> list[tuple[str, str]]:
    return [(one.device.device, one.kind.value) for one in said if one.kind.value != "pending"]


async def test_another_lifts_button_is_decided_before_what_is_beyond_the_budget() -> None:
    talk, world = Lifts(), World([BUTTON], LITTLE, batch=50)
    flood = [talk.lift(0.001 * number, floor=str(number)) for number in range(300)]
    async with world:
        await world.hear([*flood, talk.press(0.3), talk.lift_event(0.3, Lift.ALARM_PRESSED)])
        pressed = next(commit for commit in world.records.commits if commit.transitions)
        assert names(pressed.transitions) == [("lift-9", "firing")]
        # The position stays below what waits: after a kill it is read again.
        assert 10 <= pressed.position < 100
        assert names(world.said) == [("lift-9", "firing"), ("lift-1", "firing")]
        assert world.service.stats.deferred == 291
        assert (world.service.stats.backlog, world.records.commits[-1].position) == (0, 302)


async def test_queues_in_which_events_wait_have_every_other_turn() -> None:
    talk, world = Lifts(), World([BUTTON], LITTLE)
    chatty = [DeviceKey("demo", DeviceKind.ELEVATOR, f"chatty-{number}") for number in range(8)]
    floods = [
        talk.say(0.001 * number, lift, ElevatorTelemetry(at=instant(0.001 * number), floor=str(number)))
        for number in range(60)
        for lift in (*chatty, OTHER)
    ]
    async with world:
        world.journal.hear(*floods, talk.press(0.1))
        while not world.said:
            await asyncio.sleep(0)
        # In turns alone, one of nine would be done only when all are.
        assert world.service.stats.backlog > 200
        await world.go_on()


async def test_the_time_of_a_device_stands_still_while_its_messages_wait() -> None:
    talk, world = Lifts(), World([DOOR], msgspec.structs.replace(LITTLE, backlog_units=1), batch=2)
    flood = [talk.lift(0, floor=str(number)) for number in range(30)]
    door = [talk.lift(1, door_state="open"), talk.lift(2, door_state="closed"), talk.lift(3, door_state="open")]
    others = [talk.say(3 + number, OTHER, ElevatorTelemetry(at=instant(3 + number))) for number in range(60)]
    async with world:
        await world.hear([*flood, *door, *others])
        assert told_of(world.said) == [(13, "firing")]


async def test_devices_that_are_compared_wait_together() -> None:
    talk, world = Lifts(), World([BEYOND_PEER], LITTLE)

    def weighs(seconds: float, device: DeviceKey, kilograms: float) -> Observation:
        return talk.say(seconds, device, ElevatorTelemetry(at=instant(seconds), load_kilograms=kilograms))

    flood = [weighs(0, LIFTS[1], 0) for _ in range(30)]
    last = [weighs(1, LIFTS[1], 180), weighs(2, LIFTS[0], 200), weighs(10, OTHER, 0)]
    async with world:
        await world.hear([*flood, *last])
        await world.end()
    assert world.said == []


def test_what_a_message_costs_goes_by_its_size() -> None:
    small = Entry(1, START, "anju/v1/c/thermal/t/telemetry", b"x" * 100, 100)
    large = msgspec.structs.replace(small, payload=b"x" * 6_500)
    event = msgspec.structs.replace(small, topic="anju/v1/c/elevator/t/event")
    assert units(small) == 1
    assert units(large) >= 10
    assert units(event) >= 5


async def test_normal_traffic_is_never_deferred() -> None:
    talk, world = Talk(), World([BUTTON], Budgets())
    readings = [talk.lift(0.1 * number, floor=str(number)) for number in range(3_000)]
    async with world:
        await world.hear(readings)
        assert world.service.stats.deferred == 0
        assert world.service.problems() == {}


async def test_a_known_device_that_says_little_is_heard_where_its_community_is_beyond_its_budget() -> None:
    budget = Budgets(Budget(1, 100), Budget(1, 20), backlog_units=1)
    talk, world = Lifts(), World([BUTTON], budget)
    strangers = [DeviceKey("demo", DeviceKind.ELEVATOR, f"invented-{number}") for number in range(10)]
    async with world:
        await world.hear(
            [talk.press(0), msgspec.structs.replace(talk.lift_event(1, Lift.ALARM_RELEASED), device=OTHER)]
        )
        world.clock.advance(timedelta(seconds=100))
        await world.hear([*(talk.press(100, stranger) for stranger in strangers), talk.press(100)])
        first = names(world.said)[2:]
        assert first.index(("lift-9", "firing")) <= 4
        assert len(first) == 11


async def test_who_floods_is_told_until_it_is_quiet() -> None:
    talk, world = Talk(), World([BUTTON], LITTLE)
    async with world:
        await world.hear([talk.lift(0.001 * number) for number in range(400)])
        assert world.service.problems() == {}
        await world.hear([talk.lift(1 + 0.001 * number) for number in range(400)])
        assert list(world.service.problems()) == [f"device-floods/{LIFT.path}"]
        world.clock.advance(timedelta(seconds=59))
        assert world.service.problems()
        world.clock.advance(timedelta(seconds=2))
        assert world.service.problems() == {}


async def test_a_community_that_floods_is_told_as_one() -> None:
    talk, world = Lifts(), World([BUTTON], Budgets(Budget(1, 100), Budget(1, 20)))
    lifts = [DeviceKey("demo", DeviceKind.ELEVATOR, f"invented-{number}") for number in range(600)]
    async with world:
        await world.hear([talk.press(0.001 * number, lift) for number, lift in enumerate(lifts)])
        assert list(world.service.problems()) == ["community-floods/demo"]


async def test_invented_names_beyond_a_budget_share_a_queue_and_a_registered_lift_does_not_wait_in_it() -> None:
    talk = Lifts()
    world = World([BUTTON], Budgets(Budget(1, 100), Budget(1, 20), backlog_units=6, queues_at_most=5), batch=50)
    world.changes.facts = Inventory({OTHER: DeviceFacts()}, version=1)
    lifts = [DeviceKey("demo", DeviceKind.ELEVATOR, f"invented-{number}") for number in range(400)]
    async with world:
        world.journal.hear(*(talk.press(0.001 * number, lift) for number, lift in enumerate(lifts)), talk.press(0.4))
        while world.service.stats.backlog < 200:
            await asyncio.sleep(0)
        assert len(world.service._scheduler._backlogs) <= 5 + 1 + 1
        await world.go_on()
        assert (world.service.stats.backlog, world.records.commits[-1].position) == (0, 401)
    pressed = [one.device for one in world.said if one.kind.value == "firing"]
    assert len(pressed) == 401
    assert pressed.index(OTHER) < 300


async def test_a_lift_that_is_registered_while_it_waits_among_others_keeps_its_order() -> None:
    talk = Lifts()
    world = World([BUTTON], Budgets(Budget(1, 10), Budget(1, 20), backlog_units=1, queues_at_most=0), batch=20)
    readings = [talk.lift(0.001 * number, floor=str(number)) for number in range(100)]
    events = [talk.press(0.2), msgspec.structs.replace(talk.lift_event(0.3, Lift.ALARM_RELEASED), device=OTHER)]
    async with world:
        world.journal.hear(*readings, *events, *(talk.lift(1 + 0.001 * number) for number in range(100)))
        while not world.service.stats.backlog:
            await asyncio.sleep(0)
        world.changes.facts = Inventory({OTHER: DeviceFacts()}, version=2)
        world.clock.advance(timedelta(seconds=2))
        await world.go_on()
        assert (world.service.stats.backlog, world.service.stats.inventory_version) == (0, 2)
    assert names(world.said) == [("lift-9", "firing"), ("lift-9", "resolved")]


async def test_rules_that_compare_other_devices_may_come_while_something_waits() -> None:
    talk, world = Lifts(), World(EVERY, LITTLE, batch=5)
    loads = [
        talk.say(0.1 * n, LIFTS[n % 2], ElevatorTelemetry(at=instant(0.1 * n), load_kilograms=n)) for n in range(200)
    ]
    async with world:
        world.journal.hear(*loads)
        while not world.service.stats.backlog:
            await asyncio.sleep(0)
        world.changes.rules = WITH_PEERS
        world.clock.advance(timedelta(seconds=30))
        await world.go_on()
        assert (world.service.stats.rule_changes, world.service.stats.backlog) == (1, 0)
        assert world.service.stats.evaluated == len(loads)
        await world.end()
        assert world.records.commits[-1].position == len(loads)


@pytest.mark.parametrize("budget", [LITTLE, NONE_BEYOND], ids=["deferred", "at once"])
@pytest.mark.parametrize("killed", [(), (3,)], ids=["", "killed"])
async def test_an_absence_of_ours_raises_nothing_at_devices_whose_messages_wait(
    budget: Budgets, killed: tuple[int, ...]
) -> None:
    talk, world = Talk(), World(EVERY, budget, batch=10, killed=killed)
    before = [talk.lift(0.01 * number, floor=str(number)) for number in range(40)]
    after = [talk.lift(3_600 + 0.01 * number, floor=str(number)) for number in range(40)]
    world.journal.hear(*before, *after)
    world.clock.advance(timedelta(seconds=3_601))
    async with world:
        await world.go_on()
        assert [one for one in world.said if one.rule == "elevator-offline"] == []


async def test_a_wall_clock_that_is_set_is_that_of_each_message() -> None:
    hours = rule("elevator", "{kind: state, signal: door_state, equals: open}", "schedule: {hours: ['15:00-15:30']}")
    talk, ahead = Talk(), 7_200_000_000
    before = [talk.lift(0.01 * number, door_state="open" if number > 20 else "closed") for number in range(40)]
    jumped = msgspec.structs.replace(
        talk.lift(1), device=OTHER, wall_ahead=ahead, received_at=instant(1 + 7_200), at=instant(1 + 7_200)
    )
    world = World([hours], LITTLE)
    async with world:
        await world.hear([*before, jumped])
        first = next(one for one in world.said if one.kind.value == "firing")
        assert (first.device, first.at) == (LIFT, instant(0.21))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False), st.sets(st.integers(0, 30), max_size=4), st.integers(1, 30))
def test_a_registered_lift_is_not_hurt_by_invented_names_that_are_forgotten_while_messages_wait(
    dice: random.Random, killed: set[int], batch: int
) -> None:
    talk, names = Lifts(), [DeviceKey("demo", DeviceKind.ELEVATOR, f"invented-{number}") for number in range(12)]
    observations = [
        talk.press(0.01 * number, dice.choice([OTHER, *names])) if dice.random() < 0.5 else talk.lift(0.01 * number)
        for number in range(120)
    ]
    few = dice.choice([0, 1, 3, 1_000])
    budget = Budgets(Budget(1, 10), Budget(1, 30), dice.choice([1, 12]), dice.choice([0, 2, 1_000]), few)
    world = World([BUTTON], budget, batch=batch, killed=killed, limits=UnknownLimits(3, 3))
    world.changes.facts = Inventory({LIFT: DeviceFacts(), OTHER: DeviceFacts()}, version=1)
    asyncio.run(decided(world, [observations]))
    assert world.service.stats.backlog == 0
    assert world.records.commits[-1].position == len(observations)
    assert world.service.unknown_devices <= 3
    undisturbed_lifts = by_device(undisturbed(observations, [BUTTON]))
    assert by_device(world.said).get(OTHER) == undisturbed_lifts.get(OTHER)


def test_positions_beyond_the_index_are_searched_for() -> None:
    budget = msgspec.structs.replace(LITTLE, positions_at_most=3)
    talk = Talk()
    observations = [talk.lift(0.001 * number, floor=str(number)) for number in range(100)]
    world = asyncio.run(decided(World([BUTTON], budget, batch=7), [observations]))
    assert world.service.stats.evaluated == 100
    assert world.records.commits[-1].position == 100


def test_a_limiter_forgets_what_is_whole_again() -> None:
    limiter = RateLimiter(Budget(1, 2))
    for number in range(200_000):
        limiter.charge(number, limiter.owed(number, 1, 0), 0)
    assert len(limiter._full_at) <= 65_537
    limiter.charge("a", limiter.owed("a", 2, 10_000_000), 10_000_000)
    assert limiter.owed("a", 1, 10_000_000) == 1.5
    assert limiter.owed("a", 1, 11_000_000) == 1
