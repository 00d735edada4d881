"""The end of a car's alarm: set by somebody at the installation, who reads a code there."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from api.auth import CurrentActor
from api.call_parameters import CallId
from api.calls import EmergencyCall
from api.dependencies import Given
from api.parameters import WORD_PATTERN
from api.problems import InvalidRequest
from api.responses import CONFLICT, NOT_FOUND, TOO_LARGE, problem_answer
from api.routes.emergency_calls import done, known_call
from api.tries import Tries
from core.devices import DeviceKey, DeviceKind
from core.errors import Conflict
from emergency.acts import EndAlarm
from emergency.model import Call

router = APIRouter(tags=["emergency calls"])
# Ours: somebody in a machine room may misread a code twice; all codes of four digits take 83 days at that rate.
WRONG_CODES_MOST = 5
WRONG_CODES_WITHIN = timedelta(hours=1)
_ENDING = {
    **NOT_FOUND,
    **CONFLICT,
    **TOO_LARGE,
    429: problem_answer("Too many wrong codes for this lift; `Retry-After` says when to try again."),
}


class ControllerCode(BaseModel):
    """A code that stands on a lift's controller, in its machine room."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[
        str,
        Field(
            pattern=r"^[ -]*([0-9A-Za-z][ -]*){4,32}$",
            max_length=64,
            description="4 to 32 letters and digits; spaces and dashes do not count.",
        ),
    ]


def wrong_codes() -> Tries:
    """Return what counts the wrong codes of one application, by lift."""
    return Tries(WRONG_CODES_MOST, WRONG_CODES_WITHIN)


@router.post("/emergency-calls/{call_id}/end-of-alarm", summary="End the alarm of a car", responses=_ENDING)
async def end_alarm_of_emergency_call(
    request: Request, given: Given, actor: CurrentActor, call_id: CallId, said: ControllerCode
) -> EmergencyCall:
    """Record that a competent person at the lift has ended its alarm: they read the code on its controller.

    A wrong code is a 422; after a few of them for one lift comes 429. 409 where no alarm button called. Only then can
    the call be closed. A device that reports its own reset needs no code.
    """
    call = _with_alarm(await known_call(given, call_id))
    tries: Tries = request.app.state.wrong_codes
    tries.begin(call.place.lift, given.clock.steady())
    if not await given.emergency.codes.code_matches(call.place.lift, said.code):
        raise InvalidRequest("body.code", "not the code of this lift", "the code on its controller")
    tries.right(call.place.lift)
    return await done(given, call_id, EndAlarm("code"), actor.name)


@router.put(
    "/devices/{community}/elevator/{device}/controller-code",
    status_code=204,
    summary="Keep the code of a lift's controller",
    responses=TOO_LARGE,
)
async def put_controller_code(
    given: Given,
    actor: CurrentActor,
    community: Annotated[str, Path(pattern=WORD_PATTERN)],
    device: Annotated[str, Path(pattern=WORD_PATTERN)],
    said: ControllerCode,
) -> None:
    """Keep the code in place of the former one; it can never be read back."""
    lift = DeviceKey(community, DeviceKind.ELEVATOR, device)
    await given.emergency.codes.set_code(lift.path, said.code, actor.name, given.clock.now())


def _with_alarm(call: Call) -> Call:
    if not call.alarm or not call.open:
        raise Conflict(f"call {call.id} has no alarm to be ended: expected an open one that an alarm button raised")
    return call
