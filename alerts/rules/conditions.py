"""The conditions of rules as they are written down: plain structs, one for each kind."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from core.devices import Channel
from core.durations import Duration
from core.faults import FaultKind, FaultSeverity

SignalName = Annotated[str, Meta(min_length=1, max_length=64)]
EventName = Annotated[str, Meta(min_length=1, max_length=64)]
ATTRIBUTE_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"
AttributeName = Annotated[str, Meta(pattern=ATTRIBUTE_PATTERN)]
DEVICE_PATTERN = r"^[a-z0-9-]{1,64}$"
DeviceName = Annotated[str, Meta(pattern=DEVICE_PATTERN)]
Scalar = bool | int | float | str
MedianOf = Literal[3, 5, 7]
"""Of how many values the median is taken: an odd number, so that it is one of them."""


class _Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """An unknown key is a mistake in the file, not something to pass over."""


class _Condition(_Strict, frozen=True, tag_field="kind"):
    """What all conditions share: the key ``kind`` tells them apart."""


class Reference(_Strict, frozen=True):
    """A figure of each device: ``attribute`` or ``signal``, times ``times``, plus ``plus``.

    An ``attribute`` is kept of the device, such as its rated load; a ``signal`` is another one that it sends, whose
    newest value counts; it is for thresholds. ``otherwise`` stands for all of it on a device of which that figure is
    not known; without it, a rule says nothing about such a device, a threshold nothing before the signal was sent.
    """

    attribute: AttributeName | None = None
    signal: SignalName | None = None
    times: float = 1.0
    plus: float = 0.0
    otherwise: float | None = None


Limit = float | Reference
"""A number, or one that hangs on the device."""


class Events(_Strict, frozen=True):
    """Which events: those of ``types``; of faults, by severity and kind; ``where`` compares further fields."""

    types: Annotated[list[EventName], Meta(min_length=1)]
    severities: list[FaultSeverity] = []
    kinds: list[FaultKind] = []
    not_kinds: list[FaultKind] = []
    where: dict[str, Scalar] = {}


class Stay(_Strict, frozen=True):
    """How long ``signal`` stays within ``values``: a sample each time it ends, in seconds of the device's own time."""

    signal: SignalName
    values: Annotated[list[Scalar], Meta(min_length=1, max_length=16)]


class Growth(_Strict, frozen=True):
    """By how much the counter ``signal`` grows for each one that ``per`` grows.

    There is a sample each time ``per`` has grown by ``each``.

    A counter that falls was reset or belongs to a new controller: what had grown until then is left out.
    """

    signal: SignalName
    per: SignalName
    each: Annotated[int, Meta(ge=1, le=10_000)]


class Threshold(_Condition, frozen=True, tag="threshold"):
    """``signal`` is above (or below) a value; over again only at or beyond ``clear``, so that noise does not flap.

    With ``confirm`` a change of the answer, either way, counts only after it has lasted that long. With ``median_of``
    the median of that many newest values is looked at, so that a single wrong one changes nothing.
    """

    signal: SignalName
    above: Limit | None = None
    below: Limit | None = None
    clear: Limit | None = None
    confirm: Duration | None = None
    median_of: MedianOf | None = None


class State(_Condition, frozen=True, tag="state"):
    """``signal`` equals a value, is one of ``in``, or is none of ``not_in`` (true also while it was never sent)."""

    signal: SignalName
    equals: Scalar | None = None
    one_of: Annotated[list[Scalar], Meta(min_length=1)] | None = field(name="in", default=None)
    none_of: Annotated[list[Scalar], Meta(min_length=1)] | None = field(name="not_in", default=None)
    confirm: Duration | None = None


