"""Points: the flat form in which observations are kept in a telemetry store, and the families they belong to."""

from enum import StrEnum

from msgspec import Struct

from core.devices import DeviceKey

Value = float | int | bool | str


class SignalType(StrEnum):
    """How a signal is stored; only numbers and booleans (as 0 and 1) can be averaged."""

    FLOAT = "float"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "text"


class Family(Struct, frozen=True):
    """A family of signals stored side by side: one InfluxDB measurement, one wide embedded table."""

    name: str
    signals: dict[str, SignalType]


class Point(Struct, frozen=True, gc=False):
    """The values of one device at one instant, or of one ``part`` of it: a region, a door, a controller; else ``""``.

    ``at_nanoseconds`` counts from 1970-01-01T00:00:00Z; its last three digits are the content's tie-break, not time.
    Writing the same point twice changes nothing: (family, device, part, at_nanoseconds) is its identity.
    """

    family: str
    device: DeviceKey
    part: str
    at_nanoseconds: int
    values: dict[str, Value]
    position: int
    """The journal entry this came from, so that a refused point leads back to its message."""


_F, _I, _B, _T = SignalType.FLOAT, SignalType.INTEGER, SignalType.BOOLEAN, SignalType.TEXT

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            "elevator",
            {
                "seq": _I,
                "service_mode": _T,
                "direction": _T,
                "motion": _T,
                "floor": _T,
                "car_calls": _T,
                "position_metres": _F,
                "speed_mps": _F,
                "levelling_error_metres": _F,
                "door_state": _T,
                "door_position_fraction": _F,
                "light_curtain_interrupted": _B,
                "landing_doors_open": _T,
                "door_zone": _B,
                "passenger_present": _B,
                "load_kilograms": _F,
                "trip_count": _I,
                "door_cycle_count": _I,
                "running_seconds": _I,
                "main_power": _B,
                "motor_celsius": _F,
                "extra": _T,
            },
        ),
        Family(
            "elevator_event",
            {
                "seq": _I,
                "type": _T,
                "source": _T,
                "code": _T,
                "service_mode": _T,
                "main_power": _B,
                "floor": _T,
                "extra": _T,
            },
        ),
        Family("gate_event", {"seq": _I, "type": _T, "reason": _T, "credential": _T, "extra": _T}),
        Family(
            "thermal",
            {
                "seq": _I,
                "maximum_celsius": _F,
                "minimum_celsius": _F,
                "average_celsius": _F,
                "hotspot_x": _F,
                "hotspot_y": _F,
                "charger_current_amperes": _F,
                "ambient_celsius": _F,
                "shutter_closed": _B,
                "smoke_detected": _B,
                "extra": _T,
            },
        ),
        Family(
            "thermal_event",
            {"seq": _I, "type": _T, "level": _T, "episode": _T, "temperature_celsius": _F, "extra": _T},
        ),
        Family("gateway_event", {"seq": _I, "type": _T, "extra": _T}),
        Family("presence", {"seq": _I, "status": _T, "extra": _T}),
    )
}

LISTS = frozenset({"car_calls", "landing_doors_open"})
"""Signals that are lists of texts: kept as JSON."""


class Aggregate(StrEnum):
    """How the values of one window become one."""

    MEAN = "mean"
    MINIMUM = "min"
    MAXIMUM = "max"
    LAST = "last"
    COUNT = "count"


class Sample(Struct, frozen=True):
    """One value of one signal; ``at_nanoseconds`` is the point's own, or the start of its window."""

    at_nanoseconds: int
    value: Value


class Series(Struct, frozen=True):
    """The samples of one signal of one part of a device, oldest first."""

    family: str
    part: str
    signal: str
    samples: list[Sample]
