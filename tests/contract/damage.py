"""Kinds of damage to one stored value, as a bad page, a power cut or a foreign hand leaves them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, select, text

from storage.records import RecordsDatabase

# JSON and text columns, in both databases.
TEXTS: Mapping[str, str] = {
    "cut": '{"id":"c1","sour',
    "empty": "",
    "another type": '["a", 1]',
    "an unknown word": '{"kind":"vanished","state":"vanished","at":"2026-01-01T00:00:00Z"}',
    "deep nesting": "[" * 100_000,
    "an instant out of range": '{"at":"99999-01-01T00:00:00Z"}',
}
# SQLite holds anything in any column, PostgreSQL its own types only.
SQLITE_ONLY: Mapping[str, str] = {
    "NULs": "zeroblob(40)",
    "a number": "7",
    "bytes that are no UTF-8": "CAST(x'fffe00ff' AS TEXT)",
}
INSTANTS: Mapping[str, Mapping[str, str]] = {
    "sqlite": {"text": "'yesterday'", "out of range": "9223372036854775807", "bytes": "x'00'"},
    "postgresql": {"endless": "'infinity'", "before Christ": "'0044-03-15 BC'"},
}


def dialect_of(database: RecordsDatabase) -> str:
    return "sqlite" if database.is_sqlite else "postgresql"


async def damage(database: RecordsDatabase, table: Table, column: str, value: str, where: str) -> None:
    """Overwrite ``column`` of the rows ``where`` (SQL) with ``value`` (SQL)."""
    async with database.writing() as connection:
        changed = await connection.execute(text(f"UPDATE {table.name} SET {column} = {value} WHERE {where}"))
        assert changed.rowcount == 1


async def damage_text(database: RecordsDatabase, table: Table, column: str, value: str, where: str) -> None:
    """As `damage`, with any text."""
    async with database.writing() as connection:
        changing = text(f"UPDATE {table.name} SET {column} = :value WHERE {where}")
        assert (await connection.execute(changing, {"value": value})).rowcount == 1


async def stored(database: RecordsDatabase, table: Table) -> list[Mapping[str, Any]]:
    """Every row of ``table``."""
    async with database.reading() as connection:
        return [dict(row._mapping) for row in await connection.execute(select(table))]
