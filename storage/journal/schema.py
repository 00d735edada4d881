"""The journal file: its tables, how it is opened, and how damage is found before it is built upon."""

import sqlite3
from pathlib import Path

from core.errors import CorruptJournal, PermanentError, TemporaryError

VERSION = 1
BUSY_SECONDS = 10.0

# One row a group commit, not a row a message: Python's sqlite3 gives up the interpreter lock at every row it steps
# over, and a busy second thread makes each of those cost a switch interval. A batch is one step.
_TABLES = """
CREATE TABLE IF NOT EXISTS batches (
    last_position INTEGER PRIMARY KEY,
    first_position INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
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
CREATE TABLE IF NOT EXISTS trimmed (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL);
INSERT OR IGNORE INTO trimmed VALUES (1, 0);
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the journal at ``path``, creating it when absent; raises `CorruptJournal` or `PermanentError`."""
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise PermanentError(f"journal {path}: cannot be opened ({error}); expected a writable folder") from error
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    try:
        # FULL: a commit has reached the disk when it returns; the broker is told only after that.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise PermanentError(f"journal {path}: format {version}, but this Anju reads {VERSION}; use a newer Anju")
        if version == 0:
            connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
    except sqlite3.DatabaseError as error:
        raise classify(error, path) from error


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Read the whole file once and raise `CorruptJournal` when its structure is damaged (about 1 s per GB)."""
    try:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        raise classify(error, path) from error
    if verdict != "ok":
        raise corrupt(path, verdict)


def corrupt(path: Path, what: str) -> CorruptJournal:
    """Return the error for a damaged file, with the way out."""
    return CorruptJournal(
        f"journal {path} is damaged ({what}). Nothing was changed. To go on: `anju journal rescue {path}` copies what "
        f"can be read into a new file and keeps the damaged one beside it"
    )


_DAMAGE = {"SQLITE_CORRUPT", "SQLITE_NOTADB"}


def classify(error: sqlite3.DatabaseError, path: Path) -> CorruptJournal | TemporaryError | PermanentError:
    """Return Anju's error for SQLite's: damage, a condition that may pass (locked, disk full), or neither."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(tuple(_DAMAGE)):
        return corrupt(path, str(error))
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return PermanentError(f"journal {path}: {error}; expected a file this user may write")
    return TemporaryError(f"journal {path}: {error}")
