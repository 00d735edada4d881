"""What ingest needs from the outside; adapters live in ``storage``, twins in ``storage/memory``."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

from msgspec import Struct

from core.observations import Entry, Incoming, Rejection
from core.telemetry import Point


class LedgerRow(Struct, frozen=True):
    """How the messages of one community received on one UTC day ended.

    ``received = stored + duplicate + rejected + in_flight``; ``in_flight`` is what the writer has not settled yet.
    """

    day: date
    community: str
    received: int
    stored: int
    duplicate: int
    rejected: int

    @property
    def in_flight(self) -> int:
        return self.received - self.stored - self.duplicate - self.rejected


class Settlement(Struct, frozen=True):
    """What a reader found out about the entries up to ``position``; counted once, together with the position."""

    position: int
    stored: dict[tuple[date, str], int]
    """How many entries were stored, by (UTC day received, community)."""
    rejections: Sequence[Rejection]


class JournalSize(Struct, frozen=True):
    """How much the journal holds: ``first`` and ``last`` are positions.

    0 and 0 when it never held anything; ``first`` is ``last`` + 1 when everything was trimmed.
    """

    first: int
    last: int
    bytes: int


class Journal(Protocol):
    """The durable log between the broker and everything else. Blocking; safe to call from several threads."""

    def append(self, messages: Sequence[Incoming]) -> int:
        """Store ``messages`` in order, count them as received, and return the last position; durable on return.

        A message whose digest was seen within the journal's memory of digests is kept as a duplicate: it gets a
        position, is counted, and its payload is dropped. All or nothing. Raises `TemporaryError` (disk full, locked).
        """
        ...

    def read(self, after: int, limit: int) -> list[Entry]:
        """Return at most ``limit`` entries with positions above ``after``, in rising order; empty at the end."""
        ...

    def register(self, reader: str) -> int:
        """Make ``reader`` known, so that nothing it has not read is trimmed, and return its stored position.

        A new reader starts at the oldest entry that is left.
        """
        ...

    def advance(self, reader: str, position: int) -> None:
        """Store that ``reader`` needs nothing up to and including ``position``; never moves back.

        Raises `PermanentError` for a reader that was never registered; so does `settle`.
        """
        ...

    def settle(self, reader: str, settlement: Settlement) -> None:
        """Advance ``reader``, add to the ledger and keep the rejections in quarantine, in one transaction.

        Repeating a settlement whose position is not above the stored one changes nothing.
        """
        ...

    def positions(self) -> dict[str, int]:
        """Return every reader with its stored position."""
        ...

    def trim(self, *, older_than: datetime | None, beyond_bytes: int | None) -> int:
        """Delete the oldest entries by age and by size, never past any reader; return how many went."""
        ...

    def last_position(self) -> int:
        """Return the newest position ever given, 0 when there is none; cheap enough to poll."""
        ...

    def size(self) -> JournalSize:
        """Return what the journal holds now."""
        ...

    def ledger(self, since: date) -> list[LedgerRow]:
        """Return the ledger from the UTC day ``since`` on, by day and community, rising.

        A thousand communities of a day are counted by name, those first heard after them together as ``-``.
        """
        ...

    def quarantine(self, before: int | None, limit: int) -> list[Rejection]:
        """Return at most ``limit`` rejections with positions below ``before`` (``None``: the newest), newest first."""
        ...

    def close(self) -> None:
        """Release the file; calling it again does nothing."""
        ...


class TelemetryWriter(Protocol):
    """The writing side of a telemetry store."""

    async def prepare(self) -> None:
        """Create what writing needs (schema, bucket). Raises `TemporaryError` when the store cannot be reached."""
        ...

    async def write(self, points: Sequence[Point]) -> None:
        """Store ``points``; durable on return, and harmless to repeat.

        Raises `TemporaryError` (unreachable, overloaded, token refused: an operator can mend it) or `MalformedPoints`
        (some point can never be stored; part of the batch may have been stored).
        """
        ...

    async def expire(self, before: timedelta, now: datetime) -> None:
        """Delete points older than ``before``; does nothing where the store enforces its retention itself."""
        ...

    async def close(self) -> None:
        """Release connections and files; calling it again does nothing."""
        ...
