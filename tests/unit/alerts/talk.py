"""A short way to write what devices say, for the tests of rules and engine."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.engine import Engine
from alerts.model import Transition, TransitionKind
from alerts.rules import Rule, load_rules
from core.code_events import as_said
from core.devices import Channel, DeviceKey, DeviceKind
from core.observations import Observation
from core.wire.payloads import (
    Body,
    ElevatorEvent,
    ElevatorEventType,
    ElevatorTelemetry,
    GateEvent,
    GateEventType,
    GatewayEvent,
    GatewayEventType,
    Presence,
    PresenceStatus,
    Region,
    ThermalTelemetry,
)

START = datetime(2026, 8, 14, 7, 0, tzinfo=UTC)
LIFT = DeviceKey("demo", DeviceKind.ELEVATOR, "lift-1")
GATE = DeviceKey("demo", DeviceKind.GATE, "gate-1")
CAMERA = DeviceKey("demo", DeviceKind.THERMAL, "shed-1")
GATEWAY = DeviceKey("demo", DeviceKind.GATEWAY, "block-1")


def instant(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def rule(kind: str, condition: str, extra: str = "", rule_id: str = "r", severity: str = "major") -> Rule:
    """Return one rule; ``condition`` is YAML in one line, ``extra`` are further lines such as ``for: 5s``."""
    lines = ["version: 1", "rules:", f"  - id: {rule_id}", f"    kind: {kind}", f"    severity: {severity}"]
    lines += ["    title: {zh: 题, en: title}", "    next_step: {zh: 步, en: step}", f"    condition: {condition}"]
    lines += [f"    {line}" for line in extra.splitlines()]
    (loaded,) = load_rules("\n".join(lines), "test.yaml")
    return loaded


class Talk:
    """Builds observations with rising positions; ``seconds`` count from `START`."""

    def __init__(self) -> None:
        self._position = 0

    def say(
        self, seconds: float, device: DeviceKey, body: Body, *, received: float | None = None, late: bool = False
    ) -> Observation:
        self._position += 1
        arrived = instant(seconds if received is None else received)
        return Observation(self._position, device, _channel(body), body.at, arrived, body, late=late)

    def lift(self, seconds: float, *, received: float | None = None, late: bool = False, **signals: Any) -> Observation:
        body = ElevatorTelemetry(at=instant(seconds), **signals)
        return self.say(seconds, LIFT, body, received=received, late=late)

    def lift_event(
        self,
        seconds: float,
        kind: ElevatorEventType,
        code: str | None = None,
        *,
        received: float | None = None,
        late: bool = False,
        source: str = "gbt24476-2017",
        **fields: Any,
    ) -> Observation:
        body = ElevatorEvent(
            at=instant(seconds),
            type=kind,
            source=source if code else None,
            code=code,
            **fields,
        )
        as_said(body)  # as the decoder does
        return self.say(seconds, LIFT, body, received=received, late=late)

    def gate(self, seconds: float, kind: GateEventType, door: str = "1") -> Observation:
        return self.say(seconds, GATE, GateEvent(at=instant(seconds), type=kind, door=door))

    def gateway(self, seconds: float, kind: GatewayEventType, controller: str | None = None) -> Observation:
        return self.say(seconds, GATEWAY, GatewayEvent(at=instant(seconds), type=kind, controller=controller))

    def camera(self, seconds: float, received: float | None = None, **regions: float) -> Observation:
        looks = [Region(region=name, maximum_celsius=celsius) for name, celsius in regions.items()]
        return self.say(seconds, CAMERA, ThermalTelemetry(at=instant(seconds), regions=looks), received=received)

    def presence(self, seconds: float, status: PresenceStatus, device: DeviceKey = LIFT) -> Observation:
        return self.say(seconds, device, Presence(at=instant(seconds), status=status))


def _channel(body: Body) -> Channel:
    match body:
        case Presence():
            return Channel.PRESENCE
        case ElevatorTelemetry() | ThermalTelemetry():
            return Channel.TELEMETRY
    return Channel.EVENT


def told(transitions: Iterable[Transition]) -> list[tuple[float, str]]:
    """Return (seconds since `START`, kind) of each transition but the pending ones, which `firing` implies."""
    return [
        ((each.at - START).total_seconds(), each.kind.value)
        for each in transitions
        if each.kind is not TransitionKind.PENDING
    ]


def run(rules: Iterable[Rule], observations: Iterable[Observation], until: float | None = None) -> list[Transition]:
    """Return what an engine says to ``observations``, and after them up to ``until`` seconds."""
    engine = Engine(rules)
    said = [transition for observation in observations for transition in engine.observe(observation)]
    return said if until is None else said + engine.advance(instant(until))


def run_restarting(
    rules: Iterable[Rule], observations: Iterable[Observation], until: float | None = None
) -> list[Transition]:
    """Do what `run` does, but start anew from what was stored after every message."""
    rules, said = list(rules), []
    stored: dict[str, bytes] = {}
    engine = Engine(rules)
    for observation in observations:
        said += engine.observe(observation)
        for path, state in engine.dirty().items():
            stored.pop(path, None)
            if state is not None:
                stored[path] = state
        engine = Engine(rules)
        engine.restore(stored)
    return said if until is None else said + engine.advance(instant(until))
