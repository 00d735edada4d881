"""Telling people, put together: the plan, the desk that decides by it, and the deliverer with its channels."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping

import structlog

from alerts.dispatch.plan import Plan
from alerts.dispatch.service import DeskService, Surroundings
from alerts.notify.book import MessengerBook
from alerts.notify.confirming import ConfirmLinks
from alerts.notify.deliverer import Deliverer
from alerts.notify.trimming import OutboxTrimming
from alerts.ports import Registry
from app import heartbeat
from app.channels import Channels
from app.last_good import LastGood
from app.plan_source import PROBLEM, PlanSource
from app.services import Service
from app.settings import Settings
from app.unrecorded import UnrecordedNotice
from core.clock import Clock
from core.configuration import PLAN
from storage.records import (
    DeskRecordsAdapter,
    GoodConfigurationsAdapter,
    OutboxAdapter,
    RecordsDatabase,
    RotaOverridesAdapter,
)

_log = structlog.get_logger()
LOOK_EVERY_SECONDS = 1.0
# The desk finds a new step within this time; looking costs about a millisecond.
IDLE_SECONDS = 0.05


class Notifying:
    """Desk and deliverer on ``database``, with the plan they go by."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        database: RecordsDatabase,
        registry: Registry,
        links: ConfirmLinks,
        problems: Callable[[], Mapping[str, str]],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._database = database
        self._registry = registry
        self._problems = problems
        self._announced = 0
        self._outbox = OutboxAdapter(database, clock)
        channels = Channels(settings, clock, os.environ, links)
        good = LastGood(GoodConfigurationsAdapter(database), PLAN, clock)
        self._source = PlanSource(settings.notify.plan, channels, good)
        self._book = MessengerBook()
        self.desk: DeskService
        self.deliverer: Deliverer

    @property
    def plan(self) -> Plan:
        """The plan in force."""
        return self._source.plan

    @property
    def plan_problem(self) -> str:
        """Why the newest plan is not in force; empty when it is."""
        return self._source.problem

    @property
    def problem(self) -> str:
        """What keeps people from being told, or the newest plan from being in force; empty when nothing does."""
        plan = f"{PROBLEM}{self._source.problem}" if self._source.problem else ""
        return plan or self.desk.stats.detail or self.deliverer.stats.detail

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Mapping[str, Service]]:
        """Read the plan; yield the services to run; close the channels. Raises `RuleError` or `StartupError`."""
        await self._source.load()
        await self._book.replace(self._source.receivers)
        outbox = self._outbox
        self.deliverer = Deliverer(outbox, self._book, self._clock)
        self.desk = DeskService(
            DeskRecordsAdapter(self._database, self._clock), self._surroundings(), self._clock, wait=self._wait
        )
        try:
            yield {
                "notification desk": Service(self.desk.run),
                "deliverer": Service(self.deliverer.run),
                "notification plan of receivers": Service(self._follow_plan),
                "outbox trimming": Service(OutboxTrimming(outbox, self._clock, self._settings.outbox_keep).run),
            }
        finally:
            await self._book.close()

    def notice(self, full: Callable[[], str]) -> UnrecordedNotice:
        """Return what tells of a full disk when nothing can be recorded."""
        return UnrecordedNotice(
            full, lambda: self.desk.stats.detail, lambda: self._source.plan, self._book, self._clock
        )

    def figures(self) -> dict[str, float]:
        """Return counters and gauges by name."""
        decided, delivered = self.desk.stats, self.deliverer.stats
        return {
            "told_sequence": decided.sequence,
            "notifications_total": decided.intents,
            "delivered_total": delivered.delivered,
            "delivery_seconds_total": self._outbox.delivery_seconds,
            "undelivered_total": delivered.given_up,
            "delivery_retries_total": delivered.postponed,
            "deliveries_under_way": delivered.in_flight,
            "receivers_failing": len(delivered.failing),
        }

    def _surroundings(self) -> Surroundings:
        overrides = RotaOverridesAdapter(self._database)
        return Surroundings(
            plan=lambda: self._source.plan,
            registry=self._registry,
            overrides=overrides.overrides,
            health=self._health,
        )

    def _health(self) -> dict[str, str | None]:
        """Return what is wrong with every component, as far as the parts tell: ``None`` for nothing."""
        now = self._clock.steady()
        ingest, api = (heartbeat.read(self._settings.var, part, now) for part in ("ingest", "api"))
        away = ingest.figures.get("broker_connected", 1.0) == 0.0
        alive = ingest.status != "down"
        return {
            **api.problems,
            **ingest.problems,
            **self._problems(),
            "ingest": None if alive else ingest.detail,
            "broker": ingest.detail if alive and away else None,
        }

    async def _wait(self, seconds: float) -> None:
        """Let time pass before the next look; what the desk has just committed goes out meanwhile."""
        if self.desk.stats.intents != self._announced:
            self._announced = self.desk.stats.intents
            self.deliverer.wake()
        await asyncio.sleep(max(seconds, IDLE_SECONDS))

    async def _follow_plan(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            if await self._source.changed() is not None:
                await self._book.replace(self._source.receivers)
                self.deliverer.wake()
