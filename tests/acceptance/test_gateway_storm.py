"""The storm itself: all births and all last wills of a gateway and 200 devices reach whoever listens."""

import asyncio
from collections import Counter

import aiomqtt
import msgspec

from core.clock import SystemClock
from core.devices import Channel
from core.wire.payloads import ElevatorTelemetry, Presence
from core.wire.topics import SUBSCRIPTION, build, parse
from simulators.model import Message
from tests.acceptance.gateway_storm import GATEWAY, GatewayStorm, behind
from tests.servers.plugin import MakeMosquitto

DEVICES = 200
DEADLINE_SECONDS = 30.0


async def _statuses(client: aiomqtt.Client, count: int) -> Counter[tuple[str, str]]:
    """Return (device path, status) of the next ``count`` messages."""
    heard: Counter[tuple[str, str]] = Counter()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while heard.total() < count:
            message = await anext(aiter(client.messages))
            device, channel = parse(str(message.topic))
            assert channel is Channel.PRESENCE
            assert isinstance(message.payload, bytes)
            heard[device.path, msgspec.json.decode(message.payload, type=Presence).status.value] += 1
    return heard


async def test_every_birth_and_every_will_arrives_once(make_mosquitto: MakeMosquitto) -> None:
    broker = make_mosquitto(save_every_change=False)
    storm = GatewayStorm(broker.port, behind(DEVICES))
    async with aiomqtt.Client(broker.host, broker.port) as client:
        await client.subscribe(SUBSCRIPTION, qos=1)
        with storm:
            births = await _statuses(client, DEVICES + 1)
            storm.drop()
            wills = await _statuses(client, DEVICES + 1)
    assert births == Counter({(device.path, "online"): 1 for device in storm.devices})
    assert wills == Counter({(device.path, "offline"): 1 for device in storm.devices})
    async with aiomqtt.Client(broker.host, broker.port) as late:
        await late.subscribe(SUBSCRIPTION, qos=1)
        assert await _statuses(late, DEVICES + 1) == wills


async def test_devices_speak_before_they_vanish(make_mosquitto: MakeMosquitto) -> None:
    broker = make_mosquitto(save_every_change=False)
    (lift,) = behind(1)
    async with aiomqtt.Client(broker.host, broker.port) as client:
        await client.subscribe(build(lift, Channel.TELEMETRY), qos=1)
        with GatewayStorm(broker.port, [lift]) as storm:
            storm.say(lift, Message(Channel.TELEMETRY, ElevatorTelemetry(at=SystemClock().now(), floor="3")))
            async with asyncio.timeout(DEADLINE_SECONDS):
                message = await anext(aiter(client.messages))
    assert isinstance(message.payload, bytes)
    assert msgspec.json.decode(message.payload, type=ElevatorTelemetry).floor == "3"
    assert storm.devices == [GATEWAY, lift]
