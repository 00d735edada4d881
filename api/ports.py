"""What the API needs from the outside: reads on the records, the telemetry store and the journal."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

from msgspec import Struct

from core.devices import DeviceKey
from core.telemetry import Aggregate, Series


class DeviceRow(Struct, frozen=True):
    """A device as last seen; ``latest`` maps part or channel to signal to {"value", "at"}."""

    device: DeviceKey
    first_heard_at: datetime
    last_heard_at: datetime
    online: bool | None
    skew_seconds: float | None
    latest: dict[str, dict[str, dict[str, object]]]
    open_alerts: int


class AlertRow(Struct, frozen=True):
    """An alert without its timeline. ``number`` rises with each alert raised and is the pagination key."""

    number: int
    id: str
    rule: str
    severity: str
    device: DeviceKey
    state: str
    title_zh: str
    title_en: str
    reason_zh: str
    reason_en: str
    pending_since: datetime
    fired_at: datetime
    resolved_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None


class TransitionRow(Struct, frozen=True):
    """One step of a timeline, as the live stream carries it too. ``sequence`` rises in commit order, without gaps."""

    sequence: int
    alert_id: str
    rule: str
    severity: str
    device: DeviceKey
    kind: str
    at: datetime
    recorded_at: datetime
    actor: str | None
    reason_code: str
    reason_zh: str
    reason_en: str
    facts: dict[str, object]


class FaultRow(Struct, frozen=True):
    """A fault episode; ``cleared_at`` is ``None`` while it lasts or when its end was never told."""

    number: int
    device: DeviceKey
    source: str
    code: str
    kind: str
    severity: str
    raised_at: datetime
    cleared_at: datetime | None
    late: bool


class AlertFilter(Struct, frozen=True):
    """Every field narrows; ``None`` does not. Times are half open: since <= fired_at < until."""

    state: str | None = None
    severity: str | None = None
    acknowledged: bool | None = None
    rule: str | None = None
    community: str | None = None
    kind: str | None = None
    device: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class FaultFilter(Struct, frozen=True):
    """Every field narrows; ``None`` does not. ``kind`` is the fault's normalised kind. since <= raised_at < until."""

    community: str | None = None
    device_kind: str | None = None
    device: str | None = None
    kind: str | None = None
    source: str | None = None
    code: str | None = None
    open: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


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
        """Record that ``actor`` has seen the alert; the first one stays. Returns ``None`` when there is no such alert."""
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
        """Create a token for ``name`` and return it, the only time it is ever shown. Raises `PermanentError` if taken."""
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
