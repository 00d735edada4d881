"""Telemetry in one SQLite file: no server, and one commit, safe on disk, per batch."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from core.devices import DeviceKey
from core.telemetry import FAMILIES, Aggregate, Point, Series
from storage import damage
from storage.reserve import Floor
from storage.telemetry import embedded_reading, embedded_schema, embedded_writing
from storage.telemetry.selection import (
    aggregable,
    nanoseconds,
    series_of,
    types_of,
    width_nanoseconds,
)
from storage.telemetry.sqlite_thread import SqliteThread, connect_reader, connect_writer


class EmbeddedTelemetry:
    """A telemetry store in the file ``path``; writer and reader in one.

    One process writes; others may read the same file at the same time. Points with no value hold nothing and are
    passed over. A file that is away, locked, full or damaged is a `TemporaryError`: a person can mend it. So is a disk
    with less room than ``floor``.
    """

    def __init__(self, path: Path, floor: Floor | None = None) -> None:
        self._path = path
        self._floor = floor
        self._writing = SqliteThread(path, connect_writer)
        self._reading = SqliteThread(path, connect_reader)
        self._points = embedded_writing.PointWriter()

    async def prepare(self) -> None:
        """Create the file and its tables. Raises `TemporaryError`, or `PermanentError` for a newer Anju's file.

        A file that is missing or emptied although its marker tells of one is a `TemporaryError` with the way out:
        messages wait in the journal, and alerts go on.
        """
        await self._writing.run(embedded_schema.prepare)
        await asyncio.to_thread(damage.mark, self._path)

    async def write(self, points: Sequence[Point]) -> None:
        """Store ``points``; on disk when it returns, all or nothing. Raises `TemporaryError` or `MalformedPoints`."""
        if points:
            if self._floor is not None and self._floor.reached():
                raise self._floor.refusal(f"telemetry store {self._path}")
            await self._writing.run(lambda connection: self._points.write(connection, points))

    async def expire(self, before: timedelta, now: datetime) -> None:
        """Delete points older than ``before``, in slices between which batches are written."""
        oldest = nanoseconds(now - before)
        page = [embedded_writing.FIRST]
        while page := await self._writing.run(partial(embedded_writing.shelves, after=page[-1])):
            shelves = [shelf for shelf in page if shelf[1] in FAMILIES]
            for shelf in shelves:
                while await self._writing.run(partial(embedded_writing.expire_slice, shelf=shelf, oldest=oldest)):
                    continue
            await self._writing.run(partial(self._points.drop_empty, candidates=shelves))

    async def close(self) -> None:
        """Finish what is under way and release the file; calling it again does nothing."""
        await self._reading.close()
        await self._writing.close()

    async def ping(self) -> None:
        """Return when the file answers. Raises `TemporaryError`."""
        await self._reading.run(lambda connection: connection.execute("SELECT 1 FROM device LIMIT 1").fetchone())

    async def latest(self, device: DeviceKey) -> list[Series]:
        """Return the newest sample of every signal of every part of ``device``."""
        return series_of(await self._reading.run(lambda connection: embedded_reading.latest(connection, device)))

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
        types, bounds = types_of(family, signals), (nanoseconds(since), nanoseconds(until))
        if not types or limit <= 0:
            return []
        return series_of(
            await self._reading.run(
                lambda connection: embedded_reading.raw(connection, device, family, types, bounds, limit)
            )
        )

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
        return series_of(
            await self._reading.run(
                lambda connection: embedded_reading.windows(connection, device, family, types, bounds, width, aggregate)
            )
        )
