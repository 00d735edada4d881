"""The embedded store's writing side: batches in, and old points out, each in one transaction."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import itemgetter

from core.devices import DeviceKey
from core.errors import MalformedPoints
from core.telemetry import FAMILIES, Point, Value
from storage.telemetry.embedded_schema import table
from storage.telemetry.selection import family_of
from storage.telemetry.sqlite_thread import transaction

Row = tuple[Value | None, ...]
Shelf = tuple[int, str, str]
"""Where points stand together: (device, family, part)."""

_EXPIRE_ROWS = 5_000  # About 20 ms of the disk: what a batch may have to wait for.
# Some 20 MB: a hundred signals' layouts of each of a few hundred devices, or ten of a few thousand.
_REMEMBERED_AT_MOST = 50_000
_BY_KEY = itemgetter(0, 1, 2)
_PAGE = 1_000
FIRST: Shelf = (0, "", "")


class PointWriter:
    """Writes points through one connection; remembers which devices and series the file knows already."""

    def __init__(self) -> None:
        self._devices: dict[DeviceKey, int] = {}
        self._layouts: set[tuple[int, str, str, tuple[str, ...]]] = set()

    def write(self, connection: sqlite3.Connection, points: Sequence[Point]) -> None:
        """Store ``points`` in one transaction. Raises `MalformedPoints`, and SQLite's own errors."""
        try:
            with transaction(connection):
                for family, rows in self._rows(connection, points).items():
                    # In the order of the key, so that neighbours meet the same page; the last of two equal keys wins.
                    rows.sort(key=_BY_KEY)
                    connection.executemany(_INSERTS[family], rows)
            self._bound()
        except BaseException:
            # What was remembered may have been rolled back.
            self.forget()
            raise

    def drop_empty(self, connection: sqlite3.Connection, candidates: Iterable[Shelf]) -> None:
        """Forget the signals of those shelves that hold nothing any more."""
        with transaction(connection):
            empty = [shelf for shelf in candidates if _is_empty(connection, shelf)]
            connection.executemany("DELETE FROM series WHERE device = ? AND family = ? AND part = ?", empty)
        if empty:
            self.forget()

    def forget(self) -> None:
        """Ask the file again for everything that was remembered of it."""
        self._devices.clear()
        self._layouts.clear()

    def _bound(self) -> None:
        """Names that somebody invents must not fill the memory; what is known after all is asked for again."""
        if len(self._devices) > _REMEMBERED_AT_MOST or len(self._layouts) > _REMEMBERED_AT_MOST:
            self.forget()

    def _rows(self, connection: sqlite3.Connection, points: Sequence[Point]) -> dict[str, list[Row]]:
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        for point in points:
            values = point.values
            if not values:
                continue
            device = self._devices.get(point.device) or self._learn_device(connection, point.device)
            layout = (device, point.family, point.part, tuple(values))
            if layout not in self._layouts:
                self._learn_layout(connection, point, layout)
            rows[point.family].append(
                (device, point.part, point.at_nanoseconds, *map(values.get, FAMILIES[point.family].signals))
            )
        return rows

    def _learn_device(self, connection: sqlite3.Connection, device: DeviceKey) -> int:
        connection.execute("INSERT OR IGNORE INTO device (path) VALUES (?)", (device.path,))
        found = connection.execute("SELECT id FROM device WHERE path = ?", (device.path,)).fetchone()
        self._devices[device] = int(found[0])
        return self._devices[device]

    def _learn_layout(
        self, connection: sqlite3.Connection, point: Point, layout: tuple[int, str, str, tuple[str, ...]]
    ) -> None:
        known = family_of(point).signals
        device, family, part, signals = layout
        for signal in signals:
            if signal not in known:
                raise MalformedPoints(f"{family} of {point.device.path} has no signal {signal!r}")
        connection.executemany(
            "INSERT OR IGNORE INTO series VALUES (?, ?, ?, ?)", [(device, family, part, signal) for signal in signals]
        )
        self._layouts.add(layout)


def shelves(connection: sqlite3.Connection, after: Shelf) -> list[Shelf]:
    """Return the next thousand shelves after ``after`` that have ever held a point and were not emptied since.

    In pages, because names that somebody invents make a million of them; `FIRST` is before all.
    """
    return connection.execute(
        "SELECT DISTINCT device, family, part FROM series WHERE (device, family, part) > (?, ?, ?)"
        " ORDER BY device, family, part LIMIT ?",
        (*after, _PAGE),
    ).fetchall()


def expire_slice(connection: sqlite3.Connection, shelf: Shelf, oldest: int) -> bool:
    """Delete some thousands of points of ``shelf`` from before ``oldest``; whether more of them are left."""
    device, family, part = shelf
    found = connection.execute(
        f"SELECT at FROM {table(family)} WHERE device = ? AND part = ? AND at < ? ORDER BY at LIMIT 1 OFFSET ?",
        (device, part, oldest, _EXPIRE_ROWS),
    ).fetchone()
    before = oldest if found is None else int(found[0])
    with transaction(connection):
        connection.execute(
            f"DELETE FROM {table(family)} WHERE device = ? AND part = ? AND at < ?", (device, part, before)
        )
    return found is not None


def _is_empty(connection: sqlite3.Connection, shelf: Shelf) -> bool:
    device, family, part = shelf
    found = connection.execute(f"SELECT 1 FROM {table(family)} WHERE device = ? AND part = ? LIMIT 1", (device, part))
    return found.fetchone() is None


def _insert(family: str, signals: Iterable[str]) -> str:
    columns = ", ".join(["device", "part", "at", *(f'"{signal}"' for signal in signals)])
    places = ", ".join("?" * (3 + len(list(signals))))
    return f"INSERT OR REPLACE INTO {table(family)} ({columns}) VALUES ({places})"


_INSERTS = {family.name: _insert(family.name, family.signals) for family in FAMILIES.values()}
