"""Reads calls. One whose record cannot be decoded is rebuilt from its columns and its history, never left out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Row, Select, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from emergency.changes import adopted
from emergency.model import Call, CallEvent, EventRow
from storage.records.call_rebuilding import CallColumns, rebuilt
from storage.records.call_rows import IS_OPEN
from storage.records.call_tables import call_events, calls
from storage.records.put_aside import PutAside
from storage.records.statements import batched
from storage.records.unreadable import (
    UNDECODABLE,
    UnreadableRow,
    UnreadableRows,
    decoded,
    key_of,
    reason_of,
    require_sound,
)

_IDS_AT_ONCE = 500
# What no version wrote: such a row is in neither index, of open calls nor of closed ones. SQLite alone can hold it.
NEITHER_OPEN_NOR_CLOSED = text("calls.is_open NOT IN (0, 1)")


async def calls_of(connection: AsyncConnection, rows: Sequence[Row[Any]], unreadable: UnreadableRows) -> list[Call]:
    """Return the calls of whole rows, in their order."""
    found: dict[int, Call] = {}
    damaged: dict[int, str] = {}
    for place, row in enumerate(rows):
        try:
            found[place] = call_of(row)
        except UNDECODABLE as error:
            damaged[place] = reason_of(error)
            unreadable.note(UnreadableRow(calls, key_of(row, calls), f"call {row.id}: {damaged[place]}"))
    histories = await _histories(connection, [rows[place].id for place in damaged], unreadable)
    for place, reason in damaged.items():
        found[place] = _rebuilt(rows[place], histories.get(rows[place].id, []), reason)
    return [found[place] for place in range(len(rows))]


def call_of(row: Row[Any]) -> Call:
    """Return the call of a whole row; raises one of `UNDECODABLE` where any part of it is damaged."""
    call = msgspec.json.decode(row.call, type=Call)
    require_sound(row, calls)
    return adopted(replace(call, number=row.number, version=row.version))


def event_of(row: Row[Any]) -> EventRow:
    return EventRow(row.number, row.call_id, msgspec.json.decode(row.event, type=CallEvent))


def version_of(version: object) -> int:
    """Return the version that a call stands at; one that is no number counts as the first, for reader and writer."""
    return version if isinstance(version, int) else 1


def select_open(*, with_neither: bool) -> Select[Any]:
    """Whole rows of open calls; ``with_neither`` adds those whose ``is_open`` is damaged, and looks at all rows."""
    return select(calls).where(NEITHER_OPEN_NOR_CLOSED if with_neither else IS_OPEN)


async def damaged_records(connection: AsyncConnection, rebuilt_calls: Sequence[Call]) -> list[PutAside]:
    """Return the stored records of ``rebuilt_calls`` that cannot be decoded, which are about to be replaced."""
    ids = [call.id for call in rebuilt_calls]
    found = []
    for chunk in batched(ids, _IDS_AT_ONCE):
        for row in await connection.execute(select(calls.c.id, calls.c.call).where(calls.c.id.in_(chunk))):
            try:
                msgspec.json.decode(row.call, type=Call)
            except UNDECODABLE as error:
                content = row.call if isinstance(row.call, bytes) else str(row.call).encode(errors="replace")
                found.append(PutAside(calls.name, row.id, content, reason_of(error)))
    return found


async def _histories(
    connection: AsyncConnection, ids: Sequence[str], unreadable: UnreadableRows
) -> dict[str, list[CallEvent]]:
    histories: dict[str, list[CallEvent]] = {}
    for chunk in batched(ids, _IDS_AT_ONCE):
        wanted = select(call_events).where(call_events.c.call_id.in_(chunk)).order_by(call_events.c.number)
        for row in decoded(await connection.execute(wanted), call_events, event_of, unreadable):
            histories.setdefault(row.call, []).append(row.event)
    return histories


def _rebuilt(row: Row[Any], history: Sequence[CallEvent], reason: str) -> Call:
    """The record itself where only a column beside it is damaged."""
    try:
        call = msgspec.json.decode(row.call, type=Call)
    except UNDECODABLE:
        return rebuilt(_columns_of(row), history, reason)
    return replace(call, number=row.number, version=version_of(row.version), damaged=call.damaged or reason)


def _columns_of(row: Row[Any]) -> CallColumns:
    texts = {name: _text(getattr(row, name)) for name in ("place_key", "community", "state", "source", "lift")}
    return CallColumns(
        id=str(row.id),
        number=row.number,
        version=version_of(row.version),
        drill=bool(row.drill),
        contractor=_text(row.contractor),
        raised_at=_instant(row.raised_at),
        next_at=_instant(row.next_at),
        **texts,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _instant(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None
