"""The contracts of `emergency.ports` beside the calls: codes on walls and controllers, and the timelines followed."""

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from alerts.model import TransitionKind
from emergency.model import CallPoint, KeptCode, ScannedCode
from emergency.ports import AlertStep, Followed
from emergency.tokens import PointTokens
from storage.records import CallPointsAdapter, ControllerCodesAdapter, RecordsDatabase
from storage.records.call_tables import call_point_tokens, call_points, controller_codes
from tests.contract.records_call_cases import LIFT_PATH, TOKENS, CallBench, overdue, raising
from tests.contract.records_cases import GATE, START, after, fired, resolved

pytestmark = pytest.mark.timeout(60)

POINT = CallPoint("p1", "garden", "3 号楼电梯", "Lift of block 3", LIFT_PATH, "3", created_at=START)


async def test_a_point_is_found_by_its_token_and_by_its_name(calls: CallBench) -> None:
    await calls.points.put(POINT, "li", after(1))
    await calls.points.put(replace(POINT, id="p2", created_at=None), "li", after(1))
    assert await calls.points.by_token(TOKENS.of(POINT)) == ScannedCode(POINT)
    assert await calls.points.point("p2") == replace(POINT, id="p2", created_at=after(1))
    for unknown in ("nobody's", "", "\x00", TOKENS.of(replace(POINT, generation=2))):
        assert await calls.points.by_token(unknown) is None
    assert await calls.points.point("p3") is None


async def test_a_rotated_token_is_known_as_a_former_one(calls: CallBench) -> None:
    newer = replace(POINT, generation=2, created_at=None, name_en="Lift 3")
    await calls.points.put(POINT, "li", START)
    await calls.points.put(newer, "li", after(1))
    kept = replace(newer, created_at=START)
    assert await calls.points.by_token(TOKENS.of(POINT)) == ScannedCode(kept, former=True)
    assert await calls.points.by_token(TOKENS.of(newer)) == ScannedCode(kept)


async def test_former_tokens_end_when_they_are_told_to_and_no_later(calls: CallBench) -> None:
    second, third = replace(POINT, generation=2), replace(POINT, generation=3)
    await calls.points.put(POINT, "li", START)
    await calls.points.put(replace(POINT, id="p2"), "li", START)
    await calls.points.put(second, "li", after(1), former_until=after(9))
    await calls.points.put(third, "li", after(2), former_until=after(20))
    ends = [await calls.points.by_token(TOKENS.of(each)) for each in (POINT, second, third, replace(POINT, id="p2"))]
    assert [each and each.until for each in ends] == [after(9), after(20), None, None]
    await calls.points.put(third, "li", after(3), former_until=after(3))
    ends = [await calls.points.by_token(TOKENS.of(each)) for each in (POINT, second, third)]
    assert [each and each.until for each in ends] == [after(3), after(3), None]
    assert [each and each.ended(after(3)) for each in ends] == [True, True, False]


async def test_a_removed_point_is_found_by_its_name_alone(calls: CallBench) -> None:
    gone = replace(POINT, removed_at=after(1))
    await calls.points.put(POINT, "li", START)
    await calls.points.put(gone, "li", after(1))
    assert await calls.points.by_token(TOKENS.of(POINT)) is None
    assert await calls.points.point("p1") == gone
    assert list(await calls.points.points(None)) == []


async def test_the_records_hold_no_token(records_database: RecordsDatabase) -> None:
    await CallPointsAdapter(records_database, TOKENS).put(POINT, "li", START)
    async with records_database.reading() as connection:
        rows = [*await connection.execute(select(call_points)), *await connection.execute(select(call_point_tokens))]
    assert len(rows) == 2
    assert TOKENS.of(POINT) not in repr(rows)


