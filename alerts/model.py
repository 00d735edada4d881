"""What the engine decides: alerts, the transitions of their lives, fault episodes and device sightings."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from core.devices import DeviceKey


class Severity(StrEnum):
    """How much it matters, the worst first."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    INFO = "info"


class AlertState(StrEnum):
    """Whether the condition holds. *Acknowledged* is a separate memory: an instant and a name on the alert.

    *Latched*: what raised it is over, but the rule asks that a person resets it. An alert that is over and was never
    acknowledged (*returned unacknowledged* in ISA-18.2) is ``resolved`` without an acknowledgement.
    """

    FIRING = "firing"
    LATCHED = "latched"
    RESOLVED = "resolved"


class TransitionKind(StrEnum):
    """One step of a timeline. The first five are the engine's, then what people do, then what telling them came to."""

    PENDING = "pending"
    FIRING = "firing"
    SEVERITY_CHANGED = "severity_changed"
    """Up or down on the same alert; ``severity`` is the new one, the fact ``from`` the one before."""
    REPEATED = "repeated"
    """What raised it has happened again, or in another part of the device; whoever acknowledged it did so before."""
    RESOLVED = "resolved"

    ACKNOWLEDGED = "acknowledged"
    COMMENTED = "commented"
    ASSIGNED = "assigned"
    RESET = "reset"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    MARKED_FALSE = "marked_false"
    UNMARKED_FALSE = "unmarked_false"

    NOTIFIED = "notified"
    SUPPRESSED = "suppressed"
    UNDELIVERED = "undelivered"


# What the notification desk writes itself, and therefore does not read back.
DESK_KINDS = frozenset({TransitionKind.NOTIFIED, TransitionKind.SUPPRESSED, TransitionKind.UNDELIVERED})


class Reason(Struct, frozen=True):
    """Why a transition happened: a stable ``code``, one sentence for people in both languages, and the facts."""

    code: str
    zh: str
    en: str
    facts: dict[str, str | float | int | bool] = {}


class Transition(Struct, frozen=True):
    """One step in an alert's life, written once.

    ``alert_id`` is drawn from (rule, device, ``pending_since`` and the journal position then), so that replaying the
    journal names the same alert the same way (decision 0005). ``at`` is the engine's instant: when the message arrived,
    or when a timer ran out.
    """

    alert_id: str
    rule: str
    severity: Severity
    device: DeviceKey
    kind: TransitionKind
    at: datetime
    pending_since: datetime
    reason: Reason
    position: int
    """The journal position of the message that caused it (for a timer: the last message before it)."""
    title_zh: str = ""
    title_en: str = ""
    latching: bool = False
    """Of the rule: when the condition is over, the alert stays *latched* until a person resets it."""
    protected: bool = False
    """Of the rule: never silenced, shelved, inhibited, held back or digested (fire, a pressed alarm button)."""
    maintenance: bool = False
    """Of the rule: while this alert fires, its device is in maintenance, which suppresses its other alerts."""


def stamped(transitions: Sequence[Transition], ahead: timedelta) -> list[Transition]:
    """Return ``transitions`` with instants by a clock that is ``ahead`` of the one they were decided by."""
    if not ahead:
        return list(transitions)
    return [replace(each, at=each.at + ahead, pending_since=each.pending_since + ahead) for each in transitions]


class FaultRaised(Struct, frozen=True):
    """A fault began. Identity of the episode: (device, source, code, raised_at); raising it again changes nothing."""

    device: DeviceKey
    source: str
    code: str
    kind: str
    severity: Severity
    raised_at: datetime
    late: bool


class FaultCleared(Struct, frozen=True):
    """A fault ended: closes the newest open episode of (device, source, code) raised at or before ``cleared_at``.

    Without a ``code``, no fault of the list ``source`` stands any more: closes all open ones of the device.
    """

    device: DeviceKey
    source: str
    code: str | None
    cleared_at: datetime


class DeviceSighting(Struct, frozen=True):
    """What is known of a device now; ``latest`` is JSON: channel or part, then signal, then {value, at}."""

    device: DeviceKey
    last_heard_at: datetime
    online: bool | None
    skew: timedelta | None
    latest: bytes


class Commit(Struct, frozen=True):
    """All that follows from the journal up to ``position``; the records store takes it in one transaction."""

    position: int
    previous_position: int
    """Where the committer believes the records stand; any other value there means a second engine (`Fenced`)."""
    states: dict[str, bytes | None]
    """Engine state by device path, opaque; ``None`` deletes."""
    transitions: list[Transition]
    faults: list[FaultRaised | FaultCleared]
    sightings: list[DeviceSighting]
    forgotten: list[DeviceKey] = []
    """Devices whose sightings are deleted; those of ``sightings`` that are among them were heard anew since."""


class Snapshot(Struct, frozen=True):
    """What the engine needs to go on where it stopped."""

    position: int
    states: dict[str, bytes]
