"""What a month of calls comes to: how many, how fast, how often in time; of all, of each source and each contractor.

Definitions are ours (no national formula was found), so print them beside the figures:

- *begin* of a call: when its first step was told, or when it was raised where nobody could be told before somebody
  answered. A call that rang again after it was taken back, or after all were out, begins anew, as its rescue
  clock does.
- *answer time*: begin to answered. *Arrival time*: begin to on site, or to freed where nobody said that they were there
  before. *Release time*: on site to freed.
- A call that a person took back within `ANSWER_TARGET`, before anybody answered, is counted in ``calls`` and
  ``taken_back`` and in nothing else. One that was taken back later was answered late; its answer has no time.
- *in time*: answered within `ANSWER_TARGET`; on site by the end of the call's rescue clock.
- *overdue*: the rescue clock ran out with nobody on site, whatever came of it afterwards.
- A call belongs to the contractor who was asked to go, else to the one who maintains the lift.
- Drills stand apart and are in no other figure.
"""

import statistics
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, tzinfo

from msgspec import Struct

from emergency.model import Call, Cause, Source, Stamps
from emergency.rescue import ClockState, clock_state

# Hangzhou draft: the property answers within 30 s.
ANSWER_TARGET = timedelta(seconds=30)
_MACHINES = (Source.CAR_BUTTON, Source.ALERT)
_LATE = (ClockState.LATE, ClockState.OVERDUE)


class Spread(Struct, frozen=True):
    """Times of one kind. ``target_seconds`` is what was wanted, ``None`` where nothing is, or not the same of all.

    ``in_time`` and ``late`` count those that kept it and those that did not, or have not until now; those still
    running towards it are in neither. Median and 90th percentile (the smallest time that at least nine in ten keep)
    are of the times that are known, ``None`` where there is none.
    """

    known: int
    median_seconds: float | None
    p90_seconds: float | None
    target_seconds: float | None = None
    in_time: int | None = None
    late: int | None = None

    @property
    def share_in_time(self) -> float | None:
        """Those in time, of all that kept the target or did not; ``None`` where that is nobody."""
        judged = (self.in_time or 0) + (self.late or 0)
        return None if self.in_time is None or not judged else self.in_time / judged


class Figures(Struct, frozen=True):
    """What some calls come to; see the module for what each means."""

    calls: int
    taken_back: int
    false_alarms: int
    freed: int
    """Calls in which people were freed."""
    unfinished: int
    """Calls that are open still."""
    overdue: int
    answer: Spread
    arrival: Spread
    release: Spread


class MonthFigures(Struct, frozen=True):
    """All of a month. The lists of figures are by name; the contractor ``""`` is that of calls without one."""

    total: Figures
    drills: Figures
    by_source: dict[str, Figures]
    by_contractor: dict[str, Figures]
    overdue: tuple[Call, ...]
    """Those whose rescue clock ran out, by contractor, then in their order."""


def month_figures(calls: Iterable[Call], now: datetime) -> MonthFigures:
    """Return what ``calls``, chosen by the caller, come to as they stand at ``now``.

    They are taken as `on_the_wall` shows them, and so is ``now``.
    """
    every = sorted(calls, key=lambda call: call.number)
    real = [call for call in every if not call.drill]
    return MonthFigures(
        total=figures_of(real, now),
        drills=figures_of([call for call in every if call.drill], now),
        by_source=_by(lambda call: call.source.value, real, now),
        by_contractor=_by(lambda call: call.contractor, real, now),
        overdue=tuple(sorted((each for each in real if _is_overdue(each, now)), key=lambda call: call.contractor)),
    )


def figures_of(calls: Sequence[Call], now: datetime) -> Figures:
    """Return what ``calls`` come to at ``now``, drills or not."""
    counted = [call for call in calls if not _is_taken_back(call)]
    return Figures(
        calls=len(calls),
        taken_back=len(calls) - len(counted),
        false_alarms=sum(call.cause is Cause.FALSE_ALARM for call in counted),
        freed=sum(call.stamps.freed is not None for call in counted),
        unfinished=sum(call.open for call in counted),
        overdue=sum(_is_overdue(call, now) for call in counted),
        answer=_answers(counted, now),
        arrival=_arrivals(counted, now),
        release=_spread([_seconds(call.measured.on_site, call.measured.freed) for call in counted]),
    )


