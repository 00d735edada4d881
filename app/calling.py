"""Emergency calls, put together: the plan of who helps, and the switchboard over the records."""

import asyncio
from collections.abc import Callable
from zoneinfo import ZoneInfo

from alerts.dispatch.plan import Plan
from app.directory import PlanDirectory
from app.emergency_plan import EmergencyPlanSource
from app.last_good import LastGood
from app.places import KnownPlaces
from app.settings import Settings
from core.clock import Clock
from core.configuration import EMERGENCY
from emergency.drills import DrillCalendar
from emergency.selftest import Lifts
from emergency.service import EmergencyService
from emergency.switchboard import Switchboard
from emergency.watch import RULES
from emergency.wording import PageWording
from storage.records import (
    AlertStepsAdapter,
    CallRecordsAdapter,
    GoodConfigurationsAdapter,
    RecordsAdapter,
    RecordsDatabase,
    RegistryAdapter,
    RotaOverridesAdapter,
)

_LOOK_SECONDS = 1.0


class Calling:
    """What one process needs for calls; ``notify`` gives the notification plan in force there.

    The API's process and the one that climbs ladders have one each, over the same records (decision 0008).
    """

    def __init__(self, settings: Settings, clock: Clock, database: RecordsDatabase, notify: Callable[[], Plan]) -> None:
        self._clock = clock
        self._zone = ZoneInfo(settings.time.zone)
        self._database = database
        good = LastGood(GoodConfigurationsAdapter(database), EMERGENCY, clock)
        self.source = EmergencyPlanSource(settings.emergency.plan, notify, good)
        self.records = CallRecordsAdapter(database, clock)
        self.places = KnownPlaces(RecordsAdapter(database), RegistryAdapter(database))
        self.switchboard = Switchboard(
            self.records,
            PlanDirectory(notify, RotaOverridesAdapter(database)),
            clock,
            lambda: self.source.plan,
            PageWording(self._zone, settings.notify.base_url),
        )

    async def load(self) -> None:
        """Read the plan at a start; raises `RuleError` or `StartupError`."""
        await self.source.load()

    def service(self) -> EmergencyService:
        """Return the service that climbs ladders and follows alerts."""
        steps = AlertStepsAdapter(self._database, sorted(RULES))
        return EmergencyService(self.switchboard, self.records, steps, self.places)

    def drills(self, lifts: Lifts) -> DrillCalendar:
        """Return the service that begins the drills of the plan's calendar."""
        return DrillCalendar(self.switchboard, self.records, lifts, self.places, self._clock, self._zone)

    async def follow_plan(self) -> None:
        """Take over the plan whenever its file changes, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.source.look()
