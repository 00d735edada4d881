"""Observations to points: the flat form in which a telemetry store keeps them.

Every observation yields at least one point with at least one value. A heartbeat (a lift's reading with nothing but
``at``) is kept as ``extra = "{}"``: it spoke, and said nothing; so *stored* always means that a store can show it.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, cast

import msgspec

from core.clock import to_microseconds
from core.devices import DeviceKey
from core.observations import Observation
from core.telemetry import FAMILIES, LISTS, Point, Value
from core.wire.payloads import (
    Body,
    ElevatorEvent,
    ElevatorTelemetry,
    GateEvent,
    GatewayEvent,
    Presence,
    Region,
    ThermalEvent,
    ThermalTelemetry,
)

_of_camera = attrgetter("ambient_celsius", "shutter_closed", "smoke_detected")
Values = dict[str, Value]
_HEARTBEAT: Values = {"extra": "{}"}


def points_of(observation: Observation) -> list[Point]:
    """Return the points of ``observation``, one per part of the device that it speaks of, each with a value."""
    body = observation.body
    if isinstance(body, ElevatorTelemetry):
        return [_point(observation, "elevator", "", _elevator(body))]
    if isinstance(body, ThermalTelemetry):
        return _thermal_points(observation, body)
    family, part, read = _event_layout(body)
    return [_point(observation, family, part, read(body))]


def _event_layout(body: Body) -> tuple[str, str, Callable[[Any], Values]]:
    """Return family, part and reader of what is not a reading."""
    match body:
        case GateEvent():
            return "gate_event", body.door, _gate_event
        case ThermalEvent():
            return "thermal_event", body.region, _thermal_event
        case GatewayEvent():
            return "gateway_event", body.controller or "", _gateway_event
        case ElevatorEvent():
            return "elevator_event", "", _elevator_event
        case _:
            return "presence", "", _presence


def _point(observation: Observation, family: str, part: str, values: Values) -> Point:
    if observation.extra:
        values["extra"] = msgspec.json.encode(observation.extra).decode()
    return _bare_point(observation, family, part, values or dict(_HEARTBEAT))


def _bare_point(observation: Observation, family: str, part: str, values: Values) -> Point:
    at = to_microseconds(observation.at) * 1_000 + observation.sub_microsecond
    device: DeviceKey = observation.device
    return Point(family, device, part, at, values, observation.position)


def _thermal_points(observation: Observation, body: ThermalTelemetry) -> list[Point]:
    """One point per region; what belongs to the whole camera stands in a point without a part."""
    points = [_bare_point(observation, "thermal", region.region, _region(region)) for region in body.regions]
    for point, region in zip(points, body.regions, strict=True):
        if region.hotspot is not None:
            point.values["hotspot_x"], point.values["hotspot_y"] = region.hotspot
        if body.seq is not None:
            point.values["seq"] = body.seq
    if observation.extra or any(value is not None for value in _of_camera(body)):
        points.append(_point(observation, "thermal", "", _camera(body)))
    return points


def _reader(family: str, body: type[msgspec.Struct]) -> Callable[[Any], Values]:
    """Return a function from a body to those of the family's signals that it carries, in the family's order."""
    names = tuple(name for name in FAMILIES[family].signals if name in body.__struct_fields__)
    texts = tuple(name for name in names if FAMILIES[family].signals[name].value == "text" and name not in LISTS)
    lists = tuple(name for name in names if name in LISTS)
    fetch = cast(Callable[[Any], tuple[Any, ...]], attrgetter(*names))

    def read(of: Any) -> Values:
        values = {name: value for name, value in zip(names, fetch(of), strict=True) if value is not None}
        for name in texts:
            # Stores want plain text: an enum member is text too, but SQLite's driver takes a slow way for it.
            if name in values:
                values[name] = str.__str__(values[name])
        for name in lists:
            if name in values:
                values[name] = msgspec.json.encode(values[name]).decode()
        return values

    return read


_elevator = _reader("elevator", ElevatorTelemetry)
_elevator_event = _reader("elevator_event", ElevatorEvent)
_gate_event = _reader("gate_event", GateEvent)
_region = _reader("thermal", Region)
_camera = _reader("thermal", ThermalTelemetry)
_thermal_event = _reader("thermal_event", ThermalEvent)
_gateway_event = _reader("gateway_event", GatewayEvent)
_presence = _reader("presence", Presence)
