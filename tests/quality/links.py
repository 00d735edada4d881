"""The way of a device's emissions to Anju: clock, delay, duplicates, loss, outages with or without a store, presence.

A device emits in true time. The link stamps the device's own (wrong) clock into the payload and gives each message its
instant of arrival. Over one connection the order is kept. An outage shorter than 1.5 keep-alive times delays messages
(the connection survives, TCP sends again); a longer one ends the connection: the broker publishes the will after 1.5
keep-alive times, messages are lost or, up to ``stores`` of them, kept by the gateway, and after the outage come the
birth and then the stored messages, oldest first, with their old ``at``. Example, keep-alive 60 s, outage 10:00-10:20:
will at 10:01:30, birth at 10:20:00.3, messages of 10:00-10:20 from 10:20:00.4 on.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from heapq import heappop, heappush
from random import Random
from typing import NamedTuple

import msgspec
from msgspec import Struct, structs

from core.devices import Channel, DeviceKey, DeviceKind
from core.wire.payloads import GatewayEventType, Payload
from core.wire.topics import build
from tests.quality.model import COMMUNITY, Incident, IncidentKind, Message, Span, Station, World

# Brokers declare a client dead at 1.5 times its keep-alive (MQTT 3.1.1, 3.1.2.10).
PATIENCE_KEEP_ALIVES = 1.5
BEAT = timedelta(minutes=1)
# Without presence an outage shows as silence only; this is how long a lively device may well be silent.
NOTABLE_SILENCE = timedelta(minutes=5)
# A gateway empties its store at some 200 messages a second.
_STORED_GAP = timedelta(milliseconds=5)


class Emission(NamedTuple):
    """One message as the device sends it. ``body`` has no ``at``: the link stamps it from the device's clock.

    ``body`` is a mapping, a wire struct (its ``at`` is replaced) or, fastest, the JSON object as bytes.
    """

    at: datetime
    channel: Channel
    body: Mapping[str, object] | Payload | bytes
    signs: tuple[Incident, ...] = ()
    """The incidents of which this message carries a sign: their ``first_sign`` is filled at arrival."""
    presses: tuple[Incident, ...] = ()
    """The incidents during which this message is a press of the alarm button."""


class Outage(Struct, frozen=True, order=True):
    """Nothing reaches the broker in ``[began, ended)``."""

    began: datetime
    ended: datetime
    stores: int = 0
    """How many messages the gateway keeps meanwhile, the newest ones; 0: all are lost."""


class Link(Struct, kw_only=True, frozen=True):
    """How well a device is connected. ``outages`` neither overlap nor touch, and are in order."""

    outages: tuple[Outage, ...] = ()
    delay_seconds: tuple[float, float] = (0.05, 0.8)
    duplicate_share: float = 0.0005
    """Which share is delivered twice (QoS 1, a lost PUBACK), the second time after 2 to 30 s."""
    loss_share: float = 0.0
    """Which share is lost singly (QoS 0 between sensor and gateway)."""
    clock_offset_seconds: float = 0.0
    clock_drift_ppm: float = 0.0
    keep_alive: timedelta = timedelta(seconds=60)
    presence: bool = True
    """Whether the device has birth and will of its own; behind a gateway only the gateway has."""


def deliver(device: DeviceKey, emissions: Iterable[Emission], link: Link, span: Span, rng: Random) -> Iterator[Message]:
    """Yield what Anju receives of ``emissions`` (ordered by ``at``), ordered by ``received_at``."""
    return _Delivery(device, link, span, rng).run(emissions)


def link_incidents(device: DeviceKey, link: Link, span: Span) -> list[Incident]:
    """Return the outages of ``link`` that Anju should tell of; silence itself is the sign where no will is sent."""
    patience = link.keep_alive * PATIENCE_KEEP_ALIVES
    shortest = patience if link.presence else NOTABLE_SILENCE
    return [
        Incident(
            kind=IncidentKind.LINK_DOWN,
            device=device,
            began=outage.began,
            ended=min(outage.ended, span.until),
            variant="stored" if outage.stores else "lost",
            first_sign=outage.began + (patience if link.presence else timedelta()),
        )
        for outage in link.outages
        if outage.ended - outage.began > shortest and span.since <= outage.began < span.until
    ]


class _Delivery:
    """The state of one connection; ``_waiting`` holds what arrives beside or after the live messages."""

    def __init__(self, device: DeviceKey, link: Link, span: Span, rng: Random) -> None:
        self._link = link
        self._span = span
        self._rng = rng
        self._topics = {channel: build(device, channel) for channel in Channel}
        low, high = link.delay_seconds
        # Most delays are near the low end. A table, because a new timedelta for each message costs half the time.
        self._delays = [timedelta(seconds=low + (high - low) * rng.random() ** 3) for _ in range(256)]
        self._offset = timedelta(seconds=link.clock_offset_seconds)
        self._patience = link.keep_alive * PATIENCE_KEEP_ALIVES
        self._outages = deque(link.outages)
        self._held: deque[Emission] = deque()
        self._waiting: list[Message] = []
        self._last = span.since
        self._connected = span.since

    def run(self, emissions: Iterable[Emission]) -> Iterator[Message]:
        link, waiting, delays, random, bits = (
            self._link, self._waiting, self._delays, self._rng.random, self._rng.getrandbits
        )  # fmt: skip
        rare = link.duplicate_share + link.loss_share
        if link.presence:
            self._present("online", self._connected, self._connected + delays[0])
        for emission in emissions:
            at = emission.at
            while self._outages and self._outages[0].ended <= at:
                self._end_outage()
            if self._outages and self._outages[0].began <= at:
                self._held.append(emission)
                continue
            received = at + delays[bits(8)]
            if received < self._last:
                received = self._last
            self._last = received
            while waiting and waiting[0].received_at <= received:
                yield heappop(waiting)
            if random() < rare and self._lost(emission, received):
                continue
            yield self._arrive(emission, received)
        while self._outages:
            self._end_outage()
        while waiting:
            yield heappop(waiting)

    def _lost(self, emission: Emission, received: datetime) -> bool:
        """Lose ``emission`` or have it delivered a second time, each by its share."""
        link = self._link
        if self._rng.random() * (link.duplicate_share + link.loss_share) < link.loss_share:
            return True
        again = received + timedelta(seconds=self._rng.uniform(2, 30))
        heappush(self._waiting, Message(again, self._topics[emission.channel], self._encode(emission)))
        return False

    def _arrive(self, emission: Emission, received: datetime) -> Message:
        for incident in emission.signs:
            if incident.first_sign is None:
                incident.first_sign = received
        for incident in emission.presses:
            if incident.pressed is None:
                incident.pressed = received
        return Message(received, self._topics[emission.channel], self._encode(emission))

    def _encode(self, emission: Emission) -> bytes:
        at, body = self._clock(emission.at), emission.body
        if isinstance(body, bytes):
            return b'{"at":"%b",%b' % (at.encode(), body[1:])
        fields = body if isinstance(body, Mapping) else structs.asdict(body)
        said = {name: value for name, value in fields.items() if value is not None}
        return msgspec.json.encode({**said, "at": at})

    def _clock(self, at: datetime) -> str:
        """Return the device's reading of the true instant ``at``."""
        if drift := self._link.clock_drift_ppm:
            at += (at - self._span.since) * (drift * 1e-6)
        return (at + self._offset).isoformat(timespec="milliseconds")

    def _end_outage(self) -> None:
        """Have everything wait that follows from the first outage: will, birth and the messages held meanwhile."""
        outage = self._outages.popleft()
        broken = outage.ended - outage.began > self._patience
        back = max(self._last, outage.ended + self._delays[self._rng.getrandbits(8)])
        if broken and self._link.presence:
            self._present("offline", self._connected, outage.began + self._patience)
        if outage.ended >= self._span.until:
            self._held.clear()
            return
        if broken:
            self._connected = outage.ended
            if self._link.presence:
                self._present("online", outage.ended, back)
        self._release(back, len(self._held) if not broken else outage.stores)

    def _release(self, back: datetime, stores: int) -> None:
        while len(self._held) > stores:
            self._held.popleft()
        while self._held:
            back += _STORED_GAP
            heappush(self._waiting, self._arrive(self._held.popleft(), back))
        self._last = max(self._last, back)

    def _present(self, status: str, at: datetime, received: datetime) -> None:
        payload = b'{"at":"%b","status":"%b"}' % (self._clock(at).encode(), status.encode())
        heappush(self._waiting, Message(received, self._topics[Channel.PRESENCE], payload))


