"""Makes of thermal cameras: pace and fields of their readings, episodes of their own, shutter frames, faults."""

import json
from collections.abc import Callable
from datetime import timedelta
from random import Random

from msgspec import Struct

from core.devices import DeviceKey
from core.wire.payloads import ThermalEventType, ThermalLevel
from tests.quality.model import Incident, IncidentKind, Span
from tests.quality.weather import DAY_SECONDS

LOWEST_TENTHS, HIGHEST_TENTHS = -600, 20_000
# Text of every tenth of a degree; the coldest stand at the end, so that a negative number indexes them.
_TENTHS = [f"{tenths / 10:.1f}" for tenths in (*range(HIGHEST_TENTHS + 1), *range(LOWEST_TENTHS, 0))]
_SPOTS = tuple(
    f"[{x / 8:.3f},{y / 8:.3f}]" for x, y in ((1, 2), (2, 5), (3, 3), (4, 6), (5, 1), (6, 4), (7, 2), (2, 7))
)

Text = Callable[[str, int, int, int, int], str]
"""(prefix up to the maximum, maximum, minimum and average in tenths, spot) to the JSON of a region."""


def _full(prefix: str, maximum: int, minimum: int, average: int, spot: int) -> str:
    tenths = _TENTHS
    return (
        f'{prefix}{tenths[maximum]},"minimum_celsius":{tenths[minimum]},'
        f'"average_celsius":{tenths[average]},"hotspot":{_SPOTS[spot]}}}'
    )


def _maximum(prefix: str, maximum: int, minimum: int, average: int, spot: int) -> str:
    return f"{prefix}{_TENTHS[maximum]}}}"


def _average(prefix: str, maximum: int, minimum: int, average: int, spot: int) -> str:
    return f'{prefix}{_TENTHS[maximum]},"average_celsius":{_TENTHS[average]}}}'


class Make(Struct, frozen=True, kw_only=True):
    """What a make of camera sends; with ``in_turns`` each reading holds one region."""

    name: str
    interval_seconds: float
    text: Text
    region_name: str = "row-{number}"
    ambient: bool = False
    in_turns: bool = False
    episodes: bool = False
    noise_celsius: float = 0.15
    shutter_frames_per_day: float = 0.0


MAKES = (
    Make(name="full", interval_seconds=2, text=_full, ambient=True),
    Make(name="maximum-only", interval_seconds=1, text=_maximum, noise_celsius=0.3, shutter_frames_per_day=0.5),
    Make(name="full+shutter-frames", interval_seconds=5, text=_full, ambient=True, shutter_frames_per_day=2),
    Make(name="average", interval_seconds=10, text=_average, noise_celsius=0.4, region_name="{number}"),
    Make(name="regions-in-turns", interval_seconds=1, text=_full, ambient=True, in_turns=True),
    Make(name="maximum-only+episodes", interval_seconds=3, text=_maximum, region_name="车位区{number}", episodes=True),
)


def shutter_times(rng: Random, make: Make, length_seconds: float) -> list[float]:
    """Return when the shutter gets into the picture, the latest first."""
    times, at = [], 0.0
    while make.shutter_frames_per_day:
        at += 120 + rng.expovariate(make.shutter_frames_per_day / DAY_SECONDS)
        if at >= length_seconds:
            break
        times.append(at)
    return times[::-1]


class Fault(Struct):
    """A camera that shows rubbish in ``[since, until)``: one picture for ever, or all through a lens ever dirtier."""

    incident: Incident
    since: float
    until: float
    frozen: bool
    blindness: float = 0.0
    """Which share of the contrast is lost in the end."""

    def clarity(self, t: float) -> float:
        """Return which share of the contrast to the air is left at ``t``."""
        if self.frozen or not self.since <= t < self.until:
            return 1.0
        return 1.0 - self.blindness * min(1.0, (t - self.since) / (2 * DAY_SECONDS))


def draw_faults(rng: Random, device: DeviceKey, span: Span) -> list[Fault]:
    """Return a fault in some months: a frozen picture until somebody restarts it, a dirty lens until it is cleaned."""
    length = span.length.total_seconds()
    months = length / (30 * DAY_SECONDS)
    faults = []
    if rng.random() < 0.25 * months:
        since = rng.uniform(0, length)
        until = since + rng.choice((rng.uniform(0.05, 0.5), rng.uniform(1, 3))) * DAY_SECONDS
        faults.append(_fault(device, span, "frozen-picture", (since, until), 0.0))
    if rng.random() < 0.15 * months:
        since = rng.uniform(0, length)
        until = since + rng.uniform(3, 10) * DAY_SECONDS
        faults.append(_fault(device, span, "dirty-lens", (since, until), rng.uniform(0.4, 0.8)))
    return faults


def _fault(device: DeviceKey, span: Span, variant: str, times: tuple[float, float], blindness: float) -> Fault:
    began, ended = (span.since + timedelta(seconds=seconds) for seconds in times)
    incident = Incident(
        kind=IncidentKind.SENSOR_FAULT, device=device, began=began, ended=min(ended, span.until), variant=variant
    )
    return Fault(incident, *times, frozen=variant == "frozen-picture", blindness=blindness)


class _Episode(Struct):
    over_since: float
    name: str = ""
    said_at: float = 0.0


class Episodes:
    """A camera's own pre-alarm and alarm per region: threshold, dwell, updates; half of them never send an end."""

    DWELL_SECONDS = 6.0
    UPDATE_SECONDS = 30.0

    def __init__(self, rng: Random, names: list[str]) -> None:
        self._names = names
        self._limits = (
            (ThermalLevel.PRE_ALARM, rng.randrange(480, 620)),
            (ThermalLevel.ALARM, rng.randrange(650, 820)),
        )
        self._ends = rng.random() < 0.5
        self._open: dict[tuple[int, ThermalLevel], _Episode] = {}
        self._count = 0
        self._said: list[bytes] = []

    def look(self, index: int, tenths: int, t: float) -> None:
        """Take the maximum of one region."""
        if tenths < self._limits[0][1] and not self._open:
            return
        for level, limit in self._limits:
            episode = self._open.get((index, level))
            if episode is None:
                if tenths >= limit:
                    self._open[index, level] = _Episode(t)
            elif tenths < limit - 20 or (not episode.name and tenths < limit):
                del self._open[index, level]
                if episode.name and self._ends:
                    self._say(ThermalEventType.EPISODE_ENDED, level, index, episode.name, tenths)
            elif not episode.name and t - episode.over_since >= self.DWELL_SECONDS:
                self._count += 1
                episode.name, episode.said_at = f"e{self._count}", t
                self._say(ThermalEventType.EPISODE_STARTED, level, index, episode.name, tenths)
            elif episode.name and t - episode.said_at >= self.UPDATE_SECONDS:
                episode.said_at = t
                self._say(ThermalEventType.EPISODE_UPDATED, level, index, episode.name, tenths)

    def take(self) -> list[bytes]:
        """Return the events since the last call, as JSON objects without ``at``."""
        said, self._said = self._said, []
        return said

    def _say(self, event: ThermalEventType, level: ThermalLevel, index: int, episode: str, tenths: int) -> None:
        body = {"type": event.value, "level": level.value, "region": self._names[index], "episode": episode}
        self._said.append(json.dumps({**body, "temperature_celsius": tenths / 10}, ensure_ascii=False).encode())
