"""The live stream of transitions."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from api.feed import Feed
from api.pagination import BIGGEST_NUMBER
from api.parameters import Community, Kind
from api.stream import EventStream, Wanted

router = APIRouter(tags=["stream"])

_EXAMPLE = 'retry: 2000\nid: 41\n\nid: 42\nevent: transition\ndata: {"sequence":42,"alert_id":"…","kind":"firing"}\n\n'
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `transition`: `id` is the sequence, `data` a `Transition` as JSON.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}


@router.get("/stream", summary="Transitions as they happen", response_class=Response, responses=_EVENTS)
async def stream_transitions(
    request: Request,
    *,
    community: Community = None,
    kind: Kind = None,
    after: Annotated[int | None, Query(ge=0, le=BIGGEST_NUMBER, description="Begin behind this sequence.")] = None,
    last_event_id: Annotated[
        int | None,
        Header(alias="Last-Event-ID", ge=0, le=BIGGEST_NUMBER, description="As `after`, and goes before it."),
    ] = None,
) -> EventStream:
    """Server-sent events. Coming again with `Last-Event-ID` goes on behind it: nothing is missed, nothing comes twice.

    Without it the stream begins now. A comment comes every 15 s while nothing happens.
    """
    feed: Feed = request.app.state.feed
    feed.check_room()
    begin = await feed.start(after if last_event_id is None else last_event_id)
    return EventStream(feed, begin, Wanted(community, kind and kind.value))
