"""How long a message is tried: growing pauses between attempts, and an end when it makes no sense any more."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from alerts.dispatch.model import OutboxEntry, Purpose

# A day: a receiver that was away over night still hears in the morning what is open. A reminder is followed by the
# next one, and a test is of interest only to who waits for it. A call for help has been handed on, or is over, within
# the hour in which a rescuer has to be there (TSG T5002: 1 h outside a built-up area). That an alert is over is worth
# knowing the longest: without it people go and look.
LIFETIMES: Mapping[Purpose, timedelta] = MappingProxyType(
    {
        Purpose.FIRING: timedelta(hours=24),
        Purpose.UPDATE: timedelta(hours=24),
        Purpose.ESCALATION: timedelta(hours=24),
        Purpose.UNATTENDED: timedelta(hours=24),
        Purpose.DIGEST: timedelta(hours=24),
        Purpose.REMINDER: timedelta(hours=1),
        Purpose.RESOLVED: timedelta(hours=72),
        Purpose.TEST: timedelta(minutes=10),
        Purpose.CALL: timedelta(hours=1),
    }
)


# Ours. Ten attempts with their pauses last four to nine minutes: a receiver that restarts is back within them. That a
# receiver takes others and fails with this one may happen once by chance, and twice while it is overloaded.
POISONED_ATTEMPTS = 10
POISONED_OWN_FAILURES = 3


@dataclass(frozen=True)
class Patience:
    """Pauses double from ``first`` to ``most``; what a receiver asks for counts up to ``most_asked``.

    For pages of emergency calls both are shorter: a receiver that is back has to learn of a call within seconds.
    """

    first: timedelta = timedelta(seconds=1)
    most: timedelta = timedelta(minutes=5)
    most_asked: timedelta = timedelta(minutes=15)
    most_of_calls: timedelta = timedelta(seconds=10)
    most_asked_of_calls: timedelta = timedelta(seconds=60)
    lifetimes: Mapping[Purpose, timedelta] = field(default_factory=lambda: LIFETIMES)

    def pause(
        self, failures: int, chance: float, asked_seconds: float | None = None, *, calls: bool = False
    ) -> timedelta:
        """Return how long to wait after the ``failures``-th failure in a row; ``chance`` (0 to 1) takes up to half off.

        Nothing is taken off what the receiver asked for.
        """
        doublings: int = min(failures - 1, 30)
        most, most_asked = self.most, self.most_asked
        if calls:
            most, most_asked = self.most_of_calls, self.most_asked_of_calls
        longest = min(most, self.first * (1 << doublings))
        own = longest * (1.0 - chance / 2)
        if asked_seconds is None:
            return own
        return max(own, min(most_asked, timedelta(seconds=min(asked_seconds, 1e9))))

    def is_over(self, entry: OutboxEntry, at: datetime) -> bool:
        """Tell whether ``entry`` would make no sense any more at ``at`` of the steady clock."""
        return at - entry.waiting_since > self.lifetimes[entry.intent.purpose]

    @staticmethod
    def is_poisoned(attempts: int, own_failures: int) -> bool:
        """Tell whether it is the message that fails, and not its receiver, after ``attempts`` without success.

        ``own_failures`` is what `Lane.doubt` said of the last one.
        """
        return attempts >= POISONED_ATTEMPTS and own_failures >= POISONED_OWN_FAILURES
