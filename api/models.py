"""What the API shows, apart from how the domain keeps it. Each ``of`` turns a domain row into its wire form."""

import base64
from datetime import date
from typing import Self

from pydantic import BaseModel, Field

from alerts.history import AlertRow, DeviceRow, FaultRow, TransitionRow, UnknownCodeRow
from alerts.inventory import DeviceFacts
from alerts.model import AlertState, Severity, TransitionKind
from api.facts import Facts
from api.ports import LedgerEntry, QuarantinedMessage
from api.times import Utc
from core.code_lists import is_known_list, meaning_of
from core.devices import DeviceKey, DeviceKind
from core.faults import FaultKind


class Bilingual(BaseModel):
    """A text for people in both languages."""

    zh: str
    en: str


class DeviceName(BaseModel):
    """Names one device."""

    community: str
    kind: DeviceKind
    device: str
    path: str = Field(description="`community/kind/device`, as it stands in URLs.")

    @classmethod
    def of(cls, key: DeviceKey) -> Self:
        return cls(community=key.community, kind=key.kind, device=key.device, path=key.path)


class Reading(BaseModel):
    """The newest value of one signal."""

    value: bool | int | float | str | list[float] | list[str] = Field(
        description="A place in a picture is a pair of fractions; floors are a list of texts."
    )
    at: Utc


class Device(BaseModel):
    """A device as last heard."""

    device: DeviceName
    online: bool | None = Field(description="Null while it has never said.")
    first_heard_at: Utc
    last_heard_at: Utc
    skew_seconds: float | None = Field(
        description="Device time less ours, where it was last not believed: below zero, its clock is slow."
    )
    open_alerts: int
    name: Bilingual = Field(description="What people call it; its own name where nobody has told one.")
    facts: Facts
    latest: dict[str, dict[str, Reading]] = Field(description="By part or channel, then by signal.")

    @classmethod
    def of(cls, row: DeviceRow, facts: DeviceFacts) -> Self:
        own = row.device.device
        return cls(
            device=DeviceName.of(row.device),
            online=row.online,
            first_heard_at=row.first_heard_at,
            last_heard_at=row.last_heard_at,
            skew_seconds=row.skew_seconds,
            open_alerts=row.open_alerts,
            name=Bilingual(zh=facts.name_zh or facts.name_en or own, en=facts.name_en or facts.name_zh or own),
            facts=Facts.of(facts),
            latest={part: _readings(signals) for part, signals in row.latest.items()},
        )


def _readings(signals: dict[str, dict[str, object]]) -> dict[str, Reading]:
    return {signal: Reading.model_validate(reading) for signal, reading in signals.items()}


class Alert(BaseModel):
    """An alert. *State* says whether the condition holds; *acknowledged* that somebody has seen it, no more.

    An acknowledgement covers what there was to see: when the severity rises it is void.
    """

    id: str
    rule: str
    severity: Severity
    state: AlertState
    device: DeviceName
    title: Bilingual
    reason: Bilingual = Field(description="Why it fired.")
    pending_since: Utc
    fired_at: Utc
    resolved_at: Utc | None
    acknowledged_at: Utc | None
    acknowledged_by: str | None
    latching: bool = Field(description="When what raised it is over it stays *latched* until somebody resets it.")
    protected: bool = Field(description="People are told whatever is silenced, shelved or inhibited.")
    reset_at: Utc | None
    reset_by: str | None
    assigned_to: str | None = Field(description="Who looks after it.")
    false_alarm_by: str | None = Field(description="Who said that it was a false alarm.")
    suppression: str | None = Field(
        description="Why people are not told: `silence`, `maintenance`, `shelved`, `inhibited`, …; null where they are."
    )
    inhibited_by: str | None = Field(description="The `id` of the alert that stands for this one.")

    @classmethod
    def of(cls, row: AlertRow) -> Self:
        return cls(
            id=row.id,
            rule=row.rule,
            severity=Severity(row.severity),
            state=AlertState(row.state),
            device=DeviceName.of(row.device),
            title=Bilingual(zh=row.title_zh, en=row.title_en),
            reason=Bilingual(zh=row.reason_zh, en=row.reason_en),
            pending_since=row.pending_since,
            fired_at=row.fired_at,
            resolved_at=row.resolved_at,
            acknowledged_at=row.acknowledged_at,
            acknowledged_by=row.acknowledged_by,
            latching=row.latching,
            protected=row.protected,
            reset_at=row.reset_at,
            reset_by=row.reset_by,
            assigned_to=row.assigned_to,
            false_alarm_by=row.false_alarm_by,
            suppression=row.suppression,
            inhibited_by=row.inhibited_by,
        )


class TransitionReason(Bilingual):
    """Why a transition happened; ``code`` is stable, to switch on."""

    code: str


