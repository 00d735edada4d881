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
# In an order that suits several steps of one alert: its end comes last.
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
    """Change alerts: begin, change their severity, happen again, end; four statements, however many there are.

    An alert that begins and ends within one commit is written as it is at the end: a button that is pressed and let go
    a thousand times would else be two thousand statements, with every other writer waiting. Raises `Fenced` where an
    alert to be raised is firing already. Reserve sequences of the timeline first.
    """
    changing = [step for step in transitions if step.kind in _CHANGING]
    folded = _fold(changing)
    if folded is None:
        await _write_in_order(connection, changing)
        return
    begun, rest = folded
    await _write_in_order(connection, sorted(rest, key=lambda step: _CHANGING.index(step.kind)))
    await _open(connection, begun)


async def _write_in_order(connection: AsyncConnection, changing: list[Transition]) -> None:
    """Change alerts in order, in runs of the same kind."""
    for kind, run in groupby(changing, key=lambda step: step.kind):
        steps = list(run)
        if kind is TransitionKind.FIRING:
            await _open(connection, [_alert(step) for step in steps])
        elif kind is TransitionKind.SEVERITY_CHANGED:
            await run_many(connection, _GRADE, [_graded(step) for step in steps])
        elif kind is TransitionKind.REPEATED:
            await run_many(connection, _REPEAT, [{"its_id": step.alert_id} for step in steps])
        else:
            await run_many(connection, _RESOLVE, [{"its_id": step.alert_id, "its_end": step.at} for step in steps])


def _fold(changing: list[Transition]) -> tuple[list[Parameters], list[Transition]] | None:
    """Return the rows of alerts that begin here, as they are at the end, and the steps of all others.

    ``None`` where one begins that these steps have spoken of before: then the order counts.
    """
    begun: dict[str, Parameters] = {}
    rest: list[Transition] = []
    spoken_of: set[str] = set()
    ended: set[str] = set()
    for step in changing:
        row = begun.get(step.alert_id)
        if step.kind is TransitionKind.FIRING:
            if step.alert_id in spoken_of:
                return None
            begun[step.alert_id] = _alert(step)
        elif step.alert_id in ended:
            continue  # What has ended does not change any more.
        elif row is None:
            rest.append(step)
        elif step.kind is TransitionKind.SEVERITY_CHANGED:
            row["severity"] = step.severity.value
        elif step.kind is TransitionKind.RESOLVED:
            row["resolved_at"] = step.at
        spoken_of.add(step.alert_id)
        if step.kind is TransitionKind.RESOLVED:
            ended.add(step.alert_id)
    return list(begun.values()), rest


async def _open(connection: AsyncConnection, begun: list[Parameters]) -> None:
    """Create alerts. One that ended and began again at the same instant and position opens again.

    Whoever acknowledged or reset it did so before: that covers what was then.
    """
    insert = upsert_into(connection, alerts)
    afresh = dict.fromkeys(("acknowledged_at", "acknowledged_by", "reset_at", "reset_by"))
    opening = insert.on_conflict_do_update(
        index_elements=["id"],
        set_={**afresh, "severity": insert.excluded.severity, "resolved_at": insert.excluded.resolved_at},
        where=alerts.c.resolved_at.is_not(None),
    )
    if await run_many(connection, opening, begun) != len(begun):
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
        "resolved_at": None,
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
