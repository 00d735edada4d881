"""Who stands in for whom."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from alerts.history import RotaOverrideRow
from storage.records.database import RecordsDatabase
from storage.records.kept_tables import rota_overrides
from storage.records.numbered import id_of, number_of
from storage.records.uninterrupted import uninterrupted


class RotaOverridesAdapter:
    """The API's `RotaOverrides` port on the records database. Everything raises `TemporaryError` when it is away.

    One that was taken back stays in its table, with who did it.
    """

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    async def overrides(self, since: datetime) -> Sequence[RotaOverrideRow]:
        """Return those that end after ``since``, by start; where two overlap the later created one counts."""
        lasting = select(rota_overrides).where(rota_overrides.c.ends_at > since, rota_overrides.c.removed_at.is_(None))
        wanted = lasting.order_by(rota_overrides.c.starts_at, rota_overrides.c.number)
        return await self._database.read(wanted, rota_overrides, _override)

    @uninterrupted
    async def add_override(
        self, rota: str, person: str, starts_at: datetime, ends_at: datetime, author: str, now: datetime
    ) -> RotaOverrideRow:
        """Keep one."""
        row = {"rota": rota, "person": person, "starts_at": starts_at, "ends_at": ends_at}
        keeping = insert(rota_overrides).returning(rota_overrides)
        async with self._database.writing() as connection:
            kept = await connection.execute(keeping, {**row, "author": author, "created_at": now})
            return _override(kept.one())

    @uninterrupted
    async def remove_override(self, override_id: str, actor: str, now: datetime) -> bool:
        """Take one back; ``False`` when there is no such one."""
        in_force = update(rota_overrides).where(
            rota_overrides.c.number == number_of(override_id), rota_overrides.c.removed_at.is_(None)
        )
        async with self._database.writing() as connection:
            return (await connection.execute(in_force.values(removed_at=now, removed_by=actor))).rowcount > 0


def _override(row: Row[Any]) -> RotaOverrideRow:
    return RotaOverrideRow(
        id=id_of(row.number),
        rota=row.rota,
        person=row.person,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        author=row.author,
        created_at=row.created_at,
    )
