"""Drills by the calendar: one a month for each lift, in the hours that its community's plan names.

Drills are spread over the days of the month that are left, so that a duty room with thirty lifts has two or three a
day and not all on the first. A lift on which people held a drill this month has had it. While a call, or a drill, is
open in the community none begins there; one that nobody closes ends with the hours. Nothing is kept beside the calls:
drills that a day missed are spread over the others.
"""

import asyncio
import calendar
import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, tzinfo

import structlog

from core.clock import Clock
from core.errors import TemporaryError
from emergency.acts import Close
from emergency.ladder import community_of
from emergency.model import CallFilter, Cause, Source
from emergency.plan import DAYS, DrillHours, EmergencyPlan
from emergency.ports import CallRecords, Places
from emergency.selftest import Lifts
from emergency.steps import CallRequest
from emergency.switchboard import Switchboard

_log = structlog.get_logger()
LOOK_SECONDS = 60.0
ACTOR = "drills"
_REF = "calendar"
_LEFT_OPEN = "演练时段结束，无人关闭 / the hours for drills are over and nobody closed it"
# Drills of one community in one month that are looked at: far more than lifts stand in one.
_MOST = 10_000


def is_time(hours: DrillHours, now: datetime) -> bool:
    """Tell whether a drill may begin at ``now``, an instant of local time."""
    begin, end = (time.fromisoformat(each) for each in hours.hours.split("-"))
    return begin <= now.time() < end and _is_day(hours, now.date())


def due(hours: DrillHours, lifts: Sequence[str], drilled: Mapping[str, date], today: date) -> str | None:
    """Return the lift whose drill is next; ``drilled`` names those that had theirs this month, and the day of it."""
    waiting = [lift for lift in lifts if lift not in drilled]
    if not waiting:
        return None
    last = calendar.monthrange(today.year, today.month)[1]
    days = sum(_is_day(hours, today.replace(day=day)) for day in range(today.day, last + 1))
    held = sum(day == today for day in drilled.values())
    if held >= math.ceil((len(waiting) + held) / days):
        return None
    # In another order each month, and the same at every look.
    return min(waiting, key=lambda lift: hashlib.blake2b(f"{today:%Y-%m} {lift}".encode()).digest())


def _is_day(hours: DrillHours, day: date) -> bool:
    return not hours.days or DAYS[day.weekday()] in hours.days


class DrillCalendar:
    """Begins drills when they are due. Runs until cancelled."""

    def __init__(
        self,
        switchboard: Switchboard,
        records: CallRecords,
        lifts: Lifts,
        places: Places,
        clock: Clock,
        zone: tzinfo,
    ) -> None:
        self._switchboard = switchboard
        self._records = records
        self._lifts = lifts
        self._places = places
        self._clock = clock
        self._zone = zone
        self.detail = ""
        """What is in the way, empty when nothing is."""

    async def run(self) -> None:
        """Look once a minute."""
        while True:
            try:
                await self.look()
                self.detail = ""
            except TemporaryError as error:
                if not self.detail:
                    _log.warning("drill.away", reason=str(error))
                self.detail = str(error)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Begin what is due now, at most one drill in each community. Raises `TemporaryError`; may be repeated."""
        now = self._clock.now().astimezone(self._zone)
        plan = self._switchboard.plan
        await self._end(plan, now)
        if not any(each.drills is not None and is_time(each.drills, now) for each in plan.communities):
            return
        by_community = defaultdict[str, list[str]](list)
        for known in await self._lifts():
            by_community[known.lift.community].append(known.lift.path)
        for community, lifts in by_community.items():
            hours = community_of(plan, community).drills
            if hours is not None and is_time(hours, now):
                await self._look_at(community, lifts, hours, now)

    async def _end(self, plan: EmergencyPlan, now: datetime) -> None:
        for drill in await self._records.calls(CallFilter(open=True, drill=True), None, _MOST):
            hours = community_of(plan, drill.place.community).drills
            if _REF in drill.joined and (hours is None or not is_time(hours, now)):
                await self._switchboard.act(drill.id, Close(Cause.DRILL, _LEFT_OPEN), ACTOR)
                _log.warning("drill.left_open", call=drill.id, lift=drill.place.lift)

    async def _look_at(self, community: str, lifts: Sequence[str], hours: DrillHours, now: datetime) -> None:
        if await self._records.calls(CallFilter(open=True, community=community), None, 1):
            return
        month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        held = await self._records.calls(CallFilter(drill=True, community=community, since=month), None, _MOST)
        drilled = {
            call.place.lift: call.stamps.raised.astimezone(self._zone).date() for call in held if call.place.lift
        }
        lift = due(hours, lifts, drilled, now.date())
        if lift is not None:
            request = CallRequest(Source.DRILL, await self._places.of_lift(lift), drill=True, ref=_REF)
            # Two processes that look at once begin one drill.
            await self._switchboard.raise_call(request, ACTOR, key=f"drill {now:%Y-%m} {lift}")
            _log.info("drill.begun", lift=lift)
