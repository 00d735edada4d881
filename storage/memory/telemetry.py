"""A telemetry store made of dictionaries, for tests; as plain as can be, so that it can be believed."""

from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from datetime import datetime, timedelta
from statistics import fmean

from core.devices import DeviceKey
from core.errors import MalformedPoints
from core.telemetry import Aggregate, Point, Series, Value
from storage.telemetry.selection import (
    Found,
    aggregable,
    family_of,
    first_points,
    nanoseconds,
    series_of,
    types_of,
    width_nanoseconds,
)


class MemoryTelemetry:
    """Keeps points until the process ends; writer and reader in one."""

    def __init__(self) -> None:
        self._points: dict[tuple[str, DeviceKey, str, int], dict[str, Value]] = {}

    async def prepare(self) -> None:
        """Nothing to create."""

    async def write(self, points: Sequence[Point]) -> None:
        """Keep ``points``. Raises `MalformedPoints` for a family or signal that does not exist."""
        for point in points:
            unknown = point.values.keys() - family_of(point).signals.keys()
            if unknown:
                raise MalformedPoints(f"{point.family} has no signal {min(unknown)!r}")
        for point in points:
            if point.values:
                self._points[point.family, point.device, point.part, point.at_nanoseconds] = dict(point.values)

    async def expire(self, before: timedelta, now: datetime) -> None:
        """Forget points older than ``before``."""
        oldest = nanoseconds(now - before)
        self._points = {key: values for key, values in self._points.items() if key[3] >= oldest}

    async def close(self) -> None:
        """Nothing to release; what was written stays readable."""

    async def ping(self) -> None:
        """Always answers."""

    async def latest(self, device: DeviceKey) -> list[Series]:
        """Return the newest sample of every signal of every part of ``device``."""
        newest: dict[tuple[str, str, str], Found] = {}
        for found in sorted(self._of(device), key=lambda one: one.at_nanoseconds):
            newest[found.family, found.part, found.signal] = found
        return series_of(newest.values())

    async def range(
        self,
        device: DeviceKey,
        family: str,
        signals: Sequence[str],
        *,
        since: datetime,
        until: datetime,
        limit: int,
    ) -> list[Series]:
        """Return raw samples of the oldest ``limit`` points with since <= at < until."""
        types = types_of(family, signals)
        found = self._between(device, family, types, since, until)
        return series_of(first_points(found, limit))

    async def windows(
        self,
        device: DeviceKey,
        family: str,
        signals: Sequence[str],
        *,
        since: datetime,
        until: datetime,
        every: timedelta,
        aggregate: Aggregate,
    ) -> list[Series]:
        """Return one sample per window that holds a value; windows are aligned to 1970."""
        types = aggregable(family, signals, aggregate)
        width = width_nanoseconds(every)
        windows: defaultdict[Found, list[Found]] = defaultdict(list)
        for one in self._between(device, family, types, since, until):
            windows[one._replace(at_nanoseconds=one.at_nanoseconds // width * width, value=0)].append(one)
        reduce = _REDUCERS[aggregate]
        return series_of(
            window._replace(value=reduce([one.value for one in sorted(members, key=lambda one: one.at_nanoseconds)]))
            for window, members in windows.items()
        )

    def _between(
        self, device: DeviceKey, family: str, signals: Container[str], since: datetime, until: datetime
    ) -> list[Found]:
        start, stop = nanoseconds(since), nanoseconds(until)
        return [
            one
            for one in self._of(device)
            if one.family == family and one.signal in signals and start <= one.at_nanoseconds < stop
        ]

    def _of(self, device: DeviceKey) -> Iterator[Found]:
        for (family, owner, part, at), values in self._points.items():
            if owner == device:
                for signal, value in values.items():
                    yield Found(family, part, signal, at, value)


def _numbers(values: Sequence[Value]) -> list[float | int]:
    return [int(value) if isinstance(value, bool) else value for value in values if not isinstance(value, str)]


_REDUCERS: dict[Aggregate, Callable[[Sequence[Value]], Value]] = {
    Aggregate.MEAN: lambda values: fmean(_numbers(values)),
    Aggregate.MINIMUM: lambda values: min(_numbers(values)),
    Aggregate.MAXIMUM: lambda values: max(_numbers(values)),
    Aggregate.LAST: lambda values: values[-1],
    Aggregate.COUNT: len,
}
