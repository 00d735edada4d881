"""Rows of the outbox: how they come in, which of a line is next, and how they are read.

A *line* is what one receiver is told of one incident. Only the oldest waiting entry of a line has an instant at which
it is to be tried; when it is finished, the next one gets one. So what is due is found by that instant alone, however
many wait behind. Entries come in and are finished under one lock, or a row could be overlooked between the two.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Row, Select, bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.dispatch.model import Intent, OutboxEntry, OutboxStatus
from core.clock import Moment
from storage.records.desk_tables import OF_CALLS, OF_OTHERS, desk_progress, outbox, outbox_alerts
from storage.records.statements import Parameters, batched, run_many, upsert_into
from storage.records.tables import Instant

Turn = tuple[str, str, datetime]
"""Receiver and incident, which are a line, and when its next entry may be tried by the steady clock."""
_IDS_AT_ONCE = 500
_MICROSECOND = timedelta(microseconds=1)
_WAITING = (outbox.c.number, outbox.c.receiver, outbox.c.incident, outbox.c.created_at, outbox.c.created_ahead)


async def lock(connection: AsyncConnection) -> None:
    """Keep others from putting in and finishing until this transaction ends.

    It is the desk's own row, which a commit of the desk holds anyway. Call it before reserving sequences.
    """
    await connection.execute(select(desk_progress.c.id).with_for_update())


async def put(connection: AsyncConnection, intents: Sequence[Intent], now: Moment) -> None:
    """Add what is not there yet, by ``id``. The caller holds the desk's row."""
    if not intents:
        return
    adding = upsert_into(connection, outbox).on_conflict_do_nothing(index_elements=["id"])
    await run_many(connection, adding, [_row(intent, now) for intent in intents])
    await _link(connection, intents)
    lines = {(intent.receiver, intent.incident): None for intent in intents}
    await promote(connection, [(*line, now.steady) for line in lines])


async def waiting(connection: AsyncConnection, numbers: Iterable[int]) -> Sequence[Row[Any]]:
    """Return the entries that are not finished, without what they say. The caller holds the lock."""
    found: list[Row[Any]] = []
    unfinished = select(*_WAITING).where(outbox.c.finished_at.is_(None))
    for chunk in batched(sorted(numbers), _IDS_AT_ONCE):
        found += await connection.execute(unfinished.where(outbox.c.number.in_(chunk)))
    return found


async def promote(connection: AsyncConnection, turns: Iterable[Turn]) -> None:
    """Let the oldest waiting entry of each line be tried from an instant on, unless it has one already."""
    rows: list[Parameters] = [
        {"its_receiver": receiver, "its_incident": incident, "its_turn": at} for receiver, incident, at in turns
    ]
    await run_many(connection, _PROMOTE, rows)


async def delete_finished(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete the oldest entries that were finished before ``before``, with their links to alerts; return how many.

    What was finished before came in before: so the index over when they came in finds them.
    """
    old = select(outbox.c.number).where(outbox.c.created_at < before, outbox.c.finished_at < before)
    oldest = old.order_by(outbox.c.created_at).limit(limit)
    numbers = list((await connection.execute(oldest)).scalars())
    for chunk in batched(numbers, _IDS_AT_ONCE):
        await connection.execute(delete(outbox_alerts).where(outbox_alerts.c.number.in_(chunk)))
        await connection.execute(delete(outbox).where(outbox.c.number.in_(chunk)))
    return len(numbers)


def select_due(now: datetime, limit: int, without: Collection[str], *, calls: bool | None = None) -> Select[Any]:
    """Those due longest; the index ``outbox_due`` holds them in this order, with their receivers, and nothing else.

    So does ``outbox_calls_due`` with the pages of calls.
    """
    due = select(outbox).where(outbox.c.next_attempt_at <= now)
    if calls is not None:
        due = due.where(OF_CALLS if calls else OF_OTHERS)
    if without:
        due = due.where(outbox.c.receiver.not_in(sorted(without)))
    return due.order_by(outbox.c.next_attempt_at, outbox.c.number).limit(limit)


# What a damaged instant sorts as when it is text, bytes or beyond every instant: an entry that would wait for ever.
NEVER_DUE = (
    select(outbox)
    .where(outbox.c.next_attempt_at.is_not(None), outbox.c.next_attempt_at > datetime.max.replace(tzinfo=UTC))
    .order_by(outbox.c.next_attempt_at, outbox.c.number)
    .limit(100)
)


def entry_of(row: Row[Any]) -> OutboxEntry:
    """Where an entry waits behind another, or is finished, ``next_attempt_at`` is when it came in or was finished."""
    return OutboxEntry(
        number=row.number,
        intent=msgspec.json.decode(row.intent, type=Intent),
        status=status_of(row),
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at or row.finished_at or row.created_at,
        created_at=row.created_at,
        finished_at=row.finished_at,
        detail=row.detail,
        created_ahead=row.created_ahead * _MICROSECOND,
    )


def came_in(row: Row[Any]) -> datetime:
    """Return when an entry came in, by the steady clock."""
    created: datetime = row.created_at - row.created_ahead * _MICROSECOND
    return created


def status_of(row: Row[Any]) -> OutboxStatus:
    if row.finished_at is None:
        return OutboxStatus.WAITING
    return OutboxStatus.FAILED if row.failed else OutboxStatus.DELIVERED


def _row(intent: Intent, now: Moment) -> Parameters:
    return {
        "id": intent.id,
        "receiver": intent.receiver,
        "incident": intent.incident,
        "community": intent.community,
        "person": intent.person,
        "severity": intent.severity.value,
        "purpose": intent.purpose.value,
        "intent": msgspec.json.encode(intent).decode(),
        "created_at": now.wall,
        "created_ahead": now.ahead // _MICROSECOND,
        "attempts": 0,
        "detail": "",
    }


async def _link(connection: AsyncConnection, intents: Sequence[Intent]) -> None:
    """Say which alerts each entry speaks of."""
    intents = [intent for intent in intents if intent.alerts]
    numbers: dict[str, int] = {}
    for chunk in batched([intent.id for intent in intents], _IDS_AT_ONCE):
        found = await connection.execute(select(outbox.c.id, outbox.c.number).where(outbox.c.id.in_(chunk)))
        numbers |= {row.id: row.number for row in found}
    links: list[Parameters] = [
        {"alert_id": alert.id, "number": numbers[intent.id]} for intent in intents for alert in intent.alerts
    ]
    await run_many(connection, upsert_into(connection, outbox_alerts).on_conflict_do_nothing(), links)


_oldest = outbox.alias("oldest")
_PROMOTE = (
    update(outbox)
    .where(
        outbox.c.number
        == select(func.min(_oldest.c.number))
        .where(
            _oldest.c.receiver == bindparam("its_receiver"),
            _oldest.c.incident == bindparam("its_incident"),
            _oldest.c.finished_at.is_(None),
        )
        .scalar_subquery(),
        outbox.c.next_attempt_at.is_(None),
    )
    .values(next_attempt_at=bindparam("its_turn", type_=Instant))
)
