"""The rescue clock: from the report until somebody is on site."""

from datetime import datetime
from enum import StrEnum

from emergency.model import Call, CallState

STOPPED = (CallState.ON_SITE, CallState.FREED, CallState.ABANDONED, CallState.CLOSED)


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
    began = call.rescue_from or call.stamps.raised
    return began + (call.rescue_by - began) / 2


def clock_state(call: Call, now: datetime) -> ClockState:
    """Return how the clock stands at ``now``. Being freed counts as having somebody on site."""
    reached = call.stamps.on_site or call.stamps.freed
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
