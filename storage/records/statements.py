"""What every writer of the records shares: rows as parameters, upserts, and one place to run a statement over many."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from sqlalchemy import Executable, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from core.devices import DeviceKey, DeviceKind

Parameters = dict[str, object]
_Id = TypeVar("_Id", str, int)
Upsert = sqlite.Insert | postgresql.Insert


def upsert_into(connection: AsyncConnection, table: Table) -> Upsert:
    """Begin an ``INSERT … ON CONFLICT`` in the words of the database at hand; both databases share the syntax."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


async def run_many(connection: AsyncConnection, statement: Executable, rows: Sequence[Parameters]) -> int:
    """Run ``statement`` once per row, in order, and return how many table rows it changed; no rows, no statement."""
    if not rows:
        return 0
    counted = statement.execution_options(preserve_rowcount=True)
    return (await connection.execute(counted, list(rows))).rowcount


def device_parts(device: DeviceKey) -> Parameters:
    """The three columns that name a device."""
    return {"community": device.community, "device_kind": device.kind.value, "device": device.device}


def device_key(community: str, device_kind: str, device: str) -> DeviceKey:
    """Undo `device_parts`."""
    return DeviceKey(community, DeviceKind(device_kind), device)


def batched(ids: Sequence[_Id], size: int) -> Iterator[Sequence[_Id]]:
    """Cut ``ids`` into pieces of at most ``size``."""
    return (ids[first : first + size] for first in range(0, len(ids), size))
