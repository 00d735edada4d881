"""Emergency calls as they stand on the wire. Each ``of`` turns what the domain keeps into its wire form."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Self

from msgspec.structs import asdict
from pydantic import BaseModel, Field

from api.times import Utc
from emergency.ladder import LadderStep, Reach, Rules
from emergency.model import (
    AGAIN,
    Call,
    Caller,
    CallState,
    Cause,
    Dialled,
    EventKind,
    EventRow,
    PageRow,
    Party,
    Place,
    Responder,
    Responsible,
    Source,
    Stamps,
    TakenBack,
)
from emergency.plan import Contact
from emergency.rescue import ClockState, clock_state, half_at

Fact = str | float | int | bool | None


class CallCaller(BaseModel):
    """Who calls, as far as they say."""

    name: str
    phone: str
    text: str

    @classmethod
    def of(cls, caller: Caller) -> Self:
        return cls(name=caller.name, phone=caller.phone, text=caller.text)


class CallPlace(BaseModel):
    """Where help is needed, as it was known when the call came in; what is unknown is empty."""

    community: str
    lift: str = Field(description="`community/elevator/device`; empty at an entrance.")
    point: str = Field(description="The call point whose code was scanned.")
    building: str
    name_zh: str
    name_en: str
    rescue_code: str = Field(description="Six digits, by which the hotline 96333 knows the lift.")
    contractor: str = Field(description="Who maintains the lift.")
    latest: dict[str, Fact] = Field(
        description="What the lift last said: `floor`, `door_state`, `direction`, `passenger_present`, …."
    )

    @classmethod
    def of(cls, place: Place) -> Self:
        return cls(**asdict(place))


class CallStamps(BaseModel):
    """When each thing first happened; null where it has not."""

    raised: Utc
    rang: Utc | None
    answered: Utc | None
    dispatched: Utc | None
    on_the_way: Utc | None
    on_site: Utc | None
    freed: Utc | None
    alarm_ended: Utc | None = Field(description="When the end of alarm was set at the lift.")
    abandoned: Utc | None = Field(description="When the caller took it back.")
    closed: Utc | None
    half_time: Utc | None
    overdue: Utc | None

    @classmethod
    def of(cls, stamps: Stamps) -> Self:
        return cls(**asdict(stamps))


class CallResponder(BaseModel):
    """Who was asked to go, or is going."""

    name: str
    phone: str
    arrives_at: Utc | None
    contractor: str = Field(description="The contractor they come from; empty for none.")
    asked_at: Utc | None = Field(description="When they were asked to go; null where nobody did.")
    on_the_way_at: Utc | None = Field(description="When they said that they are going; null until then.")

    @classmethod
    def of(cls, responder: Responder) -> Self:
        return cls(**asdict(responder))


class CallResponsible(BaseModel):
    """Who has to act next, and by when: then the ladder climbs, or people are reminded."""

    party: Party = Field(description="`ladder`: everybody told so far; `staff`: who took it; `responder`: who goes.")
    name: str = Field(description="Empty for `ladder`.")
    until: Utc

    @classmethod
    def of(cls, responsible: Responsible) -> Self:
        return cls(**asdict(responsible))


class CallsTakenBack(BaseModel):
    """Calls that residents took back within the hour before this one was raised. A mark: no call is refused for it."""

    code: int = Field(description="Of the same call point.")
    network: int = Field(description="By somebody at the same network address, which many people may share.")
    phone: int = Field(description="By the same page on the same phone.")

    @classmethod
    def of(cls, taken_back: TakenBack) -> Self:
        return cls(**asdict(taken_back))


class CallContact(BaseModel):
    """Somebody who can be asked for help."""

    name: str
    title_zh: str
    title_en: str
    phone: str | None = Field(description="A number to dial; null where they can only be told.")
    contractor: bool = Field(description="A maintenance contractor.")
    told_by_system: bool = Field(
        description="Anju tells a person; false where topics and webhooks alone are told, or somebody has to dial."
    )
    declined: bool = Field(description="They said that they cannot come, and were not asked again since.")

    @classmethod
    def of(cls, contact: Contact, call: Call, people: Collection[str]) -> Self:
        # A drill pages people of rotas only.
        told = (target for target in contact.tell if not call.drill or target.startswith("rota:"))
        return cls(
            name=contact.name,
            title_zh=contact.title.zh,
            title_en=contact.title.en,
            phone=contact.phone,
            contractor=contact.contractor,
            told_by_system=any(target in people for target in told),
            declined=_declined(contact, call, people),
        )


def _declined(contact: Contact, call: Call, people: Collection[str]) -> bool:
    """Tell whether the contact said no, by a name of its own or by those of everybody whom it reaches."""
    if not contact.names.isdisjoint(call.declined):
        return True
    reached = [target.removeprefix("person:") for target in contact.tell if target in people]
    return bool(reached) and set(reached).issubset(call.declined)


class CallDialled(BaseModel):
    """That somebody dialled the number of a step."""

    at: Utc
    by: str
    answer: str = Field(description="What was said there.")

    @classmethod
    def of(cls, dialled: Dialled) -> Self:
        return cls(at=dialled.at, by=dialled.by, answer=dialled.answer)


class CallLadderStep(BaseModel):
    """One step of the ladder, with the people on it now."""

    name: str
    title_zh: str
    title_en: str
    wait_seconds: float = Field(description="How long it has, until the next step is told.")
    dial: bool = Field(description="Somebody has to dial its number by hand: Anju dials nobody.")
    reach: Reach = Field(
        description="`people`: Anju tells a person; `dial`: somebody hears of it once it is dialled; `machines`: topics"
        " and webhooks alone."
    )
    due: bool = Field(description="Its turn has come.")
    told: bool = Field(description="Its people were told; never true of a number that somebody has to dial.")
    dialled: CallDialled | None = Field(description="The newest call to its number; null where nobody dialled it.")
    contacts: list[CallContact]

    @classmethod
    def of(cls, step: LadderStep, index: int, call: Call, people: Collection[str]) -> Self:
        dialled = next((each for each in reversed(call.dialled) if each.step == step.name), None)
        due = index in call.due
        return cls(
            name=step.name,
            title_zh=step.title_zh,
            title_en=step.title_en,
            wait_seconds=step.wait_seconds,
            dial=step.dial,
            reach=step.reach(people),
            due=due,
            told=due and not step.dial,
            dialled=dialled and CallDialled.of(dialled),
            contacts=[CallContact.of(contact, call, people) for contact in step.contacts],
        )


class CallLadder(BaseModel):
    """How far the call has climbed."""

    name: str
    told: int = Field(description="Where it stands: the index of the next step.")
    climb_at: Utc | None = Field(description="When the next step's turn comes; null where the ladder has stopped.")
    steps: list[CallLadderStep]

    @classmethod
    def of(cls, call: Call, steps: Sequence[LadderStep], people: Collection[str]) -> Self:
        shown = [CallLadderStep.of(step, index, call, people) for index, step in enumerate(steps)]
        return cls(name=call.ladder, told=call.told, climb_at=call.climb_at, steps=shown)


class RescueClock(BaseModel):
    """The rescue clock: from the report until somebody is on site."""

    by: Utc | None = Field(description="When somebody has to be on site.")
    half_at: Utc | None
    state: ClockState = Field(description="*none*: taken back or closed before anybody had to come.")

    @classmethod
    def of(cls, call: Call, now: datetime) -> Self:
        return cls(by=call.rescue_by, half_at=half_at(call), state=clock_state(call, now))


class EmergencyCall(BaseModel):
    """A call for help, as it stands now."""

    id: str
    number: int = Field(description="Rises with every call.")
    version: int = Field(description="Rises with every change of this call.")
    source: Source
    state: CallState
    drill: bool
    people: int | None = Field(description="People in the car, as far as somebody told.")
    caller: CallCaller
    place: CallPlace
    stamps: CallStamps
    answered_by: str = Field(description="Who took it; empty while nobody has, or after they left it to the ladder.")
    responder: CallResponder | None
    further: list[str] = Field(description="Who was asked to go beside the responder and has not declined.")
    declined: list[str] = Field(description="Who said that they cannot come, and was not asked again since.")
    responsible: CallResponsible | None = Field(description="Null once it is closed.")
    alarm: bool = Field(description="An alarm button belongs to it: it is closed only after the end of alarm.")
    joined: list[str] = Field(description="Alerts and requests that told of the same need.")
    callers: int = Field(description="How many residents called from their pages, as far as those can be told apart.")
    taken_back_before: CallsTakenBack
    cause: Cause | None = Field(description="Why it came to the call; set when it is closed.")
    open: bool = Field(description="Somebody still has to do something.")
    damaged: str = Field(
        description="Why its record could not be read, where the call was rebuilt from what was left: the caller's"
        " words, phones and places may be missing. Empty for a sound record."
    )
    ladder: CallLadder
    nearby: list[CallContact] = Field(description="Who is near and may help: neighbours, a shop, a first-aider.")
    rescue: RescueClock

    @classmethod
    def of(cls, call: Call, rules: Rules, now: datetime, people: Collection[str]) -> Self:
        """Return ``call`` as it is seen; ``people`` are the targets of the notification plan that lead to persons."""
        return cls(
            id=call.id,
            number=call.number,
            version=call.version,
            source=call.source,
            state=call.state,
            drill=call.drill,
            people=call.people,
            caller=CallCaller.of(call.caller),
            place=CallPlace.of(call.place),
            stamps=CallStamps.of(call.stamps),
            answered_by=call.answered_by,
            responder=call.responder and CallResponder.of(call.responder),
            further=list(call.further),
            declined=list(call.declined),
            responsible=call.responsible and CallResponsible.of(call.responsible),
            alarm=call.alarm,
            joined=list(call.joined),
            callers=len({name.removesuffix(AGAIN) for name in call.callers}),
            taken_back_before=CallsTakenBack.of(call.taken_back_before),
            cause=call.cause,
            open=call.open,
            damaged=call.damaged,
            ladder=CallLadder.of(call, rules.steps, people),
            nearby=[CallContact.of(contact, call, people) for contact in rules.nearby],
            rescue=RescueClock.of(call, now),
        )


class CallPage(BaseModel):
    """That one receiver is, or was, told of the call."""

    receiver: str
    person: str = Field(description="Who is meant; empty for a receiver named itself.")
    to_person: bool = Field(description="A person reads what the receiver gets; false for topics and webhooks.")
    kind: str = Field(
        description="`call`, `dispatch`, `update`, `half_time`, `overdue`, `again`, `reminder` or `dial`."
    )
    status: str = Field(description="`waiting`, `delivered` or `failed`.")
    at: Utc = Field(description="When it was decided.")
    step: int = Field(description="Of the ladder, from 0.")
    finished_at: Utc | None = Field(description="When the receiver had it, or when it was given up.")
    detail: str = Field(description="What the receiver answered, or the last error.")

    @classmethod
    def of(cls, page: PageRow, messengers: Collection[str]) -> Self:
        return cls(**asdict(page), to_person=page.receiver in messengers)


class EmergencyCallWithPages(EmergencyCall):
    """A call and who was told of it, in order."""

    pages: list[CallPage]

    @classmethod
    def with_pages(cls, call: EmergencyCall, pages: Iterable[PageRow], messengers: Collection[str]) -> Self:
        return cls(**dict(call), pages=[CallPage.of(page, messengers) for page in pages])


class EmergencyCallEvent(BaseModel):
    """One step of a call's history."""

    number: int = Field(description="Rises with every event of every call; the `id` in the live stream.")
    call: str = Field(description="The call's `id`.")
    kind: EventKind
    at: Utc
    actor: str = Field(description="The name of a token, `caller`, `ladder`, `clock`, or a device's path.")
    facts: dict[str, Fact] = Field(description="What belongs to it: `name`, `arrives_at`, `cause`, ….")
    text: str

    @classmethod
    def of(cls, row: EventRow) -> Self:
        event = row.event
        return cls(
            number=row.number,
            call=row.call,
            kind=event.kind,
            at=event.at,
            actor=event.actor,
            facts=event.facts,
            text=event.text,
        )


class EmergencyCallHistory(BaseModel):
    """All that happened to a call, in order."""

    items: list[EmergencyCallEvent]
