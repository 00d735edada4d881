"""What people keep: suppressions, rules, facts of devices, stand-ins. On SQLite and PostgreSQL."""

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from alerts.inventory import DeviceFacts
from core.clock import ManualClock
from core.errors import Conflict, TemporaryError
from emergency.model import CallFilter
from storage.records import (
    AlertActsAdapter,
    AlertStepsAdapter,
    CallPointsAdapter,
    CallRecordsAdapter,
    ControllerCodesAdapter,
    DeskRecordsAdapter,
    OutboxAdapter,
    QualityAdapter,
    RecordsDatabase,
    RegistryAdapter,
    RotaOverridesAdapter,
    RuleBookAdapter,
    SessionsAdapter,
    SuppressionsAdapter,
)
from tests.contract.records_call_cases import FOLLOWED_RULES, LIFT_PATH, TOKENS, raising
from tests.contract.records_cases import GATE, LIFT, START, after
from tests.contract.records_desk_cases import desk_commit, silence

pytestmark = pytest.mark.timeout(60)


async def test_a_database_that_is_away_is_a_temporary_error(records_database: RecordsDatabase) -> None:
    await records_database.close()
    desk, box = DeskRecordsAdapter(records_database), OutboxAdapter(records_database)
    asked: list[Awaitable[object]] = [
        desk.load(),
        desk.told(0, 1),
        desk.suppressions(START),
        desk.failing_receivers(),
        desk.commit(desk_commit(1)),
        box.due(START, 1),
        box.next_due(),
        box.delivered(1, START, "ok"),
        box.postpone(1, START, START, "busy"),
        box.give_up(1, START, "gone"),
        box.trim(START, 1),
        AlertActsAdapter(records_database).assign("a1", "li", None, START),
        SuppressionsAdapter(records_database).add(silence()),
        RuleBookAdapter(records_database).version(),
        RegistryAdapter(records_database).inventory(),
        RotaOverridesAdapter(records_database).overrides(START),
        QualityAdapter(records_database).alerts_between(None, START, after(1)),
        CallRecordsAdapter(records_database).commit([raising()]),
        CallRecordsAdapter(records_database).open_at(LIFT_PATH, drill=False),
        CallRecordsAdapter(records_database).calls(CallFilter(), None, 1),
        CallRecordsAdapter(records_database).events("c1"),
        AlertStepsAdapter(records_database, FOLLOWED_RULES).steps(0, 1),
        CallPointsAdapter(records_database, TOKENS).by_token("t1"),
        ControllerCodesAdapter(records_database).code_matches(LIFT_PATH, "1"),
        ControllerCodesAdapter(records_database).set_code(LIFT_PATH, "1", "li", START),
        SessionsAdapter(records_database).begin(b"s", "t", START, START),
        SessionsAdapter(records_database).find(b"s"),
        SessionsAdapter(records_database).used(b"s", START),
        SessionsAdapter(records_database).end(b"s"),
    ]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [TemporaryError] * len(asked)


async def test_a_suppression_is_kept_as_it_was_said(records_database: RecordsDatabase) -> None:
    kept = SuppressionsAdapter(records_database)
    first = await kept.add(silence(after(10), after(20)))
    second = await kept.add(replace(silence(), id="chosen by somebody", reason="so\x00so"))
    assert first == replace(silence(after(10), after(20)), id=first.id)
    assert second.reason == "so\N{REPLACEMENT CHARACTER}so"
    assert first.id < second.id
    assert await kept.get(first.id) == first
    strangers = ["", "1", "chosen by somebody", "9" * 40, "\x00", f"{first.id} ", "０" * 12]
    assert [await kept.get(name) for name in strangers] == [None] * len(strangers)


