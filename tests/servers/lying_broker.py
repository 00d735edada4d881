"""A broker that accepts every client and then sends what is no MQTT, or no honest one; a thread and loopback only."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

CONNACK = bytes.fromhex("20020000")
CONNACK_5 = bytes.fromhex("2003000000")
# What one connection is sent at most: a test must end, also where nobody hangs up.
MOST_BYTES = 300 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Lie:
    """What a client is sent once it has said something: ``first``, ``again`` up to ``most`` bytes, ``last``."""

    name: str
    first: bytes
    again: bytes = b""
    most: int = MOST_BYTES
    last: bytes = b""

    def pieces(self) -> Iterator[bytes]:
        yield self.first
        piece = self.again * max(1, _CHUNK_BYTES // max(1, len(self.again)))
        for sent in range(0, self.most if piece else 0, max(1, len(piece))):
            yield piece[: self.most - sent]
        yield self.last


def _publish(topic: bytes, payload: bytes = b"{}", first: int = 0x32, mid: bytes = b"\x00\x01") -> bytes:
    body = len(topic).to_bytes(2, "big") + topic + (mid if first & 0x06 else b"") + payload
    assert len(body) < 128
    return bytes([first, len(body)]) + body


LIES = [
    Lie("silence", b""),
    Lie("HTTP", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
    Lie("random bytes", bytes(range(256)) * 4),
    Lie("nothing but zeros", b"", b"\x00" * 1_024),
    Lie("a CONNACK without a body", b"\x20\x00"),
    Lie("a CONNACK with an unknown code", b"\x20\x02\x00\x63"),
    Lie("endless CONNACKs", CONNACK, CONNACK),
    Lie("a CONNACK that announces more than it has", b"\x20\x7f\x00\x00"),
    Lie("a remaining length of five bytes", CONNACK + b"\x30\xff\xff\xff\xff\x01"),
    Lie("packet type 0", CONNACK + b"\x00\x02\x00\x00"),
    Lie("packet type 15", CONNACK + b"\xf0\x02\x00\x00"),
    Lie("a client's packet", CONNACK, b"\x82\x06\x00\x01\x00\x01a\x00"),
    Lie("a SUBACK without a body", CONNACK + b"\x90\x00"),
    Lie("a SUBACK with an impossible code", CONNACK + b"\x90\x03\x00\x01\x55"),
    Lie("a PUBACK of one byte", CONNACK + b"\x40\x01\x00"),
    Lie("PUBLISH of QoS 3", CONNACK, _publish(b"anju/v1/x", first=0x36)),
    Lie("PUBLISH whose topic is longer than its packet", CONNACK, b"\x32\x04\xff\xff\x00\x01"),
    Lie("PUBLISH without a packet identifier", CONNACK, b"\x32\x03\x00\x01a"),
    Lie(
        "PUBLISH of QoS 2 whose topic is no UTF-8",
        CONNACK,
        _publish(b"anju/\xff\xfe", first=0x34) + b"\x62\x02\x00\x01",
    ),
    Lie("PUBREL without PUBLISH", CONNACK, b"\x62\x02\x00\x07"),
    Lie("a PUBLISH of 256 MB of QoS 2", CONNACK + b"\x34\xff\xff\xff\x7f\x00\x01a\x00\x01", b"x" * 1_024),
    Lie("a SUBACK of 256 MB", CONNACK + b"\x90\xff\xff\xff\x7f", b"\x00" * 1_024),
    Lie("garbage after CONNACK", CONNACK, b"\xde\xad\xbe\xef" * 256),
]
"""Each of them ends a connection, or lets it run into a time-out."""
LIES_5 = [
    Lie("a CONNACK of version 3.1.1", CONNACK),
    Lie("properties longer than their packet", b"\x20\x06\x00\x00\x7f\x11\x00\x00"),
    Lie("an unknown property", b"\x20\x06\x00\x00\x03\xfe\x00\x00"),
    Lie("an AUTH that nobody asked for", CONNACK_5, b"\xf0\x02\x18\x00"),
]


class LyingBroker:
    """Listens on ``port`` (0: any free one) while the context lasts and tells everybody ``lie``."""

    def __init__(self, lie: Lie, port: int = 0) -> None:
        self.lie = lie
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", port))
        self._listening.settimeout(_LOOK_SECONDS)
        self.port = int(self._listening.getsockname()[1])
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._accept, name="lying broker")]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in list(self._threads):
            thread.join()
        self._listening.close()

    def _accept(self) -> None:
        while not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listening.accept()
                self.connections += 1
                thread = threading.Thread(target=self._tell, args=(connection,), name="lie")
                self._threads.append(thread)
                thread.start()

    def _tell(self, connection: socket.socket) -> None:
        connection.settimeout(_LOOK_SECONDS)
        with connection, contextlib.suppress(ConnectionError, OSError):
            self._hear(connection)
            for piece in self.lie.pieces():
                self._send(connection, piece)
                if self._ending.is_set():
                    return
            while self._hear(connection):
                pass

    def _send(self, connection: socket.socket, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest and not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                rest = rest[connection.send(rest) :]

    def _hear(self, connection: socket.socket) -> bool:
        """Return whether the client said something; False when it is gone or the broker ends."""
        while not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                return bool(connection.recv(_CHUNK_BYTES))
        return False
