"""What people do to alerts beyond seeing and commenting: each act is a row of the alert and a step of its timeline."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Row, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.dispatch.model import Suppression, SuppressionKind
from alerts.history import AlertRow
from alerts.matchers import Matcher
from alerts.model import AlertState, TransitionKind
from core.errors import Conflict
from storage.records import rows, timeline
from storage.records.alert_rows import find_alert
from storage.records.database import RecordsDatabase
from storage.records.statements import Parameters, device_key
from storage.records.suppressions import add_suppression, end_shelved
from storage.records.tables import alerts
from storage.records.uninterrupted import uninterrupted


class AlertActsAdapter:
    """The API's `AlertActs` port on the records database.

    Everything raises `TemporaryError` when the database is away, returns ``None`` when there is no such alert, and
    raises `Conflict` where the alert does not stand as the act needs it. What is so already is not said again, but no
    comment is lost.
    """

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    @uninterrupted
    async def assign(self, alert_id: str, actor: str, assignee: str | None, now: datetime) -> AlertRow | None:
        """Say who looks after it; ``None`` for nobody."""
        async with self._acting_on(alert_id) as (connection, found):
            if found is None:
                return None
            steps = []
            if found.assigned_to != assignee:
                await _change(connection, found, assigned_to=assignee)
                steps.append(_assigned_step(found, actor, assignee, now))
            return await _written(connection, found, steps)

    @uninterrupted
    async def reset(self, alert_id: str, actor: str, comment: str | None, now: datetime) -> AlertRow | None:
        """End a latched alert. `Conflict` while it fires, or where its rule does not latch; again changes nothing."""
        async with self._acting_on(alert_id) as (connection, found):
            if found is None:
                return None
            _require_latching(found)
            steps = []
            if found.reset_at is None:
                await _change(connection, found, reset_at=now, reset_by=actor)
                zh, en = f"{actor} 已复位", f"reset by {actor}"
                steps.append(timeline.act_step(found, TransitionKind.RESET, actor, now, zh=zh, en=en))
            return await _written(connection, found, steps + _said(found, actor, comment, now))

    @uninterrupted
    async def mark_false(
        self, alert_id: str, actor: str, comment: str | None, now: datetime, *, false: bool
    ) -> AlertRow | None:
        """Say that it was a false alarm, or take that back. The first who says so stays."""
        async with self._acting_on(alert_id) as (connection, found):
            if found is None:
                return None
            steps = []
            if (found.false_alarm_by is not None) != false:
                await _change(connection, found, false_alarm_by=actor if false else None)
                steps.append(_false_step(found, actor, now, false=false))
            return await _written(connection, found, steps + _said(found, actor, comment, now))

    @uninterrupted
    async def shelve(
        self, alert_id: str, actor: str, until: datetime, reason: str, now: datetime
    ) -> Suppression | None:
        """Put its rule on its device aside until ``until``. `Conflict` for a protected alert.

        What was shelved before ends: the newest word counts.
        """
        async with self._acting_on(alert_id) as (connection, found):
            if found is None:
                return None
            if found.protected:
                raise Conflict(f"alert {alert_id}: rule {found.rule} is protected, expected one that may be shelved")
            matchers = _of_its_rule_and_device(found)
            await end_shelved(connection, matchers, actor, now)
            shelved = await add_suppression(
                connection, Suppression("", SuppressionKind.SHELVED, matchers, now, until, reason, actor, now)
            )
            await _written(connection, found, [_shelved_step(found, shelved, now)])
            return shelved

    @uninterrupted
    async def unshelve(self, alert_id: str, actor: str, now: datetime) -> AlertRow | None:
        """Take it up again before its time; where nothing is shelved nothing changes."""
        async with self._acting_on(alert_id) as (connection, found):
            if found is None:
                return None
            steps = []
            if await end_shelved(connection, _of_its_rule_and_device(found), actor, now):
                zh, en = f"{actor} 取消搁置", f"unshelved by {actor}"
                steps.append(timeline.act_step(found, TransitionKind.UNSHELVED, actor, now, zh=zh, en=en))
            return await _written(connection, found, steps)

    @asynccontextmanager
    async def _acting_on(self, alert_id: str) -> AsyncIterator[tuple[AsyncConnection, Row[Any] | None]]:
        """A transaction in which nobody else writes timelines, and the alert as it stands."""
        async with self._database.writing() as connection:
            await timeline.reserve(connection, 0)
            yield connection, await find_alert(connection, alert_id)


async def _change(connection: AsyncConnection, alert: Row[Any], **columns: object) -> None:
    await connection.execute(update(alerts).where(alerts.c.number == alert.number).values(**columns))


async def _written(connection: AsyncConnection, alert: Row[Any], steps: list[Parameters]) -> AlertRow | None:
    """Write ``steps``, and return the alert as it stands now."""
    await timeline.append(connection, await timeline.reserve(connection, len(steps)), steps)
    changed = await find_alert(connection, alert.id)
    return None if changed is None else rows.alert_row(changed)


def _require_latching(alert: Row[Any]) -> None:
    if not alert.latching:
        raise Conflict(f"alert {alert.id}: rule {alert.rule} does not latch, expected a latched alert to reset")
    if alert.resolved_at is None:
        raise Conflict(f"alert {alert.id}: {AlertState.FIRING.value}, expected {AlertState.LATCHED.value}")


def _said(alert: Row[Any], actor: str, comment: str | None, now: datetime) -> list[Parameters]:
    return [timeline.comment_step(alert, actor, comment, now)] if comment else []


def _assigned_step(alert: Row[Any], actor: str, assignee: str | None, now: datetime) -> Parameters:
    zh, en = f"{actor} 取消指派", f"{actor} assigned it to nobody"
    if assignee is not None:
        zh, en = f"{actor} 指派给 {assignee}", f"{actor} assigned it to {assignee}"
    facts = {"assignee": assignee or ""}
    return timeline.act_step(alert, TransitionKind.ASSIGNED, actor, now, zh=zh, en=en, facts=facts)


def _false_step(alert: Row[Any], actor: str, now: datetime, *, false: bool) -> Parameters:
    if false:
        zh, en = f"{actor} 标记为误报", f"{actor} marked it as a false alarm"
        return timeline.act_step(alert, TransitionKind.MARKED_FALSE, actor, now, zh=zh, en=en)
    zh, en = f"{actor} 撤销误报标记", f"{actor} took the mark of a false alarm back"
    return timeline.act_step(alert, TransitionKind.UNMARKED_FALSE, actor, now, zh=zh, en=en)


def _shelved_step(alert: Row[Any], shelved: Suppression, now: datetime) -> Parameters:
    until = shelved.ends_at.isoformat()
    return timeline.act_step(
        alert,
        TransitionKind.SHELVED,
        shelved.author,
        now,
        zh=f"{shelved.author} 搁置：{shelved.reason}",
        en=f"shelved by {shelved.author}: {shelved.reason}",
        facts={"until": until, "suppression": shelved.id, "reason": shelved.reason},
    )


def _of_its_rule_and_device(alert: Row[Any]) -> tuple[Matcher, ...]:
    device = device_key(alert.community, alert.device_kind, alert.device)
    return Matcher("rule", alert.rule), Matcher("path", device.path)
