"""When a rule is in force: days and hours of a time zone, with public holidays."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import holidays
from msgspec import Meta, Struct

from core.clock import from_microseconds, to_microseconds

HOURS_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
Hours = Annotated[
    str, Meta(pattern=HOURS_PATTERN, description="By the clock on the wall; 22:00-06:00 ends on the next day.")
]
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SATURDAY = 5
_DAY = timedelta(days=1)
# How far a change is looked for at once: long enough to be asked seldom, short enough to cost nothing.
_HORIZON_DAYS = 60


class Schedule(Struct, frozen=True, forbid_unknown_fields=True):
    """In force during ``hours`` that begin on one of ``days`` or of ``dates``, but on none of ``except_dates``.

    Neither days nor dates are all days, no hours the whole day. ``workdays`` and ``holidays`` follow public holidays
    of the country, with the weekends it makes working days; with ``holidays: none`` workdays are Monday to Friday.
    """

    zone: Annotated[str, Meta(min_length=1, max_length=64)] = "Asia/Shanghai"
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "workdays", "holidays"]] = []
    hours: list[Hours] = []
    holidays: Literal["CN", "none"] = "CN"
    dates: list[date] = []
    except_dates: list[date] = []


def active_at(schedule: Schedule, instant: datetime) -> bool:
    """Tell whether a rule with ``schedule`` is in force at ``instant`` (aware)."""
    today = instant.astimezone(ZoneInfo(schedule.zone)).date()
    return any(begins <= instant < ends for begins, ends in _spans(schedule, today - _DAY, 2))


def steady_between(schedule: Schedule, instant: datetime) -> tuple[datetime, datetime]:
    """Return from when and until before when the answer of `active_at` is the same as at ``instant``.

    The end is when it next changes, or where it stays for long an instant until which it does; the beginning may be
    later than the change before.
    """
    today = instant.astimezone(ZoneInfo(schedule.zone)).date()
    spans = list(_spans(schedule, today - _DAY, _HORIZON_DAYS))
    edges = sorted({edge for span in spans for edge in span})
    now = any(begins <= instant < ends for begins, ends in spans)
    since = max((edge for edge in edges if edge <= instant), default=_local(schedule, today, time()))
    for edge in edges:
        if edge > instant and any(begins <= edge < ends for begins, ends in spans) is not now:
            return since, edge
    return since, _local(schedule, today + (_HORIZON_DAYS - 2) * _DAY, time())


def objection(schedule: Schedule) -> tuple[str, str] | None:
    """Return the key that is wrong and what was expected, ``None`` where nothing is."""
    try:
        ZoneInfo(schedule.zone)
    except (KeyError, OSError, ValueError):  # Not found; or not the name of a zone at all.
        return "zone", f"zone {schedule.zone!r} is unknown: expected a name of the IANA list, such as Asia/Shanghai"
    if schedule.holidays == "none" and "holidays" in schedule.days:
        return "days", "`holidays` among `days` with `holidays: none`: expected a country, such as CN"
    for hours in schedule.hours:
        if hours[:5] == hours[6:]:
            return "hours", f"hours {hours!r} have no length: expected an end that differs from the beginning"
    if not (schedule.days or schedule.hours or schedule.dates or schedule.except_dates):
        return "", "a schedule without days, hours or dates is always in force: expected at least one of them"
    return None


class Calendar:
    """A schedule that remembers its last answer, since it is asked on every message; instants are microseconds."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._from = self._until = 0
        self._active = False

    def active_at(self, instant: int) -> bool:
        """Tell whether the rule is in force at ``instant``."""
        self._look(instant)
        return self._active

    def next_change(self, instant: int) -> int:
        """Return an instant up to which the answer stays as it is at ``instant``."""
        self._look(instant)
        return self._until

    def _look(self, instant: int) -> None:
        if not self._from <= instant < self._until:
            at = from_microseconds(instant)
            since, until = steady_between(self._schedule, at)
            self._from, self._until = to_microseconds(since), to_microseconds(until)
            self._active = active_at(self._schedule, at)


def _spans(schedule: Schedule, first: date, days: int) -> Iterator[tuple[datetime, datetime]]:
    """Yield from when until before when it is in force, for the spans that begin on ``days`` days from ``first`` on."""
    for number in range(days):
        day = first + number * _DAY
        if not _chosen(schedule, day):
            continue
        for hours in schedule.hours or ("00:00-24:00",):
            begins, ends = hours.split("-")
            last = day if begins < ends < "24" else day + _DAY
            until = time() if ends == "24:00" else time.fromisoformat(ends)
            yield _local(schedule, day, time.fromisoformat(begins)), _local(schedule, last, until)


def _local(schedule: Schedule, day: date, at: time) -> datetime:
    """Return an instant of the zone's clock; one that a change of that clock repeats is the first of the two."""
    local = datetime.combine(day, at, ZoneInfo(schedule.zone))
    # Through UTC: instants of one zone compare by what its clock shows, which a change of the clock turns around.
    return from_microseconds(to_microseconds(local.astimezone(ZoneInfo("UTC"))))


def _chosen(schedule: Schedule, day: date) -> bool:
    if day in schedule.except_dates:
        return False
    if day in schedule.dates:
        return True
    if not schedule.days:
        return not schedule.dates
    return any(_falls_on(schedule, day, name) for name in schedule.days)


def _falls_on(schedule: Schedule, day: date, name: str) -> bool:
    country = None if schedule.holidays == "none" else _country(schedule.holidays)
    if name == "workdays":
        return day.weekday() < _SATURDAY if country is None else country.is_working_day(day)
    if name == "holidays":
        return country is not None and day in country
    return WEEKDAYS[day.weekday()] == name


@cache
def _country(code: str) -> holidays.HolidayBase:
    return holidays.country_holidays(code)
