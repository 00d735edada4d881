"""An outbox made of a list, for tests: it can be told to fail."""

from collections.abc import Collection, Sequence
from datetime import datetime

from msgspec.structs import replace

from alerts.dispatch.model import Intent, OutboxEntry, OutboxStatus
from core.errors import TemporaryError


class MemoryOutbox:
    """Implements ``alerts.ports.Outbox`` until the process ends; ``entries`` holds all of it, in order.

    ``undelivered`` holds (alert, detail) for every alert of an entry that was given up.
    """

    def __init__(self) -> None:
        self.entries: list[OutboxEntry] = []
        self.undelivered: list[tuple[str, str]] = []
        self.failing: dict[str, str] = {}
        """Receivers whose newest finished message was given up, with its error."""
        self.unreached: dict[str, tuple[datetime, str]] = {}
        """Since when attempts at a receiver have failed with nothing ended in between, and the newest error."""
        self._failures = 0

    def fail(self, *, times: int) -> None:
        """Let the next ``times`` calls raise `TemporaryError`."""
        self._failures += times

    def put(self, intents: Sequence[Intent], now: datetime) -> None:
        """Add what is not there yet, by ``id``."""
        for intent in intents:
            if all(entry.intent.id != intent.id for entry in self.entries):
                number = len(self.entries) + 1
                self.entries.append(OutboxEntry(number, intent, OutboxStatus.WAITING, 0, now, now))

    async def due(self, now: datetime, limit: int, without: Collection[str] = ()) -> list[OutboxEntry]:
        """Return the oldest waiting entry of each line that is to be tried at ``now``, not for ``without``."""
        self._perhaps_fail()
        due = [
            entry for entry in self._heads() if entry.next_attempt_at <= now and entry.intent.receiver not in without
        ]
        longest = sorted(due, key=lambda entry: (entry.next_attempt_at, entry.number))[:limit]
        return sorted(longest, key=lambda entry: entry.number)

    async def next_due(self) -> datetime | None:
        """Return when the next entry is to be tried, ``None`` while nothing waits."""
        self._perhaps_fail()
        return min((entry.next_attempt_at for entry in self._heads()), default=None)

    async def delivered(self, number: int, now: datetime, detail: str) -> None:
        """Record that the receiver has it."""
        self._perhaps_fail()
        if self._finish(number, OutboxStatus.DELIVERED, now, detail):
            self.failing.pop(self._at(number).intent.receiver, None)

    async def postpone(self, number: int, now: datetime, until: datetime, detail: str) -> None:
        """Record a failed attempt, to be repeated at ``until``."""
        self._perhaps_fail()
        entry = self._at(number)
        if entry in self._heads():
            self._keep(replace(entry, attempts=entry.attempts + 1, next_attempt_at=until, detail=detail))
            since, _ = self.unreached.get(entry.intent.receiver, (now, ""))
            self.unreached[entry.intent.receiver] = since, detail

    async def give_up(self, number: int, now: datetime, detail: str) -> None:
        """Record that it will not be tried again."""
        self._perhaps_fail()
        if self._finish(number, OutboxStatus.FAILED, now, detail):
            intent = self._at(number).intent
            self.failing[intent.receiver] = detail
            self.undelivered += [(alert.id, detail) for alert in intent.alerts]

    def _perhaps_fail(self) -> None:
        if self._failures:
            self._failures -= 1
            raise TemporaryError("outbox: told to fail")

    def _heads(self) -> list[OutboxEntry]:
        heads: dict[tuple[str, str], OutboxEntry] = {}
        for entry in self.entries:
            if entry.status is OutboxStatus.WAITING:
                heads.setdefault(_line(entry), entry)
        return list(heads.values())

    def _finish(self, number: int, status: OutboxStatus, now: datetime, detail: str) -> bool:
        entry = self._at(number)
        if entry.status is not OutboxStatus.WAITING:
            return False
        ended = replace(entry, status=status, attempts=entry.attempts + 1, detail=detail)
        self._keep(replace(ended, finished_at=now, next_attempt_at=now))
        self.unreached.pop(entry.intent.receiver, None)
        for behind in self._heads():
            if _line(behind) == _line(entry) and not behind.attempts:
                self._keep(replace(behind, next_attempt_at=now))
        return True

    def _at(self, number: int) -> OutboxEntry:
        return self.entries[number - 1]

    def _keep(self, entry: OutboxEntry) -> None:
        self.entries[entry.number - 1] = entry


def _line(entry: OutboxEntry) -> tuple[str, str]:
    return entry.intent.receiver, entry.intent.incident
