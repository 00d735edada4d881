"""History told again: from the journal as far as it reaches back, and from the telemetry store before that."""

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from datetime import datetime
from heapq import heapify, heappop, heapreplace
from typing import Protocol

from alerts.history import DeviceRow
from alerts.ports import Decoder
from core.clock import from_microseconds
from core.devices import DeviceKey, DeviceKind
from core.observations import Entry, Observation
from core.telemetry import FAMILIES, Series
from core.wire import topics
from ingest.recall import families_of, observations_of

_ENTRIES = 2_000
_DEVICES = 500
# Points asked for at once: a lift that speaks every 5 s fills one such page in less than six hours.
_POINTS = 4_000


class Entries(Protocol):
    """The reading side of the journal. Blocking."""

    def read(self, after: int, limit: int) -> list[Entry]:
        """Return at most ``limit`` entries above position ``after``, in rising order."""
        ...

    def last_position(self) -> int:
        """Return the newest position."""
        ...


class Points(Protocol):
    """The reading side of the telemetry store. Raises `TemporaryError`."""

    async def range(
        self,
        device: DeviceKey,
        family: str,
        signals: Sequence[str],
        *,
        since: datetime,
        until: datetime,
        limit: int,
    ) -> list[Series]:
        """Return raw samples with since <= at < until, of the oldest ``limit`` points."""
        ...


class Devices(Protocol):
    """The devices that are known. Raises `TemporaryError`."""

    async def devices(self, community: str | None, kind: str | None, after: str | None, limit: int) -> list[DeviceRow]:
        """Return devices in rising order of path, beginning after the path ``after``."""
        ...


class JournalHistory:
    """What the journal tells, read and decoded in stretches."""

    def __init__(self, journal: Entries, decode: Decoder) -> None:
        self._journal = journal
        self._decode = decode

    def begins(self) -> datetime | None:
        """Return when the oldest message that is still there was received, ``None`` when there is none."""
        first = self._journal.read(0, 1)
        return first[0].received_at if first else None

    def stretches(
        self, kinds: Collection[DeviceKind], community: str | None, since: datetime, until: datetime
    ) -> Iterator[list[Observation]]:
        """Yield what devices of ``kinds`` (in ``community``, or in all) sent in the span, in the journal's order.

        A stretch is what two thousand entries hold of it, which may be nothing: so that others have their turn.
        """
        position = self._position_before(since)
        while entries := self._journal.read(position, _ENTRIES):
            within = [entry for entry in entries if entry.received_at < until]
            decoded = [self._decode(entry) for entry in within if _concerns(entry, kinds, community)]
            yield [one for one in decoded if isinstance(one, Observation)]
            if len(within) < len(entries):
                return
            position = entries[-1].position

    def entries(self, since: datetime, until: datetime) -> Iterator[Entry]:
        """Yield what was received in the span as it was received, without duplicates."""
        position = self._position_before(since)
        while entries := self._journal.read(position, _ENTRIES):
            for entry in entries:
                if entry.received_at >= until:
                    return
                if not entry.duplicate and entry.received_at >= since:
                    yield entry
            position = entries[-1].position

    def _position_before(self, instant: datetime) -> int:
        """Return a position above which nothing is older than ``instant``, found by halving."""
        low, high = 0, self._journal.last_position()
        while low < high:
            middle = (low + high) // 2
            found = self._journal.read(middle, 1)
            if found and found[0].received_at < instant:
                low = found[0].position
            else:
                high = middle
        return low


class TelemetryHistory:
    """What a telemetry store tells; ``unreadable`` counts points that no device could have sent."""

    def __init__(self, store: Points) -> None:
        self._store = store
        self.unreadable = 0

    async def observations(
        self, devices: Sequence[DeviceKey], since: datetime, until: datetime
    ) -> AsyncIterator[Observation]:
        """Yield what ``devices`` said in the span, by their own time; a page of each is held in memory at once."""
        streams = [
            self._family(device, family, since, until) for device in devices for family in families_of(device.kind)
        ]
        heads = [(first.at, number, first) for number, stream in enumerate(streams) if (first := await _next(stream))]
        heapify(heads)
        while heads:
            _, number, observation = heads[0]
            yield observation
            following = await _next(streams[number])
            if following is None:
                heappop(heads)
            else:
                heapreplace(heads, (following.at, number, following))

    async def _family(
        self, device: DeviceKey, family: str, since: datetime, until: datetime
    ) -> AsyncIterator[Observation]:
        signals, limit = list(FAMILIES[family].signals), _POINTS
        while since < until:
            series = await self._store.range(device, family, signals, since=since, until=until, limit=limit)
            newest, points = _extent(series)
            # The newest instant of a full page may be cut in the middle: it comes again with the next one.
            cut = from_microseconds(newest // 1_000) if points >= limit else until
            if cut <= since:
                limit *= 2
                continue
            recalled = observations_of(device, family, series)
            for observation in recalled.observations:
                if observation.at < cut:
                    yield observation
            self.unreadable += recalled.unreadable
            since, limit = cut, _POINTS


async def known_devices(
    records: Devices, kinds: Collection[DeviceKind], community: str | None
) -> AsyncIterator[DeviceKey]:
    """Yield every device of ``kinds`` that was ever heard."""
    for kind in kinds:
        after: str | None = None
        while rows := await records.devices(community, kind.value, after, _DEVICES):
            for row in rows:
                yield row.device
            after = rows[-1].device.path


def _concerns(entry: Entry, kinds: Collection[DeviceKind], community: str | None) -> bool:
    """Tell by the topic, which is cheap, whether the message is worth decoding."""
    if entry.duplicate:
        return False
    try:
        device, _ = topics.parse(entry.topic)
    except topics.UnknownTopic:
        return False
    return device.kind in kinds and community in (None, device.community)


async def _next(stream: AsyncIterator[Observation]) -> Observation | None:
    return await anext(stream, None)


def _extent(series: Sequence[Series]) -> tuple[int, int]:
    """Return the newest instant in nanoseconds, and how many points there are."""
    points = {(sample.at_nanoseconds, one.part) for one in series for sample in one.samples}
    return max((instant for instant, _ in points), default=0), len(points)
