"""An outbox made of a list, and a messenger that does as told, for tests of the deliverer."""

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime

import msgspec

from alerts.dispatch.model import Intent, OutboxEntry, OutboxStatus
from core.errors import TemporaryError


class ListOutbox:
    """Implements ``alerts.ports.Outbox``; ``failures`` calls in a row raise `TemporaryError`."""

    def __init__(self) -> None:
        self.entries: dict[int, OutboxEntry] = {}
        self.failures = 0
        self.history: list[tuple[int, str]] = []

    def add(self, intent: Intent, created_at: datetime, attempts: int = 0) -> int:
        number = len(self.entries) + 1
        self.entries[number] = OutboxEntry(number, intent, OutboxStatus.WAITING, attempts, created_at, created_at)
        return number

    @property
    def waiting(self) -> list[OutboxEntry]:
        return [one for one in self.entries.values() if one.status is OutboxStatus.WAITING]

    async def due(self, now: datetime, limit: int, without: Collection[str] = ()) -> list[OutboxEntry]:
        self._fail()
        heads: dict[tuple[str, str], OutboxEntry] = {}
        for one in self.waiting:
            heads.setdefault((one.intent.receiver, one.intent.incident), one)
        due = [one for one in heads.values() if one.next_attempt_at <= now and one.intent.receiver not in without]
        return due[:limit]

    async def next_due(self) -> datetime | None:
        self._fail()
        return min((one.next_attempt_at for one in self.waiting), default=None)

    async def delivered(self, number: int, now: datetime, detail: str) -> None:
        self._finish(number, now, OutboxStatus.DELIVERED, detail)

    async def postpone(self, number: int, until: datetime, detail: str) -> None:
        self._fail()
        one = self.entries[number]
        self.entries[number] = msgspec.structs.replace(
            one, attempts=one.attempts + 1, next_attempt_at=until, detail=detail
        )

    async def give_up(self, number: int, now: datetime, detail: str) -> None:
        self._finish(number, now, OutboxStatus.FAILED, detail)

    def _finish(self, number: int, now: datetime, status: OutboxStatus, detail: str) -> None:
        self._fail()
        self.history.append((number, status.value))
        self.entries[number] = msgspec.structs.replace(
            self.entries[number], status=status, finished_at=now, detail=detail
        )

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise TemporaryError("outbox: told to fail")


class Mouth:
    """A messenger that keeps what it was given; ``behave`` may raise or wait before it does."""

    def __init__(self, behave: Callable[[Intent], None] | None = None) -> None:
        self.said: list[Intent] = []
        self.tried: list[Intent] = []
        self.behave = behave or (lambda _intent: None)
        self.gate = asyncio.Event()
        self.gate.set()
        self.closed = False
        self.open_at_once = self.most_open_at_once = 0

    async def deliver(self, intent: Intent) -> str:
        self.tried.append(intent)
        self.open_at_once += 1
        self.most_open_at_once = max(self.most_open_at_once, self.open_at_once)
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
            self.behave(intent)
        finally:
            self.open_at_once -= 1
        self.said.append(intent)
        return "heard"

    async def close(self) -> None:
        self.closed = True
