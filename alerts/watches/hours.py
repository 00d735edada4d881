"""The condition that compares a device with its own past at the same hour of day: sun comes to a wall every afternoon.

Of each of the 24 hours (UTC) one figure is kept: how high the signal usually gets in that hour, the mean over the days
of ``past`` of each day's highest. Where the rule looks for low values it is the lowest. What is compared is the median
of the newest values; the figure is built of such medians too, so that one wrong value is not learned.

The sun comes a minute or two earlier or later each day, and so crosses from one hour into the next: the hours before
and after count as well, whichever of the three is nearest to raising nothing. What lies beyond the limit of the rule is
learned only up to that limit: one fire moves a figure by a small step, while a change that stays is learned in days.
"""

from collections.abc import Callable
from operator import attrgetter
from statistics import median
from struct import Struct
from typing import Any

from alerts.memory import Heard, Leaf, Microseconds, Past
from alerts.rules.conditions import Compare
from alerts.rules.signals import signals_of
from alerts.watches.comparisons import AT_LEAST_DAYS, OVER, beyond_test
from alerts.watches.limits import Figure
from alerts.watches.readings import channels_of
from alerts.watches.watch import OwnWatch, Reading, Sentence
from alerts.watches.windows import VALUE, values_of
from alerts.words import signal_names
from core.devices import DeviceKind
from core.durations import microseconds
from core.observations import Observation

_SLOT = Struct("<iHd")
"""Of an hour: the last day on which it was learned, of how many days the figure is, and the figure."""
_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_NEVER = 0


class HourWatch(OwnWatch):
    """The median of the newest values beside what is usual at this hour; ``raw`` is the answer of that alone.

    In ``past`` the running ``day`` is an hour, ``usual`` its figure so far, ``seen`` the medians it is of, and ``days``
    holds a slot for each hour of day. ``of`` is what it was measured of, so that it outlives other changes of the rule.
    """

    code = "compare"
    timed = False

    def __init__(self, condition: Compare, kind: DeviceKind, figure: Figure) -> None:
        self.signal = signals_of(kind)[condition.signal or ""]
        self.channels = channels_of(self.signal, kind)
        self._read: Callable[[Any], Any] = attrgetter(self.signal.name)
        self._beyond = beyond_test(condition, figure)
        self._above = condition.above_by is not None or condition.above_times is not None
        self._farthest: Callable[[float, float], float] = max if self._above else min
        self._of = f"{self.signal.name} {'highest' if self._above else 'lowest'} by hour"
        self._bound = _bound(condition, figure)
        self._days = microseconds(condition.past) // _DAY
        self._at_least_days = AT_LEAST_DAYS if condition.at_least_days is None else condition.at_least_days
        self._over = OVER if condition.over is None else condition.over
        self._until_learned = bool(condition.until_learned)

    def begin(self) -> Leaf:
        return Leaf(truth=self._until_learned, past=Past(of=self._of, days=bytes(24 * _SLOT.size)))

    def observe(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, _heard: Heard) -> None:
        value, past = self._read(reading if self.signal.of_region else observation.body), leaf.past
        if value is None or past is None:
            return
        if (hour := now // _HOUR) > past.day:
            self._learn(past, hour)
        past.recent = (past.recent + VALUE.pack(value))[-self._over * VALUE.size :]
        if len(past.recent) < self._over * VALUE.size:
            return
        newest = median(values_of(past.recent))
        leaf.value = round(newest, 3)
        past.usual = self._farthest(past.usual, newest) if past.seen else newest
        past.seen += 1
        usual = self._usual(past)
        leaf.raw = usual is not None and self._beyond(newest, usual, leaf.raw)
        leaf.truth = self._until_learned if usual is None else leaf.raw

    def due(self, _leaf: Leaf, _heard: Heard) -> Microseconds:
        return _NEVER

    def expire(self, _leaf: Leaf, _now: Microseconds, _heard: Heard) -> None:
        """Time alone changes nothing: what is compared are values."""

    def tell(self, leaf: Leaf) -> Sentence:
        zh, en, unit = signal_names(self.signal.name)
        usual = None if leaf.past is None else self._usual(leaf.past)
        if leaf.value is None or usual is None:
            return f"{zh}在此时段的常态尚在学习", f"{en}: still learning what is usual at this hour"
        extreme_zh, extreme_en = ("最高", "at most") if self._above else ("最低", "at least")
        return (
            f"{zh} {leaf.value:.4g}{unit}，以往此时段{extreme_zh}约 {usual:.4g}{unit}",
            f"{en} {leaf.value:.4g}{unit}, usually {extreme_en} about {usual:.4g}{unit} at this hour",
        )

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        usual = None if leaf.past is None else self._usual(leaf.past)
        if leaf.value is None or usual is None:
            return {}
        return {self.signal.name: leaf.value, "usual": round(usual, 3)}

    def _usual(self, past: Past) -> float | None:
        """Return what is usual in the running hour and those beside it; ``None`` while that hour is not learned."""
        known = [self._slot(past, hour) for hour in (past.day, past.day - 1, past.day + 1)]
        learned = [(days >= self._at_least_days, usual) for days, usual in known]
        if not learned[0][0]:
            return None
        usual = learned[0][1]
        for counts, other in learned[1:]:
            usual = self._farthest(usual, other) if counts else usual
        return usual

    def _slot(self, past: Past, hour: int) -> tuple[int, float]:
        """Return of how many days the figure of an hour of day is, 0 where the last is too long ago, and the figure."""
        last, days, usual = _SLOT.unpack_from(past.days, hour % 24 * _SLOT.size)
        return (days if last >= past.day // 24 - self._days else 0), usual

    def _learn(self, past: Past, hour: int) -> None:
        """Let the running hour be past, and ``hour`` the running one."""
        if past.seen:
            days, usual = self._slot(past, past.day)
            figure = self._bound(usual, past.usual) if days else past.usual
            days = min(days + 1, self._days)
            usual = figure if days == 1 else usual + (figure - usual) / days
            begin = past.day % 24 * _SLOT.size
            slot = _SLOT.pack(past.day // 24, days, usual)
            past.days = past.days[:begin] + slot + past.days[begin + _SLOT.size :]
        past.day, past.seen, past.usual = hour, 0, 0.0


def _bound(condition: Compare, figure: Figure) -> Callable[[float, float], float]:
    """Return what cuts off a figure at the limit of the rule, given what was usual."""
    if condition.above_by is not None:
        above_by = figure(condition.above_by)
        return lambda usual, value: min(value, usual + above_by)
    if condition.below_by is not None:
        below_by = figure(condition.below_by)
        return lambda usual, value: max(value, usual - below_by)
    if condition.above_times is not None:
        above_times = figure(condition.above_times)
        return lambda usual, value: min(value, usual * above_times)
    below_times = figure(condition.below_times or 1.0)
    return lambda usual, value: max(value, usual * below_times)
