"""The rules on watch at devices alike, and what each remembers there: nothing, while it is at rest.

A rule is at rest at a device when all it could remember follows from the device's newest values: nothing is pending,
open, unconfirmed or counted. Then it has no `RuleState`; the next message that concerns it makes one.
"""

from collections.abc import Callable, Iterable, Mapping, Set
from datetime import tzinfo
from operator import attrgetter, ne
from typing import Any

from alerts import lifecycle
from alerts.late import ZONE, LateRule, with_twins
from alerts.late_watches import LateWatch
from alerts.memory import Device, Heard, Leaf, Microseconds, Phase, RuleState
from alerts.trees import CompiledRule, Leaves
from alerts.watches.counts import RatioWatch
from alerts.watches.events import event_of
from alerts.watches.happenings import EventWatch
from alerts.watches.readings import SignalWatch, ValueChangeWatch
from alerts.watches.sequences import SequenceWatch, SinceWatch, TogetherWatch
from alerts.watches.silence import AbsenceWatch, RhythmWatch, SilenceWatch
from alerts.watches.unchanged import UnchangedWatch
from alerts.watches.watch import Watch
from core.devices import Channel, DeviceKind
from core.observations import Observation
from core.wire.payloads import Body, ElevatorEvent

Drawn = tuple[Any, ...]
"""The values of a roster's signals in one message, in the order of the signals."""
Latest = dict[str, bool | int | float | str]
_NEVER = 0
# Where a lift's car is: no rule has to look at these, every reason says them.
_WHERE = ("floor", "door_zone")
# Ours: networks and gateways bring messages into another order by seconds.
REORDERED: Microseconds = 10_000_000
# Ours: more sorts of change, or of values, than a lift makes; what is worked out for each is kept.
_CHANGES = 1_024