async def test_points_of_another_key_are_adopted_and_their_former_tokens_go_on(
    records_database: RecordsDatabase,
) -> None:
    before, now = PointTokens(b"lost" * 8), CallPointsAdapter(records_database, TOKENS)
    second = replace(POINT, generation=2)
    for point in (POINT, second):
        await CallPointsAdapter(records_database, before).put(point, "li", START, former_until=after(5))
    assert await now.by_token(TOKENS.of(second)) is None
    for _ in range(2):
        await now.adopt()
    assert await now.by_token(TOKENS.of(second)) == await now.by_token(before.of(second)) == ScannedCode(second)
    assert await now.by_token(before.of(POINT)) == ScannedCode(second, former=True, until=after(5))
    assert await now.by_token(TOKENS.of(POINT)) is None


async def test_points_are_listed_by_name_for_all_or_one_community(calls: CallBench) -> None:
    for number, community in ((2, "garden"), (1, "lake"), (3, "garden")):
        await calls.points.put(replace(POINT, id=f"p{number}", community=community), "li", START)
    assert [point.id for point in await calls.points.points(None)] == ["p1", "p2", "p3"]
    assert [point.id for point in await calls.points.points("garden")] == ["p2", "p3"]
    assert list(await calls.points.points("nowhere")) == []


async def test_the_code_of_a_controller_is_recognized_and_no_other(calls: CallBench) -> None:
    assert await calls.codes.code_matches(LIFT_PATH, "4711") is None
    assert await calls.codes.kept(LIFT_PATH) is None
    await calls.codes.set_code(LIFT_PATH, "47-11 22", "li", START)
    tried = ["471122", " 47 11-22", "471123", "", "47112"]
    assert [await calls.codes.code_matches(LIFT_PATH, code) for code in tried] == [True, True, False, False, False]
    await calls.codes.set_code(LIFT_PATH, "9", "li", after(1))
    assert [await calls.codes.code_matches(LIFT_PATH, code) for code in ("471122", "9")] == [False, True]
    assert await calls.codes.code_matches("garden/elevator/lift-2", "9") is None
    assert await calls.codes.kept(LIFT_PATH) == KeptCode("li", after(1))


async def test_the_same_code_is_kept_in_another_way_for_each_lift(records_database: RecordsDatabase) -> None:
    codes = ControllerCodesAdapter(records_database)
    for number in range(2):
        await codes.set_code(f"garden/elevator/lift-{number}", "4711", "li", START)
    async with records_database.reading() as connection:
        rows = list(await connection.execute(select(controller_codes)))
    assert len({bytes(row.digest) for row in rows}) == 2
    assert not any(b"4711" in bytes(row.digest) + bytes(row.salt) for row in rows)


async def test_timelines_are_followed_by_rule_without_what_only_the_desk_says(calls: CallBench) -> None:
    decided = [
        *fired("a1", rule="lift-trapped"),
        *fired("a2", rule="door-open", device=GATE),
        *fired("a3", after(1), rule="lift-alarm-button"),
        resolved("a1", after(2), rule="lift-trapped"),
    ]
    await calls.desk.engine.decide(decided)
    expected = [
        AlertStep(2, "a1", "lift-trapped", LIFT_PATH, TransitionKind.FIRING.value, START),
        AlertStep(6, "a3", "lift-alarm-button", LIFT_PATH, TransitionKind.FIRING.value, after(1)),
        AlertStep(7, "a1", "lift-trapped", LIFT_PATH, TransitionKind.RESOLVED.value, after(2)),
    ]
    assert await calls.steps.steps(0, 10) == expected
    assert await calls.steps.steps(2, 1) == expected[1:2]
    assert await calls.steps.steps(7, 10) == []
    assert (await calls.steps.last_sequence(), await calls.steps.followed()) == (7, 0)


async def test_an_own_alert_does_not_come_back_as_one_to_follow(calls: CallBench) -> None:
    await calls.records.commit([raising(alerts=[overdue()])], Followed(0, 1))
    assert await calls.steps.steps(0, 10) == []
    assert await calls.steps.last_sequence() == 2
