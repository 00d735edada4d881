"""What the API needs from the outside: reads on the records, the telemetry store and the journal, and acts."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

from alerts.backtest import BacktestReport
from alerts.dispatch.model import OutboxEntry, Suppression
from alerts.dispatch.plan import Plan
from alerts.history import AlertFilter as AlertFilter
from alerts.history import AlertRow as AlertRow
from alerts.history import DeviceRow as DeviceRow
from alerts.history import FaultFilter as FaultFilter
from alerts.history import FaultRow as FaultRow
from alerts.history import NotifiedRow, PersonTestRow, RotaOverrideRow, RuleRevisionRow
from alerts.history import TransitionRow as TransitionRow
from alerts.history import UnknownCodeRow as UnknownCodeRow
from alerts.inventory import DeviceFacts, Inventory
from alerts.rules.book import RuleInForce
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

    async def acknowledge(
        self, alert_id: str, actor: str, comment: str | None, now: datetime, *, seen: int | None = None
    ) -> AlertRow | None:
        """Record that ``actor`` has seen the alert; the first one stays. ``None`` when there is no such alert.

        ``seen`` is the newest sequence of its timeline that ``actor`` saw: `Conflict` where it has fired or become
        worse since, for an acknowledgement covers only what was there to be seen.
        """
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


class UnknownCodes(Protocol):
    """Which codes of lifts no code list knows. Raises `TemporaryError` when the records are away."""

    async def unknown_codes(self, community: str | None, limit: int) -> list[UnknownCodeRow]:
        """Return them by device, the newest first; at most ``limit``."""
        ...


class AlertActs(Protocol):
    """What people do to alerts beyond seeing and commenting. Each act is a step of the timeline, with its actor.

    Everything raises `TemporaryError` when the records are away, returns ``None`` when there is no such alert, and
    raises `Conflict` where the alert does not stand as the act needs it.
    """

    async def assign(self, alert_id: str, actor: str, assignee: str | None, now: datetime) -> AlertRow | None:
        """Say who looks after it; ``None`` for nobody."""
        ...

    async def reset(self, alert_id: str, actor: str, comment: str | None, now: datetime) -> AlertRow | None:
        """End a latched alert. `Conflict` while it fires, or where its rule does not latch; again changes nothing."""
        ...

    async def mark_false(
        self, alert_id: str, actor: str, comment: str | None, now: datetime, *, false: bool
    ) -> AlertRow | None:
        """Say that it was a false alarm, or take that back."""
        ...

    async def shelve(
        self, alert_id: str, actor: str, until: datetime, reason: str, now: datetime
    ) -> Suppression | None:
        """Put its rule on its device aside until ``until``. `Conflict` for a protected alert."""
        ...

    async def unshelve(self, alert_id: str, actor: str, now: datetime) -> AlertRow | None:
        """Take it up again before its time; where nothing is shelved nothing changes."""
        ...


class Suppressions(Protocol):
    """Silences, maintenance windows and shelved alerts. Everything raises `TemporaryError`."""

    async def list(self, *, ended: bool, before: str | None, limit: int) -> Sequence[Suppression]:
        """Return suppressions by falling ``id``, below ``before``; with ``ended`` those that are over as well."""
        ...

    async def get(self, suppression_id: str) -> Suppression | None:
        """Return one, or ``None``."""
        ...

    async def add(self, suppression: Suppression) -> Suppression:
        """Keep ``suppression``, whose ``id`` is ignored, and return it with its own: they rise with time."""
        ...

    async def end(self, suppression_id: str, actor: str, now: datetime) -> Suppression | None:
        """End it now; one that is over stays as it is. ``None`` when there is no such one."""
        ...


class RuleBook(Protocol):
    """Rules that people keep through the API, every version of them. Everything raises `TemporaryError`."""

    async def version(self) -> int:
        """Return the number of the newest revision, 0 when there is none; cheap, to be asked every second."""
        ...

    async def newest(self) -> Sequence[RuleRevisionRow]:
        """Return the newest revision of every rule, by rule."""
        ...

    async def history(self, rule: str) -> Sequence[RuleRevisionRow]:
        """Return every revision of ``rule``, newest first."""
        ...

    async def put(
        self,
        rule: str,
        text: str,
        *,
        enabled: bool,
        author: str,
        comment: str,
        now: datetime,
        expected_revision: int | None = None,
    ) -> RuleRevisionRow:
        """Keep a new revision. `Conflict` where the newest one is not ``expected_revision`` (0: none yet)."""
        ...


class RegistryStore(Protocol):
    """What people tell of devices. Everything raises `TemporaryError`."""

    async def inventory(self) -> Inventory:
        """Return the facts of all devices; ``version`` rises with every change."""
        ...

    async def put_facts(self, device: DeviceKey, facts: DeviceFacts, actor: str, now: datetime) -> None:
        """Keep what ``actor`` tells of ``device``, in place of what was told before; heard of yet or not."""
        ...


class RotaOverrides(Protocol):
    """Who stands in for whom. Everything raises `TemporaryError`."""

    async def overrides(self, since: datetime) -> Sequence[RotaOverrideRow]:
        """Return those that end after ``since``, by start; where two overlap the later created one counts."""
        ...

    async def add_override(
        self, rota: str, person: str, starts_at: datetime, ends_at: datetime, author: str, now: datetime
    ) -> RotaOverrideRow:
        """Keep one."""
        ...

    async def remove_override(self, override_id: str, actor: str, now: datetime) -> bool:
        """Take one back; ``False`` when there is no such one."""
        ...


class OutboxView(Protocol):
    """What was and is to be delivered. Everything raises `TemporaryError`."""

    async def outbox(
        self, *, status: str | None, receiver: str | None, alert_id: str | None, before: int | None, limit: int
    ) -> Sequence[OutboxEntry]:
        """Return entries by falling number, below ``before``."""
        ...


class QualityReader(Protocol):
    """Raw rows for the figures of alarm quality. Everything raises `TemporaryError`."""

    async def alerts_between(self, community: str | None, since: datetime, until: datetime) -> Sequence[AlertRow]:
        """Return alerts that fired in the span or were open at its end, by rising instant of firing."""
        ...

    async def chattering_between(self, community: str | None, since: datetime, until: datetime) -> set[tuple[str, str]]:
        """Return the rules, each with a device's path, whose alerts that fired in the span were said to chatter."""
        ...

    async def notified_between(self, community: str | None, since: datetime, until: datetime) -> Sequence[NotifiedRow]:
        """Return what was put into the outbox in the span, by rising instant."""
        ...


