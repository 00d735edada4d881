"""What the alert service needs from the outside."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from alerts.dispatch.model import DeskCommit, DeskSnapshot, Intent, OutboxEntry, Suppression, Told
from alerts.inventory import Inventory
from alerts.model import Commit, Snapshot
from alerts.rules.model import Rule
from core.devices import DeviceKey
from core.observations import Entry, Observation, Rejection

Decoder = Callable[[Entry], Observation | Rejection]
"""Turns a journal entry into an observation; pure, never raises, the same answer each time."""


class Afresh(Struct, frozen=True):
    """Open alerts about ``device`` whose memory is lost: of one rule, or all that the alert engine raised."""

    device: DeviceKey
    rule: str | None = None


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

    async def put_aside(self, unreadable: Mapping[str, str], afresh: Collection[Afresh]) -> None:
        """Move states that cannot be decoded out of the way, kept with the reasons given by key.

        The open alerts ``afresh``, of which the new states know nothing, are resolved with that reason: they would be
        raised a second time, or never be resolved. May be repeated.
        """
        ...

    async def commit(self, decided: Commit) -> None:
        """Store ``decided`` in one transaction. Raises `TemporaryError` (repeat the same call) or `Fenced`.

        After a `TemporaryError` the outcome may be unknown: a repeat that finds its own position committed succeeds.
        """
        ...


class DeskRecords(Protocol):
    """What the notification desk reads, and where it keeps what it decided. Everything raises `TemporaryError`."""

    async def load(self) -> DeskSnapshot:
        """Return the last committed state."""
        ...

    async def put_aside(self, unreadable: Mapping[str, str], afresh: Collection[Afresh]) -> None:
        """As `AlertRecords.put_aside`, for the desk's states."""
        ...

    async def told(self, after: int, limit: int) -> list[Told]:
        """Return steps with sequences above ``after`` in order, without *pending* and the desk's own (`DESK_KINDS`).

        An empty list means that there is nothing above ``after`` that concerns the desk.
        """
        ...

    async def suppressions(self, now: datetime) -> Sequence[Suppression]:
        """Return what is in force at ``now`` or begins later, by rising ``id``."""
        ...

    async def failing_receivers(self) -> dict[str, str]:
        """Return the receivers that cannot be reached, with the newest error; cheap, asked every second.

        Those whose newest finished message was given up, and those at which every attempt has failed for
        `UNREACHABLE_AFTER`. Both last until a message is taken, however often Anju is started meanwhile.
        """
        ...

    async def commit(self, decided: DeskCommit) -> None:
        """Store ``decided`` in one transaction; repeating the last commit changes nothing. Raises `Fenced`."""
        ...


class Outbox(Protocol):
    """What is to be delivered. Everything raises `TemporaryError`. Instants are those of the steady clock."""

    async def due(
        self, now: datetime, limit: int, without: Collection[str] = (), *, calls: bool | None = None
    ) -> list[OutboxEntry]:
        """Return waiting entries to be tried at ``now``, oldest first, leaving out the receivers ``without``.

        ``calls`` asks for pages of emergency calls only, or for all but them; ``None`` for everything.

        At most one for each (receiver, incident): the one before must be finished, so that order is kept. What waits
        for a receiver that can take nothing now must not hide what waits for the others.
        """
        ...

    async def next_due(self) -> datetime | None:
        """Return when the next entry is to be tried, ``None`` while nothing waits."""
        ...

    async def delivered(self, number: int, now: datetime, detail: str) -> None:
        """Record that the receiver has it. May be repeated."""
        ...

    async def postpone(self, number: int, now: datetime, until: datetime, detail: str) -> None:
        """Record that an attempt has failed at ``now``, to be repeated at ``until``."""
        ...

    async def give_up(self, number: int, now: datetime, detail: str) -> None:
        """Record that it will not be tried again, and say so in the timelines of its alerts. May be repeated."""
        ...

    async def trim(self, before: datetime, limit: int) -> int:
        """Delete at most ``limit`` entries that were finished before ``before``, and return how many.

        What waits stays, however old. Numbers are never given again.
        """
        ...


class Messenger(Protocol):
    """One way to reach people. Implementations live in ``alerts/notify``."""

    async def deliver(self, intent: Intent) -> str:
        """Hand ``intent`` over and return what the other side said, for the record.

        Raises `TemporaryError` (try the same again; an attribute ``retry_after`` in seconds may say when) or
        `PermanentError` (this will never be taken). May be called again with the same intent: ``intent.id`` is the
        idempotency key.
        """
        ...


class Registry(Protocol):
    """What people told of devices."""

    async def inventory(self) -> Inventory:
        """Return the facts of all devices, at their present version. Raises `TemporaryError`."""
        ...


class RuleSource(Protocol):
    """Where the rules in force come from, while they may change."""

    async def changed(self) -> Sequence[Rule] | None:
        """Return all rules in force if they are others than before, ``None`` if not; cheap, asked every second.

        Never raises: what is broken or away is told elsewhere, and the last good rules stay in force.
        """
        ...