def month_of(text: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return begin and end of the month ``YYYY-MM`` by the clock of ``zone``; raises `ValueError` for anything else."""
    begin = datetime.strptime(text, "%Y-%m").replace(tzinfo=zone)
    if f"{begin:%Y-%m}" != text:
        raise ValueError(f"month {text!r}: expected YYYY-MM")
    return begin, (begin + timedelta(days=32)).replace(day=1)


def _by(name: Callable[[Call], str], calls: Sequence[Call], now: datetime) -> dict[str, Figures]:
    names = sorted({name(call) for call in calls})
    return {each: figures_of([call for call in calls if name(call) == each], now) for each in names}


def _answers(calls: Sequence[Call], now: datetime) -> Spread:
    def late(call: Call) -> bool | None:
        answered = _answered(call)
        overtime = (answered or now) - _began(call) > ANSWER_TARGET
        return None if answered is None and not overtime else overtime

    times = [_seconds(_began(call), _answered(call)) for call in calls]
    return _spread(times, ANSWER_TARGET.total_seconds(), [late(call) for call in calls])


def _arrivals(calls: Sequence[Call], now: datetime) -> Spread:
    def late(call: Call) -> bool | None:
        if _is_overdue(call, now):
            return True
        return False if clock_state(call, now) is ClockState.ON_TIME else None

    times = [_seconds(_began(call), call.measured.on_site or call.measured.freed) for call in calls]
    targets = {_seconds(_began(call), call.rescue_by) for call in calls}
    return _spread(times, targets.pop() if len(targets) == 1 else None, [late(call) for call in calls])


def _spread(
    times: Iterable[float | None], target: float | None = None, late: Sequence[bool | None] | None = None
) -> Spread:
    known = sorted(seconds for seconds in times if seconds is not None)
    return Spread(
        known=len(known),
        median_seconds=statistics.median(known) if known else None,
        p90_seconds=known[-(-9 * len(known) // 10) - 1] if known else None,
        target_seconds=target,
        in_time=None if late is None else late.count(False),
        late=None if late is None else late.count(True),
    )


def shown_begin(call: Call) -> datetime:
    """Return the begin of ``call`` by the wall clock, as people see it."""
    return _begin(call.stamps, call.rescue_from)


def _began(call: Call) -> datetime:
    return _begin(call.measured, call.clock_from)


def _begin(stamps: Stamps, clock_from: datetime | None) -> datetime:
    """Return the begin by ``stamps``: a step that was told behind the answer or the taking back did not begin it."""
    first = min((each for each in (stamps.answered, stamps.abandoned) if each is not None), default=None)
    begins = (each for each in (stamps.rang, clock_from) if each is not None and (first is None or each <= first))
    return next(begins, stamps.raised)


def _seconds(since: datetime | None, until: datetime | None) -> float | None:
    return None if since is None or until is None else (until - since).total_seconds()


def _answered(call: Call) -> datetime | None:
    """Return when somebody answered who was still waited for: whoever closes what was taken back answers nobody."""
    return None if _stopped_unanswered(call) is not None else call.measured.answered


def _is_taken_back(call: Call) -> bool:
    stopped, stamps = _stopped_unanswered(call), call.stamps
    rescued = stamps.on_site or stamps.freed or stamps.overdue or call.was_overdue
    return stopped is not None and stopped - _began(call) <= ANSWER_TARGET and not rescued


def _stopped_unanswered(call: Call) -> datetime | None:
    """Return when a person took the call back before anybody answered; what a machine calls too is not taken back."""
    abandoned, answered = call.measured.abandoned, call.measured.answered
    if abandoned is None or call.alarm or call.source in _MACHINES or (answered is not None and answered <= abandoned):
        return None
    return abandoned


def _is_overdue(call: Call, now: datetime) -> bool:
    state = clock_state(call, now)
    now_late = state in _LATE or (call.measured.overdue is not None and state is not ClockState.ON_TIME)
    return now_late or call.was_overdue
