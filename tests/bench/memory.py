"""What the engine remembers, in bytes: encoded, and in memory by walking the objects."""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from operator import attrgetter
from statistics import mean
from typing import NamedTuple

import msgspec

from alerts.engine import Engine
from alerts.memory import Phase
from alerts.packs import builtin_rules
from alerts.posts import Post
from alerts.sites import Site
from core.devices import Channel, DeviceKey, DeviceKind
from core.observations import Observation
from core.wire.payloads import (
    Body,
    DoorState,
    ElevatorEvent,
    ElevatorEventType,
    ElevatorTelemetry,
    Region,
    ThermalEvent,
    ThermalEventType,
    ThermalLevel,
    ThermalTelemetry,
)

LIMIT_BYTES = 5_120
"""A rule that weighs a score of signs takes most of it, all others a fraction."""
CROWD = 64
"""The most regions that a look of a camera may name."""
_START = datetime(2026, 8, 14, tzinfo=UTC)
_LIFT = DeviceKey("community-0", DeviceKind.ELEVATOR, "elevator-0000")
_CAMERA = DeviceKey("community-0", DeviceKind.THERMAL, "thermal-0000")
# More days than any rule of the pack looks back, and more closings in each than it keeps of one.
_DAYS, _CLOSINGS = 16, 40
# More different faults than any device has: one for each second of a minute.
_FAULTS = 60
# Longer than the window of a rate, at the usual two seconds between looks of a camera.
_LOOKS, _LOOK_EVERY = 90, timedelta(seconds=2)
# The interpreter has one object for each of these numbers.
_ONCE = range(-5, 257)


class Size(NamedTuple):
    """What one rule remembers of one device."""

    rule: str
    encoded: int
    in_memory: int
    parts: int


def of_fleet(engine: Engine) -> list[str]:
    """Return what is remembered of rules that are active, of those that only watch, and of those at rest."""
    sites = list(engine._sites.values())
    pairs = sum(len(site.roster.posts) for site in sites)
    kept = [(state, size(site, name)) for site in sites for name, state in site.device.state.rules.items()]
    active = [each for state, each in kept if state.phase is not Phase.IDLE]
    watching = [each for state, each in kept if state.phase is Phase.IDLE]
    idle = [site for site in sites if not site.device.state.rules]
    lines = [f"state of {pairs:,} pairs of rule and device, in bytes (wanted: {LIMIT_BYTES:,} at most, none at rest):"]
    for name, sizes in (("active (pending or firing)", active), ("counting (windows, medians)", watching)):
        lines.append(_sizes(name, sizes))
    lines.append(f"  {'at rest':30} {pairs - len(kept):7,}: 0 encoded, 0 in memory")
    if idle:
        encoded = mean(len(site.encode()) for site in idle)
        in_memory = mean(_walk((site.device, site), {id(site.roster), id(site.device.key)}) for site in idle)
        lines.append(f"  a device with all rules at rest: {encoded:,.0f} encoded, {in_memory:,.0f} in memory, in all")
    return lines


def at_most() -> list[str]:
    """Return the largest pair of the built-in pack when all windows are full, and what each of many regions takes."""
    largest = largest_when_grown()
    crowd = max(grown(_camera_story(CROWD)), key=_in_memory)
    each, each_in_memory = crowd.encoded / crowd.parts, crowd.in_memory / crowd.parts
    return [
        f"  the largest pair, its windows full ({largest.rule}): "
        f"{largest.encoded:,} encoded, {largest.in_memory:,} in memory",
        f"  a camera with {crowd.parts} regions ({crowd.rule}): {crowd.encoded:,} encoded, "
        f"{crowd.in_memory:,} in memory; {each:,.0f} and {each_in_memory:,.0f} for each region",
    ]


def largest_when_grown() -> Size:
    """Return the largest pair of the built-in pack, in memory, once all windows of a lift and a region are full."""
    return max([*grown(_lift_story()), *grown(_camera_story(1))], key=_in_memory)


def grown(story: Iterator[tuple[datetime, DeviceKey, Body]]) -> list[Size]:
    """Return the greatest size that each rule of the built-in pack had in the last minute of ``story``."""
    engine, most = Engine(builtin_rules()), dict[str, Size]()
    told = [_observed(number, *said) for number, said in enumerate(story)]
    for observation in told:
        engine.observe(observation)
        if observation.received_at >= told[-1].received_at - timedelta(minutes=1):
            site = engine._sites[observation.device]
            for name in site.device.state.rules:
                most[name] = max(most.get(name, _NONE), size(site, name), key=_in_memory)
    return list(most.values())


