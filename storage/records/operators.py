"""What an operator sees of unreadable rows, over all tables, and how one is cleared."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Row, Table, delete, select

from core.errors import PermanentError
from storage.records import put_aside
from storage.records.all_tables import metadata
from storage.records.database import RecordsDatabase
from storage.records.row_checks import unreadable_for
from storage.records.unreadable import key_of, name_of


class Listed(Struct, frozen=True):
    """One row; ``put_aside_at`` where its content made room already, ``None`` where it is still in its table."""

    table: str
    key: str
    reason: str
    put_aside_at: datetime | None = None


async def unreadable_rows(database: RecordsDatabase) -> list[Listed]:
    """Read every row of every table, and return those that cannot be decoded and those that were put aside."""
    found = []
    async with database.reading() as connection:
        for table in metadata.sorted_tables:
            rows = (await connection.execute(select(table))).all()
            found += [Listed(table.name, name_of(key_of(row, table)), reason) for row, reason in _bad(rows, table)]
        aside = await put_aside.listed(connection)
    return found + [Listed(one.table, one.key, one.reason, at) for one, at in aside]


async def clear(database: RecordsDatabase, table_name: str, key: str, now: datetime) -> None:
    """Take note of one row: its content stays in ``put_aside``; one that is still in its table is moved there.

    Raises `PermanentError` where nothing of that name is unreadable, and for an open call: it is rebuilt and closed.
    """
    table = metadata.tables.get(table_name)
    if table is None:
        raise PermanentError(f"records: there is no table {table_name!r}")
    async with database.writing() as connection:
        for row, reason in _bad((await connection.execute(select(table))).all(), table):
            if name_of(key_of(row, table)) != key:
                continue
            if table.name == "calls" and row.is_open:
                raise PermanentError(f"records: call {row.id} is open: close it at the desk; it is rebuilt meanwhile")
            content = repr(dict(row._mapping)).encode(errors="replace")
            await put_aside.keep(connection, [put_aside.PutAside(table.name, key, content, reason)], now)
            its_key = (table.c[name] == value for name, value in key_of(row, table).items())
            await connection.execute(delete(table).where(*its_key))
        if not await put_aside.clear(connection, table_name, key, now):
            raise PermanentError(f"records: nothing of {table_name} {key} is unreadable or put aside")


def _bad(rows: Sequence[Row[Any]], table: Table) -> Iterator[tuple[Row[Any], str]]:
    for row in rows:
        if reason := unreadable_for(row, table):
            yield row, reason
