"""One damaged row, in any table, hides no other from those who read it, and is told with its reason."""

from collections.abc import Awaitable, Callable, Mapping

import pytest
from sqlalchemy import Table, text

from alerts.dispatch.model import Suppression, SuppressionKind
from alerts.history import AlertFilter, FaultFilter
from alerts.inventory import DeviceFacts
from alerts.matchers import Matcher
from alerts.model import Severity
from alerts.ports import Afresh
from core.clock import ManualClock
from emergency.model import CallPoint
from storage.records import (
    AlertRecordsAdapter,
    AlertStepsAdapter,
    CallPointsAdapter,
    ControllerCodesAdapter,
    DeskRecordsAdapter,
    OutboxAdapter,
    PersonTestsAdapter,
    QualityAdapter,
    RecordsAdapter,
    RecordsDatabase,
    RegistryAdapter,
    RotaOverridesAdapter,
    RuleBookAdapter,
    SuppressionsAdapter,
    UnreadableWatch,
)
from storage.records.call_tables import call_points, controller_codes
from storage.records.desk_tables import desk_states, outbox
from storage.records.kept_tables import device_facts, put_aside, rota_overrides, rule_revisions, suppressions
from storage.records.kept_tables import test_acknowledgements as acknowledgements
from storage.records.tables import alerts, devices, engine_states, faults, transitions
from tests.contract.damage import INSTANTS, SQLITE_ONLY, TEXTS, damage, damage_text, dialect_of, stored
from tests.contract.records_call_cases import TOKENS
from tests.contract.records_cases import GATE, LIFT, START, after, commit, fired, raised, seen
from tests.contract.records_desk_cases import desk_commit, intent

END = after(3_600)
CLOCK = ManualClock(after(60))
Read = Callable[[RecordsDatabase], Awaitable[int]]


async def fill(database: RecordsDatabase) -> None:
    """Two rows in every table, the second of each about the gate."""
    engine = AlertRecordsAdapter(database, CLOCK)
    told = [*fired("a1"), *fired("a2", device=GATE)]
    found = [raised(START), raised(START, code="7")]
    states: dict[str, bytes | None] = {LIFT.path: b"one", GATE.path: b"two"}
    await engine.commit(
        commit(2, previous=0, states=states, transitions=told, faults=[*found], sightings=[seen(LIFT), seen(GATE)])
    )
    desk = DeskRecordsAdapter(database, CLOCK)
    await desk.commit(desk_commit(2, intents=[intent("i1", incident="n1"), intent("i2", incident="n2")], states=states))
    kept = SuppressionsAdapter(database, CLOCK)
    rotas, book, registry = RotaOverridesAdapter(database), RuleBookAdapter(database), RegistryAdapter(database)
    points, codes = CallPointsAdapter(database, TOKENS), ControllerCodesAdapter(database)
    for number in (1, 2):
        matcher = (Matcher("rule", "trapped"),)
        silence = Suppression("", SuppressionKind.SILENCE, matcher, START, END, "test", "li", START)
        await kept.add(silence)
        await rotas.add_override("duty", "li", START, END, "li", START)
        await book.put(f"r{number}", "text", enabled=True, author="li", comment="", now=START)
        device = (LIFT, GATE)[number - 1]
        await registry.put_facts(device, DeviceFacts(contractor="tonghui"), "li", START)
        await points.put(CallPoint(f"garden/p{number}", "garden", "门", "door"), "li", START)
        await codes.set_code(device.path, "1234", "li", START)
        await PersonTestsAdapter(database).acknowledge(f"person-{number}", START, "li", START)


async def alerts_read(database: RecordsDatabase) -> int:
    return len(await RecordsAdapter(database).alerts(AlertFilter(), None, 1))


async def quality_read(database: RecordsDatabase) -> int:
    return len(await QualityAdapter(database).alerts_between(None, START, END))


