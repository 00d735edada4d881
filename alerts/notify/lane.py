"""How one receiver stands: how much is on its way to it, whether it is resting, and how fast it may be told.

Pages of emergency calls have a lane of their own to each receiver: whatever stands in the way of the others, slots that
are taken or a rest after a failure, does not stand in theirs. How fast a receiver may be told counts both.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

_PACE_WINDOW = timedelta(minutes=1)
_KEPT_FOR_CALLS = 5
"""One in so many: of the 20 a minute that a group's robot takes, four are there for calls."""


@dataclass
class _Doubt:
    """A message that failed: how much its receiver had taken by then, and how often the failure was its own."""

    taken: int
    own_failures: int = 0


class Pace:
    """How many messages a minute a receiver takes, whatever they are. A fifth is kept free for pages of calls."""

    def __init__(self) -> None:
        self._channel: object = None
        self._per_minute: int | None = None
        self._begun: deque[datetime] = deque()

    def use(self, channel: object, per_minute: int | None) -> None:
        """Begin anew where ``channel`` is another way to this receiver than the one before."""
        if channel != self._channel:
            self._channel, self._per_minute = channel, per_minute
            self._begun.clear()

    def begin(self, now: datetime) -> None:
        """Count a message that leaves."""
        if self._per_minute is not None:
            self._begun.append(now)

    def until(self, now: datetime, *, calls: bool) -> datetime | None:
        """Return when the next message may leave, ``None`` for at once."""
        if self._per_minute is None:
            return None
        while self._begun and now - self._begun[0] >= _PACE_WINDOW:
            self._begun.popleft()
        most = self._per_minute if calls else self._per_minute - self._per_minute // _KEPT_FOR_CALLS
        return None if len(self._begun) < most else self._begun[len(self._begun) - most] + _PACE_WINDOW


class Lane:
    """The state of one receiver between deliveries; ``slots`` may be on their way at once.

    After a failure the receiver rests, and is then tried with one message until it takes one: a dead receiver costs
    one attempt at a time, however much waits for it.
    """

    def __init__(self, slots: int, pace: Pace | None = None, *, calls: bool = False) -> None:
        self._slots = slots
        self._pace = pace or Pace()
        self._calls = calls
        self._channel: object = None
        self._taken = 0
        self._doubts: dict[int, _Doubt] = {}
        self.in_flight = 0
        self.failures = 0
        self.failing_since: datetime | None = None
        self.rests_until: datetime | None = None

    def use(self, channel: object, per_minute: int | None) -> None:
        """Begin anew where ``channel`` is another way to this receiver than the one before."""
        self._pace.use(channel, per_minute)
        if channel != self._channel:
            self._channel = channel
            self.rests_until = None
            self._doubts.clear()
            self.recover()

    def may_begin(self, now: datetime) -> bool:
        """Tell whether a message may leave now."""
        if self.rests_until is not None and now < self.rests_until:
            return False
        slots = 1 if self.failures else self._slots
        return self.in_flight < slots and self._pace.until(now, calls=self._calls) is None

    def begin(self, now: datetime) -> None:
        """Count a message that leaves."""
        self.in_flight += 1
        self._pace.begin(now)
        if (full := self._pace.until(now, calls=self._calls)) is not None:
            self.rests_until = full

    def end(self) -> None:
        """Count a message whose attempt is over."""
        self.in_flight -= 1

    def fail(self, now: datetime, pause: timedelta) -> None:
        """Rest for ``pause``; what fails beside another during one outage counts once."""
        if not self.failures or self.rests_until is None or now >= self.rests_until:
            self.failures += 1
        self.failing_since = self.failing_since or now
        self.rests_until = max(now + pause, self.rests_until or now)

    def doubt(self, number: int) -> int:
        """Count that message ``number`` failed, and tell how many of its failures were its own.

        A failure is the message's own where the receiver has taken another one since the failure before. 0 when this
        one is not: with nothing taken in between, it may as well be the receiver that is away.
        """
        known = self._doubts.get(number)
        if known is None:
            self._doubts[number] = _Doubt(self._taken)
            return 0
        if known.taken == self._taken:
            return 0
        known.taken = self._taken
        known.own_failures += 1
        return known.own_failures

    def forget(self, number: int) -> None:
        """Message ``number`` is not tried any more."""
        self._doubts.pop(number, None)

    def take(self, number: int) -> None:
        """The receiver took message ``number``."""
        self._taken += 1
        self.forget(number)
        self.recover()

    def recover(self) -> None:
        """The receiver took a message, or gave an answer of its own."""
        self.failures = 0
        self.failing_since = None
