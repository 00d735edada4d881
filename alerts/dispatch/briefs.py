"""Alerts in the few words of a notification, the worst and newest first."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from heapq import nsmallest

from alerts.dispatch.memory import RANK, Alert
from alerts.dispatch.model import AlertBrief
from alerts.inventory import DeviceFacts, Inventory
from alerts.memory import Microseconds
from core.clock import from_microseconds, to_microseconds
from core.devices import DeviceKey

# A message longer than this is not read; how many more there are stands beside.
LISTED_AT_MOST = 50


def worst_first(alerts: Iterable[Alert]) -> list[Alert]:
    """Return at most `LISTED_AT_MOST`: those that still fire, by severity, the newest first."""
    return nsmallest(LISTED_AT_MOST, alerts, key=_order)


def _order(alert: Alert) -> tuple[bool, int, int, str]:
    memory = alert.memory
    return not alert.firing, RANK[memory.severity], -memory.fired_at, memory.id


def brief(alert: Alert, inventory: Inventory, hanging: Mapping[str, Alert]) -> AlertBrief:
    """Return ``alert`` in brief; ``hanging`` are the alerts it stands for."""
    memory = alert.memory
    facts = inventory.of(alert.device)
    return AlertBrief(
        id=memory.id,
        rule=memory.rule,
        severity=memory.severity,
        device=alert.device,
        place_zh=_place(facts.name_zh or facts.name_en, facts, alert.device),
        place_en=_place(facts.name_en or facts.name_zh, facts, alert.device),
        title_zh=memory.title_zh,
        title_en=memory.title_en,
        reason_zh=memory.reason_zh,
        reason_en=memory.reason_en,
        next_step_zh=memory.next_step_zh,
        next_step_en=memory.next_step_en,
        fired_at=from_microseconds(memory.fired_at),
        resolved_at=from_microseconds(memory.resolved_at) if memory.resolved_at else None,
        acknowledged_by=memory.acknowledged_by if memory.acknowledged else None,
        happened_at=from_microseconds(memory.happened_at) if memory.happened_at else None,
        hanging=tuple(sorted({each.memory.path for each in hanging.values()})),
    )


def happened_at(facts: Mapping[str, object]) -> Microseconds:
    """Return the device's instant of what arrived late, from the facts of its alert; 0 for every other alert."""
    said = facts.get("happened_at")
    return to_microseconds(datetime.fromisoformat(said)) if isinstance(said, str) else 0


def _place(name: str, facts: DeviceFacts, device: DeviceKey) -> str:
    return name or " ".join(part for part in (facts.building, device.device) if part)
