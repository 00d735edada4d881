"""From rows of the database to the rows of `alerts.history`, and from their filters to conditions."""

from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, Select, and_, false, func, not_, or_, select

from alerts.history import AlertFilter, AlertRow, DeviceRow, FaultFilter, FaultRow, TransitionRow
from alerts.model import AlertState, Severity, TransitionKind
from core.faults import FaultKind
from storage.records.statements import device_key
from storage.records.tables import LATCHED, WANTS_SOMEBODY, alerts, devices, faults, transitions

Condition = ColumnElement[bool]
LATEST = dict[str, dict[str, dict[str, object]]]
"""By part, signal, and then ``value`` and ``at``."""
_MICROSECOND = timedelta(microseconds=1)


def select_devices() -> Select[Any]:
    """Devices, each with the number of its open alerts."""
    open_alerts = (
        select(func.count())
        .select_from(alerts)
        .where(alerts.c.community == devices.c.community, alerts.c.device_kind == devices.c.device_kind)
        .where(alerts.c.device == devices.c.device, alerts.c.resolved_at.is_(None))
        .scalar_subquery()
    )
    return select(devices, open_alerts.label("open_alerts"))


def device_row(row: Row[Any]) -> DeviceRow:
    skew = row.skew_microseconds
    return DeviceRow(
        device=device_key(row.community, row.device_kind, row.device),
        first_heard_at=row.first_heard_at,
        last_heard_at=row.last_heard_at,
        online=row.online,
        skew_seconds=None if skew is None else (skew * _MICROSECOND).total_seconds(),
        latest=msgspec.json.decode(row.latest, type=LATEST),
        open_alerts=row.open_alerts,
    )


def alert_row(row: Row[Any]) -> AlertRow:
    """Raises `ValueError` for words that no version wrote, as the two below do."""
    return AlertRow(
        number=row.number,
        id=row.id,
        rule=row.rule,
        severity=Severity(row.severity).value,
        device=device_key(row.community, row.device_kind, row.device),
        state=_state(row).value,
        title_zh=row.title_zh,
        title_en=row.title_en,
        reason_zh=row.reason_zh,
        reason_en=row.reason_en,
        pending_since=row.pending_since,
        fired_at=row.fired_at,
        resolved_at=row.resolved_at,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        latching=row.latching,
        protected=row.protected,
        reset_at=row.reset_at,
        reset_by=row.reset_by,
        assigned_to=row.assigned_to,
        false_alarm_by=row.false_alarm_by,
        suppression=row.suppression,
        inhibited_by=row.inhibited_by,
    )


def _state(row: Row[Any]) -> AlertState:
    if row.resolved_at is None:
        return AlertState.FIRING
    return AlertState.LATCHED if row.latching and row.reset_at is None else AlertState.RESOLVED


def transition_row(row: Row[Any]) -> TransitionRow:
    return TransitionRow(
        sequence=row.sequence,
        alert_id=row.alert_id,
        rule=row.rule,
        severity=Severity(row.severity).value,
        device=device_key(row.community, row.device_kind, row.device),
        kind=TransitionKind(row.kind).value,
        at=row.at,
        recorded_at=row.recorded_at,
        actor=row.actor,
        reason_code=row.reason_code,
        reason_zh=row.reason_zh,
        reason_en=row.reason_en,
        facts=msgspec.json.decode(row.facts, type=dict[str, object]),
    )


def fault_row(row: Row[Any]) -> FaultRow:
    return FaultRow(
        number=row.number,
        device=device_key(row.community, row.device_kind, row.device),
        source=row.source,
        code=row.code,
        kind=FaultKind(row.kind).value,
        severity=Severity(row.severity).value,
        raised_at=row.raised_at,
        cleared_at=row.cleared_at,
        late=row.late,
    )


def alert_conditions(matching: AlertFilter) -> list[Condition]:
    """``state`` and ``open`` are asked in the words of the indexes that answer them."""
    conditions = _equal(alerts.c.severity, matching.severity) + _equal(alerts.c.rule, matching.rule)
    conditions += _equal(alerts.c.community, matching.community) + _equal(alerts.c.device_kind, matching.kind)
    conditions += _equal(alerts.c.device, matching.device)
    conditions += _equal(alerts.c.assigned_to, matching.assigned_to)
    conditions += _equal(alerts.c.inhibited_by, matching.inhibited_by)
    if matching.state is not None:
        conditions.append(_stands(AlertState(matching.state)))
    if matching.open is not None:
        conditions.append(WANTS_SOMEBODY if matching.open else not_(WANTS_SOMEBODY))
    if matching.false_alarm is not None:
        conditions.append(_absent(alerts.c.false_alarm_by, not matching.false_alarm))
    if matching.acknowledged is not None:
        conditions.append(_absent(alerts.c.acknowledged_at, not matching.acknowledged))
    if matching.since is not None:
        conditions.append(alerts.c.fired_at >= matching.since)
    if matching.until is not None:
        conditions.append(alerts.c.fired_at < matching.until)
    return conditions


def _stands(state: AlertState) -> Condition:
    match state:
        case AlertState.FIRING:
            return alerts.c.resolved_at.is_(None)
        case AlertState.LATCHED:
            return LATCHED
        case AlertState.RESOLVED:
            over = or_(alerts.c.latching.is_(false()), alerts.c.reset_at.is_not(None))
            return and_(alerts.c.resolved_at.is_not(None), over)


def fault_conditions(matching: FaultFilter) -> list[Condition]:
    conditions = _equal(faults.c.community, matching.community) + _equal(faults.c.device_kind, matching.device_kind)
    conditions += _equal(faults.c.device, matching.device) + _equal(faults.c.kind, matching.kind)
    conditions += _equal(faults.c.source, matching.source) + _equal(faults.c.code, matching.code)
    if matching.open is not None:
        conditions.append(_absent(faults.c.cleared_at, matching.open))
    if matching.since is not None:
        conditions.append(faults.c.raised_at >= matching.since)
    if matching.until is not None:
        conditions.append(faults.c.raised_at < matching.until)
    return conditions


def timeline_of(alert_id: str) -> Select[Any]:
    return select(transitions).where(transitions.c.alert_id == alert_id).order_by(transitions.c.sequence)


def _equal(column: ColumnElement[str], wanted: str | None) -> list[Condition]:
    return [] if wanted is None else [column == wanted]


def _absent(column: ColumnElement[object], absent: bool) -> Condition:
    return column.is_(None) if absent else column.is_not(None)
