"""What a month of emergency calls comes to."""

from datetime import UTC
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query

from api.call_figures import GroupedBy, MonthOfCalls
from api.dependencies import Dependencies, Given
from api.pagination import MAXIMUM_LIMIT
from api.parameters import Community
from core.clock import wall_ahead
from emergency.figures import month_figures, month_of
from emergency.model import Call, CallFilter
from emergency.rescue import on_the_wall

router = APIRouter(prefix="/emergency-figures", tags=["emergency calls"])
Month = Annotated[
    str | None, Query(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", description="`YYYY-MM`; by default this month.")
]


@router.get("", summary="Figures of a month of emergency calls")
async def get_emergency_figures(
    given: Given,
    month: Month = None,
    community: Community = None,
    by: Annotated[GroupedBy, Query(description="What to tell apart.")] = GroupedBy.SOURCE,
) -> MonthOfCalls:
    """How many calls were raised in the month, how fast they were answered and reached, and how often in time.

    A month begins and ends by the clock of the notification plan's zone. Calls that are open count as they stand now.
    """
    now, zone = given.clock.now(), ZoneInfo(given.plan.current().zone)
    chosen = month or f"{now.astimezone(zone):%Y-%m}"
    since, until = (each.astimezone(UTC) for each in month_of(chosen, zone))
    calls = await _raised(given, CallFilter(community=community, since=since, until=until))
    return MonthOfCalls.of(chosen, (since, until), community, by, month_figures(calls, now))


async def _raised(given: Dependencies, matching: CallFilter) -> list[Call]:
    """Return all matching calls, by the wall clock, read in pages."""
    calls, ahead = list[Call](), wall_ahead(given.clock)
    while True:
        some = await given.emergency.reader.calls(matching, calls[-1].number if calls else None, MAXIMUM_LIMIT)
        calls += (on_the_wall(call, ahead) for call in some)
        if len(some) < MAXIMUM_LIMIT:
            return calls
