"""The deliverer with real channels: a webhook through every kind of trouble, and a dead one beside a live broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import aiomqtt

from alerts.dispatch.model import Intent, OutboxStatus
from alerts.notify.book import Channel, MessengerBook
from alerts.notify.deliverer import Deliverer, Limits
from alerts.notify.mqtt import MqttAddress, MqttMessenger
from alerts.notify.patience import Patience
from alerts.notify.webhook import WebhookMessenger
from core.clock import SystemClock
from storage.memory.outbox import MemoryOutbox
from tests.integration.webhook_receiver import SECRET, Answer, receiving
from tests.servers.places import Address
from tests.unit.alerts.notify.intents import intent

SHANGHAI = ZoneInfo("Asia/Shanghai")
CLOCK = SystemClock()
HASTY = Patience(first=timedelta(milliseconds=5), most=timedelta(milliseconds=50))


def webhook(url: str, whole_seconds: float = 0.3) -> WebhookMessenger:
    return WebhookMessenger(url, SECRET, zone=SHANGHAI, base_url=None, clock=CLOCK, whole_seconds=whole_seconds)


@contextlib.asynccontextmanager
async def delivering(channels: dict[str, Channel], told: list[Intent]) -> AsyncIterator[tuple[Deliverer, MemoryOutbox]]:
    outbox, book = MemoryOutbox(), MessengerBook(channels)
    outbox.put(told, CLOCK.now())
    deliverer = Deliverer(outbox, book, CLOCK, patience=HASTY, limits=Limits(stop_seconds=1.0))
    task = asyncio.create_task(deliverer.run(), name="deliverer")
    try:
        yield deliverer, outbox
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await book.close()


async def finished(outbox: MemoryOutbox) -> set[OutboxStatus]:
    async with asyncio.timeout(20):
        while any(entry.status is OutboxStatus.WAITING for entry in outbox.entries):
            await asyncio.sleep(0.005)
    return {entry.status for entry in outbox.entries}


async def test_a_receiver_in_every_kind_of_trouble_gets_everything_in_order() -> None:
    told = [intent(number, version=number) for number in range(1, 7)]
    async with receiving() as receiver:
        receiver.script = [
            Answer(503),
            Answer(200),
            Answer(429, {"Retry-After": "0"}),
            Answer(stall=True),
            Answer(cut=True),
            Answer(200),
            Answer(500),
        ]
        async with delivering({"duty": Channel(webhook(receiver.url))}, told) as (deliverer, outbox):
            await receiver.until(7)
            await receiver.stop()
            async with asyncio.timeout(10):
                while "duty" not in deliverer.stats.failing:
                    await asyncio.sleep(0.005)
            await receiver.start()
            assert await finished(outbox) == {OutboxStatus.DELIVERED}
            assert deliverer.stats.failing == {}
        versions = [request.document["version"] for request in receiver.requests]
    assert versions == sorted(versions)
    assert set(versions) == {1, 2, 3, 4, 5, 6}
    assert all(request.is_signed() for request in receiver.requests)


async def test_a_receiver_that_has_it_is_not_asked_again_although_its_neighbour_refuses() -> None:
    async with receiving() as well, receiving(lambda _: Answer(410)) as gone:
        channels = {"well": Channel(webhook(well.url)), "gone": Channel(webhook(gone.url))}
        told = [intent(1, receiver="well"), intent(2, receiver="gone"), intent(3, receiver="gone")]
        async with delivering(channels, told) as (_, outbox):
            await finished(outbox)
        assert [entry.status.value for entry in outbox.entries] == ["delivered", "failed", "failed"]
        assert (len(well.requests), len(gone.requests)) == (1, 2)
    assert outbox.failing == {"gone": "webhook 127.0.0.1: answered 410 X"}


async def test_a_webhook_that_stalls_does_not_hold_up_the_broker(mosquitto: Address) -> None:
    topic = f"anju-notify-{uuid4().hex}/v1"
    mqtt = MqttMessenger(MqttAddress(mosquitto.host, mosquitto.port), topic, zone=SHANGHAI, base_url=None)
    told = [intent(n, receiver="dead", incident=f"i{n}") for n in range(100)]
    told += [intent(n, receiver="desk", incident=f"i{n}") for n in range(100, 120)]
    async with receiving(lambda _: Answer(stall=True)) as dead:
        channels = {"dead": Channel(webhook(dead.url, whole_seconds=30.0)), "desk": Channel(mqtt)}
        async with aiomqtt.Client(mosquitto.host, mosquitto.port) as listener:
            await listener.subscribe(topic, qos=1)
            async with delivering(channels, told) as (_, outbox), asyncio.timeout(10):
                messages = aiter(listener.messages)
                for _ in range(20):
                    await anext(messages)
        waiting = [entry for entry in outbox.entries if entry.status is OutboxStatus.WAITING]
    assert len([entry for entry in waiting if entry.intent.receiver == "dead"]) == 100
    assert len(dead.requests) == Limits().per_receiver
