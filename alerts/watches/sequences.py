"""Conditions over several moments: one after another in order, all of them close together, or one since another."""

from alerts.memory import Heard, Leaf, Microseconds
from alerts.rules.conditions import Sequence, Since, Together
from alerts.watches.events import event_of
from alerts.watches.limits import Figure
from alerts.watches.moments import ChangeMoment, MomentWatch, SignalMoment, moment_watch
from alerts.watches.watch import OwnWatch, Reading, Sentence
from alerts.watches.windows import instants_of, pack_instants, pack_standing, standing
from alerts.words import span_names
from core.devices import Channel, DeviceKind
from core.durations import microseconds
from core.observations import Observation

_NEVER = 0


class SequenceWatch(OwnWatch):
    """Steps in order. ``window`` tells at ``k`` when the first ``k + 1`` began, of several ways the one begun last.

    The one begun last is enough: whatever completes an earlier one in time completes it as well.
    """

    code = "sequence"
    timed = True

    def __init__(self, condition: Sequence, kind: DeviceKind, figure: Figure) -> None:
        self._steps = [moment_watch(step, kind, figure) for step in condition.steps]
        # From the last step to the first, so that one message takes one step at most.
        self._by_channel = {channel: steps[::-1] for channel, steps in _by_channel(self._steps).items()}
        self._within = microseconds(condition.within)
        self._hold_for = microseconds(condition.hold_for)
        self._without = frozenset(condition.without)
        channels = frozenset[Channel]().union(*(step.channels for step in self._steps))
        self.channels = channels | {Channel.EVENT} if self._without else channels

    @property
    def compares(self) -> tuple[str, ...] | None:
        return _compared(self._steps)

    def begin(self) -> Leaf:
        return Leaf(inner=tuple(step.begin() for step in self._steps))

    def observe(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, heard: Heard) -> None:
        if self._without and self._undoes(observation):
            leaf.window = b""
        for index, step in self._by_channel[observation.channel]:
            if step.came(leaf.inner[index], observation, reading, now, heard):
                self._advance(leaf, index, now)

    def due(self, leaf: Leaf, _heard: Heard) -> Microseconds:
        instants = list(standing(leaf.opened).values())
        if leaf.window:
            instants.append(max(instants_of(leaf.window)) + self._within)
        return min(instants, default=_NEVER)

    def expire(self, leaf: Leaf, now: Microseconds, _heard: Heard) -> None:
        if leaf.opened:
            left = {name: ends for name, ends in standing(leaf.opened).items() if ends > now}
            leaf.opened = pack_standing(left)
            leaf.truth = bool(leaf.opened)
        if leaf.window and max(instants_of(leaf.window)) + self._within <= now:
            leaf.window = b""

    def forget(self, leaf: Leaf) -> None:
        leaf.truth, leaf.opened, leaf.window = False, b"", b""

    def rests(self, leaf: Leaf, _now: Microseconds) -> bool:
        """Tell whether a new memory would say the same as ``leaf`` from here on."""
        return not (leaf.truth or leaf.opened or leaf.window) and _are_new(self._steps, leaf)

    def tell(self, leaf: Leaf) -> Sentence:
        zh, en = span_names(self._within)
        steps_zh = " → ".join(step.name[0] for step in self._steps)
        steps_en = " → ".join(step.name[1] for step in self._steps)
        if not leaf.truth:
            return f"未依次发生：{steps_zh}", f"not in this order: {steps_en}"
        return f"{zh}内依次发生：{steps_zh}", f"in this order within {en}: {steps_en}"

    def facts(self, _leaf: Leaf) -> dict[str, str | float | int | bool]:
        return {"steps": len(self._steps), "within_seconds": self._within / 1_000_000}

    def _undoes(self, observation: Observation) -> bool:
        event = event_of(observation.body)
        return event is not None and event.type in self._without

    def _advance(self, leaf: Leaf, index: int, now: Microseconds) -> None:
        began, instants = now, instants_of(leaf.window) or [_NEVER] * (len(self._steps) - 1)
        if index:
            began = instants[index - 1]
            if not began or began + self._within <= now:
                return
        if index == len(self._steps) - 1:
            # Kept where an event that stands is kept, so that what ends the alert forgets it as well.
            leaf.opened = pack_standing({"": now + self._hold_for})
            leaf.truth = True
            return
        instants[index] = began
        leaf.window = pack_instants(instants)


