"""Conditions that count within a window: events, and how fast one counter grows beside another."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from alerts.memory import Heard, Leaf, Microseconds
from alerts.rules.conditions import Count, Ratio
from alerts.watches.events import EventFilter, event_of, identity
from alerts.watches.limits import Figure
from alerts.watches.watch import OwnWatch, Reading, Sentence
from alerts.watches.windows import (
    INSTANT,
    KNOWN,
    SAMPLE,
    known,
    mark_of,
    newest,
    pack_known,
    sample_at,
    samples_since,
    value_then,
)
from alerts.words import FAULT_SEPARATOR, event_names, signal_names, span_names
from core.code_lists import meaning_of
from core.devices import Channel
from core.durations import microseconds
from core.observations import Observation

# A device that reports endless different faults must not eat memory; the oldest is forgotten, and would count again.
_KNOWN_AT_MOST = 24
# What tells that a fault or an episode is over: the same one after that is another.
_ENDS = frozenset({"fault_cleared", "faults_cleared", "episode_ended", "controller_restored"})
# How many values a window keeps: enough to place its beginning to a sixteenth.
_SAMPLES = 16
# Ours: a gateway that goes on telling what stands does so every minute or few.
_REPEAT_AFTER = "5m"
_NEVER = 0


class CountWatch(OwnWatch):
    """Holds while enough events are in the window; ``opened`` knows until when a fault told again is the same one.

    Only the newest ``at_least`` are remembered: more of them change nothing.
    """

    code = "count"
    channels = frozenset({Channel.EVENT})
    timed = True

    def __init__(self, condition: Count) -> None:
        self._filter = EventFilter(condition.of)
        self._at_least = condition.at_least
        self._clear_below = condition.clear_below or condition.at_least
        self._within = microseconds(condition.within)
        self._repeat_after = min(microseconds(condition.repeat_after or _REPEAT_AFTER), self._within)

    @property
    def compares(self) -> tuple[str, ...] | None:
        return ()

    def begin(self) -> Leaf:
        return Leaf()

    def observe(self, leaf: Leaf, observation: Observation, _reading: Reading, now: Microseconds, heard: Heard) -> None:
        event = event_of(observation.body)
        if event is None:
            return
        name = identity(event)
        if not self._filter.accepts(event):
            if event.type in _ENDS:
                self._forget_one(leaf, name)
            return
        if name and self._knows(leaf, name, now):
            return
        leaf.value = name if FAULT_SEPARATOR in name else event.type.value
        leaf.window = (leaf.window + INSTANT.pack(now))[-self._at_least * INSTANT.size :]
        self.expire(leaf, now, heard)

    def due(self, leaf: Leaf, _heard: Heard) -> Microseconds:
        if not leaf.window:
            return _NEVER
        left = self._clear_below if leaf.truth else 1
        instant: Microseconds = INSTANT.unpack_from(leaf.window, len(leaf.window) - left * INSTANT.size)[0]
        return instant + self._within

    def expire(self, leaf: Leaf, now: Microseconds, _heard: Heard) -> None:
        while leaf.window and INSTANT.unpack_from(leaf.window)[0] + self._within <= now:
            leaf.window = leaf.window[INSTANT.size :]
        leaf.truth = _number(leaf) >= (self._clear_below if leaf.truth else self._at_least)
        if not leaf.window:
            leaf.opened, leaf.value = b"", None

    def forget(self, leaf: Leaf) -> None:
        leaf.truth, leaf.value, leaf.window = False, None, b""

    def tell(self, leaf: Leaf) -> Sentence:
        zh, en = span_names(self._within)
        if not leaf.truth:
            return f"{zh}内不到 {self._at_least} 次", f"fewer than {self._at_least} within {en}"
        last_zh, last_en = event_names(str(leaf.value), str(leaf.value))
        return (
            f"{zh}内至少 {_number(leaf)} 次，最近一次：{last_zh}",
            f"at least {_number(leaf)} within {en}, the last: {last_en}",
        )

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        facts: dict[str, str | float | int | bool] = {"count": _number(leaf)}
        source, separator, code = str(leaf.value).partition(FAULT_SEPARATOR)
        if separator:
            facts |= {"source": source, "code": code, "fault": meaning_of(source, code).kind.value}
        elif leaf.value is not None:
            facts["event"] = leaf.value
        return facts

    def _knows(self, leaf: Leaf, name: str, now: Microseconds) -> bool:
        """Remember that ``name`` was told ``now``; tell whether it is the one that is known already."""
        marks, mark = known(leaf.opened), mark_of(name)
        same_until = marks.pop(mark, _NEVER)
        marks[mark] = now + self._repeat_after
        leaf.opened = pack_known(marks)[-_KNOWN_AT_MOST * KNOWN.size :]
        return same_until > now

    def _forget_one(self, leaf: Leaf, name: str) -> None:
        marks = known(leaf.opened)
        if name.endswith(FAULT_SEPARATOR):
            marks.clear()  # The end of all faults of a source; a mark does not tell of which source it is.
        marks.pop(mark_of(name), None)
        leaf.opened = pack_known(marks)


class RatioWatch(OwnWatch):
    """Growth of one counter for each growth of another, over the part of the window that both are known for."""

    code = "ratio"
    channels = frozenset({Channel.TELEMETRY})
    timed = False

    def __init__(self, condition: Ratio, figure: Figure) -> None:
        self.names = (condition.signal, condition.per)
        self._read: Callable[[Any], Any] = attrgetter(*self.names)
        self._above = figure(condition.above)
        self._clear = self._above if condition.clear is None else min(figure(condition.clear), self._above)
        self._window = microseconds(condition.within)
        self._step = self._window // _SAMPLES
        self._at_least = condition.at_least

    def begin(self) -> Leaf:
        return Leaf(inner=(Leaf(),))

    def observe(
        self, leaf: Leaf, observation: Observation, _reading: Reading, now: Microseconds, _heard: Heard
    ) -> None:
        value, other = self._read(observation.body)
        beside = leaf.inner[0]
        samples, others = leaf.window, beside.window
        if _repeats(samples, value, now - self._step) and _repeats(others, other, now - self._step):
            return
        if _fell(samples, value) or _fell(others, other):
            samples = others = b""
        leaf.window, beside.window = self._take(samples, value, now), self._take(others, other, now)
        if leaf.window and beside.window:
            self._judge(leaf, beside.window, now)

    def due(self, _leaf: Leaf, _heard: Heard) -> Microseconds:
        return _NEVER

    def expire(self, _leaf: Leaf, _now: Microseconds, _heard: Heard) -> None:
        """Time alone changes nothing: without counters the ratio is not known, and the answer stays."""

    def tell(self, leaf: Leaf) -> Sentence:
        (zh, en, _), (per_zh, per_en, _) = (signal_names(name) for name in self.names)
        span_zh, span_en = span_names(self._window)
        ratio = "?" if leaf.value is None else f"{leaf.value:g}"
        return (
            f"{span_zh}内{zh}与{per_zh}之比为 {ratio}",
            f"{en} for each of {per_en} within {span_en}: {ratio}",
        )

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        return {} if leaf.value is None else {f"{self.names[0]}_per_{self.names[1]}": leaf.value}

    def _take(self, window: bytes, value: float | None, now: Microseconds) -> bytes:
        """Return the window with the newest value at its end; between the others lies a sixteenth of it at least."""
        window = samples_since(window, now - self._window + 1)
        if value is None:
            return window
        before = window[: -SAMPLE.size]
        if before and newest(window)[0] - newest(before)[0] < self._step:
            window = before
        return window + SAMPLE.pack(now, value)

    def _judge(self, leaf: Leaf, others: bytes, now: Microseconds) -> None:
        since = max(sample_at(leaf.window)[0], sample_at(others)[0])
        growth = _growth(leaf.window, since)
        if growth >= self._at_least:
            ratio = growth / max(_growth(others, since), 1)
            leaf.value = round(ratio, 3)
            leaf.truth = ratio > (self._clear if leaf.truth else self._above)
        elif now - since >= self._window // 2:
            # So little over so long is an answer too; right after a gap or a reset it is none.
            leaf.truth = False


def _number(leaf: Leaf) -> int:
    return len(leaf.window) // INSTANT.size


def _repeats(window: bytes, value: float | None, since: Microseconds) -> bool:
    """Tell whether ``value`` was the newest one already, known since after ``since``: most messages say nothing new."""
    if not window:
        return False
    at, known = sample_at(window, len(window) - SAMPLE.size)
    return at > since and (value is None or value == known)


def _fell(window: bytes, value: float | None) -> bool:
    return value is not None and bool(window) and value < newest(window)[1]


def _growth(window: bytes, since: Microseconds) -> float:
    return newest(window)[1] - value_then(window, since)
