"""The rescue clock: from the report until somebody is on site."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec.structs import fields, replace

from emergency.model import STOPPED, Call, Stamps


class ClockState(StrEnum):
    """How the clock of a call stands."""

    RUNNING = "running"
    HALF_TIME = "half_time"
    """More than half of the time has passed."""
    OVERDUE = "overdue"
    ON_TIME = "on_time"
    """Somebody was on site in time."""
    LATE = "late"
    NONE = "none"
    """It was taken back or closed before anybody had to come."""


def half_at(call: Call) -> datetime | None:
    """Return when half of the time has passed."""
    if call.rescue_by is None:
        return None
    began = call.clock_from or call.rescue_from or call.stamps.raised
    return began + (call.rescue_by - began) / 2


def clock_state(call: Call, now: datetime) -> ClockState:
    """Return how the clock stands at ``now``. Being freed counts as having somebody on site."""
    reached = call.measured.on_site or call.measured.freed
    if call.rescue_by is None:
        return ClockState.NONE
    if reached is not None:
        return ClockState.ON_TIME if reached <= call.rescue_by else ClockState.LATE
    if call.state in STOPPED:
        return ClockState.NONE
    if now >= call.rescue_by:
        return ClockState.OVERDUE
    half = half_at(call)
    return ClockState.HALF_TIME if half is not None and now >= half else ClockState.RUNNING


def on_the_wall(call: Call, ahead: timedelta) -> Call:
    """Return ``call`` with all of its instants by the wall clock, which is ``ahead`` of the steady one now.

    What is over is shown by the clock as it was when it began.
    """
    if not call.open and call.clock_from is not None:
        ahead = (call.rescue_from or call.stamps.raised) - call.clock_from
    if not ahead:
        return call

    def shown(at: datetime | None) -> datetime | None:
        return None if at is None else at + ahead

    responder, timed, who = call.responder, call.timed, call.responsible
    return replace(
        call,
        next_at=shown(call.next_at),
        responsible=who and replace(who, until=who.until + ahead),
        rescue_by=shown(call.rescue_by),
        clock_from=shown(call.clock_from),
        responder=responder and replace(responder, arrives_at=shown(responder.arrives_at)),
        timed=timed and replace(timed, **{field.name: shown(getattr(timed, field.name)) for field in fields(Stamps)}),
    )
