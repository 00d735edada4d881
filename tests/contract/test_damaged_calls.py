"""One damaged row of a call ends nothing: the call is rebuilt, climbs, is alerted, and all others go on."""

from collections.abc import Collection
from datetime import timedelta

import pytest

from alerts.history import AlertFilter
from core.clock import ManualClock
from emergency.acts import Answer, Close
from emergency.ladder import rules_of
from emergency.model import Call, Caller, CallFilter, CallState, Cause, Place, Source
from emergency.own_rules import DAMAGED
from emergency.ports import Standing
from emergency.service import EmergencyService
from emergency.steps import CallRequest
from emergency.switchboard import Switchboard
from storage.records import (
    AlertStepsAdapter,
    CallRecordsAdapter,
    RecordsAdapter,
    RecordsDatabase,
    UnreadableWatch,
)
from storage.records.call_tables import call_events, calls
from storage.records.kept_tables import put_aside
from tests.contract.damage import INSTANTS, SQLITE_ONLY, TEXTS, damage, damage_text, dialect_of, stored
from tests.contract.records_cases import START
from tests.unit.emergency.boards import Everybody, words
from tests.unit.emergency.calls import plan

FIRST = Place("garden", "garden/elevator/lift-1", contractor="tonghui")
SECOND = Place("garden", "garden/elevator/lift-2", contractor="tonghui")
PLAN = plan()
SENSE = timedelta(seconds=rules_of(PLAN, FIRST).steps[0].wait_seconds + 1)


class Registry:
    """Knows the lifts by their paths, with names and codes."""

    async def of_lift(self, path: str) -> Place:
        return Place("garden", path, name_zh="电梯", rescue_code="123456", contractor="tonghui")

    async def standing(self, paths: Collection[str]) -> Standing:
        del paths
        return Standing()


class World:
    """The switchboard and the service over one database."""

    def __init__(self, database: RecordsDatabase) -> None:
        self.database = database
        self.clock = ManualClock(START)
        self.records = CallRecordsAdapter(database, self.clock)
        self.switchboard = Switchboard(self.records, Everybody(), self.clock, lambda: PLAN, words)
        steps = AlertStepsAdapter(database, ["car-alarm-button"])
        self.service = EmergencyService(self.switchboard, self.records, steps, Registry())

    async def press(self, place: Place) -> Call:
        request = CallRequest(Source.RESIDENT, place, Caller("王", "139", "救命"), people=2)
        return (await self.switchboard.raise_call(request, "caller"))[0]

    async def find(self, call: Call) -> Call:
        found = await self.records.call(call.id)
        assert found is not None
        return found

    async def firing(self) -> list[str]:
        rows = await RecordsAdapter(self.database).alerts(AlertFilter(state="firing", rule=DAMAGED), None, 10)
        return [row.device.path for row in rows]


@pytest.fixture
async def world(records_database: RecordsDatabase) -> World:
    return World(records_database)


@pytest.mark.parametrize("kind", TEXTS)
async def test_a_call_with_a_damaged_record_climbs_on_and_is_alerted(world: World, kind: str) -> None:
    damaged, sound = await world.press(FIRST), await world.press(SECOND)
    await damage_text(world.database, calls, "call", TEXTS[kind], f"id = '{damaged.id}'")
    world.clock.advance(SENSE)
    await world.service.turn()
    assert (await world.find(sound)).told == 2
    rebuilt = await world.find(damaged)
    assert (rebuilt.told, rebuilt.state, rebuilt.people) == (2, CallState.RINGING, 2)
    assert rebuilt.caller.text == "救命"
    assert rebuilt.place.rescue_code == "123456"
    assert rebuilt.rescue_by == damaged.rescue_by
    assert rebuilt.damaged
    assert await world.firing() == [FIRST.lift]
    assert not world.service.stats.detail
    (kept,) = await stored(world.database, put_aside)
    assert (kept["table_name"], kept["row_key"], kept["content"]) == ("calls", damaged.id, TEXTS[kind].encode())


