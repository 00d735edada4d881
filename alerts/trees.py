"""Rules made ready to run: conditions become watches in one row, and closures that combine their answers."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from alerts.inventory import DeviceFacts
from alerts.memory import Leaf
from alerts.model import Severity
from alerts.policy import Policy
from alerts.rules.conditions import (
    AllOf,
    AnyOf,
    Change,
    Compare,
    Condition,
    Count,
    EventSeen,
    Missing,
    NoneOf,
    Rate,
    Ratio,
    Sequence,
    Since,
    Single,
    State,
    Threshold,
    Together,
    Unchanged,
)
from alerts.rules.model import Rule
from alerts.rules.signals import signals_of
from alerts.watches.comparisons import GrowthWatch, PastWatch, PeerWatch
from alerts.watches.counts import CountWatch, RatioWatch
from alerts.watches.happenings import EventWatch
from alerts.watches.hours import HourWatch
from alerts.watches.limits import Figure, UnknownFigure, figures
from alerts.watches.margins import MarginWatch, other_signal
from alerts.watches.medians import MedianWatch
from alerts.watches.readings import (
    ChangeWatch,
    RateWatch,
    SignalWatch,
    ValueChangeWatch,
    state_watch,
    threshold_watch,
)
from alerts.watches.sequences import SequenceWatch, SinceWatch, TogetherWatch
from alerts.watches.silence import AbsenceWatch, RhythmWatch, SilenceWatch
from alerts.watches.unchanged import UnchangedWatch
from alerts.watches.watch import Repeating, Watch
from alerts.watches.windows import standing
from core.devices import Channel, DeviceKind

# Beside other conditions, what these did not see is no part of the reason.
_EXCEPTED = EventWatch | CountWatch | ValueChangeWatch | UnchangedWatch | SilenceWatch
_WITH_PARTS = frozenset({DeviceKind.GATE, DeviceKind.THERMAL})
_WORST_FIRST = list(Severity)
# Keys that conditions were given after memories of them had been written, and what they are where they are left out.
_LATER: dict[str, Any] = {
    "median_of": None,
    "rhythm": None,
    "by_hour": False,
    "until_learned": None,
    "by": None,
    "or": [],
    "while": None,
    "until": None,
    "once_heard": False,
    "growth_of": None,
}
Leaves = tuple[Leaf, ...]
"""The memories of a rule's watches for one part of a device, in the order of the watches."""
Truth = Callable[[Leaves], bool]
Because = Callable[[Leaves], list[int]]
"""Which watches make it true, by index; empty where it is not."""


LATE_SUFFIX = "~late"
"""Ends the key of a rule's twin (`alerts.late`); no rule id contains it."""


def rule_of(key: str) -> str:
    """Return the id of the rule whose state, or whose twin's, stands under ``key``."""
    return key.removesuffix(LATE_SUFFIX)


class Tree:
    """One condition of a rule: whether it holds, because of what, and which watches it hangs on at all.

    ``excepts`` marks one that says only that events did not happen: beside other conditions the reason leaves it out.
    """

    def __init__(self, truth: Truth, because: Because, indexes: list[int], *, excepts: bool = False) -> None:
        self.truth = truth
        self.because = because
        self.indexes = indexes
        self.excepts = excepts


_FACTS = DeviceFacts()
_NEVER = Tree(truth=lambda _leaves: False, because=lambda _leaves: [], indexes=[])


