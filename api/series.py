"""What may be asked of the telemetry, checked against the families of signals before a store is troubled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.problems import InvalidRequest
from core.devices import DeviceKey, DeviceKind
from core.telemetry import FAMILIES, Aggregate, Series, SignalType

# A chart shows some thousands of points; more is an export, which goes in several requests.
MAXIMUM_POINTS = 10_000
DEFAULT_SPAN = timedelta(hours=1)
FAMILIES_OF_KIND: dict[DeviceKind, tuple[str, ...]] = {
    DeviceKind.ELEVATOR: ("elevator", "elevator_event", "presence"),
    DeviceKind.GATE: ("gate_event", "presence"),
    DeviceKind.THERMAL: ("thermal", "thermal_event", "presence"),
    DeviceKind.GATEWAY: ("gateway_event", "presence"),
    DeviceKind.SYSTEM: ("presence",),
}
"""The families of each kind of device, the default first."""

_ONLY_BY_NAME = ("seq", "extra")  # Of use to whoever mends a sender, noise on a chart.
_ANY_TYPE = (Aggregate.LAST, Aggregate.COUNT)


@dataclass(frozen=True)
class Selection:
    """Which signals of a device, and when: since <= at < until."""

    device: DeviceKey
    family: str
    signals: tuple[str, ...]
    since: datetime
    until: datetime


def choose_family(device: DeviceKey, family: str | None) -> str:
    """Return ``family``, or the main one of the device's kind; raises `InvalidRequest` for one it does not have."""
    known = FAMILIES_OF_KIND[device.kind]
    if family is not None and family not in known:
        raise InvalidRequest(
            "query.family", f"{device.kind.value} has no family {family!r}", f"one of {', '.join(known)}"
        )
    return family or known[0]


def choose_signals(family: str, named: str | None, aggregate: Aggregate | None) -> tuple[str, ...]:
    """Return the signals ``named`` (comma-separated), each once, or all that make sense; raises `InvalidRequest`."""
    types = FAMILIES[family].signals
    if named is None:
        return tuple(one for one in types if one not in _ONLY_BY_NAME and _fits(types[one], aggregate))
    chosen = tuple(dict.fromkeys(part.strip() for part in named.split(",")))
    for one in chosen:
        if one not in types:
            raise InvalidRequest("query.signals", f"{family} has no signal {one!r}", f"some of {', '.join(types)}")
        if not _fits(types[one], aggregate):
            message = f"{one!r} is a text: it has no {aggregate}"
            raise InvalidRequest("query.aggregate", message, "one of last, count for a text signal")
    return chosen


def choose_span(since: datetime | None, until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """Return the span asked for; by default the hour before ``until``, which is ``now`` by default."""
    end = until or now
    begin = since or end - DEFAULT_SPAN
    if begin >= end:
        raise InvalidRequest(
            "query.since",
            f"since {begin.isoformat()} is not before until {end.isoformat()}",
            "an instant before `until`",
        )
    return begin, end


def check_windows(selection: Selection, every: timedelta) -> None:
    """Raise `InvalidRequest` when the span holds more windows than `MAXIMUM_POINTS`."""
    windows = -((selection.since - selection.until) // every)
    if windows > MAXIMUM_POINTS:
        raise InvalidRequest(
            "query.window", f"{windows} windows", f"at most {MAXIMUM_POINTS}: a wider window or a shorter span"
        )


def check_points(found: Sequence[Series]) -> None:
    """Raise `InvalidRequest` when raw series hold more points than `MAXIMUM_POINTS`; nothing is cut off silently."""
    points = {(series.part, sample.at_nanoseconds) for series in found for sample in series.samples}
    if len(points) > MAXIMUM_POINTS:
        raise InvalidRequest(
            "query.since",
            f"more than {MAXIMUM_POINTS} points in this span",
            f"at most {MAXIMUM_POINTS}: a shorter span, or a `window`",
        )


def _fits(kind: SignalType, aggregate: Aggregate | None) -> bool:
    return aggregate is None or aggregate in _ANY_TYPE or kind is not SignalType.TEXT
