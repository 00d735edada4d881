"""An application over the twins, and what stands behind it."""

from dataclasses import dataclass

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter

from alerts.notify.confirming import ConfirmLinks
from api.app import ComponentState, ComponentStatus, Dependencies, create_app
from api.ports import Records, Tokens
from core.clock import ManualClock
from core.devices import DeviceKey, DeviceKind
from tests.unit.api.calling import Calling
from tests.unit.api.people import People
from tests.unit.api.twins import START, JournalTwin, RecordsTwin, SessionsTwin, TelemetryTwin, TokensTwin

LIFT = DeviceKey("xingfu", DeviceKind.ELEVATOR, "lift-1")
TOKEN = "token-of-lan"
LINKS = ConfirmLinks(b"k" * 32, "https://anju.example")
RIGHT = {"Authorization": f"Bearer {TOKEN}"}
WRONG = {"Authorization": "Bearer nobody"}


class HealthTwin:
    """Health checks whose answers a test sets."""

    def __init__(self) -> None:
        self.states: dict[str, ComponentState | Exception] = {
            "records": ComponentState(ComponentStatus.UP, "postgresql at db.internal"),
            "telemetry": ComponentState(ComponentStatus.UP, "influxdb at influx.internal", vital=False),
        }

    async def check(self, name: str) -> ComponentState:
        """Answer for one component."""
        state = self.states[name]
        if isinstance(state, Exception):
            raise state
        return state

    async def records(self) -> ComponentState:
        return await self.check("records")

    async def telemetry(self) -> ComponentState:
        return await self.check("telemetry")


@dataclass
class World:
    """Everything behind the API."""

    records: RecordsTwin
    tokens: TokensTwin
    sessions: SessionsTwin
    telemetry: TelemetryTwin
    journal: JournalTwin
    clock: ManualClock
    health: HealthTwin
    metrics: CollectorRegistry
    people: People
    calling: Calling


def empty_world() -> World:
    """An empty world in which ``lan`` holds a token."""
    metrics = CollectorRegistry()
    Counter("anju_received_messages", "Messages taken in.", registry=metrics).inc(3)
    tokens = TokensTwin({TOKEN: "lan"})
    records, clock = RecordsTwin(), ManualClock(START)
    return World(
        records=records,
        tokens=tokens,
        sessions=SessionsTwin(tokens),
        telemetry=TelemetryTwin(),
        journal=JournalTwin(),
        clock=clock,
        health=HealthTwin(),
        metrics=metrics,
        people=People(records),
        calling=Calling(clock),
    )


def dependencies(world: World, *, records: Records | None = None, tokens: Tokens | None = None) -> Dependencies:
    """What the application is given: ``world``, or real records and tokens in its place."""
    people = world.people
    return Dependencies(
        records=records or world.records,
        tokens=tokens or world.tokens,
        sessions=world.sessions,
        telemetry=world.telemetry,
        journal=world.journal,
        clock=world.clock,
        health={"records": world.health.records, "telemetry": world.health.telemetry},
        metrics=world.metrics,
        version="0.1.0",
        acts=people.acts,
        suppressions=people.suppressions,
        registry=people.registry,
        quality=people.quality,
        codes=world.records,
        outbox=people.outbox,
        rota=people.rota,
        receivers=people.outbox,
        tests=people.outbox,
        person_tests=people.tests,
        confirm_links=LINKS,
        rule_book=people.rule_book,
        rules=people.rules,
        backtester=people.backtester,
        plan=people.plan,
        emergency=world.calling.parts(),
    )


def application(world: World) -> FastAPI:
    """The application over ``world``."""
    return create_app(dependencies(world))
