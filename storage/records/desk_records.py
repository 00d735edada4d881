"""What the notification desk reads, and where it keeps what it decided, in one transaction."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Integer, Row, Select, bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.dispatch.model import DeskCommit, DeskSnapshot, Suppression, TimelineNote, Told
from alerts.model import Reason, Severity, TransitionKind
from alerts.ports import Afresh
from core.clock import Clock, SystemClock, moment
from storage.records import outbox_rows, timeline
from storage.records.afresh import put_states_aside, resolve_alerts_of, states_of
from storage.records.alert_rows import write_alerts
from storage.records.bulk import upsert_many
from storage.records.database import RecordsDatabase
from storage.records.desk_tables import desk_progress, desk_states
from storage.records.kept_tables import suppressions
from storage.records.progress import advance, progress_of
from storage.records.receivers import select_failing
from storage.records.statements import Parameters, device_key, run_many
from storage.records.suppressions import in_force_or_later, suppression_of
from storage.records.tables import FOR_THE_DESK, alerts, transitions
from storage.records.uninterrupted import uninterrupted
from storage.records.unreadable import decoded

_BESIDE = ("title_zh", "title_en", "fired_at", "latching", "protected", "maintenance")


class DeskRecordsAdapter:
    """`alerts.ports.DeskRecords` on the records database; ``clock`` says when a step was recorded."""

    def __init__(self, database: RecordsDatabase, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    async def load(self) -> DeskSnapshot:
        """Return the last committed state. Raises `TemporaryError`."""
        async with self._database.reading() as connection:
            # The sequence first: should another desk commit in between, ours is the older and gets fenced.
            sequence = (await connection.execute(select(desk_progress.c.sequence))).scalar_one()
            rows = await connection.execute(select(desk_states.c.key, desk_states.c.state))
            return DeskSnapshot(sequence=progress_of(sequence, desk_progress), states=dict(states_of(rows)))

    async def told(self, after: int, limit: int) -> list[Told]:
        """Return steps with sequences above ``after`` in order, without *pending* and the desk's own.

        An index over the steps that concern the desk answers: where there are none, however many others, at once.
        """
        async with self._database.reading() as connection:
            while rows := (await connection.execute(TOLD, {"above": after, "at_most": limit})).all():
                if told := decoded(rows, transitions, _told, self._database.unreadable):
                    return told
                after = rows[-1].sequence  # Nothing but unreadable steps: the desk must not take them for the end.
            return []

    async def suppressions(self, now: datetime) -> Sequence[Suppression]:
        """Return what is in force at ``now`` or begins later, by rising ``id``."""
        return await self._database.read(in_force_or_later(now), suppressions, suppression_of)

    async def failing_receivers(self) -> dict[str, str]:
        """Return the receivers that cannot be reached, with the newest error, as the port says."""
        async with self._database.reading() as connection:
            failing = await connection.execute(select_failing(self._clock.steady()))
            return {row.receiver: row.error for row in failing}

    @uninterrupted
    async def put_aside(self, unreadable: Mapping[str, str], afresh: Collection[Afresh]) -> None:
        """Keep states that cannot be decoded aside, and resolve the alerts of ``afresh``, as the port says."""
        now = self._clock.now()
        async with self._database.writing() as connection:
            await put_states_aside(connection, desk_states, unreadable, now)
            await resolve_alerts_of(connection, afresh, now, self._database.unreadable)

    @uninterrupted
    async def commit(self, decided: DeskCommit) -> None:
        """Store ``decided`` in one transaction; repeating the last commit changes nothing.

        Raises `TemporaryError` (repeat the same call) or `Fenced`. A note of an alert that nobody knows is left out.
        """
        async with self._database.writing() as connection:
            before, after = decided.previous_sequence, decided.sequence
            if not await advance(connection, desk_progress, "sequence", before=before, after=after, decided=decided):
                return
            await _write_states(connection, decided.states)
            now = moment(self._clock)
            await outbox_rows.put(connection, decided.intents, now)
            if decided.transitions or decided.notes:
                await _write_timelines(connection, decided, now.wall)


def _select_told() -> Select[Any]:
    """The limit is inside, so that no plan begins with all alerts."""
    wanted = (
        select(transitions)
        .where(transitions.c.sequence > bindparam("above"), FOR_THE_DESK)
        .order_by(transitions.c.sequence)
        .limit(bindparam("at_most", type_=Integer))
        .subquery()
    )
    beside = [alerts.c[name] for name in _BESIDE]
    return select(wanted, *beside).outerjoin(alerts, alerts.c.id == wanted.c.alert_id).order_by(wanted.c.sequence)


# Built once: asked many times a second, mostly for nothing, building it would cost as much as asking.
TOLD = _select_told()


def _told(row: Row[Any]) -> Told:
    return Told(
        sequence=row.sequence,
        alert_id=row.alert_id,
        rule=row.rule,
        severity=Severity(row.severity),
        device=device_key(row.community, row.device_kind, row.device),
        kind=TransitionKind(row.kind),
        at=row.at,
        recorded_at=row.recorded_at,
        actor=row.actor,
        reason=Reason(row.reason_code, row.reason_zh, row.reason_en, facts_of(row)),
        **_alert_of(row),
    )


def facts_of(row: Row[Any]) -> dict[str, str | float | int | bool]:
    """Without those that hold nothing: JSON knows no infinity, and one of them must not stop the desk."""
    facts = msgspec.json.decode(row.facts, type=dict[str, str | float | int | bool | None])
    return {name: value for name, value in facts.items() if value is not None}


def _alert_of(row: Row[Any]) -> dict[str, Any]:
    """What the alert is; a step of one that never fired is told with its own instant and no title."""
    if row.fired_at is None:
        return {"title_zh": "", "title_en": "", "fired_at": row.at}
    return {name: getattr(row, name) for name in _BESIDE}


async def _write_states(connection: AsyncConnection, states: dict[str, bytes | None]) -> None:
    kept = {key: state for key, state in states.items() if state is not None}
    columns: dict[str, list[object]] = {"key": [*kept], "state": [*kept.values()]}
    await upsert_many(connection, desk_states, columns, changing=["state"])
    gone = delete(desk_states).where(desk_states.c.key == bindparam("gone"))
    await run_many(connection, gone, [{"gone": key} for key, state in states.items() if state is None])


async def _write_timelines(connection: AsyncConnection, decided: DeskCommit, now: datetime) -> None:
    """The desk's own alerts first: its notes may speak of them."""
    await timeline.reserve(connection, 0)
    await write_alerts(connection, decided.transitions)
    steps = [timeline.engine_step(transition, now) for transition in decided.transitions]
    steps += await timeline.note_steps(connection, decided.notes, now)
    await run_many(connection, _TELL, [_telling(note) for note in decided.notes if note.kind in _CHANGE_TELLING])
    await timeline.append(connection, await timeline.reserve(connection, len(steps)), steps)


_CHANGE_TELLING = (TransitionKind.SUPPRESSED, TransitionKind.NOTIFIED)


def _telling(note: TimelineNote) -> Parameters:
    """Why people are not told of the alert, and which other one stands for it; nothing where they are told."""
    if note.kind is TransitionKind.NOTIFIED:
        return {"its_id": note.alert_id, "its_suppression": None, "its_cause": None}
    by = note.reason.facts.get("by")
    return {"its_id": note.alert_id, "its_suppression": note.reason.code, "its_cause": None if by is None else str(by)}


_TELL = (
    update(alerts)
    .where(alerts.c.id == bindparam("its_id"))
    .values(suppression=bindparam("its_suppression"), inhibited_by=bindparam("its_cause"))
)
