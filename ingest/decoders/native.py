"""Entries on native topics (``core.wire``) to observations: shapes, ranges, pseudonyms and the rules of time."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from zlib import crc32
from zoneinfo import ZoneInfo

from core.code_events import as_said
from core.devices import Channel, DeviceKey, DeviceKind
from core.observations import PAYLOAD_LIMIT_BYTES, Entry, Observation, Rejection, RejectionReason
from core.wire import topics
from core.wire.payloads import Body, ElevatorEvent, GateEvent, Presence, PresenceStatus
from ingest.decoders.native_body import FORMATS, Extra, Format, Refused

EXCERPT_BYTES = 512
_DETAIL_CHARACTERS = 500  # stores echo what they refuse
_KEY_BYTES = range(16, 65)  # blake2b takes 64 at most; fewer than 16 can be guessed
_PSEUDONYM_BYTES = 8
# Quarantine is read by people: whose card it was stays out of it, even where the payload breaks off in the middle.
_CREDENTIAL = re.compile(rb'("credential"\s*:\s*)("[^"]*"?|[^\s,}]+)')


@dataclass(frozen=True)
class NativeDecoder:
    """Decodes one entry of the journal; pure, and never raises.

    ``zone`` reads device times that carry none. ``pseudonym_key`` (16 to 64 bytes, secret) turns credentials into
    pseudonyms: the same card stays recognisable, whose card it is does not. ``future_limit``, ``late_after`` and
    ``oldest_plausible`` are the bounds of decision 0003.
    """

    pseudonym_key: bytes
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    future_limit: timedelta = timedelta(minutes=5)
    late_after: timedelta = timedelta(minutes=5)
    oldest_plausible: datetime = datetime(2020, 1, 1, tzinfo=UTC)

    def __post_init__(self) -> None:
        if len(self.pseudonym_key) not in _KEY_BYTES:
            raise ValueError(f"pseudonym_key has {len(self.pseudonym_key)} bytes; expected 16 to 64")

    def __call__(self, entry: Entry) -> Observation | Rejection:
        """Return what ``entry`` says, or why it cannot be used."""
        try:
            device, channel, form = _addressed(entry)
            # Gateways add a cardholder's name or card number as fields of their own: what is personal is not kept.
            mask = self._mask if device.kind is DeviceKind.GATE else None
            body, extra = form.decode(entry.payload, mask)
        except Refused as refused:
            return rejection_of(entry, refused.reason, refused.detail)
        if channel is Channel.EVENT:
            self._settle(body)
        return self._observation(entry, device, channel, body, extra)

    def _settle(self, body: Body) -> None:
        """Put what an event may not keep, or says in a roundabout way, into its final form."""
        if isinstance(body, GateEvent) and body.credential is not None:
            body.credential = self._pseudonym(body.credential)
        elif isinstance(body, ElevatorEvent):
            as_said(body)

    def _observation(
        self, entry: Entry, device: DeviceKey, channel: Channel, body: Body, extra: Extra | None
    ) -> Observation:
        received_at, at, skew, late = entry.received_at, body.at, None, False
        if at.tzinfo is None:
            at = at.replace(tzinfo=self.zone)
        if isinstance(body, Presence) and body.status is PresenceStatus.OFFLINE:
            # The broker publishes a will when the connection dies, but its text is as old as the connection.
            at = received_at
        elif at > received_at + self.future_limit or at < self.oldest_plausible:
            skew, at = at - received_at, received_at
        elif received_at - at > self.late_after:
            late = channel is not Channel.PRESENCE
        if at.tzinfo is not UTC:
            at = at.astimezone(UTC)
        # A running number keeps a burst of up to 1,000 messages with one instant apart for certain; without one, two
        # of them meet with a chance of 1 in 1,000.
        tie_break = (self._checksum(entry.payload, device.kind) if body.seq is None else body.seq) % 1_000
        return Observation(
            entry.position, device, channel, at, received_at, body, tie_break, late, skew, extra, entry.wall_ahead
        )

    def _checksum(self, payload: bytes, kind: DeviceKind) -> int:
        if kind is not DeviceKind.GATE:
            return crc32(payload)
        # It is stored beside the pseudonym. Without the key, the events of one card would soon give its number away:
        # each narrows down a thousandfold which numbers the payload may have held.
        return int.from_bytes(blake2b(payload, key=self.pseudonym_key, digest_size=_PSEUDONYM_BYTES).digest(), "big")

    def _pseudonym(self, credential: str) -> str:
        return blake2b(credential.encode(), key=self.pseudonym_key, digest_size=_PSEUDONYM_BYTES).hexdigest()

    def _mask(self, value: object) -> object:
        return value if value is None or isinstance(value, bool) else self._pseudonym(str(value))


def rejection_of(entry: Entry, reason: RejectionReason, detail: str) -> Rejection:
    """Return the rejection of ``entry``, with the beginning of its payload."""
    excerpt = _CREDENTIAL.sub(rb'\1"***"', entry.payload[:EXCERPT_BYTES])
    return Rejection(
        entry.position, entry.received_at, entry.topic, reason, detail[:_DETAIL_CHARACTERS], excerpt[:EXCERPT_BYTES]
    )


def _addressed(entry: Entry) -> tuple[DeviceKey, Channel, Format]:
    """Return who speaks, on which channel, and how that is read; raises `Refused`."""
    if entry.size > PAYLOAD_LIMIT_BYTES:
        raise Refused(RejectionReason.OVERSIZED, f"{entry.size} bytes; at most {PAYLOAD_LIMIT_BYTES} are taken")
    try:
        device, channel = topics.parse(entry.topic)
    except topics.UnknownTopic as unknown:
        raise Refused(RejectionReason.UNKNOWN_TOPIC, str(unknown)) from None
    form = FORMATS.get((device.kind, channel))
    if form is None:
        raise Refused(RejectionReason.UNKNOWN_TOPIC, f"a {device.kind.value} has no channel {channel.value!r}")
    if not entry.payload:
        # An empty retained message tells the broker to forget the retained one; as a message it says nothing.
        raise Refused(
            RejectionReason.WRONG_SHAPE, "empty payload: it clears a retained message; expected a JSON object"
        )
    return device, channel, form
