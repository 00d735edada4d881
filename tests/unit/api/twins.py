"""The ports of the API as small real implementations in memory."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from statistics import mean
from typing import Any

from msgspec.structs import replace

from alerts.history import AlertFilter, AlertRow, DeviceRow, FaultFilter, FaultRow, TransitionRow, UnknownCodeRow
from core.devices import DeviceKey
from core.errors import AnjuError, Conflict, PermanentError, TemporaryError
from core.observations import Rejection
from core.telemetry import Aggregate, Sample, Series
from ingest.ports import LedgerRow

START = datetime(2026, 8, 14, 7, 2, 26, tzinfo=UTC)


class RecordsTwin:
    """`api.ports.Records` in memory; every call raises ``failure`` while it is set, as a lost database does."""

    def __init__(self) -> None:
        self.device_rows: dict[str, DeviceRow] = {}
        self.alert_rows: list[AlertRow] = []
        self.fault_rows: list[FaultRow] = []
        self.unknown_code_rows: list[UnknownCodeRow] = []
        self.steps: list[TransitionRow] = []
        self.position = 0
        self.failure: AnjuError | None = None
        self.failed = asyncio.Event()
        self.reads_of_transitions: list[int] = []

    async def ping(self) -> None:
        self._answer()

    async def devices(self, community: str | None, kind: str | None, after: str | None, limit: int) -> list[DeviceRow]:
        self._answer()
        rows = (self.device_rows[path] for path in sorted(self.device_rows) if after is None or path > after)
        return [
            row for row in rows if community in (None, row.device.community) and kind in (None, row.device.kind.value)
        ][:limit]

    async def device(self, key: DeviceKey) -> DeviceRow | None:
        self._answer()
        return self.device_rows.get(key.path)

    async def alerts(self, matching: AlertFilter, before: int | None, limit: int) -> list[AlertRow]:
        self._answer()
        rows = [row for row in reversed(self.alert_rows) if before is None or row.number < before]
        return [row for row in rows if _alert_matches(matching, row)][:limit]

    async def alert(self, alert_id: str) -> tuple[AlertRow, list[TransitionRow]] | None:
        self._answer()
        for row in self.alert_rows:
            if row.id == alert_id:
                return row, [step for step in self.steps if step.alert_id == alert_id]
        return None

    async def acknowledge(
        self, alert_id: str, actor: str, comment: str | None, now: datetime, *, seen: int | None = None
    ) -> AlertRow | None:
        found = await self.alert(alert_id)
        if found is None:
            return None
        row, timeline = found
        for step in timeline:
            if seen is not None and step.sequence > seen and step.kind == "firing":
                raise Conflict(f"alert {alert_id}: firing at sequence {step.sequence}, expected nothing after {seen}")
        if row.acknowledged_at is None:
            row = self.change(row, "acknowledged", actor, now, acknowledged_at=now, acknowledged_by=actor)
        if comment:
            self.add(row, "commented", actor, comment, now)
        return row

    async def comment(self, alert_id: str, actor: str, text: str, now: datetime) -> TransitionRow | None:
        found = await self.alert(alert_id)
        return None if found is None else self.add(found[0], "commented", actor, text, now)

    async def faults(self, matching: FaultFilter, before: int | None, limit: int) -> list[FaultRow]:
        self._answer()
        rows = [row for row in reversed(self.fault_rows) if before is None or row.number < before]
        return [row for row in rows if _fault_matches(matching, row)][:limit]

    async def unknown_codes(self, community: str | None, limit: int) -> list[UnknownCodeRow]:
        self._answer()
        rows = [row for row in self.unknown_code_rows if community in (None, row.device.community)]
        return sorted(rows, key=lambda row: row.last_seen_at, reverse=True)[:limit]

    async def transitions(self, after: int, limit: int) -> list[TransitionRow]:
        self._answer()
        self.reads_of_transitions.append(after)
        return self.steps[after : after + limit]

    async def last_sequence(self) -> int:
        self._answer()
        return len(self.steps)

    async def alert_position(self) -> int:
        self._answer()
        return self.position

    def raise_alert(self, device: DeviceKey, rule: str = "trapped-passenger", severity: str = "critical") -> AlertRow:
        """Add an alert that fires, one minute after the one before, with its first step."""
        number = len(self.alert_rows) + 1
        at = START + timedelta(minutes=number)
        row = AlertRow(
            number, f"alert{number}", rule, severity, device, "firing", "困人", "trapped passenger",
            "轿厢有人", "somebody is in the car", at - timedelta(seconds=60), at, None, None, None,
        )  # fmt: skip
        self.alert_rows.append(row)
        self.add(row, "firing", None, "somebody is in the car", at)
        return row

    def resolve(self, row: AlertRow, at: datetime) -> None:
        """End an alert."""
        self.alert_rows[row.number - 1] = replace(row, state="resolved", resolved_at=at)
        self.add(row, "resolved", None, "the door opened", at)

    def change(self, row: AlertRow, kind: str, actor: str, at: datetime, **values: Any) -> AlertRow:
        """Change an alert, with a step that says so."""
        row = replace(row, **values)
        self.alert_rows[row.number - 1] = row
        self.add(row, kind, actor, f"{kind} by {actor}", at)
        return row

    def add(self, row: AlertRow, kind: str, actor: str | None, text: str, at: datetime) -> TransitionRow:
        """Add one step to the timeline of ``row``."""
        step = TransitionRow(
            len(self.steps) + 1, row.id, row.rule, row.severity, row.device, kind, at, at, actor, kind, text, text,
            {"speed_mps": 0.0, "door_state": "closed"},
        )  # fmt: skip
        self.steps.append(step)
        return step

    def _answer(self) -> None:
        if self.failure is not None:
            self.failed.set()
            raise self.failure


def _alert_matches(wanted: AlertFilter, row: AlertRow) -> bool:
    return (
        wanted.state in (None, row.state)
        and wanted.open in (None, row.state != "resolved" or row.acknowledged_at is None)
        and wanted.assigned_to in (None, row.assigned_to)
        and wanted.false_alarm in (None, row.false_alarm_by is not None)
        and wanted.inhibited_by in (None, row.inhibited_by)
        and wanted.severity in (None, row.severity)
        and wanted.acknowledged in (None, row.acknowledged_at is not None)
        and wanted.rule in (None, row.rule)
        and wanted.community in (None, row.device.community)
        and wanted.kind in (None, row.device.kind.value)
        and wanted.device in (None, row.device.device)
        and (wanted.since is None or wanted.since <= row.fired_at)
        and (wanted.until is None or row.fired_at < wanted.until)
    )


def _fault_matches(wanted: FaultFilter, row: FaultRow) -> bool:
    return (
        wanted.community in (None, row.device.community)
        and wanted.device_kind in (None, row.device.kind.value)
        and wanted.device in (None, row.device.device)
        and wanted.kind in (None, row.kind)
        and wanted.source in (None, row.source)
        and wanted.code in (None, row.code)
        and wanted.open in (None, row.cleared_at is None)
        and (wanted.since is None or wanted.since <= row.raised_at)
        and (wanted.until is None or row.raised_at < wanted.until)
    )


@dataclass
class TokensTwin:
    """`api.ports.Tokens` in memory."""

    known: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    away: bool = False

    async def identify(self, token: str) -> str | None:
        self.asked += 1
        if self.away:
            raise TemporaryError("records database at db.internal: connection refused")
        return self.known.get(token)

    async def add(self, name: str, now: datetime) -> str:
        if name in self.known.values():
            raise PermanentError(f"token {name!r} exists")
        self.known[f"token-of-{name}"] = name
        return f"token-of-{name}"

    async def names(self) -> Sequence[str]:
        return sorted(self.known.values())

    async def revoke(self, name: str, _now: datetime) -> bool:
        kept = {token: other for token, other in self.known.items() if other != name}
        self.known, before = kept, self.known
        return len(kept) < len(before)


@dataclass
class SessionsTwin:
    """`api.ports.SessionRecords` in memory, beside the tokens."""

    tokens: TokensTwin
    kept: dict[bytes, tuple[str, datetime]] = field(default_factory=dict)
    written: int = 0
    stuck: bool = False
    """Can be read but not written."""

    async def begin(self, session: bytes, token: str, now: datetime, forgotten: datetime) -> None:
        self._writes()
        self.kept = {key: row for key, row in self.kept.items() if row[1] > forgotten}
        self.kept[session] = (token, now)

    async def find(self, session: bytes) -> tuple[str, datetime] | None:
        if session not in self.kept:
            return None
        token, used_at = self.kept[session]
        name = await self.tokens.identify(token)
        if name is None:
            del self.kept[session]  # A token that was revoked never comes back; in a test it might.
            return None
        return name, used_at

    async def used(self, session: bytes, now: datetime) -> None:
        self._writes()
        if session in self.kept:
            token, used_at = self.kept[session]
            self.kept[session] = (token, max(used_at, now))

    async def end(self, session: bytes) -> None:
        self._writes()
        self.kept.pop(session, None)

    def _writes(self) -> None:
        if self.stuck or self.tokens.away:
            raise TemporaryError("records database at db.internal: database is locked")
        self.written += 1


@dataclass
class TelemetryTwin:
    """`api.ports.TelemetryReader` over samples in memory: by device and (family, part, signal)."""

    stored: dict[tuple[str, str, str, str], list[Sample]] = field(default_factory=dict)
    windows_asked: list[tuple[tuple[str, ...], timedelta, Aggregate]] = field(default_factory=list)
    away: bool = False

    async def ping(self) -> None:
        self._answer()

    async def latest(self, device: DeviceKey) -> list[Series]:
        self._answer()
        return [
            Series(family, part, signal, samples[-1:])
            for (path, family, part, signal), samples in self.stored.items()
            if path == device.path
        ]

    async def range(
        self, device: DeviceKey, family: str, signals: Sequence[str], *, since: datetime, until: datetime, limit: int
    ) -> list[Series]:
        self._answer()
        begin, end = (int(instant.timestamp()) * 1_000_000_000 for instant in (since, until))
        return [
            Series(family, part, signal, [one for one in samples if begin <= one.at_nanoseconds < end][:limit])
            for (path, of, part, signal), samples in self.stored.items()
            if path == device.path and of == family and signal in signals
        ]

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
        self.windows_asked.append((tuple(signals), every, aggregate))
        found = await self.range(device, family, signals, since=since, until=until, limit=10_000)
        width = int(every.total_seconds()) * 1_000_000_000
        return [Series(one.family, one.part, one.signal, _reduced(one.samples, width, aggregate)) for one in found]

    def _answer(self) -> None:
        if self.away:
            raise TemporaryError("telemetry store at influx.internal: connection refused")


def _reduced(samples: list[Sample], width: int, aggregate: Aggregate) -> list[Sample]:
    windows: dict[int, list[float]] = {}
    for sample in samples:
        windows.setdefault(sample.at_nanoseconds // width * width, []).append(float(sample.value))
    reduce = _REDUCTIONS[aggregate]
    return [Sample(begin, reduce(values)) for begin, values in windows.items()]


_REDUCTIONS: dict[Aggregate, Callable[[list[float]], float]] = {
    Aggregate.MEAN: mean,
    Aggregate.MINIMUM: min,
    Aggregate.MAXIMUM: max,
    Aggregate.LAST: itemgetter(-1),
    Aggregate.COUNT: len,
}


@dataclass
class JournalTwin:
    """`api.ports.JournalView` in memory."""

    rows: list[LedgerRow] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    readers: dict[str, int] = field(default_factory=dict)
    last: int = 0

    def ledger(self, since: date) -> Sequence[LedgerRow]:
        return [row for row in self.rows if row.day >= since]

    def quarantine(self, before: int | None, limit: int) -> Sequence[Rejection]:
        return [one for one in reversed(self.rejections) if before is None or one.position < before][:limit]

    def positions(self) -> dict[str, int]:
        return self.readers

    def last_position(self) -> int:
        return self.last
