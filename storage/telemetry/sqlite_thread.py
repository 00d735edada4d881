"""A SQLite connection with a thread of its own, so that the event loop never waits for the disk."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from core.errors import MalformedPoints, StartupError, TemporaryError
from storage.damage import is_damage, require_known
from storage.reserve import WAL_LIMIT

_Answer = TypeVar("_Answer")
# Another process may hold the lock for one batch or one checkpoint; longer than this something is wrong.
_BUSY_TIMEOUT_SECONDS = 5.0
_WAY_OUT = (
    ": it is damaged; new values wait in the journal. Stop Anju and restore a backup, or move the file and its marker"
    " away to begin a new history"
)


class SqliteThread:
    """Runs jobs one after the other on one connection to ``path``, opened by the first job by ``connect``.

    A file that is not the one its marker names is neither read nor changed: a `TemporaryError` with the way out.
    """

    def __init__(self, path: Path, connect: Callable[[Path], sqlite3.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._executor: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None

    async def run(self, job: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        """Return what ``job`` returns. Raises `TemporaryError`, or `MalformedPoints` for a value SQLite cannot hold."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="telemetry")
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._do, job)

    async def close(self) -> None:
        """Finish the jobs under way and close the file; calling it again does nothing."""
        executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.get_running_loop().run_in_executor(executor, self._close)
            executor.shutdown(wait=False)

    def _do(self, job: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        with library_errors(self._path):
            if self._connection is None:
                self._connection = self._opened()
            return job(self._connection)

    def _opened(self) -> sqlite3.Connection:
        try:
            require_known(self._path, "telemetry")
        except StartupError as error:
            raise TemporaryError(f"{error}. New values wait in the journal") from error
        return self._connect(self._path)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open ``path`` for writing, creating the file; a commit that returned survives a power cut."""
    return _connect(path, "rwc", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", WAL_LIMIT)


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open ``path``, which must exist, for reading; readers and the writer do not wait for each other in WAL mode."""
    # Not `mode=ro`: such a reader cannot create the WAL's index and fails where no writer has the file open.
    return _connect(path, "rw", "PRAGMA query_only = ON")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block writes, all or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite itself has rolled back already after some errors (disk full), and then says so.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def library_errors(path: Path) -> Iterator[None]:
    """The one place where SQLite's errors become ours."""
    try:
        yield
    except (OverflowError, UnicodeEncodeError, sqlite3.InterfaceError, sqlite3.ProgrammingError) as error:
        raise MalformedPoints(f"telemetry store {path}: {error}") from error
    except (sqlite3.Error, OSError) as error:
        way_out = _WAY_OUT if isinstance(error, sqlite3.Error) and is_damage(error) else ""
        raise TemporaryError(f"telemetry store {path}: {error}{way_out}") from error


def _connect(path: Path, mode: str, *pragmas: str) -> sqlite3.Connection:
    # isolation_level None: transactions are begun and ended here, never by the driver.
    address = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT_SECONDS)
    # Bytes that are no UTF-8 are shown as U+FFFD: the driver's own reader fails the whole answer.
    connection.text_factory = lambda stored: stored.decode(errors="replace")
    try:
        for pragma in pragmas:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection
