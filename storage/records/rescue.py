"""Copies what can be read of a damaged records file into a new one; nothing is ever deleted.

SQLite's own recovery is no part of its library, so tables are read row by row: a row whose page is damaged is jumped
over by its row number, or read from the other end of its table's key. Numbers that were given stay given.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Integer, Table

from core.errors import PermanentError
from storage.damage import accept, mark
from storage.journal.salvage import by_number
from storage.records.all_tables import metadata
from storage.records.numbering import COUNTERS, GAP
from storage.records.schema import upgrade

Row = tuple[object, ...]


# Where each reader goes on whose place is no number: the newest that anything is known of.
_PLACES = (
    ("desk_progress", "sequence", "SELECT coalesce(max(sequence), 0) FROM transitions"),
    (
        "alert_progress",
        "position",
        "SELECT coalesce(max(position), 0) FROM transitions WHERE typeof(position) = 'integer'",
    ),
)


@dataclass(frozen=True)
class RecordsRescue:
    """What came over: rows by table, the tables that met damage, and the damaged file's new name."""

    damaged: Path
    rows: dict[str, int] = field(default_factory=dict)
    incomplete: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the report for an operator."""
        said = [f"{table}: {count} rows copied" for table, count in self.rows.items()]
        lost = ", ".join(self.incomplete)
        said.append(f"damaged, some rows are lost: {lost}" if lost else "no table met damage")
        said += [f"{place}: was no number; what was not decided or told before may never be" for place in self.places]
        return [*said, f"the damaged file is kept as {self.damaged}"]


def rescue(path: Path) -> RecordsRescue:
    """Put a new file in the place of the damaged one at ``path``. Stop every part of Anju first.

    Raises `PermanentError` where there is no such file or nothing of it can be read; it is in its place then.
    """
    if not path.is_file():
        raise PermanentError(f"records database {path}: there is no such file; expected a damaged records file")
    fresh, kept = _free_name(path, "rescued"), _free_name(path, "damaged")
    asyncio.run(upgrade(f"sqlite+aiosqlite:///{fresh.absolute()}"))
    report = RecordsRescue(kept)
    try:
        _copy_all(path, fresh, report)
    except sqlite3.DatabaseError as error:
        fresh.unlink(missing_ok=True)
        raise PermanentError(
            f"records database {path}: {error}: nothing of it can be read; restore a backup"
        ) from error
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(kept.with_name(kept.name + suffix))
    fresh.rename(path)
    accept(path)
    mark(path)
    return report


def _free_name(path: Path, word: str) -> Path:
    number = 1
    while (name := path.with_name(f"{path.name}.{word}-{number}")).exists():
        number += 1
    return name


def _copy_all(path: Path, fresh: Path, report: RecordsRescue) -> None:
    # Read-only, so that even closing it does not move its write-ahead log into the damaged file.
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(fresh, isolation_level=None)) as target,
        closing(sqlite3.connect(uri, uri=True)) as source,
    ):
        source.text_factory = lambda stored: stored.decode(errors="replace")
        source.execute("PRAGMA writable_schema = ON")  # Reads what there is of a file that was cut.
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        target.execute("BEGIN IMMEDIATE")
        for table in metadata.sorted_tables:
            _copy(source, target, table, report)
        _raise_counters(target, report)
        _mend_places(target, report)
        target.execute("COMMIT")
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        target.execute("PRAGMA journal_mode = DELETE")  # One file to be renamed; the next start switches back.


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, table: Table, report: RecordsRescue) -> None:
    there = {row[1] for row in source.execute(f"PRAGMA table_info({table.name})")}
    names = [column.name for column in table.columns if column.name in there]
    if not names:
        report.incomplete.append(table.name)
        return
    marks = ", ".join("?" * len(names))
    insert = f"INSERT OR REPLACE INTO {table.name} ({_listed(names)}) VALUES ({marks})"  # noqa: S608 - our own names
    for row in _rows(source, table, names):
        with suppress(sqlite3.IntegrityError):  # It contradicts a row that is there, or lacks what every row has.
            target.execute(insert, row)
    report.rows[table.name] = int(target.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0])  # noqa: S608
    if not _is_whole(source, table.name, names):
        report.incomplete.append(table.name)


def _rows(source: sqlite3.Connection, table: Table, names: Sequence[str]) -> Iterator[Row]:
    """Return the rows that can be read; some come twice."""
    key, *more = table.primary_key.columns
    if not more and isinstance(key.type, Integer) and names[0] == key.name:
        yield from by_number(source, table.name, key.name, _listed(names))
        return
    for order in ("", " DESC"):
        keys = ", ".join(f'"{column.name}"{order}' for column in table.primary_key.columns)
        with suppress(sqlite3.DatabaseError):
            yield from source.execute(f"SELECT {_listed(names)} FROM {table.name} ORDER BY {keys}")  # noqa: S608


def _is_whole(source: sqlite3.Connection, table: str, names: Sequence[str]) -> bool:
    try:
        for _ in source.execute(f"SELECT {_listed(names)} FROM {table}"):  # noqa: S608 - our own names
            pass
    except sqlite3.DatabaseError:
        return False
    return True


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _raise_counters(target: sqlite3.Connection, report: RecordsRescue) -> None:
    """Let numbers go on far above every one that is known, where rows, or the counters themselves, were lost."""
    if not report.incomplete:
        return
    for table, column, known in COUNTERS:
        newest = ", ".join(f"(SELECT coalesce(max({name}), 0) FROM {of})" for of, name in known)  # noqa: S608
        target.execute(f"UPDATE {table} SET {column} = max({column}, {newest}) + {GAP}")  # noqa: S608 - our own names


def _mend_places(target: sqlite3.Connection, report: RecordsRescue) -> None:
    """Without a place to go on from, the engine would refuse to start, and the desk would tell nobody of anything."""
    for table, column, newest in _PLACES:
        mending = f"UPDATE {table} SET {column} = ({newest}) WHERE typeof({column}) != 'integer'"  # noqa: S608
        if target.execute(mending).rowcount:
            report.places.append(f"{table}.{column}")