class Transition(BaseModel):
    """One step in the life of an alert."""

    sequence: int = Field(description="Rises with every transition of every alert; the `id` in the live stream.")
    alert_id: str
    rule: str
    severity: Severity
    device: DeviceName
    kind: TransitionKind
    at: Utc = Field(description="When it happened.")
    recorded_at: Utc = Field(description="When it was written down.")
    actor: str | None = Field(description="Who did it; null where the rules did.")
    reason: TransitionReason
    facts: dict[str, object] = Field(description="The values the decision rests on.")

    @classmethod
    def of(cls, row: TransitionRow) -> Self:
        return cls(
            sequence=row.sequence,
            alert_id=row.alert_id,
            rule=row.rule,
            severity=Severity(row.severity),
            device=DeviceName.of(row.device),
            kind=TransitionKind(row.kind),
            at=row.at,
            recorded_at=row.recorded_at,
            actor=row.actor,
            reason=TransitionReason(code=row.reason_code, zh=row.reason_zh, en=row.reason_en),
            facts=row.facts,
        )


class AlertWithTimeline(Alert):
    """An alert, everything that happened to it in order, and the alerts for which it stands (at most 500)."""

    timeline: list[Transition]
    inhibits: list[Alert] = Field(description="Alerts that people are not told of because of this one.")


class DeviceWithAlerts(Device):
    """A device and its alerts that fire now, newest first (at most 100)."""

    alerts: list[Alert]


class Fault(BaseModel):
    """A fault episode. The same code means different things in different lists, so its ``source`` stands beside it."""

    number: int
    device: DeviceName
    source: str = Field(description="The code list, such as `gbt24476-2017`.")
    code: str = Field(description="The code as the device sent it.")
    kind: FaultKind
    severity: Severity
    title: Bilingual
    raised_at: Utc
    cleared_at: Utc | None = Field(description="Null while it lasts, and where its end was never told.")
    late: bool = Field(description="It was heard of too late to raise an alert.")

    @classmethod
    def of(cls, row: FaultRow) -> Self:
        meaning = meaning_of(row.source, row.code)
        return cls(
            number=row.number,
            device=DeviceName.of(row.device),
            source=row.source,
            code=row.code,
            kind=FaultKind(row.kind),
            severity=Severity(row.severity),
            title=Bilingual(zh=meaning.zh, en=meaning.en),
            raised_at=row.raised_at,
            cleared_at=row.cleared_at,
            late=row.late,
        )


class UnknownCode(BaseModel):
    """A code that a device sent and no code list knows: its fault is *other fault* until a list says more."""

    device: DeviceName
    source: str = Field(description="The code list that the device named.")
    known_list: bool = Field(description="Whether there is a list of that name; only this code is missing in it.")
    code: str
    episodes: int = Field(description="How many faults began with it; one told again before its end is the same.")
    first_seen_at: Utc
    last_seen_at: Utc = Field(description="When the newest of them began.")

    @classmethod
    def of(cls, row: UnknownCodeRow) -> Self:
        return cls(
            device=DeviceName.of(row.device),
            source=row.source,
            known_list=is_known_list(row.source),
            code=row.code,
            episodes=row.episodes,
            first_seen_at=row.first_seen_at,
            last_seen_at=row.last_seen_at,
        )


class UnknownCodes(BaseModel):
    """Codes that no list knows, the newest first (at most 1,000)."""

    codes: list[UnknownCode]


class LedgerDay(BaseModel):
    """How the messages of one community and UTC day ended.

    `received` = `stored` + `duplicate` + `rejected` + `in_flight`.
    """

    day: date
    community: str = Field(description="`-` where the topic named none, and for the 1,001st and later ones of a day.")
    received: int
    stored: int
    duplicate: int
    rejected: int
    in_flight: int = Field(description="Safe in the journal, not yet settled by the telemetry writer.")

    @classmethod
    def of(cls, row: LedgerEntry) -> Self:
        return cls(
            day=row.day,
            community=row.community,
            received=row.received,
            stored=row.stored,
            duplicate=row.duplicate,
            rejected=row.rejected,
            in_flight=row.in_flight,
        )


class ReaderPosition(BaseModel):
    """How far one reader of the journal has come."""

    reader: str
    position: int
    behind: int = Field(description="How many messages it has still to read.")


class Ledger(BaseModel):
    """The ledger, and how far the readers of the journal have come."""

    since: date
    days: list[LedgerDay]
    last_position: int = Field(description="The newest message in the journal.")
    readers: list[ReaderPosition]
    alerts_decided: ReaderPosition = Field(description="Up to where alerts have been decided and recorded.")


class Quarantined(BaseModel):
    """A message that could not be used, and why."""

    position: int
    received_at: Utc
    topic: str
    reason: str
    detail: str
    excerpt_text: str = Field(description="The beginning of the payload; bytes that are no UTF-8 are replaced.")
    excerpt_base64: str = Field(description="The same beginning, byte for byte.")

    @classmethod
    def of(cls, row: QuarantinedMessage) -> Self:
        return cls(
            position=row.position,
            received_at=row.received_at,
            topic=row.topic,
            reason=str(row.reason),
            detail=row.detail,
            excerpt_text=row.excerpt.decode("utf-8", "replace"),
            excerpt_base64=base64.b64encode(row.excerpt).decode(),
        )
