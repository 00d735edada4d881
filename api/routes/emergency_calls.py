"""Emergency calls: raising one, finding them, what happened to one, what its lift said."""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from alerts.dispatch.plan import messengers_of, people_targets
from api.auth import CurrentActor
from api.call_parameters import (
    CALL_ID,
    CallId,
    CommunityWord,
    LiftPath,
    Line,
    MatchingCalls,
    People,
    PhoneNumber,
    PointId,
)
from api.call_places import asked_place
from api.calls import EmergencyCall, EmergencyCallEvent, EmergencyCallHistory, EmergencyCallWithPages
from api.dependencies import Dependencies, Given
from api.feed import Feed
from api.found import found
from api.pagination import BIGGEST_NUMBER, DEFAULT_LIMIT, Cursor, Limit, Page, page, read_number_cursor
from api.parameters import Community
from api.problems import InvalidRequest, NamedProblem
from api.responses import NOT_FOUND, TOO_LARGE
from api.routes.telemetry import TelemetrySeries
from api.series import MAXIMUM_POINTS, choose_signals
from api.stream import EventStream, Wanted
from api.times import Utc
from core.clock import wall_ahead
from core.devices import DeviceKey
from core.telemetry import Series
from emergency.acts import Act
from emergency.model import Call, Caller, Source
from emergency.rescue import on_the_wall
from emergency.steps import CallRequest
from emergency.switchboard import NobodyToTell

router = APIRouter(prefix="/emergency-calls", tags=["emergency calls"])
# What a rescuer wants to see: how the car came to stand where it stands.
BEFORE = timedelta(seconds=60)
_FAMILIES = ("elevator", "elevator_event")

_EXAMPLE = 'retry: 2000\nid: 41\n\nid: 42\nevent: call\ndata: {"number":42,"call":"…","kind":"answered"}\n\n'
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `call`: `id` is the number, `data` an `EmergencyCallEvent` as JSON.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}
_RAISED: dict[int | str, dict[str, Any]] = {
    200: {"model": EmergencyCall, "description": "The same key, or joined into the call that is open there."}
}


class AskedBy(StrEnum):
    """Who raises a call through the API."""

    APP = "app"
    """The property app, for a resident."""
    STAFF = "staff"
    """Somebody on duty, by hand."""


class WhoCalls(BaseModel):
    """Who calls, as far as they say. Kept with the call and nowhere else."""

    model_config = ConfigDict(extra="forbid")

    name: Line = ""
    phone: PhoneNumber = ""
    text: Annotated[str, Field(max_length=2_000, pattern=r"^[^\x00]*$")] = ""


class CallForHelp(BaseModel):
    """Where help is needed: at least one of `lift`, `point` and `community`, the nearest is best."""

    model_config = ConfigDict(extra="forbid")

    lift: LiftPath | None = None
    point: PointId | None = None
    community: CommunityWord | None = None
    source: AskedBy = AskedBy.APP
    caller: WhoCalls = WhoCalls()
    people: People | None = None


class CallSignals(BaseModel):
    """What the lift of a call said, from 60 s before the call until now, or until it was closed."""

    lift: str = Field(description="Empty where the call is of no lift.")
    since: Utc
    until: Utc
    complete: bool = Field(description="False where there was more at the end than could be shown.")
    series: list[TelemetrySeries]


Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="Drawn anew for each tap, the same when it is sent again; needed where `source` is `app`.",
    ),
]


@router.post(
    "", status_code=201, summary="Call for help", response_model=EmergencyCall, responses={**_RAISED, **TOO_LARGE}
)
async def raise_emergency_call(
    given: Given, actor: CurrentActor, said: CallForHelp, response: Response, idempotency_key: Key = None
) -> EmergencyCall:
    """Raise a call; the first people are told before the answer leaves.

    201: a new call. 200: the call that this key raised before, or that is open at this place already. A key counts per
    token and place: send a request again with the same key until it is answered.
    """
    if idempotency_key is None and said.source is AskedBy.APP:
        raise InvalidRequest("header.Idempotency-Key", "missing", "a value drawn anew for each tap")
    place = await asked_place(given.emergency, lift=said.lift, point=said.point, community=said.community)
    caller = Caller(said.caller.name, said.caller.phone, said.caller.text)
    request = CallRequest(Source(said.source.value), place, caller, said.people)
    key = "" if idempotency_key is None else key_of(actor.name, place.key, idempotency_key)
    call, new = await given.emergency.calls.raise_call(request, actor.name, key=key)
    response.status_code = 201 if new else 200
    return shown(given, call)


