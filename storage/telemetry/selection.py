"""What every telemetry store agrees on: which signals may be asked for, instants as keys, results in one order."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from core.clock import to_microseconds
from core.errors import MalformedPoints, PermanentError
from core.telemetry import FAMILIES, Aggregate, Family, Point, Sample, Series, SignalType, Value

# InfluxDB's own bounds of an instant (models.MinNanoTime, models.MaxNanoTime): 1677-09-21 to 2262-04-11.
MINIMUM_NANOSECONDS = -(2**63) + 2
MAXIMUM_NANOSECONDS = 2**63 - 2
_MICROSECOND = timedelta(microseconds=1)


class Found(NamedTuple):
    """One value as a store found it."""

    family: str
    part: str
    signal: str
    at_nanoseconds: int
    value: Value


def nanoseconds(instant: datetime) -> int:
    """Return an aware ``instant`` in nanoseconds since 1970, clamped to what every store can hold."""
    return max(MINIMUM_NANOSECONDS, min(MAXIMUM_NANOSECONDS, to_microseconds(instant) * 1_000))


def width_nanoseconds(every: timedelta) -> int:
    """Return the width of a window; raises `PermanentError` unless it is at least one microsecond."""
    if every < _MICROSECOND:
        raise PermanentError(f"window of {every}: expected at least one microsecond")
    return every // _MICROSECOND * 1_000


def family_of(point: Point) -> Family:
    """Return the family of ``point``; raises `MalformedPoints` when there is none."""
    try:
        return FAMILIES[point.family]
    except KeyError:
        raise MalformedPoints(f"family {point.family!r}: expected one of {', '.join(FAMILIES)}") from None


def types_of(family: str, signals: Sequence[str]) -> dict[str, SignalType]:
    """Return each of ``signals`` (once) with its type; raises `PermanentError` for one that does not exist."""
    if family not in FAMILIES:
        raise PermanentError(f"family {family!r}: expected one of {', '.join(FAMILIES)}")
    known = FAMILIES[family].signals
    unknown = [signal for signal in signals if signal not in known]
    if unknown:
        raise PermanentError(f"signal {unknown[0]!r} of {family}: expected one of {', '.join(known)}")
    return {signal: known[signal] for signal in signals}


def aggregable(family: str, signals: Sequence[str], aggregate: Aggregate) -> dict[str, SignalType]:
    """As `types_of`; raises `PermanentError` also where ``aggregate`` has no meaning for a text signal."""
    types = types_of(family, signals)
    if aggregate in (Aggregate.LAST, Aggregate.COUNT):
        return types
    for signal, kind in types.items():
        if kind is SignalType.TEXT:
            raise PermanentError(f"{aggregate.value} of text signal {signal!r}: expected last or count")
    return types


def reduced_type(kind: SignalType, aggregate: Aggregate) -> SignalType:
    """Return the type of one aggregated value of a signal of type ``kind``."""
    if aggregate is Aggregate.COUNT:
        return SignalType.INTEGER
    if aggregate is Aggregate.MEAN:
        return SignalType.FLOAT
    if aggregate is not Aggregate.LAST and kind is SignalType.BOOLEAN:
        return SignalType.INTEGER
    return kind


def series_of(found: Iterable[Found]) -> list[Series]:
    """Return ``found`` as series in rising order of (family, part, signal), samples oldest first."""
    grouped: defaultdict[tuple[str, str, str], list[Sample]] = defaultdict(list)
    for family, part, signal, at, value in found:
        grouped[family, part, signal].append(Sample(at, value))
    return [Series(*key, sorted(grouped[key], key=_instant)) for key in sorted(grouped)]


def first_points(found: Sequence[Found], limit: int) -> list[Found]:
    """Keep what belongs to the oldest ``limit`` points; a point is one instant of one part, whatever it holds."""
    points = sorted({(one.at_nanoseconds, one.part) for one in found})
    if len(points) <= limit:
        return list(found)
    kept = set(points[: max(limit, 0)])
    return [one for one in found if (one.at_nanoseconds, one.part) in kept]


def _instant(sample: Sample) -> int:
    return sample.at_nanoseconds
