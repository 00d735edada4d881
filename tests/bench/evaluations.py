"""How many rules the engine looks at in a second, on one core, and what it remembers of them.

One evaluation is one rule looked at for one message: each rule of the built-in pack that listens on the channel of the
message, on the device it came from. Many are answered by one comparison, because a lift that stands repeats itself;
the rate without that short cut is given beside the other.
"""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from alerts.engine import Engine
from alerts.memory import Microseconds
from alerts.model import Transition
from alerts.packs import builtin_rules
from alerts.posts import Post
from alerts.sites import Site
from core.devices import Channel, DeviceKey, DeviceKind
from core.observations import Observation
from core.wire.payloads import (
    Body,
    ElevatorEvent,
    ElevatorEventType,
    GateEvent,
    GateEventType,
    Region,
    ThermalTelemetry,
)
from tests.bench import memory
from tests.bench.fleet import reading

ROUNDS = 8
EVERY = timedelta(seconds=5)
START = datetime(2026, 8, 14, 7, tzinfo=UTC)
# Of ten devices six are lifts, three gates, one a camera; of ten lifts one moves; of fifty gates one speaks.
_LIFTS, _GATES = 0.6, 0.3
_MOVING, _SPEAKING = 0.1, 0.02
# One device in a hundred has an alert open.
_IN_TROUBLE = 100
_REPEATS = 3
# In the last quarter of its trip a lift of this fleet waits at a floor with its door closed.
_TRIP, _WAITING = 20, 16
_WANTED_PER_SECOND = 100_000

Numbers = list[int]


def measure(devices: int = 10_000) -> list[str]:
    """Return the figures as lines."""
    warm_up, messages = _messages(devices)
    counted = _Counting(builtin_rules())
    _tell(counted, warm_up)
    counted.listening = counted.stepped = 0
    _tell(counted, messages)
    took = _best_seconds(Engine, warm_up, messages)
    thorough = _best_seconds(_Thorough, warm_up, messages)
    rate, slower = counted.listening / took, counted.listening / thorough
    known = 1 - counted.stepped / counted.listening
    return [
        f"rule evaluations, built-in pack ({len(builtin_rules())} rules), {devices:,} devices, one core:",
        f"  {rate:12,.0f} evaluations/s ({len(messages) / took:,.0f} messages/s; wanted {_WANTED_PER_SECOND:,}); "
        f"{known:.0%} answered by the comparison with the last message",
        f"  {slower:12,.0f} evaluations/s with every rule looked at in full",
        *memory.of_fleet(counted),
        *memory.at_most(),
    ]


def encoded_bytes(devices: int) -> Numbers:
    """Return the stored bytes of every rule on every device that is not at rest, after the same messages."""
    engine = Engine(builtin_rules())
    for messages in _messages(devices):
        _tell(engine, messages)
    states = (state for site in engine._sites.values() for state in site.device.state.rules.values())
    return [len(msgspec.msgpack.encode(state)) for state in states]


class _Counting(Engine):
    """Counts the rules that listen to a message, and those of them that are really stepped."""

    listening = stepped = 0

    def observe(self, observation: Observation) -> list[Transition]:
        roster = self._assignments.roster_of(observation.device)
        self.listening += len(getattr(roster, observation.channel.value))
        return super().observe(observation)

    def _step_all(
        self,
        site: Site,
        posts: Iterable[Post],
        observation: Observation | None,
        now: Microseconds,
        said: list[Transition],
    ) -> None:
        posts = list(posts)
        self.stepped += 0 if observation is None else len(posts)
        super()._step_all(site, posts, observation, now, said)


class _Thorough(Engine):
    """Believes of no message that it repeats the last one."""

    def observe(self, observation: Observation) -> list[Transition]:
        site = self._sites.get(observation.device)
        if site is not None:
            site.drawn = None
        return super().observe(observation)


def _tell(engine: Engine, messages: Sequence[Observation]) -> None:
    for message in messages:
        engine.observe(message)


