"""A journal made of lists, for tests; as plain as can be, so that it can be believed."""

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime

from core.observations import Entry, Incoming, Rejection
from ingest.ports import JournalSize, LedgerRow, Settlement
from storage.journal.bookkeeping import COMMUNITIES_A_DAY, OTHERS, Tally, tally, unknown_reader
from storage.journal.window import DigestWindow


class MemoryJournal:
    """Implements ``ingest.ports.Journal`` until the process ends; a size in bytes is the sum of the payloads."""

    def __init__(self, *, remembered: int = 200_000, quarantined: int = 100_000) -> None:
        self._lock = threading.RLock()
        self._window = DigestWindow(remembered)
        self._quarantined = quarantined
        self._last = 0
        self._trimmed = 0
        self._entries: list[Entry] = []
        self._readers: dict[str, int] = {}
        self._counts: dict[str, Counter[tuple[date, str]]] = {
            column: Counter() for column in ("received", "stored", "duplicate", "rejected")
        }
        self._rejections: dict[int, Rejection] = {}

    def append(self, messages: Sequence[Incoming]) -> int:
        with self._lock:
            entries = self._window.number(messages, self._last)
            self._window.remember(entry.digest for entry in entries)
            self._entries.extend(entries)
            self._last += len(entries)
            self._count("received", tally(entries))
            self._count("duplicate", tally([entry for entry in entries if entry.duplicate]))
            return self._last

    def _count(self, column: str, counts: Tally) -> None:
        for (day, community), number in counts.items():
            self._counts[column][day, self._row_of(day, community)] += number

    def _row_of(self, day: date, community: str) -> str:
        named = {name for at, name in self._counts["received"] if at == day} - {OTHERS}
        return community if community in named or len(named) < COMMUNITIES_A_DAY else OTHERS

    def read(self, after: int, limit: int) -> list[Entry]:
        with self._lock:
            return [entry for entry in self._entries if entry.position > after][:limit]

    def register(self, reader: str) -> int:
        with self._lock:
            return self._readers.setdefault(reader, self._trimmed)

    def advance(self, reader: str, position: int) -> None:
        self._advance(reader, position)

    def _advance(self, reader: str, position: int) -> bool:
        with self._lock:
            if reader not in self._readers:
                raise unknown_reader(reader)
            moves = position > self._readers[reader]
            self._readers[reader] = max(position, self._readers[reader])
            return moves

    def settle(self, reader: str, settlement: Settlement) -> None:
        with self._lock:
            if self._advance(reader, settlement.position):
                self._count("stored", settlement.stored)
                self._count("rejected", tally(settlement.rejections))
                self._rejections |= {one.position: one for one in settlement.rejections}

    def positions(self) -> dict[str, int]:
        with self._lock:
            return dict(self._readers)

    def trim(self, *, older_than: datetime | None, beyond_bytes: int | None) -> int:
        with self._lock:
            self._bound_quarantine(older_than)
            before = len(self._entries)
            while self._entries and self._may_go(self._entries[0], older_than, beyond_bytes):
                self._trimmed = self._entries.pop(0).position
            return before - len(self._entries)

    def _may_go(self, oldest: Entry, older_than: datetime | None, beyond_bytes: int | None) -> bool:
        too_old = older_than is not None and oldest.received_at < older_than
        too_much = beyond_bytes is not None and self.size().bytes > beyond_bytes
        return oldest.position <= min(self._readers.values(), default=0) and (too_old or too_much)

    def _bound_quarantine(self, older_than: datetime | None) -> None:
        kept = sorted(self._rejections)[-self._quarantined :]
        self._rejections = {
            position: self._rejections[position]
            for position in kept
            if older_than is None or self._rejections[position].received_at >= older_than
        }

    def last_position(self) -> int:
        return self._last

    def size(self) -> JournalSize:
        with self._lock:
            first = self._entries[0].position if self._entries else (self._last and self._last + 1)
            return JournalSize(first, self._last, sum(len(entry.payload) for entry in self._entries))

    def ledger(self, since: date) -> list[LedgerRow]:
        with self._lock:
            return [
                LedgerRow(day, community, *(counts[day, community] for counts in self._counts.values()))
                for day, community in sorted(self._counts["received"])
                if day >= since
            ]

    def quarantine(self, before: int | None, limit: int) -> list[Rejection]:
        with self._lock:
            newest_first = sorted(self._rejections, reverse=True)
            found = [position for position in newest_first if before is None or position < before]
            return [self._rejections[position] for position in found[:limit]]

    def close(self) -> None:
        """Nothing to release; what was appended stays readable."""