class CompiledRule:
    """A rule with everything that can be worked out beforehand. Durations are microseconds.

    Where it compares with figures of the device, those in ``facts`` are taken; if one of them is not known and nothing
    stands for it, the rule does not apply (``applies``) and looks at nothing.
    """

    def __init__(self, rule: Rule, facts: DeviceFacts = _FACTS) -> None:
        self.rule = rule
        self.id = rule.id
        self.key = rule.id
        """Under which its state is kept at a device."""
        self.late_key = rule.id + LATE_SUFFIX
        self.facts = facts
        self.watches: list[Watch] = []
        self.applies = True
        self.shares = False
        figure = figures(facts.numbers)
        self.condition = _NEVER
        self.at_once: Tree | None = None
        self.clears_when: Tree | None = None
        self.levels: list[tuple[Severity, Tree]] = []
        try:
            self._plant(rule, figure)
        except UnknownFigure:
            self.applies = False
            self.watches = []
            self.condition, self.at_once, self.clears_when, self.levels = _NEVER, None, None, []
        self.is_late = False
        """Whether it tells of what happened in a gap of the link (`alerts.late`): nothing of now ends that."""
        self.peers = frozenset[str]().union(*(watch.peers for watch in self.watches))
        self.policy = Policy(rule)
        self.shape = _shape(rule) if self.applies else ""
        if self.shares:
            self.shape += f"={len(self.watches)}"  # Other memories than those of a row in which it stood twice.
        self._sort_watches()
        self.stands = self._stands()
        self.only_silence = len(self.silences) == len(self.watches) and not self.stands
        self.only_absence = len(self.silences) + len(self.absences) == len(self.watches) and not self.stands
        self.counts_by_arrival = self.policy.by_arrival and not self.only_silence
        """Whether a message whose instant cannot be believed is taken as said now."""
        self.by_part = rule.kind in _WITH_PARTS and not self.only_silence
        self.has_parts = self.by_part or (rule.kind is DeviceKind.GATEWAY and bool(self.events))
        """Whether it can hold for several parts of a device, which are told one by one."""
        self._sort_by_channel()
        self.compares = _compares(rule.kind, self.watches)
        self.samples = _samples(rule.kind, self.watches)

    def _plant(self, rule: Rule, figure: Figure) -> None:
        compiler = Compiler(rule.kind, figure, self.watches)
        self.condition = compiler.tree(rule.condition)
        self.at_once = None if rule.at_once is None else compiler.tree(rule.at_once)
        self.clears_when = None if rule.clears_when is None else compiler.tree(rule.clears_when)
        self.levels = [(each.severity, compiler.tree(each.condition)) for each in rule.levels]
        self.shares = compiler.shares
        self.levels.sort(key=lambda level: _WORST_FIRST.index(level[0]))

    def _sort_watches(self) -> None:
        """Find the watches that need something else than messages: time, an event's end, silence."""
        self.timed = [index for index, watch in enumerate(self.watches) if watch.timed]
        self.flipping = [
            index for index in self.timed if isinstance(self.watches[index], SignalWatch | ValueChangeWatch)
        ]
        """Those of them that are due when their answer flips, and at no other time."""
        self.timed_otherwise = [index for index in self.timed if index not in self.flipping]
        self.silences = [index for index, watch in enumerate(self.watches) if isinstance(watch, SilenceWatch)]
        self.events = [(index, watch) for index, watch in enumerate(self.watches) if isinstance(watch, EventWatch)]
        self.repeats: list[tuple[int, Repeating]] = [each for each in self.events if each[1].repeats]
        self.absences = [index for index, watch in enumerate(self.watches) if isinstance(watch, AbsenceWatch)]
        self.learns_silence = any(isinstance(watch, RhythmWatch) for watch in self.watches)

    def _sort_by_channel(self) -> None:
        self.by_channel = {
            channel: [index for index, watch in enumerate(self.watches) if channel in watch.channels]
            for channel in Channel
        }
        self.by_late_channel = self.by_channel
        """Which watches look at a message that is late, or whose instant is not believed.

        The end of an event tells nothing of signals then, and signals only what an event is asked.
        """
        if self.policy.tells_late is not None:
            asking = [index for index, watch in self.events if watch.states]
            self.by_late_channel = {
                Channel.EVENT: [index for index, _ in self.events],
                Channel.TELEMETRY: asking,
                Channel.PRESENCE: [],
            }

    def _stands(self) -> bool:
        """Tell whether anything of it holds of what nothing is known of yet, so that this must be remembered."""
        begin = self.begin()
        trees = [self.condition, self.at_once, self.clears_when, *(tree for _, tree in self.levels)]
        held = any(tree is not None and tree.truth(begin) for tree in trees)
        return held or any(leaf.truth for leaf in begin)

    def begin(self) -> Leaves:
        """Return the memories before the first message."""
        return tuple([watch.begin() for watch in self.watches])

    def active(self, leaves: Leaves) -> bool:
        """Tell whether the alert should be open for the part that ``leaves`` remember."""
        return self.condition.truth(leaves) or (self.at_once is not None and self.at_once.truth(leaves))

    def urgent(self, leaves: Leaves) -> bool:
        """Tell whether it should fire without waiting."""
        return self.at_once is not None and self.at_once.truth(leaves)

    def because(self, leaves: Leaves) -> list[int]:
        """Return the watches that make it active."""
        urgent = [] if self.at_once is None else self.at_once.because(leaves)
        return urgent or self.condition.because(leaves)

    def cleared(self, leaves: Leaves) -> bool:
        """Tell whether the condition that ends the alert holds; never, for a rule without one."""
        return self.clears_when is not None and self.clears_when.truth(leaves)

    def opens(self, leaves: Leaves) -> bool:
        """Tell whether the conditions alone would open the alert for the part that ``leaves`` remember."""
        return self.active(leaves) and (self.clears_when is None or self.is_late or not self.cleared(leaves))

    def present(self, parts: Mapping[str, Leaves]) -> list[str]:
        """Return the parts for which the alert should be open, by name: of a gateway, controllers that it misses."""
        if self.by_part:
            return sorted(name for name, leaves in parts.items() if self.opens(leaves))
        leaves = parts[""]
        if not self.opens(leaves):
            return []
        return sorted({name for index, _ in self.events for name in standing(leaves[index].opened)})

    def severity(self, parts: Mapping[str, Leaves]) -> tuple[Severity, tuple[Leaves, list[int]] | None]:
        """Return how much an open alert matters, and the part and its watches that make it more than usual."""
        for severity, tree in self.levels:
            for name in sorted(parts):
                if tree.truth(parts[name]):
                    return severity, (parts[name], tree.because(parts[name]))
        return self.rule.severity, None


