"""Tokens on walls outlive the version that kept them readable: their digests take their place. On both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection

from emergency.model import CallPoint, ScannedCode
from storage.records import CallPointsAdapter, RecordsDatabase, upgrade
from storage.records.schema import MIGRATIONS, differences
from tests.contract.records_call_cases import LIFT_PATH, TOKENS
from tests.contract.records_cases import START, after

pytestmark = pytest.mark.timeout(60)

PRESENT, FORMER, FIRST, GONE = (f"{name}-0123456789abcdef" for name in ("present", "former", "first", "gone"))
POINT = CallPoint("p1", "garden", "电梯", "Lift", LIFT_PATH, generation=3, created_at=START)
REMOVED = CallPoint("p2", "garden", "北门", "Gate", created_at=START, removed_at=after(1))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _instant(connection: Connection, seconds: float) -> object:
    return after(seconds) if connection.dialect.name == "postgresql" else int(after(seconds).timestamp() * 1_000_000)


def _before(connection: Connection) -> None:
    """Two points as the version before kept them: one was rotated twice, one was removed."""
    command.upgrade(_config(connection), "0006")
    statement = text(
        "INSERT INTO call_points (id, community, token, name_zh, name_en, lift, building, generation, created_at,"
        " removed_at, author, at)"
        " VALUES (:id, 'garden', :token, :zh, :en, :lift, '', :generation, :at, :gone, 'li', :at)"
    )
    at, gone = _instant(connection, 0), _instant(connection, 1)
    point = {"id": "p1", "token": PRESENT, "zh": "电梯", "en": "Lift", "lift": LIFT_PATH, "generation": 3, "at": at}
    removed = {"id": "p2", "token": GONE, "zh": "北门", "en": "Gate", "lift": "", "generation": 1, "at": at}
    connection.execute(statement, [{**point, "gone": None}, {**removed, "gone": gone}])
    tokens = [(PRESENT, "p1"), (FORMER, "p1"), (FIRST, "p1"), (GONE, "p2")]
    connection.execute(
        text("INSERT INTO call_point_tokens (token, point_id) VALUES (:token, :point)"),
        [{"token": token, "point": point} for token, point in tokens],
    )


async def _upgraded(records_url: str) -> RecordsDatabase:
    database = RecordsDatabase(records_url)
    await database.open()
    async with database.writing() as connection:
        await connection.run_sync(_before)
    await upgrade(records_url)
    return database


async def test_a_token_on_a_wall_goes_on_leading_to_its_point(records_url: str) -> None:
    database = await _upgraded(records_url)
    async with database.reading() as connection:
        assert await connection.run_sync(differences) == []
    points = CallPointsAdapter(database, TOKENS)
    assert [await points.point(each) for each in ("p1", "p2")] == [POINT, REMOVED]
    assert await points.by_token(PRESENT) == ScannedCode(POINT)
    # Nobody had set an end to them.
    assert await points.by_token(FORMER) == await points.by_token(FIRST) == ScannedCode(POINT, former=True)
    assert await points.by_token(GONE) is None
    await database.close()


async def test_a_sheet_can_be_printed_again_and_the_one_on_the_wall_stays(records_url: str) -> None:
    database = await _upgraded(records_url)
    points = CallPointsAdapter(database, TOKENS)
    await points.adopt()
    assert await points.by_token(TOKENS.of(POINT)) == await points.by_token(PRESENT) == ScannedCode(POINT)
    await points.put(POINT, "li", after(2), former_until=after(2))
    ends = [await points.by_token(each) for each in (PRESENT, TOKENS.of(POINT), FORMER, FIRST)]
    assert [each and each.until for each in ends] == [None, None, after(2), after(2)]
    await database.close()


@pytest.fixture
def untidy_sqlite() -> Iterator[None]:
    """SQLite leaves what was deleted in the file, as many builds of it do."""

    def leave(connection: DBAPIConnection, _record: object) -> None:
        connection.cursor().execute("PRAGMA secure_delete = OFF")

    event.listen(Engine, "connect", leave)
    yield
    event.remove(Engine, "connect", leave)


@pytest.mark.usefixtures("untidy_sqlite")
async def test_no_token_stays_in_the_file(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'records.sqlite'}"
    database = RecordsDatabase(url)
    await database.open()
    async with database.writing() as connection:
        await connection.run_sync(_before)
    await database.close()
    path = Path(make_url(url).database or "")
    assert PRESENT.encode() in path.read_bytes()
    await upgrade(url)
    kept = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert [token for token in (PRESENT, FORMER, FIRST, GONE) if token.encode() in kept] == []


async def test_back_to_the_version_before_keeps_the_points(records_url: str) -> None:
    database = await _upgraded(records_url)
    async with database.writing() as connection:
        await connection.run_sync(lambda sync: command.downgrade(_config(sync), "0006"))
        rows = list(await connection.execute(text("SELECT id, generation, token FROM call_points ORDER BY id")))
        tokens = list(await connection.execute(text("SELECT token, point_id FROM call_point_tokens")))
    assert [(row.id, row.generation, PRESENT in row.token) for row in rows] == [("p1", 3, False), ("p2", 1, False)]
    assert len({row.token for row in tokens}) == 4
    await upgrade(records_url)
    async with database.reading() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()