class EventSeen(_Condition, frozen=True, tag="event"):
    """One of ``types`` happened, until one of ``clears_on`` does or ``resolve_after`` has passed since the last time.

    Faults are counted one by one by (source, code), camera episodes by their id: the condition holds until all of them
    are over. ``where`` compares further fields of the event, such as ``level``. With ``repeat_after``, one that comes
    when none came for that long is told as happening again, and asks for a new acknowledgement.

    With ``while`` only those count that come while that state holds, whatever becomes of it later. Once ``until``
    holds, all of them are over, and none counts while it does. A late event is not asked for either: how things were at
    its instant is not known. One that comes seconds out of order is asked after what is known by then.
    """

    types: Annotated[list[EventName], Meta(min_length=1)]
    clears_on: list[EventName] = []
    resolve_after: Duration | None = None
    repeat_after: Duration | None = None
    severities: list[FaultSeverity] = []
    kinds: list[FaultKind] = []
    not_kinds: list[FaultKind] = []
    where: dict[str, Scalar] = {}
    meanwhile: State | None = field(name="while", default=None)
    until: State | None = None


class Rhythm(_Strict, frozen=True):
    """How long a device is silent at most that sends when something changes: ``times`` its usual longest silence.

    It is never less than ``nothing_for``, and ``at_most`` that long; so long too while its first day is learned.
    """

    times: Annotated[float, Meta(ge=1, le=100)]
    at_most: Duration


class Missing(_Condition, frozen=True, tag="missing"):
    """Nothing was heard for ``nothing_for`` (on ``channel``, or on any), or *offline* has stood for ``offline_for``.

    With ``types``, no event of these was heard for ``nothing_for``, whatever else was; of a device that is new, or a
    rule that is, it counts from then, with ``once_heard`` from the first of these on only. Late events count by the
    device's own time. With ``rhythm`` a device is given longer than ``nothing_for`` where it is usually silent for
    longer.
    """

    nothing_for: Duration | None = None
    channel: Channel | None = None
    types: list[EventName] = []
    offline_for: Duration | None = None
    rhythm: Rhythm | None = None
    once_heard: bool = False


class Rate(_Condition, frozen=True, tag="rate"):
    """``signal`` rises by more than ``above`` per minute, measured over ``window``; over at or under ``clear``.

    The window must hold samples that are at least half of it apart; so it should be four sampling intervals or more.
    ``median_of`` is as for a threshold. With ``confirm`` a change of the answer counts with the first value that finds
    it to have lasted that long: longer than the window, a single step has left the window by then.
    """

    signal: SignalName
    above: Limit
    window: Duration
    clear: Limit | None = None
    median_of: MedianOf | None = None
    confirm: Duration | None = None


class Change(_Condition, frozen=True, tag="change"):
    """``signal`` has risen by ``rises_by`` or more (fallen by ``falls_by``) ``within`` a time; over below ``clear``.

    The newest value is compared with the lowest (highest) of the time before it, however little of that is known: a
    change counts at once, and what has stood for longer than ``within`` is no change any more. ``median_of`` is as for
    a threshold. With ``by: any`` it, or one of the signals in ``or``, has taken another value, of whatever type; the
    first value ever is no change.
    """

    signal: SignalName
    within: Duration | None = None
    rises_by: Limit | None = None
    falls_by: Limit | None = None
    by: Literal["any"] | None = None
    others: Annotated[list[SignalName], Meta(max_length=8)] = field(name="or", default=[])
    clear: Limit | None = None
    median_of: MedianOf | None = None


class Count(_Condition, frozen=True, tag="count"):
    """At least ``at_least`` of the events ``of`` came within ``within``; over with fewer than ``clear_below`` in it.

    A fault that is told again before it was cleared is the same one and counts once; so does an episode of a camera.
    Because the end of a fault sometimes never comes, it counts anew when it was not told for ``repeat_after``, which is
    5m where it is left out.
    """

    of: Events
    at_least: Annotated[int, Meta(ge=2, le=100)]
    within: Duration
    clear_below: Annotated[int, Meta(ge=1, le=100)] | None = None
    repeat_after: Duration | None = None


class Ratio(_Condition, frozen=True, tag="ratio"):
    """The counter ``signal`` grows by more than ``above`` for each one that the counter ``per`` grows, over ``within``.

    It says nothing until ``signal`` has grown by ``at_least``; where ``per`` has not grown, it counts as one. A counter
    that falls was reset or belongs to a new controller: the window begins anew.
    """

    signal: SignalName
    per: SignalName
    above: Limit
    within: Duration
    at_least: Annotated[float, Meta(gt=0)]
    clear: Limit | None = None