def _best_seconds(kind: type[Engine], warm_up: Sequence[Observation], messages: Sequence[Observation]) -> float:
    """Return the CPU time of the fastest of some runs: what others do on the machine is not to be measured."""
    took = []
    for _ in range(_REPEATS):
        engine = kind(builtin_rules())
        _tell(engine, warm_up)
        began = time.process_time()
        _tell(engine, messages)
        took.append(time.process_time() - began)
    return min(took)


def _messages(devices: int) -> tuple[list[Observation], list[Observation]]:
    """Return a round in which everything is heard of and trouble begins, and the rounds to be measured."""
    chance = random.Random(1)
    lifts = [_key(DeviceKind.ELEVATOR, number) for number in range(int(devices * _LIFTS))]
    gates = [_key(DeviceKind.GATE, number) for number in range(int(devices * _GATES))]
    cameras = [_key(DeviceKind.THERMAL, number) for number in range(devices - len(lifts) - len(gates))]
    moving = set(chance.sample(range(len(lifts)), int(len(lifts) * _MOVING)))
    rounds: list[list[Observation]] = []
    for round_ in range(ROUNDS + 1):
        at = START + round_ * EVERY
        bodies: list[tuple[DeviceKey, Body]] = [
            (key, reading(number, round_ if number in moving else _standing(number), at))
            for number, key in enumerate(lifts)
        ]
        bodies += [(key, _look(number, round_, at, chance)) for number, key in enumerate(cameras)]
        bodies += _visits(gates, at, chance) if round_ else _trouble(lifts, gates, at)
        chance.shuffle(bodies)
        rounds.append(list(_observed(bodies, at, sum(map(len, rounds)))))
    return rounds[0], [one for round_ in rounds[1:] for one in round_]


def _standing(lift: int) -> int:
    """Return the turn of a lift in which it waits, so that it always says the same."""
    return (_WAITING - 7 * lift) % _TRIP


def _observed(bodies: Sequence[tuple[DeviceKey, Body]], at: datetime, position: int) -> Iterator[Observation]:
    step = EVERY / max(len(bodies), 1)
    for number, (key, body) in enumerate(bodies):
        channel = Channel.EVENT if isinstance(body, ElevatorEvent | GateEvent) else Channel.TELEMETRY
        yield Observation(position + number + 1, key, channel, at, at + number * step, body)


def _key(kind: DeviceKind, number: int) -> DeviceKey:
    return DeviceKey(f"community-{number // 500}", kind, f"{kind.value}-{number:04}")


def _look(number: int, round_: int, at: datetime, chance: random.Random) -> ThermalTelemetry:
    """Return two regions of a camera, with the noise of its sensor; one camera in a hundred sees something hot."""
    hot = 58.0 if number % _IN_TROUBLE == 0 and round_ else 26.0
    regions = [
        Region(region=name, maximum_celsius=round(celsius + chance.uniform(-0.3, 0.3), 1))
        for name, celsius in (("rack-a", hot), ("rack-b", 25.0))
    ]
    return ThermalTelemetry(at=at, regions=regions, ambient_celsius=24.0)


def _trouble(lifts: Sequence[DeviceKey], gates: Sequence[DeviceKey], at: datetime) -> Iterator[tuple[DeviceKey, Body]]:
    for number, key in enumerate(lifts):
        if number % _IN_TROUBLE == 0:
            fault = ElevatorEventType.FAULT_RAISED
            yield key, ElevatorEvent(at=at, type=fault, source="gbt24476-2017", code="2")
    for number, key in enumerate(gates):
        trouble = number % _IN_TROUBLE == 0
        yield key, GateEvent(at=at, type=GateEventType.FORCED_OPEN if trouble else GateEventType.DOOR_CLOSED)


def _visits(gates: Sequence[DeviceKey], at: datetime, chance: random.Random) -> list[tuple[DeviceKey, Body]]:
    kinds = (GateEventType.GRANTED, GateEventType.DOOR_OPENED)
    chosen = chance.sample(range(len(gates)), int(len(gates) * _SPEAKING))
    return [(gates[each], GateEvent(at=at, type=chance.choice(kinds))) for each in chosen if each % _IN_TROUBLE]
