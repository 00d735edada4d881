"""A row whose number is at the end of the range: SQLite would refuse every further row as if the disk were full."""

from pathlib import Path

import pytest
from sqlalchemy import text

from alerts.history import AlertFilter
from core.clock import ManualClock
from storage.records import AlertRecordsAdapter, RecordsAdapter, RecordsDatabase, UnreadableWatch, upgrade
from tests.contract.records_cases import GATE, START, commit, fired

DAMAGE = {
    "a row": "UPDATE alerts SET number = 9223372036854775807 WHERE id = 'a1'",
    "the sequence": "UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'alerts'",
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
    told = database.unreadable.problems()
    assert ("beyond all use" in told.get("stored/alerts", "")) == (damage == "a row")
    await database.close()
