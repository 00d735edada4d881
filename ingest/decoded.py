"""From a stretch of the journal to what the store is given and what the ledger counts."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date

from msgspec import Struct

from core.observations import Entry, Observation, Rejection
from core.telemetry import Point
from ingest.points import points_of
from ingest.ports import Settlement

Decode = Callable[[Entry], Observation | Rejection]
# Decoding and flattening take about 8 µs a message: a slice holds the event loop for 4 ms.
_SLICE = 500


class Message(Struct, frozen=True, gc=False):
    """A message that the store shall keep."""

    entry: Entry
    community: str
    points: list[Point]


class Batch(Struct, frozen=True):
    """Entries up to ``position``, read and decoded; duplicates are gone: the journal has counted them."""

    position: int
    messages: list[Message]
    rejections: list[Rejection]

    def settlement(self, stored: Sequence[Message], refused: Sequence[Rejection]) -> Settlement:
        """Return what the ledger shall count, given what the store took and what it refused."""
        counts: Counter[tuple[date, str]] = Counter(
            (message.entry.received_at.date(), message.community) for message in stored
        )
        return Settlement(self.position, dict(counts), [*self.rejections, *refused])


async def decoded(entries: Sequence[Entry], decode: Decode) -> Batch:
    """Decode ``entries`` (at least one), giving way to other tasks every few milliseconds."""
    batch = Batch(entries[-1].position, [], [])
    for start in range(0, len(entries), _SLICE):
        _decode_slice(entries[start : start + _SLICE], decode, batch)
        await asyncio.sleep(0)
    return batch


def _decode_slice(entries: Sequence[Entry], decode: Decode, batch: Batch) -> None:
    for entry in entries:
        if entry.duplicate:
            continue
        outcome = decode(entry)
        if isinstance(outcome, Rejection):
            batch.rejections.append(outcome)
        else:
            batch.messages.append(Message(entry, outcome.device.community, points_of(outcome)))
