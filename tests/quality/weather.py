"""The weather over one site: air temperature and direct sunlight, from the season, the hour and each day's clouds."""

import math
from datetime import timedelta
from random import Random

from tests.quality.model import Span

DAY_SECONDS = 86_400.0
_CLOUD_STEP_SECONDS = 300.0
_CLOUD_STEPS = int(DAY_SECONDS / _CLOUD_STEP_SECONDS)
# China keeps one time; the sun of its east coast agrees with it within minutes.
_LOCAL = timedelta(hours=8)
_WARMEST_DAY_OF_YEAR = 205
_LONGEST_DAY_OF_YEAR = 172
_WARMEST_HOUR = 15


class Weather:
    """Answers for any second since ``span.since``; every day has its own clouds and its own warmth."""

    def __init__(self, rng: Random, span: Span) -> None:
        local = span.since + _LOCAL
        self._offset_seconds = local.hour * 3600.0 + local.minute * 60.0 + local.second
        self._first_day_of_year = local.timetuple().tm_yday
        # Shenyang to Guangzhou: the mean of the year and half the distance between January and July.
        share = rng.random()
        self._mean_celsius, self._swing_celsius = 9.0 + 14.0 * share, 18.0 - 9.0 * share
        self.days = math.ceil((span.length.total_seconds() + self._offset_seconds) / DAY_SECONDS) + 1
        self._clouds = [_clouds(rng) for _ in range(self.days)]
        self._warmth = _warmth(rng, self.days)
        self._swings = [2.5 + 3.5 * sum(clouds) / len(clouds) for clouds in self._clouds]

    def local_seconds(self, t: float) -> float:
        """Return the seconds since local midnight at ``t``."""
        return (t + self._offset_seconds) % DAY_SECONDS

    def at_local(self, day: int, hour: float) -> float:
        """Return the second since ``span.since`` at which local day ``day`` of the span reaches ``hour``."""
        return day * DAY_SECONDS + hour * 3600.0 - self._offset_seconds

    def day(self, t: float) -> int:
        """Return which local day of the span ``t`` lies in."""
        return min(max(int((t + self._offset_seconds) // DAY_SECONDS), 0), self.days - 1)

    def clear_up(self, day: int) -> None:
        """Take the clouds from the sky of one day, and make it a warm one."""
        self._clouds[day] = [1.0] * (_CLOUD_STEPS + 1)
        self._warmth[day] = max(self._warmth[day], 2.0)

    def clearness(self, t: float) -> float:
        """Return which share of the direct sunlight the clouds let through at ``t``."""
        step, rest = divmod(self.local_seconds(t), _CLOUD_STEP_SECONDS)
        clouds, at = self._clouds[self.day(t)], int(step)
        return clouds[at] + (clouds[at + 1] - clouds[at]) * rest / _CLOUD_STEP_SECONDS

    def elevation(self, t: float) -> float:
        """Return the height of the sun at ``t``: 0 below the horizon, 1 at the noon of midsummer."""
        season = self._season(t, _LONGEST_DAY_OF_YEAR)
        hours = 12.0 + 2.2 * season
        since_sunrise = self.local_seconds(t) / 3600.0 - (12.0 - hours / 2)
        if not 0.0 < since_sunrise < hours:
            return 0.0
        return math.sin(math.pi * since_sunrise / hours) * (0.78 + 0.22 * season)

    def air_celsius(self, t: float) -> float:
        """Return the temperature of the air outside at ``t``."""
        day, share = self.day(t), self.local_seconds(t) / DAY_SECONDS
        following = min(day + 1, self.days - 1)
        warmth = self._warmth[day] + (self._warmth[following] - self._warmth[day]) * share
        swing = self._swings[day] + (self._swings[following] - self._swings[day]) * share
        curve = math.cos(2 * math.pi * (share - _WARMEST_HOUR / 24))
        return self._mean_celsius + self._swing_celsius * self._season(t, _WARMEST_DAY_OF_YEAR) + warmth + swing * curve

    def _season(self, t: float, peak: int) -> float:
        day_of_year = self._first_day_of_year + t / DAY_SECONDS
        return math.cos(2 * math.pi * (day_of_year - peak) / 365.25)


def _clouds(rng: Random) -> list[float]:
    sky = rng.random()
    if sky < 0.4:
        return [1.0 - 0.05 * rng.random() for _ in range(_CLOUD_STEPS + 1)]
    if sky > 0.75:
        return [0.05 + 0.1 * rng.random() for _ in range(_CLOUD_STEPS + 1)]
    steps, open_sky = [], True
    for _ in range(_CLOUD_STEPS + 1):
        # Fair-weather clouds: gaps and clouds of some 15 to 20 minutes.
        open_sky ^= rng.random() < 0.3
        steps.append(0.97 if open_sky else 0.2)
    return steps


def _warmth(rng: Random, days: int) -> list[float]:
    """Return by how much each day is warmer than its season; neighbours are alike."""
    warmth, today = [], rng.gauss(0.0, 3.0)
    for _ in range(days):
        today = 0.7 * today + rng.gauss(0.0, 2.0)
        warmth.append(today)
    return warmth
