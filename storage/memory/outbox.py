"""An outbox made of a list, for tests: it can be told to fail."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from alerts.dispatch.model import Intent, OutboxEntry, OutboxStatus, Purpose
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
        self._last_number = 0

    def fail(self, *, times: int) -> None:
        """Let the next ``times`` calls raise `TemporaryError`."""
        self._failures += times

    def put(self, intents: Sequence[Intent], now: datetime, ahead: timedelta = timedelta(0)) -> None:
        """Add what is not there yet, by ``id``, at ``now`` of the steady clock."""
        for intent in intents:
            if all(entry.intent.id != intent.id for entry in self.entries):
                self._last_number += 1
                came_in = OutboxEntry(self._last_number, intent, OutboxStatus.WAITING, 0, now, now + ahead)
                self.entries.append(replace(came_in, created_ahead=ahead))

    async def due(
        self, now: datetime, limit: int, without: Collection[str] = (), *, calls: bool | None = None
    ) -> list[OutboxEntry]:
        """Return the oldest waiting entry of each line that is to be tried at ``now``, as the port says."""
        self._perhaps_fail()
        heads = [entry for entry in self._heads() if calls in (None, entry.intent.purpose is Purpose.CALL)]
        due = [entry for entry in heads if entry.next_attempt_at <= now and entry.intent.receiver not in without]
        longest = sorted(due, key=lambda entry: (entry.next_attempt_at, entry.number))[:limit]
        return sorted(longest, key=lambda entry: entry.number)

    async def next_due(self) -> datetime | None:
        """Return when the next entry is to be tried, ``None`` while nothing waits."""
        self._perhaps_fail()
        return min((entry.next_attempt_at for entry in self._heads()), default=None)

    async def delivered(self, number: int, now: datetime, detail: str) -> None:
        """Record that the receiver has it."""
        self._perhaps_fail()
        if entry := self._finish(number, OutboxStatus.DELIVERED, now, detail):
            self.failing.pop(entry.intent.receiver, None)

    async def postpone(self, number: int, now: datetime, until: datetime, detail: str) -> None:
        """Record a failed attempt, to be repeated at ``until``."""
        self._perhaps_fail()
        entry = self._at(number)
        if entry is not None and entry in self._heads():
            self._keep(replace(entry, attempts=entry.attempts + 1, next_attempt_at=until, detail=detail))
            since, _ = self.unreached.get(entry.intent.receiver, (now, ""))
            self.unreached[entry.intent.receiver] = since, detail

    async def give_up(self, number: int, now: datetime, detail: str) -> None:
        """Record that it will not be tried again."""
        self._perhaps_fail()
        if entry := self._finish(number, OutboxStatus.FAILED, now, detail):
            self.failing[entry.intent.receiver] = detail
            self.undelivered += [(alert.id, detail) for alert in entry.intent.alerts]

    async def trim(self, before: datetime, limit: int) -> int:
        """Delete at most ``limit`` entries that were finished before ``before``, and return how many."""
        self._perhaps_fail()
        old = [entry for entry in self.entries if entry.finished_at is not None and entry.finished_at < before][:limit]
        self.entries = [entry for entry in self.entries if entry not in old]
        return len(old)

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

    def _finish(self, number: int, status: OutboxStatus, now: datetime, detail: str) -> OutboxEntry | None:
        entry = self._at(number)
        if entry is None or entry.status is not OutboxStatus.WAITING:
            return None
        ended = replace(entry, status=status, attempts=entry.attempts + 1, detail=detail)
        self._keep(replace(ended, finished_at=now, next_attempt_at=now))
        self.unreached.pop(entry.intent.receiver, None)
        for behind in self._heads():
            if _line(behind) == _line(entry) and not behind.attempts:
                self._keep(replace(behind, next_attempt_at=now))
        return entry

    def _at(self, number: int) -> OutboxEntry | None:
        return next((entry for entry in self.entries if entry.number == number), None)

    def _keep(self, entry: OutboxEntry) -> None:
        self.entries = [entry if known.number == entry.number else known for known in self.entries]


def _line(entry: OutboxEntry) -> tuple[str, str]:
    return entry.intent.receiver, entry.intent.incident
