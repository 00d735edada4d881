"""What the records tell of the past: rows of devices, alerts, timelines and faults, and the filters on them.

They stand here, below `api` and `storage`, because both speak of them and neither may import the other.
"""

from datetime import datetime, timedelta

from msgspec import Struct

from core.devices import DeviceKey

# Ours: whoever is on duty once in a day sees it; later nobody could say whether the channel or the person is at fault.
ACKNOWLEDGED_WITHIN = timedelta(hours=24)


class DeviceRow(Struct, frozen=True):
    """A device as last seen; ``latest`` maps part or channel to signal to {"value", "at"}."""

    device: DeviceKey
    first_heard_at: datetime
    last_heard_at: datetime
    online: bool | None
    skew_seconds: float | None
    latest: dict[str, dict[str, dict[str, object]]]
    open_alerts: int


class PersonTestRow(Struct, frozen=True):
    """The newest weekly test that a person was sent, and what they said of it.

    ``acknowledged_by`` is the name behind a token, or the person's own where they followed the link in the test.
    """

    person: str
    sent_at: datetime
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether it should have been acknowledged by ``now``."""
        return self.acknowledged_at is None and now - self.sent_at > ACKNOWLEDGED_WITHIN


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
    latching: bool = False
    protected: bool = False
    reset_at: datetime | None = None
    reset_by: str | None = None
    assigned_to: str | None = None
    false_alarm_by: str | None = None
    """Who said that it was a false alarm, ``None`` while nobody did."""
    suppression: str | None = None
    """The code of the reason why people are not told, ``None`` where they are: ``silence``, ``inhibited``, …"""
    inhibited_by: str | None = None
    """The alert that stands for this one."""


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


class UnknownCodeRow(Struct, frozen=True):
    """A code that a device sent and no code list knows, with how often a fault began with it."""

    device: DeviceKey
    source: str
    code: str
    episodes: int
    first_seen_at: datetime
    last_seen_at: datetime


class AlertFilter(Struct, frozen=True):
    """Every field narrows; ``None`` does not. Times are half open: since <= fired_at < until.

    ``open`` asks for what still wants somebody: firing, latched, or over without having been acknowledged.
    """

    state: str | None = None
    open: bool | None = None
    assigned_to: str | None = None
    false_alarm: bool | None = None
    inhibited_by: str | None = None
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


class RuleRevisionRow(Struct, frozen=True):
    """One version of a rule that people keep through the API. ``number`` rises with every change of any rule."""

    number: int
    rule: str
    revision: int
    """From 1, by rule."""
    text: str
    """The rule as YAML: one entry of the list ``rules`` of a rule file."""
    enabled: bool
    author: str
    comment: str
    at: datetime


class RotaOverrideRow(Struct, frozen=True):
    """Somebody stands in for whoever the rota names: ``person`` is on duty from ``starts_at`` until ``ends_at``."""

    id: str
    rota: str
    person: str
    starts_at: datetime
    ends_at: datetime
    author: str
    created_at: datetime


class NotifiedRow(Struct, frozen=True):
    """That somebody was to be told: one row of the outbox, in few words. For figures of alarm quality."""

    person: str | None
    receiver: str
    community: str
    severity: str
    purpose: str
    created_at: datetime
    finished_at: datetime | None
    status: str
