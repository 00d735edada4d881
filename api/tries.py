"""How often something secret may be guessed at."""

import math
from collections import deque
from datetime import datetime, timedelta

from starlette.exceptions import HTTPException

# Beyond it those that were idle the longest are forgotten: memory stays bounded whoever asks.
_KEYS_LIMIT = 10_000


class Tries:
    """At most ``most`` wrong tries ``within`` a span of time, by key; what comes beyond is not even looked at."""

    def __init__(self, most: int, within: timedelta) -> None:
        self._most = most
        self._within = within
        self._wrong: dict[str, deque[datetime]] = {}

    def begin(self, key: str, now: datetime) -> None:
        """Count a try, as a wrong one until `right` takes it back; answers 429 where there were too many.

        Counting comes first, so that tries made at one time do not slip through together.
        """
        tried = self._wrong.pop(key, deque())
        while tried and tried[0] <= now - self._within:
            tried.popleft()
        self._wrong[key] = tried  # At the end again: the order is that of the last try.
        if len(tried) >= self._most:
            seconds = math.ceil((tried[0] + self._within - now).total_seconds())
            raise HTTPException(429, f"too many tries: again in {seconds} s", {"Retry-After": str(seconds)})
        tried.append(now)
        if len(self._wrong) > _KEYS_LIMIT:
            del self._wrong[next(iter(self._wrong))]

    def right(self, key: str) -> None:
        """Take back the newest try: it was right."""
        if tried := self._wrong.get(key):
            tried.pop()
