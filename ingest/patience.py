"""Repeating what may succeed later, for as long as it takes, and saying so once."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from core.errors import TemporaryError
from ingest.backoff import Backoff

_log = structlog.get_logger()

Answer = TypeVar("Answer")
Pause = Callable[[float], Awaitable[None]]


class Patience:
    """Repeats calls that fail temporarily; ``troubles`` tells what is being repeated, and why, right now."""

    def __init__(
        self, backoff: Backoff, *, pause: Pause = asyncio.sleep, jitter: Callable[[], float] = random.random
    ) -> None:
        self._backoff = backoff
        self._pause = pause
        self._jitter = jitter
        self.troubles: dict[str, str] = {}
        self.retries = 0

    async def until_done(self, name: str, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return what ``attempt`` returns, after as many tries as it takes; other errors pass through.

        The first failure, a failure of another kind and the recovery are logged; repetitions are only counted.
        """
        waits = self._backoff.waits(self._jitter)
        try:
            while True:
                try:
                    answer = await attempt()
                except TemporaryError as error:
                    self._note(name, str(error))
                    await self._pause(next(waits))
                else:
                    if name in self.troubles:
                        _log.info(f"{name}.recovered")
                    return answer
        finally:
            self.troubles.pop(name, None)

    def _note(self, name: str, reason: str) -> None:
        self.retries += 1
        if self.troubles.get(name) != reason:
            _log.warning(f"{name}.unavailable", reason=reason)
        self.troubles[name] = reason