class Compiler:
    """Turns the conditions of one rule into trees over one row of watches; what is asked twice is watched once."""

    def __init__(self, kind: DeviceKind, figure: Figure, watches: list[Watch]) -> None:
        self.shares = False
        """Whether anything was asked twice."""
        self._watches = watches
        self._kind = kind
        self._figure = figure
        self._places: dict[bytes, int] = {}

    def tree(self, condition: Condition) -> Tree:
        """Return ``condition``, whose watches are added to the row where they are not in it yet."""
        match condition:
            case AllOf():
                return _all_of([self.tree(each) for each in condition.of])
            case AnyOf():
                return _any_of([self.tree(each) for each in condition.of])
            case NoneOf():
                trees = [self.tree(each) for each in condition.of]
                unseen = all(isinstance(self._watches[index], _EXCEPTED) for index in _indexes(trees))
                return _none_of(trees, excepts=unseen)
        return _leaf(self._place(condition))

    def _place(self, condition: Single) -> int:
        written = msgspec.json.encode(condition)
        if written in self._places:
            self.shares = True
        else:
            self._places[written] = len(self._watches)
            self._watches.append(_watch(condition, self._kind, self._figure))
        return self._places[written]


def _watch(condition: Single, kind: DeviceKind, figure: Figure) -> Watch:
    watch = _watch_of_values(condition, kind, figure)
    if isinstance(condition, Threshold | Rate | Change) and condition.median_of is not None:
        return MedianWatch(watch, signals_of(kind)[condition.signal], condition.median_of)
    return watch


def _meanwhile(state: State | None, kind: DeviceKind) -> SignalWatch | None:
    return None if state is None else state_watch(state, signals_of(kind)[state.signal], kind)


def _watch_of_values(condition: Single, kind: DeviceKind, figure: Figure) -> Watch:
    match condition:
        case Threshold():
            if other_signal(condition) is not None:
                return MarginWatch(condition, kind, figure)
            return threshold_watch(condition, signals_of(kind)[condition.signal], kind, figure)
        case State():
            return state_watch(condition, signals_of(kind)[condition.signal], kind)
        case Rate():
            return RateWatch(condition, signals_of(kind)[condition.signal], kind, figure)
        case Change():
            if condition.by is not None:
                return ValueChangeWatch(condition, kind)
            return ChangeWatch(condition, signals_of(kind)[condition.signal], kind, figure)
        case EventSeen():
            return EventWatch(condition, *(_meanwhile(each, kind) for each in (condition.meanwhile, condition.until)))
        case Missing():
            if condition.types:
                return AbsenceWatch(condition)
            return SilenceWatch(condition) if condition.rhythm is None else RhythmWatch(condition, condition.rhythm)
        case Count():
            return CountWatch(condition)
        case Ratio():
            return RatioWatch(condition, figure)
        case Sequence():
            return SequenceWatch(condition, kind, figure)
        case Together():
            return TogetherWatch(condition, kind, figure)
        case Since():
            return SinceWatch(condition, kind, figure)
        case Unchanged():
            return UnchangedWatch(condition, kind)
        case Compare():
            compare = HourWatch if condition.by_hour else PastWatch if condition.peer is None else PeerWatch
            if condition.growth_of is not None:
                return GrowthWatch(condition, condition.growth_of, kind, figure)
            return compare(condition, kind, figure)


