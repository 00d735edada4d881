"""Points back to observations, for replaying history from a telemetry store: the inverse of `ingest.points`.

Not everything comes back. A point has no instant of arrival, so each counts as heard at once, also what came late;
unknown fields stay behind; credentials are the pseudonyms they became; presence goes by the instants that were kept.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec
from msgspec import Struct

from core.clock import from_microseconds
from core.code_events import as_said
from core.devices import Channel, DeviceKey, DeviceKind
from core.observations import Observation
from core.telemetry import FAMILIES, LISTS, Series, Value
from core.wire.payloads import (
    Body,
    ElevatorEvent,
    ElevatorTelemetry,
    GateEvent,
    GatewayEvent,
    Presence,
    ThermalEvent,
    ThermalTelemetry,
)

_PRESENCE = "presence"
_THERMAL = "thermal"
# Family: what its points were made from, on which channel, and the field that became the point's part.
_BODIES: dict[str, tuple[type[Struct], Channel, str | None]] = {
    "elevator": (ElevatorTelemetry, Channel.TELEMETRY, None),
    "elevator_event": (ElevatorEvent, Channel.EVENT, None),
    "gate_event": (GateEvent, Channel.EVENT, "door"),
    "gateway_event": (GatewayEvent, Channel.EVENT, "controller"),
    _THERMAL: (ThermalTelemetry, Channel.TELEMETRY, "region"),
    "thermal_event": (ThermalEvent, Channel.EVENT, "region"),
    _PRESENCE: (Presence, Channel.PRESENCE, None),
}
Parts = Mapping[str, dict[str, Value]]
"""The values of one instant, by part."""


class Recalled(Struct, frozen=True):
    """What points say, oldest first, and how many of them say nothing that a device could have sent."""

    observations: list[Observation]
    unreadable: int


def families_of(kind: DeviceKind) -> list[str]:
    """Return the families in which what devices of ``kind`` send is kept; none for what does not speak."""
    own = [family for family in FAMILIES if family in (kind.value, f"{kind.value}_event")]
    return [*own, _PRESENCE] if own else []


def observations_of(device: DeviceKey, family: str, series: Iterable[Series]) -> Recalled:
    """Return what ``device`` said, from all series of ``family``; positions are 0, for the caller to give."""
    instants: defaultdict[int, defaultdict[str, dict[str, Value]]] = defaultdict(lambda: defaultdict(dict))
    for one in series:
        for sample in one.samples:
            instants[sample.at_nanoseconds][one.part][one.signal] = sample.value
    found: list[Observation] = []
    unreadable = 0
    for nanoseconds in sorted(instants):
        for said in _documents(family, instants[nanoseconds]):
            observation = _observation(device, family, nanoseconds, said)
            if observation is None:
                unreadable += 1
            else:
                found.append(observation)
    return Recalled(found, unreadable)


def _documents(family: str, parts: Parts) -> list[dict[str, Any]]:
    """Return the messages of one instant, as plain values."""
    if family == _THERMAL:
        return [_look(parts)]
    field = _BODIES[family][2]
    return [values | ({field: part} if field and part else {}) for part, values in parts.items()]


def _look(parts: Parts) -> dict[str, Any]:
    """Put the regions of one look of a camera together again."""
    whole: dict[str, Any] = dict(parts.get("", {}))
    whole["regions"] = [_region(part, values) for part, values in sorted(parts.items()) if part]
    numbers = [values["seq"] for values in parts.values() if "seq" in values]
    return whole | {"seq": numbers[0]} if numbers else whole


def _region(part: str, values: Mapping[str, Value]) -> dict[str, Any]:
    region: dict[str, Any] = {"region": part} | {name: value for name, value in values.items() if name != "seq"}
    x, y = region.pop("hotspot_x", None), region.pop("hotspot_y", None)
    return region if x is None or y is None else region | {"hotspot": (x, y)}


def _observation(device: DeviceKey, family: str, nanoseconds: int, said: dict[str, Any]) -> Observation | None:
    payload, channel, _ = _BODIES[family]
    at = from_microseconds(nanoseconds // 1_000)
    said.pop("extra", None)
    for name in LISTS & said.keys():
        said[name] = msgspec.json.decode(said[name])
    try:
        body = cast(Body, msgspec.convert(said | {"at": at}, payload))
    except msgspec.ValidationError:
        return None
    if isinstance(body, ElevatorEvent):
        as_said(body)  # What was kept before its code was known.
    return Observation(0, device, channel, at, at, body, nanoseconds % 1_000)