def draw_outages(
    rng: Random, span: Span, *, per_month: float, minutes: tuple[float, float], stores: int = 0
) -> tuple[Outage, ...]:
    """Return about ``per_month`` outages a month; their lengths spread over ``minutes`` by orders of magnitude."""
    outages: list[Outage] = []
    low, high = minutes
    at = span.since
    while per_month:
        at += timedelta(days=rng.expovariate(per_month / 30))
        if at >= span.until:
            break
        length = timedelta(minutes=low * (high / low) ** rng.random())
        outages.append(Outage(at, at + length, stores))
        at += length + timedelta(seconds=1)
    return tuple(outages)


def draw_link(rng: Random, span: Span, *, weak: bool = False, **fixed: object) -> Link:
    """Return an ordinary or a weak link with a clock of its own; ``fixed`` fields of `Link` replace drawn ones.

    One clock in 25 is minutes wrong, one in 50 is off by the hours of a time zone.
    """
    stores = rng.choice((0, 500, 20_000))
    if weak:
        short = draw_outages(rng, span, per_month=90, minutes=(0.05, 5), stores=stores)
        long = draw_outages(rng, span, per_month=6, minutes=(5, 240), stores=stores)
        outages = merge_outages(*short, *long)
    else:
        outages = draw_outages(rng, span, per_month=1, minutes=(0.1, 20), stores=stores)
    kind = rng.random()
    offset = rng.gauss(0, 0.7)
    if kind < 0.04:
        offset = rng.choice((-1, 1)) * rng.uniform(60, 900)
    elif kind < 0.06:
        offset = rng.choice((-8, 8)) * 3600.0
    link = Link(
        outages=outages,
        delay_seconds=(0.1, 6.0) if weak else (0.05, 0.8),
        duplicate_share=0.004 if weak else 0.0005,
        loss_share=rng.choice((0.0, 0.01, 0.03)) if weak else 0.0,
        clock_offset_seconds=round(offset, 3),
        clock_drift_ppm=round(rng.gauss(0, 8), 2),
        keep_alive=timedelta(seconds=rng.choice((30, 60, 120))),
    )
    return structs.replace(link, **fixed)