async def test_what_was_damaged_stays_told_until_an_operator_clears_it(world: World) -> None:
    damaged = await world.press(FIRST)
    await damage_text(world.database, calls, "call", "", f"id = '{damaged.id}'")
    await world.service.turn()
    await UnreadableWatch(world.database).look()
    (told,) = world.database.unreadable.problems().values()
    assert told.startswith(f"表 calls 有 1 行无法读取：{damaged.id}")
    assert f" / 1 row of calls cannot be read: {damaged.id}" in told


async def test_whoever_takes_and_closes_a_rebuilt_call_ends_its_alert(world: World) -> None:
    damaged = await world.press(FIRST)
    await damage_text(world.database, calls, "call", "", f"id = '{damaged.id}'")
    # Before the service has looked at it: the API's process reads it rebuilt as well.
    answered = await world.switchboard.act(damaged.id, Answer(), "li")
    assert answered is not None
    assert answered.state is CallState.ANSWERED
    await world.service.turn()
    assert await world.firing() == [FIRST.lift]
    await world.switchboard.act(damaged.id, Close(Cause.OTHER, "出来了"), "li")
    assert await world.firing() == []


async def test_the_next_press_at_the_place_joins_the_damaged_call(world: World) -> None:
    damaged = await world.press(FIRST)
    await damage_text(world.database, calls, "call", "{", f"id = '{damaged.id}'")
    assert (await world.press(FIRST)).id == damaged.id


async def test_a_list_shows_every_call_with_a_damaged_one_among_them(world: World) -> None:
    damaged, sound = await world.press(FIRST), await world.press(SECOND)
    await damage_text(world.database, calls, "call", "null", f"id = '{damaged.id}'")
    assert [one.id for one in await world.records.calls(CallFilter(open=True), None, 50)] == [sound.id, damaged.id]


async def test_a_damaged_event_is_left_out_of_its_history_and_told(world: World) -> None:
    call = await world.press(FIRST)
    before = await world.records.events(call.id)
    await damage_text(world.database, call_events, "event", "{}", f"number = {before[0].number}")
    assert await world.records.events(call.id) == before[1:]
    assert await world.records.events_after(0, 1) == before[1:2]
    assert "stored/call_events" in world.database.unreadable.problems()
    assert (await world.find(call)) == call


@pytest.mark.parametrize("kind", SQLITE_ONLY)
@pytest.mark.parametrize("column", ["call", "state", "source", "version", "place_key", "lift", "next_at", "is_open"])
async def test_foreign_types_in_any_column_stop_nothing(world: World, column: str, kind: str) -> None:
    if not world.database.is_sqlite:
        return  # PostgreSQL refuses them.
    damaged, sound = await world.press(FIRST), await world.press(SECOND)
    await damage(world.database, calls, column, SQLITE_ONLY[kind], f"id = '{damaged.id}'")
    world.clock.advance(SENSE)
    await world.service.turn()
    await world.service.turn()
    assert (await world.find(sound)).told == 2
    assert (await world.find(damaged)).open
    assert not world.service.stats.detail


@pytest.mark.parametrize("column", ["raised_at", "next_at"])
async def test_an_instant_out_of_range_stops_nothing(world: World, column: str) -> None:
    for value in INSTANTS[dialect_of(world.database)].values():
        damaged, sound = await world.press(FIRST), await world.press(SECOND)
        await damage(world.database, calls, column, value, f"id = '{damaged.id}'")
        world.clock.advance(SENSE)
        service = World(world.database)
        service.clock.advance(world.clock.now() - START)
        await service.service.turn()
        assert (await world.find(sound)).told == 2
        assert await world.firing() == [FIRST.lift]
        for call in (damaged, sound):
            await world.switchboard.act(call.id, Answer(), "li")
            await world.switchboard.act(call.id, Close(Cause.OTHER, ""), "li")
            assert not (await world.find(call)).open
