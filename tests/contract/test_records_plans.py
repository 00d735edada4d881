"""What is asked all the time is answered by an index, however much stands beside it. On SQLite and PostgreSQL.

Counted in rows that the database looks at, not by the clock.
"""

from typing import Any

import pytest
from sqlalchemy import Executable, Select, func, select, text

from alerts.history import AlertFilter
from alerts.model import TransitionKind
from storage.records import AlertRecordsAdapter, DeskRecordsAdapter, OutboxAdapter, RecordsDatabase
from storage.records.desk_records import TOLD
from storage.records.desk_tables import outbox
from storage.records.outbox_rows import select_due
from storage.records.quality import select_alerts
from storage.records.rows import alert_conditions
from storage.records.tables import alerts
from tests.contract.records_cases import after, commit, fired, resolved
from tests.contract.records_desk_cases import desk_commit, intent, note

pytestmark = pytest.mark.timeout(120)
MANY = 5_000


async def _plan(database: RecordsDatabase, statement: Executable) -> str:
    """The plan of ``statement`` in the words of its database.

    PostgreSQL measures its tables by itself, some time later; SQLite never does unless told, and nobody tells it.
    """
    async with database.writing() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text("ANALYZE"))
    async with database.reading() as connection:
        explain = "EXPLAIN " if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
        dialect = connection.sync_connection.dialect if connection.sync_connection else connection.dialect
        compiled = statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True})  # type: ignore[attr-defined]
        rows = await connection.exec_driver_sql(explain + str(compiled).replace("%%", "%"))
        return "\n".join(str(tuple(row)) for row in rows)


def _looks_through_all(plan: str, table: str) -> bool:
    """Whether a table, or a whole index of it, is read from end to end."""
    return f"Seq Scan on {table}" in plan or any(
        f"SCAN {table}" in line and "INDEX" not in line for line in plan.splitlines()
    )


async def _fill_outbox(database: RecordsDatabase) -> None:
    """Half of it in one line behind a postponed entry, the rest each in a line of its own and postponed too."""
    desk = DeskRecordsAdapter(database)
    one_line = [intent(f"a{number}") for number in range(MANY // 2)]
    lines = [intent(f"b{number}", incident=f"i{number}x") for number in range(MANY // 2)]
    await desk.commit(desk_commit(1, 0, intents=[*one_line, *lines]))
    async with database.writing() as connection:
        await connection.execute(
            text("UPDATE outbox SET next_attempt_at = created_at WHERE next_attempt_at IS NOT NULL")
        )


async def test_of_thousands_that_wait_only_those_due_are_looked_at(records_database: RecordsDatabase) -> None:
    await _fill_outbox(records_database)
    box = OutboxAdapter(records_database)
    async with records_database.reading() as connection:
        tried = select(func.count()).where(outbox.c.next_attempt_at.is_not(None))
        assert (await connection.execute(tried)).scalar_one() == MANY // 2 + 1
    for statement in (select_due(after(60), 50, ()), select_due(after(60), 50, {"guard"})):
        plan = await _plan(records_database, statement)
        assert "outbox_due" in plan
        assert "TEMP B-TREE" not in plan
        assert "Sort" not in plan
    first = select(func.min(outbox.c.next_attempt_at)).where(outbox.c.next_attempt_at.is_not(None))
    assert "outbox_due" in await _plan(records_database, first)
    assert await box.due(after(0), 50) == []


async def test_finishing_one_of_many_lines_finds_the_next_by_index(records_database: RecordsDatabase) -> None:
    await _fill_outbox(records_database)
    line = (outbox.c.receiver == "duty", outbox.c.incident == "i7x", outbox.c.finished_at.is_(None))
    assert "outbox_line" in await _plan(records_database, select(func.min(outbox.c.number)).where(*line))


async def test_a_desk_with_nothing_to_read_reads_nothing(
    records_database: RecordsDatabase, engine_records: AlertRecordsAdapter
) -> None:
    """Thousands of its own notes above what it read last."""
    ids = [f"a{number}" for number in range(1_000)]
    await engine_records.commit(commit(1, transitions=[step for name in ids for step in fired(name, rule=name)]))
    desk = DeskRecordsAdapter(records_database)
    for number in range(3):
        notes = [note(name, TransitionKind.SUPPRESSED, f"flood {number}") for name in ids]
        await desk.commit(desk_commit(2_000, 2_000 if number else 0, notes=notes))
    for position in (0, 2_000):
        plan = await _plan(records_database, TOLD.params(above=position, at_most=100))
        assert "transitions_for_desk" in plan
        assert not _looks_through_all(plan, "alerts")
    assert await desk.told(2_000, 100) == []


def _page(matching: AlertFilter) -> Select[Any]:
    return select(alerts).where(*alert_conditions(matching)).order_by(alerts.c.number.desc()).limit(20)


FILTERS = [
    ("alerts_open|alerts_by_end", AlertFilter(state="firing")),
    ("alerts_latched", AlertFilter(state="latched")),
    ("alerts_wanting", AlertFilter(open=True)),
    ("alerts_by_assignee", AlertFilter(assigned_to="wang")),
    ("alerts_false", AlertFilter(false_alarm=True)),
    ("alerts_by_cause", AlertFilter(inhibited_by="cause")),
]


async def test_rare_alerts_among_many_are_found_by_index(
    records_database: RecordsDatabase, engine_records: AlertRecordsAdapter
) -> None:
    """Everything else is over and was seen."""
    for position in range(1, 4):
        names = [f"a{position}-{number}" for number in range(1_000)]
        steps = [step for name in names for step in (*fired(name, rule=name), resolved(name, after(9), rule=name))]
        await engine_records.commit(commit(position, transitions=steps))
    async with records_database.writing() as connection:
        await connection.execute(text("UPDATE alerts SET acknowledged_at = fired_at WHERE number > 3"))
        await connection.execute(text("UPDATE alerts SET resolved_at = NULL WHERE number = 1"))
        await connection.execute(text("UPDATE alerts SET latching = true, assigned_to = 'wang' WHERE number = 2"))
        await connection.execute(
            text("UPDATE alerts SET false_alarm_by = 'li', inhibited_by = 'cause' WHERE number = 3")
        )
    for indexes, matching in FILTERS:
        plan = await _plan(records_database, _page(matching))
        assert any(index in plan for index in indexes.split("|")), (matching, plan)


async def test_a_span_of_a_long_history_is_found_by_index(
    records_database: RecordsDatabase, engine_records: AlertRecordsAdapter
) -> None:
    for position in range(1, 4):
        steps = []
        for number in range(1_000):
            name, at = f"a{position}-{number}", (position * 1_000 + number) * 60
            steps += [*fired(name, after(at), rule=name), resolved(name, after(at + 30), rule=name)]
        await engine_records.commit(commit(position, transitions=steps))
    plan = await _plan(records_database, select_alerts(None, after(3_990 * 60), after(4_010 * 60)))
    assert not _looks_through_all(plan, "alerts")
    assert "alerts_by_time" in plan
    assert "alerts_by_end" in plan
