"""Alerts that the emergency service raises itself, written as those of the engine are."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from emergency.model import OwnAlert
from storage.records import timeline
from storage.records.alert_rows import write_alerts
from storage.records.call_pages import device_of, own_alert_id, own_steps
from storage.records.tables import alerts

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
