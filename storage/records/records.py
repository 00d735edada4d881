"""What the API reads from the records, and what people do to alerts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, Select, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.history import AlertFilter, AlertRow, DeviceRow, FaultFilter, FaultRow, TransitionRow
from alerts.model import TransitionKind
from core.devices import DeviceKey
from core.errors import Conflict
from storage.records import rows, timeline
from storage.records.alert_rows import find_alert, is_step_up
from storage.records.database import RecordsDatabase
from storage.records.progress import progress_of
from storage.records.statements import Parameters, batched
from storage.records.tables import alert_progress, alerts, devices, faults, transition_counter, transitions
from storage.records.uninterrupted import uninterrupted
from storage.records.unreadable import decoded

AnyRow = Row[Any]
_PATHS_AT_ONCE = 500  # Well below what either database takes as parameters of one statement.


class RecordsAdapter:
    """The API's `Records` port on the records database. Everything raises `TemporaryError` when it is away."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    async def ping(self) -> None:
        """Return when the database answers."""
        await self._database.ping()

    async def devices(self, community: str | None, kind: str | None, after: str | None, limit: int) -> list[DeviceRow]:
        """Return devices in rising order of path, beginning after the path ``after``."""
        wanted = rows.select_devices()
        if community is not None:
            wanted = wanted.where(devices.c.community == community)
        if kind is not None:
            wanted = wanted.where(devices.c.device_kind == kind)
        if after is not None:
            wanted = wanted.where(devices.c.path > after)
        return await self._database.read_page(wanted, devices, rows.device_row, by=devices.c.path, limit=limit)

    async def device(self, key: DeviceKey) -> DeviceRow | None:
        """Return one device, or ``None``."""
        wanted = rows.select_devices().where(devices.c.path == key.path)
        return next(iter(await self._database.read(wanted, devices, rows.device_row)), None)

    async def first_heard(self, paths: Sequence[str]) -> dict[str, datetime]:
        """Return since when devices are known, by path; those that never spoke are left out."""
        heard: dict[str, datetime] = {}
        for some in batched(paths, _PATHS_AT_ONCE):
            wanted = select(devices.c.path, devices.c.first_heard_at).where(devices.c.path.in_(some))
            heard |= {row.path: row.first_heard_at for row in await self._read(wanted)}
        return heard

    async def alerts(self, matching: AlertFilter, before: int | None, limit: int) -> list[AlertRow]:
        """Return alerts, newest number first, with numbers below ``before``."""
        wanted = select(alerts).where(*rows.alert_conditions(matching))
        if before is not None:
            wanted = wanted.where(alerts.c.number < before)
        by = alerts.c.number
        return await self._database.read_page(wanted, alerts, rows.alert_row, by=by, limit=limit, falling=True)

    async def alert(self, alert_id: str) -> tuple[AlertRow, list[TransitionRow]] | None:
        """Return one alert and its timeline in order, or ``None``."""
        async with self._database.reading() as connection:
            found = await find_alert(connection, alert_id)
            if found is None:
                return None
            known = decoded([found], alerts, rows.alert_row, self._database.unreadable)
            steps = await connection.execute(rows.timeline_of(alert_id))
            timeline = decoded(steps, transitions, rows.transition_row, self._database.unreadable)
            return (known[0], timeline) if known else None

    @uninterrupted
    async def acknowledge(
        self, alert_id: str, actor: str, comment: str | None, now: datetime, *, seen: int | None = None
    ) -> AlertRow | None:
        """Record that ``actor`` has seen the alert; the first one stays. ``None`` when there is no such alert.

        A later one's comment is kept all the same. ``seen`` is the newest sequence of its timeline that ``actor`` saw:
        `Conflict` where it has fired or become worse since.
        """
        async with self._database.writing() as connection:
            await timeline.reserve(connection, 0)  # From here on nobody else acknowledges.
            found = await find_alert(connection, alert_id)
            if found is None:
                return None
            if seen is not None:
                await _require_seen(connection, alert_id, seen)
            steps: list[Parameters] = []
            if found.acknowledged_at is None:
                await _remember(connection, alert_id, actor, now)
                steps.append(timeline.acknowledged_step(found, actor, now))
            if comment:
                steps.append(timeline.comment_step(found, actor, comment, now))
            await timeline.append(connection, await timeline.reserve(connection, len(steps)), steps)
            changed = await find_alert(connection, alert_id)
            return None if changed is None else rows.alert_row(changed)

    @uninterrupted
    async def comment(self, alert_id: str, actor: str, text: str, now: datetime) -> TransitionRow | None:
        """Add a comment to the timeline; ``None`` when there is no such alert."""
        async with self._database.writing() as connection:
            found = await find_alert(connection, alert_id)
            if found is None:
                return None
            last = await timeline.reserve(connection, 1)
            await timeline.append(connection, last, [timeline.comment_step(found, actor, text, now)])
            written = select(transitions).where(transitions.c.sequence == last + 1)
            return rows.transition_row((await connection.execute(written)).one())

    async def faults(self, matching: FaultFilter, before: int | None, limit: int) -> list[FaultRow]:
        """Return fault episodes, newest number first, with numbers below ``before``."""
        wanted = select(faults).where(*rows.fault_conditions(matching))
        if before is not None:
            wanted = wanted.where(faults.c.number < before)
        by = faults.c.number
        return await self._database.read_page(wanted, faults, rows.fault_row, by=by, limit=limit, falling=True)

    async def transitions(self, after: int, limit: int) -> list[TransitionRow]:
        """Return transitions with sequences above ``after``, in order; a sequence never appears late."""
        wanted, by = select(transitions).where(transitions.c.sequence > after), transitions.c.sequence
        return await self._database.read_page(wanted, transitions, rows.transition_row, by=by, limit=limit)

    async def last_sequence(self) -> int:
        """Return the newest transition's sequence, 0 when there is none."""
        return int((await self._read(select(transition_counter.c.last_sequence)))[0].last_sequence)

    async def alert_position(self) -> int:
        """Return the journal position up to which alerts have been decided; raises as `progress_of` does."""
        return progress_of((await self._read(select(alert_progress.c.position)))[0].position, alert_progress)

    async def _read(self, wanted: Select[Any]) -> list[AnyRow]:
        async with self._database.reading() as connection:
            return list(await connection.execute(wanted))


async def _remember(connection: AsyncConnection, alert_id: str, actor: str, now: datetime) -> None:
    seen = update(alerts).where(alerts.c.id == alert_id).values(acknowledged_at=now, acknowledged_by=actor)
    await connection.execute(seen)


async def _require_seen(connection: AsyncConnection, alert_id: str, seen: int) -> None:
    """Raise `Conflict` where the alert is no longer what it was at sequence ``seen``."""
    later = await connection.execute(rows.timeline_of(alert_id).where(transitions.c.sequence > seen))
    for step in later:
        if step.kind in (TransitionKind.FIRING, TransitionKind.REPEATED) or _became_worse(step):
            raise Conflict(
                f"alert {alert_id}: {step.kind} ({step.severity}) at sequence {step.sequence},"
                f" expected nothing new after {seen}: look at it again before acknowledging"
            )


def _became_worse(step: AnyRow) -> bool:
    before = msgspec.json.decode(step.facts, type=dict[str, object]).get("from")
    return step.kind == TransitionKind.SEVERITY_CHANGED and is_step_up(str(before), step.severity)