async def test_suppressions_in_pages_with_and_without_those_that_are_over(records_database: RecordsDatabase) -> None:
    clock = ManualClock(after(100))
    kept = SuppressionsAdapter(records_database, clock)
    spans = [(START, 100), (START, 101), (after(500), 600), (START, 900), (START, 900)]
    ids = [(await kept.add(silence(begin, after(end)))).id for begin, end in spans]
    await kept.end(ids[3], "li", after(99))

    async def found(*, ended: bool, before: str | None, limit: int = 10) -> list[int]:
        return [ids.index(each.id) for each in await kept.list(ended=ended, before=before, limit=limit)]

    assert await found(ended=False, before=None) == [4, 2, 1]
    assert await found(ended=True, before=None) == [4, 3, 2, 1, 0]
    assert await found(ended=False, before=ids[4], limit=1) == [2]
    assert await found(ended=True, before=ids[2]) == [1, 0]
    assert await found(ended=True, before="nonsense") == []
    clock.advance(timedelta(seconds=1))
    assert await found(ended=False, before=None) == [4, 2]


async def test_ending_one_before_its_time(records_database: RecordsDatabase) -> None:
    kept = SuppressionsAdapter(records_database)
    added = await kept.add(silence(START, after(60)))
    ended = await kept.end(added.id, "wang", after(30))
    assert ended == replace(added, ended_at=after(30), ended_by="wang")
    assert await kept.end(added.id, "zhao", after(40)) == ended
    past = await kept.add(silence(START, after(20)))
    assert await kept.end(past.id, "wang", after(20)) == past
    assert await kept.end("999999999999", "wang", after(30)) is None


IN_FORCE = [
    ("before it begins", 0, [True, True]),
    ("while it lasts", 20, [True, True]),
    ("when somebody ends the second", 30, [True, False]),
    ("when the first ends", 60, [False, False]),
]


@pytest.mark.parametrize(("seconds", "expected"), [row[1:] for row in IN_FORCE], ids=[row[0] for row in IN_FORCE])
async def test_what_is_in_force_is_the_same_whenever_it_is_asked(
    records_database: RecordsDatabase, seconds: int, expected: list[bool]
) -> None:
    """The desk catches up: it asks of an instant when nobody had ended anything yet."""
    kept = SuppressionsAdapter(records_database)
    ids = [(await kept.add(silence(after(10), after(60)))).id for _ in expected]
    await kept.end(ids[1], "li", after(30))
    found = [each.id for each in await DeskRecordsAdapter(records_database).suppressions(after(seconds))]
    assert found == [name for name, there in zip(ids, expected, strict=True) if there]


async def _put(book: RuleBookAdapter, rule: str, text: str, at: datetime = START, expected: int | None = None) -> int:
    row = await book.put(
        rule, text, enabled=text != "off", author="li", comment=f"because {text}", now=at, expected_revision=expected
    )
    return row.revision


async def test_every_revision_of_a_rule_is_kept(records_database: RecordsDatabase) -> None:
    book = RuleBookAdapter(records_database)
    assert (await book.version(), await book.newest(), await book.history("hot")) == (0, [], [])
    assert await _put(book, "hot", "threshold: 60", expected=0) == 1
    assert await _put(book, "Zoned", "one") == 1
    assert await _put(book, "hot", "off", after(5), expected=1) == 2
    assert await book.version() == 3
    newest = [(row.number, row.rule, row.revision, row.text, row.enabled) for row in await book.newest()]
    assert newest == [(2, "Zoned", 1, "one", True), (3, "hot", 2, "off", False)]
    history = await book.history("hot")
    assert [(row.revision, row.text, row.author, row.comment, row.at) for row in history] == [
        (2, "off", "li", "because off", after(5)),
        (1, "threshold: 60", "li", "because threshold: 60", START),
    ]


@pytest.mark.parametrize("expected", [0, 2, 99])
async def test_a_revision_that_somebody_overtook_is_a_conflict(
    records_database: RecordsDatabase, expected: int
) -> None:
    book = RuleBookAdapter(records_database)
    await _put(book, "hot", "one")
    with pytest.raises(Conflict, match=f"revision 1, expected {expected}"):
        await _put(book, "hot", "two", expected=expected)
    assert await book.version() == 1
    assert [row.text for row in await book.history("hot")] == ["one"]


