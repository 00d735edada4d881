"""How far a reader has got, moved in the transaction of what it decided: fencing and repeats, for every such reader."""

import hashlib

import msgspec
from sqlalchemy import Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import Fenced, StartupError


async def advance(
    connection: AsyncConnection, progress: Table, place: str, *, before: int, after: int, decided: msgspec.Struct
) -> bool:
    """Move the one row of ``progress`` on; ``False`` when ``decided`` is stored already. Raises `Fenced`.

    ``place`` is the column that moves. Where it stands still (timers ran out, nothing came), the fingerprint of
    ``decided`` tells a repeat from the next commit at the same place.
    """
    column = progress.c[place]
    tick = None if after != before else _fingerprint(decided)
    moving = update(progress).where(column == before)
    if tick is not None:
        moving = moving.where(progress.c.tick.is_distinct_from(tick))
    if (await connection.execute(moving.values({place: after, "tick": tick}))).rowcount:
        return True
    stored = (await connection.execute(select(column))).scalar_one()
    if stored == after:
        return False
    raise Fenced(f"{progress.name}: stands at {place} {stored}, expected {before}: another one runs on these records")


def progress_of(stored: object, progress: Table) -> int:
    """Return ``stored``; raises `StartupError` where it is no number: nothing else says what was decided already."""
    if not isinstance(stored, int):
        raise StartupError(
            f"records database: {progress.name} holds {stored!r:.40}, expected a number: without it nobody knows what"
            f" was decided already; restore a backup, or `anju records rescue` a damaged file"
        )
    return stored


def _fingerprint(decided: msgspec.Struct) -> bytes:
    return hashlib.blake2b(msgspec.msgpack.encode(decided), digest_size=16).digest()
