"""Rebuilds a call whose record cannot be decoded, from the columns beside it and from its history. Pure.

A person may be waiting behind an unreadable record, so a damaged call is never left out: what cannot be known is taken
as the case that calls more people rather than fewer. An unknown state counts as ringing. What needs the plan or a clock
stays unset until `steps.repaired` sets it: the rescue clock, and an unknown instant of the next step, which is then at
once.

Who asks for help again where all seemed over begins another *round*: ladder, rescue clock and stamps begin anew
(`steps`). A call stands as its last round does: of what happened before, only callers, alarm and place still count.
Who looks after a call that was taken back begins the rescue clock anew, within the round.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from emergency.joining import UNNAMED
from emergency.model import (
    AGAIN,
    STOPPED,
    Call,
    Caller,
    CallEvent,
    CallState,
    Cause,
    Dialled,
    EventKind,
    Place,
    Responder,
    Source,
    Stamps,
    Value,
)
from emergency.own_rules import OVERDUE, UNANSWERED

_UNKNOWN_INSTANT = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS = (EventKind.STEP_TOLD, EventKind.TO_BE_DIALLED)
_OF_CLOCK = (EventKind.HALF_TIME, EventKind.OVERDUE)
_STAMPS = {
    EventKind.STEP_TOLD: "rang",
    EventKind.ANSWERED: "answered",
    EventKind.DISPATCHED: "dispatched",
    EventKind.ON_THE_WAY: "on_the_way",
    EventKind.ON_SITE: "on_site",
    EventKind.FREED: "freed",
    EventKind.ABANDONED: "abandoned",
    EventKind.CLOSED: "closed",
    EventKind.HALF_TIME: "half_time",
    EventKind.OVERDUE: "overdue",
}


class CallColumns(Struct, frozen=True):
    """What is stored of a call beside its record. A text that cannot be read is empty, anything else ``None``."""

    id: str
    number: int
    version: int
    place_key: str
    community: str
    state: str = ""
    source: str = ""
    drill: bool = False
    lift: str = ""
    contractor: str = ""
    raised_at: datetime | None = None
    next_at: datetime | None = None


def rebuilt(known: CallColumns, history: Sequence[CallEvent], reason: str) -> Call:
    """Return the call as far as it can be known; ``reason`` says why its record cannot be read."""
    raised_at = known.raised_at or min((event.at for event in history), default=_UNKNOWN_INSTANT)
    source = _word(Source, known.source) or _first_source(history) or Source.STAFF
    start = _last_round(history)
    latest, clock = history[start:], _clock_begins(history, start)
    stamping = [*(event for event in history[start:clock] if event.kind not in _OF_CLOCK), *history[clock:]]
    one_caller = _is_one_caller(source, history)
    ended = CallState.CLOSED if _says(latest, EventKind.CLOSED) else CallState.RINGING
    state = _word(CallState, known.state) or ended
    call = Call(
        id=known.id,
        number=known.number,
        version=known.version,
        source=source,
        state=state,
        drill=known.drill,
        place=_place_of(known),
        stamps=_stamps_of(raised_at, history, stamping if one_caller else _without_take_backs(stamping)),
        caller=_caller_of(history),
        callers=_callers_of(history),
        told=_told(latest),
        next_at=None if state is CallState.CLOSED else known.next_at,
        rescue_from=history[clock].at if clock else None,
        was_overdue=_says(history[:clock], EventKind.OVERDUE),
        alarm=source is Source.CAR_BUTTON or _says(history, EventKind.JOINED, source=Source.CAR_BUTTON.value),
        joined=tuple(str(event.facts["ref"]) for event in history if event.facts.get("ref")),
        people=_people_of(history),
        dialled=tuple(_dialled(latest)),
        damaged=reason,
    )
    return replace(call, alerts=_alerts_of(call, history[clock:]), **_taken(latest))


def _last_round(history: Sequence[CallEvent]) -> int:
    """Return where in ``history`` the last round begins: with who asked again, before the first step is told anew."""
    firsts = (at for at, event in enumerate(history) if event.kind in _STEPS and event.facts.get("step") == 1)
    again = (at - 1 for at in firsts if at and history[at - 1].kind is EventKind.JOINED)
    return max(again, default=0)


def _clock_begins(history: Sequence[CallEvent], start: int) -> int:
    """Return where the present rescue clock begins: with the round, or with who took the call after it was taken back.

    Who frees everybody, or closes the call, has answered it as well, and begins no clock.
    """
    begins, stopped = start, False
    for at in range(start, len(history)):
        if history[at].kind is EventKind.ABANDONED:
            stopped = stopped or _says(history[at : at + 1], EventKind.ABANDONED, stopped=True)
        elif stopped and history[at].kind is EventKind.ANSWERED:
            then, stopped = history[at + 1 : at + 2], False
            over = _says(then, EventKind.FREED) or _says(then, EventKind.CLOSED)
            begins = begins if over else at
    return begins


def _word(words: Any, stored: str) -> Any:
    return words(stored) if stored in [*words] else None


def _is_one_caller(source: Source, history: Iterable[CallEvent]) -> bool:
    """Tell whether one resident alone called, so that their taking it back stopped the ladder."""
    return source is Source.RESIDENT and not _says(history, EventKind.JOINED)


def _first_source(history: Iterable[CallEvent]) -> Source | None:
    raised = next((event for event in history if event.kind is EventKind.RAISED), None)
    return None if raised is None else _word(Source, str(raised.facts.get("source", "")))


def _place_of(known: CallColumns) -> Place:
    """Return a place with the same key, so that the call stays the one that is open there."""
    place = Place(known.community, known.lift, contractor=known.contractor)
    if place.key == known.place_key:
        return place
    rest = known.place_key.removeprefix(f"{known.community}/")
    if rest.startswith("point/"):
        return replace(place, lift="", point=rest.removeprefix("point/"))
    if rest.count("/") == 0:
        return replace(place, lift="", apart=rest)
    return Place(known.place_key.partition("/")[0], known.place_key, contractor=known.contractor)


def _without_take_backs(history: Sequence[CallEvent]) -> list[CallEvent]:
    """Leave out what stopped nothing, because others called too."""
    return [event for event in history if event.kind is not EventKind.ABANDONED]


def _stamps_of(raised_at: datetime, history: Iterable[CallEvent], latest: Iterable[CallEvent]) -> Stamps:
    first: dict[str, datetime] = {}
    for event in latest:
        if event.kind is EventKind.NOT_ON_SITE:
            first.pop("on_site", None)
        if name := _STAMPS.get(event.kind):
            first.setdefault(name, event.at)
    return Stamps(raised_at, alarm_ended=_alarm_ended(history), **first)


def _alarm_ended(history: Iterable[CallEvent]) -> datetime | None:
    """Return when the end of the alarm was set; a press of the button after it is another alarm, that has no end."""
    ended: datetime | None = None
    for event in history:
        if event.kind is EventKind.ALARM_ENDED:
            ended = ended or event.at
        elif _says([event], EventKind.JOINED, source=Source.CAR_BUTTON.value):
            ended = None
    return ended


def _callers_of(history: Iterable[CallEvent]) -> tuple[str, ...]:
    """Return two callers without names where a resident joined: neither takes the call back for the other."""
    return (UNNAMED, UNNAMED + AGAIN) if _says(history, EventKind.JOINED, source=Source.RESIDENT.value) else ()


def _caller_of(history: Iterable[CallEvent]) -> Caller:
    asking = [event for event in history if event.kind in (EventKind.RAISED, EventKind.JOINED, EventKind.DETAILS)]
    for event in asking:
        # The text of what residents leave afterwards is their name and number once more, for people to read.
        text = "" if event.kind is EventKind.DETAILS else event.text
        said = Caller(_text(event.facts.get("name")), _text(event.facts.get("phone")), text)
        if said != Caller():
            return said
    return Caller()


def _text(value: Value) -> str:
    return value if isinstance(value, str) else ""


def _told(history: Iterable[CallEvent]) -> int:
    steps = [event.facts.get("step") for event in history if event.kind in _STEPS]
    return max((step for step in steps if isinstance(step, int)), default=0)


def _people_of(history: Iterable[CallEvent]) -> int | None:
    people = [event.facts.get("people") for event in history if event.kind in (EventKind.RAISED, EventKind.DETAILS)]
    return next((number for number in reversed(people) if isinstance(number, int)), None)


def _dialled(history: Iterable[CallEvent]) -> Iterator[Dialled]:
    for event in history:
        if event.kind is EventKind.DIALLED:
            yield Dialled(_text(event.facts.get("name")), event.at, event.actor, event.text)


def _says(history: Iterable[CallEvent], kind: EventKind, **facts: Value) -> bool:
    return any(event.kind is kind and facts.items() <= event.facts.items() for event in history)


def _alerts_of(call: Call, history: Sequence[CallEvent]) -> tuple[str, ...]:
    """Return which own alerts fire by the history: one too many ends at the next act, one too few would never."""
    firing = []
    if call.state not in STOPPED and _says(history, EventKind.OVERDUE):
        firing.append(OVERDUE)
    answers = [place for place, event in enumerate(history) if event.kind is EventKind.ANSWERED]
    unanswered = history[answers[-1] :] if answers else history
    if call.state not in (*STOPPED, CallState.ON_THE_WAY) and _says(unanswered, EventKind.STEP_TOLD, again=True):
        firing.append(UNANSWERED)
    return tuple(firing)


def _taken(history: Sequence[CallEvent]) -> dict[str, Any]:
    """Return who took the call, who goes, and why it was closed."""
    taken: dict[str, Any] = {"answered_by": "", "responder": None, "further": (), "cause": None}
    arrived = False
    for event in history:
        name = _text(event.facts.get("name"))
        known: Responder | None = taken["responder"]
        others = tuple(each for each in taken["further"] if each != name)
        same, goes = known is not None and known.name == name, known is not None and known.on_the_way_at is not None
        match event.kind:
            case EventKind.ANSWERED:
                taken["answered_by"] = event.actor
            case EventKind.STEP_TOLD | EventKind.TO_BE_DIALLED:
                taken["answered_by"] = ""
            case EventKind.ON_SITE | EventKind.FREED:
                arrived = True
            case EventKind.DISPATCHED | EventKind.ON_THE_WAY if arrived and not same:
                taken["further"] = (*others, name)
            case EventKind.DISPATCHED if goes and not same:
                taken["further"] = (*others, name)
            case EventKind.DISPATCHED | EventKind.ON_THE_WAY:
                phone, contractor = (_text(event.facts.get(fact)) for fact in ("phone", "contractor"))
                set_out = event.at if event.kind is EventKind.ON_THE_WAY else None
                if known is not None and same:
                    set_out = known.on_the_way_at or set_out
                    phone, contractor = phone or known.phone, contractor or known.contractor
                elif known is not None:
                    others = (*others, known.name)
                taken |= {"responder": Responder(name, phone, contractor=contractor, on_the_way_at=set_out)}
                taken["further"] = others
            case EventKind.CANNOT_COME:
                taken |= {"responder": None if known and known.name == name else known, "further": others}
            case EventKind.NOT_ON_SITE:
                taken |= {"responder": None, "further": (*others, *([known.name] if known else []))}
                arrived = False
            case EventKind.CLOSED:
                taken["cause"] = _word(Cause, str(event.facts.get("cause", "")))
    return taken
