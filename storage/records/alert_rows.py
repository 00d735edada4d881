"""What transitions do to rows of `alerts`: begin, change their severity, end. Whoever decided them."""

from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Integer, Row, Text, bindparam, case, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.model import Severity, Transition, TransitionKind
from core.errors import Fenced
from storage.records.statements import Parameters, device_parts, run_many, upsert_into
from storage.records.tables import alerts

_RANKS = {severity.value: rank for rank, severity in enumerate(Severity)}
"""The worst first, as `Severity` stands."""
_CHANGING = (
    TransitionKind.FIRING,
    TransitionKind.SEVERITY_CHANGED,
    TransitionKind.REPEATED,
    TransitionKind.RESOLVED,
)


def is_step_up(before: str, after: str) -> bool:
    """Tell whether severity ``after`` is worse than ``before``; one that nobody knows is the mildest."""
    return _RANKS.get(after, len(_RANKS)) < _RANKS.get(before, len(_RANKS))


async def find_alert(connection: AsyncConnection, alert_id: str) -> Row[Any] | None:
    """Return the row of one alert, or ``None``."""
    return (await connection.execute(select(alerts).where(alerts.c.id == alert_id))).one_or_none()


async def write_alerts(connection: AsyncConnection, transitions: list[Transition]) -> None:
    """Change alerts in order, in runs of the same kind: one may end and the next begin within one commit.

    Raises `Fenced` where an alert to be raised is firing already. Reserve sequences of the timeline first.
    """
    changing = [step for step in transitions if step.kind in _CHANGING]
    for kind, run in groupby(changing, key=lambda step: step.kind):
        steps = list(run)
        if kind is TransitionKind.FIRING:
            await _open(connection, steps)
        elif kind is TransitionKind.SEVERITY_CHANGED:
            await run_many(connection, _GRADE, [_graded(step) for step in steps])
        elif kind is TransitionKind.REPEATED:
            await run_many(connection, _REPEAT, [{"its_id": step.alert_id} for step in steps])
        else:
            await run_many(connection, _RESOLVE, [{"its_id": step.alert_id, "its_end": step.at} for step in steps])


async def _open(connection: AsyncConnection, firing: list[Transition]) -> None:
    """Create alerts. One that ended and began again at the same instant and position opens again.

    Whoever acknowledged or reset it did so before: that covers what was then.
    """
    insert = upsert_into(connection, alerts)
    afresh = dict.fromkeys(("resolved_at", "acknowledged_at", "acknowledged_by", "reset_at", "reset_by"))
    opening = insert.on_conflict_do_update(
        index_elements=["id"],
        set_={**afresh, "severity": insert.excluded.severity},
        where=alerts.c.resolved_at.is_not(None),
    )
    if await run_many(connection, opening, [_alert(step) for step in firing]) != len(firing):
        raise Fenced("an alert to be raised is firing already: another alert engine runs on these records")


def _alert(firing: Transition) -> Parameters:
    return {
        "id": firing.alert_id,
        "rule": firing.rule,
        "severity": firing.severity.value,
        **device_parts(firing.device),
        "title_zh": firing.title_zh,
        "title_en": firing.title_en,
        "reason_zh": firing.reason.zh,
        "reason_en": firing.reason.en,
        "pending_since": firing.pending_since,
        "fired_at": firing.at,
        "latching": firing.latching,
        "protected": firing.protected,
        "maintenance": firing.maintenance,
    }


def _graded(step: Transition) -> Parameters:
    return {"its_id": step.alert_id, "its_severity": step.severity.value, "its_rank": _RANKS[step.severity.value]}


def _unless_worse(kept: ColumnElement[object]) -> ColumnElement[object]:
    """Nothing where the new severity is worse than the stored one, else what is there."""
    stored_rank = case(_RANKS, value=alerts.c.severity, else_=len(_RANKS))
    return case((stored_rank > bindparam("its_rank", type_=Integer), null()), else_=kept)


_GRADE = (
    update(alerts)
    .where(alerts.c.id == bindparam("its_id"), alerts.c.resolved_at.is_(None))
    .values(
        severity=bindparam("its_severity", type_=Text),
        acknowledged_at=_unless_worse(alerts.c.acknowledged_at),
        acknowledged_by=_unless_worse(alerts.c.acknowledged_by),
    )
)

# Whoever acknowledged it did so before it happened again.
_REPEAT = (
    update(alerts)
    .where(alerts.c.id == bindparam("its_id"), alerts.c.resolved_at.is_(None))
    .values(acknowledged_at=null(), acknowledged_by=null())
)

_RESOLVE = (
    update(alerts)
    .where(alerts.c.id == bindparam("its_id"), alerts.c.resolved_at.is_(None))
    .values(resolved_at=bindparam("its_end"))
)
