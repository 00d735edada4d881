"""The resident's seat in the voice of a call, as staff hand it on."""

import structlog
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from api.auth import CurrentActor
from api.call_parameters import CallId
from api.dependencies import Given
from api.responses import CONFLICT, NOT_FOUND
from api.routes.emergency_calls import known_call
from api.routes.voice import Voice
from core.errors import Conflict

router = APIRouter(prefix="/emergency-calls", tags=["emergency calls"])
_log = structlog.get_logger()


class VoiceSeat(BaseModel):
    """Who is in the voice of a call."""

    waiting: int = Field(description="How many further pages of residents wait for the seat.")


@router.post(
    "/{call_id}/voice/hand-on", summary="Let the next resident into the voice", responses={**NOT_FOUND, **CONFLICT}
)
async def hand_on_voice(given: Given, request: Request, actor: CurrentActor, call_id: CallId) -> VoiceSeat:
    """Give the resident's seat to the page that waits longest; who had it waits at the end of the line.

    409 where nobody waits. Voices meet in the memory of one API process: ask the one that has the voice.
    """
    call = await known_call(given, call_id)
    voice: Voice = request.app.state.voice
    waiting = voice.exchange.hand_on(call.id)
    if waiting is None:
        raise Conflict(f"call {call.id}: nobody waits for its voice; expected at least one page")
    _log.info("voice.handed_on", call=call.id, by=actor.name, waiting=waiting)
    return VoiceSeat(waiting=waiting)