async def timeline_read(database: RecordsDatabase) -> int:
    return len(await RecordsAdapter(database).transitions(0, 10)) - 2


async def steps_read(database: RecordsDatabase) -> int:
    return len(await AlertStepsAdapter(database, ["trapped"]).steps(0, 1))


async def told_read(database: RecordsDatabase) -> int:
    return len(await DeskRecordsAdapter(database, CLOCK).told(0, 1))


async def faults_read(database: RecordsDatabase) -> int:
    return len(await RecordsAdapter(database).faults(FaultFilter(), None, 1))


async def devices_read(database: RecordsDatabase) -> int:
    return len(await RecordsAdapter(database).devices(None, None, None, 1))


async def outbox_read(database: RecordsDatabase) -> int:
    return len(await OutboxAdapter(database).outbox(status=None, receiver=None, alert_id=None, before=None, limit=1))


async def notified_read(database: RecordsDatabase) -> int:
    return len(await QualityAdapter(database).notified_between(None, START, END))


async def suppressions_read(database: RecordsDatabase) -> int:
    return len(await SuppressionsAdapter(database, CLOCK).list(ended=True, before=None, limit=1))


async def in_force_read(database: RecordsDatabase) -> int:
    return len(await DeskRecordsAdapter(database, CLOCK).suppressions(START))


async def rotas_read(database: RecordsDatabase) -> int:
    return len(await RotaOverridesAdapter(database).overrides(START))


async def rules_read(database: RecordsDatabase) -> int:
    return len(await RuleBookAdapter(database).newest())


async def facts_read(database: RecordsDatabase) -> int:
    known = await RegistryAdapter(database).inventory()
    return [known.of(device).contractor for device in (LIFT, GATE)].count("tonghui")


async def points_read(database: RecordsDatabase) -> int:
    return len(await CallPointsAdapter(database, TOKENS).points(None))


async def codes_read(database: RecordsDatabase) -> int:
    known = [await ControllerCodesAdapter(database).code_matches(device.path, "1234") for device in (LIFT, GATE)]
    return known.count(True)


async def people_read(database: RecordsDatabase) -> int:
    return len(await PersonTestsAdapter(database).newest())


OF_THE_LIFT, OF_THE_GATE = f"path = '{LIFT.path}'", f"path = '{GATE.path}'"
# The damaged row comes first in the order of its reader: the page of one that it would fill holds the other row.
JSON_COLUMNS: list[tuple[Table, str, str, Read]] = [
    (transitions, "facts", "sequence = 2", timeline_read),
    (transitions, "facts", "sequence = 2", told_read),
    (devices, "latest", OF_THE_LIFT, devices_read),
    (outbox, "intent", "number = 2", outbox_read),
    (suppressions, "matchers", "number = 2", suppressions_read),
    (suppressions, "matchers", "number = 2", in_force_read),
    (device_facts, "facts", OF_THE_GATE, facts_read),
]
WORDS: list[tuple[Table, str, str, Read]] = [
    (alerts, "severity", "number = 2", alerts_read),
    (alerts, "device_kind", "number = 2", quality_read),
    (transitions, "kind", "sequence = 2", timeline_read),
    (transitions, "device_kind", "sequence = 2", steps_read),
    (transitions, "severity", "sequence = 2", told_read),
    (faults, "severity", "number = 2", faults_read),
    (faults, "kind", "number = 2", faults_read),
    (devices, "device_kind", OF_THE_LIFT, devices_read),
    (outbox, "severity", "number = 2", notified_read),
    (suppressions, "kind", "number = 2", suppressions_read),
    (device_facts, "device_kind", OF_THE_GATE, facts_read),
]
INSTANT_COLUMNS: list[tuple[Table, str, str, Read]] = [
    (alerts, "fired_at", "number = 2", alerts_read),
    (transitions, "at", "sequence = 2", timeline_read),
    (transitions, "recorded_at", "sequence = 2", told_read),
    (faults, "raised_at", "number = 2", faults_read),
    (devices, "last_heard_at", OF_THE_LIFT, devices_read),
    (outbox, "created_at", "number = 2", outbox_read),
    (suppressions, "starts_at", "number = 2", suppressions_read),
    (rota_overrides, "created_at", "number = 2", rotas_read),
    (rule_revisions, "at", "number = 2", rules_read),
    (call_points, "created_at", "id = 'garden/p1'", points_read),
    (acknowledgements, "acknowledged_at", "person = 'person-1'", people_read),
]
FOREIGN: list[tuple[Table, str, str, Read]] = [
    *JSON_COLUMNS,
    (alerts, "title_zh", "number = 2", alerts_read),
    (rule_revisions, "text", "number = 2", rules_read),
    (call_points, "name_zh", "id = 'garden/p1'", points_read),
]


