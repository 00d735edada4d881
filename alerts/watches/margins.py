"""Thresholds whose limit hangs on another signal of the same device: so much above the temperature of the place."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from alerts.memory import Heard, Leaf, Microseconds
from alerts.rules.conditions import Limit, Reference, Threshold
from alerts.rules.signals import signals_of
from alerts.watches.limits import Figure
from alerts.watches.readings import turn
from alerts.watches.watch import OwnWatch, Reading, Sentence
from alerts.words import signal_names, value_names
from core.devices import Channel, DeviceKind
from core.durations import microseconds
from core.observations import Observation

Line = Callable[[float | None], float | None]
"""The limit beside a value of the other signal, ``None`` where that was never sent and nothing stands for it."""


class MarginWatch(OwnWatch):
    """The newest value of a signal beside the newest of another, which ``inner`` remembers.

    Both may come in different messages. Until the limit is known, the answer stays as it began.
    """

    code = "threshold"
    channels = frozenset({Channel.TELEMETRY})

    def __init__(self, condition: Threshold, kind: DeviceKind, figure: Figure) -> None:
        limit = condition.below if condition.above is None else condition.above
        if limit is None or (name := other_signal(condition)) is None:
            raise ValueError("a threshold without such a limit passed the checks")
        self._own, self._other = signals_of(kind)[condition.signal], signals_of(kind)[name]
        self._read: Callable[[Any], Any] = attrgetter(self._own.name)
        self._read_other: Callable[[Any], Any] = attrgetter(self._other.name)
        self._above = condition.above is not None
        self._limit = _line(limit, figure)
        self._clear = self._limit if condition.clear is None else _line(condition.clear, figure)
        self._confirm = microseconds(condition.confirm)
        self.timed = self._confirm > 0

    @property
    def compares(self) -> tuple[str, ...] | None:
        return (self._own.name, self._other.name)

    def begin(self) -> Leaf:
        return Leaf(inner=(Leaf(),))

    def observe(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, _heard: Heard) -> None:
        (beside,) = leaf.inner
        other = self._read_other(reading if self._other.of_region else observation.body)
        value = self._read(reading if self._own.of_region else observation.body)
        beside.value = beside.value if other is None else other
        leaf.value = leaf.value if value is None else value
        raw = self._test(leaf.value, beside.value, before=leaf.raw)
        if raw is not leaf.raw:
            turn(leaf, now, self._confirm, raw=raw)

    def due(self, leaf: Leaf, _heard: Heard) -> Microseconds:
        return leaf.flips_at

    def expire(self, leaf: Leaf, now: Microseconds, _heard: Heard) -> None:
        if 0 < leaf.flips_at <= now:
            leaf.truth, leaf.flips_at = leaf.raw, 0

    def tell(self, leaf: Leaf) -> Sentence:
        (zh, en, unit), (other_zh, other_en, _) = (signal_names(each.name) for each in (self._own, self._other))
        if leaf.value is None:
            return f"{zh} 未上报", f"{en} never sent"
        value, other = value_names(leaf.value)[0], leaf.inner[0].value
        if other is None:
            return f"{zh} {value}{unit}（{other_zh}未上报）", f"{en} {value}{unit} ({other_en} never sent)"
        beside = f"{value_names(other)[0]}{unit}"
        return f"{zh} {value}{unit}（{other_zh} {beside}）", f"{en} {value}{unit} ({other_en} {beside})"

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        known = {self._own.name: leaf.value, self._other.name: leaf.inner[0].value}
        return {name: value for name, value in known.items() if value is not None}

    def _test(self, value: Any, other: Any, *, before: bool) -> bool:
        limit, clear = self._limit(other), self._clear(other)
        if value is None or limit is None or clear is None:
            return before
        if self._above:
            return bool(value > (min(clear, limit) if before else limit))
        return bool(value < (max(clear, limit) if before else limit))


def other_signal(condition: Threshold) -> str | None:
    """Return the signal that ``condition`` compares with; ``None`` where its limits are numbers and attributes."""
    limits = (condition.above, condition.below, condition.clear)
    return next((limit.signal for limit in limits if isinstance(limit, Reference) and limit.signal is not None), None)


def _line(limit: Limit, figure: Figure) -> Line:
    if not isinstance(limit, Reference) or limit.signal is None:
        number = figure(limit)
        return lambda _other: number
    times, plus, otherwise = limit.times, limit.plus, limit.otherwise
    return lambda other: otherwise if other is None else other * times + plus
