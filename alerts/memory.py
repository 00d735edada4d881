"""What the engine remembers between messages; serialised as MessagePack arrays, so fields are only ever appended."""

from datetime import datetime
from enum import IntEnum

from msgspec import Struct

from alerts.model import Severity
from core.devices import DeviceKey

Microseconds = int
"""An instant, counted from 1970-01-01T00:00:00Z; 0 stands for *never*."""


class Past(Struct, array_like=True):
    """What a device was like on the days before: one figure a day, and so much of today as that takes."""

    day: int = 0
    """The running day, counted from 1970-01-01 (UTC, ours)."""
    seen: int = 0
    """How many samples came today."""
    stride: int = 1
    """Of how many samples one is kept."""
    kept: list[float] = []
    days: list[tuple[int, float]] = []
    """The medians of the days before, oldest first."""
    usual: float = 0.0
    """The median of those medians."""
    recent: list[float] = []
    """The newest samples, which are compared with those days."""
    of: str = ""
    """What all this was measured of; so it can outlive a rule that is changed otherwise."""


class Leaf(Struct, array_like=True, gc=False):
    """The memory of one condition that holds no others, for one part of a device (a region, a door, or all of it)."""

    truth: bool = False
    """Whether the condition holds, everything considered."""
    raw: bool = False
    """What the newest message alone said."""
    flips_at: Microseconds = 0
    """When ``truth`` follows ``raw``, if no message says otherwise before."""
    value: float | bool | str | None = None
    """What the reason will speak of: the newest value, rate or event."""
    opened: dict[str, Microseconds] = {}
    """Events that hold the condition, by identity, with the instant at which each ends by itself."""
    changed_at: Microseconds = 0
    """The device's own instant of the newest event taken, or ours of the last *offline*."""
    samples: list[tuple[Microseconds, float]] = []
    """The values of the window, oldest first: of a rate by the device's own time, of a ratio by ours."""
    others: list[tuple[Microseconds, float]] = []
    """The same of the second signal of a ratio."""
    instants: list[Microseconds] = []
    """Ours: when the events that are counted came, oldest first; of a sequence, when what has gone so far began."""
    inner: list["Leaf"] = []
    """The memories of what belongs to this condition: its steps, or both sides of a comparison."""
    past: Past | None = None


# Most conditions keep no events and no samples. An empty container of their own would be most of what they take, so
# they share these; nobody writes to them, because only a watch that asked for its own does.
NO_EVENTS: dict[str, Microseconds] = {}
NO_SAMPLES: list[tuple[Microseconds, float]] = []
NO_INSTANTS: list[Microseconds] = []
NO_LEAVES: list[Leaf] = []


def slim_leaf(
    *,
    truth: bool = False,
    raw: bool = False,
    value: float | bool | str | None = None,
    opened: dict[str, Microseconds] = NO_EVENTS,
    samples: list[tuple[Microseconds, float]] = NO_SAMPLES,
    others: list[tuple[Microseconds, float]] = NO_SAMPLES,
    inner: list[Leaf] = NO_LEAVES,
    past: Past | None = None,
) -> Leaf:
    """Return a leaf whose empty containers are shared, except those that are given."""
    return Leaf(truth, raw, 0, value, opened, 0, samples, others, NO_INSTANTS, inner, past)


def slim(leaf: Leaf, like: Leaf) -> None:
    """Let ``leaf``, as it was read, share its empty containers where ``like`` does."""
    for name, shared in _SHARED:
        if getattr(like, name) is shared and not getattr(leaf, name):
            setattr(leaf, name, shared)
    for inner, inner_like in zip(leaf.inner, like.inner, strict=True):
        slim(inner, inner_like)


_SHARED = (
    ("opened", NO_EVENTS),
    ("samples", NO_SAMPLES),
    ("others", NO_SAMPLES),
    ("instants", NO_INSTANTS),
    ("inner", NO_LEAVES),
)


class Phase(IntEnum):
    """Where an alert's life stands."""

    IDLE = 0
    PENDING = 1
    FIRING = 2


class OpenAlert(Struct, array_like=True, frozen=True):
    """What must be known of an alert to end it, even when its rule is gone."""

    id: str
    severity: Severity
    title_zh: str
    title_en: str
    latching: bool = False
    protected: bool = False
    maintenance: bool = False


class RuleState(Struct, array_like=True):
    """One rule on one device. ``shape`` names the rule's conditions, so that memories of others are not taken over."""

    shape: str
    parts: dict[str, list[Leaf]] = {}
    phase: Phase = Phase.IDLE
    since: Microseconds = 0
    """When it became pending; identity of the alert."""
    since_position: int = 0
    over_since: Microseconds = 0
    """While firing: since when the condition no longer holds, 0 while it does."""
    part: str = ""
    """The part that made it pending."""
    alert: OpenAlert | None = None
    lower_since: Microseconds = 0
    """While firing: since when a lower severity would do, 0 while it would not."""
    rises: list[tuple[Microseconds, str]] = []
    """When it fired (``""``) or stepped up (to which severity) within the last while, oldest first."""
    chattering: bool = False
    """While firing: it did so too often, and has to be quiet for a while before anything is believed to be over."""


class Heard(Struct, array_like=True):
    """When something was last heard of a device, by channel (ours, so that silence can be measured)."""

    anything: Microseconds
    telemetry: Microseconds
    event: Microseconds
    presence: Microseconds


class DeviceState(Struct, array_like=True):
    """All the engine remembers of one device."""

    clock: Microseconds
    """The instant up to which everything has been decided."""
    position: int
    heard: Heard
    newest_telemetry: datetime | None = None
    newest_event: datetime | None = None
    rules: dict[str, RuleState] = {}
    """By id, those rules that remember something that ``latest`` does not tell; all others are at rest."""
    latest: dict[str, bool | int | float | str] = {}
    """Of a lift, the newest value of every signal that a rule on watch compares."""
    retired: bool = False
    """Whether the device was out of service when this was written: its silence then proves nothing later."""


class Device(Struct):
    """A device as the steps see it: its key and what is remembered."""

    key: DeviceKey
    path: str
    state: DeviceState
