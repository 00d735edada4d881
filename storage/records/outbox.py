"""The outbox: what is to be delivered, and what was."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from msgspec import Struct
from sqlalchemy import Boolean, Row, Select, bindparam, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.dispatch.model import Intent, OutboxEntry, OutboxStatus, Purpose, TimelineNote
from alerts.model import Reason, Severity, TransitionKind
from core.clock import Clock, Moment, SystemClock, wall_ahead
from storage.records import outbox_rows, receivers, timeline
from storage.records.database import RecordsDatabase
from storage.records.desk_tables import outbox, outbox_alerts
from storage.records.grouped import Grouped
from storage.records.statements import Parameters, run_many
from storage.records.tables import FreeText, Instant
from storage.records.uninterrupted import uninterrupted
from storage.records.unreadable import UnreadableRows, decoded


class _Ending(Struct, frozen=True):
    """That an entry ended at ``at`` of the steady clock, and what was said of it."""

    number: int
    at: datetime
    detail: str


class OutboxAdapter:
    """`alerts.ports.Outbox` and the API's `OutboxView` and `TestSender` on the records database.

    ``clock`` says when a step was recorded, and how far the wall clock, which stamps, is ahead of the steady one, by
    which everything is waited for. Everything raises `TemporaryError` when the database is away.
    """

    def __init__(self, database: RecordsDatabase, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._deliveries = Grouped(self._record_delivered)
        self.delivery_seconds = 0.0
        """How long all that was delivered through this adapter had waited since it was decided, retries included."""

    async def due(
        self, now: datetime, limit: int, without: Collection[str] = (), *, calls: bool | None = None
    ) -> list[OutboxEntry]:
        """Return waiting entries to be tried at ``now``: those due longest, the oldest of them first.

        The receivers ``without`` are left out. At most one for each (receiver, incident): the one before must be
        finished, so that order is kept. ``calls`` asks for pages of emergency calls only, or for all else.
        """
        async with self._database.reading() as connection:
            wanted = outbox_rows.select_due(now, limit, without, calls=calls)
            rows = [*await connection.execute(wanted), *await connection.execute(outbox_rows.NEVER_DUE)]
        unreadable = UnreadableRows()
        entries = decoded(rows, outbox, outbox_rows.entry_of, unreadable)
        for row in unreadable.rows():
            # Left waiting, it would hold up its line and be read again at every look.
            self._database.unreadable.note(row)
            await self.give_up(row.key["number"], now, f"cannot be read: {row.reason}")
        return sorted(entries, key=lambda entry: entry.number)

    async def next_due(self) -> datetime | None:
        """Return when the next entry is to be tried, ``None`` while nothing waits; at once where that is no instant."""
        first = select(func.min(outbox.c.next_attempt_at)).where(outbox.c.next_attempt_at.is_not(None))
        async with self._database.reading() as connection:
            instant: object = (await connection.execute(first)).scalar_one()
        # One damaged instant must not stop the delivery of all else: `due` gives its entry up.
        return instant if isinstance(instant, datetime | None) else self._clock.steady()

    @uninterrupted
    async def delivered(self, number: int, now: datetime, detail: str) -> None:
        """Record that the receiver has it. May be repeated. What ends at the same time is recorded together."""
        await self._deliveries.ask(_Ending(number, now, detail))

    @uninterrupted
    async def postpone(self, number: int, now: datetime, until: datetime, detail: str) -> None:
        """Record that an attempt has failed at ``now``, to be repeated at ``until``."""
        waiting = update(outbox).where(outbox.c.number == number, outbox.c.next_attempt_at.is_not(None))
        later = waiting.values(next_attempt_at=until, attempts=outbox.c.attempts + 1, detail=detail)
        async with self._database.writing() as connection:
            receiver = (await connection.execute(later.returning(outbox.c.receiver))).scalar_one_or_none()
            if receiver is not None:
                await receivers.failed(connection, receiver, now, detail)

    @uninterrupted
    async def send_test(self, receiver: str, actor: str, now: datetime) -> int:
        """Have ``receiver`` told that ``actor`` tries it out; return the number of the row. Each call is a new one."""
        name = f"test-{uuid4().hex}"
        incident = f"test by {actor}"
        trial = Intent(name, incident, 1, receiver, Purpose.TEST, Severity.INFO, now, 0, "", (), 0)
        async with self._database.writing() as connection:
            await outbox_rows.lock(connection)
            ahead = wall_ahead(self._clock)
            await outbox_rows.put(connection, [trial], Moment(now - ahead, ahead))
            return int((await connection.execute(select(outbox.c.number).where(outbox.c.id == name))).scalar_one())

    @uninterrupted
    async def give_up(self, number: int, now: datetime, detail: str) -> None:
        """Record that it will not be tried again, and say so in the timelines of its alerts. May be repeated."""
        async with self._database.writing() as connection:
            ahead = wall_ahead(self._clock)
            ended = await _finish(connection, [_Ending(number, now, detail)], ahead, failed=True)
            if not ended:
                return
            (finished,) = ended
            linked = select(outbox_alerts.c.alert_id).where(outbox_alerts.c.number == number)
            ids = (await connection.execute(linked.order_by(outbox_alerts.c.alert_id))).scalars()
            notes = [undelivered(alert_id, finished.receiver, now + ahead, detail) for alert_id in ids]
            await timeline.reserve(connection, 0)
            steps = await timeline.note_steps(connection, notes, self._clock.now())
            await timeline.append(connection, await timeline.reserve(connection, len(steps)), steps)

    @uninterrupted
    async def trim(self, before: datetime, limit: int) -> int:
        """Delete at most ``limit`` entries that were finished before ``before``, the oldest first; return how many."""
        async with self._database.writing() as connection:
            return await outbox_rows.delete_finished(connection, before, limit)

    async def _record_delivered(self, endings: Sequence[_Ending]) -> Sequence[Exception | None]:
        async with self._database.writing() as connection:
            finished = await _finish(connection, endings, wall_ahead(self._clock), failed=False)
        at = {ending.number: ending.at for ending in endings}
        waited = (at[row.number] - outbox_rows.came_in(row) for row in finished)
        self.delivery_seconds += sum(max(0.0, each.total_seconds()) for each in waited)
        return [None] * len(endings)

    async def outbox(
        self, *, status: str | None, receiver: str | None, alert_id: str | None, before: int | None, limit: int
    ) -> Sequence[OutboxEntry]:
        """Return entries by falling number, below ``before``."""
        wanted = _with_status(select(outbox), status)
        if receiver is not None:
            wanted = wanted.where(outbox.c.receiver == receiver)
        if alert_id is not None:
            linked = select(outbox_alerts.c.number).where(outbox_alerts.c.alert_id == alert_id)
            wanted = wanted.where(outbox.c.number.in_(linked))
        if before is not None:
            wanted = wanted.where(outbox.c.number < before)
        by, entry_of = outbox.c.number, outbox_rows.entry_of
        return await self._database.read_page(wanted, outbox, entry_of, by=by, limit=limit, falling=True)


def undelivered(alert_id: str, receiver: str, now: datetime, detail: str) -> TimelineNote:
    """What the timeline of an alert says of a message that was given up."""
    zh, en = f"未能通知 {receiver}：{detail}", f"could not tell {receiver}: {detail}"
    reason = Reason("undelivered", zh, en, {"receiver": receiver, "detail": detail})
    return TimelineNote(alert_id, TransitionKind.UNDELIVERED, now, reason)


def _with_status(wanted: Select[Any], status: str | None) -> Select[Any]:
    if status is None:
        return wanted
    match OutboxStatus(status):
        case OutboxStatus.WAITING:
            return wanted.where(outbox.c.finished_at.is_(None))
        case OutboxStatus.FAILED:
            return wanted.where(outbox.c.failed.is_(true()))
        case OutboxStatus.DELIVERED:
            return wanted.where(outbox.c.finished_at.is_not(None), outbox.c.failed.is_not(true()))


async def _finish(
    connection: AsyncConnection, endings: Sequence[_Ending], ahead: timedelta, *, failed: bool
) -> Sequence[Row[Any]]:
    """End entries, let the next of each line be tried, and remember how their receivers fare.

    Returns those that were not finished before, as `outbox_rows.waiting` does.
    """
    await outbox_rows.lock(connection)
    # The first that was said of an entry counts.
    by_number = {ending.number: ending for ending in reversed(endings)}
    found = await outbox_rows.waiting(connection, by_number)
    said = [(row, by_number[row.number]) for row in found]
    await run_many(connection, _END, [_ended(ending, ahead, failed=failed) for _, ending in said])
    await outbox_rows.promote(connection, [(row.receiver, row.incident, ending.at) for row, ending in said])
    newest = {row.receiver: ending.detail if failed else None for row, ending in said}
    for receiver, failure in newest.items():
        await receivers.ended(connection, receiver, failure)
    return found


def _ended(ending: _Ending, ahead: timedelta, *, failed: bool) -> Parameters:
    known = {"number": ending.number, "end": ending.at + ahead, "failed": failed, "detail": ending.detail}
    return {f"its_{name}": value for name, value in known.items()}


_END = (
    update(outbox)
    .where(outbox.c.number == bindparam("its_number"))
    .values(
        finished_at=bindparam("its_end", type_=Instant),
        failed=bindparam("its_failed", type_=Boolean),
        detail=bindparam("its_detail", type_=FreeText),
        next_attempt_at=None,
        attempts=outbox.c.attempts + 1,
    )
)
