"""The journal as one SQLite file in WAL mode (decision 0001)."""

import threading
import zlib
from collections.abc import Sequence
from datetime import date, datetime
from functools import partial
from pathlib import Path

from core.clock import to_microseconds
from core.errors import PermanentError, WrongJournalKey
from core.observations import Entry, Incoming, Rejection
from ingest.ports import JournalSize, LedgerRow, Settlement
from storage.journal.appender_lock import AppenderLock
from storage.journal.bookkeeping import advance, bound_quarantine, count, keep, ledger_row, readable, rejection, tally
from storage.journal.connections import Connections
from storage.journal.schema import DamagedBatch, corrupt, decode, encode, locked
from storage.journal.sealing import Seal
from storage.journal.window import DigestWindow
from storage.reserve import Floor

# Batches deleted in one transaction: short enough (some 15 ms with 80 messages in each) that appending hardly notices.
_TRIM_BATCHES = 50
_TRIM_BATCHES_BY_SIZE = 20
# A flood of rejections between two trims must not fill the disk either.
_BOUND_QUARANTINE_EVERY = 10_000

# What a batch needs beside its payload: the trees' own pages, the ledger, a reader's position.
_SPARE_PAGES = 16

# From the batch that holds the first entry wanted to the one that holds the last. Positions are dense but for what a
# rescue lost, so these hold ``limit`` entries and hardly more; both ends are found in the key, or each read would
# walk the whole table.
_READ = """
SELECT checksum, entries FROM batches WHERE last_position > ?1 AND last_position <= coalesce((
    SELECT min(last_position) FROM batches WHERE last_position >= ?2 + max(?1, (
        SELECT first_position - 1 FROM batches WHERE last_position > ?1 ORDER BY last_position LIMIT 1
    ))
), 1 << 62) ORDER BY last_position LIMIT ?2
"""


