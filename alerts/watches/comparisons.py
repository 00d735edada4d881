"""Conditions that compare a device: with its own past, or with another of its kind."""

from collections.abc import Callable
from math import isnan, nan
from operator import attrgetter
from statistics import median
from typing import Any

from alerts.memory import Heard, Leaf, Microseconds, Past
from alerts.rules.conditions import Compare, Growth, Stay
from alerts.rules.signals import Signal, signals_of
from alerts.watches.limits import Figure
from alerts.watches.readings import channels_of
from alerts.watches.watch import OwnWatch, Reading, Sentence
from alerts.watches.windows import DAY, INSTANT, VALUE, days_of, pack_values, values_of
from alerts.words import signal_names, value_names
from core.clock import to_microseconds
from core.devices import DeviceKind
from core.durations import microseconds
from core.observations import Observation
from core.wire.payloads import ThermalTelemetry

Beyond = Callable[[float, float, bool], bool]
"""Whether a value lies beyond another, given whether it did before."""

_DAY = 86_400_000_000
_NEVER = 0
# Ours: the median of 32 of a day's samples, evenly taken, lies within a few per cent of the median of all.
_KEPT_A_DAY = 32
# Ours: a working week of days, so that neither a weekend nor one odd day makes the past.
AT_LEAST_DAYS = 7
# Ours: three of five door times must be long, so one obstructed closing raises nothing.
OVER = 5
# Twice the five minutes of silence after which devices count as missing.
_STALE_AFTER = "10m"


