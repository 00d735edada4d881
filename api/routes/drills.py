"""Drills: the whole way of a call, without anybody in need."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict

from api.auth import CurrentActor
from api.call_parameters import CommunityWord, Lift, LiftPath, PointId
from api.call_places import asked_place
from api.calls import EmergencyCall
from api.dependencies import Given
from api.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, page, read_number_cursor
from api.parameters import Community, Since, Until, check_order
from api.responses import TOO_LARGE
from api.routes.emergency_calls import shown
from emergency.model import CallFilter, Source, Stamps
from emergency.steps import CallRequest

router = APIRouter(prefix="/drills", tags=["emergency calls"])


class DrillTimes(BaseModel):
    """How long each thing took, in seconds from the beginning; null where it has not happened."""

    rang: float | None
    answered: float | None
    dispatched: float | None
    on_the_way: float | None
    on_site: float | None
    freed: float | None
    closed: float | None

    @classmethod
    def of(cls, stamps: Stamps) -> Self:
        return cls(**{name: _seconds(stamps.raised, getattr(stamps, name)) for name in cls.model_fields})


class Drill(BaseModel):
    """A drill: its call, which is worked on like any other, and how long things took."""

    call: EmergencyCall
    seconds: DrillTimes


class NewDrill(BaseModel):
    """Where: at least one of the three, the nearest is best."""

    model_config = ConfigDict(extra="forbid")

    lift: LiftPath | None = None
    point: PointId | None = None
    community: CommunityWord | None = None


_BEGUN: dict[int | str, dict[str, Any]] = {200: {"model": Drill, "description": "The drill that is open there."}}


def _drill_filter(
    *, community: Community = None, lift: Lift = None, since: Since = None, until: Until = None
) -> CallFilter:
    check_order(since, until)
    return CallFilter(community=community, lift=lift, drill=True, since=since, until=until)


@router.post("", status_code=201, summary="Begin a drill", response_model=Drill, responses={**_BEGUN, **TOO_LARGE})
async def begin_drill(given: Given, actor: CurrentActor, said: NewDrill, response: Response) -> Drill:
    """Send a call that is marked as a drill through the whole chain; of the ladder's people only rotas are told.

    It is answered and closed (cause `drill`) as any call. 201: a new one. 200: the one that is open at this place.
    """
    place = await asked_place(given.emergency, lift=said.lift, point=said.point, community=said.community)
    request = CallRequest(Source.DRILL, place, drill=True)
    call, new = await given.emergency.calls.raise_call(request, actor.name)
    response.status_code = 201 if new else 200
    return Drill(call=shown(given, call), seconds=DrillTimes.of(call.stamps))


@router.get("", summary="List drills")
async def list_drills(
    given: Given,
    matching: Annotated[CallFilter, Depends(_drill_filter)],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[Drill]:
    """Drills, the newest first, each with how long things took."""
    rows = await given.emergency.reader.calls(matching, read_number_cursor("drills", cursor), limit + 1)
    return page(
        "drills",
        rows,
        limit,
        lambda call: call.number,
        lambda call: Drill(call=shown(given, call), seconds=DrillTimes.of(call.stamps)),
    )


def _seconds(begin: datetime, end: datetime | None) -> float | None:
    return None if end is None else (end - begin).total_seconds()
