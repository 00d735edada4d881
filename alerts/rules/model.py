"""Rules as they are written down: plain structs, one for each kind of condition."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from alerts.model import Severity
from alerts.rules.durations import Duration
from alerts.rules.series import RuleTest
from core.devices import Channel, DeviceKind
from core.faults import FaultKind, FaultSeverity

RuleId = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")]
SignalName = Annotated[str, Meta(min_length=1, max_length=64)]
EventName = Annotated[str, Meta(min_length=1, max_length=64)]
Sentence = Annotated[str, Meta(min_length=1, max_length=200)]
Scalar = bool | int | float | str


class _Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """An unknown key is a mistake in the file, not something to pass over."""


class _Condition(_Strict, frozen=True, tag_field="kind"):
    """What all conditions share: the key ``kind`` tells them apart."""


class Text(_Strict, frozen=True):
    """A sentence for people, in both languages."""

    zh: Sentence
    en: Sentence


class Threshold(_Condition, frozen=True, tag="threshold"):
    """``signal`` is above (or below) a value; over again only at or beyond ``clear``, so that noise does not flap.

    With ``confirm`` a change of the answer, either way, counts only after it has lasted that long.
    """

    signal: SignalName
    above: float | None = None
    below: float | None = None
    clear: float | None = None
    confirm: Duration | None = None


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
    are over. ``where`` compares further fields of the event, such as ``level``.
    """

    types: Annotated[list[EventName], Meta(min_length=1)]
    clears_on: list[EventName] = []
    resolve_after: Duration | None = None
    severities: list[FaultSeverity] = []
    kinds: list[FaultKind] = []
    not_kinds: list[FaultKind] = []
    where: dict[str, Scalar] = {}


class Missing(_Condition, frozen=True, tag="missing"):
    """Nothing was heard for ``nothing_for`` (on ``channel``, or on any), or *offline* has stood for ``offline_for``."""

    nothing_for: Duration | None = None
    channel: Channel | None = None
    offline_for: Duration | None = None


class Rate(_Condition, frozen=True, tag="rate"):
    """``signal`` rises by more than ``above`` per minute, measured over ``window``; over at or under ``clear``.

    The window must hold samples that are at least half of it apart; so it should be four sampling intervals or more.
    """

    signal: SignalName
    above: Annotated[float, Meta(gt=0)]
    window: Duration
    clear: Annotated[float, Meta(gt=0)] | None = None


class AllOf(_Condition, frozen=True, tag="all_of"):
    """All of these hold together; of a camera's regions or a gate's doors, in the same one."""

    of: Annotated[list["Condition"], Meta(min_length=2, max_length=16)]


class AnyOf(_Condition, frozen=True, tag="any_of"):
    """At least one of these holds."""

    of: Annotated[list["Condition"], Meta(min_length=2, max_length=16)]


Condition = Threshold | State | EventSeen | Missing | Rate | AllOf | AnyOf


class Rule(_Strict, frozen=True):
    """When to raise an alert about devices of one kind, what to call it, and what to do first.

    The alert is *pending* from the instant ``condition`` holds and *fires* when it has held for ``for``; while
    ``at_once`` holds it fires without waiting. It is resolved when neither has held for ``hold``, or, where
    ``clears_when`` is given, when that holds. ``late: accept`` lets events up to ``max_late`` old raise it as well.
    """

    id: RuleId
    kind: DeviceKind
    severity: Severity
    title: Text
    next_step: Text
    condition: Condition
    lasting: Duration | None = field(name="for", default=None)
    at_once: Condition | None = None
    clears_when: Condition | None = None
    hold: Duration | None = None
    late: Literal["ignore", "accept"] = "ignore"
    max_late: Duration | None = None


class RuleFile(_Strict, frozen=True):
    """A whole rule file: rules, and the series they are tested with (``anju rules test``)."""

    version: Literal[1]
    rules: list[Rule]
    tests: list[RuleTest] = []
