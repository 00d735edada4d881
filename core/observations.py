"""What flows from the journal to its readers: an entry as kept, and what decoding made of it."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from core.devices import Channel, DeviceKey
from core.wire.payloads import Body

PAYLOAD_LIMIT_BYTES = 64 * 1024


class Incoming(Struct, frozen=True, gc=False):
    """One message as it came off the wire; ``payload`` is cut at the limit, ``size`` is its full length in bytes."""

    topic: str
    payload: bytes
    size: int
    received_at: datetime
    digest: int
    """Signed 64-bit digest of topic and payload: equal digests mean the same message delivered again."""
    wall_ahead: int = 0
    """How far the wall clock, which stamped ``received_at``, was ahead of the steady one, in microseconds."""


class Entry(Struct, frozen=True, gc=False, array_like=True):
    """One message as the journal keeps it. Positions rise strictly; ``duplicate`` ones carry no payload.

    The order of the fields is the journal's format on disk: add new ones at the end, with a default.
    """

    position: int
    received_at: datetime
    topic: str
    payload: bytes
    size: int
    duplicate: bool = False
    digest: int = 0
    wall_ahead: int = 0
    """As `Incoming.wall_ahead`: 0 too for what was kept before the two clocks were told apart."""


class RejectionReason(StrEnum):
    """Why a message went to quarantine."""

    UNKNOWN_TOPIC = "unknown_topic"
    OVERSIZED = "oversized"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    WRONG_SHAPE = "wrong_shape"
    REFUSED_BY_STORE = "refused_by_store"


class Rejection(Struct, frozen=True):
    """A message that cannot be used, with the reason a person needs to mend its sender."""

    position: int
    received_at: datetime
    topic: str
    reason: RejectionReason
    detail: str
    excerpt: bytes


class Observation(Struct, frozen=True):
    """One decoded message.

    ``at`` is the device's instant (UTC) after the clamp of decision 0003; ``skew`` is device time minus ours where
    it was clamped; ``late`` tells that it belongs to history only; ``sub_microsecond`` (0-999) is drawn from the
    content and keeps two messages of one device at one instant apart in stores with nanosecond keys; ``extra``
    holds unknown fields. Both instants are the wall clock's, which was ``wall_ahead`` microseconds ahead of the steady
    one, by which rules count (`core.clock`).
    """

    position: int
    device: DeviceKey
    channel: Channel
    at: datetime
    received_at: datetime
    body: Body
    sub_microsecond: int = 0
    late: bool = False
    skew: timedelta | None = None
    extra: dict[str, object] | None = None
    wall_ahead: int = 0
    reordered: bool = False
    """What it says of signals may be older than what is known of them: an event behind a younger one of its device.

    So it is with what a clock that is known to be wrong has stamped, for rules that do not take it as said now.
    """
