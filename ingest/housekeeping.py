"""Keeping within bounds: the journal by age and size, the telemetry store by its retention."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from core.clock import Clock, UnleapingClock
from core.errors import TemporaryError
from ingest.ports import Journal, TelemetryWriter

_log = structlog.get_logger()


class Housekeeping:
    """Tidies at once and then every ``every``; what fails for now is tried again the next time.

    The journal never loses what a reader still needs, so ``max_age`` and ``max_bytes`` can be exceeded while one is
    behind. ``retention`` (``None``: keep for ever) is how long points stay in the store.
    """

    def __init__(
        self,
        journal: Journal,
        store: TelemetryWriter,
        clock: Clock,
        *,
        max_age: timedelta,
        max_bytes: int,
        retention: timedelta | None,
        every: timedelta = timedelta(minutes=5),
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._journal = journal
        self._store = store
        self._clock = UnleapingClock(clock)
        self._max_age = max_age
        self._max_bytes = max_bytes
        self._retention = retention
        self._every = every
        self._pause = pause

    async def run(self) -> None:
        """Tidy until cancelled."""
        while True:
            await self.tidy()
            await self._pause(self._every.total_seconds())

    async def tidy(self) -> None:
        """Tidy once; one half failing does not keep the other from its turn."""
        await self._attempt("journal.trim", self._trim)
        if self._retention is not None:
            await self._attempt("telemetry.expire", self._expire)

    async def _trim(self) -> None:
        older_than = self._clock.now() - self._max_age
        trimmed = await asyncio.to_thread(
            lambda: self._journal.trim(older_than=older_than, beyond_bytes=self._max_bytes)
        )
        if trimmed:
            _log.info("journal.trimmed", entries=trimmed)

    async def _expire(self) -> None:
        if self._retention is not None:
            await self._store.expire(self._retention, self._clock.now())

    async def _attempt(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except TemporaryError as error:
            _log.warning(f"{name}.postponed", reason=str(error))