class Post:
    """One rule as it stands at every device of a roster. ``looks_at`` are the places of its signals in drawn values.

    It is ``None`` where equal values do not mean that nothing changes.
    """

    __slots__ = (
        "_asking",
        "_comparing",
        "_counters",
        "_counting",
        "_looks",
        "_places",
        "_prunes",
        "_remembers",
        "_resting",
        "_sampled",
        "_signals",
        "absence",
        "dormant",
        "id",
        "late",
        "looks_at",
        "rule",
        "silence",
        "takes_reordered",
        "tells_late",
        "waits",
    )

    def __init__(self, rule: CompiledRule, signals: tuple[str, ...]) -> None:
        self.rule = rule
        self.id = rule.key
        self.late = rule if isinstance(rule, LateRule) else None
        """The rule where it is a twin, which tells of what arrives late."""
        self.silence = rule.only_silence
        self.dormant = rule.only_silence or rule.is_late
        """Whether readings concern it only while it remembers something."""
        self.waits = bool(rule.silences) and not rule.by_part
        """Whether it can be due without remembering anything."""
        self.tells_late = rule.policy.tells_late is not None
        """Whether a twin of it tells of what arrives late."""
        self.takes_reordered = len(rule.events) == len(rule.watches) > 0
        """Whether it can tell which of two events that came in the wrong order is the newer one."""
        self._remembers = rule.policy.max_late
        if self._remembers is None and self.takes_reordered:
            self._remembers = REORDERED
        self.absence = bool(rule.absences) and rule.only_absence
        self._signals = [
            (index, watch, watch.signal.name)
            for index, watch in enumerate(rule.watches)
            if isinstance(watch, SignalWatch) and not rule.by_part
        ]
        self._asking = [(index, watch) for index, watch in rule.events if watch.states and not rule.by_part]
        # Those that keep samples are seldom at rest, so they are asked first.
        self._counting = [index for index, watch in enumerate(rule.watches) if not isinstance(watch, _PLAIN)]
        self.looks_at = frozenset(signals.index(name) for name in rule.compares) if rule.compares else None
        comparing = [index for index, watch in enumerate(rule.watches) if isinstance(watch, ValueChangeWatch)]
        # What compares the next value with the newest is never at rest once it has one.
        self._comparing = comparing[0] if comparing and not rule.by_part else None
        self._looks = [_places_of(watch, signals) for watch in rule.watches]
        self._sampled: list[Callable[[Any], object]] = [attrgetter(name) for name in rule.samples]
        # Only words and yes or no: of these there are few enough to keep the answer to each.
        self._places = [(signals.index(name), name) for name in rule.compares or ()] if _is_plain(rule) else []
        self._resting: dict[Drawn, bool] = {}
        counters = {name for watch in rule.watches if isinstance(watch, RatioWatch) for name in watch.names}
        self._counters = [attrgetter(name) for name in sorted(counters)] if _only_counts(rule) else []
        # A part that nothing is known of yet can hold by that alone, by silence since, or beside a peer: kept then.
        self._prunes = rule.by_part and not (rule.silences or rule.peers or rule.stands)

    def affected(self, changed: Set[int]) -> list[int] | None:
        """Return the watches that telemetry can affect in which only the values at the places ``changed`` are new.

        It goes for what is remembered already; ``None``: all of them.
        """
        if self.rule.by_part:
            return None
        telling = self.rule.by_channel[Channel.TELEMETRY]
        return [index for index in telling if (at := self._looks[index]) is None or not at.isdisjoint(changed)]

    def takes_late(self, observation: Observation, age: Microseconds) -> bool:
        """Tell whether a message that is ``age`` old is taken as late.

        Where a twin tells of what is late, the rule itself takes only the end of what it has told.
        """
        policy = self.rule.policy
        if policy.tells_late is not None:
            return age <= policy.tells_late and self._ends(observation.body)
        return self.absence or (policy.max_late is not None and age <= policy.max_late)

    def _ends(self, body: Body) -> bool:
        event = event_of(body)
        return event is not None and any(event.type in watch.clears_on for _, watch in self.rule.events)

    def hears(self, observation: Observation, states: Mapping[str, RuleState]) -> bool:
        """Tell whether an event of now, where ``states`` are those of the device, concerns it."""
        if self.late is not None and self.late.concerns(observation):
            return True
        return not self.dormant or self.id in states

    def stays_at_rest(self, latest: Latest, drawn: Drawn, body: Body) -> bool:
        """Tell whether the rule, at rest at a device with the values ``latest``, is so after the telemetry ``body``.

        Its values are ``drawn``. Where that cannot be told at once the answer is no.
        """
        if not self._places:
            return bool(self._counters) and all(read(body) is None for read in self._counters)
        values = tuple([latest.get(name) if drawn[place] is None else drawn[place] for place, name in self._places])
        found = self._resting.get(values)
        if found is None:
            if len(self._resting) >= _CHANGES:
                self._resting.clear()
            known = {name: value for (_, name), value in zip(self._places, values, strict=True) if value is not None}
            found = self._resting[values] = not lifecycle.holds(self.rule, self.wake(known))
        return found

    def samples(self, body: Body) -> bool:
        """Tell whether the telemetry ``body`` has a value that counts each time it is told."""
        if not self._sampled:
            return True
        for read in self._sampled:  # noqa: SIM110 - `any` over a generator costs twice as much, on every message
            if read(body) is not None:
                return True
        return False

    def wake(self, latest: Latest) -> RuleState:
        """Return the state of a device at rest, whose newest values are ``latest``."""
        state = lifecycle.begin(self.rule)
        if self._signals or self._asking:
            leaves = list(state.parts[""])
            for index, event_watch in self._asking:
                leaves[index] = event_watch.settled(latest)
            for index, watch, name in self._signals:
                leaves[index] = watch.settled(latest.get(name))
            state.parts[""] = tuple(leaves)
        return state

    def rests(self, state: RuleState, latest: Latest, now: Microseconds) -> bool:
        """Tell whether ``state`` may be forgotten, once its parts that may be are."""
        if self._counting and state.parts and all(leaves[self._counting[0]].window for leaves in state.parts.values()):
            return False
        if self._comparing is not None and state.parts[""][self._comparing].value is not None:
            return False
        if self._prunes:
            for name in [name for name, leaves in state.parts.items() if self._is_quiet(leaves, now)]:
                del state.parts[name]
            return not state.parts and state.phase is Phase.IDLE and not state.rises
        if state.phase is not Phase.IDLE or state.rises or self.rule.by_part:
            return False
        if self.rule.policy.calendar is not None and lifecycle.holds(self.rule, state):
            return False  # It waits for the hours in which the rule is in force.
        leaves = state.parts[""]
        for index, event_watch in self._asking:
            if leaves[index].inner != event_watch.settled(latest).inner:
                return False  # A message taken by its arrival told of signals, and ``latest`` knows nothing of it.
        for index, watch, name in self._signals:
            if not watch.is_settled(leaves[index], latest.get(name)):
                return False
        return len(self._signals) == len(leaves) or self._is_quiet(leaves, now)

    def due(self, state: RuleState | None, device: Device) -> Microseconds:
        """Return when the rule must be stepped without a message, 0 for never."""
        if state is None:
            return self._silent_at(device.state.heard) if self.waits else _NEVER
        due = lifecycle.due(self.rule, state, device)
        if self._remembers is None:
            return due
        # Until then a late event may turn out to be older than what is known.
        known = (leaf for leaves in state.parts.values() for leaf in leaves if not leaf.opened)
        newest = max((leaf.changed_at for leaf in known), default=_NEVER)
        forgotten = newest + self._remembers + 1
        if forgotten <= device.state.clock:
            return due
        return min(due, forgotten) if due else forgotten

    def _silent_at(self, heard: Heard) -> Microseconds:
        instants = (self.rule.watches[index].due(_NOTHING, heard) for index in self.rule.silences)
        return min((instant for instant in instants if instant), default=_NEVER)

    def _is_quiet(self, leaves: Leaves, now: Microseconds) -> bool:
        return all(map(self._is_quiet_leaf, self.rule.watches, leaves, (now,) * len(leaves)))

    def _is_quiet_leaf(self, watch: Watch, leaf: Leaf, now: Microseconds) -> bool:
        """Tell whether ``leaf`` says nothing that a new one would not; what was seen last is told of no more."""
        match watch:
            case SignalWatch():
                if not self.rule.by_part:
                    return True  # The caller has compared it with the newest value.
                return not (leaf.truth or leaf.raw or leaf.flips_at) or leaf == watch.begin()
            case EventWatch():
                known = self._remembers is not None and leaf.changed_at + self._remembers >= now
                return not (leaf.opened or known or (self.rule.by_part and not watch.is_settled(leaf)))
            case LateWatch():
                return watch.rests(leaf, now)
            case RhythmWatch():
                return False  # It learns with every message.
            case SilenceWatch():
                return not (leaf.truth or leaf.raw)
            case SequenceWatch() | TogetherWatch() | SinceWatch() | UnchangedWatch():
                return watch.rests(leaf, now)
        return leaf == watch.begin()


