"""The embedded telemetry store as a file: a second reader, killed writers, full disks, older and newer schemas."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.devices import DeviceKey, DeviceKind
from core.errors import MalformedPoints, PermanentError, TemporaryError
from core.telemetry import Point, Sample, Series, Value
from storage.telemetry.embedded import EmbeddedTelemetry
from storage.telemetry.embedded_writing import PointWriter
from storage.telemetry.sqlite_thread import SqliteThread, connect_writer

LIFT = DeviceKey("riverside", DeviceKind.ELEVATOR, "lift-1")
ONE_FLOOR = [Series("elevator", "", "floor", [Sample(1, "1")])]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "telemetry.sqlite"


def lift(at: int, **values: Value) -> Point:
    return Point("elevator", LIFT, "", at, values, position=1)


async def filled(path: Path, *points: Point) -> EmbeddedTelemetry:
    store = EmbeddedTelemetry(path)
    await store.prepare()
    await store.write(points)
    return store


async def test_a_second_store_reads_while_the_first_writes(path: Path) -> None:
    writer, reader = await filled(path, lift(1, floor="1")), EmbeddedTelemetry(path)
    assert await reader.latest(LIFT) == ONE_FLOOR
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await reader.latest(LIFT) == ONE_FLOOR
        other.execute("ROLLBACK")
    await writer.write([lift(2, floor="2")])
    assert await reader.latest(LIFT) == [Series("elevator", "", "floor", [Sample(2, "2")])]
    await reader.close()
    await writer.close()


async def test_a_file_that_is_not_there_yet_is_temporary_and_not_made_by_reading(path: Path) -> None:
    reader = EmbeddedTelemetry(path)
    for call in (reader.latest(LIFT), reader.ping()):
        with pytest.raises(TemporaryError, match="unable to open"):
            await call
    assert not path.exists()
    writer = await filled(path, lift(1, floor="1"))
    assert await reader.latest(LIFT) == ONE_FLOOR
    await reader.close()
    await writer.close()


async def test_what_a_killed_writer_was_told_is_stored_is_there(path: Path) -> None:
    script = (
        "import asyncio, os, signal, pathlib, sys\n"
        "from tests.integration.test_embedded_telemetry import filled, lift\n"
        "asyncio.run(filled(pathlib.Path(sys.argv[1]), lift(1, floor='1')))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", script, str(path)], cwd=root, timeout=60, check=False)
    assert ended.returncode == -9
    store = EmbeddedTelemetry(path)
    await store.prepare()
    assert await store.latest(LIFT) == ONE_FLOOR
    await store.close()


async def test_a_full_disk_is_temporary_and_the_same_batch_succeeds_later(path: Path) -> None:
    def connect(path: Path) -> sqlite3.Connection:
        connection = connect_writer(path)
        connection.execute("PRAGMA max_page_count = 30")
        return connection

    await (await filled(path)).close()
    small, points, batch = (
        SqliteThread(path, connect),
        PointWriter(),
        [lift(at, extra="x" * 1_000) for at in range(200)],
    )
    with pytest.raises(TemporaryError, match="full"):
        await small.run(lambda connection: points.write(connection, batch))
    await small.run(lambda connection: connection.execute("PRAGMA max_page_count = 100000").fetchone())
    await small.run(lambda connection: points.write(connection, batch))
    await small.close()
    store = EmbeddedTelemetry(path)
    assert (await store.latest(LIFT))[0].samples[0].at_nanoseconds == 199
    await store.close()


async def test_a_refused_batch_leaves_nothing_and_the_next_one_is_whole(path: Path) -> None:
    store = await filled(path)
    with pytest.raises(MalformedPoints):
        await store.write([lift(1, floor="1"), lift(2, trip_count=2**63)])
    assert await store.latest(LIFT) == []
    await store.write([lift(1, floor="1")])
    assert await store.latest(LIFT) == ONE_FLOOR
    await store.close()


async def test_a_family_that_gained_a_signal_gains_a_column(path: Path) -> None:
    await (await filled(path, lift(1, floor="1"))).close()
    with closing(sqlite3.connect(path)) as older:
        for signal in ("main_power", "motion", "car_calls", "levelling_error_metres"):
            older.execute(f"ALTER TABLE points_elevator DROP COLUMN {signal}")
    store = await filled(path, lift(2, main_power=True, car_calls='["7","B1"]'))
    assert [one.signal for one in await store.latest(LIFT)] == ["car_calls", "floor", "main_power"]
    await store.close()


async def test_a_newer_file_is_refused(path: Path) -> None:
    await (await filled(path)).close()
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 99")
    store = EmbeddedTelemetry(path)
    with pytest.raises(PermanentError, match="99 is newer"):
        await store.prepare()
    await store.close()


async def test_something_else_than_a_database_is_named(path: Path) -> None:
    path.write_bytes(b"not a database" * 100)
    store = EmbeddedTelemetry(path)
    with pytest.raises(TemporaryError, match=f"{path.name}: file is not a database"):
        await store.prepare()
    await store.close()


async def test_expiry_goes_in_slices_and_leaves_the_rest(path: Path) -> None:
    now = datetime(2026, 8, 14, tzinfo=UTC)
    newest = int(now.timestamp()) * 10**9
    store = await filled(path, *(lift(newest - age * 10**9, trip_count=age) for age in range(12_000)))
    await store.expire(timedelta(seconds=500), now)
    (left,) = await store.range(
        LIFT,
        "elevator",
        ["trip_count"],
        since=now - timedelta(days=1),
        until=datetime.max.replace(tzinfo=UTC),
        limit=20_000,
    )
    assert [sample.value for sample in left.samples] == list(range(500, -1, -1))
    await store.close()


async def test_old_points_of_more_devices_than_one_page_are_expired(path: Path) -> None:
    names = [DeviceKey("riverside", DeviceKind.ELEVATOR, f"x-{number}") for number in range(2_500)]
    old = [Point("elevator", device, "", 1, {"floor": "1"}, position=1) for device in names]
    now = datetime(2026, 8, 14, tzinfo=UTC)
    new = Point("elevator", names[1_200], "", int(now.timestamp()) * 10**9, {"floor": "2"}, position=1)
    store = await filled(path, *old, new)
    await store.expire(timedelta(days=1), now)
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM points_elevator").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM series").fetchone() == (1,)


DAMAGE = {
    "a value": "points_elevator SET floor = x'fffe' WHERE at = 2",
    "a number": "points_elevator SET trip_count = 'many' WHERE at = 2",
    "no UTF-8": "points_elevator SET floor = CAST(x'fffe' AS TEXT) WHERE at = 2",
    "an instant": "points_elevator SET at = 'yesterday' WHERE at = 2",
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_a_damaged_value_hides_no_other(path: Path, damage: str) -> None:
    store = await filled(path, lift(1, floor="1", trip_count=1), lift(2, floor="2", trip_count=2))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE {DAMAGE[damage]}")
        connection.commit()
    newest = {series.signal: series.samples[0].value for series in await store.latest(LIFT)}
    expected = {
        "a value": {"floor": "1", "trip_count": 2},
        "a number": {"floor": "2", "trip_count": 1},
        "no UTF-8": {"floor": "\ufffd\ufffd", "trip_count": 2},
    }
    assert newest == expected.get(damage, {"floor": "1", "trip_count": 1})
    start, stop = datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC)
    found = await store.range(LIFT, "elevator", ["floor", "trip_count"], since=start, until=stop, limit=10)
    assert all(isinstance(sample.value, str | int) for series in found for sample in series.samples)
    await store.close()
