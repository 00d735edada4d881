"""What time does to a call: the rescue clock stamps, then the ladder climbs, or people are reminded. Pure.

Only `pass_time` moves the ladder by time. What has come due is done in its order and at its own instants, so that a
call that nobody looked at for an hour has the same history as one that was looked at every second.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from emergency.changes import CLOCK, Change
from emergency.joining import tell_owed
from emergency.model import STOPPED, Call, CallState, EventKind, PageKind, Party
from emergency.own_rules import OVERDUE, UNANSWERED
from emergency.rescue import half_at

# Ours: a call that seemed over is closed within so long, or people are reminded, at growing distances.
LEFT_OPEN = timedelta(minutes=30)
_LEVEL = timedelta(0)
Due = tuple[datetime, Callable[[Change, datetime, datetime], None]]


def pass_time(change: Change, now: datetime, *, climbing: bool) -> None:
    """Do what has come due by ``now``; of the rescue clock alone unless ``climbing``."""
    while (due := _due(change.call, climbing=climbing)) is not None and due[0] <= now:
        due[1](change, due[0], now)
    owed = change.call.tap_owed_at
    if owed is not None and owed < now:
        # Left undone before an act: it is told after it, and not at an instant before it.
        change.set(tap_owed_at=now)


def _due(call: Call, *, climbing: bool) -> Due | None:
    coming = clock_due(call)
    if climbing and call.tap_owed_at is not None:
        coming.append((call.tap_owed_at, tell_owed))
    if climbing and call.responsible is not None:
        coming.append((call.responsible.until, _remind if call.state in STOPPED else _climb))
    return min(coming, key=lambda each: each[0], default=None)


def clock_due(call: Call) -> list[Due]:
    """Return what the rescue clock still has to stamp."""
    half = half_at(call)
    if call.state in STOPPED or call.rescue_by is None or half is None:
        return []
    coming: list[Due] = [(half, _half_time)] if call.stamps.half_time is None else []
    return [*coming, (call.rescue_by, _overdue)] if call.stamps.overdue is None else coming


def _climb(change: Change, at: datetime, now: datetime) -> None:
    if change.call.told >= len(change.rules.steps) and _has_ended(change):
        # Rounds that nobody looked at are one round: the newest of them, before the clock stamps anything.
        horizon = min([now, *(each[0] for each in clock_due(change.call))])
        at += max(horizon - at, _LEVEL) // change.again_after * change.again_after
    change.climb(at)


def _has_ended(change: Change) -> bool:
    call = change.call
    return call.drill or UNANSWERED in call.alerts or call.state is CallState.ON_THE_WAY


def _remind(change: Change, at: datetime, _now: datetime) -> None:
    """Nobody closed it: the first step is told again, each time after twice as long."""
    call, who = change.call, change.call.responsible
    since = getattr(call.measured, call.state.value) or at
    change.note(EventKind.REMINDED, at, CLOCK)
    change.tell(PageKind.REMINDER, [0])
    change.entrust(
        Party.LADDER if who is None else who.party, at, at + max(at - since, LEFT_OPEN), who.name if who else ""
    )


def _half_time(change: Change, at: datetime, _now: datetime) -> None:
    change.stamp("half_time", at)
    change.note(EventKind.HALF_TIME, at, CLOCK)
    change.tell_those_told(PageKind.HALF_TIME)


def _overdue(change: Change, at: datetime, _now: datetime) -> None:
    """Nobody is there in time: an alert, everybody told so far hears of it, and the ladder goes on at once."""
    change.stamp("overdue", at)
    change.note(EventKind.OVERDUE, at, CLOCK, contractor=change.call.contractor)
    change.tell_those_told(PageKind.OVERDUE)
    change.raise_alert(OVERDUE, at, "救援人员未在规定时间内到场", "nobody was on site within the time for rescue")
    who = change.call.responsible
    if who is not None:
        change.set(responsible=msgspec.structs.replace(who, until=min(who.until, at)))
