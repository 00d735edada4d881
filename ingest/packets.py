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
LONGEST_BYTES = 1024 * 1024
"""A longer PUBLISH is cut; a longer packet of another type is malformed, as those have a few hundred bytes."""
# What is kept of a PUBLISH that is cut: more than the longest topic and the payload limit, so it counts as too long.
_KEPT_BYTES = 192 * 1024


class MalformedStream(Exception):
    """The bytes of the broker make no sense; nothing that follows on this connection can be trusted."""


class PacketSplitter:
    """Cuts a stream into packets; keeps what is incomplete until the rest comes.

    What it cannot make sense of (QoS 2, lengths that do not fit) goes to ``others`` too: paho answers or hangs up.
    A PUBLISH of up to 256 MB takes no more memory than `LONGEST_BYTES`: it is delivered cut, once its end has come, so
    that it can be acknowledged and does not come again for ever. Raises `MalformedStream`.
    """

    def __init__(self, *, version_5: bool) -> None:
        self._version_5 = version_5
        self._incomplete = bytearray()
        self._wanted = 0
        self._cut: Publish | None = None
        self._to_skip = 0

    def feed(self, chunk: bytes) -> tuple[list[Publish], bytes]:
        """Return the QoS 0 and 1 messages completed by ``chunk``, in order, and all other packets as one string."""
        publishes: list[Publish] = []
        if self._cut is not None:
            chunk = self._skip(chunk, publishes)
        if self._incomplete:
            self._incomplete += chunk
            # A message of megabytes comes in many chunks: look again only when it can be complete.
            if len(self._incomplete) < self._wanted:
                return publishes, b""
            chunk = bytes(self._incomplete)
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
                if length > LONGEST_BYTES:
                    return self._begin_to_cut(chunk, at, body, stop)
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

    def _begin_to_cut(self, chunk: bytes, at: int, body: int, stop: int) -> int:
        """Take the head of a packet that is too long, once it is there; return where the incomplete bytes begin."""
        end, kept = len(chunk), at + _KEPT_BYTES
        if end < kept and chunk[at] & _TYPE_MASK == _PUBLISH:
            self._wanted = _KEPT_BYTES
            return at
        self._cut = self._publish(chunk, chunk[at], body, kept) if end >= kept else None
        if self._cut is None:
            raise MalformedStream(f"a packet of type {chunk[at] >> 4} and {stop - body} bytes")
        self._wanted, self._to_skip = 2, stop - end
        return end

    def _skip(self, chunk: bytes, publishes: list[Publish]) -> bytes:
        """Pass over the rest of the packet that is cut; return what comes behind it."""
        skipped = min(self._to_skip, len(chunk))
        self._to_skip -= skipped
        if self._to_skip == 0 and self._cut is not None:
            publishes.append(self._cut)
            self._cut = None
        return chunk[skipped:]

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
