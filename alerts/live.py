"""The live view: for each device the newest value of every signal, and whether it is there."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter

import msgspec
from msgspec import Struct

from alerts.model import DeviceSighting
from alerts.restoring import restored
from core.devices import DeviceKey
from core.observations import Observation
from core.wire.payloads import (
    Body,
    ElevatorEvent,
    ElevatorTelemetry,
    GateEvent,
    GatewayEvent,
    Presence,
    PresenceStatus,
    Region,
    ThermalEvent,
    ThermalTelemetry,
)

Value = float | int | bool | str | tuple[float | str, ...]
# Messages are kept as they are until somebody asks; a burst beyond this is folded at once, to bound the memory.
_WAITING_AT_MOST = 64
# A device that names a new part with every message must not fill the records; a camera has 64 regions at most.
_PARTS_AT_MOST = 64
_EVENT = "event"
"""The signal under which the newest event of a part stands."""
# Of a gate only the event: a card is a person's, and who passed stands in the gate's log with its own retention.
_CAR = tuple(name for name in ElevatorTelemetry.__struct_fields__ if name not in ("at", "seq"))
_CAMERA = tuple(name for name in ThermalTelemetry.__struct_fields__ if name not in ("at", "seq", "regions"))
_REGION = tuple(name for name in Region.__struct_fields__ if name != "region")


class Latest(Struct):
    """One signal's newest value, and the device's instant of it, which is never beyond its arrival."""

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
        self._dirty: dict[DeviceKey, _Sight] = {}

    def restore(self, states: Mapping[str, bytes]) -> dict[str, str]:
        """Take over what `changed` yielded, by device path; return the states that cannot be read, with the reason."""
        return restored(states, self._restore_one)

    def _restore_one(self, path: str, state: bytes) -> None:
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
            self._dirty[sight.key] = sight
        state, body = sight.state, observation.body
        if observation.skew is not None or not observation.late:
            state.skew = observation.skew
        if isinstance(body, Presence):
            state.online = body.status is PresenceStatus.ONLINE
            if not state.online:
                return  # The broker says so, not the device: it was not heard.
        elif not observation.late and state.online is False:
            state.online = True
        state.last_heard_at = observation.received_at
        if not observation.late:
            sight.waiting.append(observation)
            if len(sight.waiting) >= _WAITING_AT_MOST:
                _merge(sight)

    def forget(self, device: DeviceKey) -> None:
        """Drop ``device``, which the engine has forgotten."""
        self._sights.pop(device, None)
        self._dirty.pop(device, None)

    def changed(self) -> Iterator[tuple[DeviceSighting, bytes]]:
        """Yield the devices that changed since the last call: the sighting, and the state for `restore`."""
        dirty, self._dirty = self._dirty, {}
        for sight in dirty.values():
            sight.dirty = False
            _merge(sight)
            state = sight.state
            latest = _encode_json(state.parts)
            yield DeviceSighting(sight.key, state.last_heard_at, state.online, state.skew, latest), _encode(state)


def _merge(sight: _Sight) -> None:
    """Merge what waits, newest first, looking in older messages only for signals that no newer one carried."""
    parts = sight.state.parts
    filled: set[tuple[str, str]] = set()
    wanted: dict[tuple[str, type], _Wanted] = {}
    for observation in sorted(sight.waiting, key=_instant)[::-1]:
        for part, body, names in _sources(observation.body):
            left = wanted.get((part, type(body))) or _wanted(names)
            signals = _part(parts, part)
            if left.carried_by(body) == left.nothing:
                continue  # Signals that the newest message does not carry are mostly never sent.
            carried = [name for name in left.names if getattr(body, name) is not None]
            wanted[part, type(body)] = _wanted(tuple(name for name in left.names if name not in carried))
            for name in carried:
                label = _EVENT if name == "type" else name
                if (part, label) not in filled:
                    filled.add((part, label))
                    _set(signals, label, getattr(body, name), _instant(observation), observation.received_at)
    sight.waiting.clear()


# `attrgetter` of one name returns no tuple, and of none it does not exist.
_PADDING = ("__class__", "__class__")


class _Wanted:
    """Signals that are looked for, with what `carried_by` returns for a message that carries none of them."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._read = attrgetter(*names, *_PADDING)
        self.nothing = (None,) * len(names)

    def carried_by(self, body: Body | Region) -> tuple[object, ...]:
        """Return the values, `None` where ``body`` carries none."""
        found: tuple[object, ...] = self._read(body)
        return found[: -len(_PADDING)]


_wanted = lru_cache(maxsize=1_024)(_Wanted)


def _set(signals: dict[str, Latest], name: str, value: Value, at: datetime, received_at: datetime) -> None:
    known = signals.get(name)
    if known is None:
        signals[name] = Latest(value, at)
    elif at >= known.at or known.at > received_at:
        known.value, known.at = value, at


def _part(parts: Parts, name: str) -> dict[str, Latest]:
    signals = parts.get(name)
    if signals is None:
        if len(parts) > _PARTS_AT_MOST:
            parts.pop(next(known for known in parts if known))
        signals = parts[name] = {}
    return signals


def _sources(body: Body) -> Iterable[tuple[str, Body | Region, tuple[str, ...]]]:
    """Return what a message speaks of: the part, where its values stand, and what they are called there."""
    match body:
        case ElevatorTelemetry():
            return (("", body, _CAR),)
        case ThermalTelemetry():
            regions = [(region.region, region, _REGION) for region in body.regions]
            return [("", body, _CAMERA), *regions]
        case ElevatorEvent():
            return (("", body, ("type", "service_mode", "main_power", "floor")),)
        case GateEvent():
            return ((body.door, body, ("type",)),)
        case ThermalEvent():
            return ((body.region, body, ("type", "level")),)
        case GatewayEvent():
            return ((body.controller or "", body, ("type",)),)
    return ()


def _instant(observation: Observation) -> datetime:
    # A clock that is ahead must not keep out what comes after it.
    return min(observation.at, observation.received_at)