def _named(value: object) -> str:
    return value.name if isinstance(value, Table) else getattr(value, "__name__", str(value))


async def assert_told(database: RecordsDatabase, table: Table) -> None:
    problems = database.unreadable.problems()
    assert [*problems] == [f"stored/{table.name}"]
    zh, en = problems[f"stored/{table.name}"].split(" / ", 1)
    assert zh.startswith(f"表 {table.name} 有 1 行无法读取：")
    assert en.startswith(f"1 row of {table.name} cannot be read: ")
    await UnreadableWatch(database).look()
    assert database.unreadable.problems() == problems


@pytest.mark.parametrize(("table", "column", "where", "read"), JSON_COLUMNS, ids=_named)
async def test_damaged_json(
    records_database: RecordsDatabase, table: Table, column: str, where: str, read: Read
) -> None:
    await fill(records_database)
    for kind in ("cut", "empty", "another type", "deep nesting"):
        await damage_text(records_database, table, column, TEXTS[kind], where)
        assert await read(records_database) == 1, kind
        await assert_told(records_database, table)


@pytest.mark.parametrize(("table", "column", "where", "read"), WORDS, ids=_named)
async def test_words_nobody_knows(
    records_database: RecordsDatabase, table: Table, column: str, where: str, read: Read
) -> None:
    await fill(records_database)
    await damage_text(records_database, table, column, "vanished", where)
    assert await read(records_database) == 1
    await assert_told(records_database, table)


@pytest.mark.parametrize(("table", "column", "where", "read"), INSTANT_COLUMNS, ids=_named)
async def test_instants_out_of_range(
    records_database: RecordsDatabase, table: Table, column: str, where: str, read: Read
) -> None:
    await fill(records_database)
    for kind, value in INSTANTS[dialect_of(records_database)].items():
        await damage(records_database, table, column, value, where)
        if await read(records_database) == 1:
            await assert_told(records_database, table)
        else:
            pytest.fail(f"{kind}: the sound row is not there, or the damaged one is")


@pytest.mark.parametrize(("table", "column", "where", "read"), FOREIGN, ids=_named)
async def test_foreign_types(
    records_database: RecordsDatabase, table: Table, column: str, where: str, read: Read
) -> None:
    if not records_database.is_sqlite:
        return  # PostgreSQL refuses them.
    await fill(records_database)
    await damage(records_database, table, column, SQLITE_ONLY["NULs"], where)
    assert await read(records_database) == 1
    await assert_told(records_database, table)


async def test_a_code_of_a_controller_that_cannot_be_read_matches_nothing(records_database: RecordsDatabase) -> None:
    if not records_database.is_sqlite:
        return  # PostgreSQL holds nothing but bytes there.
    await fill(records_database)
    await damage(records_database, controller_codes, "salt", SQLITE_ONLY["a number"], OF_THE_GATE)
    assert await codes_read(records_database) == 1
    await assert_told(records_database, controller_codes)


