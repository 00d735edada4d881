"""The parts of Anju, each able to run alone or beside the others: ingest, alerts, api."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol

import structlog
import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from alerts.dispatch.defaults import default_plan
from alerts.engine import Engine
from alerts.service import AlertService
from api.app import close_streams, create_app
from api.dependencies import ComponentState, ComponentStatus, Dependencies, HealthCheck
from app import heartbeat, wiring
from app.backtester import Backtester
from app.doorbell import Doorbell, Poll
from app.heartbeat import Pulse
from app.metrics import FiguresCollector
from app.network import listen
from app.opening import open_records as open_records
from app.rule_source import RuleSource
from app.rules_view import RulesView
from app.services import Service
from app.settings import Settings
from core.clock import Clock
from core.errors import StartupError, TemporaryError
from ingest.housekeeping import Housekeeping
from ingest.session import MqttSession, SessionStatus
from ingest.writer import TelemetryWriterService
from storage.journal.sqlite import SqliteJournal
from storage.records import (
    AlertActsAdapter,
    AlertRecordsAdapter,
    DeskRecordsAdapter,
    OutboxAdapter,
    QualityAdapter,
    RecordsAdapter,
    RegistryAdapter,
    RotaOverridesAdapter,
    RuleBookAdapter,
    SuppressionsAdapter,
    TokensAdapter,
)

_log = structlog.get_logger()
VERSION = "0.1.0"
_PING_SECONDS = 1.5


class Waiting(Protocol):
    """Wakes a reader when the journal has grown."""

    async def wait(self, after: int, seconds: float) -> None:
        """Return when the journal reaches beyond ``after``, or after ``seconds``."""
        ...


class Ingest:
    """MQTT session, journal, telemetry writer."""

    def __init__(self, settings: Settings, clock: Clock, doorbell: Doorbell) -> None:
        self._settings = settings
        self._clock = clock
        self._doorbell = doorbell
        self.session: MqttSession
        self.writer: TelemetryWriterService
        self.journal: SqliteJournal

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Mapping[str, Service]]:
        """Open files and connections; yield the services to run; close in the opposite order."""
        settings, clock = self._settings, self._clock
        journal = self.journal = await asyncio.to_thread(wiring.journal, settings, appending=True)
        self._doorbell.attach()
        self._doorbell.ring(journal.last_position())
        store = wiring.telemetry(settings)
        self.session = MqttSession(wiring.session_settings(settings), journal.append, clock, self._doorbell.ring)
        self.writer = TelemetryWriterService(
            journal,
            wiring.decoder(settings),
            store,
            clock,
            wait_for_more=self._doorbell.wait,
            settings=wiring.writer_settings(settings),
        )
        housekeeping = Housekeeping(
            journal,
            store,
            clock,
            max_age=settings.journal_age,
            max_bytes=settings.journal.max_bytes,
            retention=settings.retention,
        )
        self.session.start()
        try:
            yield {
                "mqtt session": self._session_ended,
                "telemetry writer": self.writer.run,
                "housekeeping": housekeeping.run,
                "ingest heartbeat": lambda: heartbeat.beat(settings.var, "ingest", clock, self.pulse),
            }
        finally:
            await asyncio.to_thread(self.session.stop)
            await store.close()
            await asyncio.to_thread(journal.close)

    async def _session_ended(self) -> None:
        # Shielded: cancelling us must not cancel the future that the session's thread will still set.
        await asyncio.shield(asyncio.wrap_future(self.session.failure))

    async def ready(self) -> None:
        """Return when the broker has let us in; raises `StartupError` in one line when it does not."""
        mqtt = self._settings.mqtt
        state = await asyncio.to_thread(self.session.wait_ready, mqtt.startup_seconds)
        if state.status is not SessionStatus.CONNECTED:
            raise StartupError(f"broker {mqtt.host}:{mqtt.port}: {state.detail or state.status.value}")

    def pulse(self) -> Pulse:
        """Return how ingest does, with its counters."""
        link, received, written = self.session.state, self.session.stats, self.writer.stats
        up = link.status is SessionStatus.CONNECTED
        return Pulse(
            "up" if up else "degraded",
            f"broker: {link.status.value} {link.detail}".strip() + f"; telemetry: {written.detail or 'writing'}",
            {
                "received_total": received.received,
                "journaled_total": received.appended,
                "acknowledged_total": received.acked,
                "reconnects_total": received.reconnects,
                "written_messages_total": written.messages,
                "written_points_total": written.points,
                "rejected_total": written.rejected,
                "write_retries_total": written.retries,
                "written_position": written.position,
                "broker_connected": float(up),
            },
        )


class Alerts:
    """Alert engine and its records."""

    def __init__(self, settings: Settings, clock: Clock, waiting: Doorbell | None) -> None:
        self._settings = settings
        self._clock = clock
        self._doorbell = waiting
        self.service: AlertService

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Mapping[str, Service]]:
        """Open files and connections; yield the services to run; close in the opposite order."""
        settings, clock = self._settings, self._clock
        rules = wiring.rules(settings)
        journal = await asyncio.to_thread(wiring.journal, settings, appending=False)
        database = wiring.records(settings)
        waiting: Waiting = self._doorbell or Poll(journal.last_position)
        try:
            await open_records(database, settings)
            await _require_same_journal(journal, RecordsAdapter(database), settings)
            self.service = AlertService(
                journal,
                wiring.decoder(settings),
                AlertRecordsAdapter(database, clock),
                Engine(rules),
                clock,
                wait=waiting.wait,
            )
            yield {
                "alert engine": self.service.run,
                "alerts heartbeat": lambda: heartbeat.beat(settings.var, "alerts", clock, self.pulse),
            }
        finally:
            await database.close()
            await asyncio.to_thread(journal.close)

    def pulse(self) -> Pulse:
        """Return how the engine does, with its counters."""
        stats = self.service.stats
        return Pulse(
            "degraded" if stats.detail else "up",
            stats.detail or "deciding",
            {
                "evaluated_total": stats.evaluated,
                "transitions_total": stats.transitions,
                "commit_retries_total": stats.retries,
                "last_commit_seconds": stats.last_commit_seconds,
                "decided_position": stats.position,
            },
        )


class Api:
    """The HTTP API and its server."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.records: RecordsAdapter
        self.new_token: str | None = None

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Mapping[str, Service]]:
        """Open files and connections and take the port; yield the services to run; close in the opposite order."""
        settings, clock = self._settings, self._clock
        listening = listen(settings.api.host, settings.api.port)
        journal = await asyncio.to_thread(wiring.journal, settings, appending=False)
        database = wiring.records(settings)
        store = wiring.telemetry(settings)
        try:
            await open_records(database, settings)
            self.records = RecordsAdapter(database)
            tokens = TokensAdapter(database)
            if not await tokens.names():
                self.new_token = await tokens.add("first", clock.now())
            rule_book, outbox = RuleBookAdapter(database), OutboxAdapter(database, clock)
            rules = RuleSource(builtin=settings.rules.builtin, paths=settings.rules.files, book=rule_book)
            await rules.load()
            metrics = CollectorRegistry()
            metrics.register(FiguresCollector(settings.var, clock, journal))
            application = create_app(
                Dependencies(
                    records=self.records,
                    tokens=tokens,
                    telemetry=store,
                    journal=journal,
                    clock=clock,
                    health=self._health(journal, store.ping),
                    metrics=metrics,
                    version=VERSION,
                    acts=AlertActsAdapter(database),
                    suppressions=SuppressionsAdapter(database, clock),
                    registry=RegistryAdapter(database),
                    quality=QualityAdapter(database),
                    outbox=outbox,
                    rota=RotaOverridesAdapter(database),
                    receivers=DeskRecordsAdapter(database, clock),
                    tests=outbox,
                    rule_book=rule_book,
                    rules=RulesView(rules),
                    backtester=Backtester(settings),
                    plan=default_plan,
                )
            )
            yield {
                "http server": lambda: Server(application).serve_on([listening]),
                "api heartbeat": lambda: heartbeat.beat(settings.var, "api", clock, lambda: Pulse("up", "serving", {})),
            }
        finally:
            listening.close()
            await store.close()
            await database.close()
            await asyncio.to_thread(journal.close)

    def _health(self, journal: SqliteJournal, ping_telemetry: Callable[[], Awaitable[None]]) -> dict[str, HealthCheck]:
        async def records() -> ComponentState:
            await self.records.ping()
            return ComponentState(ComponentStatus.UP)

        async def journal_file() -> ComponentState:
            last = await asyncio.to_thread(journal.last_position)
            return ComponentState(ComponentStatus.UP, f"reaches position {last}")

        async def telemetry() -> ComponentState:
            # Alerts do not need it: down is shown, but the service stays ready.
            try:
                async with asyncio.timeout(_PING_SECONDS):
                    await ping_telemetry()
            except TimeoutError:
                return ComponentState(ComponentStatus.DOWN, "does not answer", vital=False)
            except TemporaryError as error:
                return ComponentState(ComponentStatus.DOWN, str(error), vital=False)
            return ComponentState(ComponentStatus.UP, vital=False)

        return {
            "records": records,
            "journal": journal_file,
            "telemetry": telemetry,
            "ingest": self._part("ingest"),
            "alerts": self._part("alerts"),
        }

    def _part(self, part: str) -> HealthCheck:
        async def state() -> ComponentState:
            said = heartbeat.read(self._settings.var, part, self._clock.now())
            return ComponentState(ComponentStatus(said.status), said.detail)

        return state


class Server(uvicorn.Server):
    """Uvicorn without its own signal handling: stopping is the composition root's."""

    def __init__(self, application: FastAPI) -> None:
        self._application = application
        super().__init__(
            uvicorn.Config(application, log_config=None, lifespan="off", timeout_graceful_shutdown=3, ws="none")
        )

    async def serve_on(self, sockets: list[socket.socket]) -> None:
        """Serve until cancelled, then let running answers end within a few seconds."""
        serving = asyncio.ensure_future(self._serve(sockets))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            # Uvicorn waits for open answers before it stops, and a live stream never ends by itself.
            close_streams(self._application)
            self.should_exit = True
            await serving
            raise


async def _require_same_journal(journal: SqliteJournal, records: RecordsAdapter, settings: Settings) -> None:
    """Refuse a journal that ends before the decided position: it was replaced, and the engine would wait for ever."""
    decided, last = await records.alert_position(), await asyncio.to_thread(journal.last_position)
    if decided > last:
        raise StartupError(
            f"alerts are decided up to position {decided}, but journal {settings.journal_path} ends at {last}: it is "
            f"not the one these records were made from; bring that one back, or start with new records as well"
        )
