"""What the API needs from the outside: reads on the records, the telemetry store and the journal."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

from alerts.history import AlertFilter as AlertFilter
from alerts.history import AlertRow as AlertRow
from alerts.history import DeviceRow as DeviceRow
from alerts.history import FaultFilter as FaultFilter
from alerts.history import FaultRow as FaultRow
from alerts.history import TransitionRow as TransitionRow
from core.devices import DeviceKey
from core.telemetry import Aggregate, Series


class Records(Protocol):
    """Reads on the records database, and what people do. Everything raises `TemporaryError` when it is away."""

    async def ping(self) -> None:
        """Return when the database answers."""
        ...

    async def devices(self, community: str | None, kind: str | None, after: str | None, limit: int) -> list[DeviceRow]:
        """Return devices in rising order of path, beginning after the path ``after``."""
        ...

    async def device(self, key: DeviceKey) -> DeviceRow | None:
        """Return one device, or ``None``."""
        ...

    async def alerts(self, matching: AlertFilter, before: int | None, limit: int) -> list[AlertRow]:
        """Return alerts, newest number first, with numbers below ``before``."""
        ...

    async def alert(self, alert_id: str) -> tuple[AlertRow, list[TransitionRow]] | None:
        """Return one alert and its timeline in order, or ``None``."""
        ...

    async def acknowledge(self, alert_id: str, actor: str, comment: str | None, now: datetime) -> AlertRow | None:
        """Record that ``actor`` has seen the alert; the first one stays. ``None`` when there is no such alert."""
        ...

    async def comment(self, alert_id: str, actor: str, text: str, now: datetime) -> TransitionRow | None:
        """Add a comment to the timeline; ``None`` when there is no such alert."""
        ...

    async def faults(self, matching: FaultFilter, before: int | None, limit: int) -> list[FaultRow]:
        """Return fault episodes, newest number first, with numbers below ``before``."""
        ...

    async def transitions(self, after: int, limit: int) -> list[TransitionRow]:
        """Return transitions with sequences above ``after``, in order; a sequence never appears late."""
        ...

    async def last_sequence(self) -> int:
        """Return the newest transition's sequence, 0 when there is none."""
        ...

    async def alert_position(self) -> int:
        """Return the journal position up to which alerts have been decided."""
        ...


class Tokens(Protocol):
    """Named bearer tokens, kept hashed."""

    async def identify(self, token: str) -> str | None:
        """Return the name behind a token, or ``None`` when it is unknown or revoked."""
        ...

    async def add(self, name: str, now: datetime) -> str:
        """Create a token for ``name``, returned this once and never shown again. Raises `PermanentError` if taken."""
        ...

    async def names(self) -> Sequence[str]:
        """Return the names of the tokens in force."""
        ...


class TelemetryReader(Protocol):
    """The reading side of a telemetry store. Raises `TemporaryError` when it is away."""

    async def ping(self) -> None:
        """Return when the store answers."""
        ...

    async def latest(self, device: DeviceKey) -> list[Series]:
        """Return the newest sample of every signal of every part of ``device`` (one sample per series)."""
        ...

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
        """Return raw samples with since <= at < until, oldest first, at most ``limit`` points in all."""
        ...

    async def windows(
        self,
        device: DeviceKey,
        family: str,
        signals: Sequence[str],
        *,
        since: datetime,
        until: datetime,
        every: timedelta,
        aggregate: Aggregate,
    ) -> list[Series]:
        """Return one sample per window that holds a value; windows are aligned to 1970-01-01T00:00:00Z.

        Booleans count as 0 and 1; text signals allow only ``last`` and ``count`` (`PermanentError` otherwise).
        """
        ...


class LedgerEntry(Protocol):
    """One row of the ledger: how the messages of a community and day ended."""

    @property
    def day(self) -> date: ...
    @property
    def community(self) -> str: ...
    @property
    def received(self) -> int: ...
    @property
    def stored(self) -> int: ...
    @property
    def duplicate(self) -> int: ...
    @property
    def rejected(self) -> int: ...
    @property
    def in_flight(self) -> int: ...


class QuarantinedMessage(Protocol):
    """A rejected message with the reason."""

    @property
    def position(self) -> int: ...
    @property
    def received_at(self) -> datetime: ...
    @property
    def topic(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def excerpt(self) -> bytes: ...


class JournalView(Protocol):
    """What the API shows of the journal. Blocking; called from a worker thread."""

    def ledger(self, since: date) -> Sequence[LedgerEntry]:
        """Return the ledger from the UTC day ``since`` on."""
        ...

    def quarantine(self, before: int | None, limit: int) -> Sequence[QuarantinedMessage]:
        """Return rejections below position ``before``, newest first."""
        ...

    def positions(self) -> dict[str, int]:
        """Return every reader with its stored position."""
        ...

    def last_position(self) -> int:
        """Return the newest position, 0 when there is none."""
        ...
