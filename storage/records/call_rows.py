"""From calls and events to their rows, and from filters to conditions."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, insert, not_, or_, select, true, update

from alerts.dispatch.model import OutboxEntry
from emergency.model import Call, CallEvent, CallFilter, PageRow
from storage.records.call_tables import call_events, calls
from storage.records.statements import Parameters

IS_OPEN = calls.c.is_open.is_(true())
_COLUMNS = ("version", "is_open", "state", "next_at", "call")
"""What an act may change."""
INSERT_CALL = insert(calls)
INSERT_EVENT = insert(call_events)
UPDATE_CALL = (
    update(calls)
    .where(calls.c.id == bindparam("its_id"))
    .values({name: bindparam(f"its_{name}", type_=calls.c[name].type) for name in _COLUMNS})
)


def new_row(call: Call, number: int) -> Parameters:
    """Parameters of `INSERT_CALL`."""
    place = call.place
    return {
        "number": number,
        "id": call.id,
        "place_key": place.key,
        "drill": call.drill,
        "source": call.source.value,
        "community": place.community,
        "lift": place.lift,
        "contractor": place.contractor,
        "raised_at": call.stamps.raised,
        **_changing(call),
    }


def changed_row(call: Call) -> Parameters:
    """Parameters of `UPDATE_CALL`."""
    return {"its_id": call.id, **{f"its_{name}": value for name, value in _changing(call).items()}}


def event_row(call_id: str, event: CallEvent, number: int) -> Parameters:
    """Parameters of `INSERT_EVENT`."""
    kept = msgspec.json.encode(event).decode()
    return {"number": number, "call_id": call_id, "kind": event.kind.value, "at": event.at, "event": kept}


def page_row(entry: OutboxEntry) -> PageRow:
    """What a page in the outbox has come to."""
    intent = entry.intent
    return PageRow(
        receiver=intent.receiver,
        person=intent.person or "",
        kind=intent.call.kind if intent.call else "",
        step=intent.step,
        status=entry.status.value,
        at=intent.at,
        finished_at=entry.finished_at,
        detail=entry.detail,
    )


def select_due(now: datetime, limit: int) -> Select[Any]:
    # Of an open call an earlier version could wait for nothing; this one always waits for somebody.
    due = select(calls).where(or_(calls.c.next_at <= now, calls.c.next_at.is_(None)), IS_OPEN)
    return due.order_by(calls.c.next_at.asc().nulls_first(), calls.c.number).limit(limit)


def select_calls(matching: CallFilter, before: int | None, limit: int) -> Select[Any]:
    """Newest first."""
    wanted = select(calls).where(*_conditions(matching))
    if before is not None:
        wanted = wanted.where(calls.c.number < before)
    return wanted.order_by(calls.c.number.desc()).limit(limit)


def _changing(call: Call) -> Parameters:
    kept = msgspec.json.encode(call).decode()
    values = (call.version, call.open, call.state.value, call.next_at, kept)
    return dict(zip(_COLUMNS, values, strict=True))


def _conditions(matching: CallFilter) -> list[ColumnElement[bool]]:
    """``open`` is asked in the words of the index that answers it."""
    equal = ("state", "community", "lift", "contractor", "source", "drill")
    asked = {name: getattr(matching, name) for name in equal}
    conditions: list[ColumnElement[bool]] = [
        calls.c[name] == value for name, value in asked.items() if value is not None
    ]
    if matching.open is not None:
        conditions.append(IS_OPEN if matching.open else not_(IS_OPEN))
    if matching.since is not None:
        conditions.append(calls.c.raised_at >= matching.since)
    if matching.until is not None:
        conditions.append(calls.c.raised_at < matching.until)
    return conditions
