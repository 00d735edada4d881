"""The shipped configuration of Mosquitto under attack by one device account: stored bytes and memory stay bounded."""

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from core.observations import PAYLOAD_LIMIT_BYTES
from tests.acceptance.compose import ComposedMosquitto, World, load_services
from tests.integration.session_driving import TestJournal, session, settings, until
from tests.servers.plugin import required_program
from tests.servers.running import free_port

pytestmark = pytest.mark.timeout(300)
LOGINS = {"jinxiu": "demo", "xingfu": "honest", "anju": "reader"}
MIB = 1024 * 1024


def broker(folder: Path, edited: dict[str, str] | None = None) -> "Edited":
    """The broker as docker-compose.yml starts it; ``edited`` replaces values of its configuration."""
    program = required_program("mosquitto")
    folders = {f"/mosquitto/{name}": folder / name for name in ("config", "data", "run")}
    for path in folders.values():
        path.mkdir()
    ports = {"mosquitto": free_port(), "influxdb": 1, "postgres": 1, "api": 1}
    accounts = f"xingfu:{LOGINS['xingfu']}"
    values = {"MQTT_PASSWORD": LOGINS["anju"], "MQTT_DEMO_PASSWORD": LOGINS["jinxiu"], "MQTT_DEVICE_ACCOUNTS": accounts}
    rest = dict.fromkeys(("POSTGRES_PASSWORD", "INFLUX_PASSWORD", "INFLUX_TOKEN"), "unused")
    described = load_services(values | rest)["mosquitto"]
    return Edited(described, World(ports, folders), program, edited or {}, described["environment"])


class Edited(ComposedMosquitto):
    def __init__(self, described: object, world: World, program: Path, edited: dict[str, str], values: object) -> None:
        super().__init__(described, world, program)  # type: ignore[arg-type]
        self._edited = edited
        self._values = dict(values)  # type: ignore[call-overload]

    def environment(self) -> dict[str, str]:
        return {**super().environment(), **self._values}

    def prepare(self) -> None:
        super().prepare()
        for name, value in self._edited.items():
            self.edit("mosquitto.conf", rf"^{name} .*$", f"{name} {value}")

    def edit(self, file: str, pattern: str, replacement: str) -> None:
        path = self.world.folders["/mosquitto/config"] / file
        text, found = re.subn(pattern, replacement, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert found == 1, pattern
        path.write_text(text, encoding="utf-8")

    def resident_bytes(self) -> int:
        return int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def publisher(port: int, account: str) -> Iterator[paho.Client]:
    client = paho.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
    client.username_pw_set(account, LOGINS[account])
    client.connect("127.0.0.1", port)
    client.loop_start()
    until(client.is_connected, "the account to be let in")
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def published(client: paho.Client, topic: str, payload: bytes, *, retain: bool = False) -> bool:
    """Publish and wait; tell whether the broker acknowledged before it hung up."""
    sent = client.publish(topic, payload, qos=1, retain=retain)
    end = time.monotonic() + 20
    # paho raises for a message that it could not hand to a connection which was cut in the middle of it.
    while sent.rc != paho.MQTT_ERR_SUCCESS or not sent.is_published():
        if not client.is_connected() or time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True


def leave_a_session(port: int) -> None:
    """Let Anju subscribe once, so that the broker queues for it."""
    wanted = settings(port, "anju-ingest", username="anju", password=LOGINS["anju"])
    with session(wanted, TestJournal()) as running:
        until(lambda: running.stats.connections == 1, "Anju's session")


def honest_message_arrives(port: int) -> None:
    wanted = settings(port, "anju-ingest", username="anju", password=LOGINS["anju"])
    journal = TestJournal()
    with session(wanted, journal) as running:
        until(lambda: running.stats.connections == 1, "Anju's session")
        with publisher(port, "xingfu") as device:
            assert published(device, "anju/v1/xingfu/gate/gate-1/event", b"honest")
        until(lambda: b"honest" in {message.payload for message in journal.messages}, "the honest message")


def test_a_payload_that_is_a_little_too_long_arrives_and_a_huge_one_cuts_its_sender_off(tmp_path: Path) -> None:
    with broker(tmp_path) as server, publisher(server.port, "jinxiu") as device:
        assert published(device, "anju/v1/jinxiu/gate/g/event", b"x" * (PAYLOAD_LIMIT_BYTES + 1_000))
        assert not published(device, "anju/v1/jinxiu/gate/g/event", b"x" * MIB)
        until(lambda: not device.is_connected(), "the sender to be cut off")


def test_an_account_that_floods_the_queue_while_anju_is_away_is_bounded(tmp_path: Path) -> None:
    size = 90_000
    with broker(tmp_path, {"max_queued_bytes": str(64 * MIB)}) as server:
        leave_a_session(server.port)
        before = server.resident_bytes()
        with publisher(server.port, "jinxiu") as device:
            sent = [device.publish(f"anju/v1/jinxiu/gate/{i}/event", bytes(size), qos=1) for i in range(1_500)]
            sent[-1].wait_for_publish(60)
            assert sent[-1].is_published()
        # 135 MB were sent; without the limit all of them are kept.
        assert server.resident_bytes() - before < 100 * MIB
        honest_message_arrives(server.port)


def test_retained_messages_of_one_account_cannot_use_up_the_machine_and_can_be_removed(tmp_path: Path) -> None:
    with broker(tmp_path, {"memory_limit": str(64 * MIB)}) as server:
        with publisher(server.port, "jinxiu") as device:
            for i in range(1_500):
                if not device.is_connected():
                    break
                device.publish(f"anju/v1/jinxiu/gate/{i}/presence", bytes(90_000), qos=1, retain=True)
            until(lambda: not device.is_connected(), "the sender to be cut off")
        assert server.running
        assert server.resident_bytes() < 100 * MIB
        server.stop()
        server.edit("mosquitto.conf", r"^memory_limit .*$", f"memory_limit {1024 * MIB}")
        server.edit("acl", r"^user anju$", "user anju\ntopic write anju/v1/#")
        server.start()
        assert remove_retained(server.port) > 100
        server.restart()
        honest_message_arrives(server.port)
        assert server.resident_bytes() < 32 * MIB


def remove_retained(port: int) -> int:
    """What `mosquitto_sub --retained-only --remove-retained` does."""
    removed: list[str] = []
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set("anju", LOGINS["anju"])

    def remove(_client: paho.Client, _user: object, message: paho.MQTTMessage) -> None:
        if message.retain:
            removed.append(message.topic)
            client.publish(message.topic, b"", qos=1, retain=True)

    client.on_message = remove
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe("anju/v1/#", 0)
    until(lambda: removed and removed[-1] == quiet(removed), "all retained messages")
    client.publish("anju/v1/end", b"", qos=1).wait_for_publish(20)
    client.disconnect()
    client.loop_stop()
    return len(removed)


def quiet(topics: list[str]) -> str:
    """Return the last topic, after a moment in which others may come."""
    last = topics[-1]
    time.sleep(1)
    return last