class SqliteJournal:
    """Implements ``ingest.ports.Journal``; one process may append, any number may read, advance and settle.

    ``remembered`` is how many of the newest messages duplicates are looked for in, ``quarantined`` how many of the
    newest rejections are kept (and up to 10,000 more for a while).

    Below ``floor`` the file does not grow: an append goes into its free pages, and the oldest entries that every reader
    has read are trimmed for it. Where none are left it raises `TemporaryError`, and the broker holds what comes.

    Batches and excerpts of rejections are sealed with ``seal`` (decision 0014); without one they are written as they
    are, and what is sealed cannot be read: reading raises `WrongJournalKey`, as with another key.
    """

    def __init__(
        self,
        path: Path,
        *,
        remembered: int = 200_000,
        quarantined: int = 100_000,
        floor: Floor | None = None,
        seal: Seal | None = None,
    ) -> None:
        self._path = path
        self._seal = seal
        self._floor = floor
        self.trimmed_for_room = 0
        """Entries that were trimmed early because the disk was full."""
        self._quarantined = quarantined
        self._window = DigestWindow(remembered)
        self._lock = AppenderLock(path)
        self._connections = Connections(path)
        self._appending = threading.Lock()
        self._last = 0
        self._unbounded = 0

    def open(self, *, appending: bool = True) -> None:
        """Open the file; an appender also checks it for damage and remembers its newest digests.

        Raises `CorruptJournal` or `WrongJournalKey` (with the way out), `StartupError` (it has an appender already),
        another `PermanentError`, or `TemporaryError` (locked for longer than 10 s).
        """
        try:
            if appending:
                self._lock.acquire()
            self._connections.open()
            if appending:
                self._connections.check()
                self._last = self._last_given()
                self._remember()
                if self._seal is not None:
                    self._connections.mark_format()
        except BaseException:
            self.close()
            raise

    def _last_given(self) -> int:
        ((floor,),) = self._connections.select("SELECT floor FROM numbering")
        return max(self.last_position(), int(floor))

    def _remember(self) -> None:
        digests: list[list[int]] = []
        wanted, before = self._window.capacity, self._last + 1
        while wanted > 0 and (batch := self._batch_before(before)):
            digests.append([entry.digest for entry in batch])
            wanted -= len(batch)
            before = batch[0].position
        for batch_digests in reversed(digests):
            self._window.remember(batch_digests)

    def _batch_before(self, position: int) -> list[Entry]:
        return self._entries(
            "SELECT checksum, entries FROM batches WHERE last_position < ? ORDER BY last_position DESC LIMIT 1",
            (position,),
        )

    def problems(self) -> dict[str, str]:
        """Return the damage that was met since the start, as *component → words*; only a rescue ends it."""
        if not (damage := self._connections.damage):
            return {}
        zh = f"消息日志 {self._path} 已损坏，停止 Anju 后修复：`anju journal rescue {self._path}`"
        return {"journal": f"{zh} / {damage}"}

    def append(self, messages: Sequence[Incoming]) -> int:
        if not self._lock.held:
            raise PermanentError(f"journal {self._path}: opened for reading; expected open(appending=True)")
        with self._appending:
            if not messages:
                return self._last
            entries = self._window.number(messages, self._last)
            self._store(entries)
            # Only what is on disk may be remembered: a failed batch comes again and is no duplicate.
            self._window.remember([entry.digest for entry in entries])
            self._last = entries[-1].position
            return self._last

    def _store(self, entries: Sequence[Entry]) -> None:
        first, last = entries[0], entries[-1]
        blob = encode(entries) if self._seal is None else self._seal.close(encode(entries))
        if self._floor is not None and self._floor.reached():
            self._find_room_inside(self._floor, len(blob))
        batch = (last.position, first.position, to_microseconds(last.received_at), zlib.crc32(blob), blob)
        received, duplicate = tally(entries), tally([entry for entry in entries if entry.duplicate])
        with self._connections.transaction() as cursor:
            cursor.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", batch)
            count(cursor, "received", received)
            count(cursor, "duplicate", duplicate)

    def _find_room_inside(self, floor: Floor, wanted: int) -> None:
        ((page_bytes,),) = self._connections.select("SELECT page_size FROM pragma_page_size")
        pages = wanted // page_bytes + _SPARE_PAGES
        while self._connections.select("SELECT freelist_count FROM pragma_freelist_count")[0][0] < pages:
            trimmed = self._trim_once(oldest=0, beyond_bytes=0)
            if not trimmed:
                raise floor.refusal(f"journal {self._path}")
            self.trimmed_for_room += trimmed

    def read(self, after: int, limit: int) -> list[Entry]:
        entries = self._entries(_READ, (after, limit))
        start = next((index for index, entry in enumerate(entries) if entry.position > after), len(entries))
        return entries[start : start + limit]

    def _entries(self, statement: str, parameters: tuple[object, ...]) -> list[Entry]:
        rows = self._connections.select(statement, parameters)
        try:
            return [entry for checksum, blob in rows for entry in decode(checksum, blob, self._seal)]
        except WrongJournalKey as error:
            raise locked(self._path, error) from error
        except DamagedBatch as error:
            damaged = corrupt(self._path, str(error))
            self._connections.damage = str(damaged)
            raise damaged from error

    def register(self, reader: str) -> int:
        with self._connections.transaction() as cursor:
            # A newcomer starts behind what was trimmed: it would wait for ever for the entries before.
            cursor.execute("INSERT OR IGNORE INTO readers SELECT ?, trimmed FROM numbering", (reader,))
            (position,) = cursor.execute("SELECT position FROM readers WHERE name = ?", (reader,)).fetchone()
        return int(position)

    def advance(self, reader: str, position: int) -> None:
        with self._connections.transaction() as cursor:
            advance(cursor, reader, position)

    def settle(self, reader: str, settlement: Settlement) -> None:
        rejections = settlement.rejections
        with self._connections.transaction() as cursor:
            if not advance(cursor, reader, settlement.position):
                return
            count(cursor, "stored", settlement.stored)
            count(cursor, "rejected", tally(rejections))
            keep(cursor, rejections, self._seal)
            self._unbounded += len(rejections)
            if self._unbounded >= _BOUND_QUARANTINE_EVERY:
                bound_quarantine(cursor, self._quarantined)
                self._unbounded = 0

    def positions(self) -> dict[str, int]:
        return dict(self._connections.select("SELECT name, position FROM readers"))

    def trim(self, *, older_than: datetime | None, beyond_bytes: int | None) -> int:
        oldest = to_microseconds(older_than) if older_than else 0
        with self._connections.transaction() as cursor:
            cursor.execute("DELETE FROM quarantine WHERE received_at < ?", (oldest,))
            bound_quarantine(cursor, self._quarantined)
        removed = 0
        while batch := self._trim_once(oldest, beyond_bytes):
            removed += batch
        return removed

    def _trim_once(self, oldest: int, beyond_bytes: int | None) -> int:
        """Remove some of the oldest batches in one short transaction; return how many entries they held."""
        too_large = beyond_bytes is not None and self.size().bytes > beyond_bytes
        with self._connections.transaction() as cursor:
            rows = cursor.execute(
                "SELECT last_position, first_position, received_at FROM batches WHERE last_position <= "
                "(SELECT min(position) FROM readers) ORDER BY last_position LIMIT ?",
                (_TRIM_BATCHES_BY_SIZE if too_large else _TRIM_BATCHES,),
            ).fetchall()
            # What came before an old batch is older, whatever a clock that was set back says of it.
            while rows and not too_large and rows[-1][2] >= oldest:
                rows.pop()
            if not rows:
                return 0
            cursor.execute("DELETE FROM batches WHERE last_position <= ?", (rows[-1][0],))
            cursor.execute("UPDATE numbering SET trimmed = max(trimmed, ?)", (rows[-1][0],))
        return sum(last - first + 1 for last, first, _ in rows)

    def last_position(self) -> int:
        (row,) = self._connections.select(
            "SELECT max((SELECT coalesce(max(last_position), 0) FROM batches), (SELECT trimmed FROM numbering))"
        )
        return int(row[0])

    def size(self) -> JournalSize:
        (row,) = self._connections.select(
            "SELECT (SELECT first_position FROM batches ORDER BY last_position LIMIT 1), "
            "(SELECT page_count FROM pragma_page_count), "
            "(SELECT freelist_count FROM pragma_freelist_count), (SELECT page_size FROM pragma_page_size)"
        )
        first, pages, free, page_bytes = row
        last = self.last_position()
        return JournalSize(first or (last and last + 1), last, (pages - free) * page_bytes)

    def ledger(self, since: date) -> list[LedgerRow]:
        rows = self._connections.select(
            "SELECT day, community, received, stored, duplicate, rejected FROM ledger WHERE day >= ? "
            "ORDER BY day, community",
            (since.isoformat(),),
        )
        return readable("ledger", rows, ledger_row)

    def quarantine(self, before: int | None, limit: int) -> list[Rejection]:
        rows = self._connections.select(
            "SELECT position, received_at, topic, reason, detail, excerpt FROM quarantine WHERE position < ? "
            "ORDER BY position DESC LIMIT ?",
            (2**62 if before is None else before, limit),
        )
        return readable("quarantine", rows, partial(rejection, seal=self._seal))

    def close(self) -> None:
        self._connections.close()
        self._lock.release()
