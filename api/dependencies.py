"""What the API is given by the composition root, and how a route gets at it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from alerts.notify.confirming import ConfirmLinks
from api.call_ports import CallPoints, CallReader, ControllerCodes
from api.ports import (
    AlertActs,
    Backtester,
    FailingReceivers,
    JournalView,
    OutboxView,
    PersonTests,
    PlanInForce,
    QualityReader,
    Records,
    RegistryStore,
    RotaOverrides,
    RuleBook,
    RulesInForce,
    SessionRecords,
    Suppressions,
    TelemetryReader,
    TestSender,
    Tokens,
    UnknownCodes,
)
from api.voice_ice import IceSettings
from core.clock import Clock
from emergency.ports import Places
from emergency.switchboard import Switchboard
from emergency.tokens import PointTokens


class ComponentStatus(StrEnum):
    """How a component does. *Degraded* works, with a restriction its detail names."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True)
class ComponentState:
    """How one component does now. A ``vital`` one that is down makes the whole service not ready.

    ``detail`` is one sentence for an operator; it is shown only to holders of a token.
    """

    status: ComponentStatus
    detail: str = ""
    vital: bool = True


HealthCheck = Callable[[], Awaitable[ComponentState]]


@dataclass(frozen=True)
class EmergencyParts:
    """What emergency calls are answered through."""

    calls: Switchboard
    reader: CallReader
    points: CallPoints
    tokens: PointTokens
    places: Places
    codes: ControllerCodes
    plan_problem: Callable[[], str]
    """Why the newest emergency plan is not in force; empty where it is."""
    ice: IceSettings = field(default_factory=IceSettings)
    """The servers by which voices find a way between networks."""


@dataclass(frozen=True)
class Dependencies:
    """The ports the API reads and writes through; built once by the composition root."""

    records: Records
    tokens: Tokens
    sessions: SessionRecords
    telemetry: TelemetryReader
    journal: JournalView
    clock: Clock
    health: Mapping[str, HealthCheck]
    metrics: CollectorRegistry
    version: str
    acts: AlertActs
    suppressions: Suppressions
    registry: RegistryStore
    quality: QualityReader
    codes: UnknownCodes
    outbox: OutboxView
    rota: RotaOverrides
    receivers: FailingReceivers
    tests: TestSender
    person_tests: PersonTests
    confirm_links: ConfirmLinks
    rule_book: RuleBook
    rules: RulesInForce
    backtester: Backtester
    plan: PlanInForce
    emergency: EmergencyParts
    base_url: str = ""
    """Where people reach Anju; empty where nobody said, then the address of the request counts."""
    zone: tzinfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    """In which times of day are told to residents."""


def _given(request: Request) -> Dependencies:
    dependencies: Dependencies = request.app.state.dependencies
    return dependencies


Given = Annotated[Dependencies, Depends(_given)]
