"""The condition that a signal stands still while another, which should move it, goes on changing: a stuck sensor."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from alerts.memory import Heard, Leaf, Microseconds
from alerts.rules.conditions import Unchanged
from alerts.rules.signals import signals_of
from alerts.watches.readings import channels_of
from alerts.watches.watch import OwnWatch, Reading, Sentence
from alerts.watches.windows import INSTANT
from alerts.words import signal_names, value_said
from core.devices import Channel, DeviceKind
from core.durations import microseconds
from core.observations import Observation

_NEVER = 0


class UnchangedWatch(OwnWatch):
    """``changed_at`` is since when (ours) the signal stands at ``value``, 0 where it is another than the rule's.

    ``window`` is how often the other was seen to change since, up to what the rule wants; ``inner`` holds its value. A
    growth of several within one message counts once: what happened while nothing was heard proves nothing.
    """

    code = "unchanged"

    def __init__(self, condition: Unchanged, kind: DeviceKind) -> None:
        self._own = signals_of(kind)[condition.signal]
        self._other = signals_of(kind)[condition.while_changes]
        self._channels = channels_of(self._own, kind), channels_of(self._other, kind)
        self.channels: frozenset[Channel] = self._channels[0] | self._channels[1]
        self._read: Callable[[Any], Any] = attrgetter(self._own.name)
        self._read_other: Callable[[Any], Any] = attrgetter(self._other.name)
        self._equals = condition.equals
        self._at_least = condition.at_least
        self._lasting = microseconds(condition.lasting)
        self.timed = self._lasting > 0

    @property
    def compares(self) -> tuple[str, ...] | None:
        return (self._own.name, self._other.name)

    def begin(self) -> Leaf:
        return Leaf(inner=(Leaf(),))

    def observe(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, _heard: Heard) -> None:
        body, (own_on, other_on), value, other = observation.body, self._channels, None, None
        if observation.channel in own_on:
            value = self._read(reading if self._own.of_region else body)
        if observation.channel in other_on:
            other = self._read_other(reading if self._other.of_region else body)
        (beside,) = leaf.inner
        if value is not None and value != leaf.value:
            stands = self._equals is None or value == self._equals
            leaf.value, leaf.changed_at, leaf.window = value, now if stands else _NEVER, b""
            beside.value = other if stands else None
        elif leaf.changed_at and other is not None and other != beside.value:
            if beside.value is not None:
                leaf.window = INSTANT.pack(min(_count(leaf) + 1, self._at_least))
            beside.value = other
        leaf.truth = self._holds(leaf, now)

    def due(self, leaf: Leaf, _heard: Heard) -> Microseconds:
        waits = not leaf.truth and leaf.changed_at and _count(leaf) >= self._at_least
        return leaf.changed_at + self._lasting if waits else _NEVER

    def expire(self, leaf: Leaf, now: Microseconds, _heard: Heard) -> None:
        leaf.truth = self._holds(leaf, now)

    def rests(self, leaf: Leaf, _now: Microseconds) -> bool:
        """Tell whether a new memory would say the same as ``leaf`` from here on."""
        return not leaf.changed_at

    def tell(self, leaf: Leaf) -> Sentence:
        zh, en, _ = signal_names(self._own.name)
        if not leaf.truth:
            return f"「{zh}」信号未见卡滞", f"signal “{en}” not seen to be stuck"
        said_zh, said_en = value_said(self._own.name, leaf.value)
        other_zh, other_en, _ = signal_names(self._other.name)
        return (
            f"「{said_zh}」一直未变，期间{other_zh}至少变化 {self._at_least} 次",
            f"“{said_en}” unchanged over at least {self._at_least} changes of {other_en}",
        )

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        if not leaf.truth or leaf.value is None:
            return {}
        return {self._own.name: leaf.value, f"{self._other.name}_changes": self._at_least}

    def _holds(self, leaf: Leaf, now: Microseconds) -> bool:
        return _count(leaf) >= self._at_least and now >= leaf.changed_at + self._lasting


def _count(leaf: Leaf) -> int:
    return INSTANT.unpack(leaf.window)[0] if leaf.window else 0
