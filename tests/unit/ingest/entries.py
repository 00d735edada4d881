"""Entries of a journal for the tests of its readers."""

import json
from datetime import UTC, datetime
from zlib import crc32

from core.observations import Entry, Incoming
from ingest.decoders.native import NativeDecoder

KEY = b"0123456789abcdef"
RECEIVED_AT = datetime(2026, 3, 1, 8, 0, 10, tzinfo=UTC)
LIFT = "anju/v1/demo/elevator/lift-1/telemetry"
DECODER = NativeDecoder(pseudonym_key=KEY)


def entry(topic: str, payload: bytes | dict[str, object], *, received_at: datetime = RECEIVED_AT) -> Entry:
    """Return what the journal would keep of ``payload``."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Entry(7, received_at, topic, content, len(content))


def message(topic: str, payload: bytes | dict[str, object], *, received_at: datetime = RECEIVED_AT) -> Incoming:
    """Return ``payload`` as it would come off the wire; the same content has the same digest."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Incoming(topic, content[: 64 * 1024], len(content), received_at, crc32(topic.encode() + b"\0" + content))


def reading(seq: int, **signals: object) -> Incoming:
    """Return a lift's reading that differs from every other ``seq``."""
    return message(LIFT, {"at": "2026-03-01T08:00:00Z", "seq": seq, "floor": "1", **signals})
