"""The live view: for each device the newest value of every signal, and whether it is there."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from alerts.model import DeviceSighting
from core.devices import DeviceKey
from core.observations import Observation
from core.wire.payloads import (
    Body,
    ElevatorEvent,
    ElevatorTelemetry,
    GateEvent,
    Presence,
    PresenceStatus,
    Region,
    ThermalEvent,
    ThermalTelemetry,
)

Value = float | int | bool | str | tuple[float, float]
# Messages are kept as they are until somebody asks; a burst beyond this is folded at once, to bound the memory.
_WAITING_AT_MOST = 64
# A device that names a new part with every message must not fill the records; a camera has 64 regions at most.
_PARTS_AT_MOST = 64
_EVENT = "event"
"""The signal under which the newest event of a part stands."""
# A card is a person's: who passed is in the gate's log with its own retention, not in the live view.
_NOT_SHOWN = frozenset({"at", "seq", "region", "regions", "type", "door", "credential", "source", "code", "reason"})


class Latest(Struct):
    """One signal's newest value, and the device's instant of it."""

    value: Value
    at: datetime


Parts = dict[str, dict[str, Latest]]


class _State(Struct, array_like=True):
    last_heard_at: datetime
    online: bool | None
    skew: timedelta | None
    parts: Parts


class _Sight:
    """One device; ``waiting`` are messages not yet merged into ``state.parts``, oldest first."""

    __slots__ = ("dirty", "key", "state", "waiting")

    def __init__(self, key: DeviceKey, state: _State) -> None:
        self.key = key
        self.state = state
        self.waiting: list[Observation] = []
        self.dirty = False


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_State).decode
_encode_json = msgspec.json.Encoder().encode


class LiveView:
    """Folds observations into sightings. What is late changes nothing but the instant of hearing."""

    def __init__(self) -> None:
        self._sights: dict[DeviceKey, _Sight] = {}
        self._dirty: list[_Sight] = []

    def restore(self, states: Mapping[str, bytes]) -> None:
        """Take over what `Changed.state` held, by device path."""
        for path, state in states.items():
            key = DeviceKey.from_path(path)
            self._sights[key] = _Sight(key, _decode(state))

    def observe(self, observation: Observation) -> None:
        """Take one message; they come in journal order."""
        sight = self._sights.get(observation.device)
        if sight is None:
            sight = _Sight(observation.device, _State(observation.received_at, None, None, {}))
            self._sights[observation.device] = sight
        if not sight.dirty:
            sight.dirty = True
            self._dirty.append(sight)
        state, body = sight.state, observation.body
        if observation.skew is not None or not observation.late:
            state.skew = observation.skew
        if isinstance(body, Presence):
            state.online = body.status is PresenceStatus.ONLINE
            if not state.online:
                return  # The broker says so, not the device: it was not heard.
        elif not observation.late and state.online is False:
            state.online = True
        state.last_heard_at = max(state.last_heard_at, observation.received_at)
        if not observation.late:
            sight.waiting.append(observation)
            if len(sight.waiting) >= _WAITING_AT_MOST:
                _merge(sight)

    def changed(self) -> Iterator[tuple[DeviceSighting, bytes]]:
        """Yield the devices that changed since the last call: the sighting, and the state for `restore`."""
        dirty, self._dirty = self._dirty, []
        for sight in dirty:
            sight.dirty = False
            _merge(sight)
            state = sight.state
            latest = _encode_json(state.parts)
            yield DeviceSighting(sight.key, state.last_heard_at, state.online, state.skew, latest), _encode(state)


def _merge(sight: _Sight) -> None:
    """Merge what waits, newest first: as most messages carry every signal, the older ones then have nothing to add."""
    parts = sight.state.parts
    filled: set[tuple[str, str]] = set()
    whole: set[str] = set()
    for observation in reversed(sight.waiting):
        for part, fields in _readings(observation.body):
            if part in whole and not isinstance(observation.body, ElevatorEvent | GateEvent | ThermalEvent):
                continue
            signals = _part(parts, part)
            for name, value in fields:
                if (part, name) not in filled:
                    filled.add((part, name))
                    _set(signals, name, value, observation.at)
            # An event stays the newest one for hours; waiting for another would mean to look at every message.
            if all(name == _EVENT or (part, name) in filled for name in signals):
                whole.add(part)
    sight.waiting.clear()


def _set(signals: dict[str, Latest], name: str, value: Value, at: datetime) -> None:
    known = signals.get(name)
    if known is None:
        signals[name] = Latest(value, at)
    elif at >= known.at:
        known.value, known.at = value, at


def _part(parts: Parts, name: str) -> dict[str, Latest]:
    signals = parts.get(name)
    if signals is None:
        if len(parts) > _PARTS_AT_MOST:
            parts.pop(next(known for known in parts if known))
        signals = parts[name] = {}
    return signals


def _readings(body: Body) -> Iterable[tuple[str, Iterator[tuple[str, Value]]]]:
    match body:
        case ThermalTelemetry():
            yield "", _fields(body)
            for region in body.regions:
                yield region.region, _fields(region)
        case ElevatorEvent():
            yield "", _event(body.type.value, _fields(body))
        case GateEvent():
            yield body.door, _event(body.type.value, _fields(body))
        case ThermalEvent():
            yield body.region, _event(body.type.value, iter(()))
        case ElevatorTelemetry():
            yield "", _fields(body)


def _event(name: str, fields: Iterator[tuple[str, Value]]) -> Iterator[tuple[str, Value]]:
    yield _EVENT, name
    yield from fields


def _fields(
    body: ElevatorTelemetry | ThermalTelemetry | Region | ElevatorEvent | GateEvent,
) -> Iterator[tuple[str, Value]]:
    for name in body.__struct_fields__:
        if name not in _NOT_SHOWN:
            value = getattr(body, name)
            if value is not None:
                yield name, value
