"""Raw rows for the figures of alarm quality."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select, union

from alerts.history import AlertRow, NotifiedRow
from alerts.model import Severity
from storage.records import rows
from storage.records.database import RecordsDatabase
from storage.records.desk_tables import outbox
from storage.records.outbox_rows import status_of
from storage.records.tables import alerts, transitions


class QualityAdapter:
    """The API's `QualityReader` port on the records database. Everything raises `TemporaryError` when it is away.

    Spans are half open: since <= instant < until.
    """

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    async def alerts_between(self, community: str | None, since: datetime, until: datetime) -> Sequence[AlertRow]:
        """Return alerts that fired in the span or were open at its end, by rising instant of firing.

        *Open*: the condition held; a latched alert whose condition was over is not.
        """
        return await self._database.read(select_alerts(community, since, until), alerts, rows.alert_row)

    async def chattering_between(self, community: str | None, since: datetime, until: datetime) -> set[tuple[str, str]]:
        """Return the rules, each with a device's path, whose alerts that fired in the span were said to chatter."""
        fired = select(alerts.c.id).where(alerts.c.fired_at >= since, alerts.c.fired_at < until)
        if community is not None:
            fired = fired.where(alerts.c.community == community)
        said = select(transitions.c.rule, transitions.c.community, transitions.c.device_kind, transitions.c.device)
        said = said.where(transitions.c.alert_id.in_(fired), transitions.c.reason_code == "chattering").distinct()
        async with self._database.reading() as connection:
            found = await connection.execute(said)
            return {(row.rule, f"{row.community}/{row.device_kind}/{row.device}") for row in found}

    async def notified_between(self, community: str | None, since: datetime, until: datetime) -> Sequence[NotifiedRow]:
        """Return what was put into the outbox in the span, by rising instant."""
        wanted = select(outbox).where(outbox.c.created_at >= since, outbox.c.created_at < until)
        if community is not None:
            wanted = wanted.where(outbox.c.community == community)
        return await self._database.read(wanted.order_by(outbox.c.created_at, outbox.c.number), outbox, _notified)


def select_alerts(community: str | None, since: datetime, until: datetime) -> Select[Any]:
    """Each of the three ways to belong to the span is looked up by itself, in an index of its own.

    Asked with OR, SQLite reads everything that fired before the span's end.
    """
    before = select(alerts.c.number).where(alerts.c.fired_at < until)
    belongs = union(
        before.where(alerts.c.fired_at >= since),
        before.where(alerts.c.resolved_at.is_(None)),
        before.where(alerts.c.resolved_at >= until),
    )
    wanted = select(alerts).where(alerts.c.number.in_(belongs))
    if community is not None:
        wanted = wanted.where(alerts.c.community == community)
    return wanted.order_by(alerts.c.fired_at, alerts.c.number)


def _notified(row: Row[Any]) -> NotifiedRow:
    return NotifiedRow(
        person=row.person,
        receiver=row.receiver,
        community=row.community,
        severity=Severity(row.severity).value,
        purpose=row.purpose,
        created_at=row.created_at,
        finished_at=row.finished_at,
        status=status_of(row).value,
    )
