"""How good the alarms are for the people who get them, each figure beside its target."""

import asyncio
from datetime import timedelta

from fastapi import APIRouter

from alerts.quality import measure
from api.dependencies import Given
from api.parameters import Community, Since, Until, check_order
from api.problems import InvalidRequest
from api.quality import AlarmQuality

router = APIRouter(prefix="/quality", tags=["quality"])
_DEFAULT = timedelta(days=7)
_LONGEST = timedelta(days=366)


@router.get("", summary="Alarm quality")
async def get_quality(
    given: Given, community: Community = None, since: Since = None, until: Until = None
) -> AlarmQuality:
    """Figures of ISA-18.2, IEC 62682 and EEMUA 191 (as secondary sources give them) over a span, a week by default.

    An *alarm* is an alert that fired within since <= t < until and asks for something done: those of severity `info`
    do not count. Each figure's description is its definition.
    """
    end = until or given.clock.now()
    begin = since or end - _DEFAULT
    check_order(begin, end)
    if end - begin > _LONGEST:
        raise InvalidRequest("query.since", f"{begin.isoformat()} is too long ago", f"at most {_LONGEST.days} days")
    alerts = await given.quality.alerts_between(community, begin, end)
    chattering = await given.quality.chattering_between(community, begin, end)
    notified = await given.quality.notified_between(community, begin, end)
    # A year of alarms takes a while to count; an executor thread keeps the event loop free.
    measured = await asyncio.to_thread(measure, alerts, notified, begin, end, chattering)
    return AlarmQuality.of(measured, begin, end)
