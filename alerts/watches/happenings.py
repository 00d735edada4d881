"""Conditions on events: what began, and has not ended yet."""

from collections.abc import Mapping

from alerts.memory import Heard, Leaf, Microseconds
from alerts.rules.conditions import EventSeen
from alerts.watches.events import Event, EventFilter, event_of, identity, with_end_of_all
from alerts.watches.readings import SignalWatch
from alerts.watches.watch import OwnWatch, Reading, Sentence
from alerts.watches.windows import pack_standing, standing
from alerts.words import FAULT_SEPARATOR, event_names, event_words
from core.clock import to_microseconds
from core.code_lists import meaning_of
from core.devices import Channel
from core.durations import microseconds
from core.observations import Observation

# A device that reports endless different faults must not eat memory; the first ones, forty or more with their usual
# names, keep the alert open just as well.
_OPEN_BYTES = 1_024
_NEVER = 0


class EventWatch(OwnWatch):
    """Holds while at least one event it was told of has neither been cleared nor run out.

    ``meanwhile`` must hold when an event comes, ``until`` ends all of them; ``inner`` are the memories of both.
    """

    code = "event"

    def __init__(
        self, condition: EventSeen, meanwhile: SignalWatch | None = None, until: SignalWatch | None = None
    ) -> None:
        self._meanwhile = meanwhile
        self._until = until
        self.states = [state for state in (meanwhile, until) if state is not None]
        """What it asks of signals when an event comes."""
        self.channels = frozenset({Channel.EVENT}).union(*(state.channels for state in self.states))
        self.filter = EventFilter(condition)
        self.clears_on = with_end_of_all(condition.clears_on)
        self.resolve_after = microseconds(condition.resolve_after)
        self._repeat_after = microseconds(condition.repeat_after)
        self.repeats = self._repeat_after > 0
        """Whether ``raw`` tells of the newest message that it happened again."""
        self.timed = self.resolve_after > 0

    @property
    def compares(self) -> tuple[str, ...] | None:
        return tuple([state.signal.name for state in self.states])

    def begin(self) -> Leaf:
        return Leaf(inner=tuple([state.begin() for state in self.states]))

    def settled(self, latest: Mapping[str, bool | int | float | str]) -> Leaf:
        """Return the memory of a device whose newest values are ``latest``, and on which nothing has happened."""
        return Leaf(inner=tuple([state.settled(latest.get(state.signal.name)) for state in self.states]))

    def is_settled(self, leaf: Leaf) -> bool:
        """Tell whether ``leaf`` says of signals what a new one would."""
        return all(inner.truth is state.begin().truth for state, inner in zip(self.states, leaf.inner, strict=True))

    def observe(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, heard: Heard) -> None:
        # How things were at the instant of what is late is not known; a few seconds ago they were as they are now.
        asks = bool(self.states) and (observation.reordered or not observation.late)
        # An event in the wrong order says nothing of how things are now; telemetry of a wrong clock does.
        if asks and not (observation.reordered and observation.channel is Channel.EVENT):
            self._look(leaf, observation, reading, now, heard)
        event = event_of(observation.body)
        if event is None:
            return
        begins = self.filter.accepts(event)
        if begins and asks and not self._counts(leaf):
            return
        if not begins and event.type not in self.clears_on:
            return
        # What a clock that is ahead has stamped must not seem newer than what comes after it.
        at = min(to_microseconds(observation.at), now)
        if observation.late and at < leaf.changed_at:
            return  # A newer event has told more since.
        if self.repeats:
            # A button that is held down, or a gateway that says everything twice, is one happening.
            leaf.raw = (
                begins and identity(event) in standing(leaf.opened) and at - leaf.changed_at >= self._repeat_after
            )
        leaf.changed_at = max(at, leaf.changed_at)
        if begins:
            self._begin(leaf, event, now)
        else:
            self._clear(leaf, event)
        leaf.truth = bool(leaf.opened)

    def take_repeat(self, leaf: Leaf) -> bool:
        again, leaf.raw = leaf.raw, False
        return again

    def due(self, leaf: Leaf, _heard: Heard) -> Microseconds:
        if not self.resolve_after or not leaf.opened:
            return _NEVER
        return min(standing(leaf.opened).values())

    def expire(self, leaf: Leaf, now: Microseconds, _heard: Heard) -> None:
        if self.resolve_after and leaf.opened:
            left = {name: ends for name, ends in standing(leaf.opened).items() if ends > now}
            leaf.opened = pack_standing(left)
            leaf.truth = bool(leaf.opened)

    def forget(self, leaf: Leaf) -> None:
        if leaf.opened:
            leaf.truth, leaf.opened = False, b""

    def take_over(self, leaf: Leaf, before: Leaf) -> None:
        """Take into ``leaf`` what stands of the memory ``before`` of a rule that was changed, as far as it is meant."""
        steps = any(inner.changed_at for inner in before.inner)
        if before.window or steps or before.value is None:
            return  # What others keep in ``opened`` says until when, not what.
        meant = [name for name in standing(before.opened) if self.filter.accepts_known(before.value, name)]
        if meant:
            ends = before.changed_at + self.resolve_after if self.resolve_after else _NEVER
            leaf.opened = pack_standing(standing(leaf.opened) | dict.fromkeys(meant, ends))
            leaf.truth, leaf.value, leaf.changed_at = True, before.value, before.changed_at

    def tell(self, leaf: Leaf) -> Sentence:
        if not leaf.opened:
            zh, en = event_words(self.filter.types)
            return f"未发生：{zh}", f"not happened: {en}"
        named = [self.name(leaf, name) for name in list(standing(leaf.opened))[-3:]]
        return "、".join(zh for zh, _ in named), ", ".join(en for _, en in named)

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        return self.facts_of(leaf, list(standing(leaf.opened))[-1]) if leaf.opened else {}

    def name(self, leaf: Leaf, event: str) -> Sentence:
        """Return one of the events that stand, for people."""
        return event_names(str(leaf.value), event)

    def facts_of(self, leaf: Leaf, event: str) -> dict[str, str | float | int | bool]:
        """Return one of the events that stand, for machines."""
        facts: dict[str, str | float | int | bool] = {"event": str(leaf.value)}
        source, separator, code = event.partition(FAULT_SEPARATOR)
        if separator:
            facts |= {"source": source, "code": code, "fault": meaning_of(source, code).kind.value}
        elif event:
            facts["controller" if str(leaf.value).startswith("controller_") else "episode"] = event
        return facts

    def _look(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, heard: Heard) -> None:
        """Take what a message says of the signals; the state that ends all events ends them."""
        for state, inner in zip(self.states, leaf.inner, strict=True):
            if observation.channel in state.channels:
                state.observe(inner, observation, reading, now, heard)
        if self._until is not None and leaf.inner[-1].truth:
            self.forget(leaf)

    def _counts(self, leaf: Leaf) -> bool:
        """Tell whether an event that comes now counts."""
        if self._until is not None and leaf.inner[-1].truth:
            return False
        return self._meanwhile is None or leaf.inner[0].truth

    def _begin(self, leaf: Leaf, event: Event, now: Microseconds) -> None:
        name, opened = identity(event), standing(leaf.opened)
        if name in opened or len(leaf.opened) < _OPEN_BYTES:
            opened[name] = now + self.resolve_after if self.resolve_after else _NEVER
            leaf.opened, leaf.value = pack_standing(opened), event.type.value

    def _clear(self, leaf: Leaf, event: Event) -> None:
        name, opened = identity(event), standing(leaf.opened)
        if name.endswith(FAULT_SEPARATOR):
            opened = {fault: ends for fault, ends in opened.items() if not fault.startswith(name)}
        opened.pop(name, None)
        leaf.opened = pack_standing(opened) if name else b""
