"""What is done to an emergency call, from answering it to closing it. Who did it is the name of the token."""

from fastapi import APIRouter
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field

from api.auth import CurrentActor
from api.call_parameters import CallId, Line, Named, People, PhoneNumber
from api.calls import EmergencyCall
from api.dependencies import Dependencies, Given
from api.problems import InvalidRequest
from api.responses import CONFLICT, NOT_FOUND, TOO_LARGE
from api.routes.emergency_calls import done, known_call
from api.times import Instant, Window
from api.words import Words
from emergency import acts
from emergency.ladder import LadderStep
from emergency.model import Cause

router = APIRouter(prefix="/emergency-calls/{call_id}", tags=["emergency calls"])
_ACT = {**NOT_FOUND, **CONFLICT}
_SAYING = {**_ACT, **TOO_LARGE}


class _Said(BaseModel):
    """A misspelt field of a call for help is a mistake to be told, not to be passed over."""

    model_config = ConfigDict(extra="forbid")


class Dispatching(_Said):
    """Who is asked to go."""

    name: Named
    phone: PhoneNumber = ""
    contractor: Line = Field(default="", description="By default the contractor of `step`, if one stands there.")
    step: Line | None = Field(default=None, description="Name of the step of the ladder whose people are told of it.")


class SettingOut(_Said):
    """Who goes, and when they will be there."""

    name: Named
    phone: PhoneNumber = ""
    contractor: Line = Field(default="", description="By default that of the dispatch, where the name is the same.")
    arrives_at: Instant | None = None
    arrives_in: Window | None = Field(default=None, description="In place of `arrives_at`: 10m.")


class NotComing(_Said):
    """Who does not come, and why."""

    name: Named
    reason: Words | None = None


class Arriving(_Said):
    """Who is on site."""

    name: Line = Field(default="", description="By default who was on the way.")


class Leaving(_Said):
    """Why nobody is there."""

    reason: Words | None = None


class Freeing(_Said):
    """How many were freed."""

    people: People | None = None


class Dialling(_Said):
    """Which number was dialled, and what was answered."""

    step: Line = Field(description="Name of the step of the ladder whose number was dialled.")
    answer: Words | None = None


class Noting(_Said):
    """What somebody says about the call."""

    text: Words


class Closing(_Said):
    """Why it came to the call."""

    cause: Cause = Field(description="`drill` for a drill, and only for one.")
    text: Words | None = None


@router.post("/answer", summary="Answer an emergency call", responses=_ACT)
async def answer_emergency_call(given: Given, actor: CurrentActor, call_id: CallId) -> EmergencyCall:
    """Take the call: the ladder stops climbing for a while. 409 where somebody else has it now, or all are out."""
    return await done(given, call_id, acts.Answer(), actor.name)


@router.post("/dispatch", summary="Ask somebody to go", responses=_SAYING)
async def dispatch_emergency_call(
    given: Given, actor: CurrentActor, call_id: CallId, said: Dispatching
) -> EmergencyCall:
    """Record who was asked to go, and have the people of a step told of it.

    409 once everybody is out; a 409 of type `urn:anju:problem:nobody-to-tell` where nobody of `step` can be told at
    that moment: nothing is recorded then, dial them and dispatch without `step`.
    """
    what = acts.Dispatch(said.name, said.phone, said.contractor)
    if said.step is not None:
        what = _through(what, said.step, await _steps_of(given, call_id))
    return await done(given, call_id, what, actor.name)


@router.post("/on-the-way", summary="Say that somebody is on the way", responses=_SAYING)
async def set_out_for_emergency_call(
    given: Given, actor: CurrentActor, call_id: CallId, said: SettingOut
) -> EmergencyCall:
    """Record who goes and when they will be there; the caller sees it. 409 once everybody is out.

    Nobody is waited for longer than five minutes behind the end of the rescue clock.
    """
    arrives_at = said.arrives_at
    if said.arrives_in is not None:
        if arrives_at is not None:
            raise InvalidRequest("body.arrives_in", "both given", "`arrives_at` or `arrives_in`, one of the two")
        arrives_at = given.clock.now() + said.arrives_in
    what = acts.OnTheWay(said.name, arrives_at, said.phone, said.contractor)
    return await done(given, call_id, what, actor.name)


