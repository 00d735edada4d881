"""The journal file: its tables, how it is opened, and how damage is found before it is built upon."""

import sqlite3
import zlib
from pathlib import Path

import msgspec

from core.errors import CorruptJournal, PermanentError, TemporaryError, WrongJournalKey
from core.observations import Entry
from storage.journal.sealing import Seal, Tampered, opened
from storage.reserve import WAL_LIMIT
from storage.wal import switch_to_wal

# 2: batches may be sealed. Tables are as in 1, which is read and written on.
VERSION = 2
_READ = (1, VERSION)
BUSY_SECONDS = 10.0

# One row a group commit, not a row a message: Python's sqlite3 gives up the interpreter lock at every row it steps
# over, and a busy second thread makes each of those cost a switch interval. A batch is one step.
# `checksum` is the CRC-32 of `entries`: SQLite keeps none, and would return overwritten payloads as if they were right.
# `numbering` keeps positions from ever being given twice: `trimmed` is the newest one deleted, `floor` one that may
# have been given and cannot be read any more (set by a rescue).
TABLES = """
CREATE TABLE IF NOT EXISTS batches (
    last_position INTEGER PRIMARY KEY,
    first_position INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    entries BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS readers (name TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ledger (
    day TEXT NOT NULL,
    community TEXT NOT NULL,
    received INTEGER NOT NULL DEFAULT 0,
    stored INTEGER NOT NULL DEFAULT 0,
    duplicate INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (day, community)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantine (
    position INTEGER PRIMARY KEY,
    received_at INTEGER NOT NULL,
    topic TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    excerpt BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS numbering (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    trimmed INTEGER NOT NULL,
    floor INTEGER NOT NULL
);
INSERT OR IGNORE INTO numbering VALUES (1, 0, 0);
"""

encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Entry]).decode


class DamagedBatch(ValueError):
    """What is stored of a batch is not what was written."""


def decode(checksum: int, entries: bytes, seal: Seal | None) -> list[Entry]:
    """Return the entries of a batch, in rising order. Raises `DamagedBatch` or `WrongJournalKey`."""
    if zlib.crc32(entries) != checksum:
        raise DamagedBatch("a batch does not match its checksum")
    try:
        return _decode(opened(entries, seal))
    except Tampered as error:
        raise DamagedBatch(f"a batch was changed: {error}") from error
    except msgspec.MsgspecError as error:
        raise DamagedBatch(f"a batch cannot be decoded: {error}") from error


def connect(path: Path) -> sqlite3.Connection:
    """Open the journal at ``path``, creating it when absent.

    Raises `CorruptJournal`, `PermanentError`, or `TemporaryError` (somebody else has held it for 10 s).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.OperationalError) as error:
        raise unwritable(path, error) from error
    # Bytes that are no UTF-8 are shown as U+FFFD: the driver's own reader fails the whole answer.
    connection.text_factory = lambda stored: stored.decode(errors="replace")
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    try:
        # FULL: a commit has reached the disk when it returns; the broker is told only after that.
        switch_to_wal(connection, BUSY_SECONDS)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(WAL_LIMIT)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, *_READ):
            raise PermanentError(f"journal {path}: format {version}, but this Anju reads {VERSION}; use a newer Anju")
        if version == 0:
            connection.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
    except sqlite3.DatabaseError as error:
        raise classify(error, path) from error


MAX_POSITION = 1 << 60
"""Beyond every position that is ever given, with room for what is added to it."""
# Text and bytes are beyond every number.
_NO_POSITIONS = " UNION ALL ".join(
    f"SELECT '{table}', '{column}', {column} FROM {table} WHERE {column} NOT BETWEEN 0 AND {MAX_POSITION}"  # noqa: S608
    for table, column in (("readers", "position"), ("numbering", "trimmed"), ("numbering", "floor"))
)


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Read the whole file and raise `CorruptJournal` when its structure or a batch is damaged (seconds per GB)."""
    try:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise corrupt(path, verdict)
        for last, checksum, entries in connection.execute("SELECT last_position, checksum, entries FROM batches"):
            if not isinstance(entries, bytes) or zlib.crc32(entries) != checksum:
                raise corrupt(path, f"the batch that ends at position {last} does not match its checksum")
        for table, column, found in connection.execute(_NO_POSITIONS):
            raise corrupt(path, f"{table}.{column} holds {found!r:.40}, expected a position")
    except sqlite3.DatabaseError as error:
        raise classify(error, path) from error


def corrupt(path: Path, what: str) -> CorruptJournal:
    """Return the error for a damaged file, with the way out."""
    on_one_line = " ".join(what.split())
    return CorruptJournal(
        f"journal {path} is damaged ({on_one_line}). Nothing was changed. To go on: `anju journal rescue {path}` "
        f"copies what can be read into a new file and keeps the damaged one beside it"
    )


def locked(path: Path, what: WrongJournalKey) -> WrongJournalKey:
    """Return the error for a journal that is sealed with another key, with the way out."""
    return WrongJournalKey(
        f"journal {path}: {what}. Bring back the key file that belongs to it (journal.key, or ANJU_JOURNAL__KEY_FILE); "
        f"if it is lost, `anju journal rescue --without-key {path}` goes on with a new journal and keeps this one "
        f"beside it"
    )


def unwritable(path: Path, error: Exception) -> PermanentError:
    """Return the error for a file or folder that this user may not write."""
    return PermanentError(
        f"journal {path}: cannot be opened ({error}); expected a file in a folder this user may write"
    )


_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_SHORT_READ", "SQLITE_IOERR_CORRUPTFS")
_UNWRITABLE = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")
_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_NOMEM", "SQLITE_PROTOCOL")


def classify(error: sqlite3.DatabaseError, path: Path) -> CorruptJournal | TemporaryError | PermanentError:
    """Return Anju's error for SQLite's: damage, a condition that may pass (locked, disk full), or neither."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(_DAMAGE):
        return corrupt(path, str(error))
    if name.startswith(_UNWRITABLE):
        return unwritable(path, error)
    if name.startswith(_PASSING):
        return TemporaryError(f"journal {path}: {error}; expected a free file on a disk with room")
    return PermanentError(f"journal {path}: {error}")
