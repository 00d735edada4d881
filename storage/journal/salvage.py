"""Reading what can still be read of the tables of a damaged journal."""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress

from core.errors import WrongJournalKey
from storage.journal.bookkeeping import rejection
from storage.journal.schema import MAX_POSITION, DamagedBatch, decode
from storage.journal.sealing import Seal

Row = tuple[object, ...]


def batches(source: sqlite3.Connection, seal: Seal | None, *, without_key: bool) -> Iterator[Row]:
    """Return the batches that hold what was written, in rising order, sealed ones as they are.

    One that is sealed with another key raises `WrongJournalKey`, or is left out ``without_key``.
    """
    for row in by_number(source, "batches", "last_position"):
        last, first, _, checksum, blob = row
        if isinstance(checksum, int) and isinstance(blob, bytes):
            with suppress(DamagedBatch, *([WrongJournalKey] if without_key else [])):
                entries = decode(checksum, blob, seal)
                if (entries[0].position, entries[-1].position) == (first, last):
                    yield row


def rejections(source: sqlite3.Connection, seal: Seal | None) -> Iterator[Row]:
    """Return the rejections that make sense, in rising order."""
    for row in by_number(source, "quarantine", "position"):
        with suppress(ValueError, TypeError, OverflowError):
            rejection(row, seal)  # type: ignore[arg-type] # it may hold anything, and says so by raising
            yield row


def readers(source: sqlite3.Connection) -> Iterator[Row]:
    """Return names and positions."""
    found = (row for row in _from_both_ends(source, "readers", "name") if _types(row) == (str, int))
    return ((name, position) for name, position in found if _is_position(position))


def ledger(source: sqlite3.Connection) -> Iterator[Row]:
    """Return the rows of the ledger."""
    kinds = (str, str, int, int, int, int)
    return (row for row in _from_both_ends(source, "ledger", "day, community") if _types(row) == kinds)


def numbering(source: sqlite3.Connection) -> tuple[int, int] | None:
    """Return (trimmed, floor), or ``None`` where they cannot be read."""
    with suppress(sqlite3.DatabaseError):
        row = source.execute("SELECT trimmed, floor FROM numbering").fetchone()
        if row is not None and all(map(_is_position, row)):
            return row[0], row[1]
    return None


def _is_position(stored: object) -> bool:
    return isinstance(stored, int) and 0 <= stored <= MAX_POSITION


def _types(row: Row) -> tuple[type, ...]:
    return tuple(map(type, row))


def by_number(source: sqlite3.Connection, table: str, key: str, columns: str = "*") -> Iterator[Row]:
    """Return every row that can be reached by its number, the first of ``columns``; damage is jumped over."""
    statement = f"SELECT {columns} FROM {table} WHERE {key} >= ? ORDER BY {key}"  # noqa: S608 - our own names
    start: int | None = 0
    while start is not None:
        try:
            for row in source.execute(statement, (start,)):
                yield row
                start = int(row[0]) + 1
            return
        except sqlite3.DatabaseError:
            start = _after_damage(source, statement, start)


def _after_damage(source: sqlite3.Connection, statement: str, damaged: int) -> int | None:
    """Return where reading works again, or ``None``.

    Steps grow by an eighth, so that of readable rows between two damaged places few are jumped over, and a table whose
    root is gone costs some hundred steps.
    """
    low, step = damaged, 1
    while not _works(source, statement, low + step):
        low, step = low + step, step + max(1, step // 8)
        if low > 2**62:
            return None
    high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _works(source, statement, middle) else (middle, high)
    return high


def _works(source: sqlite3.Connection, statement: str, start: int) -> bool:
    try:
        source.execute(f"{statement} LIMIT 1", (start,)).fetchone()
    except sqlite3.DatabaseError:
        return False
    return True


def _from_both_ends(source: sqlite3.Connection, table: str, key: str) -> Iterator[Row]:
    """Return the rows before and behind damage; where there is none, each comes twice."""
    for order in (key, ", ".join(f"{column} DESC" for column in key.split(", "))):
        with suppress(sqlite3.DatabaseError):
            yield from source.execute(f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608 - our own names
