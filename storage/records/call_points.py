"""The QR codes on the walls, with the digests of every token they ever had."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Row, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from emergency.model import CallPoint, ScannedCode
from emergency.tokens import PointTokens, digest_of
from storage.records.call_tables import call_point_tokens, call_points
from storage.records.database import RecordsDatabase
from storage.records.statements import Parameters, run_many, upsert_into
from storage.records.uninterrupted import uninterrupted
from storage.records.unreadable import UnreadableRows, decoded

_IN_USE = call_points.c.removed_at.is_(None)


class CallPointsAdapter:
    """`api.call_ports.CallPoints` on the records database. Everything raises `TemporaryError` when it is away."""

    def __init__(self, database: RecordsDatabase, tokens: PointTokens) -> None:
        self._database = database
        self._tokens = tokens

    async def by_token(self, token: str) -> ScannedCode | None:
        """Return what the token leads to, one that has ended as well."""
        wanted = (
            select(call_points, call_point_tokens.c.generation.label("its_generation"), call_point_tokens.c.ends_at)
            .join(call_point_tokens, call_point_tokens.c.point_id == call_points.c.id)
            .where(call_point_tokens.c.digest == digest_of(token), _IN_USE)
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted)).one_or_none()
        return None if row is None else _scanned(row, self._database.unreadable)

    async def point(self, point_id: str) -> CallPoint | None:
        """Return one, removed ones too."""
        wanted = select(call_points).where(call_points.c.id == point_id)
        return next(iter(await self._database.read(wanted, call_points, _point)), None)

    async def points(self, community: str | None) -> Sequence[CallPoint]:
        """Return those that were not removed, by id."""
        wanted = select(call_points).where(_IN_USE).order_by(call_points.c.id)
        if community is not None:
            wanted = wanted.where(call_points.c.community == community)
        return await self._database.read(wanted, call_points, _point)

    @uninterrupted
    async def put(self, point: CallPoint, actor: str, now: datetime, *, former_until: datetime | None = None) -> None:
        """Keep ``point`` in place of its former version, with its token, as the port says.

        ``created_at`` stays what it was at first, ``now`` where nobody said it.
        """
        async with self._database.writing() as connection:
            await self._know(connection, [point])
            if former_until is not None:
                await _end_former(connection, point, former_until)
            insert = upsert_into(connection, call_points)
            row = _row(point, actor, now)
            newest = {name: insert.excluded[name] for name in row if name not in ("id", "created_at")}
            await connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=newest), row)

    @uninterrupted
    async def adopt(self) -> None:
        """Let the tokens that the key gives lead to their points, for points kept under another key or under none.

        Tokens of before go on leading there, those of unreadable rows too. May be repeated.
        """
        async with self._database.writing() as connection:
            rows = await connection.execute(select(call_points).where(_IN_USE))
            await self._know(connection, decoded(rows, call_points, _point, self._database.unreadable))

    async def _know(self, connection: AsyncConnection, points: Sequence[CallPoint]) -> None:
        fresh: list[Parameters] = [
            {"digest": digest_of(self._tokens.of(point)), "point_id": point.id, "generation": point.generation}
            for point in points
        ]
        insert = upsert_into(connection, call_point_tokens).on_conflict_do_nothing(index_elements=["digest"])
        await run_many(connection, insert, fresh)


async def _end_former(connection: AsyncConnection, point: CallPoint, until: datetime) -> None:
    kept = call_point_tokens.c
    former = (kept.point_id == point.id, kept.generation < point.generation)
    later = or_(kept.ends_at.is_(None), kept.ends_at > until)
    await connection.execute(update(call_point_tokens).where(*former, later).values(ends_at=until))


def _row(point: CallPoint, actor: str, now: datetime) -> Parameters:
    return {
        "id": point.id,
        "community": point.community,
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


def _scanned(row: Row[Any], unreadable: UnreadableRows) -> ScannedCode:
    """A code with a damaged row still calls: as the present one, without an end, where those cannot be read."""
    if not decoded([row], call_points, _point, unreadable):
        return ScannedCode(_readable(_point(row)), False, None)
    ends_at = row.ends_at if isinstance(row.ends_at, datetime) else None
    return ScannedCode(_point(row), row.its_generation < row.generation, ends_at)


def _readable(point: CallPoint) -> CallPoint:
    """Return ``point`` without what is of a foreign type: names and building are for people to read."""
    texts = {name: str(getattr(point, name)) for name in ("id", "community", "name_zh", "name_en", "lift", "building")}
    return replace(point, **texts, generation=1, created_at=None, removed_at=None)


def _point(row: Row[Any]) -> CallPoint:
    return CallPoint(
        id=row.id,
        community=row.community,
        name_zh=row.name_zh,
        name_en=row.name_en,
        lift=row.lift,
        building=row.building,
        generation=row.generation,
        created_at=row.created_at,
        removed_at=row.removed_at,
    )
