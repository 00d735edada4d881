"""Puts states that cannot be decoded aside, and resolves the open alerts that those states knew of."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.dispatch.system_rules import system_rule_ids
from alerts.history import AlertRow
from alerts.model import Reason, Severity, Transition, TransitionKind
from alerts.ports import Afresh
from emergency.own_rules import OWN_RULES
from storage.records import put_aside, rows, timeline
from storage.records.alert_rows import write_alerts
from storage.records.tables import alerts
from storage.records.unreadable import UnreadableRows, decoded

_NOT_OF_THE_ENGINE = frozenset(OWN_RULES) | system_rule_ids()
_REASON = Reason(
    "state_unreadable",
    "判定状态损坏，已重新开始判定",
    "the stored state could not be read: it is decided anew",
)


async def put_states_aside(
    connection: AsyncConnection, table: Table, unreadable: Mapping[str, str], now: datetime
) -> None:
    """Move rows of ``table``, whose first column is the key and whose second the state, to ``put_aside``."""
    key, state = table.columns[0], table.columns[1]
    found = await connection.execute(select(key, state).where(key.in_(unreadable)))
    kept = [put_aside.PutAside(table.name, name, _bytes_of(content), unreadable[name]) for name, content in found]
    await put_aside.keep(connection, kept, now)
    await connection.execute(delete(table).where(key.in_(unreadable)))


async def resolve_alerts_of(
    connection: AsyncConnection, afresh: Collection[Afresh], now: datetime, unreadable: UnreadableRows
) -> None:
    """Resolve the open alerts of ``afresh``."""
    await timeline.reserve(connection, 0)
    for lost in afresh:
        device = lost.device
        of_rules = alerts.c.rule.not_in(_NOT_OF_THE_ENGINE) if lost.rule is None else alerts.c.rule == lost.rule
        of_device = select(alerts).where(
            alerts.c.community == device.community,
            alerts.c.device_kind == device.kind.value,
            alerts.c.device == device.device,
            alerts.c.resolved_at.is_(None),
            of_rules,
        )
        open_ones = decoded(await connection.execute(of_device), alerts, rows.alert_row, unreadable)
        steps = list(_resolved(open_ones, now))
        await write_alerts(connection, steps)
        told = [timeline.engine_step(step, now) for step in steps]
        await timeline.append(connection, await timeline.reserve(connection, len(told)), told)


def _resolved(open_ones: Iterable[AlertRow], now: datetime) -> Iterable[Transition]:
    for alert in open_ones:
        yield Transition(
            alert_id=alert.id,
            rule=alert.rule,
            severity=Severity(alert.severity),
            device=alert.device,
            kind=TransitionKind.RESOLVED,
            at=max(now, alert.fired_at),
            pending_since=alert.pending_since,
            reason=_REASON,
            position=0,
            title_zh=alert.title_zh,
            title_en=alert.title_en,
        )


def states_of(found: Iterable[Any]) -> Iterator[tuple[str, bytes]]:
    """Yield key and state of each row; what is no state is for its decoder to refuse."""
    for key, content in found:
        yield str(key), _bytes_of(content)


def _bytes_of(content: object) -> bytes:
    return content if isinstance(content, bytes) else str(content).encode(errors="replace")
