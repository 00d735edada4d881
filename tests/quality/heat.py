"""What a camera sees of hot things: sources with a course of temperature, mixed with the surroundings by pixel size."""

import math
from bisect import bisect_right
from random import Random

from tests.quality.model import Incident

Points = list[tuple[float, float]]
"""A course: (seconds since the beginning, °C), in order; linear between, held after the last."""
KELVIN = 273.15
_RANDOM = Random(417)
_FLICKER = [_RANDOM.gauss(0.0, 1.0) for _ in range(1_024)]


class Source:
    """One hot (or warm) thing in one region during ``[since, until)``.

    ``points`` are temperatures of its surface or, with ``above``, its distance above the surroundings. ``fraction`` is
    the share of the hottest pixel that it fills, ``share`` its share of the region, ``flicker`` the relative deviation
    of the temperature from one second to the next. ``fast`` sources change within a
    minute; the others may be interpolated between minutes.
    """

    __slots__ = ("_celsius", "_seconds", "above", "fast", "flicker", "fraction", "incident", "on_patch",
                 "region", "share", "since", "spot", "until")  # fmt: skip

    def __init__(
        self,
        region: int,
        since: float,
        points: Points,
        *,
        share: float = 0.05,
        fraction: float = 1.0,
        flicker: float = 0.0,
        above: bool = False,
        fast: bool = False,
        on_patch: bool = False,
        incident: Incident | None = None,
    ) -> None:
        self.region, self.since, self.until = region, since, since + points[-1][0]
        self._seconds = [seconds for seconds, _ in points]
        self._celsius = [celsius for _, celsius in points]
        self.share, self.fraction, self.flicker = share, fraction, flicker
        self.above, self.fast, self.on_patch, self.incident = above, fast, on_patch, incident
        self.spot = int(since) % 8

    def seen(self, t: float, mean: float, patch: float) -> float:
        """Return the temperature of its hottest pixel; ``mean`` and ``patch``: the region without it, shade and sun."""
        surroundings = patch if self.on_patch else mean
        celsius = self._course(t - self.since)
        if self.flicker:
            celsius *= 1.0 + self.flicker * _FLICKER[int(t) & 1_023]
        if self.above:
            celsius += surroundings
        if self.fraction < 1.0:
            return mixed(celsius, surroundings, self.fraction)
        return celsius

    def _course(self, elapsed: float) -> float:
        after = bisect_right(self._seconds, elapsed)
        if after == len(self._seconds):
            return self._celsius[-1]
        if not after:
            return self._celsius[0]
        began, low = self._seconds[after - 1], self._celsius[after - 1]
        return low + (self._celsius[after] - low) * (elapsed - began) / (self._seconds[after] - began)


def mixed(celsius: float, surroundings: float, fraction: float) -> float:
    """Return what a pixel shows that ``celsius`` fills by ``fraction``: radiated power adds up, T to the 4th."""
    hot, cool = (celsius + KELVIN) ** 4, (surroundings + KELVIN) ** 4
    return math.sqrt(math.sqrt(cool + fraction * (hot - cool))) - KELVIN


def cooling(hot: float, surroundings: float, constant_seconds: float, until_seconds: float) -> Points:
    """Return the exponential course from ``hot`` towards ``surroundings``."""
    moments = [until_seconds * step / 12 for step in range(13)]
    return [(at, surroundings + (hot - surroundings) * math.exp(-at / constant_seconds)) for at in moments]
