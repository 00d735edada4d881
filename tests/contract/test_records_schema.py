"""Migrations, and what the adapter makes of a database that misbehaves. On SQLite and PostgreSQL."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from core.errors import PermanentError, StartupError, TemporaryError
from storage.records import AlertRecordsAdapter, RecordsAdapter, RecordsDatabase, upgrade
from storage.records.database import open_once
from storage.records.schema import differences
from tests.contract.records_cases import START, commit, fired
from tests.servers.postgres import Postgres, PostgresApi


async def test_the_migrations_make_exactly_the_tables_of_the_code(records_database: RecordsDatabase) -> None:
    async with records_database.reading() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_missing_column_or_index_is_a_difference(records_database: RecordsDatabase) -> None:
    """The check above can fail."""
    async with records_database.writing() as connection:
        await connection.execute(text("ALTER TABLE devices DROP COLUMN online"))
        await connection.execute(text("DROP INDEX alerts_one_open"))
        assert len(await connection.run_sync(differences)) == 2


async def test_upgrading_at_once_and_again_keeps_the_rows(records_url: str) -> None:
    await asyncio.gather(*(upgrade(records_url) for _ in range(3)))
    database = RecordsDatabase(records_url)
    await database.open()
    await AlertRecordsAdapter(database).commit(commit(1, transitions=fired("a1")))
    await upgrade(records_url)
    assert await RecordsAdapter(database).last_sequence() == 2
    await database.close()


def test_a_new_file_may_be_opened_by_many_at_once(tmp_path: Path) -> None:
    """Many rounds, since SQLite refuses only those that switch a file to WAL at the very same instant."""
    with ThreadPoolExecutor(8) as threads:
        for number in range(40):
            path = str(tmp_path / f"{number}.db")
            list(threads.map(open_once, [path] * 8))


async def test_upgrading_leaves_logging_alone(records_url: str) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("alembic").level)
    await upgrade(records_url)
    assert (root.level, list(root.handlers), logging.getLogger("alembic").level) == before


async def test_a_schema_of_the_future_is_refused(records_url: str, records_database: RecordsDatabase) -> None:
    async with records_database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StartupError, match="newer version"):
        await upgrade(records_url)


async def test_a_schema_that_is_too_old_is_refused(records_url: str, records_database: RecordsDatabase) -> None:
    async with records_database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(StartupError, match="older than 0001, the oldest that this Anju can upgrade"):
        await upgrade(records_url)


async def test_a_database_without_tables_is_not_worth_a_retry(records_url: str) -> None:
    database = RecordsDatabase(records_url)
    await database.open()
    with pytest.raises(PermanentError):
        await AlertRecordsAdapter(database).load()
    await database.close()


@pytest.mark.parametrize("url", ["mysql://somewhere/x", "sqlite:///x.db", "nonsense"])
async def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(StartupError):
        await RecordsDatabase(url).open()


async def test_a_file_that_cannot_be_opened_is_temporary(tmp_path: Path) -> None:
    database = RecordsDatabase(f"sqlite+aiosqlite:///{tmp_path}/no/such/folder/records.db")
    with pytest.raises(TemporaryError, match="unable to open"):
        await database.open()
    await database.close()


async def test_sqlite_is_as_durable_as_promised(tmp_path: Path) -> None:
    database = RecordsDatabase(f"sqlite+aiosqlite:///{tmp_path / 'records.db'}")
    await database.open()
    async with database.reading() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        found = [(await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one() for name in pragmas]
    await database.close()
    assert found == ["wal", 2, 1, 5000]  # synchronous 2 is FULL


async def test_a_lock_that_lasts_is_temporary(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    url = f"sqlite+aiosqlite:///{path}"
    await upgrade(url)
    database = RecordsDatabase(url)
    await database.open()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TemporaryError, match="locked"):
        await AlertRecordsAdapter(database).commit(commit(1))
    assert (await AlertRecordsAdapter(database).load()).position == 0  # Readers are not in its way.
    other.execute("ROLLBACK")
    other.close()
    await AlertRecordsAdapter(database).commit(commit(1))
    await database.close()


async def test_a_killed_postgres_is_temporary_and_a_new_start_is_enough(
    make_postgres: Callable[[], Postgres],
) -> None:
    server = make_postgres()
    api = PostgresApi(server.address)
    url = api.sqlalchemy_url(api.new_database())
    await upgrade(url)
    database = RecordsDatabase(url)
    await database.open()
    engine = AlertRecordsAdapter(database)
    await engine.commit(commit(1, transitions=fired("a1")))
    server.kill()
    with pytest.raises(TemporaryError):
        await engine.commit(commit(2, transitions=fired("a2", rule="door")))
    with pytest.raises(TemporaryError):
        await RecordsAdapter(database).acknowledge("a1", "li", None, START)
    server.start()
    await engine.commit(commit(2, transitions=fired("a2", rule="door")))
    assert await RecordsAdapter(database).last_sequence() == 4
    await database.close()