def size(site: Site, rule: str) -> Size:
    """Return what ``rule`` remembers of the device at ``site``; texts of the rule itself are not counted."""
    state = site.device.state.rules[rule]
    return Size(
        rule, len(msgspec.msgpack.encode(state)), _walk(state, _texts_of(site.roster.posts[rule])), len(state.parts)
    )


_NONE = Size("", 0, 0, 0)
_in_memory = attrgetter("in_memory")


def _observed(position: int, at: datetime, key: DeviceKey, body: Body) -> Observation:
    channel = Channel.EVENT if isinstance(body, ElevatorEvent | ThermalEvent) else Channel.TELEMETRY
    return Observation(position + 1, key, channel, at, at, body)


def _lift_story() -> Iterator[tuple[datetime, DeviceKey, Body]]:
    """Yield days of a door that closes, then opens all the time, with faults of every sort and the alarm button."""
    every = timedelta(days=1) / _CLOSINGS
    for number in range(_DAYS * _CLOSINGS):
        yield from _closing(_START + number * every, number)
    trouble = _START + _DAYS * timedelta(days=1)
    for second in range(0, 600, 10):
        yield from _closing(trouble + timedelta(seconds=second), _DAYS * _CLOSINGS + second)
    for number in range(_FAULTS):
        at = trouble + timedelta(seconds=610 + number)
        yield (
            at,
            _LIFT,
            ElevatorEvent(at=at, type=ElevatorEventType.FAULT_RAISED, source="gbt24476-2017", code=f"F{number:04}"),
        )
    pressed = trouble + timedelta(seconds=610 + _FAULTS)
    yield pressed, _LIFT, ElevatorEvent(at=pressed, type=ElevatorEventType.ALARM_PRESSED)


def _closing(at: datetime, cycles: int) -> Iterator[tuple[datetime, DeviceKey, Body]]:
    for second, state in ((0, DoorState.CLOSING), (3, DoorState.CLOSED)):
        then = at + timedelta(seconds=second)
        yield then, _LIFT, ElevatorTelemetry(at=then, door_state=state, door_cycle_count=cycles, trip_count=cycles // 9)


def _camera_story(regions: int) -> Iterator[tuple[datetime, DeviceKey, Body]]:
    """Yield looks at regions that burn in the end, and the camera's own alarm of each."""
    for number in range(_LOOKS):
        at = _START + number * _LOOK_EVERY
        celsius = 20.0 + number
        looks = [Region(region=f"rack-{index}", maximum_celsius=celsius + index / 10) for index in range(regions)]
        yield at, _CAMERA, ThermalTelemetry(at=at, regions=looks)
    burning = _START + _LOOKS * _LOOK_EVERY
    for index in range(regions):
        yield burning, _CAMERA, _episode(f"rack-{index}", burning)


def _episode(region: str, at: datetime) -> ThermalEvent:
    begun, level = ThermalEventType.EPISODE_STARTED, ThermalLevel.ALARM
    return ThermalEvent(at=at, type=begun, level=level, region=region, episode=f"20260814T000300-{region}")


def _sizes(name: str, sizes: Sequence[Size]) -> str:
    if not sizes:
        return f"  {name:30} {0:7,}"
    encoded, in_memory = [each.encoded for each in sizes], [each.in_memory for each in sizes]
    largest = max(sizes, key=_in_memory)
    return (
        f"  {name:30} {len(sizes):7,}: {mean(encoded):,.0f} encoded ({max(encoded):,} at most), "
        f"{mean(in_memory):,.0f} in memory ({max(in_memory):,} at most: {largest.rule})"
    )


def _texts_of(post: Post) -> set[int]:
    """Return the identities of texts that belong to the rule, however many devices it watches."""
    rule = post.rule
    title, pasts = rule.rule.title, [leaf.past.of for leaf in rule.begin() if leaf.past is not None]
    return {id(text) for text in (rule.shape, title.zh, title.en, *pasts)}


def _walk(value: object, seen: set[int]) -> int:
    """Return the bytes of ``value`` and all it holds, but for what the interpreter has once for everybody."""
    if id(value) in seen or _is_everybodys(value):
        return 0
    seen.add(id(value))
    return sys.getsizeof(value) + sum(_walk(each, seen) for each in _held(value))


def _is_everybodys(value: object) -> bool:
    if value is None or isinstance(value, bool | Enum):
        return True
    return value in _ONCE if isinstance(value, int) else isinstance(value, str | bytes | tuple) and not value


def _held(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, list | tuple):
        yield from value
    else:
        names: tuple[str, ...] = getattr(value, "__struct_fields__", ()) or getattr(type(value), "__slots__", ())
        yield from (getattr(value, name) for name in names)
