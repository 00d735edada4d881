"""Telemetry in InfluxDB 2.x: one measurement per family; community, device, kind and part are tags."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from core.devices import DeviceKey
from core.errors import MalformedPoints, PermanentError, TemporaryError
from core.telemetry import Aggregate, Point, Series
from storage.telemetry import flux
from storage.telemetry.flux_answer import parse
from storage.telemetry.influx_connection import InfluxConnection
from storage.telemetry.influx_errors import only_past_retention
from storage.telemetry.line_protocol import encode
from storage.telemetry.selection import (
    aggregable,
    first_points,
    nanoseconds,
    series_of,
    types_of,
    width_nanoseconds,
)

LATEST_WINDOW = timedelta(days=30)
SHORTEST_RETENTION = timedelta(hours=1)


class InfluxTelemetry:
    """A telemetry store in the bucket ``bucket`` of ``org`` at ``url``; writer and reader in one.

    ``retention`` is set on the bucket (at least an hour, InfluxDB's own minimum; ``None`` keeps for ever), and
    ``latest`` looks back ``latest_window``. Points with no value hold nothing and are passed over.
    """

    def __init__(
        self,
        *,
        url: str,
        token: str,
        org: str,
        bucket: str,
        retention: timedelta | None,
        timeout_seconds: float = 10.0,
        latest_window: timedelta = LATEST_WINDOW,
    ) -> None:
        self._connection = InfluxConnection(
            url=url, token=token, org=org, bucket=bucket, timeout_seconds=timeout_seconds
        )
        self._bucket = bucket
        self._retention = retention
        self._latest_window = latest_window

    async def prepare(self) -> None:
        """Create the bucket when it is missing, and set its retention.

        Raises `TemporaryError`, or `PermanentError` for a retention that InfluxDB cannot keep.
        """
        if self._retention is not None and self._retention < SHORTEST_RETENTION:
            # Checked here, because InfluxDB 2.7 answers 500, as if it were in trouble itself.
            raise PermanentError(f"InfluxDB: retention of {self._retention}: expected at least {SHORTEST_RETENTION}")
        bucket = await self._connection.find_bucket()
        if bucket is None:
            await self._connection.create_bucket(self._retention)
        else:
            await self._connection.keep_for(bucket, self._retention)

    async def write(self, points: Sequence[Point]) -> None:
        """Store ``points``; harmless to repeat. Raises `TemporaryError` or `MalformedPoints`.

        A point older than the bucket's retention counts as stored and expired at once, as it would a moment later.
        """
        lines = encode(points)
        if not lines:
            return
        try:
            await self._connection.write(lines)
        except MalformedPoints as error:
            if not only_past_retention(error):
                raise

    async def expire(self, before: timedelta, now: datetime) -> None:
        """Do nothing: the bucket's own retention deletes."""

    async def close(self) -> None:
        """Release the connection; calling it again does nothing."""
        await self._connection.close()

    async def ping(self) -> None:
        """Return when InfluxDB knows the token and has the bucket. Raises `TemporaryError`."""
        if await self._connection.find_bucket() is None:
            raise TemporaryError(f"InfluxDB: bucket {self._bucket!r} does not exist, or the token may not see it")

    async def latest(self, device: DeviceKey) -> list[Series]:
        """Return the newest sample of every signal within the latest window."""
        script = flux.latest(self._source(device), self._latest_window)
        return series_of(parse(await self._connection.query(script)))

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
        start, stop = nanoseconds(since), nanoseconds(until)
        if not types or start >= stop or limit <= 0:
            return []
        answer = await self._connection.query(flux.raw(self._source(device), family, types, start, stop, limit))
        return series_of(first_points(list(parse(answer)), limit))

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
        bounds, width = (nanoseconds(since), nanoseconds(until)), width_nanoseconds(every)
        if not types or bounds[0] >= bounds[1]:
            return []
        script = flux.windows(self._source(device), family, types, bounds, width, aggregate)
        found = parse(await self._connection.query(script))
        # Flux cuts the first window at the start of the range; floor its time to where that window really begins.
        return series_of(one._replace(at_nanoseconds=one.at_nanoseconds // width * width) for one in found)

    def _source(self, device: DeviceKey) -> flux.Source:
        return flux.Source(self._bucket, device)
