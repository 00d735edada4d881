"""What the tests of the MQTT session share: a journal that can be held up, and a publisher."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from core.clock import SystemClock
from core.errors import TemporaryError
from core.observations import Incoming
from ingest.session import MqttSession, SessionSettings

DEADLINE_SECONDS = 20.0


class TestJournal:
    """Keeps what is appended; ``shut`` blocks inside append, ``failing`` makes it raise ``failure``."""

    __test__ = False

    def __init__(self) -> None:
        self.messages: list[Incoming] = []
        self.batches: list[int] = []
        self.tries = 0
        self.failing = False
        self.failure: Exception = TemporaryError("disk full")
        self.open = threading.Event()
        self.open.set()

    def append(self, messages: Sequence[Incoming]) -> int:
        self.tries += 1
        if self.failing:
            raise self.failure
        self.open.wait()
        self.messages += messages
        self.batches.append(len(messages))
        return len(self.messages)

    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.messages]


def until(condition: Callable[[], Any], what: str) -> None:
    """Return as soon as ``condition`` holds; fails the test when it does not in time."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < end, f"waited {DEADLINE_SECONDS} s for {what}"
        time.sleep(0.005)


def settings(port: int, client_id: str, **more: Any) -> SessionSettings:
    """Settings for a broker on loopback, with short patience."""
    patience = {
        "backoff_first": timedelta(milliseconds=20),
        "backoff_most": timedelta(milliseconds=200),
        "connect_timeout": timedelta(seconds=5),
    }
    return SessionSettings(host="127.0.0.1", port=port, client_id=client_id, **(patience | more))


@contextmanager
def session(wanted: SessionSettings, journal: TestJournal) -> Iterator[MqttSession]:
    """A running session; it has to end without a failure."""
    running = MqttSession(wanted, journal.append, SystemClock())
    running.start()
    try:
        yield running
    finally:
        journal.open.set()
        stopped = running.stop(DEADLINE_SECONDS)
    assert stopped
    assert running.failure.result(0) is None


def publish(
    port: int,
    payloads: Sequence[bytes],
    topic: str,
    *,
    qos: int = 1,
    ca_file: str | None = None,
    login: Mapping[str, str] | None = None,
) -> None:
    """Publish on one topic and return once the broker has acknowledged everything."""
    publish_all(port, [(topic, payload) for payload in payloads], qos=qos, ca_file=ca_file, login=login)


def publish_all(
    port: int,
    messages: Sequence[tuple[str, bytes]],
    *,
    qos: int = 1,
    ca_file: str | None = None,
    login: Mapping[str, str] | None = None,
) -> None:
    """Publish each payload on its topic, in order, and return once the broker has acknowledged everything."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(1_000)
    if ca_file:
        client.tls_set(ca_file)
    if login:
        client.username_pw_set(login["username"], login["password"])
    client.connect("127.0.0.1", port)
    client.loop_start()
    sent = [client.publish(topic, payload, qos=qos) for topic, payload in messages]
    for message in sent:
        message.wait_for_publish(DEADLINE_SECONDS)
        assert message.is_published()
    client.disconnect()
    client.loop_stop()