class PastWatch(OwnWatch):
    """The median of the newest samples beside the median of the days before."""

    code = "compare"
    timed = False

    def __init__(self, condition: Compare, kind: DeviceKind, figure: Figure) -> None:
        self._stay = condition.duration_of
        self.signal = _signal(condition, kind)
        self.channels = channels_of(self.signal, kind)
        self._read: Callable[[Any], Any] = attrgetter(self.signal.name)
        values = [] if self._stay is None else sorted(map(str, self._stay.values))
        self._of = " ".join([self.signal.name, *values])
        self._values = frozenset[object](self._stay.values if self._stay is not None else ())
        self._beyond = beyond_test(condition, figure)
        self._days = microseconds(condition.past) // _DAY
        self._at_least_days = AT_LEAST_DAYS if condition.at_least_days is None else condition.at_least_days
        self._over = OVER if condition.over is None else condition.over

    @property
    def compares(self) -> tuple[str, ...] | None:
        return None if self._stay is None else (self.signal.name,)

    @property
    def samples(self) -> str | None:
        return self.signal.name if self._stay is None else None

    def begin(self) -> Leaf:
        return Leaf(past=Past(of=self._of))

    def observe(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, _heard: Heard) -> None:
        value = self._read(reading if self.signal.of_region else observation.body)
        if self._stay is not None:
            value = self._stayed(leaf, value, observation, now)
        self.compare(leaf, value, now)

    def compare(self, leaf: Leaf, value: float | None, now: Microseconds) -> None:
        """Take a sample, and compare the newest ones with the days before."""
        past = leaf.past
        if value is None or past is None:
            return
        self._take(past, float(value), now // _DAY)
        if _days(past) >= self._at_least_days and len(past.recent) >= self._over * VALUE.size:
            newest = median(values_of(past.recent))
            leaf.value = round(newest, 3)
            leaf.truth = self._beyond(newest, past.usual, leaf.truth)

    def due(self, _leaf: Leaf, _heard: Heard) -> Microseconds:
        return _NEVER

    def expire(self, _leaf: Leaf, _now: Microseconds, _heard: Heard) -> None:
        """Time alone changes nothing: what is compared are samples."""

    def tell(self, leaf: Leaf) -> Sentence:
        zh, en, unit = self._names()
        if leaf.value is None or leaf.past is None:
            return f"{zh}尚无可比的过去", f"{en}: no past to compare with yet"
        usual = f"{leaf.past.usual:.4g}{unit}"
        days = _days(leaf.past)
        return (
            f"{zh} {leaf.value:.4g}{unit}，此前 {days} 天的中位数为 {usual}",
            f"{en} {leaf.value:.4g}{unit}, the median of {days} days before is {usual}",
        )

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        if leaf.value is None or leaf.past is None:
            return {}
        name = self.signal.name if self._stay is None else f"{self.signal.name}_stay_seconds"
        return {name: leaf.value, "usual": round(leaf.past.usual, 3), "days": _days(leaf.past)}

    def _names(self) -> tuple[str, str, str]:
        zh, en, unit = signal_names(self.signal.name)
        if self._stay is None:
            return zh, en, unit
        named = [value_names(value) for value in self._stay.values]
        values_zh, values_en = "/".join(zh for zh, _ in named), "/".join(en for _, en in named)
        return f"{zh}处于{values_zh}的时间", f"time of {en} {values_en}", " s"

    def _stayed(self, leaf: Leaf, value: object, observation: Observation, now: Microseconds) -> float | None:
        """Return the seconds of a stay that this message ends; one whose beginning was not seen has none."""
        if value is None:
            return None
        inside, known = value in self._values, bool(leaf.window)
        if inside is leaf.raw and known:
            return None
        at, began = min(to_microseconds(observation.at), now), leaf.changed_at
        leaf.raw, leaf.window = inside, INSTANT.pack(at)
        leaf.changed_at = at if inside and known else _NEVER
        return None if inside or not began or at < began else (at - began) / 1_000_000

    def _take(self, past: Past, value: float, day: int) -> None:
        if day > past.day:
            self._turn(past, day)
        packed = VALUE.pack(value)
        if past.seen % past.stride == 0:
            if len(past.kept) >= _KEPT_A_DAY * VALUE.size:
                past.kept = pack_values(values_of(past.kept)[::2])
                past.stride *= 2
            past.kept += packed
        past.seen += 1
        past.recent = (past.recent + packed)[-self._over * VALUE.size :]

    def _turn(self, past: Past, day: int) -> None:
        """Let the running day be one of those before, and ``day`` the running one."""
        if past.kept:
            past.days += DAY.pack(past.day, median(values_of(past.kept)))
        while past.days and DAY.unpack_from(past.days)[0] < day - self._days:
            past.days = past.days[DAY.size :]
        past.usual = median(usual for _, usual in days_of(past.days)) if past.days else 0.0
        past.day, past.seen, past.stride, past.kept = day, 0, 1, b""


class GrowthWatch(PastWatch):
    """Growth of one counter for each growth of another, which need not come in the same message.

    ``window`` holds both where the running sample began, then the newest of both; `nan` stands for never told.
    """

    def __init__(self, condition: Compare, growth: Growth, kind: DeviceKind, figure: Figure) -> None:
        super().__init__(condition, kind, figure)
        self._counters = (growth.signal, growth.per)
        self._both: Callable[[Any], tuple[float | None, float | None]] = attrgetter(*self._counters)
        self._each = growth.each
        self._of = f"{growth.signal} per {growth.each} {growth.per}"

    @property
    def compares(self) -> tuple[str, ...] | None:
        return self._counters

    @property
    def samples(self) -> str | None:
        return None

    def observe(
        self, leaf: Leaf, observation: Observation, _reading: Reading, now: Microseconds, _heard: Heard
    ) -> None:
        told = self._both(observation.body)
        if told == (None, None):
            return
        kept = values_of(leaf.window) or [nan, nan]
        began, known = kept[:2], kept[-2:]
        newest = [before if value is None else value for value, before in zip(told, known, strict=True)]
        own, per = newest
        if isnan(began[0]) or isnan(began[1]) or own < began[0] or per < began[1]:
            began = newest
        elif per - began[1] >= self._each:
            self.compare(leaf, (own - began[0]) / (per - began[1]), now)
            began = newest
        leaf.window = pack_values([*began, *newest])

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        facts = super().facts(leaf)
        return {"_per_".join(self._counters) if name == self._counters[0] else name: facts[name] for name in facts}

    def _names(self) -> tuple[str, str, str]:
        (zh, en, _), (per_zh, per_en, _) = (signal_names(name) for name in self._counters)
        return f"{zh}与{per_zh}之比", f"{en} for each of {per_en}", ""


class PeerWatch(OwnWatch):
    """The newest value beside the newest of another device; ``inner`` holds both, with when (ours) they came."""

    code = "compare"
    timed = False

    def __init__(self, condition: Compare, kind: DeviceKind, figure: Figure) -> None:
        self.signal = _signal(condition, kind)
        self.channels = channels_of(self.signal, kind)
        self._peer = condition.peer or ""
        self._read: Callable[[Any], Any] = attrgetter(self.signal.name)
        self._beyond = beyond_test(condition, figure)
        self._above = condition.above_times is not None or condition.above_by is not None
        self._stale_after = microseconds(condition.stale_after or _STALE_AFTER)

    @property
    def peers(self) -> frozenset[str]:
        return frozenset({self._peer})

    def begin(self) -> Leaf:
        return Leaf(inner=(Leaf(), Leaf()))

    def observe(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, _heard: Heard) -> None:
        self._take(leaf, 0, self._read(reading if self.signal.of_region else observation.body), now)

    def observe_peer(self, leaf: Leaf, observation: Observation, now: Microseconds) -> None:
        if observation.channel in self.channels:
            self._take(leaf, 1, self._read_peer(observation.body), now)

    def due(self, _leaf: Leaf, _heard: Heard) -> Microseconds:
        return _NEVER

    def expire(self, _leaf: Leaf, _now: Microseconds, _heard: Heard) -> None:
        """Time alone changes nothing: a value that grows stale is compared no more, and the answer stays."""

    def tell(self, leaf: Leaf) -> Sentence:
        zh, en, unit = signal_names(self.signal.name)
        own, others = (value_names(inner.value)[0] if inner.value is not None else "?" for inner in leaf.inner)
        return f"{zh} {own}{unit}，{self._peer} 为 {others}{unit}", f"{en} {own}{unit}, {self._peer} has {others}{unit}"

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        facts: dict[str, str | float | int | bool] = {"peer": self._peer}
        for name, inner in zip((self.signal.name, f"peer_{self.signal.name}"), leaf.inner, strict=True):
            if inner.value is not None:
                facts[name] = inner.value
        return facts

    def _read_peer(self, body: Any) -> float | None:
        if not self.signal.of_region:
            value: float | None = self._read(body)
            return value
        if not isinstance(body, ThermalTelemetry) or body.shutter_closed:
            return None
        values = [value for region in body.regions if (value := self._read(region)) is not None]
        return (max if self._above else min)(values, default=None)

    def _take(self, leaf: Leaf, side: int, value: float | None, now: Microseconds) -> None:
        if value is None:
            return
        leaf.inner[side].value, leaf.inner[side].changed_at = value, now
        own, others = leaf.inner
        fresh = now - self._stale_after
        if own.changed_at < fresh or others.changed_at < fresh:
            return
        if isinstance(own.value, int | float) and isinstance(others.value, int | float):
            leaf.truth = self._beyond(own.value, others.value, leaf.truth)


def _days(past: Past) -> int:
    return len(past.days) // DAY.size


def _signal(condition: Compare, kind: DeviceKind) -> Signal:
    stay: Stay | None = condition.duration_of
    name = condition.signal if stay is None else stay.signal
    if condition.growth_of is not None:
        name = condition.growth_of.signal
    return signals_of(kind)[name or ""]


def beyond_test(condition: Compare, figure: Figure) -> Beyond:
    if condition.above_times is not None:
        limit, clear = _limits(condition.above_times, condition, figure, min)
        return lambda value, other, before: value > other * (clear if before else limit)
    if condition.below_times is not None:
        limit, clear = _limits(condition.below_times, condition, figure, max)
        return lambda value, other, before: value < other * (clear if before else limit)
    if condition.above_by is not None:
        limit, clear = _limits(condition.above_by, condition, figure, min)
        return lambda value, other, before: value > other + (clear if before else limit)
    if condition.below_by is not None:
        limit, clear = _limits(condition.below_by, condition, figure, min)
        return lambda value, other, before: value < other - (clear if before else limit)
    raise ValueError("a comparison without a limit passed the checks")


def _limits(
    limit: Any, condition: Compare, figure: Figure, nearer: Callable[[float, float], float]
) -> tuple[float, float]:
    number = figure(limit)
    return number, number if condition.clear is None else nearer(figure(condition.clear), number)
