"""Notifications over MQTT to a real broker, also one that is killed and comes back."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from uuid import uuid4
from zoneinfo import ZoneInfo

import aiomqtt
import pytest

from alerts.dispatch.model import Purpose
from alerts.model import Severity
from alerts.notify.document import body_of
from alerts.notify.mqtt import MqttAddress, MqttMessenger
from core.errors import PermanentError, TemporaryError
from tests.servers.places import Address
from tests.servers.plugin import MakeMosquitto
from tests.unit.alerts.notify.intents import intent

CONNACK_NOT_AUTHORISED = bytes.fromhex("20020005")
SHANGHAI = ZoneInfo("Asia/Shanghai")


@contextlib.asynccontextmanager
async def made(host: str, port: int, topic: str) -> AsyncIterator[MqttMessenger]:
    messenger = MqttMessenger(MqttAddress(host, port), topic, zone=SHANGHAI, base_url=None)
    try:
        yield messenger
    finally:
        await messenger.close()


async def test_it_publishes_the_document_under_its_topic(mosquitto: Address) -> None:
    root = f"anju-notify-{uuid4().hex}"
    host, port = mosquitto.host, mosquitto.port
    async with (
        aiomqtt.Client(host, port) as listener,
        made(host, port, f"{root}/v1/{{community}}/{{severity}}/{{purpose}}") as messenger,
    ):
        await listener.subscribe(f"{root}/#", qos=1)
        said = await messenger.deliver(intent())
        await messenger.deliver(intent(2, severity=Severity.MINOR, purpose=Purpose.DIGEST, community=""))
        first = await anext(aiter(listener.messages))
        second = await anext(aiter(listener.messages))
    topic = f"{root}/v1/xingfuli/critical/firing"
    assert said == f"mqtt {host}:{port}: acknowledged on {topic}"
    assert (str(first.topic), first.qos, first.retain) == (topic, 1, False)
    assert first.payload == body_of(intent(), SHANGHAI, None)
    assert str(second.topic) == f"{root}/v1/-/minor/digest"
    assert isinstance(second.payload, bytes)
    assert json.loads(second.payload)["id"] == "intent-2"


async def test_a_broker_that_was_killed_is_used_again_when_it_is_back(make_mosquitto: MakeMosquitto) -> None:
    server = make_mosquitto()
    async with made(server.host, server.port, "anju-notify/v1/{severity}") as messenger:
        await messenger.deliver(intent(1))
        server.kill()
        with pytest.raises(TemporaryError, match=f"^mqtt {server.host}:{server.port}: "):
            await messenger.deliver(intent(2))
        server.start()
        await messenger.deliver(intent(2))


async def test_a_connection_that_died_unnoticed_costs_no_attempt(make_mosquitto: MakeMosquitto) -> None:
    server = make_mosquitto()
    async with made(server.host, server.port, "anju-notify/v1/{severity}") as messenger:
        await messenger.deliver(intent(1))
        server.kill()
        server.start()
        await messenger.deliver(intent(2))


async def test_nobody_there_is_worth_another_try(make_mosquitto: MakeMosquitto) -> None:
    server = make_mosquitto()
    server.kill()
    async with made(server.host, server.port, "anju-notify/v1") as messenger:
        with pytest.raises(TemporaryError, match="refused"):
            await messenger.deliver(intent())


async def test_a_broker_that_does_not_let_us_in_is_named_without_the_password() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(CONNACK_NOT_AUTHORISED)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        address = MqttAddress("127.0.0.1", server.sockets[0].getsockname()[1], username="anju", password="geheim")
        messenger = MqttMessenger(address, "anju-notify/v1", zone=SHANGHAI, base_url=None)
        with pytest.raises(TemporaryError, match=r"(?i)not authori[sz]ed") as refused:
            await messenger.deliver(intent())
    assert "geheim" not in f"{refused.value}{address}"


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("", "no wildcards"),
        ("anju-notify/#", "no wildcards"),
        ("anju-notify/+/x", "no wildcards"),
        ("$SYS/anju", "not below \\$"),
        ("anju-notify/" + "x" * 600, "at most 512 bytes"),
        ("anju/v1", "may not reach what devices publish"),
        ("anju/v1/xingfuli/{severity}", "may not reach what devices publish"),
        ("{community}/v1/x", "may not reach what devices publish"),
        ("anju-notify/{building}", "unknown {building}"),
        ("anju-notify/{severity!r}", "unknown {severity}"),
        ("anju-notify/{severity", "expected a topic such as"),
        ("anju-notify/{}", "unknown {}"),
    ],
)
def test_topics_that_cannot_be_used(topic: str, expected: str) -> None:
    with pytest.raises(PermanentError, match=expected):
        MqttMessenger(MqttAddress("127.0.0.1"), topic, zone=SHANGHAI, base_url=None)


@pytest.mark.parametrize("topic", ["anju-notify/v1/{community}/{severity}", "anju/v10/x", "anju/{severity}", "x"])
def test_topics_that_can(topic: str) -> None:
    MqttMessenger(MqttAddress("127.0.0.1"), topic, zone=SHANGHAI, base_url=None)
