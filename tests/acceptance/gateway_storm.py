"""A gateway with many devices behind it that all vanish in one instant: a real connection and a last will for each."""

import socket
import struct
from collections.abc import Sequence
from typing import Self

from core.clock import SystemClock
from core.devices import Channel, DeviceKey, DeviceKind
from core.wire.payloads import PresenceStatus
from core.wire.topics import build
from simulators.fleet import encode, presence
from simulators.model import Message
from tests.bench.mqtt import publish_packet

COMMUNITY = "storm-court"
GATEWAY = DeviceKey(COMMUNITY, DeviceKind.GATEWAY, "block-1")
# More connections than this are a test of the broker, and of how many files a process may have open.
MOST_DEVICES = 500
ANSWER_DEADLINE_SECONDS = 10.0
_CONNACK = b"\x20\x02\x00\x00"
_PUBACK_BYTES = 4
# Clean session, and a will with QoS 1 that is retained (MQTT 3.1.1, section 3.1.2.3).
_FLAGS = 0x02 | 0x04 | 0x08 | 0x20


def behind(count: int) -> list[DeviceKey]:
    """Return ``count`` lifts, all behind `GATEWAY`."""
    assert 0 < count <= MOST_DEVICES, f"{count} devices: expected 1 to {MOST_DEVICES}"
    return [DeviceKey(COMMUNITY, DeviceKind.ELEVATOR, f"lift-{number:03}") for number in range(1, count + 1)]


class GatewayStorm:
    """Connects `GATEWAY` and every one of ``devices`` to the broker on ``port``, and breaks them all at once.

    Leaving the `with` block drops what is still connected.
    """

    def __init__(self, port: int, devices: Sequence[DeviceKey]) -> None:
        self.devices = [GATEWAY, *devices]
        self._port = port
        self._connections: dict[DeviceKey, socket.socket] = {}
        self._sent = 0

    def connect(self) -> None:
        """Let every device connect, leave its last will and say its birth; returns when the broker has taken all."""
        for device in self.devices:
            self._connections[device] = self._connected(device)
        for device in self.devices:
            self._publish(device, presence(device, PresenceStatus.ONLINE, SystemClock().now()).payload, retain=True)

    def say(self, device: DeviceKey, message: Message) -> None:
        """Publish ``message`` of ``device``; returns when the broker has taken it."""
        self._publish(device, encode(message.body), channel=message.channel)

    def drop(self) -> None:
        """Break all connections without a goodbye, the gateway's last: the order must not matter."""
        for device in reversed(self.devices):
            connection = self._connections.pop(device, None)
            if connection is not None:
                connection.close()

    def _connected(self, device: DeviceKey) -> socket.socket:
        will = presence(device, PresenceStatus.OFFLINE, SystemClock().now())
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=ANSWER_DEADLINE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(_connect_packet(device.path.replace("/", "-"), will.topic, will.payload))
        assert _read(connection, len(_CONNACK)) == _CONNACK, f"the broker refused {device.path}"
        return connection

    def _publish(
        self, device: DeviceKey, payload: bytes, *, channel: Channel = Channel.PRESENCE, retain: bool = False
    ) -> None:
        packet = publish_packet(build(device, channel).encode(), payload, self._sent)
        self._sent += 1
        connection = self._connections[device]
        connection.sendall(bytes([packet[0] | retain]) + packet[1:])
        _read(connection, _PUBACK_BYTES)

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()


def _connect_packet(client_id: str, will_topic: str, will: bytes) -> bytes:
    """Return CONNECT with a retained last will; keep-alive off, since the kernel tells of a closed connection."""
    body = b"\x00\x04MQTT\x04" + bytes([_FLAGS]) + b"\x00\x00"
    for text in (client_id.encode(), will_topic.encode(), will):
        body += struct.pack(">H", len(text)) + text
    # Two bytes hold any length up to 16,383.
    return b"\x10" + bytes([len(body) % 128 | 0x80, len(body) // 128]) + body


def _read(connection: socket.socket, size: int) -> bytes:
    answer = b""
    while len(answer) < size:
        chunk = connection.recv(size - len(answer))
        if not chunk:
            raise ConnectionError("the broker closed the connection")
        answer += chunk
    return answer
