"""The part that decides and tells: alert engine, emergency calls, notification desk and deliverer, over the records."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping

from alerts.engine import Engine
from alerts.service import AlertService
from app import descriptors, heartbeat, wiring
from app.alarm_tests import LiftsInService, alarm_test_asking
from app.calling import Calling
from app.code_lists import put_in_force
from app.disk import DISK_FULL, DiskWatch
from app.doorbell import Doorbell, Poll, Waiting
from app.heartbeat import Pulse
from app.last_good import components
from app.notifying import Notifying
from app.opening import open_records, require_same_journal
from app.rule_source import RuleSource
from app.services import Service, Supervisor
from app.settings import Settings
from app.steady_clock import ClockWatch
from core.clock import Clock
from emergency.drills import DrillCalendar
from emergency.selftest import AlarmTestAsking
from emergency.service import EmergencyService
from storage.journal.sqlite import SqliteJournal
from storage.records import (
    AlertRecordsAdapter,
    OpenCounts,
    RecordsAdapter,
    RecordsDatabase,
    RegistryAdapter,
    UnreadableWatch,
)


class Alerts:
    """Alert engine, notification desk and deliverer, with their records."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        waiting: Doorbell | None,
        supervisor: Supervisor,
        disks: DiskWatch | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._doorbell = waiting
        self._supervisor = supervisor
        self._clock_watch = ClockWatch(clock, settings.var)
        self.disks = disks or wiring.disk_watch(settings, records=True)
        self.journal: SqliteJournal
        self.database: RecordsDatabase
        self.open_counts: OpenCounts
        self.rules: RuleSource
        self.service: AlertService
        self.notifying: Notifying
        self.calling: Calling
        self.emergency: EmergencyService
        self.asking: AlarmTestAsking
        self.drills: DrillCalendar
        self._codes_refused = ""

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Mapping[str, Service]]:
        """Open files and connections; yield the services to run; close in the opposite order."""
        settings, clock = self._settings, self._clock
        await asyncio.to_thread(self.disks.prepare)
        self._codes_refused = await asyncio.to_thread(put_in_force, settings.codes.files)
        journal = self.journal = await asyncio.to_thread(wiring.journal, settings, appending=False)
        database, telemetry = wiring.records(settings), wiring.telemetry(settings)
        self.database, self.open_counts = database, OpenCounts(database, clock)
        waiting: Waiting = self._doorbell or Poll(journal.last_position)
        registry = RegistryAdapter(database)
        self.notifying = Notifying(settings, clock, database, registry, wiring.confirm_links(settings), self.problems)
        try:
            await open_records(database, settings)
            await require_same_journal(journal, RecordsAdapter(database), settings)
            self.rules = wiring.rule_source(settings, database, clock)
            self.service = AlertService(
                journal,
                wiring.decoder(settings),
                AlertRecordsAdapter(database, clock),
                Engine(await self.rules.load(), wiring.unknown_limits(settings), wiring.zone(settings)),
                clock,
                wait=waiting.wait,
                rules=self.rules,
                registry=registry,
                budgets=wiring.budgets(settings),
            )
            async with self.notifying.opened() as telling:
                self.calling = Calling(settings, clock, database, lambda: self.notifying.plan)
                await self.calling.load()
                self.calling.switchboard.on_pages = self.notifying.deliverer.wake
                self.emergency = self.calling.service()
                self.asking = alarm_test_asking(settings, clock, RecordsAdapter(database), registry, telemetry)
                self.drills = self.calling.drills(LiftsInService(RecordsAdapter(database), registry).in_service)
                yield {
                    "alert engine": Service(self.service.run, vital=True),
                    "emergency calls": Service(self.emergency.run),
                    "emergency plan of ladders": Service(self.calling.follow_plan),
                    "tests of car alarms": Service(self.asking.run),
                    "drills by the calendar": Service(self.drills.run),
                    "clock watch": Service(self._clock_watch.run),
                    "disk space": Service(self.disks.run),
                    "notice of a full disk": Service(self.notifying.notice(self._full_disk).run),
                    "unreadable records": Service(UnreadableWatch(database).run),
                    "counts of what is open": Service(self.open_counts.run),
                    **telling,
                    "alerts heartbeat": Service(lambda: heartbeat.beat(settings.var, "alerts", clock, self.pulse)),
                }
        finally:
            await telemetry.close()
            await database.close()
            await asyncio.to_thread(journal.close)

    def pulse(self) -> Pulse:
        """Return how the engine and the desk do, with their counters."""
        stats = self.service.stats
        calls = self.emergency.stats
        problems = (
            stats.detail,
            calls.detail,
            self.notifying.problem,
            *self._of_files(),
            self.asking.detail,
            self.drills.detail,
        )
        problem = next(filter(None, problems), "")
        wrong = self.problems()
        return Pulse(
            "degraded" if problem or any(not name.startswith(heartbeat.ABOUT_MANY) for name in wrong) else "up",
            problem or "deciding and telling",
            {
                "evaluated_total": stats.evaluated,
                "transitions_total": stats.transitions,
                "deferred_messages_total": stats.deferred,
                "backlog_messages": stats.backlog,
                "commit_retries_total": stats.retries,
                "last_commit_seconds": stats.last_commit_seconds,
                "decided_position": stats.position,
                "unknown_devices": self.service.unknown_devices,
                "unknown_fault_codes_total": stats.unknown_codes,
                "unknown_devices_forgotten_total": stats.forgotten,
                "calls_raised_total": calls.raised,
                "calls_joined_total": calls.joined,
                "alarm_tests_asked_total": self.asking.asked,
                "clock_jumps_total": self._clock_watch.jumps,
                **self.notifying.figures(),
                **self.open_counts.figures(),
                **descriptors.figures(),
            },
            wrong,
        )

    def problems(self) -> dict[str, str]:
        """Return what is wrong with components of this part, by their names."""
        wrong = {**self._supervisor.problems(), **self._clock_watch.problems(), **self.disks.problems}
        wrong |= {**descriptors.problems(), **self.database.unreadable.problems()}
        return {**wrong, **self.journal.problems(), **self.service.problems(), **self.refused()}

    def refused(self) -> dict[str, str]:
        """Return which configuration is not in force as its files say it, by component, each with the reason."""
        plan, emergency = self.notifying.plan_problem, self.calling.source.problem
        return components(rules=self.rules.refused, plan=plan, emergency=emergency, codes=self._codes_refused)

    def _full_disk(self) -> str:
        return self.disks.problems.get(DISK_FULL, "")

    def _of_files(self) -> Iterator[str]:
        for name, problem in (("rules", self.rules.problem), ("emergency plan", self.calling.source.problem)):
            if problem:
                yield f"{name}: {problem}"
