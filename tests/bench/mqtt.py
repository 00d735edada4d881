"""Just enough MQTT 3.1.1 (OASIS) to publish with QoS 1 at almost no cost: the publisher shares the cores it loads."""

import socket
import struct
from collections.abc import Sequence

_CONNACK_BYTES = 4
_PUBACK_BYTES = 4
_READ_BYTES = 64 * 1024
_LAST_IDENTIFIER = 65_535


def connect_packet(client_id: str) -> bytes:
    """Return CONNECT: clean session, keep-alive off."""
    name = client_id.encode()
    body = b"\x00\x04MQTT\x04\x02\x00\x00" + struct.pack(">H", len(name)) + name
    return b"\x10" + _length(len(body)) + body


def publish_packet(topic: bytes, payload: bytes, number: int) -> bytes:
    """Return PUBLISH with QoS 1; its identifier follows from ``number``, which counts from 0."""
    identifier = number % _LAST_IDENTIFIER + 1
    head = struct.pack(">H", len(topic)) + topic + struct.pack(">H", identifier)
    return b"\x32" + _length(len(head) + len(payload)) + head + payload


def _length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, digit = divmod(size, 128)
        out.append(digit | 0x80 if size else digit)
        if not size:
            return bytes(out)


class Publisher:
    """One connection that publishes and counts acknowledgements."""

    def __init__(self, port: int, client_id: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10.0)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(connect_packet(client_id))
        answer = self._socket.recv(_CONNACK_BYTES)
        if answer != b"\x20\x02\x00\x00":
            raise ConnectionError(f"the broker answered CONNECT with {answer.hex()}")
        self._answered_bytes = 0
        self.sent = 0

    @property
    def acknowledged(self) -> int:
        """Messages that the broker has taken; nothing but PUBACK ever comes back."""
        return self._answered_bytes // _PUBACK_BYTES

    def send(self, packets: Sequence[bytes]) -> None:
        """Send packets made by `publish_packet`."""
        self._socket.sendall(b"".join(packets))
        self.sent += len(packets)

    def take_answers(self) -> None:
        """Wait for acknowledgements and count them; raises `ConnectionError` when the broker hangs up."""
        chunk = self._socket.recv(_READ_BYTES)
        if not chunk:
            raise ConnectionError("the broker closed the connection")
        self._answered_bytes += len(chunk)

    def wait_for_room(self, unacknowledged: int) -> None:
        """Return when at most so many messages are without an answer."""
        while self.sent - self.acknowledged > unacknowledged:
            self.take_answers()

    def close(self) -> None:
        """Say goodbye."""
        self._socket.sendall(b"\xe0\x00")
        self._socket.close()
