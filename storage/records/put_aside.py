"""The table ``put_aside``: undecodable content that had to make room, kept byte by byte with the reason."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.records.kept_tables import put_aside
from storage.records.statements import run_many

_kept = put_aside.c


class PutAside(Struct, frozen=True):
    """Content of one row; ``content`` is what the damaged column held."""

    table: str
    key: str
    content: bytes
    reason: str


async def keep(connection: AsyncConnection, found: Sequence[PutAside], now: datetime) -> None:
    """Add ``found`` to the table; the caller's transaction puts something readable in its place, or nothing."""
    rows: list[dict[str, object]] = [
        {"table_name": one.table, "row_key": one.key, "content": one.content, "reason": one.reason, "at": now}
        for one in found
    ]
    await run_many(connection, insert(put_aside), rows)


async def uncleared(connection: AsyncConnection) -> dict[str, tuple[int, str]]:
    """Return for each table how many rows were put aside and not cleared, and the newest of them with its reason."""
    newest = select(_kept.table_name, func.count().label("rows"), func.max(_kept.number).label("number"))
    newest = newest.where(_kept.cleared_at.is_(None)).group_by(_kept.table_name)
    found = {row.number: row for row in await connection.execute(newest)}
    if not found:
        return {}
    rows = await connection.execute(select(_kept.number, _kept.row_key, _kept.reason).where(_kept.number.in_(found)))
    return {found[row.number].table_name: (found[row.number].rows, f"{row.row_key}: {row.reason}") for row in rows}


async def listed(connection: AsyncConnection) -> list[tuple[PutAside, datetime]]:
    """Return what was put aside and not cleared, oldest first, with its instant."""
    rows = await connection.execute(select(put_aside).where(_kept.cleared_at.is_(None)).order_by(_kept.number))
    return [(PutAside(row.table_name, row.row_key, row.content, row.reason), row.at) for row in rows]


async def clear(connection: AsyncConnection, table: str, key: str, now: datetime) -> int:
    """Mark what was put aside of one row as looked at; the content stays. Returns how many there were."""
    found = update(put_aside).where(_kept.table_name == table, _kept.row_key == key, _kept.cleared_at.is_(None))
    return (await connection.execute(found.values(cleared_at=now))).rowcount
