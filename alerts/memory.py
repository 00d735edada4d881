"""What the engine remembers between messages; serialised as MessagePack arrays, so fields are only ever appended."""

from datetime import datetime
from enum import IntEnum
from sys import intern

from msgspec import Struct, structs

from alerts.model import Severity
from core.devices import DeviceKey

Microseconds = int
"""An instant, counted from 1970-01-01T00:00:00Z; 0 stands for *never*."""


class Past(Struct, array_like=True):
    """What a device was like on the days before: one figure a day, and so much of today as that takes.

    What is gathered is packed; ``alerts.watches.windows`` reads it.
    """

    day: int = 0
    """The running day, counted from 1970-01-01 (UTC, ours)."""
    seen: int = 0
    """How many samples came today."""
    stride: int = 1
    """Of how many samples one is kept."""
    kept: bytes = b""
    """Their values."""
    days: bytes = b""
    """The medians of the days before, oldest first."""
    usual: float = 0.0
    """The median of those medians."""
    recent: bytes = b""
    """The newest values, which are compared with those days."""
    of: str = ""
    """What all this was measured of; so it can outlive a rule that is changed otherwise."""


class Leaf(Struct, array_like=True, gc=False):
    """The memory of one condition that holds no others, for one part of a device (a region, a door, or all of it).

    What is gathered is packed; ``alerts.watches.windows`` reads it. Most conditions gather nothing, and share that.
    """

    truth: bool = False
    """Whether the condition holds, everything considered."""
    raw: bool = False
    """What the newest message alone said."""
    flips_at: Microseconds = 0
    """When ``truth`` follows ``raw``, if no message says otherwise before."""
    value: float | bool | str | None = None
    """What the reason will speak of: the newest value, rate or event."""
    opened: bytes = b""
    """Events that hold the condition, by identity, with the instant at which each ends by itself."""
    changed_at: Microseconds = 0
    """Of an event, the device's own instant of the newest one taken; of *offline*, ours of the last one; of a signal
    that stands still, since when (ours); of a moment, when (ours) it last held; of a comparison, when (ours) that
    side's value came; of a stay, the device's own instant of its beginning."""
    window: bytes = b""
    """What it gathers, oldest first: samples of a rate or a change by the device's own time, of a ratio by ours; of a
    median, the newest values; of a count, when (ours) the events came; of a sequence, when what has gone so far began;
    of a stay, when it was last looked at; of a signal that stands still, how often the other has changed; of a rhythm,
    since when it is learned; of growth, both counters where the running sample began, and the newest of both."""
    inner: tuple["Leaf", ...] = ()
    """The memories of what belongs to this condition: its steps, both sides of a comparison, the second of a ratio or
    of a limit, what is asked of a median, the states that an event is asked after."""
    past: Past | None = None


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
    parts: dict[str, tuple[Leaf, ...]] = {}
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
    rises: bytes = b""
    """When it fired or stepped up (to which severity) within the last while, oldest first; read by ``alerts.steps``."""
    chattering: bool = False
    """While firing: it did so too often, and has to be quiet for a while before anything is believed to be over."""
    told: bytes = b""
    """While firing: the parts people know of, each with since when it is over, 0 while it is not."""
    joining: bytes = b""
    """While pending or firing: the parts people do not know of, each with since when it would raise the alert."""


def share(state: RuleState) -> None:
    """Let a state that was read share its texts with those of other devices, as it did before it was written."""
    state.shape = intern(state.shape)
    if (alert := state.alert) is not None:
        titles = {"title_zh": intern(alert.title_zh), "title_en": intern(alert.title_en)}
        state.alert = structs.replace(alert, **titles)
    for leaves in state.parts.values():
        for leaf in leaves:
            _share_leaf(leaf)


def _share_leaf(leaf: Leaf) -> None:
    if isinstance(leaf.value, str):
        leaf.value = intern(leaf.value)
    if leaf.past is not None:
        leaf.past.of = intern(leaf.past.of)
    for inner in leaf.inner:
        _share_leaf(inner)


class Heard(Struct, array_like=True):
    """When something was last heard of a device, by channel (ours, so that silence can be measured)."""

    anything: Microseconds
    telemetry: Microseconds
    event: Microseconds
    presence: Microseconds


class ClockTrack(Struct, array_like=True):
    """What ``alerts.clocks`` knows of a device's clock, while there is anything to know; a *lag* is ours minus its."""

    declared: bool = False
    """Whether the broker told of the last absence."""
    right: bool = False
    """Whether its clock was right since its return."""
    doubted_at: Microseconds = 0
    """When the first message came that may have been stored."""
    least_lag: Microseconds = 0
    """The least lag of those that may have been, each a step from the one before."""
    proven: bool = False
    """Whether it did store messages."""
    stored_until: Microseconds = 0
    """Until when that proof holds."""
    offline_at: Microseconds = 0
    """When the broker said that it is away, if it has not been heard since."""
    overtaken_at: Microseconds = 0
    """When the last message came that was older than a newer one, without being late."""
    overtaken_lag: Microseconds = 0
    measured: int = 0
    """How many messages agree about its clock."""
    measured_wrong: bool = False
    measured_lag: Microseconds = 0
    measured_since: Microseconds = 0
    wrong: Microseconds = 0
    """The lag of a clock that is steadily wrong; below zero: ahead."""
    by_arrival: Microseconds = 0
    """The lag of the newest message, where that was taken by its arrival."""
    before: dict[str, RuleState | None] = {}
    """What rules remembered before they took messages that are in doubt; ``None``: at rest."""
    wall_ahead: Microseconds = 0
    """How far our own wall clock was ahead of the steady one when its newest message came."""


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
    arrived: Microseconds = 0
    """When (ours) its newest message came, by the journal alone: unlike ``heard``, nothing else moves it."""
    gap_from: Microseconds = 0
    """When it was last heard before its last absence."""
    returned_until: Microseconds = 0
    """Until when messages may still be those it stored while it was away."""
    track: ClockTrack | None = None
    heard_position: int = 0
    """The journal position of its newest message; unlike ``position``, timers and other devices do not move it."""
    part_count: int = 0
    """How many parts of it the rule with the most remembered after that message."""


class Device(Struct):
    """A device as the steps see it: its key and what is remembered."""

    key: DeviceKey
    path: str
    state: DeviceState
    wall_ahead: Microseconds = 0
    """How far the wall clock, by which rules have hours, is ahead of the instants of the steps."""