_NOTHING = Leaf()
_PLAIN = (SignalWatch, EventWatch, SilenceWatch, AbsenceWatch, LateWatch)


def _is_plain(rule: CompiledRule) -> bool:
    """Tell whether telemetry can concern ``rule`` by states alone, which count at once, beside events."""
    if rule.by_part or rule.silences or rule.absences or rule.peers or rule.is_late:
        return False
    telling = [watch for watch in rule.watches if Channel.TELEMETRY in watch.channels]
    states = [state for watch in telling for state in (watch.states if isinstance(watch, EventWatch) else [watch])]
    return all(isinstance(each, SignalWatch) and not (each.timed or each.signal.number) for each in states)


def _only_counts(rule: CompiledRule) -> bool:
    """Tell whether telemetry concerns ``rule`` by ratios of counters alone."""
    telling = [watch for watch in rule.watches if Channel.TELEMETRY in watch.channels]
    return not rule.by_part and bool(telling) and all(isinstance(watch, RatioWatch) for watch in telling)


def _places_of(watch: Watch, signals: tuple[str, ...]) -> frozenset[int] | None:
    """Return where in drawn values the signals of ``watch`` stand, ``None`` where it looks at more than these."""
    if watch.compares is None or not set(watch.compares) <= set(signals):
        return None
    return frozenset(map(signals.index, watch.compares))