@router.post("/cannot-come", summary="Say that somebody does not come", responses=_SAYING)
async def hand_on_emergency_call(given: Given, actor: CurrentActor, call_id: CallId, said: NotComing) -> EmergencyCall:
    """Hand the call on: the next step of the ladder is told at once.

    Of another one than who has the call it is only noted. 409 once nobody has to come any more.
    """
    return await done(given, call_id, acts.CannotCome(said.name, said.reason or ""), actor.name)


@router.post("/on-site", summary="Say that somebody is on site", responses=_SAYING)
async def arrive_at_emergency_call(
    given: Given, actor: CurrentActor, call_id: CallId, said: Arriving | None = None
) -> EmergencyCall:
    """Stop the rescue clock. Said again, nothing changes."""
    return await done(given, call_id, acts.OnSite(said.name if said else ""), actor.name)


@router.post("/not-on-site", summary="Say that nobody is on site after all", responses=_SAYING)
async def leave_emergency_call(
    given: Given, actor: CurrentActor, call_id: CallId, said: Leaving | None = None
) -> EmergencyCall:
    """Take *on site* back: the rescue clock goes on, and the next step of the ladder is told at once."""
    return await done(given, call_id, acts.NotOnSite((said.reason if said else None) or ""), actor.name)


@router.post("/freed", summary="Say that everybody is out", responses=_SAYING)
async def free_emergency_call(
    given: Given, actor: CurrentActor, call_id: CallId, said: Freeing | None = None
) -> EmergencyCall:
    """Record that nobody is trapped any more. Said again, nothing changes."""
    return await done(given, call_id, acts.Freed(said.people if said else None), actor.name)


@router.post("/abandon", summary="Take an emergency call back", responses=_ACT)
async def abandon_emergency_call(given: Given, actor: CurrentActor, call_id: CallId) -> EmergencyCall:
    """Take it back for the caller: the ladder stops, unless a machine calls too. Somebody still has to close it."""
    return await done(given, call_id, acts.Abandon(), actor.name)


@router.post("/dialled", summary="Say that a number was dialled", responses=_SAYING)
async def dial_for_emergency_call(given: Given, actor: CurrentActor, call_id: CallId, said: Dialling) -> EmergencyCall:
    """Record that you dialled the number of a step by hand, and what was answered. It takes the call for nobody."""
    steps = await _steps_of(given, call_id)
    named = _named(said.step, steps)
    if not steps[named].dial:
        by_hand = ", ".join(step.name for step in steps if step.dial) or "none"
        raise InvalidRequest("body.step", f"step {said.step!r} has no number to dial by hand", f"one of {by_hand}")
    return await done(given, call_id, acts.Dial(said.step, said.answer or ""), actor.name)


@router.post("/note", summary="Add a note to an emergency call", responses=_SAYING)
async def note_on_emergency_call(given: Given, actor: CurrentActor, call_id: CallId, said: Noting) -> EmergencyCall:
    """Add your words to the call's history."""
    return await done(given, call_id, acts.Note(said.text), actor.name)


@router.post("/close", summary="Close an emergency call", responses=_SAYING)
async def close_emergency_call(given: Given, actor: CurrentActor, call_id: CallId, said: Closing) -> EmergencyCall:
    """End the call with its cause. 409 before anybody answered, and before the end of an alarm button's alarm."""
    return await done(given, call_id, acts.Close(said.cause, said.text or ""), actor.name)


async def _steps_of(given: Dependencies, call_id: str) -> tuple[LadderStep, ...]:
    return given.emergency.calls.rules(await known_call(given, call_id)).steps


def _named(name: str, steps: tuple[LadderStep, ...]) -> int:
    index = next((index for index, step in enumerate(steps) if step.name == name), None)
    if index is None:
        known = ", ".join(step.name for step in steps)
        raise InvalidRequest("body.step", f"no step {name!r} on this call's ladder", f"one of {known}")
    return index


def _through(what: acts.Dispatch, name: str, steps: tuple[LadderStep, ...]) -> acts.Dispatch:
    index = _named(name, steps)
    if not steps[index].targets:
        told = ", ".join(step.name for step in steps if step.targets) or "none"
        raise InvalidRequest("body.step", f"Anju can tell nobody of step {name!r}: dial it by hand", f"one of {told}")
    contractor = next((each.name for each in steps[index].contacts if each.contractor), "")
    return replace(what, step=index, contractor=what.contractor or contractor)