class TogetherWatch(OwnWatch):
    """Each of its conditions holds, or did so within the window."""

    code = "together"
    timed = True

    def __init__(self, condition: Together, kind: DeviceKind, figure: Figure) -> None:
        self._moments = [moment_watch(each, kind, figure) for each in condition.of]
        self._by_channel = _by_channel(self._moments)
        self._within = microseconds(condition.within)
        self.channels = frozenset[Channel]().union(*(moment.channels for moment in self._moments))

    @property
    def compares(self) -> tuple[str, ...] | None:
        return _compared(self._moments)

    def begin(self) -> Leaf:
        return Leaf(inner=tuple(moment.begin() for moment in self._moments))

    def observe(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, heard: Heard) -> None:
        for index, moment in self._by_channel[observation.channel]:
            moment.came(leaf.inner[index], observation, reading, now, heard)
        leaf.truth = self._holds(leaf, now)

    def due(self, leaf: Leaf, _heard: Heard) -> Microseconds:
        instants = [inner.flips_at for inner in leaf.inner if inner.flips_at]
        if leaf.truth:
            instants += [inner.changed_at + self._within for inner in leaf.inner if not inner.truth]
        return min(instants, default=_NEVER)

    def expire(self, leaf: Leaf, now: Microseconds, heard: Heard) -> None:
        for moment, inner in zip(self._moments, leaf.inner, strict=True):
            if moment.timed:
                moment.expire(inner, now, heard)
        leaf.truth = self._holds(leaf, now)

    def forget(self, leaf: Leaf) -> None:
        for inner in leaf.inner:
            inner.changed_at = _NEVER
        leaf.truth = all(inner.truth for inner in leaf.inner)

    def rests(self, leaf: Leaf, now: Microseconds) -> bool:
        """Tell whether a new memory would say the same as ``leaf`` from here on."""
        recent = any(inner.changed_at > now - self._within for inner in leaf.inner)
        return not (leaf.truth or recent) and _are_new(self._moments, leaf)

    def tell(self, leaf: Leaf) -> Sentence:
        zh, en = span_names(self._within)
        all_zh = "、".join(moment.name[0] for moment in self._moments)
        all_en = ", ".join(moment.name[1] for moment in self._moments)
        if not leaf.truth:
            return f"{zh}内未同时出现：{all_zh}", f"not together within {en}: {all_en}"
        return f"{zh}内同时出现：{all_zh}", f"together within {en}: {all_en}"

    def facts(self, _leaf: Leaf) -> dict[str, str | float | int | bool]:
        return {"within_seconds": self._within / 1_000_000}

    def _holds(self, leaf: Leaf, now: Microseconds) -> bool:
        return all(inner.truth or (inner.changed_at and now < inner.changed_at + self._within) for inner in leaf.inner)


class SinceWatch(OwnWatch):
    """Becomes true when ``after`` holds while ``until`` does not, and false when ``until`` holds.

    A signal counts for as long as it stands, not only when it changes: somebody who is in the car while the door is
    open has been seen since it closed. ``inner`` are the memories of both.
    """

    code = "since"

    def __init__(self, condition: Since, kind: DeviceKind, figure: Figure) -> None:
        self._moments = [moment_watch(each, kind, figure) for each in (condition.after, condition.until)]
        self._begins = _since(self.begin(), came=False, ended=False)
        self.channels = frozenset[Channel]().union(*(moment.channels for moment in self._moments))
        self.timed = any(moment.timed for moment in self._moments)

    @property
    def compares(self) -> tuple[str, ...] | None:
        after, until = self._moments
        if isinstance(after, SignalMoment) and isinstance(until, ChangeMoment):
            return None  # The change is over with its message; the next one begins it anew, though it repeats that.
        return _compared(self._moments)

    def begin(self) -> Leaf:
        leaf = Leaf(inner=tuple(moment.begin() for moment in self._moments))
        leaf.truth = _since(leaf, came=False, ended=False)
        return leaf

    def observe(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, heard: Heard) -> None:
        came, ended = (
            observation.channel in moment.channels and moment.came(inner, observation, reading, now, heard)
            for moment, inner in zip(self._moments, leaf.inner, strict=True)
        )
        leaf.truth = _since(leaf, came=came, ended=ended)

    def due(self, leaf: Leaf, _heard: Heard) -> Microseconds:
        return min((inner.flips_at for inner in leaf.inner if inner.flips_at), default=_NEVER)

    def expire(self, leaf: Leaf, now: Microseconds, heard: Heard) -> None:
        for moment, inner in zip(self._moments, leaf.inner, strict=True):
            moment.expire(inner, now, heard)
        leaf.truth = _since(leaf, came=False, ended=False)

    def forget(self, leaf: Leaf) -> None:
        leaf.truth = False
        leaf.truth = _since(leaf, came=False, ended=False)

    def rests(self, leaf: Leaf, _now: Microseconds) -> bool:
        """Tell whether a new memory would say the same as ``leaf`` from here on."""
        return leaf.truth is self._begins and _are_new(self._moments, leaf)

    def tell(self, leaf: Leaf) -> Sentence:
        (after_zh, after_en), (until_zh, until_en) = (moment.name for moment in self._moments)
        if not leaf.truth:
            return f"自「{until_zh}」以来未见：{after_zh}", f"not seen since “{until_en}”: {after_en}"
        return f"自上次「{until_zh}」后：{after_zh}", f"since “{until_en}”: {after_en}"

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        return {"seen_since": leaf.truth}


def _since(leaf: Leaf, *, came: bool, ended: bool) -> bool:
    """Return what ``leaf`` of a `SinceWatch` becomes, given what has come true just now."""
    after, until = leaf.inner
    return not (ended or until.truth) and (leaf.truth or came or after.truth)


def _compared(moments: list[MomentWatch]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for moment in moments for name in moment.compares))


def _are_new(moments: list[MomentWatch], leaf: Leaf) -> bool:
    """Tell whether the memories of moments say of what is to come what those of the beginning would."""
    return all(moment.is_new(inner) for moment, inner in zip(moments, leaf.inner, strict=True))


def _by_channel(moments: list[MomentWatch]) -> dict[Channel, list[tuple[int, MomentWatch]]]:
    return {
        channel: [(index, moment) for index, moment in enumerate(moments) if channel in moment.channels]
        for channel in Channel
    }
