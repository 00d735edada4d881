"""The connection to the records database: one engine, two kinds of transaction, one mapping of errors."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from psycopg import DataError
from psycopg.abc import Buffer
from psycopg.types.datetime import TimestamptzBinaryLoader, TimestamptzLoader
from sqlalchemy import ColumnElement, Connection, Row, Select, Table, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from core.errors import PermanentError, StartupError, TemporaryError
from storage.damage import is_damage, refusal
from storage.records.turns import WriteTurns
from storage.records.unreadable import UnreadableRows, decoded
from storage.reserve import WAL_LIMIT
from storage.wal import switch_to_wal

CONNECT_TIMEOUT_SECONDS = 5
# A cut cable must not hold a commit for the kernel's fifteen minutes.
UNANSWERED_MILLISECONDS = 10_000
BUSY_TIMEOUT_MILLISECONDS = 5_000
_WRITES = "anju_writes"
_DAMAGED = ": the file is damaged; stop Anju, then restore a backup or run `anju records rescue FILE`"
_Decoded = TypeVar("_Decoded")
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # A commit that returned survives a power cut, as PostgreSQL's does.
    "PRAGMA foreign_keys = ON",
    WAL_LIMIT,
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MILLISECONDS}",
)


class RecordsDatabase:
    """The records database at ``url``: ``sqlite+aiosqlite:///PATH`` or ``postgresql+psycopg://…``.

    Expects the schema that `storage.records.upgrade` makes.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: AsyncEngine | None = None
        self._turns = WriteTurns()
        self.unreadable = UnreadableRows()
        """The rows that its readers left out because they could not be decoded."""

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file, which holds any value in any column."""
        return make_url(self._url).get_backend_name() == "sqlite"

    async def open(self) -> None:
        """Connect once to see that the database answers. Raises `TemporaryError`; may be repeated."""
        if self._engine is None:
            engine = create_engine(self._url)
            if engine.dialect.name == "sqlite":
                await asyncio.to_thread(open_once, engine.url.database or "")
            self._engine = engine
        await self.ping()

    async def close(self) -> None:
        """Close all connections; may be called twice, and before `open`."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    async def ping(self) -> None:
        """Return when the database answers. Raises `TemporaryError`."""
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads. The driver's errors leave as `TemporaryError` or `PermanentError`."""
        with library_errors():
            async with self._opened().connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self, *, urgent: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes: committed at the end of the block, rolled back when an error leaves it.

        On SQLite writers of this process queue, ``urgent`` ones first; PostgreSQL has locks for rows.
        """
        engine = self._opened()
        sqlite = engine.dialect.name == "sqlite"
        with library_errors():
            async with self._turns.turn(urgent=urgent) if sqlite else nullcontext(), engine.connect() as connection:
                await connection.execution_options(**{_WRITES: True})
                async with connection.begin():
                    yield connection

    async def read(self, wanted: Select[Any], table: Table, decode: Callable[[Row[Any]], _Decoded]) -> list[_Decoded]:
        """Return what ``wanted``, a selection of whole rows of ``table``, finds; unreadable rows are left out."""
        async with self.reading() as connection:
            return decoded(await connection.execute(wanted), table, decode, self.unreadable)

    async def read_page(
        self,
        wanted: Select[Any],
        table: Table,
        decode: Callable[[Row[Any]], _Decoded],
        *,
        by: ColumnElement[Any],
        limit: int,
        falling: bool = False,
    ) -> list[_Decoded]:
        """As `read`, the first ``limit`` in the order of the column ``by``, which is unique.

        For every unreadable row a further one is read: whoever asks for the next page only after a full one, or reads
        on until nothing comes, misses none.
        """
        ordered = wanted.order_by(by.desc() if falling else by).limit(limit)
        found: list[_Decoded] = []
        async with self.reading() as connection:
            rows = (await connection.execute(ordered)).all()
            while rows:
                found += decoded(rows, table, decode, self.unreadable)
                if len(rows) < limit or len(found) >= limit:
                    break
                last = getattr(rows[-1], by.key or "")
                rows = (await connection.execute(ordered.where(by < last if falling else by > last))).all()
        return found[:limit]

    def _opened(self) -> AsyncEngine:
        if self._engine is None:
            raise TemporaryError("records database: not open")
        return self._engine


def create_engine(url: str) -> AsyncEngine:
    """Make the engine for ``url``; connects to nothing yet. Raises `StartupError` for another kind of database."""
    try:
        backend = make_url(url).drivername
    except ArgumentError as error:
        raise StartupError("records database: not a URL of the form driver://…") from error
    if backend == "sqlite+aiosqlite":
        return _create_sqlite(url)
    if backend == "postgresql+psycopg":
        return _create_postgres(url)
    raise StartupError(f"records database: {backend}: expected sqlite+aiosqlite or postgresql+psycopg")


def open_once(path: str) -> None:
    """See that SQLite can open the file, before aiosqlite tries: after a refusal its thread outlives the event loop.

    The file is put into WAL mode here, which lasts.
    """
    try:
        with closing(sqlite3.connect(path)) as connection:
            switch_to_wal(connection, BUSY_TIMEOUT_MILLISECONDS / 1_000)
    except sqlite3.Error as error:
        if is_damage(error):
            raise refusal("records", Path(path), str(error)) from error
        raise TemporaryError(f"records database: {path}: {error}") from error


def _create_sqlite(url: str) -> AsyncEngine:
    # isolation_level None: the driver opens no transactions of its own, `_begin` does.
    engine = create_async_engine(url, connect_args={"isolation_level": None}, hide_parameters=True)
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _create_postgres(url: str) -> AsyncEngine:
    limits = {"connect_timeout": CONNECT_TIMEOUT_SECONDS, "tcp_user_timeout": UNANSWERED_MILLISECONDS}
    # Pre-ping: after PostgreSQL restarts, the pool's old connections are replaced before somebody's commit meets them.
    engine = create_async_engine(url, connect_args=limits, pool_pre_ping=True, hide_parameters=True)
    event.listen(engine.sync_engine, "connect", _load_instants)
    return engine


class _InstantLoader(TimestamptzLoader):
    """An instant that Python cannot hold (``infinity``, before year 1) comes out as text, see `tables.Instant`."""

    def load(self, data: Buffer) -> Any:
        try:
            return super().load(data)
        except DataError:
            return bytes(data).decode()


class _BinaryInstantLoader(TimestamptzBinaryLoader):
    """The same for the binary format."""

    def load(self, data: Buffer) -> Any:
        try:
            return super().load(data)
        except DataError as error:
            return str(error)


def _load_instants(connection: DBAPIConnection, _record: object) -> None:
    for loader in (_InstantLoader, _BinaryInstantLoader):
        connection.driver_connection.adapters.register_loader("timestamptz", loader)


def _set_pragmas(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()
    # Bytes that are no UTF-8 (a damaged page) are shown as U+FFFD: the driver's own reader fails the whole result.
    connection.driver_connection.text_factory = _text


def _text(stored: bytes) -> str:
    return stored.decode(errors="replace")


def _begin(connection: Connection) -> None:
    # A writer takes the lock at once: one that began as a reader cannot be made to wait later, it is refused.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def library_errors() -> Iterator[None]:
    """The one place where SQLAlchemy's and the drivers' errors become ours."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        said = " ".join(str(cause).split())
        if isinstance(cause, sqlite3.Error) and is_damage(cause):
            # Temporary for whoever met it: what does not touch the damaged pages goes on, and a process that ended
            # of it could not start again before the file was rescued.
            raise TemporaryError(f"records database: {said}{_DAMAGED}") from error
        kind = TemporaryError if _may_pass(error) else PermanentError
        raise kind(f"records database: {said}") from error


def _may_pass(error: SQLAlchemyError) -> bool:
    """Whether the same call may succeed later: lost connection, lock, serialization, disk full."""
    if isinstance(error, NoFreeConnection):
        return True
    if isinstance(error, OperationalError) and isinstance(error.orig, sqlite3.OperationalError):
        # Plain SQLITE_ERROR is a statement at odds with the schema (no such table): time does not mend it.
        return getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR
    if isinstance(error, OperationalError | InterfaceError):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated
