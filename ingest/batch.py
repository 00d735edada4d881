"""The messages in hand: off the wire, not yet in the journal."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b

from core.observations import PAYLOAD_LIMIT_BYTES, Incoming
from ingest.packets import Publish

_DIGEST_BYTES = 8


def digest_of(topic: bytes, payload: bytes) -> int:
    """Return the signed 64-bit digest of a message: BLAKE2b over topic, NUL, whole payload; a topic holds no NUL."""
    return int.from_bytes(blake2b(b"%b\0%b" % (topic, payload), digest_size=_DIGEST_BYTES).digest(), "big", signed=True)


def incoming(topic: bytes, payload: bytes, received_at: datetime, wall_ahead: int = 0) -> Incoming:
    """Return the message as the journal wants it; a topic that is no UTF-8 shows its bytes as ``\\xNN``."""
    return Incoming(
        topic.decode("utf-8", "backslashreplace"),
        payload if len(payload) <= PAYLOAD_LIMIT_BYTES else payload[:PAYLOAD_LIMIT_BYTES],
        len(payload),
        received_at,
        digest_of(topic, payload),
        wall_ahead,
    )


class Batch:
    """Messages in order of arrival, each with the packet identifier to acknowledge (0 with QoS 0)."""

    def __init__(self) -> None:
        self._messages: list[Incoming] = []
        self._mids: list[int] = []

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, publishes: Sequence[Publish], received_at: datetime, wall_ahead: timedelta) -> None:
        """Take ``publishes``, all received at one instant of the wall clock, which was ``wall_ahead``."""
        ahead = wall_ahead // timedelta(microseconds=1)
        self._messages += [incoming(topic, payload, received_at, ahead) for topic, payload, _ in publishes]
        self._mids += [mid for _, _, mid in publishes]

    def head(self, limit: int) -> tuple[list[Incoming], list[int]]:
        """Return the oldest messages, at most ``limit``, and their identifiers."""
        return self._messages[:limit], self._mids[:limit]

    def drop_head(self, count: int) -> None:
        """Forget the ``count`` oldest messages: they are in the journal."""
        del self._messages[:count], self._mids[:count]

    def drop_unacknowledged(self) -> int:
        """Forget what the broker will send again (QoS 1 and 2), keep QoS 0; return how many went."""
        before = len(self._messages)
        self._messages = [message for message, mid in zip(self._messages, self._mids, strict=True) if not mid]
        self._mids = [0] * len(self._messages)
        return before - len(self._messages)
