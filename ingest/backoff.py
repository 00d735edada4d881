"""How long to wait before the next attempt."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Backoff:
    """Waits that double from ``first`` to ``most``."""

    first: timedelta = timedelta(milliseconds=200)
    most: timedelta = timedelta(seconds=15)

    def waits(self, jitter: Callable[[], float]) -> Iterator[float]:
        """Yield waits in seconds without end; ``jitter`` (0 to 1) takes up to half off each.

        Jitter keeps many writers from coming back to a database that has just started at the same instant.
        """
        longest = self.first
        while True:
            yield longest.total_seconds() * (1.0 - jitter() / 2)
            longest = min(2 * longest, self.most)
