"""A row whose number is at the end of the range: SQLite would refuse every further row as if the disk were full."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from alerts.history import AlertFilter
from core.clock import ManualClock
from core.errors import StartupError
from emergency.model import CallFilter
from storage.records import (
    AlertRecordsAdapter,
    DeskRecordsAdapter,
    RecordsAdapter,
    RecordsDatabase,
    UnreadableWatch,
    upgrade,
)
from storage.records.rescue import rescue
from tests.contract.records_cases import GATE, START, commit, fired
from tests.contract.test_damaged_calls import FIRST, SECOND, World

DAMAGE = {
    "a row": "UPDATE alerts SET number = 9223372036854775807 WHERE id = 'a1'",
    "the sequence": "UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'alerts'",
    "a counter without a number": "UPDATE transition_counter SET last_sequence = 'last'",
    "a counter that is too low": "UPDATE transition_counter SET last_sequence = 1",
    "a counter that is too high": "UPDATE transition_counter SET last_sequence = 9223372036854775807",
    "no number": "UPDATE sqlite_sequence SET seq = 'last' WHERE name = 'alerts'",
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_alerts_are_raised_after_a_number_beyond_all_use(tmp_path: Path, damage: str) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'records.sqlite'}"
    await upgrade(url)
    database = RecordsDatabase(url)
    await database.open()
    engine = AlertRecordsAdapter(database, ManualClock(START))
    await engine.commit(commit(1, previous=0, transitions=fired("a1")))
    async with database.writing() as connection:
        await connection.execute(text(DAMAGE[damage]))
    await upgrade(url)
    await engine.commit(commit(2, previous=1, transitions=fired("a2", device=GATE)))
    rows = await RecordsAdapter(database).alerts(AlertFilter(), None, 9)
    assert [row.id for row in rows] == ["a2", "a1"]
    await UnreadableWatch(database).look()
    told = {name: text.rpartition(" / ")[2] for name, text in database.unreadable.problems().items()}
    assert ("beyond all use" in told.get("stored/alerts", "")) == (damage == "a row")
    assert ("expected a number from" in told.get("stored/transition_counter", "")) == damage.startswith("a counter")
    await database.close()


CALL_COUNTERS = ["last_call", "last_event", "followed"]


@pytest.mark.parametrize("column", CALL_COUNTERS)
@pytest.mark.parametrize("value", ["'many'", "x'00'", "0", "9223372036854775807"])
async def test_calls_are_raised_after_a_counter_was_damaged(tmp_path: Path, column: str, value: str) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'records.sqlite'}"
    await upgrade(url)
    database = RecordsDatabase(url)
    await database.open()
    world = World(database)
    first = await world.press(FIRST)
    async with database.writing() as connection:
        await connection.execute(text(f"UPDATE calls_progress SET {column} = {value}"))
    await upgrade(url)
    second = await world.press(SECOND)
    await world.service.turn()
    assert not world.service.stats.detail
    assert [one.id for one in await world.records.calls(CallFilter(open=True), None, 9)] == [second.id, first.id]
    await database.close()


async def test_a_rescue_gives_every_reader_a_place_again(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    url = f"sqlite+aiosqlite:///{path}"
    await upgrade(url)
    database = RecordsDatabase(url)
    await database.open()
    clock = ManualClock(START)
    await AlertRecordsAdapter(database, clock).commit(commit(7, previous=0, transitions=fired("a1")))
    async with database.writing() as connection:
        await connection.execute(text("UPDATE desk_progress SET sequence = 'last'"))
        await connection.execute(text("UPDATE alert_progress SET position = 'last'"))
    with pytest.raises(StartupError, match="`anju records rescue`"):
        await RecordsAdapter(database).alert_position()
    await database.close()
    report = await asyncio.to_thread(rescue, path)
    assert report.places == ["desk_progress.sequence", "alert_progress.position"]
    await database.open()
    newest = await RecordsAdapter(database).last_sequence()
    assert (await DeskRecordsAdapter(database, clock).load()).sequence == newest > 0
    assert await RecordsAdapter(database).alert_position() <= 7
    await database.close()
