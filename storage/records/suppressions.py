"""Silences, maintenance windows and shelved alerts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, Select, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.dispatch.model import Suppression, SuppressionKind
from alerts.matchers import Matcher
from core.clock import Clock, SystemClock
from storage.records.database import RecordsDatabase
from storage.records.kept_tables import suppressions
from storage.records.numbered import id_of, number_of
from storage.records.statements import Parameters
from storage.records.uninterrupted import uninterrupted


class SuppressionsAdapter:
    """The API's `Suppressions` port on the records database; ``clock`` says what is over.

    Everything raises `TemporaryError` when the database is away.
    """

    def __init__(self, database: RecordsDatabase, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    async def list(self, *, ended: bool, before: str | None, limit: int) -> Sequence[Suppression]:
        """Return suppressions by falling ``id``, below ``before``; with ``ended`` those that are over as well."""
        wanted = select(suppressions) if ended else _not_over(self._clock.now())
        if before is not None:
            wanted = wanted.where(suppressions.c.number < number_of(before))
        by = suppressions.c.number
        return await self._database.read_page(wanted, suppressions, suppression_of, by=by, limit=limit, falling=True)

    async def get(self, suppression_id: str) -> Suppression | None:
        """Return one, or ``None``."""
        wanted = select(suppressions).where(suppressions.c.number == number_of(suppression_id))
        return next(iter(await self._database.read(wanted, suppressions, suppression_of)), None)

    @uninterrupted
    async def add(self, suppression: Suppression) -> Suppression:
        """Keep ``suppression``, whose ``id`` is ignored, and return it with its own: they rise with time."""
        async with self._database.writing() as connection:
            return await add_suppression(connection, suppression)

    @uninterrupted
    async def end(self, suppression_id: str, actor: str, now: datetime) -> Suppression | None:
        """End it now; one that is over stays as it is. ``None`` when there is no such one."""
        number = number_of(suppression_id)
        lasting = update(suppressions).where(suppressions.c.number == number, suppressions.c.ended_at.is_(None))
        ending = lasting.where(suppressions.c.ends_at > now).values(ended_at=now, ended_by=actor)
        async with self._database.writing() as connection:
            await connection.execute(ending)
            return await _find(connection, number)


def in_force_or_later(now: datetime) -> Select[Any]:
    """What is in force at ``now`` or begins later, by rising number. ``now`` may lie in the past."""
    return _not_over(now).order_by(suppressions.c.number)


def suppression_of(row: Row[Any]) -> Suppression:
    return Suppression(
        id=id_of(row.number),
        kind=SuppressionKind(row.kind),
        matchers=msgspec.json.decode(row.matchers, type=tuple[Matcher, ...]),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        reason=row.reason,
        author=row.author,
        created_at=row.created_at,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
    )


async def add_suppression(connection: AsyncConnection, suppression: Suppression) -> Suppression:
    """Keep ``suppression``, and return it as it stands, with its own ``id``."""
    written = await connection.execute(insert(suppressions).returning(suppressions), _row(suppression))
    return suppression_of(written.one())


async def end_shelved(connection: AsyncConnection, matchers: Sequence[Matcher], actor: str, now: datetime) -> bool:
    """Take up again what is shelved with just these ``matchers``; ``False`` where nothing is."""
    shelved = update(suppressions).where(
        suppressions.c.kind == SuppressionKind.SHELVED.value,
        suppressions.c.ends_at > now,
        suppressions.c.ended_at.is_(None),
        suppressions.c.matchers == _encoded(matchers),
    )
    return (await connection.execute(shelved.values(ended_at=now, ended_by=actor))).rowcount > 0


def _not_over(now: datetime) -> Select[Any]:
    lasting = or_(suppressions.c.ended_at.is_(None), suppressions.c.ended_at > now)
    return select(suppressions).where(suppressions.c.ends_at > now, lasting)


async def _find(connection: AsyncConnection, number: int) -> Suppression | None:
    row = (await connection.execute(select(suppressions).where(suppressions.c.number == number))).one_or_none()
    return None if row is None else suppression_of(row)


def _encoded(matchers: Sequence[Matcher]) -> str:
    return msgspec.json.encode(tuple(matchers)).decode()


def _row(suppression: Suppression) -> Parameters:
    return {
        "kind": suppression.kind.value,
        "matchers": _encoded(suppression.matchers),
        "starts_at": suppression.starts_at,
        "ends_at": suppression.ends_at,
        "reason": suppression.reason,
        "author": suppression.author,
        "created_at": suppression.created_at,
        "ended_at": suppression.ended_at,
        "ended_by": suppression.ended_by,
    }