Moment = Threshold | State | EventSeen | Change
"""What can be a step of a sequence, happen together with others or be remembered; an event is the instant it comes.

A change is one ``by: any``, without ``within``: the instant it comes, as an event.
"""


class Sequence(_Condition, frozen=True, tag="sequence"):
    """``steps`` came in this order, each by a message of its own, the last at most ``within`` after the first.

    A signal takes its step when it becomes true. An event of a type in ``without`` undoes the steps taken before it.
    Once complete, it holds for ``hold_for``; completed again, it holds for as long again.
    """

    steps: Annotated[list[Moment], Meta(min_length=2, max_length=8)]
    within: Duration
    without: list[EventName] = []
    hold_for: Duration = "5m"


class Together(_Condition, frozen=True, tag="together"):
    """Each condition in ``of`` has held at some moment within the last ``within``, whichever message told it."""

    of: Annotated[list[Moment], Meta(min_length=2, max_length=8)]
    within: Duration


class Since(_Condition, frozen=True, tag="since"):
    """``after`` has held at some moment since ``until`` last did; while ``until`` holds it is false.

    It is false too while neither was seen. A message that makes both true counts as ``until``; so the car has moved
    ``after`` the floor changed, ``until`` a counter of the door did.
    """

    after: Moment
    until: Moment


class Unchanged(_Condition, frozen=True, tag="unchanged"):
    """``signal`` stands still while the signal ``while_changes`` was seen to change ``at_least`` times.

    With ``equals`` only that value counts. With ``for`` it must have stood for that long too. It holds until ``signal``
    changes: a sensor that says the same over many trips is stuck. A counter that grows by several within one message
    changes once.
    """

    signal: SignalName
    while_changes: SignalName
    at_least: Annotated[int, Meta(ge=2, le=10_000)]
    equals: Scalar | None = None
    lasting: Duration | None = field(name="for", default=None)


class Compare(_Condition, frozen=True, tag="compare"):
    """A device beside its own past, or beside another of its kind (``with``).

    What is compared is ``signal``, ``duration_of`` or ``growth_of``; of the past, the median of the last ``over``
    samples against the median of the daily medians of the last ``past`` (UTC days, today left out), once there are
    ``at_least_days``. It holds when that is above (below) so many times the other value, or above (below) it by so
    much; over again at ``clear``, in the same terms. Of another device's regions the one counts that is nearest to
    raising nothing. What is older than ``stale_after``, on either side, is compared no more: the answer stays as it is.

    With ``by_hour`` it is compared with how high (low) it usually gets at the same hour of day; before that hour was
    seen on ``at_least_days`` the answer is ``until_learned``, false where that is left out.
    """

    signal: SignalName | None = None
    duration_of: Stay | None = None
    growth_of: Growth | None = None
    past: Duration | None = None
    peer: DeviceName | None = field(name="with", default=None)
    above_times: Limit | None = None
    below_times: Limit | None = None
    above_by: Limit | None = None
    below_by: Limit | None = None
    clear: Limit | None = None
    at_least_days: Annotated[int, Meta(ge=1, le=60)] | None = None
    over: Annotated[int, Meta(ge=1, le=25)] | None = None
    by_hour: bool = False
    until_learned: bool | None = None
    stale_after: Duration | None = None


class AllOf(_Condition, frozen=True, tag="all_of"):
    """All of these hold together; of a camera's regions or a gate's doors, in the same one."""

    of: Annotated[list["Condition"], Meta(min_length=2, max_length=16)]


class AnyOf(_Condition, frozen=True, tag="any_of"):
    """At least one of these holds."""

    of: Annotated[list["Condition"], Meta(min_length=2, max_length=16)]


class NoneOf(_Condition, frozen=True, tag="none_of"):
    """None of these holds; it is true also of what was never sent."""

    of: Annotated[list["Condition"], Meta(min_length=1, max_length=16)]


Single = (
    Threshold
    | State
    | EventSeen
    | Missing
    | Rate
    | Change
    | Count
    | Ratio
    | Sequence
    | Together
    | Since
    | Unchanged
    | Compare
)
"""A condition that is watched as one, whatever it looks at."""
Condition = Single | AllOf | AnyOf | NoneOf