async def test_a_repaired_row_is_told_no_more(records_database: RecordsDatabase) -> None:
    await fill(records_database)
    await damage_text(records_database, devices, "latest", "{", OF_THE_LIFT)
    assert await devices_read(records_database) == 1
    await damage_text(records_database, devices, "latest", "{}", OF_THE_LIFT)
    await UnreadableWatch(records_database).look()
    assert records_database.unreadable.problems() == {}
    assert len(await RecordsAdapter(records_database).devices(None, None, None, 9)) == 2


async def test_a_damaged_message_is_given_up_and_the_next_of_its_line_is_sent(
    records_database: RecordsDatabase,
) -> None:
    desk, sending = DeskRecordsAdapter(records_database, CLOCK), OutboxAdapter(records_database, CLOCK)
    intents = [intent("i1"), intent("i2"), intent("i3", incident="n9")]
    await desk.commit(desk_commit(1, intents=intents))
    await damage_text(records_database, outbox, "intent", '{"id":', "id = 'i1'")
    assert [entry.intent.id for entry in await sending.due(CLOCK.now(), 10)] == ["i3"]
    assert [entry.intent.id for entry in await sending.due(CLOCK.now(), 10)] == ["i2", "i3"]
    (row,) = [row for row in await stored(records_database, outbox) if row["id"] == "i1"]
    assert row["failed"]
    assert row["detail"].startswith("cannot be read: ")


@pytest.mark.parametrize("content", ["x'00'", "'text'", "7"])
async def test_states_of_any_type_are_loaded_for_their_owners_to_judge(
    records_database: RecordsDatabase, content: str
) -> None:
    if not records_database.is_sqlite and not content.startswith("x"):
        return  # PostgreSQL refuses them.
    await fill(records_database)
    value = content if records_database.is_sqlite else "'\\x00'::bytea"
    await damage(records_database, engine_states, "state", value, OF_THE_GATE)
    assert (await AlertRecordsAdapter(records_database).load()).states[LIFT.path] == b"one"


async def test_a_state_is_put_aside_and_its_open_alert_resolved_so_that_it_may_fire_anew(
    records_database: RecordsDatabase,
) -> None:
    engine = AlertRecordsAdapter(records_database, CLOCK)
    await fill(records_database)
    for _ in range(2):
        await engine.put_aside({GATE.path: "cut off"}, [Afresh(GATE)])
    assert (await engine.load()).states == {LIFT.path: b"one"}
    (row,) = await stored(records_database, put_aside)
    assert (row["table_name"], row["row_key"], row["content"], row["reason"]) == (
        "engine_states",
        GATE.path,
        b"two",
        "cut off",
    )
    firing = await RecordsAdapter(records_database).alerts(AlertFilter(state="firing"), None, 9)
    assert [one.id for one in firing] == ["a1"]
    await engine.commit(commit(3, previous=2, transitions=fired("a3", after(9), device=GATE)))
    await UnreadableWatch(records_database).look()
    assert [*records_database.unreadable.problems()] == ["stored/engine_states"]


async def test_the_memory_of_a_component_ends_only_its_own_alert(records_database: RecordsDatabase) -> None:
    desk = DeskRecordsAdapter(records_database, CLOCK)
    await fill(records_database)
    other = fired("a9", device=GATE, rule="device-clock-wrong", severity=Severity.MINOR)
    await AlertRecordsAdapter(records_database, CLOCK).commit(commit(3, previous=2, transitions=other))
    await desk.put_aside({GATE.path: "cut off"}, [Afresh(GATE, "device-clock-wrong")])
    firing = await RecordsAdapter(records_database).alerts(AlertFilter(state="firing"), None, 9)
    assert sorted(one.id for one in firing) == ["a1", "a2"]
    assert [row["key"] for row in await stored(records_database, desk_states)] == [LIFT.path]


