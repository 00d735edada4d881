"""Files on a disk without room: what may not grow does not, what must go on does, and all of it goes on by itself."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from core.devices import DeviceKey, DeviceKind
from core.errors import TemporaryError
from core.telemetry import Point
from storage.journal.sqlite import SqliteJournal
from storage.records import RecordsDatabase, upgrade
from storage.reserve import MIB, Floor, keep_reserve
from storage.telemetry.embedded import EmbeddedTelemetry
from tests.contract.journal_cases import WRITER, messages, numbers_of
from tests.servers.small_disk import SmallDisk, small_disk

FLOOR = 8 * MIB
RESERVE = 4 * MIB


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", "48m") as mounted:
        yield mounted


def append_until_refused(journal: SqliteJournal, start: int, count: int) -> int:
    """Append batches of 100 and return the number after the last one taken; fails when all ``count`` are taken."""
    for first in range(start, start + count, 100):
        try:
            journal.append(messages(range(first, first + 100)))
        except TemporaryError:
            return first
    pytest.fail(f"{count} messages were taken by a full disk")


def test_below_the_floor_the_journal_lives_inside_its_file(disk: SmallDisk) -> None:
    path = disk.folder / "journal.sqlite"
    with closing(SqliteJournal(path, floor=Floor(disk.folder, FLOOR))) as journal:
        journal.open()
        journal.register(WRITER)
        assert keep_reserve(path, RESERVE)
        disk.fill(leaving=FLOOR // 2)
        size = path.stat().st_size
        end = append_until_refused(journal, 0, 1_000_000)
        assert end > 5_000, "the reserve takes messages of a while"
        assert path.stat().st_size == size
        # A reader that goes on makes room: what it has read goes early, and the newest is taken.
        journal.advance(WRITER, end // 2)
        journal.append(messages(range(end, end + 100)))
        assert journal.trimmed_for_room > 0
        assert numbers_of(journal.read(end // 2, 1_000_000)) == list(range(end // 2, end + 100))
        # Filled to the last byte, it is the same: what it needs is its own already.
        disk.fill()
        journal.advance(WRITER, end)
        journal.append(messages(range(end + 100, end + 200)))
        disk.make_room()
        journal.append(messages(range(end + 200, end + 300)))
        assert numbers_of(journal.read(end, 1_000)) == list(range(end, end + 300))


async def test_records_are_committed_on_a_full_disk_from_their_reserve(disk: SmallDisk) -> None:
    path = disk.folder / "records.sqlite"
    url = f"sqlite+aiosqlite:///{path}"
    await upgrade(url)
    database = RecordsDatabase(url)
    await database.open()
    try:
        await asyncio.to_thread(keep_reserve, path, RESERVE)
        disk.fill()
        assert disk.free == 0
        await _add_tokens(database, 500)
        async with database.reading() as connection:
            assert (await connection.execute(text("SELECT count(*) FROM tokens"))).scalar_one() == 500
    finally:
        await database.close()


async def test_records_without_a_reserve_go_on_after_room_is_made(disk: SmallDisk) -> None:
    url = f"sqlite+aiosqlite:///{disk.folder / 'records.sqlite'}"
    await upgrade(url)
    database = RecordsDatabase(url)
    await database.open()
    try:
        disk.fill()
        with pytest.raises(TemporaryError, match=r"full|disk I/O error"):
            await _add_tokens(database, 5_000)
        disk.make_room()
        await _add_tokens(database, 1, "after")
    finally:
        await database.close()


async def _add_tokens(database: RecordsDatabase, count: int, name: str = "name") -> None:
    statement = text("INSERT INTO tokens (name, digest, created_at) VALUES (:name, :digest, 0)")
    for number in range(count):
        async with database.writing() as connection:
            await connection.execute(
                statement, {"name": f"{name} {number}", "digest": f"{name} {number}".encode() * 20}
            )


async def test_telemetry_waits_below_the_floor(disk: SmallDisk) -> None:
    store = EmbeddedTelemetry(disk.folder / "telemetry.sqlite", Floor(disk.folder, FLOOR))
    lift = DeviceKey("jinxiu", DeviceKind.ELEVATOR, "lift-1")
    point = Point("elevator", lift, "", 1_767_225_600_000_000_000, {"floor": 1}, 1)
    try:
        await store.prepare()
        disk.fill(leaving=FLOOR // 2)
        with pytest.raises(TemporaryError, match="is full"):
            await store.write([point])
        disk.make_room()
        await store.write([point])
        assert await store.latest(lift)
    finally:
        await store.close()


def test_a_reserve_is_made_once_and_again_when_used_up(disk: SmallDisk) -> None:
    path = disk.folder / "some.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE kept (value BLOB)")
        assert keep_reserve(path, RESERVE)
        assert not keep_reserve(path, RESERVE)
        size = path.stat().st_size
        connection.execute("INSERT INTO kept VALUES (zeroblob(?))", (RESERVE,))
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        assert path.stat().st_size - size < MIB, "the reserve is used before the file grows"
        assert keep_reserve(path, RESERVE)
        disk.fill()
        connection.execute("INSERT INTO kept VALUES (zeroblob(?))", (RESERVE // 2,))
