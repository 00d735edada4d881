"""What is known of every device now: a pure fold over observations, written out at checkpoints."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

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
    ThermalEvent,
    ThermalTelemetry,
)

_encode = msgspec.json.Encoder().encode
_CAR_FIELDS = tuple(name for name in ElevatorTelemetry.__struct_fields__ if name not in ("at", "seq"))
_REGION_FIELDS = ("maximum_celsius", "minimum_celsius", "average_celsius", "hotspot")
# A device that says less than everything in each message needs a look at some older ones; this many are kept.
_KEPT = 16

Latest = dict[str, dict[str, dict[str, object]]]


class _Seen:
    __slots__ = ("dirty", "heard_at", "latest", "newest_at", "online", "recent", "skew")

    def __init__(self) -> None:
        self.dirty = False
        self.heard_at: datetime | None = None
        self.newest_at: datetime | None = None
        self.online: bool | None = None
        self.skew: timedelta | None = None
        self.latest: Latest = {}
        self.recent: list[Observation] = []


class Sightings:
    """Remembers what every device said last; `drain` gives out what changed since it was asked before."""

    def __init__(self) -> None:
        self._seen: dict[DeviceKey, _Seen] = {}
        self._dirty: list[tuple[DeviceKey, _Seen]] = []

    def observe(self, observation: Observation) -> None:
        """Take in ``observation``; what is late tells only that the device was heard."""
        seen = self._seen.get(observation.device)
        if seen is None:
            seen = self._seen[observation.device] = _Seen()
        if not seen.dirty:
            seen.dirty = True
            self._dirty.append((observation.device, seen))
        body = observation.body
        if isinstance(body, Presence) and body.status is PresenceStatus.OFFLINE:
            seen.online = False
            seen.heard_at = seen.heard_at or observation.received_at
            return
        seen.heard_at = observation.received_at
        seen.skew = observation.skew
        if not observation.late:
            seen.online = True
            self._keep(seen, observation)

    def _keep(self, seen: _Seen, observation: Observation) -> None:
        seen.recent.append(observation)
        if len(seen.recent) >= _KEPT:
            _fold(seen)

    def drain(self) -> list[DeviceSighting]:
        """Return every device heard of since the last call."""
        drained = [_sighting(device, seen) for device, seen in self._dirty]
        self._dirty = []
        return drained


def _sighting(device: DeviceKey, seen: _Seen) -> DeviceSighting:
    _fold(seen)
    seen.dirty = False
    heard_at = seen.heard_at
    if heard_at is None:
        raise ValueError(f"{device.path} is dirty but was never heard")
    return DeviceSighting(device, heard_at, seen.online, seen.skew, _encode(seen.latest))


def _fold(seen: _Seen) -> None:
    """Bring ``latest`` up to date: newest first, so that usually one message says it all."""
    filled: set[tuple[str, str]] = set()
    for observation in sorted(seen.recent, key=lambda one: one.at, reverse=True):
        fresh = False
        for part, signal, value in _values(observation.body):
            if (part, signal) not in filled:
                filled.add((part, signal))
                fresh = _newer(seen.latest, part, signal, value, observation.at) or fresh
        if not fresh:
            break
    seen.recent = []


def _newer(latest: Latest, part: str, signal: str, value: object, at: datetime) -> bool:
    signals = latest.setdefault(part, {})
    known = signals.get(signal)
    if known is not None and isinstance(known["at"], datetime) and known["at"] > at:
        return False
    signals[signal] = {"value": value, "at": at}
    return True


def _values(body: Body) -> Iterator[tuple[str, str, object]]:
    """Yield (part, signal, value) of everything that ``body`` says."""
    match body:
        case ElevatorTelemetry():
            for name in _CAR_FIELDS:
                if (value := getattr(body, name)) is not None:
                    yield "", name, value
        case ThermalTelemetry():
            yield from _thermal(body)
        case ElevatorEvent():
            yield "", "event", body.type
        case GateEvent():
            yield body.door, "event", body.type
        case ThermalEvent():
            yield body.region, "event", body.type
            yield body.region, "level", body.level


def _thermal(body: ThermalTelemetry) -> Iterator[tuple[str, str, object]]:
    if body.ambient_celsius is not None:
        yield "", "ambient_celsius", body.ambient_celsius
    for region in body.regions:
        for name in _REGION_FIELDS:
            if (value := getattr(region, name)) is not None:
                yield region.region, name, value
