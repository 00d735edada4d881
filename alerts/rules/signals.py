"""The signals rules may speak of: drawn from the wire contract, with their bounds and their names for people."""

from functools import cache
from typing import get_type_hints

import msgspec.inspect as wire
from msgspec import Struct

from core.devices import Channel, DeviceKind
from core.telemetry import LISTS
from core.wire.payloads import (
    ElevatorEvent,
    ElevatorTelemetry,
    GateEvent,
    GatewayEvent,
    Presence,
    Region,
    ThermalEvent,
    ThermalTelemetry,
)

# The upper bound of `core.wire.payloads.Counter`: whole numbers that a float holds exactly.
_COUNTER_HIGH = 2**53
# None is a reading that can be compared: when, which one, the list that is looked into region by region, and lists.
_NOT_SIGNALS = frozenset({"at", "seq", "region", "regions", "hotspot"}) | LISTS
_TELEMETRY: dict[DeviceKind, type[Struct] | None] = {
    DeviceKind.ELEVATOR: ElevatorTelemetry,
    DeviceKind.GATE: None,
    DeviceKind.THERMAL: ThermalTelemetry,
    DeviceKind.GATEWAY: None,
}
EVENTS: dict[DeviceKind, type[Struct]] = {
    DeviceKind.ELEVATOR: ElevatorEvent,
    DeviceKind.GATE: GateEvent,
    DeviceKind.THERMAL: ThermalEvent,
    DeviceKind.GATEWAY: GatewayEvent,
}


class Signal(Struct, frozen=True):
    """One field of a payload: ``low`` and ``high`` bound numbers, ``choices`` are the values of an enumeration."""

    name: str
    number: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    boolean: bool = False
    of_region: bool = False

    @property
    def counter(self) -> bool:
        """Whether it only ever grows, until it is reset."""
        return self.number and self.high == _COUNTER_HIGH

    def objection(self, value: object) -> str | None:
        """Return what was expected where ``value`` can never be the signal's value, else ``None``."""
        if self.boolean:
            return None if isinstance(value, bool) else "true or false"
        if self.choices:
            return None if value in self.choices else f"one of {', '.join(self.choices)}"
        if self.number:
            return self._number_objection(value)
        return None if isinstance(value, str) else "a text (quote it if it looks like a number)"

    def _number_objection(self, value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or value - value != 0:
            return "a finite number"
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            return f"a value the signal can have: {self.low:g} to {self.high:g}"
        return None


@cache
def signals_of(kind: DeviceKind) -> dict[str, Signal]:
    """Return the signals that telemetry of ``kind`` carries, by name; of a camera, those of its regions too."""
    payload = _TELEMETRY[kind]
    found = {} if payload is None else _fields(payload, of_region=False)
    if kind is DeviceKind.THERMAL:
        found |= _fields(Region, of_region=True)
    return found


@cache
def event_fields(kind: DeviceKind) -> dict[str, Signal]:
    """Return the fields of the events of ``kind`` that a rule can compare, ``type`` among them."""
    return _fields(EVENTS[kind], of_region=False) | _region_name(kind)


def _region_name(kind: DeviceKind) -> dict[str, Signal]:
    return {"region": Signal("region")} if kind is DeviceKind.THERMAL else {}


def _fields(payload: type[Struct], *, of_region: bool) -> dict[str, Signal]:
    return {
        name: _signal(name, wire.type_info(annotation), of_region)
        for name, annotation in get_type_hints(payload, include_extras=True).items()
        if name not in _NOT_SIGNALS and not name.startswith("__")
    }


def _signal(name: str, described: wire.Type, of_region: bool) -> Signal:
    options = described.types if isinstance(described, wire.UnionType) else (described,)
    for option in options:
        match option:
            case wire.EnumType(cls=choices):
                return Signal(name, choices=tuple(str(each.value) for each in choices), of_region=of_region)
            case wire.BoolType():
                return Signal(name, boolean=True, of_region=of_region)
            case wire.FloatType(ge=low, le=high):
                return Signal(name, number=True, low=low, high=high, of_region=of_region)
            case wire.StrType():
                return Signal(name, of_region=of_region)
    integer = next(option for option in options if isinstance(option, wire.IntType))
    return Signal(name, number=True, low=integer.ge, high=integer.le, of_region=of_region)


def payload_of(kind: DeviceKind, channel: Channel) -> type[Struct] | None:
    """Return what devices of ``kind`` send on ``channel``, ``None`` where they send nothing there."""
    if channel is Channel.PRESENCE:
        return Presence
    return _TELEMETRY[kind] if channel is Channel.TELEMETRY else EVENTS[kind]
