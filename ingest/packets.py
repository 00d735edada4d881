"""MQTT packets in a stream of bytes: PUBLISH is taken out here, everything else is left for paho.

paho reads a packet in three or more calls and builds several objects for it, 25 µs or more a message; a broker sends
almost nothing but PUBLISH. Layout: MQTT 3.1.1 and MQTT 5.0 (OASIS), sections 2.2 and 3.3.
"""

Publish = tuple[bytes, bytes, int]
"""Topic as sent, payload, and the packet identifier to acknowledge (0 with QoS 0)."""

_PUBLISH = 0x30
_TYPE_MASK = 0xF0
_QOS_MASK = 0x06
_QOS_1 = 0x02  # In the flags of the first byte, and by chance also the size of a packet identifier.
_LENGTH_BYTES = 4  # A remaining length takes at most this many bytes.


class PacketSplitter:
    """Cuts a stream into packets; keeps what is incomplete until the rest comes.

    What it cannot make sense of (QoS 2, lengths that do not fit) goes to ``others`` too: paho answers or hangs up.
    """

    def __init__(self, *, version_5: bool) -> None:
        self._version_5 = version_5
        self._incomplete = bytearray()
        self._wanted = 0

    def feed(self, chunk: bytes) -> tuple[list[Publish], bytes]:
        """Return the QoS 0 and 1 messages completed by ``chunk``, in order, and all other packets as one string."""
        if self._incomplete:
            self._incomplete += chunk
            # A message of megabytes comes in many chunks: look again only when it can be complete.
            if len(self._incomplete) < self._wanted:
                return [], b""
            chunk = bytes(self._incomplete)
        publishes: list[Publish] = []
        others: list[bytes] = []
        at = self._split(chunk, publishes, others)
        self._incomplete = bytearray(chunk[at:])
        return publishes, b"".join(others)

    def _split(self, chunk: bytes, publishes: list[Publish], others: list[bytes]) -> int:
        """Return where the first incomplete packet begins."""
        at, end = 0, len(chunk)
        while end - at >= 2:
            length, body = chunk[at + 1], at + 2
            if length & 0x80:
                length, body = _long_length(chunk, at + 1)
            stop = body + length
            if length < 0 or stop > end:
                self._wanted = stop - at if length >= 0 else 0
                return at
            publish = self._publish(chunk, chunk[at], body, stop)
            if publish is None:
                others.append(chunk[at:stop])
            else:
                publishes.append(publish)
            at = stop
        self._wanted = 2
        return at

    def _publish(self, chunk: bytes, first: int, body: int, stop: int) -> Publish | None:
        qos = first & _QOS_MASK
        if first & _TYPE_MASK != _PUBLISH or qos > _QOS_1 or stop - body < 2:
            return None
        topic_end = body + 2 + (chunk[body] << 8 | chunk[body + 1])
        payload = topic_end + qos
        if payload > stop:
            return None
        if self._version_5:
            payload = _after_properties(chunk, payload, stop)
            if payload > stop:
                return None
        mid = chunk[topic_end] << 8 | chunk[topic_end + 1] if qos else 0
        return chunk[body + 2 : topic_end], chunk[payload:stop], mid


def _long_length(chunk: bytes, at: int) -> tuple[int, int]:
    """Return the variable byte integer at ``at`` and where it ends; -1 while it is incomplete."""
    value = 0
    for index in range(_LENGTH_BYTES):
        if at + index >= len(chunk):
            return -1, at
        byte = chunk[at + index]
        value |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            return value, at + index + 1
    # Five bytes or more are malformed: an empty body, which paho refuses when it reads the same bytes.
    return 0, at + _LENGTH_BYTES + 1


def _after_properties(chunk: bytes, at: int, stop: int) -> int:
    """Return where the payload begins behind the properties at ``at``; beyond ``stop`` when they do not fit."""
    if at < stop and not chunk[at] & 0x80:
        return at + 1 + chunk[at]
    length, begin = _long_length(chunk, at)
    return begin + length if length >= 0 and at < stop else stop + 1
