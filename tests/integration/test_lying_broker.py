"""A broker that sends nonsense: connections end, log and memory stay small, and an honest broker is used again."""

import asyncio
import logging
import os
import random
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import structlog

from alerts.notify.mqtt import MqttAddress, MqttMessenger
from core.clock import SystemClock
from core.devices import DeviceKey, DeviceKind
from core.errors import TemporaryError
from ingest.session import MqttSession
from ingest.session_state import SessionStatus
from simulators.link import BrokerAddress, Link
from tests.integration.session_driving import TestJournal, publish, session, settings, until
from tests.servers.lying_broker import CONNACK, LIES, LIES_5, Lie, LyingBroker
from tests.servers.plugin import MakeMosquitto
from tests.unit.alerts.notify.intents import intent

TOPIC = "anju/v1/xingfu/gate/gate-1/event"
PATIENCE: dict[str, Any] = {"connect_timeout": timedelta(milliseconds=300), "keepalive_seconds": 5}
MOST_LINES = 12
MOST_BYTES = 64 * 1024 * 1024
BUSY_SECONDS = 1.5
MOST_CPU = 0.5


@pytest.fixture
def client_id() -> str:
    return f"anju-lies-{uuid4().hex}"


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[list[object]]:
    """Every line that is logged, by us or by a library."""
    caplog.set_level(logging.INFO)
    with structlog.testing.capture_logs() as ours:
        collected: list[object] = []
        yield collected
        collected += [*ours, *caplog.records]
    assert len(collected) <= MOST_LINES, collected[:MOST_LINES]


def is_lost_again(running: MqttSession, broker: LyingBroker) -> bool:
    return broker.connections >= 3 and running.stats.link_failures >= 2


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
def test_the_session_outlives_every_lie(lie: Lie, client_id: str, lines: list[object]) -> None:
    check_session(lie, client_id, protocol="3.1.1")


@pytest.mark.parametrize("lie", LIES_5, ids=lambda lie: lie.name)
def test_the_session_of_mqtt_5_outlives_every_lie(lie: Lie, client_id: str, lines: list[object]) -> None:
    check_session(lie, client_id, protocol="5")


def check_session(lie: Lie, client_id: str, protocol: str) -> None:
    before, journal = resident_bytes(), TestJournal()
    with LyingBroker(lie) as broker:
        with session(settings(broker.port, client_id, protocol=protocol, **PATIENCE), journal) as running:
            until(lambda: is_lost_again(running, broker), f"the connection to be dropped: {running.state}")
            assert running.state.status is not SessionStatus.FAILED
        assert resident_bytes() - before < MOST_BYTES
    assert journal.messages == []


def test_pauses_grow_and_the_log_stays_small(client_id: str, lines: list[object]) -> None:
    garbage = next(lie for lie in LIES if lie.name == "garbage after CONNACK")
    slow = PATIENCE | {"backoff_first": timedelta(milliseconds=20), "backoff_most": timedelta(seconds=30)}
    with LyingBroker(garbage) as broker, session(settings(broker.port, client_id, **slow), TestJournal()) as running:
        time.sleep(4)  # The time that has to pass is what is tested.
        stats, connections = running.stats, broker.connections
    # 20 ms that double, with up to half taken off: 14 waits at most within 4 s.
    assert 4 <= connections <= 15
    assert stats.protocol_errors >= 3


def test_a_message_of_256_megabytes_is_taken_cut_and_holds_up_nothing(client_id: str) -> None:
    head, rest = b"\x32\xff\xff\xff\x7f\x00\x01a\x00\x07", 256 * 1024**2 - 6
    huge = Lie("256 MB", CONNACK + head, b"x" * 1_024, most=rest, last=b"\x90\x03\x00\x01\x01")
    before, journal = resident_bytes(), TestJournal()
    with LyingBroker(huge) as broker, session(settings(broker.port, client_id), journal) as running:
        most = 0
        while running.stats.acked < 1:
            most = max(most, resident_bytes() - before)
            assert running.stats.link_failures == 0, running.state
            time.sleep(0.01)
    assert journal.messages[0].size > 64 * 1024
    assert most < MOST_BYTES


def test_the_session_recovers_when_an_honest_broker_takes_the_port(
    make_mosquitto: MakeMosquitto, client_id: str, lines: list[object]
) -> None:
    honest, journal = make_mosquitto(save_every_change=False), TestJournal()
    honest.stop()
    with LyingBroker(LIES[-1], honest.port) as broker:
        running = MqttSession(settings(honest.port, client_id, **PATIENCE), journal.append, SystemClock())
        running.start()
        until(lambda: is_lost_again(running, broker), "the connection to be dropped")
    honest.start()
    until(lambda: running.state.status is SessionStatus.CONNECTED and honest.answers(), "the honest broker")
    publish(honest.port, [b"{}"], TOPIC)
    until(lambda: running.stats.acked == 1, "the message")
    assert running.stop()
    assert journal.payloads() == [b"{}"]


async def spun() -> float:
    """Return the share of a processor that this process used while it should have rested."""
    began, used = time.monotonic(), time.process_time()
    await asyncio.sleep(BUSY_SECONDS)
    return (time.process_time() - used) / (time.monotonic() - began)


# Those that paho reads to the end, and cannot parse, or not bound, by itself.
_HARD = ("endless CONNACKs", "no UTF-8", "SUBACK", "longer than its packet", "256 MB")
HARD_FOR_PAHO = [lie for lie in LIES if any(word in lie.name for word in _HARD)]


@pytest.mark.parametrize("lie", HARD_FOR_PAHO, ids=lambda lie: lie.name)
async def test_a_messenger_neither_spins_nor_floods_the_log(lie: Lie, lines: list[object]) -> None:
    before = resident_bytes()
    with LyingBroker(lie) as broker:
        address = MqttAddress("127.0.0.1", broker.port)
        messenger = MqttMessenger(address, "anju-notify/v1/{severity}", zone=ZoneInfo("UTC"), base_url=None)
        delivering = asyncio.create_task(messenger.deliver(intent()))
        await asyncio.wait({delivering}, timeout=BUSY_SECONDS)
        assert await spun() < MOST_CPU
        with pytest.raises(TemporaryError):
            await delivering
        await messenger.close()
        assert resident_bytes() - before < MOST_BYTES


@pytest.mark.parametrize("lie", [lie for lie in HARD_FOR_PAHO if "PUBLISH" in lie.name], ids=lambda lie: lie.name)
async def test_a_simulated_device_neither_spins_nor_floods_the_log(lie: Lie, lines: list[object]) -> None:
    lift = DeviceKey("xingfu", DeviceKind.ELEVATOR, "lift-1")
    with LyingBroker(lie) as broker:
        address = BrokerAddress("127.0.0.1", broker.port)
        link = Link(address, "anju-sim-lie", [lift], SystemClock(), random.Random(1), asked=lambda *_: None)
        running = asyncio.create_task(link.run())
        await asyncio.sleep(BUSY_SECONDS)
        assert await spun() < MOST_CPU
        link.stop()
        await asyncio.wait_for(running, 30)
