"""What the notification desk reads and what it decides."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from alerts.matchers import Matcher
from alerts.model import Reason, Severity, Transition, TransitionKind
from core.devices import DeviceKey


class Told(Struct, frozen=True):
    """One step of a timeline as the desk reads it, in the order of commits, with what the alert is beside it."""

    sequence: int
    alert_id: str
    rule: str
    severity: Severity
    device: DeviceKey
    kind: TransitionKind
    at: datetime
    recorded_at: datetime
    """The desk's time: everything due before it happens first."""
    actor: str | None
    reason: Reason
    title_zh: str
    title_en: str
    fired_at: datetime
    latching: bool = False
    protected: bool = False
    maintenance: bool = False


class SuppressionKind(StrEnum):
    """Why people are not told. A *silence* is for whatever matches, *maintenance* for devices that are worked on,

    *shelved* is one rule on one device, put aside by the person who saw it.
    """

    SILENCE = "silence"
    MAINTENANCE = "maintenance"
    SHELVED = "shelved"


class Suppression(Struct, frozen=True):
    """From ``starts_at`` until before ``ends_at`` people are not told of alerts that match; the record goes on.

    Protected alerts are told all the same. ``ended_at`` is set where a person ended it before its time.
    """

    id: str
    kind: SuppressionKind
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    reason: str
    author: str
    created_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None


class Purpose(StrEnum):
    """What a notification is for."""

    FIRING = "firing"
    UPDATE = "update"
    """Alerts joined the incident, left it, or changed their severity."""
    ESCALATION = "escalation"
    """Nobody has acknowledged: the next step of the ladder."""
    REMINDER = "reminder"
    UNATTENDED = "unattended"
    """Acknowledged, and then left alone too long."""
    RESOLVED = "resolved"
    DIGEST = "digest"
    """A flood: what was held back, together."""
    TEST = "test"
    CALL = "call"
    """Somebody calls for help, or what has come of it: speaks of no alert, carries a `CallPage`."""


class CallWords(Struct, frozen=True):
    """A page of a call in one language: a title of one line, a body of several, and all of it as one SMS."""

    title: str
    body: str
    short: str


class CallPage(Struct, frozen=True):
    """What is told of an emergency call, in words that were found where the call is known."""

    call: str
    kind: str
    """Why it is told: ``call`` (please take it), ``dispatch``, ``update``, ``half_time``, ``overdue``, …."""
    drill: bool
    zh: CallWords
    en: CallWords
    facts: dict[str, str | float | int | bool | None] = {}
    """For machines: lift, place, rescue code, state, phones."""


class AlertBrief(Struct, frozen=True):
    """An alert as a notification speaks of it."""

    id: str
    rule: str
    severity: Severity
    device: DeviceKey
    place_zh: str
    place_en: str
    title_zh: str
    title_en: str
    reason_zh: str
    reason_en: str
    next_step_zh: str
    next_step_en: str
    fired_at: datetime
    resolved_at: datetime | None = None
    acknowledged_by: str | None = None
    hanging: tuple[str, ...] = ()
    """Paths of the devices whose alerts this one stands for (inhibited by it)."""
    happened_at: datetime | None = None
    """Of what arrived late: when it happened, by the device; ``fired_at`` is when it was told."""


class Intent(Struct, frozen=True):
    """That ``receiver`` is to be told something: one row of the outbox, written with the step it follows from.

    ``id`` is drawn from its cause (incident, occasion, receiver), so the same decision made again is the same row: it
    is the idempotency key that receivers see. ``incident`` is the line in which order is kept: what one receiver is
    told of one incident arrives in the order decided.
    """

    id: str
    incident: str
    version: int
    """Rises with each thing said of the incident: a receiver that can, replaces what it showed before."""
    receiver: str
    purpose: Purpose
    severity: Severity
    at: datetime
    step: int
    """Of the ladder, from 0."""
    community: str
    alerts: tuple[AlertBrief, ...]
    """At most 50, the worst and newest first; ``count`` says how many there are."""
    count: int
    person: str | None = None
    """Who is meant, where a rota or a person was named; ``None`` for a receiver named itself."""
    call: CallPage | None = None
    """What is told of an emergency call: with `Purpose.CALL` and only there. ``incident`` is the call then."""
    confirm: str = ""
    """The link by which whoever gets it answers: that a weekly test arrived, or whether they come to a call.

    It is put in where the intent leaves, and kept nowhere.
    """


class TimelineNote(Struct, frozen=True):
    """What the desk writes into the timeline of an alert: notified, suppressed, undelivered, with the reason."""

    alert_id: str
    kind: TransitionKind
    at: datetime
    reason: Reason


class DeskCommit(Struct, frozen=True):
    """All that follows from the timelines up to ``sequence``; stored in one transaction."""

    sequence: int
    previous_sequence: int
    """Where the committer believes the records stand; any other value there means a second desk (`Fenced`)."""
    states: dict[str, bytes | None]
    """The desk's memory by key, opaque; ``None`` deletes."""
    intents: list[Intent]
    notes: list[TimelineNote]
    transitions: list[Transition]
    """Of the desk's own alerts, about Anju itself: a receiver that cannot be reached, a broker that is away."""


class DeskSnapshot(Struct, frozen=True):
    """What the desk needs to go on where it stopped."""

    sequence: int
    states: dict[str, bytes]


class OutboxStatus(StrEnum):
    """How delivering stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up: refused for good, or tried for as long as the message made sense."""


# Ours. Given up means tried for a day; people want to know sooner that a receiver cannot be reached.
UNREACHABLE_AFTER = timedelta(minutes=10)


class OutboxEntry(Struct, frozen=True):
    """One row of the outbox. ``next_attempt_at`` is an instant of the steady clock (`core.clock`)."""

    number: int
    intent: Intent
    status: OutboxStatus
    attempts: int
    next_attempt_at: datetime
    created_at: datetime
    finished_at: datetime | None = None
    detail: str = ""
    """The last error, or what the receiver answered."""
    created_ahead: timedelta = timedelta(0)
    """How far the wall clock, which stamped ``created_at``, was ahead of the steady one then."""

    @property
    def waiting_since(self) -> datetime:
        """When it came in, by the steady clock."""
        return self.created_at - self.created_ahead
