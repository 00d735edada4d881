"""How a call stands, as the resident who made it is told. Pure."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from msgspec import Struct

from api.resident_page import STEPS, ClockShown, Progress, StepShown
from emergency.model import Call, CallState, PageRow
from emergency.rescue import ClockState, clock_state

_ENDED = (CallState.ABANDONED, CallState.CLOSED)
_RUNNING = (ClockState.RUNNING, ClockState.HALF_TIME, ClockState.OVERDUE)
# A messenger confirms within seconds; whoever waits for longer had better dial.
_PATIENCE = timedelta(seconds=10)


class DeliveryState(StrEnum):
    """Whether a call that rings has reached a person, as far as their messenger confirmed; nobody may have read it."""

    TELLING = "telling"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


class Delivery(Struct, frozen=True):
    """How delivering stands; ``at`` is when the first messenger had it."""

    state: DeliveryState = DeliveryState.TELLING
    at: datetime | None = None


_UNKNOWN = Delivery()


def delivery(call: Call, pages: Iterable[PageRow], messengers: Collection[str], now: datetime) -> Delivery:
    """Return how delivering ``pages`` of ``call`` stands at ``now``; only receivers among ``messengers`` reach people.

    Pages of before the call was raised anew say nothing of who knows of it now.
    """
    since = call.rescue_from or call.stamps.raised
    newer = (each for each in pages if call.rescue_from is None or each.at >= since)
    for_people = [each for each in newer if each.receiver in messengers]
    if had := [each.finished_at or each.at for each in for_people if each.status == "delivered"]:
        return Delivery(DeliveryState.DELIVERED, min(had))
    waiting = any(each.status == "waiting" for each in for_people)
    return Delivery(DeliveryState.TELLING if waiting and now - since < _PATIENCE else DeliveryState.UNDELIVERED)


def progress(
    call: Call, now: datetime, zone: tzinfo, delivered: Delivery = _UNKNOWN, *, staff_waits: bool = False
) -> Progress:
    """Return how ``call`` stands at ``now``, with times of day in ``zone``: the phone's own clock may be wrong.

    ``delivered`` counts while it rings; ``staff_waits`` tells whether staff is in the voice and no resident is.
    """
    steps = {name: _step(call, name, zone, delivered) for name in _done(call, delivered.state)}
    arrives_at = call.responder.arrives_at if call.responder and call.state is CallState.ON_THE_WAY else None
    left = (call.rescue_by - now).total_seconds() if call.rescue_by else 0
    return Progress(
        id=call.id,
        state=call.state.value,
        open=call.open,
        drill=call.drill,
        shows=(
            *_shows(call, now, delivered.state, expected=arrives_at is not None),
            *_if(staff_waits, "staff"),
            *_if(len(steps) > 1, "past"),
        ),
        steps=steps,
        rescue=ClockShown(_hour(call.rescue_by, zone), max(0, int(left))),
        arrives_at=_hour(arrives_at, zone),
    )


def _if(so: bool, word: str) -> tuple[str, ...]:
    return (word,) if so else ()


def _shows(call: Call, now: datetime, delivered: DeliveryState, *, expected: bool) -> Iterator[str]:
    yield "call"
    yield call.state.value
    if call.state is CallState.RINGING:
        yield delivered.value
    if call.drill:
        yield "drill"
    if (clock := clock_state(call, now)) in _RUNNING:
        yield clock.value
    if expected:
        yield "eta"
    said = call.withdrawn or call.stamps.abandoned
    if said and call.open and call.state not in (CallState.ABANDONED, CallState.FREED):
        yield "taken_back"


def _done(call: Call, delivered: DeliveryState) -> Iterator[str]:
    """Yield the steps that were done, up to how the call stands: stamps stay where somebody turned back.

    The stamp ``rang`` says that people were to be told; whether anybody had it, only delivery says.
    """
    names = list(STEPS)
    if call.state is CallState.RINGING:
        yield from names[: 1 + (delivered is DeliveryState.DELIVERED)]
        return
    last = len(names) if call.state in _ENDED else names.index(call.state.value) + 1
    stamps = {name: getattr(call.stamps, name) for name in names[:last] if name != "rang"}
    yield from (name for name, at in stamps.items() if at is not None or name == call.state.value)


def _step(call: Call, name: str, zone: tzinfo, delivered: Delivery) -> StepShown:
    responder = call.responder
    who = {"answered": call.answered_by}
    if responder is not None:
        named = " · ".join(filter(None, (responder.name, responder.contractor)))
        who["dispatched" if responder.on_the_way_at is None else "on_the_way"] = named
    at: datetime | None = getattr(call.stamps, name)
    if name == "rang":
        at = delivered.at
    elif name == "on_the_way" and responder is not None:
        at = responder.on_the_way_at
    return StepShown(_hour(at, zone), who.get(name, ""))


def _hour(at: datetime | None, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%H:%M}" if at else ""