@router.get("", summary="List emergency calls")
async def list_emergency_calls(
    given: Given, matching: MatchingCalls, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[EmergencyCall]:
    """Calls, the newest first, drills among them. `since` and `until` bound the instant at which they were raised."""
    before = read_number_cursor("emergency-calls", cursor)
    rows = await given.emergency.reader.calls(matching, before, limit + 1)
    return page("emergency-calls", rows, limit, lambda call: call.number, lambda call: shown(given, call))


@router.get("/stream", summary="Events of emergency calls as they happen", response_class=Response, responses=_EVENTS)
async def stream_emergency_calls(
    request: Request,
    *,
    community: Community = None,
    call: Annotated[str | None, Query(pattern=CALL_ID, description="Only this call.")] = None,
    drill: Annotated[bool | None, Query(description="Only drills, or none.")] = None,
    after: Annotated[int | None, Query(ge=0, le=BIGGEST_NUMBER, description="Begin behind this number.")] = None,
    last_event_id: Annotated[
        int | None,
        Header(alias="Last-Event-ID", ge=0, le=BIGGEST_NUMBER, description="As `after`, and goes before it."),
    ] = None,
) -> EventStream:
    """Server-sent events. Coming again with `Last-Event-ID` goes on behind it: nothing is missed, nothing comes twice.

    Without it the stream begins now. A comment comes every 15 s while nothing happens.
    """
    feed: Feed = request.app.state.call_feed
    feed.check_room()
    begin = await feed.start(after if last_event_id is None else last_event_id)
    return EventStream(feed, begin, Wanted(community=community, call=call, drill=drill))


@router.get("/{call_id}", summary="Show one emergency call", responses=NOT_FOUND)
async def get_emergency_call(given: Given, call_id: CallId) -> EmergencyCallWithPages:
    """One call as it stands now, with who was told of it."""
    call = await known_call(given, call_id)
    pages = await given.emergency.reader.pages(call_id)
    return EmergencyCallWithPages.with_pages(shown(given, call), pages, messengers_of(given.plan.current()))


@router.get("/{call_id}/events", summary="What happened to one emergency call", responses=NOT_FOUND)
async def list_emergency_call_events(given: Given, call_id: CallId) -> EmergencyCallHistory:
    """Every step of a call's history, in order."""
    await known_call(given, call_id)
    rows = await given.emergency.reader.events(call_id)
    return EmergencyCallHistory(items=[EmergencyCallEvent.of(row) for row in rows])


@router.get("/{call_id}/signals", summary="What the lift of an emergency call said", responses=NOT_FOUND)
async def get_emergency_call_signals(given: Given, call_id: CallId) -> CallSignals:
    """Raw telemetry and events of the lift, from 60 s before the call until now, or until it was closed."""
    call = await known_call(given, call_id)
    since = call.stamps.raised - BEFORE
    until = call.stamps.closed or given.clock.now()
    series = await _read(given, call.place.lift, since, until) if call.place.lift else []
    return CallSignals(
        lift=call.place.lift,
        since=since,
        until=until,
        complete=all(_points(series, family) < MAXIMUM_POINTS for family in _FAMILIES),
        series=[TelemetrySeries.of(each) for each in series],
    )


async def known_call(given: Dependencies, call_id: str) -> Call:
    """Return one call; answers 404 where there is none."""
    return found(await given.emergency.reader.call(call_id), f"emergency call {call_id}")


def shown(given: Dependencies, call: Call) -> EmergencyCall:
    """Return ``call`` in its wire form, as it stands now."""
    seen = on_the_wall(call, wall_ahead(given.clock))
    people = people_targets(given.plan.current())
    return EmergencyCall.of(seen, given.emergency.calls.rules(call), given.clock.now(), people)


async def done(given: Dependencies, call_id: str, what: Act, actor: str) -> EmergencyCall:
    """Do ``what`` and return the call after it; answers 404 where there is none."""
    try:
        call = await given.emergency.calls.act(call_id, what, actor)
    except NobodyToTell as error:
        raise NamedProblem(409, "Nobody To Tell", str(error)) from error
    return shown(given, found(call, f"emergency call {call_id}"))


def key_of(actor: str, place_key: str, idempotency_key: str) -> str:
    """Return the key under which a call is kept.

    An app that sends one key for ever must still reach somebody from another lift, and no token may meet the calls of
    another by its keys: so both are part of it.
    """
    parts = "\0".join((actor, place_key, idempotency_key))
    return f"api-{hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()}"


async def _read(given: Dependencies, lift: str, since: datetime, until: datetime) -> list[Series]:
    device = DeviceKey.from_path(lift)
    read: list[Series] = []
    for family in _FAMILIES:
        signals = choose_signals(family, None, None)
        read += await given.telemetry.range(device, family, signals, since=since, until=until, limit=MAXIMUM_POINTS)
    return read


def _points(series: list[Series], family: str) -> int:
    read = (each for each in series if each.family == family)
    return len({(each.part, sample.at_nanoseconds) for each in read for sample in each.samples})
