"""Conditions on signals: thresholds with hysteresis, states, rates of change over a window, and changes within one."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from alerts.memory import Heard, Leaf, Microseconds
from alerts.rules.conditions import Change, Rate, State, Threshold
from alerts.rules.signals import Signal, event_fields, signals_of
from alerts.watches.limits import Figure
from alerts.watches.watch import OwnWatch, Reading, Sentence
from alerts.watches.windows import SAMPLE, newest, sample_at, samples_since
from alerts.words import signal_names, span_names, value_names, value_said
from core.clock import to_microseconds
from core.devices import Channel, DeviceKind
from core.durations import microseconds
from core.observations import Observation

Test = Callable[[Any, bool], bool]
"""Whether a value meets the condition, given whether the one before did."""

_MINUTE = 60_000_000
# How many samples a window keeps: enough to place its beginning to a sixteenth, few enough for 64 regions.
_SAMPLES = 16
# Stands between values written in a row; no floor or state contains it.
_BETWEEN = "\x1f"


class SignalWatch(OwnWatch):
    """A threshold or a state: a test on the newest value; a change counts after ``confirm``."""

    def __init__(self, signal: Signal, kind: DeviceKind, code: str, test: Test, *, begin: bool, confirm: int) -> None:
        self.code = code
        self.signal = signal
        self.channels = channels_of(signal, kind)
        self.timed = confirm > 0
        self._read: Callable[[Any], Any] = attrgetter(signal.name)
        self._test = test
        self._begin = begin
        self._confirm = confirm

    @property
    def compares(self) -> tuple[str, ...] | None:
        return (self.signal.name,)

    def begin(self) -> Leaf:
        return Leaf(truth=self._begin, raw=self._begin)

    def settled(self, value: Any) -> Leaf:
        """Return the memory once ``value`` has stood for long, after nothing that mattered; ``None``: never sent."""
        raw = self._begin if value is None else self._test(value, self._begin)
        return Leaf(truth=raw, raw=raw, value=value)

    def is_settled(self, leaf: Leaf, value: Any) -> bool:
        """Tell whether ``leaf`` is what `settled` returns for ``value``."""
        raw = self._begin if value is None else self._test(value, self._begin)
        return leaf.raw is raw and leaf.truth is raw and not leaf.flips_at and leaf.value == value

    def observe(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, _heard: Heard) -> None:
        value = self._read(reading if self.signal.of_region else observation.body)
        if value is None:
            return
        leaf.value = value
        raw = self._test(value, leaf.raw)
        if raw is leaf.raw:
            return
        turn(leaf, now, self._confirm, raw=raw)

    def due(self, leaf: Leaf, _heard: Heard) -> Microseconds:
        return leaf.flips_at

    def expire(self, leaf: Leaf, now: Microseconds, _heard: Heard) -> None:
        if 0 < leaf.flips_at <= now:
            leaf.truth, leaf.flips_at = leaf.raw, 0

    def tell(self, leaf: Leaf) -> Sentence:
        return value_said(self.signal.name, leaf.value)

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        return {} if leaf.value is None else {self.signal.name: leaf.value}


class RateWatch(OwnWatch):
    """How fast a signal rises, per minute, by the device's own time: from the window's oldest value to the newest."""

    def __init__(self, rate: Rate, signal: Signal, kind: DeviceKind, figure: Figure) -> None:
        self.code = "rate"
        self.timed = False
        self.signal = signal
        self.channels = channels_of(signal, kind)
        self._read: Callable[[Any], Any] = attrgetter(signal.name)
        self._above = figure(rate.above)
        self._clear = self._above if rate.clear is None else min(figure(rate.clear), self._above)
        self._confirm = microseconds(rate.confirm)
        self._window = microseconds(rate.window)
        self._step = self._window // _SAMPLES

    @property
    def samples(self) -> str | None:
        return self.signal.name

    def begin(self) -> Leaf:
        return Leaf()

    def observe(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, _heard: Heard) -> None:
        value = self._read(reading if self.signal.of_region else observation.body)
        if value is None:
            return
        at = min(to_microseconds(observation.at), now)
        samples = samples_since(leaf.window, at - self._window)
        step = at - newest(samples)[0] if samples else self._window
        if step < -self._step:
            samples = b""  # The device's clock was set back: what it stamped before says nothing of the time since.
            step = self._window
        if not samples:
            leaf.raw, leaf.flips_at = leaf.truth, 0  # What was to be confirmed did not last: it was not seen to.
        if samples:
            since, then = sample_at(samples)
            # Half a window is the least that can be trusted: over less, the sensor's noise looks like a rise.
            if at - since >= self._window // 2:
                rate = (value - then) * _MINUTE / (at - since)
                leaf.value = round(rate, 3)
                before = leaf.raw if self._confirm else leaf.truth
                self._answer(leaf, now, raw=rate > (self._clear if before else self._above))
        if step >= self._step:
            samples += SAMPLE.pack(at, value)
        leaf.window = samples

    def _answer(self, leaf: Leaf, now: Microseconds, *, raw: bool) -> None:
        """Let ``raw`` be the answer once it has lasted; by values alone, since between them no rate is known."""
        if not self._confirm or raw is not leaf.raw:
            turn(leaf, now, self._confirm, raw=raw)
        elif 0 < leaf.flips_at <= now:
            leaf.truth, leaf.flips_at = raw, 0

    def due(self, _leaf: Leaf, _heard: Heard) -> Microseconds:
        return 0

    def expire(self, _leaf: Leaf, _now: Microseconds, _heard: Heard) -> None:
        """Time alone changes nothing: without values the rate is not known, and the answer stays."""

    def tell(self, leaf: Leaf) -> Sentence:
        zh, en, unit = signal_names(self.signal.name)
        if leaf.value is None:
            return f"{zh}的变化未知", f"{en}: change not known"
        rate = value_names(leaf.value)[0]
        return f"{zh}每分钟上升 {rate}{unit}", f"{en} rising by {rate}{unit} a minute"

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        return {} if leaf.value is None else {f"{self.signal.name}_per_minute": leaf.value}


class ChangeWatch(OwnWatch):
    """How far the newest value lies above the lowest (below the highest) of a window, by the device's own time.

    Of the window only those samples are kept that can still be its lowest (highest): each lies above (below) the one
    before it. A value that comes less than a sixteenth of the window after the last one kept is left out, unless it
    lies beyond that; so the window may end a sixteenth too early, and the memory is bounded.
    """

    code = "change"
    timed = False

    def __init__(self, change: Change, signal: Signal, kind: DeviceKind, figure: Figure) -> None:
        limit = change.falls_by if change.rises_by is None else change.rises_by
        if limit is None:
            raise ValueError("a change without a limit passed the checks")
        self.signal = signal
        self.channels = channels_of(signal, kind)
        self._read: Callable[[Any], Any] = attrgetter(signal.name)
        self._sign = -1.0 if change.rises_by is None else 1.0
        self._limit = figure(limit)
        self._clear = self._limit if change.clear is None else min(figure(change.clear), self._limit)
        self._within = microseconds(change.within)
        self._step = self._within // _SAMPLES

    @property
    def samples(self) -> str | None:
        return self.signal.name

    def begin(self) -> Leaf:
        return Leaf()

    def observe(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, _heard: Heard) -> None:
        value = self._read(reading if self.signal.of_region else observation.body)
        if value is None:
            return
        at = min(to_microseconds(observation.at), now)
        samples = samples_since(leaf.window, at - self._within)
        if samples and newest(samples)[0] > at + self._step:
            samples = b""  # The device's clock was set back, as for a rate.
        while samples and self._sign * (newest(samples)[1] - value) >= 0:
            samples = samples[: -SAMPLE.size]
        if not samples or at - newest(samples)[0] >= self._step:
            samples += SAMPLE.pack(at, value)
        leaf.window = samples
        change = round(self._sign * (value - sample_at(samples)[1]), 3)
        leaf.value = change
        leaf.truth = change >= (self._clear if leaf.truth else self._limit)

    def due(self, _leaf: Leaf, _heard: Heard) -> Microseconds:
        return 0

    def expire(self, _leaf: Leaf, _now: Microseconds, _heard: Heard) -> None:
        """Time alone changes nothing: without values the change is not known, and the answer stays."""

    def tell(self, leaf: Leaf) -> Sentence:
        zh, en, unit = signal_names(self.signal.name)
        span_zh, span_en = span_names(self._within)
        if leaf.value is None:
            return f"{zh}的变化未知", f"{en}: change not known"
        change = value_names(leaf.value)[0]
        verb_zh, verb_en = ("上升", "risen") if self._sign > 0 else ("下降", "fallen")
        return f"{zh} {span_zh}内{verb_zh} {change}{unit}", f"{en} {verb_en} by {change}{unit} within {span_en}"

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        if leaf.value is None:
            return {}
        name = "rise" if self._sign > 0 else "fall"
        return {f"{self.signal.name}_{name}": leaf.value, "within_seconds": self._within / 1_000_000}


class ValueChangeWatch(OwnWatch):
    """Whether one of several signals took another value within a time (ours).

    ``flips_at`` is when the last change is too old.
    """

    code = "change"
    timed = True

    def __init__(self, change: Change, kind: DeviceKind) -> None:
        self._signals = [signals_of(kind)[name] for name in (change.signal, *change.others)]
        self.channels = frozenset[Channel]().union(*(channels_of(signal, kind) for signal in self._signals))
        self._names = [signal.name for signal in self._signals]
        self._of_region = self._signals[0].of_region
        self._within = microseconds(change.within)

    @property
    def compares(self) -> tuple[str, ...] | None:
        return tuple(self._names)

    def begin(self) -> Leaf:
        return Leaf()

    def observe(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, _heard: Heard) -> None:
        if take_values(leaf, self._names, reading if self._of_region else observation.body):
            leaf.truth, leaf.flips_at = True, now + self._within

    def due(self, leaf: Leaf, _heard: Heard) -> Microseconds:
        return leaf.flips_at

    def expire(self, leaf: Leaf, now: Microseconds, _heard: Heard) -> None:
        if 0 < leaf.flips_at <= now:
            leaf.truth, leaf.flips_at = False, 0

    def tell(self, leaf: Leaf) -> Sentence:
        names = [signal_names(signal.name) for signal in self._signals]
        zh, en = "、".join(name[0] for name in names), ", ".join(name[1] for name in names)
        span_zh, span_en = span_names(self._within)
        if leaf.truth:
            return f"{zh} {span_zh}内有变化", f"{en} changed within {span_en}"
        return f"{zh} {span_zh}内无变化", f"{en} unchanged for {span_en}"

    def facts(self, _leaf: Leaf) -> dict[str, str | float | int | bool]:
        return {"within_seconds": self._within / 1_000_000}


def take_values(leaf: Leaf, names: list[str], source: Reading) -> bool:
    """Take the values of ``names`` that ``source`` has into ``leaf``; tell whether any of them is another than before.

    ``leaf.value`` are the newest of all of them, written in a row.
    """
    # An event says some of them at most.
    values = [_written(getattr(source, name, None)) for name in names]
    row = _BETWEEN.join(values)
    if leaf.value == row:
        return False
    if not isinstance(leaf.value, str):
        leaf.value = row
        return False
    before = leaf.value.split(_BETWEEN)
    leaf.value = _BETWEEN.join(value or known for known, value in zip(before, values, strict=True))
    return any(known and value and known != value for known, value in zip(before, values, strict=True))


def _written(value: Any) -> str:
    if isinstance(value, float):
        value += 0.0  # So that -0.0 is no other value than 0.0.
    return "" if value is None else str(value)


def turn(leaf: Leaf, now: Microseconds, confirm: Microseconds, *, raw: bool) -> None:
    """Let ``leaf`` take another answer of the newest message, which counts once it has lasted for ``confirm``."""
    leaf.raw = raw
    if not confirm:
        leaf.truth = raw
    else:
        leaf.flips_at = now + confirm if raw is not leaf.truth else 0


def threshold_watch(condition: Threshold, signal: Signal, kind: DeviceKind, figure: Figure) -> SignalWatch:
    """Return the watch of a threshold; its tests are closures over plain numbers, because they run on every message."""
    confirm = microseconds(condition.confirm)
    if condition.above is not None:
        limit = figure(condition.above)
        test = _above(limit, limit if condition.clear is None else min(figure(condition.clear), limit))
    elif condition.below is not None:
        limit = figure(condition.below)
        test = _below(limit, limit if condition.clear is None else max(figure(condition.clear), limit))
    else:
        raise ValueError("a threshold without a limit passed the checks")
    return SignalWatch(signal, kind, "threshold", test, begin=False, confirm=confirm)


def state_watch(condition: State, signal: Signal, kind: DeviceKind) -> SignalWatch:
    """Return the watch of a state; ``not_in`` begins true: what was never sent is not known to be one of them."""
    confirm = microseconds(condition.confirm)
    if condition.none_of is not None:
        return SignalWatch(signal, kind, "state", _outside(frozenset(condition.none_of)), begin=True, confirm=confirm)
    values = [condition.equals] if condition.one_of is None else condition.one_of
    return SignalWatch(signal, kind, "state", _inside(frozenset(values)), begin=False, confirm=confirm)


def channels_of(signal: Signal, kind: DeviceKind) -> frozenset[Channel]:
    """Return the channels on which ``signal`` is told."""
    # A lift also says its mode and its floor with an event (`mode_changed`); what it says last counts.
    told_by_events = kind is DeviceKind.ELEVATOR and signal.name in event_fields(kind)
    return frozenset({Channel.TELEMETRY, Channel.EVENT} if told_by_events else {Channel.TELEMETRY})


def _above(limit: float, clear: float) -> Test:
    return lambda value, before: value > (clear if before else limit)


def _below(limit: float, clear: float) -> Test:
    return lambda value, before: value < (clear if before else limit)


def _inside(values: frozenset[object]) -> Test:
    return lambda value, _before: value in values


def _outside(values: frozenset[object]) -> Test:
    return lambda value, _before: value not in values
