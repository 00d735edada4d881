"""How a call stands, as the resident who made it is told. Pure."""

from collections.abc import Iterator
from datetime import datetime, tzinfo

from api.resident_page import STEPS, ClockShown, Progress, StepShown
from emergency.model import Call, CallState
from emergency.rescue import ClockState, clock_state

_ENDED = (CallState.ABANDONED, CallState.CLOSED)
_RUNNING = (ClockState.RUNNING, ClockState.HALF_TIME, ClockState.OVERDUE)


def progress(call: Call, now: datetime, zone: tzinfo) -> Progress:
    """Return how ``call`` stands at ``now``, with times of day in ``zone``: the phone's own clock may be wrong."""
    arrives_at = call.responder.arrives_at if call.responder and call.state is CallState.ON_THE_WAY else None
    left = (call.rescue_by - now).total_seconds() if call.rescue_by else 0
    return Progress(
        id=call.id,
        state=call.state.value,
        open=call.open,
        drill=call.drill,
        shows=tuple(_shows(call, now, expected=arrives_at is not None)),
        steps={name: _step(call, name, zone) for name in _done(call)},
        rescue=ClockShown(_hour(call.rescue_by, zone), max(0, int(left))),
        arrives_at=_hour(arrives_at, zone),
    )


def _shows(call: Call, now: datetime, *, expected: bool) -> Iterator[str]:
    yield "call"
    yield call.state.value
    if call.drill:
        yield "drill"
    if (clock := clock_state(call, now)) in _RUNNING:
        yield clock.value
    if expected:
        yield "eta"
    said = call.withdrawn or call.stamps.abandoned
    if said and call.open and call.state not in (CallState.ABANDONED, CallState.FREED):
        yield "taken_back"


def _done(call: Call) -> Iterator[str]:
    """Yield the steps done, by how the call stands: stamps stay where somebody turned back, and may be passed over."""
    names = list(STEPS)
    if call.state in _ENDED:
        yield from (name for name in names if getattr(call.stamps, name) is not None)
    elif call.state is CallState.RINGING:
        yield "raised"
        if call.stamps.rang is not None:
            yield "rang"
    else:
        yield from names[: names.index(call.state.value) + 1]


def _step(call: Call, name: str, zone: tzinfo) -> StepShown:
    responder = call.responder
    who = {"answered": call.answered_by}
    if responder is not None:
        named = " · ".join(filter(None, (responder.name, responder.contractor)))
        who["dispatched" if responder.on_the_way_at is None else "on_the_way"] = named
    at = responder.on_the_way_at if responder is not None and name == "on_the_way" else getattr(call.stamps, name)
    return StepShown(_hour(at, zone), who.get(name, ""))


def _hour(at: datetime | None, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%H:%M}" if at else ""
