"""The two connections to a journal file: one that writes, one that reads, each used by one thread at a time."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from core.errors import AnjuError, CorruptJournal
from storage.journal.schema import VERSION, check, classify, connect


class Connections:
    """Gives out transactions and answers questions; a reader never waits for a writer.

    Nobody may hold one of the two locks while waiting for the other.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self.damage = ""
        """The damage that was met since the file was opened; empty for none."""

    def open(self) -> None:
        """Open, or create, the file; raises what `connect` raises."""
        self._writer = connect(self._path)
        self._reader = connect(self._path)

    def check(self) -> None:
        """Raise `CorruptJournal` when the file is damaged."""
        with self._reading:
            check(_opened(self._reader), self._path)

    def mark_format(self) -> None:
        """Note in the file that it may hold what an older Anju cannot read; writes nothing where it says so already."""
        if self.select("SELECT user_version FROM pragma_user_version") == [(VERSION,)]:
            return
        with self.transaction() as cursor:
            cursor.execute(f"PRAGMA user_version = {VERSION}")

    def close(self) -> None:
        """Close both; calling it again does nothing."""
        with self._writing:
            if self._writer is not None:
                self._writer.close()
            self._writer = None
        with self._reading:
            if self._reader is not None:
                self._reader.close()
            self._reader = None

    def select(self, statement: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        """Return every row of a question."""
        with self._reading:
            reader = _opened(self._reader)
            try:
                return reader.execute(statement, parameters).fetchall()
            except sqlite3.DatabaseError as error:
                raise self._noted(classify(error, self._path)) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Cursor]:
        """Give a cursor whose changes are durable after the block, or not there at all when it raises."""
        with self._writing:
            writer = _opened(self._writer)
            cursor = writer.cursor()
            try:
                cursor.execute("BEGIN IMMEDIATE")
                yield cursor
                cursor.execute("COMMIT")
            except sqlite3.DatabaseError as error:
                _roll_back(writer)
                raise self._noted(classify(error, self._path)) from error
            except BaseException:
                _roll_back(writer)
                raise
            finally:
                cursor.close()

    def _noted(self, error: AnjuError) -> AnjuError:
        if isinstance(error, CorruptJournal):
            self.damage = str(error)
        return error


def _opened(connection: sqlite3.Connection | None) -> sqlite3.Connection:
    if connection is None:
        raise RuntimeError("open() comes first")
    return connection


def _roll_back(connection: sqlite3.Connection) -> None:
    # After some errors (a full disk, for one) SQLite has rolled back by itself; and where even this fails, the first
    # error is the one to report.
    if connection.in_transaction:
        with suppress(sqlite3.DatabaseError):
            connection.execute("ROLLBACK")
