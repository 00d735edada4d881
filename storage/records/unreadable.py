"""Rows that cannot be decoded: left out of what is read, remembered with the reason, and reported.

One damaged row never fails the query that meets it. `UnreadableRows` is the memory of one process: its `problems` are
components of the part's pulse (``stored/TABLE``), and `storage.records.unreadable_watch` drops a row from it when it
has been repaired or removed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import msgspec
import structlog
from sqlalchemy import Row, Table

from storage.records.tables import python_type_of

COMPONENT = "stored/"
"""Prefix of the components in a pulse; the name of the table follows."""
COMMAND = "anju records unreadable"
UNDECODABLE = (ValueError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError)
"""What decoding raises when the stored content is not what this version writes."""
_REMEMBERED_PER_TABLE = 1_000  # Bounds the memory when a whole table is damaged.
_REASON_CHARACTERS = 200

_Decoded = TypeVar("_Decoded")
_log = structlog.get_logger()


class UnsoundColumn(ValueError):
    """A column holds a value of a type that it is never written with."""


@dataclass(frozen=True)
class UnreadableRow:
    """One row: its primary key by column, and why it cannot be decoded."""

    table: Table
    key: Mapping[str, Any]
    reason: str

    @property
    def name(self) -> str:
        """The key as operators see and type it."""
        return name_of(self.key)


class UnreadableRows:
    """The unreadable rows that this process knows of."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, UnreadableRow]] = {}
        self._put_aside: dict[str, tuple[int, str]] = {}

    def note(self, row: UnreadableRow) -> None:
        """Remember ``row``; logged the first time."""
        known = self._rows.setdefault(row.table.name, {})
        if row.name not in known:
            if len(known) >= _REMEMBERED_PER_TABLE:
                return
            _log.error("records.row_unreadable", table=row.table.name, row=row.name, reason=row.reason)
        known[row.name] = row

    def forget(self, row: UnreadableRow) -> None:
        """Drop ``row``: it can be read again, or is gone."""
        if self._rows.get(row.table.name, {}).pop(row.name, None) is not None:
            _log.info("records.row_readable_again", table=row.table.name, row=row.name)

    def rows(self) -> list[UnreadableRow]:
        return [row for known in self._rows.values() for row in known.values()]

    def set_put_aside(self, counts: Mapping[str, tuple[int, str]]) -> None:
        """Replace what is known of the table ``put_aside``: by table how many are not cleared, and one of them."""
        self._put_aside = dict(counts)

    def problems(self) -> dict[str, str]:
        """Return one line for each table with unreadable rows, by component."""
        said: dict[str, str] = {}
        for table in sorted({*self._rows, *self._put_aside}):
            known = self._rows.get(table, {})
            aside, example = self._put_aside.get(table, (0, ""))
            count = len(known) + aside
            if count:
                first = next((f"{name}: {row.reason}" for name, row in known.items()), example)
                rows = "1 row" if count == 1 else f"{count} rows"
                said[COMPONENT + table] = (
                    f"表 {table} 有 {count} 行无法读取：{first}（可用 {COMMAND} 列出） / "
                    f"{rows} of {table} cannot be read: {first} (`{COMMAND}` lists them)"
                )
        return said


def decoded(
    rows: Iterable[Row[Any]], table: Table, decode: Callable[[Row[Any]], _Decoded], unreadable: UnreadableRows
) -> list[_Decoded]:
    """Return ``rows`` decoded, without those that cannot be, which are noted.

    Each row begins with all columns of ``table``, in their order.
    """
    found = []
    for row in rows:
        try:
            require_sound(row, table)
            found.append(decode(row))
        except UNDECODABLE as error:
            unreadable.note(UnreadableRow(table, key_of(row, table), reason_of(error)))
    return found


def require_sound(row: Row[Any], table: Table) -> None:
    """Raise `UnsoundColumn` where a column of ``table``, with which ``row`` begins, holds a foreign type.

    SQLite stores any value in any column; PostgreSQL needs no such check, and passes it.
    """
    for value, (name, kind, nullable) in zip(row, _columns(table), strict=False):
        if type(value) is not kind and not (value is None and nullable):
            raise UnsoundColumn(f"{name} holds {_shown(value)}, expected {kind.__name__}")


def key_of(row: Row[Any], table: Table) -> dict[str, Any]:
    """Return the primary key of ``row`` by column."""
    return {column.name: getattr(row, column.name) for column in table.primary_key.columns}


def name_of(key: Mapping[str, Any]) -> str:
    """Return a primary key as one word."""
    return "|".join(value.hex() if isinstance(value, bytes) else str(value) for value in key.values())


def reason_of(error: BaseException) -> str:
    """Return why decoding failed, in one line."""
    return " ".join((str(error) or repr(error)).split())[:_REASON_CHARACTERS]


@cache
def _columns(table: Table) -> Sequence[tuple[str, type, bool]]:
    return [(column.name, python_type_of(column.type), bool(column.nullable)) for column in table.columns]


def _shown(value: object) -> str:
    return "nothing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
