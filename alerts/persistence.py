"""Doing again what failed for now, for as long as it takes, and saying meanwhile what is in the way."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import structlog

from alerts.model import Transition
from core.errors import CorruptJournal, TemporaryError

_FIRST_RETRY_SECONDS = 0.1
_LONGEST_RETRY_SECONDS = 5.0
_LAST_WORDS_SECONDS = 2.0
_Answer = TypeVar("_Answer")
_log = structlog.get_logger()


def log_transition(one: Transition) -> None:
    """Log a committed transition as ``alert.KIND``."""
    _log.info(
        f"alert.{one.kind.value}",
        alert=one.alert_id,
        rule=one.rule,
        device=one.device.path,
        severity=one.severity.value,
        title_zh=one.title_zh,
        title_en=one.title_en,
    )


class Hindered(Protocol):
    """The figures of a service; ``detail`` says what is in its way, empty when nothing is."""

    detail: str
    retries: int


class Persistence:
    """Repeats what raises `TemporaryError`, with capped and jittered pauses; ``stats`` tell of it.

    So it does with `CorruptJournal`: a process that ended of it would take the calls for help along, and could not go
    on after a start either. It waits for the rescue, which needs a stop.
    """

    def __init__(self, stats: Hindered, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._stats = stats
        self._pause = pause

    async def __call__(self, name: str, attempt: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Return what ``attempt`` returns, however often it has to be made; ``name`` says what it is."""
        wait_seconds = _FIRST_RETRY_SECONDS
        while True:
            try:
                answer = await attempt()
            except (TemporaryError, CorruptJournal) as error:
                if self._stats.detail != f"{name}: {error}":
                    _log.warning(f"{name}.unavailable", reason=str(error))
                self._stats.detail = f"{name}: {error}"
                self._stats.retries += 1
                await self._pause(wait_seconds * (1 - random.random() / 2))  # noqa: S311 - jitter, not a secret
                wait_seconds = min(_LONGEST_RETRY_SECONDS, 2 * wait_seconds)
            else:
                self._stats.detail = ""
                return answer

    async def last_words(self, name: str, attempt: Awaitable[None]) -> bool:
        """Make a last attempt at the end of a service, for two seconds at most; tell whether it worked."""
        try:
            await asyncio.wait_for(attempt, _LAST_WORDS_SECONDS)
        except (TemporaryError, TimeoutError) as error:
            _log.warning(f"{name}.given_up", reason=str(error))
            return False
        return True
