"""Asking for tests of car alarms end to end: records and telemetry on disk, a real broker, a lift that answers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiomqtt
import msgspec
import pytest

from alerts.history import DeviceRow
from alerts.inventory import DeviceFacts
from app.alarm_tests import LiftsInService, TestsInTelemetry, alarm_test_asking
from app.opening import open_records
from app.settings import BrokerSettings, MqttSettings, Settings
from core.clock import ManualClock, to_microseconds
from core.devices import DeviceKey, DeviceKind
from core.errors import TemporaryError
from core.telemetry import Point
from core.wire import commands
from core.wire.commands import ElevatorCommand, ElevatorCommandType
from storage.memory.telemetry import MemoryTelemetry
from storage.records import RecordsDatabase, RegistryAdapter
from storage.telemetry.embedded import EmbeddedTelemetry
from tests.servers.places import Address
from tests.unit.api.twins import RecordsTwin

START = datetime(2026, 8, 14, 7, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def lift(number: int, community: str = "demo") -> DeviceKey:
    return DeviceKey(community, DeviceKind.ELEVATOR, f"lift-{number}")


def event(device: DeviceKey, at: datetime, kind: str) -> Point:
    return Point("elevator_event", device, "", to_microseconds(at) * 1_000 + 7, {"type": kind}, 1)


async def test_the_newest_test_is_found_among_thousands_of_other_events(tmp_path: Path) -> None:
    for store in (MemoryTelemetry(), EmbeddedTelemetry(tmp_path / "telemetry.sqlite")):
        await store.prepare()
        faults = [event(lift(1), START + timedelta(seconds=number), "fault_raised") for number in range(2_500)]
        tests = [event(lift(1), START + timedelta(seconds=at), kind) for at, kind in TESTS]
        await store.write([*faults, *tests, event(lift(2), START, "alarm_pressed")])
        heard = TestsInTelemetry(store)
        assert await heard.last_test(lift(1), START, START + DAY) == START + timedelta(seconds=2_100.5)
        assert await heard.last_test(lift(1), START, START + timedelta(seconds=900)) == START + timedelta(seconds=3.5)
        assert await heard.last_test(lift(1), START + timedelta(seconds=2_101), START + DAY) is None
        assert await heard.last_test(lift(2), START, START + DAY) is None
        await store.close()


TESTS = [(3.5, "alarm_tested"), (1_200.5, "alarm_tested"), (2_100.5, "alarm_test_failed")]


async def test_retired_lifts_and_gates_are_left_out(tmp_path: Path) -> None:
    records = RecordsTwin()
    keys = [*(lift(number) for number in range(700)), DeviceKey("demo", DeviceKind.GATE, "gate-1")]
    records.device_rows = {key.path: DeviceRow(key, START, START, True, None, {}, 0) for key in keys}
    database = RecordsDatabase(f"sqlite+aiosqlite:///{tmp_path / 'records.sqlite'}")
    await open_records(database, Settings(var=tmp_path))
    registry = RegistryAdapter(database)
    await registry.put_facts(lift(3), DeviceFacts(retired=True), "li", START)
    found = [each.lift for each in await LiftsInService(records, registry).in_service()]
    await database.close()
    assert set(found) == {lift(number) for number in range(700) if number != 3}
    assert len(found) == 699


async def test_a_lift_that_was_not_tested_for_long_hears_the_command(mosquitto: Address, tmp_path: Path) -> None:
    community, clock, telemetry = "estate-of-tests", ManualClock(START), MemoryTelemetry()
    records = RecordsTwin()
    keys = [lift(number, community) for number in (1, 2)]
    records.device_rows = {key.path: DeviceRow(key, START - 9 * DAY, START, True, None, {}, 0) for key in keys}
    await telemetry.write([event(keys[1], START - DAY, "alarm_tested")])
    settings = Settings(
        var=tmp_path,
        mqtt=MqttSettings(host=mosquitto.host, port=mosquitto.port),
        broker=BrokerSettings(embedded="none"),
    )
    database = RecordsDatabase(f"sqlite+aiosqlite:///{tmp_path / 'records.sqlite'}")
    await open_records(database, settings)
    service = alarm_test_asking(settings, clock, records, RegistryAdapter(database), telemetry)
    async with aiomqtt.Client(mosquitto.host, mosquitto.port) as ear, asyncio.timeout(20):
        await ear.subscribe(f"{commands.ROOT}/{community}/#", qos=1)
        clock.advance(HOUR)
        await service.look()
        await service.look()
        await ear.publish(f"{commands.ROOT}/{community}/end", b"", qos=1)
        heard = [message async for message in _until_end(ear)]
    await database.close()
    assert [(str(message.topic), message.qos, message.retain) for message in heard] == [
        (commands.build(keys[0]), 1, False)
    ]
    sent = msgspec.json.decode(bytes(heard[0].payload), type=ElevatorCommand)
    assert sent == ElevatorCommand(command=ElevatorCommandType.ALARM_TEST, at=START + HOUR)


async def _until_end(ear: aiomqtt.Client) -> AsyncIterator[aiomqtt.Message]:
    async for message in ear.messages:
        if str(message.topic).endswith("/end"):
            return
        yield message


async def test_a_broker_that_is_away_is_a_temporary_error(tmp_path: Path, unused_tcp_port: int) -> None:
    records = RecordsTwin()
    records.device_rows = {lift(1).path: DeviceRow(lift(1), START - 9 * DAY, START, True, None, {}, 0)}
    clock = ManualClock(START)
    settings = Settings(var=tmp_path, mqtt=MqttSettings(port=unused_tcp_port))
    database = RecordsDatabase(f"sqlite+aiosqlite:///{tmp_path / 'records.sqlite'}")
    await open_records(database, settings)
    service = alarm_test_asking(settings, clock, records, RegistryAdapter(database), MemoryTelemetry())
    clock.advance(HOUR)
    with pytest.raises(TemporaryError, match="commands to lifts"):
        await service.look()
    await database.close()
