"""What happens at an instant, as part of a sequence or together with others: an event, or a signal becoming true."""

from typing import Protocol

from alerts.memory import Heard, Leaf, Microseconds
from alerts.rules.conditions import Change, EventSeen, Limit, Moment, Scalar, State, Threshold
from alerts.rules.signals import signals_of
from alerts.watches.events import EventFilter, event_of
from alerts.watches.limits import Figure
from alerts.watches.readings import SignalWatch, channels_of, state_watch, take_values, threshold_watch
from alerts.watches.watch import Reading, Sentence
from alerts.words import event_words, signal_names, value_names, value_said
from core.devices import Channel, DeviceKind
from core.observations import Observation


class MomentWatch(Protocol):
    """One of them. In its leaf ``truth`` tells whether it holds now, ``changed_at`` when (ours) it last did."""

    @property
    def channels(self) -> frozenset[Channel]:
        """The channels on which it can come."""
        ...

    @property
    def timed(self) -> bool:
        """Whether time alone can change the answer."""
        ...

    @property
    def name(self) -> Sentence:
        """What it is, for people."""
        ...

    @property
    def compares(self) -> tuple[str, ...]:
        """The signal that it looks at, if any."""
        ...

    def begin(self) -> Leaf:
        """Return the memory before the first message."""
        ...

    def is_new(self, leaf: Leaf) -> bool:
        """Tell whether ``leaf`` says of what is to come what a new one would."""
        ...

    def came(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, heard: Heard) -> bool:
        """Take a message of one of the channels; tell whether it has come true by it."""
        ...

    def expire(self, leaf: Leaf, now: Microseconds, heard: Heard) -> None:
        """Let what is due at or before ``now`` happen."""
        ...


class EventMoment:
    """An event: it holds at the instant of its coming, and no longer."""

    channels = frozenset({Channel.EVENT})
    timed = False
    compares: tuple[str, ...] = ()

    def __init__(self, condition: EventSeen) -> None:
        self._filter = EventFilter(condition)
        self.name = event_words(condition.types)

    def begin(self) -> Leaf:
        return Leaf()

    def is_new(self, _leaf: Leaf) -> bool:
        return True

    def came(self, leaf: Leaf, observation: Observation, _reading: Reading, now: Microseconds, _heard: Heard) -> bool:
        event = event_of(observation.body)
        if event is None or not self._filter.accepts(event):
            return False
        leaf.changed_at = now
        return True

    def expire(self, _leaf: Leaf, _now: Microseconds, _heard: Heard) -> None:
        """It is over already."""


class SignalMoment:
    """A threshold or a state: it comes when it becomes true, and holds until it is no more."""

    def __init__(self, watch: SignalWatch, name: Sentence) -> None:
        self._watch = watch
        self.channels = watch.channels
        self.timed = watch.timed
        self.compares = watch.compares or ()
        self.name = name

    def begin(self) -> Leaf:
        return self._watch.begin()

    def is_new(self, leaf: Leaf) -> bool:
        new = self.begin()
        return (leaf.truth, leaf.raw, leaf.flips_at) == (new.truth, new.raw, 0)

    def came(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, heard: Heard) -> bool:
        before = leaf.truth
        self._watch.observe(leaf, observation, reading, now, heard)
        if before or leaf.truth:
            leaf.changed_at = now
        return leaf.truth and not before

    def expire(self, leaf: Leaf, now: Microseconds, heard: Heard) -> None:
        before = leaf.truth
        self._watch.expire(leaf, now, heard)
        if before and not leaf.truth:
            leaf.changed_at = now


class ChangeMoment:
    """Another value of one of several signals: it holds at the instant of its coming, and no longer."""

    timed = False

    def __init__(self, condition: Change, kind: DeviceKind) -> None:
        self._signals = [signals_of(kind)[name] for name in (condition.signal, *condition.others)]
        self.channels = frozenset[Channel]().union(*(channels_of(signal, kind) for signal in self._signals))
        self.compares = tuple(signal.name for signal in self._signals)
        names = [signal_names(name) for name in self.compares]
        self.name = f"{'或'.join(zh for zh, _, _ in names)}有变化", f"{' or '.join(en for _, en, _ in names)} changed"

    def begin(self) -> Leaf:
        return Leaf()

    def is_new(self, leaf: Leaf) -> bool:
        return leaf.value is None  # The next value is compared with it.

    def came(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, _heard: Heard) -> bool:
        source = reading if self._signals[0].of_region else observation.body
        came = take_values(leaf, [*self.compares], source)
        if came:
            leaf.changed_at = now
        return came

    def expire(self, _leaf: Leaf, _now: Microseconds, _heard: Heard) -> None:
        """It is over already."""


def moment_watch(condition: Moment, kind: DeviceKind, figure: Figure) -> MomentWatch:
    """Return what watches ``condition`` on devices of ``kind``."""
    match condition:
        case EventSeen():
            return EventMoment(condition)
        case Threshold():
            signal = signals_of(kind)[condition.signal]
            return SignalMoment(threshold_watch(condition, signal, kind, figure), _threshold_name(condition, figure))
        case State():
            return SignalMoment(
                state_watch(condition, signals_of(kind)[condition.signal], kind), _state_name(condition)
            )
        case Change():
            return ChangeMoment(condition, kind)


def _threshold_name(condition: Threshold, figure: Figure) -> Sentence:
    zh, en, unit = signal_names(condition.signal)
    sides: list[tuple[str, Limit | None]] = [(">", condition.above), ("<", condition.below)]
    said = "".join(f" {sign} {figure(limit):g}{unit}" for sign, limit in sides if limit is not None)
    return f"{zh}{said}", f"{en}{said}"


def _state_name(condition: State) -> Sentence:
    zh, en, _ = signal_names(condition.signal)
    if condition.none_of is not None:
        values_zh, values_en = _values(condition.none_of)
        return f"{zh}不为 {values_zh}", f"{en} not {values_en}"
    if condition.equals is not None:
        return value_said(condition.signal, condition.equals)
    values_zh, values_en = _values(condition.one_of or [])
    return f"{zh} {values_zh}", f"{en} {values_en}"


def _values(values: list[Scalar]) -> Sentence:
    named = [value_names(value) for value in values]
    return "或".join(zh for zh, _ in named), " or ".join(en for _, en in named)
