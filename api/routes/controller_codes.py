"""The end of a car's alarm, set by somebody at the installation who reads a code there; and that code."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from api.auth import CurrentActor
from api.call_parameters import CallId
from api.calls import EmergencyCall
from api.dependencies import Dependencies, Given
from api.parameters import WORD_PATTERN
from api.problems import NamedProblem
from api.responses import CONFLICT, NOT_FOUND, TOO_LARGE, problem_answer
from api.routes.emergency_calls import done, known_call
from api.times import Utc
from api.tries import Tries
from core.devices import DeviceKey, DeviceKind
from core.errors import Conflict
from emergency.acts import EndAlarm
from emergency.model import Call

router = APIRouter(tags=["emergency calls"])
# Ours: somebody in a machine room may misread a code twice; all codes of four digits take 83 days at that rate.
WRONG_CODES_MOST = 5
WRONG_CODES_WITHIN = timedelta(hours=1)
_CODE = "/devices/{community}/elevator/{device}/controller-code"
_CHECKING = {
    **CONFLICT,
    **TOO_LARGE,
    429: problem_answer("Too many wrong codes for this lift; `Retry-After` says when to try again."),
}
_ENDING = {**NOT_FOUND, **_CHECKING}


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


class KeptControllerCode(BaseModel):
    """Whether the code of a lift's controller is kept."""

    kept: bool
    set_by: str | None = None
    set_at: Utc | None = None


def lift_of(
    community: Annotated[str, Path(pattern=WORD_PATTERN)], device: Annotated[str, Path(pattern=WORD_PATTERN)]
) -> str:
    """Return the path of the lift."""
    return DeviceKey(community, DeviceKind.ELEVATOR, device).path


Lift = Annotated[str, Depends(lift_of)]


def wrong_codes() -> Tries:
    """Return what counts the wrong codes of one application, by lift."""
    return Tries(WRONG_CODES_MOST, WRONG_CODES_WITHIN)


@router.post("/emergency-calls/{call_id}/end-of-alarm", summary="End the alarm of a car", responses=_ENDING)
async def end_alarm_of_emergency_call(
    request: Request, given: Given, actor: CurrentActor, call_id: CallId, said: ControllerCode
) -> EmergencyCall:
    """Record that a competent person at the lift has ended its alarm: they read the code on its controller.

    A wrong code is a 422 of type `urn:anju:problem:wrong-controller-code`; after a few of them for one lift comes 429.
    Where no code is kept for the lift comes a 409 of type `urn:anju:problem:no-controller-code`; another 409 where no
    alarm button called. Only after the end of alarm can the call be closed. A device that reports its own reset needs
    no code.
    """
    call = _with_alarm(await known_call(given, call_id))
    await _require_right(request, given, call.place.lift, said.code)
    return await done(given, call_id, EndAlarm("code"), actor.name)


@router.get(_CODE, summary="Say whether a controller's code is kept")
async def get_controller_code(given: Given, lift: Lift) -> KeptControllerCode:
    """Return who set the code of a lift's controller, and when; never the code."""
    known = await given.emergency.codes.kept(lift)
    return KeptControllerCode(kept=known is not None, set_by=known and known.actor, set_at=known and known.at)


@router.put(_CODE, status_code=204, summary="Keep the code of a lift's controller", responses=TOO_LARGE)
async def put_controller_code(given: Given, actor: CurrentActor, lift: Lift, said: ControllerCode) -> None:
    """Keep the code in place of the former one; it can never be read back."""
    await given.emergency.codes.set_code(lift, said.code, actor.name, given.clock.now())


@router.post(f"{_CODE}/check", status_code=204, summary="Check the code of a lift's controller", responses=_CHECKING)
async def check_controller_code(request: Request, given: Given, lift: Lift, said: ControllerCode) -> None:
    """Tell whether it is the code kept; nothing is ended. Refused as the end of alarm is, with the same count."""
    await _require_right(request, given, lift, said.code)


async def _require_right(request: Request, given: Dependencies, lift: str, code: str) -> None:
    """Count wrong codes; where none is kept there is nothing to guess."""
    tries: Tries = request.app.state.wrong_codes
    tries.begin(lift, given.clock.steady())
    matches = await given.emergency.codes.code_matches(lift, code)
    if matches is not False:
        tries.right(lift)
    if matches is None:
        raise NamedProblem(409, "No Controller Code", f"no code is kept for {lift}: expected one that was set before")
    if not matches:
        raise NamedProblem(422, "Wrong Controller Code", f"not the code of {lift}: expected the code on its controller")


def _with_alarm(call: Call) -> Call:
    if not call.alarm or not call.open:
        raise Conflict(f"call {call.id} has no alarm to be ended: expected an open one that an alarm button raised")
    return call
