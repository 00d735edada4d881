"""The journal as one SQLite file in WAL mode (decision 0001)."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec

from core.clock import from_microseconds, to_microseconds
from core.observations import Entry, Incoming, Rejection, RejectionReason
from core.wire.topics import community_of
from ingest.ports import JournalSize, LedgerRow, Settlement
from storage.journal.schema import check, classify, connect
from storage.journal.window import DigestWindow

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Entry]).decode
_TRIM_ROWS = 200


class SqliteJournal:
    """Implements ``ingest.ports.Journal``; one process may append, any number may read and advance.

    ``remembered`` is how many of the newest messages duplicates are looked for in.
    """

    def __init__(self, path: Path, *, remembered: int = 200_000) -> None:
        self._path = path
        self._window = DigestWindow(remembered)
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._last = 0

    def open(self, *, appending: bool = True) -> None:
        """Open the file; an appender also checks it for damage and remembers its newest digests.

        Raises `CorruptJournal` (with the way out) or `PermanentError`.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = connect(self._path)
        self._reader = connect(self._path)
        if appending:
            check(self._reader, self._path)
            self._last = self.last_position()
            self._remember()

    def _remember(self) -> None:
        batches: list[list[Entry]] = []
        wanted, before = self._window.capacity, self._last + 1
        while wanted > 0 and (batch := self._batch_before(before)):
            batches.append(batch)
            wanted -= len(batch)
            before = batch[0].position
        for batch in reversed(batches):
            self._window.remember(entry.digest for entry in batch)

    def _batch_before(self, position: int) -> list[Entry]:
        row = self._select(
            "SELECT entries FROM batches WHERE last_position < ? ORDER BY last_position DESC LIMIT 1", (position,)
        )
        return _decode(row[0][0]) if row else []

    def append(self, messages: Sequence[Incoming]) -> int:
        if not messages:
            return self._last
        with self._writing:
            entries = self._number(messages)
            with self._transaction() as cursor:
                cursor.execute(
                    "INSERT INTO batches VALUES (?, ?, ?, ?)",
                    (
                        entries[-1].position,
                        entries[0].position,
                        to_microseconds(entries[-1].received_at),
                        _encode(entries),
                    ),
                )
                _count_received(cursor, entries)
            # Only what is on disk may be remembered: a failed batch comes again and is no duplicate.
            self._window.remember(entry.digest for entry in entries)
            self._last = entries[-1].position
            return self._last

    def _number(self, messages: Sequence[Incoming]) -> list[Entry]:
        fresh: set[int] = set()
        entries = []
        for position, message in enumerate(messages, self._last + 1):
            digest = message.digest
            duplicate = digest in self._window or digest in fresh
            fresh.add(digest)
            payload = b"" if duplicate else message.payload
            entries.append(
                Entry(position, message.received_at, message.topic, payload, message.size, duplicate, digest)
            )
        return entries

    def read(self, after: int, limit: int) -> list[Entry]:
        entries: list[Entry] = []
        while len(entries) < limit:
            # A batch holds 500 messages at most, and at a trickle one: fetch few rows, but not one at a time.
            rows = self._select(
                "SELECT entries FROM batches WHERE last_position > ? ORDER BY last_position LIMIT 8", (after,)
            )
            for (blob,) in rows:
                entries.extend(entry for entry in _decode(blob) if entry.position > after)
            if not rows:
                break
            after = entries[-1].position
        return entries[:limit]

    def register(self, reader: str) -> int:
        with self._writing, self._transaction() as cursor:
            cursor.execute("INSERT OR IGNORE INTO readers VALUES (?, 0)", (reader,))
        return self.positions()[reader]

    def advance(self, reader: str, position: int) -> None:
        with self._writing, self._transaction() as cursor:
            _advance(cursor, reader, position)

    def settle(self, reader: str, settlement: Settlement) -> None:
        with self._writing, self._transaction() as cursor:
            if _advance(cursor, reader, settlement.position):
                _count(cursor, "stored", settlement.stored)
                _count(cursor, "rejected", Counter(_ledger_key(rejection) for rejection in settlement.rejections))
                cursor.executemany(
                    "INSERT OR IGNORE INTO quarantine VALUES (?, ?, ?, ?, ?, ?)",
                    [_quarantine_row(rejection) for rejection in settlement.rejections],
                )

    def positions(self) -> dict[str, int]:
        return dict(self._select("SELECT name, position FROM readers"))

    def trim(self, *, older_than: datetime | None, beyond_bytes: int | None) -> int:
        removed = 0
        while batch := self._trim_once(older_than, beyond_bytes):
            removed += batch
        return removed

    def _trim_once(self, older_than: datetime | None, beyond_bytes: int | None) -> int:
        """Remove the oldest batches in one short transaction, so that appending never waits long."""
        oldest_wanted = to_microseconds(older_than) if older_than else 0
        too_large = beyond_bytes is not None and self.size().bytes > beyond_bytes
        with self._writing, self._transaction() as cursor:
            rows = cursor.execute(
                "SELECT last_position, first_position FROM batches WHERE last_position <= "
                "(SELECT coalesce(min(position), 0) FROM readers) AND (received_at < ? OR ?) "
                "ORDER BY last_position LIMIT ?",
                (oldest_wanted, too_large, _TRIM_ROWS if not too_large else _TRIM_ROWS // 10),
            ).fetchall()
            if not rows:
                return 0
            cursor.execute("DELETE FROM batches WHERE last_position <= ?", (rows[-1][0],))
            cursor.execute("UPDATE trimmed SET position = max(position, ?)", (rows[-1][0],))
            cursor.execute("DELETE FROM quarantine WHERE received_at < ?", (oldest_wanted,))
            return sum(last - first + 1 for last, first in rows)

    def last_position(self) -> int:
        (row,) = self._select(
            "SELECT max((SELECT coalesce(max(last_position), 0) FROM batches), (SELECT position FROM trimmed))"
        )
        return int(row[0])

    def size(self) -> JournalSize:
        (row,) = self._select(
            "SELECT coalesce(min(first_position), 0), (SELECT page_count FROM pragma_page_count), "
            "(SELECT freelist_count FROM pragma_freelist_count), (SELECT page_size FROM pragma_page_size) FROM batches"
        )
        first, pages, free, page_bytes = row
        return JournalSize(first, self.last_position(), (pages - free) * page_bytes)

    def ledger(self, since: date) -> list[LedgerRow]:
        rows = self._select(
            "SELECT day, community, received, stored, duplicate, rejected FROM ledger WHERE day >= ? "
            "ORDER BY day, community",
            (since.isoformat(),),
        )
        return [LedgerRow(date.fromisoformat(day), *rest) for day, *rest in rows]

    def quarantine(self, before: int | None, limit: int) -> list[Rejection]:
        rows = self._select(
            "SELECT position, received_at, topic, reason, detail, excerpt FROM quarantine WHERE position < ? "
            "ORDER BY position DESC LIMIT ?",
            (2**62 if before is None else before, limit),
        )
        return [
            Rejection(position, from_microseconds(at), topic, RejectionReason(reason), detail, excerpt)
            for position, at, topic, reason, detail, excerpt in rows
        ]

    def close(self) -> None:
        for lock, connection in ((self._writing, self._writer), (self._reading, self._reader)):
            with lock:
                if connection is not None:
                    connection.close()
        self._writer = self._reader = None

    def _select(self, statement: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        with self._reading:
            reader = _opened(self._reader)
            try:
                return reader.execute(statement, parameters).fetchall()
            except sqlite3.DatabaseError as error:
                raise classify(error, self._path) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        writer = _opened(self._writer)
        cursor = writer.cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            yield cursor
            cursor.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            _roll_back(writer)
            raise classify(error, self._path) from error
        except BaseException:
            _roll_back(writer)
            raise
        finally:
            cursor.close()


def _opened(connection: sqlite3.Connection | None) -> sqlite3.Connection:
    if connection is None:
        raise RuntimeError("open() comes first")
    return connection


def _roll_back(connection: sqlite3.Connection) -> None:
    # After some errors (a full disk, for one) SQLite has rolled back by itself.
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _ledger_key(message: Entry | Rejection) -> tuple[date, str]:
    return message.received_at.date(), community_of(message.topic)


def _count_received(cursor: sqlite3.Cursor, entries: Sequence[Entry]) -> None:
    _count(cursor, "received", Counter(map(_ledger_key, entries)))
    _count(cursor, "duplicate", Counter(_ledger_key(entry) for entry in entries if entry.duplicate))


_ADD = {
    column: f"INSERT INTO ledger (day, community, {column}) VALUES (?, ?, ?) "  # noqa: S608 - a closed set of names
    f"ON CONFLICT DO UPDATE SET {column} = {column} + excluded.{column}"
    for column in ("received", "stored", "duplicate", "rejected")
}


def _count(cursor: sqlite3.Cursor, column: str, counts: dict[tuple[date, str], int]) -> None:
    for (day, community), count in counts.items():
        cursor.execute(_ADD[column], (day.isoformat(), community, count))


def _advance(cursor: sqlite3.Cursor, reader: str, position: int) -> bool:
    changed = cursor.execute(
        "UPDATE readers SET position = ? WHERE name = ? AND position < ?", (position, reader, position)
    )
    return changed.rowcount == 1


def _quarantine_row(rejection: Rejection) -> tuple[object, ...]:
    return (
        rejection.position,
        to_microseconds(rejection.received_at),
        rejection.topic,
        rejection.reason.value,
        rejection.detail,
        rejection.excerpt,
    )
