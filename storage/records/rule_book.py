"""Rules that people keep, every version of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.history import RuleRevisionRow
from core.errors import Conflict
from storage.records.database import RecordsDatabase
from storage.records.kept_tables import rule_revisions
from storage.records.uninterrupted import uninterrupted
from storage.records.versions import RULES, next_version, version_of


class RuleBookAdapter:
    """The API's `RuleBook` port on the records database. Everything raises `TemporaryError` when it is away."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    async def version(self) -> int:
        """Return the number of the newest revision, 0 when there is none; one row is read."""
        async with self._database.reading() as connection:
            return await version_of(connection, RULES)

    async def newest(self) -> Sequence[RuleRevisionRow]:
        """Return the newest revision of every rule, by rule."""
        last = select(rule_revisions.c.rule, func.max(rule_revisions.c.revision).label("revision"))
        newest = last.group_by(rule_revisions.c.rule).subquery()
        same = (rule_revisions.c.rule == newest.c.rule) & (rule_revisions.c.revision == newest.c.revision)
        found = await self._read(select(rule_revisions).join(newest, same))
        return sorted(found, key=lambda row: row.rule)  # In Python: PostgreSQL's order depends on its locale.

    async def history(self, rule: str) -> Sequence[RuleRevisionRow]:
        """Return every revision of ``rule``, newest first."""
        wanted = select(rule_revisions).where(rule_revisions.c.rule == rule)
        return await self._read(wanted.order_by(rule_revisions.c.revision.desc()))

    @uninterrupted
    async def put(
        self,
        rule: str,
        text: str,
        *,
        enabled: bool,
        author: str,
        comment: str,
        now: datetime,
        expected_revision: int | None = None,
    ) -> RuleRevisionRow:
        """Keep a new revision. `Conflict` where the newest one is not ``expected_revision`` (0: none yet)."""
        async with self._database.writing() as connection:
            number = await next_version(connection, RULES)  # From here on nobody else changes rules.
            last = await _last_revision(connection, rule)
            if expected_revision is not None and last != expected_revision:
                raise Conflict(f"rule {rule}: stands at revision {last}, expected {expected_revision}")
            written = {"number": number, "rule": rule, "revision": last + 1, "text": text, "enabled": enabled}
            signed = {"author": author, "comment": comment, "at": now}
            kept = await connection.execute(insert(rule_revisions).returning(rule_revisions), {**written, **signed})
            return _revision(kept.one())

    async def _read(self, wanted: Select[Any]) -> list[RuleRevisionRow]:
        return await self._database.read(wanted, rule_revisions, _revision)


async def _last_revision(connection: AsyncConnection, rule: str) -> int:
    last = select(func.max(rule_revisions.c.revision)).where(rule_revisions.c.rule == rule)
    return (await connection.execute(last)).scalar_one() or 0


def _revision(row: Row[Any]) -> RuleRevisionRow:
    return RuleRevisionRow(
        number=row.number,
        rule=row.rule,
        revision=row.revision,
        text=row.text,
        enabled=row.enabled,
        author=row.author,
        comment=row.comment,
        at=row.at,
    )
