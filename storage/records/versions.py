"""Versions of what people keep: one counter for each sort, moved in the transaction of the change."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.records.kept_tables import kept_versions

RULES = "rules"
FACTS = "facts"


async def next_version(connection: AsyncConnection, name: str) -> int:
    """Take the next version of ``name``. Others who change the same wait until this transaction ends."""
    counter = update(kept_versions).where(kept_versions.c.name == name)
    taken = counter.values(version=kept_versions.c.version + 1).returning(kept_versions.c.version)
    return int((await connection.execute(taken)).scalar_one())


async def version_of(connection: AsyncConnection, name: str) -> int:
    """Return the newest version of ``name``, 0 while nothing was kept or it cannot be read; reads one row."""
    newest = select(kept_versions.c.version).where(kept_versions.c.name == name)
    version = (await connection.execute(newest)).scalar_one()
    return version if isinstance(version, int) else 0
