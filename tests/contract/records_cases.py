"""Commits, alerts and faults for the tests of the records, told in few words."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from alerts.model import (
    Commit,
    DeviceSighting,
    FaultCleared,
    FaultRaised,
    Reason,
    Severity,
    Transition,
    TransitionKind,
)
from core.devices import DeviceKey, DeviceKind

START = datetime(2026, 3, 1, 8, 0, 0, 123456, tzinfo=UTC)
LIFT = DeviceKey("garden", DeviceKind.ELEVATOR, "lift-1")
GATE = DeviceKey("garden", DeviceKind.GATE, "north")
OTHER_LIFT = DeviceKey("lakeside", DeviceKind.ELEVATOR, "lift-1")


def after(seconds: float) -> datetime:
    """The instant ``seconds`` after `START`."""
    return START + timedelta(seconds=seconds)


def step(
    alert_id: str,
    kind: TransitionKind,
    at: datetime = START,
    *,
    device: DeviceKey = LIFT,
    rule: str = "trapped",
    severity: Severity = Severity.CRITICAL,
) -> Transition:
    reason = Reason(
        kind.value, f"原因 {kind.value}", f"because {kind.value}", {"temperature_celsius": 61.5, "open": True}
    )
    return Transition(
        alert_id, rule, severity, device, kind, at, START, reason, 1, title_zh="困人", title_en="Trapped passenger"
    )


def fired(
    alert_id: str,
    at: datetime = START,
    *,
    device: DeviceKey = LIFT,
    rule: str = "trapped",
    severity: Severity = Severity.CRITICAL,
) -> list[Transition]:
    """What the engine says when an alert begins: it was pending, and now it fires."""
    kinds = (TransitionKind.PENDING, TransitionKind.FIRING)
    return [step(alert_id, kind, at, device=device, rule=rule, severity=severity) for kind in kinds]


def resolved(alert_id: str, at: datetime, *, device: DeviceKey = LIFT, rule: str = "trapped") -> Transition:
    return step(alert_id, TransitionKind.RESOLVED, at, device=device, rule=rule)


def raised(at: datetime, *, device: DeviceKey = LIFT, code: str = "2", late: bool = False) -> FaultRaised:
    kind = {"2": "door_close_failure", "7": "position_lost"}[code]
    return FaultRaised(device, "gbt24476-2017", code, kind, Severity.MAJOR, at, late)


def cleared(at: datetime, *, device: DeviceKey = LIFT, code: str | None = "2") -> FaultCleared:
    return FaultCleared(device, "gbt24476-2017", code, at)


def seen(device: DeviceKey = LIFT, at: datetime = START, *, online: bool | None = True) -> DeviceSighting:
    return DeviceSighting(device, at, online, timedelta(seconds=-1.5), b'{"car":{"floor":{"value":"B1","at":"now"}}}')


def commit(
    position: int,
    *,
    previous: int | None = None,
    states: dict[str, bytes | None] | None = None,
    transitions: list[Transition] | None = None,
    faults: Sequence[FaultRaised | FaultCleared] = (),
    sightings: list[DeviceSighting] | None = None,
    forgotten: list[DeviceKey] | None = None,
) -> Commit:
    """A commit of ``position``; ``previous`` is the position before unless told."""
    before = position - 1 if previous is None else previous
    return Commit(position, before, states or {}, transitions or [], [*faults], sightings or [], forgotten or [])