def merge_outages(*outages: Outage) -> tuple[Outage, ...]:
    """Return ``outages`` in order; those that overlap become one with the smaller store."""
    merged: list[Outage] = []
    for outage in sorted(outages):
        if merged and outage.began <= merged[-1].ended:
            last = merged[-1]
            merged[-1] = Outage(last.began, max(last.ended, outage.ended), min(last.stores, outage.stores))
        else:
            merged.append(outage)
    return tuple(merged)


def gateway_key(number: int) -> DeviceKey:
    return DeviceKey(COMMUNITY, DeviceKind.GATEWAY, f"gateway-{number:03}")


def gateway_world(
    device: DeviceKey,
    span: Span,
    link: Link,
    rng: Random,
    events: Iterable[tuple[datetime, GatewayEventType, str | None]] = (),
) -> World:
    """Return a gateway that says `online` every minute and ``events`` (instant, type, controller), which are in order.

    The devices behind it have links with its ``outages`` and ``presence`` false (`behind`).
    """
    station = Station(device=device, make="gateway", pace="beat-1min")
    incidents = link_incidents(device, link, span)
    messages = deliver(device, _beats(span, tuple(events), rng), link, span, rng)
    return World(station=station, messages=messages, incidents=incidents, disturbances=[])


def behind(gateway: Link, rng: Random) -> Link:
    """Return the link of a device behind ``gateway``: its outages and clock, without presence."""
    return structs.replace(gateway, presence=False, duplicate_share=gateway.duplicate_share * rng.uniform(0.5, 1.5))


def _beats(
    span: Span, events: tuple[tuple[datetime, GatewayEventType, str | None], ...], rng: Random
) -> Iterator[Emission]:
    left = deque(events)
    at = span.since + BEAT * rng.random()
    while at < span.until:
        while left and left[0][0] <= at:
            said, type_, controller = left.popleft()
            yield Emission(said, Channel.EVENT, {"type": type_.value, "controller": controller})
        yield Emission(at, Channel.PRESENCE, {"status": "online"})
        at += BEAT
