"""Room inside SQLite files and below them, so that a full disk does not stop what must go on.

Two means work together.

The *floor* is an amount of free space which only the records may use up. Below it the journal does not grow (it goes on
inside its file, see `SqliteJournal`) and telemetry waits.

The *reserve* is room that nobody else can take: free pages inside the file, which SQLite uses before it extends the
file, and a write-ahead log that is as long already as it gets between two checkpoints. A program that fills the disk to
the last byte therefore does not keep a call for help from being committed. SQLite knows no such thing, so the pages
are made by storing a filler and deleting it again; ordinary growth uses them up, so `keep_reserve` is called again and
again.
"""

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from core.errors import TemporaryError

MIB = 1024 * 1024
# A write-ahead log that grew under a long reader (a backup, a backtest) is cut back to this afterwards.
WAL_LIMIT = "PRAGMA journal_size_limit = 67108864"
_BUSY_SECONDS = 5.0
# One transaction each: an append in between waits no longer than one of them.
_PIECE_BYTES = MIB
# SQLite checkpoints at 1,000 pages, after the transaction that reached them.
_WAL_BYTES = 4 * MIB
_FILL = "INSERT INTO anju_reserve VALUES (zeroblob(?))"


@dataclass(frozen=True)
class Floor:
    """The free space on the disk of ``folder`` below which nothing but the records may grow.

    It is ``most`` bytes, but never more than ``share`` of the disk: a small disk would be full from the start.
    """

    folder: Path
    most: int
    share: float = 1.0

    def reached(self) -> bool:
        """Return whether less than the floor is free; a disk that does not say counts as one with room."""
        with suppress(OSError):
            said = os.statvfs(self.folder)
            return said.f_bavail * said.f_frsize < self.bytes_of(said.f_blocks * said.f_frsize)
        return False

    def bytes_of(self, total: int) -> float:
        """Return the floor of a disk of ``total`` bytes."""
        return min(self.most, self.share * total)

    def refusal(self, what: str) -> TemporaryError:
        """Return the error for ``what`` that has to wait."""
        return TemporaryError(
            f"{what} waits: the disk of {self.folder} is full, and what is left is kept for calls and alerts; make "
            f"room, and it goes on by itself"
        )


def free_bytes(folder: Path) -> int:
    """Return how much an ordinary user may still write on the disk of ``folder``. Raises OSError."""
    said = os.statvfs(folder)
    return said.f_bavail * said.f_frsize


def keep_reserve(path: Path, wanted: int) -> bool:
    """Make ``wanted`` bytes of free pages in the SQLite file ``path`` where less than half of them is left.

    Returns whether it had to. The file must exist, in WAL mode, with a connection of somebody's that stays open.
    Raises `TemporaryError` (no room for it, locked).
    """
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
            enough = _free_pages_bytes(connection) >= wanted // 2
            if enough and _wal_bytes(path) >= _WAL_BYTES:
                return False
            _fill(connection, path.parent, max(0 if enough else wanted, _WAL_BYTES + _PIECE_BYTES))
            return True
    except (sqlite3.Error, OSError) as error:
        raise TemporaryError(f"reserve in {path}: {error}; expected room for {wanted / MIB:.0f} MiB") from error


def _fill(connection: sqlite3.Connection, folder: Path, wanted: int) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    # Or deleting would write all of it again.
    connection.execute("PRAGMA secure_delete = OFF")
    try:
        for _ in range(-(-wanted // _PIECE_BYTES)):
            if free_bytes(folder) < 3 * _PIECE_BYTES:
                break  # Deleting the filler takes room as well.
            _store_piece(connection)
    finally:
        connection.execute("DROP TABLE IF EXISTS anju_reserve")
    # What is in the write-ahead log alone has no room in the file yet.
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _store_piece(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have deleted the filler between two pieces: it keeps a reserve in the same file.
        connection.execute("CREATE TABLE IF NOT EXISTS anju_reserve (filler BLOB)")
        connection.execute(_FILL, (_PIECE_BYTES,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _free_pages_bytes(connection: sqlite3.Connection) -> int:
    (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(page_bytes)


def _wal_bytes(path: Path) -> int:
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size
    except FileNotFoundError:
        return 0
