"""A database of the version before, with rows in it, becomes one of this version. On SQLite and PostgreSQL."""

from collections.abc import Mapping

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from alerts.history import AlertFilter
from alerts.model import TransitionKind
from storage.records import AlertRecordsAdapter, DeskRecordsAdapter, RecordsAdapter, RecordsDatabase, upgrade
from storage.records.schema import MIGRATIONS, differences
from tests.contract.records_cases import START, after, commit, fired, resolved
from tests.contract.records_desk_cases import desk_commit, note

pytestmark = pytest.mark.timeout(60)

_ALERT: Mapping[str, object] = {
    "rule": "trapped",
    "severity": "critical",
    "community": "garden",
    "device_kind": "elevator",
    "device": "lift-1",
    "title_zh": "困人",
    "title_en": "Trapped passenger",
    "reason_zh": "原因",
    "reason_en": "because",
}
_STEP: Mapping[str, object] = {
    "rule": "trapped",
    "severity": "critical",
    "community": "garden",
    "device_kind": "elevator",
    "device": "lift-1",
    "reason_code": "x",
    "reason_zh": "x",
    "reason_en": "x",
    "facts": "{}",
}


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _first_version(connection: Connection) -> None:
    command.upgrade(_config(connection), "0001")


def _insert(connection: Connection, table: str, row: Mapping[str, object]) -> None:
    places = ", ".join(f":{name}" for name in row)
    statement = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})"
    connection.execute(text(statement), dict(row))


def _fill(connection: Connection) -> None:
    """Two alerts, one of them over and acknowledged, with the steps of their timelines."""
    stored = START if connection.dialect.name == "postgresql" else 1_772_352_000_123_456
    instants = {"pending_since": stored, "fired_at": stored}
    ended = {"resolved_at": stored, "acknowledged_at": stored, "acknowledged_by": "li"}
    _insert(connection, "alerts", {"id": "a1", **_ALERT, **instants, **ended})
    _insert(connection, "alerts", {"id": "a2", **_ALERT, **instants})
    for sequence, (alert_id, kind) in enumerate([("a1", "firing"), ("a1", "resolved"), ("a2", "firing")], 1):
        step = {"sequence": sequence, "alert_id": alert_id, "kind": kind, "at": stored, "recorded_at": stored}
        _insert(connection, "transitions", {**step, **_STEP})
    connection.execute(text("UPDATE transition_counter SET last_sequence = 3"))
    connection.execute(text("UPDATE alert_progress SET position = 9"))


def _back(connection: Connection) -> None:
    command.downgrade(_config(connection), "0001")


async def test_back_and_up_again_makes_the_same_tables(records_url: str) -> None:
    await upgrade(records_url)
    database = RecordsDatabase(records_url)
    await database.open()
    async with database.writing() as connection:
        await connection.run_sync(_back)
        assert await connection.run_sync(differences) != []
    await upgrade(records_url)
    async with database.reading() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


async def test_the_rows_stay_and_the_desk_begins_behind_them(records_url: str) -> None:
    database = RecordsDatabase(records_url)
    await database.open()
    async with database.writing() as connection:
        await connection.run_sync(_first_version)
        await connection.run_sync(_fill)
    await upgrade(records_url)
    async with database.reading() as connection:
        assert await connection.run_sync(differences) == []
    await _assert_usable(database)
    await database.close()


async def _assert_usable(database: RecordsDatabase) -> None:
    records, desk = RecordsAdapter(database), DeskRecordsAdapter(database)
    alerts = await records.alerts(AlertFilter(), None, 10)
    assert [(alert.id, alert.state, alert.acknowledged_by) for alert in alerts] == [
        ("a2", "firing", None),
        ("a1", "resolved", "li"),
    ]
    assert {(alert.fired_at, alert.latching, alert.protected, alert.suppression) for alert in alerts} == {
        (START, False, False, None)
    }
    assert (await desk.load()).sequence == 3
    assert await desk.told(3, 10) == []
    engine = AlertRecordsAdapter(database)
    await engine.commit(commit(10, transitions=[resolved("a2", after(5)), *fired("a3", after(6))]))
    told = await desk.told(3, 10)
    assert [(step.sequence, step.alert_id, step.kind) for step in told] == [
        (4, "a2", TransitionKind.RESOLVED),
        (6, "a3", TransitionKind.FIRING),
    ]
    await desk.commit(desk_commit(6, 3, notes=[note("a2"), note("a3")]))
    assert await records.last_sequence() == 8
