"""Timelines: transitions numbered without a gap in commit order, whoever writes them."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.model import Transition, TransitionKind
from storage.records.statements import Parameters, device_parts, run_many
from storage.records.tables import transition_counter, transitions

_ACKNOWLEDGED = TransitionKind.ACKNOWLEDGED.value
_COMMENTED = TransitionKind.COMMENTED.value


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
    reason = transition.reason
    return {
        "alert_id": transition.alert_id,
        "rule": transition.rule,
        "severity": transition.severity.value,
        **device_parts(transition.device),
        "kind": transition.kind.value,
        "at": transition.at,
        "recorded_at": recorded_at,
        "actor": None,
        "reason_code": reason.code,
        "reason_zh": reason.zh,
        "reason_en": reason.en,
        "facts": msgspec.json.encode(reason.facts).decode(),
        "position": transition.position,
    }


def acknowledged_step(alert: Row[Any], actor: str, now: datetime) -> Parameters:
    """Somebody has seen ``alert``, a row of `alerts`."""
    step = _person_step(alert, actor, now)
    zh, en = f"{actor} 已确认", f"acknowledged by {actor}"
    return {**step, "kind": _ACKNOWLEDGED, "reason_code": _ACKNOWLEDGED, "reason_zh": zh, "reason_en": en}


def comment_step(alert: Row[Any], actor: str, text: str, now: datetime) -> Parameters:
    """Somebody said something about ``alert``; their words stand for both languages."""
    step = _person_step(alert, actor, now)
    return {**step, "kind": _COMMENTED, "reason_code": _COMMENTED, "reason_zh": text, "reason_en": text}


def _person_step(alert: Row[Any], actor: str, now: datetime) -> Parameters:
    return {
        "alert_id": alert.id,
        "rule": alert.rule,
        "severity": alert.severity,
        "community": alert.community,
        "device_kind": alert.device_kind,
        "device": alert.device,
        "at": now,
        "recorded_at": now,
        "actor": actor,
        "facts": "{}",
        "position": None,
    }
