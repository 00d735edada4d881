"""Timelines: transitions numbered without a gap in commit order, whoever writes them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.dispatch.model import TimelineNote
from alerts.model import Reason, Transition, TransitionKind
from storage.records.statements import Parameters, batched, device_parts, run_many
from storage.records.tables import alerts, transition_counter, transitions

_IDS_AT_ONCE = 500  # Well below what either database takes as parameters of one statement.
_NO_FACTS: Mapping[str, object] = {}


async def reserve(connection: AsyncConnection, count: int) -> int:
    """Take the next ``count`` sequences, and return the one before them; 0 only keeps others out.

    Every other writer of timelines waits until this transaction ends. So sequences become visible in their order,
    without gaps: a reader of "above n" never misses one. Call it before touching a row of `alerts`: all writers lock in
    that order, so none waits for another in a circle.
    """
    taken = transition_counter.c.last_sequence + count
    statement = update(transition_counter).values(last_sequence=taken).returning(transition_counter.c.last_sequence)
    return int((await connection.execute(statement)).scalar_one()) - count


async def append(connection: AsyncConnection, last: int, steps: list[Parameters]) -> None:
    """Write ``steps`` with the sequences after ``last``, all of them reserved in this transaction."""
    numbered = [{**step, "sequence": sequence} for sequence, step in enumerate(steps, last + 1)]
    await run_many(connection, insert(transitions), numbered)


def engine_step(transition: Transition, recorded_at: datetime) -> Parameters:
    """A step the engine decided."""
    return {
        "alert_id": transition.alert_id,
        "rule": transition.rule,
        "severity": transition.severity.value,
        **device_parts(transition.device),
        "kind": transition.kind.value,
        "at": transition.at,
        "recorded_at": recorded_at,
        "actor": None,
        **_reason(transition.reason),
        "position": transition.position,
    }


def acknowledged_step(alert: Row[Any], actor: str, now: datetime) -> Parameters:
    """Somebody has seen ``alert``, a row of `alerts`."""
    zh, en = f"{actor} 已确认", f"acknowledged by {actor}"
    return act_step(alert, TransitionKind.ACKNOWLEDGED, actor, now, zh=zh, en=en)


def comment_step(alert: Row[Any], actor: str, text: str, now: datetime) -> Parameters:
    """Somebody said something about ``alert``; their words stand for both languages."""
    return act_step(alert, TransitionKind.COMMENTED, actor, now, zh=text, en=text)


def act_step(
    alert: Row[Any],
    kind: TransitionKind,
    actor: str,
    now: datetime,
    *,
    zh: str,
    en: str,
    facts: Mapping[str, object] = _NO_FACTS,
) -> Parameters:
    """Somebody did something to ``alert``: the code of the reason is the kind of the act."""
    reason = {"reason_code": kind.value, "reason_zh": zh, "reason_en": en, "facts": _json(facts)}
    return {**_beside(alert), "kind": kind.value, "at": now, "recorded_at": now, "actor": actor, **reason}


async def note_steps(
    connection: AsyncConnection, notes: Sequence[TimelineNote], recorded_at: datetime
) -> list[Parameters]:
    """What telling people of alerts came to, in order; a note of an alert that nobody knows makes no step."""
    ids = list({note.alert_id: None for note in notes})
    known: dict[str, Row[Any]] = {}
    for chunk in batched(ids, _IDS_AT_ONCE):
        found = await connection.execute(select(alerts).where(alerts.c.id.in_(chunk)))
        known |= {row.id: row for row in found}
    return [_note_step(known[note.alert_id], note, recorded_at) for note in notes if note.alert_id in known]


def _note_step(alert: Row[Any], note: TimelineNote, recorded_at: datetime) -> Parameters:
    step = {**_beside(alert), "kind": note.kind.value, "at": note.at, "recorded_at": recorded_at, "actor": None}
    return {**step, **_reason(note.reason)}


def _beside(alert: Row[Any]) -> Parameters:
    """What a step repeats of its alert."""
    names = ("rule", "severity", "community", "device_kind", "device")
    return {"alert_id": alert.id, **{name: getattr(alert, name) for name in names}, "position": None}


def _reason(reason: Reason) -> Parameters:
    return {
        "reason_code": reason.code,
        "reason_zh": reason.zh,
        "reason_en": reason.en,
        "facts": _json(reason.facts),
    }


def _json(facts: Mapping[str, object]) -> str:
    return msgspec.json.encode(facts).decode()
