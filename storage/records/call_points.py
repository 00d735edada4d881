"""The QR codes on the walls, with every token they ever had."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import Conflict
from emergency.model import CallPoint
from storage.records.call_tables import call_point_tokens, call_points
from storage.records.database import RecordsDatabase
from storage.records.statements import Parameters, upsert_into
from storage.records.uninterrupted import uninterrupted


class CallPointsAdapter:
    """`emergency.ports.CallPoints` on the records database. Everything raises `TemporaryError` when it is away."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    async def by_token(self, token: str) -> tuple[CallPoint, bool] | None:
        """Return the point with this token, and whether the token is its present one; removed points are not found."""
        known = select(call_points).join(call_point_tokens, call_point_tokens.c.point_id == call_points.c.id)
        wanted = known.where(call_point_tokens.c.token == token, call_points.c.removed_at.is_(None))
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted)).one_or_none()
            return None if row is None else (_point(row), row.token == token)

    async def point(self, point_id: str) -> CallPoint | None:
        """Return one, removed ones too."""
        async with self._database.reading() as connection:
            wanted = select(call_points).where(call_points.c.id == point_id)
            row = (await connection.execute(wanted)).one_or_none()
            return None if row is None else _point(row)

    async def points(self, community: str | None) -> Sequence[CallPoint]:
        """Return those that were not removed, by id."""
        wanted = select(call_points).where(call_points.c.removed_at.is_(None)).order_by(call_points.c.id)
        if community is not None:
            wanted = wanted.where(call_points.c.community == community)
        async with self._database.reading() as connection:
            return [_point(row) for row in await connection.execute(wanted)]

    @uninterrupted
    async def put(self, point: CallPoint, actor: str, now: datetime) -> None:
        """Keep ``point`` in place of its former version. `Conflict` where another point has, or had, this token.

        ``created_at`` stays what it was at first, ``now`` where nobody said it.
        """
        async with self._database.writing() as connection:
            await _take_token(connection, point)
            insert = upsert_into(connection, call_points)
            row = _row(point, actor, now)
            newest = {name: insert.excluded[name] for name in row if name not in ("id", "created_at")}
            await connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=newest), row)


async def _take_token(connection: AsyncConnection, point: CallPoint) -> None:
    taking = upsert_into(connection, call_point_tokens).on_conflict_do_nothing(index_elements=["token"])
    await connection.execute(taking, {"token": point.token, "point_id": point.id})
    owner = select(call_point_tokens.c.point_id).where(call_point_tokens.c.token == point.token)
    if (its := (await connection.execute(owner)).scalar_one()) != point.id:
        raise Conflict(f"call point {point.id}: its token belongs to {its}; expected one that nobody has had")


def _row(point: CallPoint, actor: str, now: datetime) -> Parameters:
    return {
        "id": point.id,
        "community": point.community,
        "token": point.token,
        "name_zh": point.name_zh,
        "name_en": point.name_en,
        "lift": point.lift,
        "building": point.building,
        "generation": point.generation,
        "created_at": point.created_at or now,
        "removed_at": point.removed_at,
        "author": actor,
        "at": now,
    }


def _point(row: Row[Any]) -> CallPoint:
    return CallPoint(
        id=row.id,
        community=row.community,
        token=row.token,
        name_zh=row.name_zh,
        name_en=row.name_en,
        lift=row.lift,
        building=row.building,
        generation=row.generation,
        created_at=row.created_at,
        removed_at=row.removed_at,
    )
