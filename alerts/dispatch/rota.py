"""Who is on duty, and whether a local schedule holds: exact to the instant, over changes of the clock as well."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from alerts.dispatch.plan import Layer, Rota, Schedule
from alerts.history import RotaOverrideRow

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TURN_DAYS = {"1d": 1, "1w": 7}
_DAY_MINUTES = 24 * 60


def on_duty(rota: Rota, at: datetime, overrides: Iterable[RotaOverrideRow] = (), zone: str = "UTC") -> list[str]:
    """Return the people on duty at ``at``, in the order of the layers; ``zone`` is the plan's, for a rota without one.

    Whoever stands in (`RotaOverrideRow`) takes the place of everybody the rota names; of two the one named later.
    """
    instead = [each for each in overrides if each.rota == rota.name and each.starts_at <= at < each.ends_at]
    if instead:
        return [max(instead, key=lambda each: (each.created_at, each.id)).person]
    local = ZoneInfo(rota.zone or zone)
    people = (person for layer in rota.layers if (person := _turn(layer, at, local)) is not None)
    return list(dict.fromkeys(people))


def in_schedule(schedule: Schedule | None, at: datetime, zone: str) -> bool:
    """Tell whether ``at`` is within ``schedule``; hours that end on the next day belong to the day they begin on."""
    if schedule is None:
        return True
    local = ZoneInfo(zone)
    day = at.astimezone(local).date()
    begins, ends = _hours(schedule.hours or "00:00-00:00")
    return any(
        _instant(each, begins, local) <= at < _end(each, begins, ends, local)
        and (not schedule.days or DAYS[each.weekday()] in schedule.days)
        for each in (day, day - timedelta(days=1))
    )


def next_weekly(when: str, after: datetime, zone: str) -> datetime:
    """Return the first instant after ``after`` at which it is ``when`` ("mon 10:00") in ``zone``."""
    day, _, clock = when.partition(" ")
    local = ZoneInfo(zone)
    today = after.astimezone(local).date()
    ahead = (DAYS.index(day) - today.weekday()) % 7
    instants = (_instant(today + timedelta(days=ahead + 7 * week), _clock(clock), local) for week in range(3))
    return next(instant for instant in instants if instant > after)


def uncovered(rota: Rota) -> Iterator[str]:
    """Yield the hours of the day ("20:00-08:00") that no layer covers."""
    covered = [False] * _DAY_MINUTES
    for layer in rota.layers:
        begins, ends = (each.hour * 60 + each.minute for each in _hours(layer.hours or "00:00-00:00"))
        length = (ends - begins) % _DAY_MINUTES or _DAY_MINUTES
        for minute in range(begins, begins + length):
            covered[minute % _DAY_MINUTES] = True
    for minute in range(_DAY_MINUTES):
        if not covered[minute] and covered[minute - 1]:
            end = next((each for each in range(minute, minute + _DAY_MINUTES) if covered[each % _DAY_MINUTES]), minute)
            yield f"{_words(minute)}-{_words(end % _DAY_MINUTES)}"


def _turn(layer: Layer, at: datetime, zone: ZoneInfo) -> str | None:
    begins, ends = _hours(layer.hours) if layer.hours else (_clock(layer.handover),) * 2
    today = at.astimezone(zone).date()
    for day in (today, today - timedelta(days=1)):
        if _instant(day, begins, zone) <= at < _end(day, begins, ends, zone) and day >= layer.start:
            turns = (day - layer.start).days // _TURN_DAYS[layer.every]
            return layer.people[turns % len(layer.people)]
    return None


def _end(day: date, begins: time, ends: time, zone: ZoneInfo) -> datetime:
    return _instant(day if ends > begins else day + timedelta(days=1), ends, zone)


def _instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    # In UTC, because Python compares two times of one zone by their faces, which is wrong where the clock is changed.
    return datetime.combine(day, clock, zone).astimezone(UTC)


def _hours(hours: str) -> tuple[time, time]:
    begins, _, ends = hours.partition("-")
    return _clock(begins), _clock(ends)


def _clock(words: str) -> time:
    return time.fromisoformat(words)


def _words(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