class FailingReceivers(Protocol):
    """Which receivers cannot be reached. Raises `TemporaryError`."""

    async def failing_receivers(self) -> dict[str, str]:
        """Return the receivers that cannot be reached, with the newest error, as `alerts.ports.DeskRecords` says."""
        ...


class PersonTests(Protocol):
    """The weekly tests that people were sent. Everything raises `TemporaryError` when the records are away."""

    async def newest(self) -> Mapping[str, PersonTestRow]:
        """Return the newest test of everybody who was ever sent one, by name; instants to the second."""
        ...

    async def acknowledge(self, person: str, sent_at: datetime, actor: str, now: datetime) -> PersonTestRow:
        """Keep that the test of the second ``sent_at`` arrived; the first word on it stays and is returned."""
        ...


class TestSender(Protocol):
    """Puts a trial message where the others wait to be delivered. Raises `TemporaryError`."""

    async def send_test(self, receiver: str, actor: str, now: datetime) -> int:
        """Have ``receiver`` told that ``actor`` tries it out; return the number of the row in the outbox."""
        ...


class RulesInForce(Protocol):
    """The rules that decide now, and what is in the way of newer ones. Everything raises `TemporaryError`."""

    async def in_force(self) -> Sequence[RuleInForce]:
        """Return all rules by id, those switched off among them."""
        ...

    async def problem(self) -> str:
        """Return why what is newest was refused, so that the rules before stay in force; empty where nothing was."""
        ...


class PlanInForce(Protocol):
    """The plan of who is told what, and what is in the way of a newer one."""

    @property
    def source(self) -> str:
        """Where it comes from: ``built-in``, or the name of its file."""
        ...

    def current(self) -> Plan:
        """Return the plan that is in force now."""
        ...

    async def problem(self) -> str:
        """Return why what is newest was refused, so that the plan before stays in force; empty where nothing was."""
        ...


class Backtester(Protocol):
    """Replays what was heard through rules that are not in force."""

    async def backtest(
        self, text: str, since: datetime, until: datetime, community: str | None = None
    ) -> BacktestReport:
        """Return what the rule, or rule file, ``text`` would have raised, beside the rules in force.

        Raises `RuleError`, `PermanentError` (nothing to replay, or too much of it) and, while another one runs,
        `TemporaryError`.
        """
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


class SessionRecords(Protocol):
    """Signed-in browsers, each kept by a digest of its secret, so that a restart signs nobody out.

    Everything raises `TemporaryError` when the records are away, and may be repeated.
    """

    async def begin(self, session: bytes, token: str, now: datetime, forgotten: datetime) -> None:
        """Keep a session of ``token``, used ``now``; those last used at ``forgotten`` or before are deleted."""
        ...

    async def find(self, session: bytes) -> tuple[str, datetime] | None:
        """Return the name of its token and its last use; ``None`` without a session or with a revoked token."""
        ...

    async def used(self, session: bytes, now: datetime) -> None:
        """Keep ``now`` as its last use; an earlier instant than the one kept changes nothing."""
        ...

    async def end(self, session: bytes) -> None:
        """Delete it; where there is none nothing changes."""
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
