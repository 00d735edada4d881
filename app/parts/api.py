"""The part that answers: the HTTP API over records, journal and telemetry store."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from api.app import create_app
from api.dependencies import Dependencies, EmergencyParts
from app import descriptors, heartbeat, wiring
from app.backtester import Backtester
from app.calling import Calling
from app.code_lists import put_in_force
from app.disk import DiskWatch
from app.heartbeat import Pulse
from app.last_good import components
from app.metrics import FiguresCollector
from app.network import listen
from app.opening import open_records
from app.parts.health import HealthChecks
from app.parts.server import Server
from app.plan_source import PROBLEM, PlanSource
from app.plan_view import PlanView
from app.rules_view import RulesView
from app.services import Service, Supervisor
from app.settings import Settings
from core.clock import Clock
from core.configuration import PLAN
from emergency.tokens import PointTokens
from storage.journal.sqlite import SqliteJournal
from storage.records import (
    AlertActsAdapter,
    CallPointsAdapter,
    CodesAdapter,
    ControllerCodesAdapter,
    DeskRecordsAdapter,
    OutboxAdapter,
    PersonTestsAdapter,
    QualityAdapter,
    RecordsAdapter,
    RecordsDatabase,
    RegistryAdapter,
    RotaOverridesAdapter,
    RuleBookAdapter,
    SessionsAdapter,
    SuppressionsAdapter,
    TokensAdapter,
    UnreadableWatch,
)
from storage.telemetry.embedded import EmbeddedTelemetry
from storage.telemetry.influx import InfluxTelemetry

VERSION = "0.1.0"
_LOOK_SECONDS = 1.0


class Api:
    """The HTTP API and its server."""

    def __init__(
        self, settings: Settings, clock: Clock, supervisor: Supervisor, disks: DiskWatch | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._supervisor = supervisor
        self._plan: PlanSource
        self._server: Server | None = None
        self.disks = disks or wiring.disk_watch(settings, records=True)
        self._database: RecordsDatabase
        self.records: RecordsAdapter
        self.registry: RegistryAdapter
        self.calling: Calling
        self.points: CallPointsAdapter
        self.point_tokens: PointTokens
        self.new_token: str | None = None

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Mapping[str, Service]]:
        """Open files and connections and take the port; yield the services to run; close in the opposite order."""
        settings, clock = self._settings, self._clock
        await asyncio.to_thread(self.disks.prepare)
        await asyncio.to_thread(put_in_force, settings.codes.files)
        listening = listen(settings.api.host, settings.api.port)
        journal = await asyncio.to_thread(wiring.journal, settings, appending=False)
        database = self._database = wiring.records(settings)
        store = wiring.telemetry(settings)
        try:
            await open_records(database, settings)
            self.records, self.registry = RecordsAdapter(database), RegistryAdapter(database)
            self.point_tokens = wiring.point_tokens(settings)
            self.points = CallPointsAdapter(database, self.point_tokens)
            await self.points.adopt()
            tokens = TokensAdapter(database)
            if not await tokens.names():
                self.new_token = await tokens.add("first", clock.now())
            # Only read here: the part that tells people also knows whether the secrets of receivers are there.
            self._plan = PlanSource(settings.notify.plan, None, wiring.last_good(database, PLAN, None))
            await self._plan.load()
            self.calling = Calling(settings, clock, database, lambda: self._plan.plan)
            await self.calling.load()
            application = create_app(await self._dependencies(database, tokens, journal, store))
            yield {
                "http server": Service(lambda: self._serve(application, listening)),
                "notification plan": Service(self._follow_plan),
                "disk space": Service(self.disks.run),
                "emergency plan": Service(self.calling.follow_plan),
                "unreadable records of the api": Service(UnreadableWatch(database).run),
                "api heartbeat": Service(lambda: heartbeat.beat(settings.var, "api", clock, self._pulse)),
            }
        finally:
            listening.close()
            await store.close()
            await database.close()
            await asyncio.to_thread(journal.close)

    async def _dependencies(
        self,
        database: RecordsDatabase,
        tokens: TokensAdapter,
        journal: SqliteJournal,
        store: InfluxTelemetry | EmbeddedTelemetry,
    ) -> Dependencies:
        settings, clock = self._settings, self._clock
        rules, outbox = wiring.rule_source(settings, database, clock), OutboxAdapter(database, clock)
        await rules.load()
        metrics = CollectorRegistry()
        metrics.register(FiguresCollector(settings.var, clock, journal))
        return Dependencies(
            records=self.records,
            tokens=tokens,
            sessions=SessionsAdapter(database),
            telemetry=store,
            journal=journal,
            clock=clock,
            health=HealthChecks(settings, clock).over(self.records, journal, store.ping, self._pulse),
            metrics=metrics,
            version=VERSION,
            acts=AlertActsAdapter(database),
            suppressions=SuppressionsAdapter(database, clock),
            registry=self.registry,
            quality=QualityAdapter(database),
            codes=CodesAdapter(database),
            outbox=outbox,
            rota=RotaOverridesAdapter(database),
            receivers=DeskRecordsAdapter(database, clock),
            tests=outbox,
            person_tests=PersonTestsAdapter(database),
            confirm_links=wiring.confirm_links(settings),
            rule_book=RuleBookAdapter(database),
            rules=RulesView(rules),
            backtester=Backtester(settings),
            plan=PlanView(self._plan, settings.var, clock),
            emergency=self._emergency(database),
            base_url=settings.notify.base_url or "",
            zone=ZoneInfo(settings.time.zone),
        )

    def _emergency(self, database: RecordsDatabase) -> EmergencyParts:
        return EmergencyParts(
            calls=self.calling.switchboard,
            reader=self.calling.records,
            points=self.points,
            tokens=self.point_tokens,
            places=self.calling.places,
            codes=ControllerCodesAdapter(database),
            plan_problem=lambda: self.calling.source.problem,
            ice=wiring.ice(self._settings),
        )

    async def _serve(self, application: FastAPI, listening: socket.socket) -> None:
        # The server closes its sockets when it ends; a restarted one listens on a copy again.
        self._server = Server(application, self._settings.api)
        await self._server.serve_on([listening.dup()])

    async def _follow_plan(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self._plan.changed()

    def _pulse(self) -> Pulse:
        plan, emergency = self._plan.problem, self.calling.source.problem
        # Not the rules, which are looked at only when somebody asks for them: the alert engine tells of those.
        wrong = {**self._supervisor.problems(), **self.disks.problems, **descriptors.problems()}
        wrong |= {**self._database.unreadable.problems(), **components(rules="", plan=plan, emergency=emergency)}
        figures = descriptors.figures()
        if self._server is not None:
            wrong |= self._server.problems()
            figures |= self._server.figures()
        detail = f"{PROBLEM}{plan}" if plan else f"emergency plan: {emergency}" if emergency else "serving"
        return Pulse("degraded" if wrong else "up", detail, figures, wrong)