def _leaf(index: int) -> Tree:
    return Tree(
        truth=lambda leaves: leaves[index].truth,
        because=lambda leaves: [index] if leaves[index].truth else [],
        indexes=[index],
    )


def _all_of(trees: list[Tree]) -> Tree:
    truths = [tree.truth for tree in trees]
    telling = [tree for tree in trees if not tree.excepts] or trees

    def truth(leaves: Leaves) -> bool:
        for each in truths:  # noqa: SIM110 - `all` over a generator costs twice as much, on every message
            if not each(leaves):
                return False
        return True

    def because(leaves: Leaves) -> list[int]:
        return [index for tree in telling for index in tree.because(leaves)] if truth(leaves) else []

    return Tree(truth, because, _indexes(trees))


def _any_of(trees: list[Tree]) -> Tree:
    def truth(leaves: Leaves) -> bool:
        return any(tree.truth(leaves) for tree in trees)

    def because(leaves: Leaves) -> list[int]:
        return next((tree.because(leaves) for tree in trees if tree.truth(leaves)), [])

    return Tree(truth, because, _indexes(trees))


def _none_of(trees: list[Tree], *, excepts: bool) -> Tree:
    indexes = _indexes(trees)

    def truth(leaves: Leaves) -> bool:
        return not any(tree.truth(leaves) for tree in trees)

    def because(leaves: Leaves) -> list[int]:
        """Return all of them: what does not hold is told by what was seen instead."""
        return indexes if truth(leaves) else []

    return Tree(truth, because, indexes, excepts=excepts)


def _indexes(trees: list[Tree]) -> list[int]:
    return [index for tree in trees for index in tree.indexes]


def _shape(rule: Rule) -> str:
    levels = [level.condition for level in rule.levels]
    conditions = msgspec.to_builtins([rule.condition, rule.at_once, rule.clears_when, *levels])
    return hashlib.blake2b(msgspec.json.encode(_as_before(conditions)), digest_size=6).hexdigest()


def _as_before(part: Any) -> Any:
    """Return a ``part`` of conditions without those keys of `_LATER` that it leaves out, as it was written before."""
    match part:
        case list():
            return [_as_before(each) for each in part]
        case dict():
            later = _LATER | {"signal": None} if "attribute" in part else _LATER
            later = _LATER | {"confirm": None} if part.get("kind") == "rate" else later
            return {key: _as_before(value) for key, value in part.items() if key not in later or value != later[key]}
    return part


def _compares(kind: DeviceKind, watches: Iterable[Watch]) -> tuple[str, ...] | None:
    """Return the signals of telemetry that a rule looks at, where messages that repeat them cannot change its mind.

    Most messages of a standing lift repeat the last one, and one comparison then stands for the whole rule. ``None``
    where every message must be looked at: of devices with parts, and of conditions that go by each sample.
    """
    telling = [watch.compares for watch in watches if Channel.TELEMETRY in watch.channels]
    if kind is not DeviceKind.ELEVATOR or not telling:
        return None
    names: list[str] = []
    for compared in telling:
        if compared is None:
            return None
        names += compared
    return tuple(dict.fromkeys(names))


def _samples(kind: DeviceKind, watches: Iterable[Watch]) -> tuple[str, ...]:
    """Return the signals of telemetry without which a message cannot change the mind of a rule; none: any may.

    They are those of a rule that does nothing else with telemetry than look at each of their values.
    """
    telling = [watch.samples for watch in watches if Channel.TELEMETRY in watch.channels]
    if kind is not DeviceKind.ELEVATOR:
        return ()
    names = [name for name in telling if name is not None]
    return tuple(dict.fromkeys(names)) if len(names) == len(telling) else ()
