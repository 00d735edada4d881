"""What calls do to alerts, in the transaction of the call: those it raises itself, and those of its incident."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.model import TransitionKind
from emergency.model import OwnAlert
from emergency.watch import CALLING, RAISING, SEEN_WITH, Settling
from storage.records import timeline
from storage.records.alert_rows import write_alerts
from storage.records.call_pages import device_of, own_alert_id, own_alert_ids, own_steps
from storage.records.statements import Parameters
from storage.records.tables import LATCHED, alerts, transitions

Local = tuple[OwnAlert, str]
"""An alert, and the community of the call behind it."""


async def write_own_alerts(connection: AsyncConnection, said: Sequence[Local], now: datetime) -> None:
    """Begin and end ``said`` in order. What stands so already is passed over: no call may fail for its alert."""
    if not said:
        return
    await timeline.reserve(connection, 0)
    for alert, community in said:
        if await _changes(connection, alert, community):
            steps = own_steps(alert, community)
            await write_alerts(connection, steps)
            rows = [timeline.engine_step(step, now) for step in steps]
            await timeline.append(connection, await timeline.reserve(connection, len(rows)), rows)


async def _changes(connection: AsyncConnection, alert: OwnAlert, community: str) -> bool:
    """Tell whether ``alert`` says something new: to begin none may be firing, to end this one must be."""
    device = device_of(alert, community)
    firing = select(alerts.c.id).where(
        alerts.c.community == device.community,
        alerts.c.device_kind == device.kind.value,
        alerts.c.device == device.device,
        alerts.c.rule == alert.rule,
        alerts.c.resolved_at.is_(None),
    )
    its_id = (await connection.execute(firing)).scalar_one_or_none()
    return its_id is None if alert.firing else its_id == own_alert_id(alert)


async def settle_alerts(
    connection: AsyncConnection, settlings: Sequence[Settling], followed: int, now: datetime
) -> None:
    """Acknowledge the alerts of each incident, and reset those that latch where it is over; each once.

    Steps up to ``followed``, and those that joined the call, were seen. An alert with a later one is left as it is.
    """
    if not settlings:
        return
    await timeline.reserve(connection, 0)
    steps: list[Parameters] = []
    for settling in settlings:
        for alert in (await connection.execute(_wanting(settling, followed))).all():
            steps += await _settle(connection, alert, settling, now)
    await timeline.append(connection, await timeline.reserve(connection, len(steps)), steps)


_FIRES = alerts.c.resolved_at.is_(None)
_UNSEEN = alerts.c.acknowledged_at.is_(None)
_PLACE = ("community", "device_kind", "device")
_STEP_COLUMNS = [alerts.c[name] for name in ("number", "id", "rule", "severity", *_PLACE)]


def _wanting(settling: Settling, followed: int) -> Select[Any]:
    """Find the alerts of the incident that an act settles. No instant is read: a damaged one must not fail the call."""
    flags = [_FIRES.label("fires"), _UNSEEN.label("unseen"), LATCHED.label("latched")]
    # One that ended and was joined by nobody belongs to an earlier incident.
    raised = alerts.c.id.in_([ref.rpartition("/")[0] for ref in settling.call.joined])
    unseen = and_(_UNSEEN, or_(_FIRES, LATCHED, raised))
    wants = or_(unseen, LATCHED, _FIRES) if settling.closed else unseen
    seen = max(settling.heard, followed)
    incident = or_(alerts.c.id.in_(own_alert_ids(settling.call)), *_of_lift(settling.call.place.lift, seen))
    return select(*_STEP_COLUMNS, *flags).where(incident, wants).order_by(alerts.c.number)


def _of_lift(lift: str, seen: int) -> list[ColumnElement[bool]]:
    """What raises calls there, what ends a car's alarm and a suspicion, unless something came after step ``seen``."""
    place = lift.split("/")
    if len(place) != len(_PLACE):
        return []
    step = transitions.c
    news = exists().where(step.alert_id == alerts.c.id, step.sequence > seen, step.kind.in_(RAISING))
    there = [alerts.c[name] == part for name, part in zip(_PLACE, place, strict=True)]
    return [and_(*there, alerts.c.rule.in_(sorted(SEEN_WITH)), ~news)]


async def _settle(connection: AsyncConnection, alert: Row[Any], settling: Settling, now: datetime) -> list[Parameters]:
    steps, columns = [], dict[str, object]()
    if alert.unseen:
        columns |= {"acknowledged_at": now, "acknowledged_by": settling.actor}
        steps.append(_step(alert, TransitionKind.ACKNOWLEDGED, settling, now))
    if settling.closed and alert.latched:
        columns |= {"reset_at": now, "reset_by": settling.actor}
        steps.append(_step(alert, TransitionKind.RESET, settling, now))
    if settling.closed and alert.fires and alert.rule in CALLING:
        still = ("；设备仍在报警", "; its device still reports it")
        steps.append(_step(alert, TransitionKind.COMMENTED, settling, now, still))
    if columns:
        await connection.execute(update(alerts).where(alerts.c.number == alert.number).values(**columns))
    return steps


def _step(
    alert: Row[Any], kind: TransitionKind, settling: Settling, now: datetime, more: tuple[str, str] = ("", "")
) -> Parameters:
    zh, en = settling.zh + more[0], settling.en + more[1]
    return timeline.act_step(alert, kind, settling.actor, now, zh=zh, en=en, facts={"call": settling.call.id})