async def test_of_many_at_once_one_wins_and_no_version_appears_late(records_database: RecordsDatabase) -> None:
    book = RuleBookAdapter(records_database)
    results = await asyncio.gather(
        *(_put(book, "hot", str(number), expected=0) for number in range(5)),
        *(_put(book, f"rule-{number}", "x") for number in range(5)),
        return_exceptions=True,
    )
    assert sorted(type(result) is Conflict for result in results) == [False] * 6 + [True] * 4
    assert await book.version() == 6
    assert sorted(row.number for row in await book.newest()) == [1, 2, 3, 4, 5, 6]


FACTS = DeviceFacts(
    name_zh="3 号楼电梯",
    name_en="lift of block 3",
    building="block-3",
    gateway="gw-1",
    tags=frozenset({"old", "fire"}),
    numbers={"rated_load_kilograms": 630.0, "stops": 11.0},
    retired=True,
)


async def test_facts_of_devices_at_a_version(records_database: RecordsDatabase) -> None:
    registry = RegistryAdapter(records_database)
    nothing = await registry.inventory()
    assert (nothing.version, nothing.of(LIFT)) == (0, DeviceFacts())
    await registry.put_facts(LIFT, FACTS, "li", START)
    await registry.put_facts(GATE, DeviceFacts(building="block-3"), "li", after(1))
    await registry.put_facts(GATE, DeviceFacts(gateway="gw-1"), "wang", after(2))
    found = await registry.inventory()
    assert (found.version, found.of(LIFT), found.of(GATE)) == (3, FACTS, DeviceFacts(gateway="gw-1"))
    async with records_database.reading() as connection:
        rows = await connection.execute(text("SELECT path, author FROM device_facts ORDER BY path"))
        assert [tuple(row) for row in rows] == [(LIFT.path, "li"), (GATE.path, "wang")]


async def test_the_inventory_is_read_anew_only_when_somebody_changed_it(records_database: RecordsDatabase) -> None:
    registry, other = RegistryAdapter(records_database), RegistryAdapter(records_database)
    await other.put_facts(LIFT, FACTS, "li", START)
    first = await registry.inventory()
    assert await registry.inventory() is first
    await other.put_facts(LIFT, DeviceFacts(building="block-4"), "li", after(1))
    assert (await registry.inventory()).of(LIFT).building == "block-4"
    assert first.of(LIFT) == FACTS


async def test_facts_put_at_once_take_a_version_each(records_database: RecordsDatabase) -> None:
    registry = RegistryAdapter(records_database)
    await asyncio.gather(*(registry.put_facts(LIFT, DeviceFacts(building=f"b{n}"), "li", START) for n in range(8)))
    assert (await registry.inventory()).version == 8


async def test_who_stands_in_for_whom(records_database: RecordsDatabase) -> None:
    rota = RotaOverridesAdapter(records_database)
    late = await rota.add_override("duty", "wang", after(100), after(200), "li", START)
    early = await rota.add_override("duty", "zhao", after(50), after(150), "li", after(1))
    newer = await rota.add_override("guard", "qian", after(50), after(60), "li", after(2))
    assert (late.rota, late.person, late.starts_at, late.ends_at) == ("duty", "wang", after(100), after(200))
    assert (late.author, late.created_at) == ("li", START)
    assert await rota.overrides(START) == [early, newer, late]
    assert await rota.overrides(after(60)) == [early, late]
    assert await rota.overrides(after(200)) == []


async def test_one_taken_back_counts_no_more_but_stays_on_record(records_database: RecordsDatabase) -> None:
    rota = RotaOverridesAdapter(records_database)
    kept = await rota.add_override("duty", "wang", after(100), after(200), "li", START)
    assert await rota.remove_override(kept.id, "zhao", after(5))
    assert not await rota.remove_override(kept.id, "zhao", after(6))
    assert not await rota.remove_override("no such", "zhao", after(6))
    assert await rota.overrides(START) == []
    async with records_database.reading() as connection:
        row = (await connection.execute(text("SELECT person, removed_by FROM rota_overrides"))).one()
    assert tuple(row) == ("wang", "zhao")
