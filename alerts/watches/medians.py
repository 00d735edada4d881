"""Conditions on the median of a signal's newest values, so that a single wrong one changes nothing.

A camera whose shutter is closed for one look sends one value of 0 °C or 300 °C between many of 25 °C. The median of
three is never that value: 25, 25, 300, 25, 25 is seen as 25 throughout. A true step from 25 to 60 counts with its
second value, one sample later than without; a slow rise is seen as it was one sample before.
"""

from operator import attrgetter
from statistics import median

import msgspec

from alerts.memory import Heard, Leaf, Microseconds
from alerts.rules.signals import Signal
from alerts.watches.margins import MarginWatch
from alerts.watches.watch import OwnWatch, Reading, Sentence, Watch
from alerts.watches.windows import VALUE, values_of
from core.observations import Observation


class MedianWatch(OwnWatch):
    """Lets ``watch`` see the median of the last ``values`` values in place of the newest, and nothing before so many.

    ``window`` holds those values, ``inner`` the memory of ``watch``.
    """

    def __init__(self, watch: Watch, signal: Signal, values: int) -> None:
        self._watch = watch
        self._signal = signal
        self._read = attrgetter(signal.name)
        self._values = values
        self.code, self.channels, self.timed = watch.code, watch.channels, watch.timed

    @property
    def samples(self) -> str | None:
        # The signal beside may come alone, and moves the limit.
        return None if isinstance(self._watch, MarginWatch) else self._signal.name

    def begin(self) -> Leaf:
        inner = self._watch.begin()
        return Leaf(truth=inner.truth, inner=(inner,))

    def observe(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, heard: Heard) -> None:
        source = reading if self._signal.of_region else observation.body
        if (value := self._read(source)) is not None:
            leaf.window = (leaf.window + VALUE.pack(value))[-self._values * VALUE.size :]
            value = median(values_of(leaf.window)) if len(leaf.window) == self._values * VALUE.size else None
        seen = msgspec.structs.replace(source, **{self._signal.name: value})
        if self._signal.of_region:
            reading = seen
        else:
            observation = msgspec.structs.replace(observation, body=seen)
        self._watch.observe(leaf.inner[0], observation, reading, now, heard)
        leaf.truth = leaf.inner[0].truth

    def due(self, leaf: Leaf, heard: Heard) -> Microseconds:
        return self._watch.due(leaf.inner[0], heard)

    def expire(self, leaf: Leaf, now: Microseconds, heard: Heard) -> None:
        self._watch.expire(leaf.inner[0], now, heard)
        leaf.truth = leaf.inner[0].truth

    def tell(self, leaf: Leaf) -> Sentence:
        zh, en = self._watch.tell(leaf.inner[0])
        return f"{zh}（最近 {self._values} 个值的中位数）", f"{en} (median of the last {self._values} values)"

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        return self._watch.facts(leaf.inner[0])
