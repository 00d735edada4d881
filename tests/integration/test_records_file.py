"""The records file against what happens to files: refused with the way out, and rescued row by row."""

import asyncio
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from alerts.history import AlertFilter
from app.opening import open_records
from app.settings import Settings
from core.errors import PermanentError, StartupError
from storage.damage import accept, mark, marker_of, require_sound
from storage.records import AlertRecordsAdapter, RecordsAdapter, RecordsDatabase, operators, upgrade
from storage.records.rescue import rescue
from tests.contract.records_cases import LIFT, START, commit, fired, seen
from tests.contract.records_cases import after as later

PAGE = 4_096
ALERTS = 400


def url_of(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


async def filled(path: Path) -> None:
    """A file with some hundred alerts, all of it in the main file."""
    await upgrade(url_of(path))
    database = RecordsDatabase(url_of(path))
    await database.open()
    engine = AlertRecordsAdapter(database)
    for number in range(ALERTS // 100):
        steps = [step for n in range(100) for step in fired(f"a{number}-{n}", rule=f"r{number}-{n}")]
        await engine.commit(commit(number + 1, transitions=steps, states={LIFT.path: b"x" * 500}, sightings=[seen()]))
    await database.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    mark(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def overwritten(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def random_bytes(path: Path) -> None:
    dice = random.Random(7)
    for _ in range(8):
        overwritten(path, dice.randrange(PAGE, path.stat().st_size - PAGE), dice.randbytes(512))


def cut(path: Path, share: float) -> None:
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share) // PAGE * PAGE)


def nul_tail(path: Path) -> None:
    size = path.stat().st_size
    overwritten(path, size // 2, bytes(size - size // 2))


def _middle(path: Path) -> int:
    return path.stat().st_size // 2 // PAGE * PAGE


DAMAGE: dict[str, Callable[[Path], None]] = {
    "zeroed header": lambda path: overwritten(path, 0, bytes(100)),
    "zeroed pages in the middle": lambda path: overwritten(path, _middle(path), bytes(3 * PAGE)),
    "cut to half": lambda path: cut(path, 0.5),
    "random bytes": random_bytes,
    "NULs at the end": nul_tail,
    "a text file": lambda path: overwritten(path, 0, b"not a database\n" * 1_000),
}
RESCUED = ("zeroed pages in the middle", "cut to half", "random bytes", "NULs at the end")
REPLACED: dict[str, Callable[[Path], object]] = {
    "is empty": lambda path: path.write_bytes(b""),
    "is missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("kind", DAMAGE)
async def test_a_damaged_file_is_refused_at_once_with_the_command_that_rescues(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "records.sqlite"
    await filled(path)
    DAMAGE[kind](path)
    before = path.read_bytes()
    settings = Settings(var=tmp_path)
    with pytest.raises(StartupError, match=r"is damaged .* `anju records rescue "):
        await open_records(RecordsDatabase(settings.records_url), settings)
    assert path.read_bytes() == before


@pytest.mark.parametrize("found", REPLACED)
async def test_an_emptied_file_does_not_start_as_a_new_one(tmp_path: Path, found: str) -> None:
    path = tmp_path / "records.sqlite"
    await filled(path)
    REPLACED[found](path)
    settings = Settings(var=tmp_path)
    with pytest.raises(StartupError, match=rf"{found}.*`anju records accept "):
        await open_records(RecordsDatabase(settings.records_url), settings)
    assert accept(path)
    database = RecordsDatabase(settings.records_url)
    await open_records(database, settings)
    await database.close()
    assert marker_of(path).exists()


async def test_the_file_of_another_installation_is_refused(tmp_path: Path) -> None:
    path, other = tmp_path / "records.sqlite", tmp_path / "other.sqlite"
    await filled(path)
    await filled(other)
    other.replace(path)
    with pytest.raises(StartupError, match="holds another database"):
        require_sound(path, "records")


async def test_a_sound_file_opens_again_and_again(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path)
    for _ in range(2):
        database = RecordsDatabase(settings.records_url)
        await open_records(database, settings)
        await database.close()


@pytest.mark.parametrize("kind", RESCUED)
def test_a_rescue_brings_over_what_can_be_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "records.sqlite"
    asyncio.run(filled(path))
    DAMAGE[kind](path)
    damaged = path.read_bytes()
    report = rescue(path)
    assert report.damaged.read_bytes() == damaged
    assert report.incomplete
    require_sound(path, "records")
    assert asyncio.run(_goes_on(path)) > 0
    assert any("rows copied" in line for line in report.lines())


async def _goes_on(path: Path) -> int:
    """Return how many alerts are there; the engine commits on."""
    database = RecordsDatabase(url_of(path))
    await database.open()
    try:
        engine = AlertRecordsAdapter(database)
        position = (await engine.load()).position
        fresh = fired("fresh", later(60), rule="fresh")
        await engine.commit(commit(position + 1, previous=position, transitions=fresh))
        found = await RecordsAdapter(database).alerts(AlertFilter(), None, 1_000)
        assert "fresh" in [alert.id for alert in found]
        return len(found)
    finally:
        await database.close()


@pytest.mark.parametrize("kind", ["zeroed header", "a text file"])
def test_where_nothing_can_be_read_the_file_stays(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "records.sqlite"
    asyncio.run(filled(path))
    DAMAGE[kind](path)
    damaged = path.read_bytes()
    with pytest.raises(PermanentError, match="restore a backup"):
        rescue(path)
    assert path.read_bytes() == damaged


async def test_an_operator_sees_an_unreadable_row_and_clears_it(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    await filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE devices SET latest = '{'")
        connection.commit()
    database = RecordsDatabase(url_of(path))
    await database.open()
    (row,) = await operators.unreadable_rows(database)
    assert (row.table, row.key, row.put_aside_at) == ("devices", LIFT.path, None)
    await operators.clear(database, "devices", LIFT.path, START)
    assert await operators.unreadable_rows(database) == []
    with pytest.raises(PermanentError, match="nothing of devices"):
        await operators.clear(database, "devices", LIFT.path, START)
    await database.close()


async def test_looking_at_the_file_keeps_the_locks_of_who_has_it_open_in_the_same_process(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    await filled(path)
    with closing(sqlite3.connect(path)) as ours:
        ours.execute("CREATE TABLE kept (value)")
        require_sound(path, "records")
        mark(path)
        # The last one to close a database deletes its write-ahead log: another process must see that we are there.
        other = f"import sqlite3; c = sqlite3.connect({str(path)!r}); c.execute('SELECT * FROM alerts'); c.close()"
        subprocess.run([sys.executable, "-c", other], check=True, timeout=60)
        assert path.with_name(f"{path.name}-wal").exists()
        ours.execute("INSERT INTO kept VALUES (1)")
        ours.commit()
    require_sound(path, "records")