async def test_a_code_on_the_wall_with_a_damaged_row_still_calls(records_database: RecordsDatabase) -> None:
    await fill(records_database)
    points = CallPointsAdapter(records_database, TOKENS)
    (point, _) = await points.points(None)
    token = TOKENS.of(point)
    value = INSTANTS[dialect_of(records_database)]
    await damage(records_database, call_points, "created_at", next(iter(value.values())), f"id = '{point.id}'")
    scanned = await points.by_token(token)
    assert scanned is not None
    assert (scanned.point.id, scanned.former) == (point.id, False)


async def test_codes_are_adopted_with_a_damaged_row_among_them(records_database: RecordsDatabase) -> None:
    if not records_database.is_sqlite:
        return  # PostgreSQL refuses it.
    await fill(records_database)
    await damage(records_database, call_points, "id", "x'00ff10'", "id = 'garden/p1'")
    await CallPointsAdapter(records_database, TOKENS).adopt()
    assert await points_read(records_database) == 1
    await assert_told(records_database, call_points)


ENDLESS = {"sqlite": "9223372036854775807", "postgresql": "'infinity'"}
NEVER = {"sqlite": "-9223372036854775808", "postgresql": "'-infinity'"}


@pytest.mark.parametrize("instants", [ENDLESS, NEVER, {"sqlite": "'x'"}, {"sqlite": "x'00'"}], ids=str)
async def test_a_message_with_a_damaged_turn_is_given_up_and_stops_no_other(
    records_database: RecordsDatabase, instants: Mapping[str, str]
) -> None:
    value = instants.get(dialect_of(records_database))
    if value is None:
        return  # PostgreSQL refuses it.
    desk, sending = DeskRecordsAdapter(records_database, CLOCK), OutboxAdapter(records_database, CLOCK)
    await desk.commit(desk_commit(1, intents=[intent("i1"), intent("i2", incident="n9")]))
    await damage(records_database, outbox, "next_attempt_at", value, "id = 'i1'")
    now = CLOCK.now()
    first = await sending.next_due()
    assert first is not None
    assert first <= now
    assert [entry.intent.id for entry in await sending.due(now, 10)] == ["i2"]
    (row,) = [row for row in await stored(records_database, outbox) if row["id"] == "i1"]
    assert row["failed"]


async def test_a_message_to_a_damaged_receiver_is_given_up(records_database: RecordsDatabase) -> None:
    if not records_database.is_sqlite:
        return  # PostgreSQL refuses it.
    desk, sending = DeskRecordsAdapter(records_database, CLOCK), OutboxAdapter(records_database, CLOCK)
    await desk.commit(desk_commit(1, intents=[intent("i1"), intent("i2", incident="n9")]))
    await damage(records_database, outbox, "receiver", "x'00ff10'", "id = 'i1'")
    assert [entry.intent.id for entry in await sending.due(CLOCK.now(), 10)] == ["i2"]


async def all_devices_read(database: RecordsDatabase) -> int:
    return len(await RecordsAdapter(database).devices(None, None, None, 9))


DAMAGED_KEYS: list[tuple[Table, str, str, Read]] = [
    (devices, "path", OF_THE_LIFT, all_devices_read),
    (acknowledgements, "sent_at", "person = 'person-1'", people_read),
]


@pytest.mark.parametrize(("table", "column", "where", "read"), DAMAGED_KEYS, ids=_named)
async def test_a_row_with_a_damaged_key_is_told_until_it_is_gone(
    records_database: RecordsDatabase, table: Table, column: str, where: str, read: Read
) -> None:
    if not records_database.is_sqlite:
        return  # PostgreSQL refuses it.
    await fill(records_database)
    await damage(records_database, table, column, "x'00ff10'", where)
    assert await read(records_database) == 1
    await assert_told(records_database, table)
    async with records_database.writing() as connection:
        await connection.execute(text(f"DELETE FROM {table.name} WHERE typeof({column}) = 'blob'"))
    await UnreadableWatch(records_database).look()
    assert records_database.unreadable.problems() == {}
