"""The simulators' publisher against a real Mosquitto: births, wills, order, reconnecting, an orderly end."""

import asyncio
import contextlib
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import aiomqtt
import msgspec
import pytest

from core.clock import SystemClock
from core.devices import Channel, DeviceKey, DeviceKind
from core.wire import commands
from core.wire.commands import ElevatorCommand, ElevatorCommandType
from core.wire.payloads import ElevatorTelemetry, Presence, PresenceStatus
from core.wire.topics import SUBSCRIPTION, build, parse
from simulators.fleet import LinkLost, LinkRestored, Outgoing, PlannedIncident
from simulators.link import BrokerAddress
from simulators.publisher import Publisher
from simulators.run import SimulationOptions, simulate
from tests.servers.mosquitto import Mosquitto
from tests.servers.plugin import MakeMosquitto

DEADLINE_SECONDS = 20.0
LIFT = DeviceKey("testdorf", DeviceKind.ELEVATOR, "lift-1")
GATE = DeviceKey("testdorf", DeviceKind.GATE, "gate-1")
AT = datetime(2026, 3, 1, tzinfo=UTC)


class Ear:
    """Hears everything on the broker, retained messages included, and waits for what a test expects."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self.heard: list[tuple[str, bytes]] = []

    async def until(self, expected: Callable[[list[tuple[str, bytes]]], bool]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not expected(self.heard):
                message = await anext(aiter(self._client.messages))
                assert isinstance(message.payload, bytes)
                self.heard.append((str(message.topic), message.payload))

    def statuses(self, device: DeviceKey) -> list[PresenceStatus]:
        topic = build(device, Channel.PRESENCE)
        return [msgspec.json.decode(body, type=Presence).status for name, body in self.heard if name == topic]

    async def until_statuses(self, device: DeviceKey, *statuses: str) -> None:
        await self.until(lambda _: [status.value for status in self.statuses(device)] == list(statuses))


@pytest.fixture
def broker(make_mosquitto: MakeMosquitto) -> Mosquitto:
    return make_mosquitto(save_every_change=False)


@contextlib.asynccontextmanager
async def listening(broker: Mosquitto) -> AsyncIterator[Ear]:
    async with aiomqtt.Client(broker.host, broker.port) as client:
        await client.subscribe(SUBSCRIPTION, qos=1)
        yield Ear(client)


@contextlib.asynccontextmanager
async def publishing(
    broker: Mosquitto, devices: list[DeviceKey], *, most_connections: int = 50
) -> AsyncIterator[Publisher]:
    address = BrokerAddress(broker.host, broker.port)
    publisher = Publisher(address, devices, SystemClock(), chance=random.Random(1), most_connections=most_connections)
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(publisher.run(stopping))
        try:
            yield publisher
        finally:
            stopping.set()


def numbered(device: DeviceKey, count: int) -> list[Outgoing]:
    topic = build(device, Channel.TELEMETRY)
    return [Outgoing(device, topic, msgspec.json.encode({"at": AT, "seq": number})) for number in range(count)]


async def test_birth_messages_in_order_and_goodbye(broker: Mosquitto) -> None:
    async with listening(broker) as ear:
        async with publishing(broker, [LIFT]) as publisher:
            await ear.until_statuses(LIFT, "online")
            for message in numbered(LIFT, 500):
                publisher.send(message)
        await ear.until_statuses(LIFT, "online", "offline")
    bodies = [body for topic, body in ear.heard if topic.endswith("/telemetry")]
    assert [msgspec.json.decode(body, type=ElevatorTelemetry).seq for body in bodies] == list(range(500))


async def test_presence_is_retained(broker: Mosquitto) -> None:
    async with publishing(broker, [LIFT]):
        async with listening(broker) as early:
            await early.until_statuses(LIFT, "online")
        async with listening(broker) as late:
            await late.until_statuses(LIFT, "online")


async def test_a_lost_link_is_told_by_the_last_will_and_a_restored_one_by_a_birth(broker: Mosquitto) -> None:
    async with listening(broker) as ear, publishing(broker, [LIFT, GATE]) as publisher:
        await ear.until_statuses(LIFT, "online")
        publisher.send(LinkLost(LIFT, AT))
        await ear.until_statuses(LIFT, "online", "offline")
        publisher.send(LinkRestored(LIFT, AT))
        await ear.until_statuses(LIFT, "online", "offline", "online")
        assert ear.statuses(GATE) == [PresenceStatus.ONLINE]
    bodies = [body for topic, body in ear.heard if topic == build(LIFT, Channel.PRESENCE)]
    birth, will, *_ = [msgspec.json.decode(body, type=Presence) for body in bodies]
    # A will was written when the connection began: that instant cannot be later than the birth's.
    assert will.at <= birth.at


async def test_a_gateway_reports_each_of_its_devices(broker: Mosquitto) -> None:
    async with listening(broker) as ear:
        async with publishing(broker, [LIFT, GATE], most_connections=1) as publisher:
            await ear.until_statuses(GATE, "online")
            publisher.send(LinkLost(LIFT, AT))
            await ear.until_statuses(LIFT, "online", "offline")
            publisher.send(LinkRestored(LIFT, AT))
            await ear.until_statuses(LIFT, "online", "offline", "online")
        await ear.until_statuses(GATE, "online", "offline")


async def test_what_is_said_while_the_broker_is_away_comes_after_it_is_back(broker: Mosquitto) -> None:
    async with publishing(broker, [LIFT]) as publisher:
        async with listening(broker) as ear:
            await ear.until_statuses(LIFT, "online")
        broker.kill()
        for message in numbered(LIFT, 50):
            publisher.send(message)
        broker.start()
        async with listening(broker) as ear:
            # A message whose acknowledgement was lost with the broker may come twice, never out of reach.
            await ear.until(lambda heard: sum(topic.endswith("/telemetry") for topic, _ in heard) >= 50)
    bodies = [body for topic, body in ear.heard if topic.endswith("/telemetry")]
    assert {msgspec.json.decode(body, type=ElevatorTelemetry).seq for body in bodies} == set(range(50))
    assert publisher.dropped == 0


SIMULATOR = """
import asyncio, sys
from core.clock import SystemClock
from simulators.link import BrokerAddress
from simulators.run import SimulationOptions, simulate
options = SimulationOptions(broker=BrokerAddress(port=int(sys.argv[1])))
asyncio.run(simulate(options, SystemClock(), asyncio.Event()))
"""


async def test_a_killed_simulator_leaves_its_wills(broker: Mosquitto) -> None:
    lift = DeviceKey("jinxiu", DeviceKind.ELEVATOR, "block-3-lift")
    camera = DeviceKey("jinxiu", DeviceKind.THERMAL, "bike-shed")
    async with listening(broker) as ear:
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", SIMULATOR, str(broker.port))
        try:
            await ear.until_statuses(lift, "online")
            await ear.until(lambda _: ear.statuses(camera) == [PresenceStatus.ONLINE])
            child.send_signal(signal.SIGKILL)
            await ear.until(lambda _: ear.statuses(lift)[-1] is PresenceStatus.OFFLINE)
            await ear.until(lambda _: ear.statuses(camera)[-1] is PresenceStatus.OFFLINE)
        finally:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


async def test_the_demo_runs_an_incident_and_ends_cleanly(broker: Mosquitto) -> None:
    stopping = asyncio.Event()
    options = SimulationOptions(
        broker=BrokerAddress(broker.host, broker.port), incidents=(PlannedIncident("door-forced", 20.0),), speed=60.0
    )
    async with listening(broker) as ear, asyncio.TaskGroup() as group:
        group.create_task(simulate(options, SystemClock(), stopping))
        await ear.until(lambda heard: any(b'"forced_open"' in body for _, body in heard))
        stopping.set()
        gate = DeviceKey("jinxiu", DeviceKind.GATE, "south-gate")
        await ear.until(lambda _: ear.statuses(gate)[-1] is PresenceStatus.OFFLINE)
    now = SystemClock().now()
    for topic, body in ear.heard:
        parse(topic)
        assert msgspec.json.decode(body, type=dict[str, object])
        assert msgspec.convert(msgspec.json.decode(body)["at"], datetime) <= now


async def test_a_simulation_ends_by_itself_after_its_duration_and_says_goodbye(broker: Mosquitto) -> None:
    options = SimulationOptions(broker=BrokerAddress(broker.host, broker.port), duration=timedelta(seconds=0.5))
    async with listening(broker) as ear:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await simulate(options, SystemClock(), asyncio.Event())
        lift = DeviceKey("jinxiu", DeviceKind.ELEVATOR, "block-3-lift")
        await ear.until_statuses(lift, "online", "offline")


@pytest.mark.parametrize("lifts", [1, 60], ids=["on a link of its own", "behind a gateway"])
async def test_a_lift_that_is_asked_tests_its_alarm(broker: Mosquitto, lifts: int) -> None:
    stopping = asyncio.Event()
    options = SimulationOptions(broker=BrokerAddress(broker.host, broker.port), elevators=lifts, incidents=())
    now = SystemClock().now()
    test = commands.encode(ElevatorCommand(command=ElevatorCommandType.ALARM_TEST, at=now))
    async with (
        listening(broker) as ear,
        aiomqtt.Client(broker.host, broker.port) as asker,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(simulate(options, SystemClock(), stopping))
        await ear.until(lambda heard: any("/elevator/" in topic and b'"online"' in body for topic, body in heard))
        lift = next(parse(topic)[0] for topic, _ in ear.heard if "/elevator/" in topic)
        for payload in (b"{", b'{"command":"open_doors","at":"2026-08-14T00:00:00Z"}', test):
            await asker.publish(commands.build(lift), payload, qos=1)
        await asker.publish(commands.build(GATE), test, qos=1)
        await ear.until(lambda heard: any(b'"alarm_tested"' in body for _, body in heard))
        stopping.set()
    assert [topic for topic, body in ear.heard if b'"alarm_test' in body] == [build(lift, Channel.EVENT)]


async def test_without_a_broker_a_simulation_still_stops_at_once(broker: Mosquitto) -> None:
    broker.stop()
    options = SimulationOptions(broker=BrokerAddress(broker.host, broker.port), duration=timedelta(seconds=0.3))
    async with asyncio.timeout(5.0):
        await simulate(options, SystemClock(), asyncio.Event())


async def test_a_dead_gateway_and_what_hangs_on_it_are_told_gone_and_come_back(broker: Mosquitto) -> None:
    stopping = asyncio.Event()
    dead = PlannedIncident("gateway-dead", 0.5, parameters={"silent_seconds": 1.0})
    options = SimulationOptions(
        broker=BrokerAddress(broker.host, broker.port), incidents=(dead,), repeat_seconds=None, seed=1
    )
    gateway = DeviceKey("jinxiu", DeviceKind.GATEWAY, "block-3-gateway")
    lift = DeviceKey("jinxiu", DeviceKind.ELEVATOR, "block-3-lift")
    async with listening(broker) as ear, asyncio.TaskGroup() as group:
        group.create_task(simulate(options, SystemClock(), stopping))
        for device in (gateway, lift):
            await ear.until(partial(_came_back, ear, device))
        stopping.set()
    assert [_without_repeats(ear, device) for device in (gateway, lift)] == [["online", "offline", "online"]] * 2


def _came_back(ear: Ear, device: DeviceKey, _heard: object) -> bool:
    return _without_repeats(ear, device)[-2:] == ["offline", "online"]


def _without_repeats(ear: Ear, device: DeviceKey) -> list[str]:
    """Return the changes of what a device says of itself: a gateway says *online* every minute."""
    said = [status.value for status in ear.statuses(device)]
    return [status for before, status in zip(["", *said], said, strict=False) if status != before]
