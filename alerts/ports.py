"""What the alert service needs from the outside."""

from collections.abc import Callable
from typing import Protocol

from alerts.model import Commit, Snapshot
from core.observations import Entry, Observation, Rejection

Decoder = Callable[[Entry], Observation | Rejection]
"""Turns a journal entry into an observation; pure, never raises, the same answer each time."""


class JournalReader(Protocol):
    """The reading side of the journal. Blocking; call it from a worker thread."""

    def read(self, after: int, limit: int) -> list[Entry]:
        """Return at most ``limit`` entries above position ``after``, in rising order; empty at the end."""
        ...

    def register(self, reader: str) -> int:
        """Make ``reader`` known, so that what it has not read is not trimmed."""
        ...

    def advance(self, reader: str, position: int) -> None:
        """Tell the journal that nothing up to ``position`` is needed again; never moves back."""
        ...


class AlertRecords(Protocol):
    """Where decisions are kept. One writer; `Fenced` tells a second one to stop."""

    async def load(self) -> Snapshot:
        """Return the last committed state. Raises `TemporaryError`."""
        ...

    async def commit(self, decided: Commit) -> None:
        """Store ``decided`` in one transaction. Raises `TemporaryError` (repeat the same call) or `Fenced`.

        After a `TemporaryError` the outcome may be unknown: a repeat that finds its own position committed succeeds.
        """
        ...