class Roster:
    """The posts of devices that have the same rules, sorted by the channel that concerns them."""

    def __init__(self, rules: Iterable[CompiledRule], zone: tzinfo = ZONE) -> None:
        rules = with_twins(rules, zone)
        compared = [watch.signal.name for rule in rules if not rule.by_part for watch in _signal_watches(rule)]
        compared += [name for rule in rules for name in rule.compares or ()]
        asked = (watch.states for rule in rules if not rule.by_part for _, watch in rule.events)
        compared += [state.signal.name for states in asked for state in states]
        if compared and rules[0].rule.kind is DeviceKind.ELEVATOR:
            compared += _WHERE
        self.signals = tuple(dict.fromkeys(compared))
        self.told_by_events = [name for name in self.signals if name in ElevatorEvent.__struct_fields__]
        self.posts = {rule.key: Post(rule, self.signals) for rule in rules}
        self.in_order = sorted(self.posts.values(), key=lambda post: post.id)
        self.telemetry = self._on(Channel.TELEMETRY)
        self._all: list[tuple[Post, list[int] | None]] = [(post, None) for post in self.telemetry]
        self.undrawn = [(post, post.affected(set())) for post in self.telemetry if post.looks_at is None]
        self.event = self._on(Channel.EVENT)
        self.presence = self._on(Channel.PRESENCE)
        self.silences = [post for post in self.posts.values() if post.rule.silences]
        self.learning = [post for post in self.posts.values() if post.rule.learns_silence]
        self.waiting = [post for post in self.posts.values() if post.rule.absences]
        self.comparing = [post for post in self.posts.values() if post.rule.peers]
        self.has_parts = any(rule.has_parts for rule in rules)
        self.draw: Callable[[Any], Drawn] = _drawing(self.signals)
        self._concerned: dict[tuple[bool, ...], list[tuple[Post, list[int] | None]]] = {}

    def concerned(self, before: Drawn | None, drawn: Drawn) -> list[tuple[Post, list[int] | None]]:
        """Return the posts whose mind telemetry with the values ``drawn`` after ``before`` can change, by these alone.

        Beside each stand those of its watches that it can affect, once the rule remembers anything; ``None``: all.

        Messages of lifts change the same few signals again and again, so the answer to each change is kept.
        """
        if before is None:
            return self._all
        changed = tuple(map(ne, before, drawn))
        found = self._concerned.get(changed)
        if found is None:
            if len(self._concerned) >= _CHANGES:
                self._concerned.clear()
            places = {place for place, differs in enumerate(changed) if differs}
            found = [
                (post, post.affected(places))
                for post in self.telemetry
                if post.dormant or post.looks_at is None or not post.looks_at.isdisjoint(places)
            ]
            self._concerned[changed] = found
        return found

    def _on(self, channel: Channel) -> list[Post]:
        return [post for post in self.posts.values() if post.rule.by_channel[channel]]


def _signal_watches(rule: CompiledRule) -> list[SignalWatch]:
    return [watch for watch in rule.watches if isinstance(watch, SignalWatch)]


def _drawing(signals: tuple[str, ...]) -> Callable[[Any], Drawn]:
    if not signals:
        return lambda _body: ()
    draw: Callable[[Any], Any] = attrgetter(*signals)
    if len(signals) > 1:
        return draw
    return lambda body: (draw(body),)
