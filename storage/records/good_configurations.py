"""The last good version of the rules and of both plans."""

import msgspec
from sqlalchemy import select

from core.configuration import GoodConfiguration
from storage.records.database import RecordsDatabase
from storage.records.kept_tables import good_configurations
from storage.records.statements import upsert_into
from storage.records.uninterrupted import uninterrupted


class GoodConfigurationsAdapter:
    """Keeps one version of each kind. Everything raises `TemporaryError` when the records database is away."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    async def newest(self, kind: str) -> GoodConfiguration | None:
        """Return the version that was kept last, ``None`` where there never was one."""
        wanted = select(good_configurations).where(good_configurations.c.kind == kind)
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted)).one_or_none()
        if row is None:
            return None
        return GoodConfiguration(row.kind, msgspec.json.decode(row.texts, type=dict[str, str]), row.at)

    @uninterrupted
    async def keep(self, good: GoodConfiguration) -> None:
        """Keep ``good`` in place of the version before. The same again changes nothing, not even its instant."""
        texts = msgspec.json.encode(dict(good.texts), order="sorted").decode()
        row = {"texts": texts, "digest": good.digest, "at": good.at}
        async with self._database.writing() as connection:
            insert = upsert_into(connection, good_configurations)
            newest = {name: insert.excluded[name] for name in row}
            other = good_configurations.c.digest != insert.excluded.digest
            keeping = insert.on_conflict_do_update(index_elements=["kind"], set_=newest, where=other)
            await connection.execute(keeping, {"kind": good.kind, **row})
