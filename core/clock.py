"""The only place that reads clocks; everything pure takes ``now`` as an argument.

Two clocks are read. The *wall clock* is the machine's idea of date and time: it stamps what people and records see, and
it may jump, when somebody or NTP sets it. The *steady clock* counts what has really passed, suspended time included: it
never jumps, and every deadline, pause and "how long since" is measured by it. Both give instants of the same kind, so
they may not be mixed: an instant of the steady clock is shown to people as that of the wall clock that is `wall_ahead`
further.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol, TypeVar

_CENTISECOND = timedelta(milliseconds=10)
_CLOSE = timedelta(milliseconds=1)
_READINGS = 5
_Reading = TypeVar("_Reading", datetime, timedelta)


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the present instant of the wall clock, aware, in UTC."""
        ...

    def steady(self) -> datetime:
        """Return the present instant of the steady clock, aware, in UTC; never smaller than one returned before."""
        ...


class SystemClock:
    """The machine's clocks.

    ``anchor`` is the steady instant at which the machine was booted; all processes that compare steady instants have to
    be given the same one. Without it both clocks agree when the object is made.
    """

    def __init__(self, anchor: datetime | None = None) -> None:
        if anchor is None:
            wall, passed = _together(self.now, since_boot)
            anchor = wall - passed
        self.anchor = anchor

    def now(self) -> datetime:
        return datetime.now(UTC)

    def steady(self) -> datetime:
        return self.anchor + since_boot()


class ManualClock:
    """A clock that tests move by hand."""

    def __init__(self, start: datetime) -> None:
        self._now = self._steady = start

    def now(self) -> datetime:
        return self._now

    def steady(self) -> datetime:
        return self._steady

    def advance(self, by: timedelta) -> None:
        """Let ``by`` pass: both clocks move forward."""
        self._now += by
        self._steady += by

    def jump(self, by: timedelta) -> None:
        """Set the wall clock forward or back by ``by``; no time passes."""
        self._now += by


def since_boot() -> timedelta:
    """Return how long ago the machine was booted, the time that it was suspended included where the system tells."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return timedelta(microseconds=time.clock_gettime_ns(clock) // 1_000)


def wall_ahead(clock: Clock) -> timedelta:
    """Return how far the wall clock is ahead of the steady one now, negative when behind.

    To 10 ms: the two cannot be read at one instant, and what is shown of one deadline must not differ each time.
    """
    wall, steady = _together(clock.now, clock.steady)
    return round((wall - steady) / _CENTISECOND) * _CENTISECOND


def _together(wall: Callable[[], datetime], other: Callable[[], _Reading]) -> tuple[datetime, _Reading]:
    """Read both; again where the process was halted in between, a few times at most."""
    closest: tuple[timedelta, datetime, _Reading] | None = None
    for _ in range(_READINGS):
        before, seen, after = other(), wall(), other()
        if closest is None or after - before < closest[0]:
            closest = after - before, seen, after
        if closest[0] <= _CLOSE:
            break
    assert closest is not None  # noqa: S101 - one reading is made at least
    return closest[1:]


class UnleapingClock:
    """The wall clock as it would go had it not been set forward since this object was made; set back it follows.

    What is deleted by its age goes by it: a clock that leaps by years for a minute must not empty a store.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = wall_ahead(clock)

    def now(self) -> datetime:
        """Return its present instant."""
        self._ahead = min(self._ahead, wall_ahead(self._clock))
        return self._clock.steady() + self._ahead


class Moment(NamedTuple):
    """One instant by both clocks; ``ahead`` as `wall_ahead` gives it."""

    steady: datetime
    ahead: timedelta = timedelta(0)

    @property
    def wall(self) -> datetime:
        """The instant by the wall clock."""
        return self.steady + self.ahead


def moment(clock: Clock) -> Moment:
    """Return the present instant by both clocks."""
    return Moment(clock.steady(), wall_ahead(clock))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(instant: datetime) -> int:
    """Return an aware ``instant`` as whole microseconds since 1970-01-01T00:00:00Z, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """Return the UTC instant ``microseconds`` after 1970-01-01T00:00:00Z."""
    return _EPOCH + timedelta(microseconds=microseconds)
