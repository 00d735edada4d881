"""What one thermal camera sends over a span, and which of it carries the first signs of incidents.

Every minute the background (mean and hottest surface per region) is computed; between two minutes it is interpolated.
Regions in which something fast goes on are computed anew for every reading. The truth comes from the same numbers: the
maximum of a region without its fire is its normal course, and what exceeds it is the fire's.
"""

import math
from collections.abc import Iterator
from datetime import timedelta
from random import Random

from msgspec import Struct

from core.devices import Channel
from tests.quality.cameras import Episodes, Fault, Make, shutter_times
from tests.quality.fires import SIGN_CELSIUS, SIGN_CELSIUS_PER_MINUTE, Fire
from tests.quality.heat import Source
from tests.quality.links import Emission
from tests.quality.model import Incident
from tests.quality.shed_days import Life

_MINUTE = 60.0
_NOISE = 4_096
# A roof stores warmth for the better part of an hour.
_ROOF_SHARE = 1 - math.exp(-_MINUTE / 2_400)
# A surface in the sun this hot is a disturbance: it is at the pre-alarm of a fire panel (EN 54-5 A1: 46 °C).
_HOT_PATCH_CELSIUS = 46.0
# So is a shed this hot: a battery that charges (up to 8 °C above it) is there.
_HOT_SHED_CELSIUS = 38.0
# The share of a dirty lens that nobody could mistake.
_DIRTY_CLARITY = 0.8
_SHUTTER_TENTHS = (0, 3_000)

Seen = tuple[float, float, float, int]
"""Maximum, average and minimum in °C, and where the hottest spot is."""


class Region(Struct):
    """One measured region; every day in ``patch_hours`` the sun shines into it."""

    name: str
    offset_celsius: float
    roof_celsius: float
    """By how much the sun on the roof warms it at most."""
    spread_celsius: float
    patch_celsius: float
    patch_pace: float
    """How far a minute brings the surface towards the temperature that the patch would give it in the end."""
    patch_hours: tuple[float, float] | None = None
    warmed: float = 0.0
    """By how much the patch has warmed the surface until now."""


class _Row(Struct):
    """One region during one minute: the surroundings at its beginning and end, and either ``seen`` or ``sources``."""

    mean: tuple[float, float]
    surface: tuple[float, float]
    sources: list[Source]
    lively: bool
    seen: Seen = (0.0, 0.0, 0.0, 0)
    slopes: tuple[float, float, float] = (0.0, 0.0, 0.0)


class Camera:
    """Runs through the span once, by `emissions`."""

    def __init__(
        self, rng: Random, make: Make, life: Life, regions: list[Region], fires: list[Fire], faults: list[Fault]
    ) -> None:
        self._rng, self._make, self._life, self._regions = rng, make, life, regions
        self._weather = life.weather
        self._length = life.span.length.total_seconds()
        self._faults = faults
        self._fire_ends = {id(fire.incident): fire.until for fire in fires}
        self._pending = sorted(life.sources, key=lambda source: source.since, reverse=True)
        self._active: list[list[Source]] = [[] for _ in regions]
        self._noise = [round(rng.gauss(0, make.noise_celsius * 10)) for _ in range(_NOISE)]
        self._shutters = shutter_times(rng, make, self._length)
        self._episodes = Episodes(rng, life.names) if make.episodes else None
        self._prefixes = [f'{{"region":"{name}","maximum_celsius":' for name in life.names]
        self._roof = 0.0
        self._lasting: dict[tuple[str, int | None], float] = {}
        self._surroundings = self._advance(0.0)
        self._clarity = 1.0
        self._trails: dict[int, list[tuple[float, float]]] = {}
        self._signs: tuple[Incident, ...] = ()
        self._frozen: bytes | None = None

    def emissions(self) -> Iterator[Emission]:
        """Yield all readings and events of the span in order."""
        interval, since = self._make.interval_seconds, self._life.span.since
        t, number = self._rng.random() * interval, 0
        for minute in range(math.ceil(self._length / _MINUTE)):
            start = minute * _MINUTE
            end = min(start + _MINUTE, self._length)
            rows = self._minute(start)
            tail = self._tail(start)
            while t < end:
                at = since + timedelta(seconds=t)
                if self._shutters and t >= self._shutters[-1]:
                    self._shutters.pop()
                    yield Emission(at, Channel.TELEMETRY, self._shutter_frame(t, number) + tail)
                else:
                    self._signs = ()
                    body = self._read(t, number, rows) + tail
                    yield Emission(at, Channel.TELEMETRY, self._through(t, body) if self._faults else body, self._signs)
                    if self._episodes is not None:
                        for event in self._episodes.take():
                            yield Emission(at, Channel.EVENT, event, self._signs)
                number += 1
                t += interval
        for cause, index in list(self._lasting):
            self._disturb(cause, index, self._length, lasts=False)

    def _read(self, t: float, number: int, rows: list[_Row]) -> bytes:
        """Return the reading at ``t``, open at its end."""
        share = t % _MINUTE / _MINUTE
        noise, mark = self._noise, self._rng.getrandbits(11)
        text, prefixes, episodes, parts = self._make.text, self._prefixes, self._episodes, []
        for index in self._turn(number):
            row = rows[index]
            if row.lively:
                maximum, average, minimum, spot = self._look(index, t, share, row)
            else:
                (maximum, average, minimum, spot), (upper, middle, lower) = row.seen, row.slopes
                maximum, average, minimum = maximum + upper * share, average + middle * share, minimum + lower * share
            wave = noise[mark + index]
            tenths = int(maximum * 10) + wave
            if episodes is not None:
                episodes.look(index, tenths, t)
            parts.append(text(prefixes[index], tenths, int(minimum * 10) - wave, int(average * 10) + (wave >> 2), spot))
        return f'{{"regions":[{",".join(parts)}]'.encode()

    def _turn(self, number: int) -> range:
        count = len(self._regions)
        if self._make.in_turns:
            return range(number % count, number % count + 1)
        return range(count)

    def _look(self, index: int, t: float, share: float, row: _Row) -> Seen:
        """Return what region ``index`` shows at ``t``, a share into the minute; notes the signs of fires."""
        (mean, mean_end), (surface, surface_end), region = row.mean, row.surface, self._regions[index]
        mean, surface = mean + (mean_end - mean) * share, surface + (surface_end - surface) * share
        spread = region.spread_celsius
        maximum, average, minimum, spot = (
            surface,
            mean + 0.2 * max(surface - mean - spread, 0.0),
            mean - spread,
            index % 8,
        )
        for source in row.sources:
            if source.since <= t < source.until:
                seen = source.seen(t, mean, surface)
                if source.incident is not None:
                    self._note_fire(source, t, (max(seen, maximum) - maximum) * self._clarity)
                if seen > maximum:
                    maximum, spot = seen, source.spot
                average += source.share * (seen - mean)
        if self._clarity < 1.0:
            air = self._weather.air_celsius(t)
            maximum, average, minimum = (air + (seen - air) * self._clarity for seen in (maximum, average, minimum))
        return maximum, average, minimum, spot

    def _note_fire(self, source: Source, t: float, excess: float) -> None:
        """Note a sign: 10 °C above the normal course, or more than 2 °C nearer to that than a minute ago."""
        incident = source.incident
        if incident is None or incident.first_sign is not None or t >= self._fire_ends[id(incident)]:
            return
        trail = self._trails.setdefault(id(source), [])
        trail.append((t, excess))
        while len(trail) > 1 and trail[1][0] <= t - _MINUTE:
            trail.pop(0)
        earlier, before = trail[0]
        rose = earlier <= t - _MINUTE and excess - before > SIGN_CELSIUS_PER_MINUTE * (t - earlier) / _MINUTE
        if excess >= SIGN_CELSIUS or rose:
            self._signs = (*self._signs, incident)

    def _through(self, t: float, body: bytes) -> bytes:
        """Return ``body`` as sent: the picture of a frozen camera stays the same, and hides every fire."""
        for fault in self._faults:
            if fault.since <= t < fault.until:
                if fault.frozen:
                    self._signs = (fault.incident,) if t > fault.since + _MINUTE else ()
                    self._frozen = self._frozen or body
                    return self._frozen
                if fault.clarity(t) < _DIRTY_CLARITY:
                    self._signs = (*self._signs, fault.incident)
        self._frozen = None
        return body

    def _shutter_frame(self, t: float, number: int) -> bytes:
        tenths = self._rng.choice(_SHUTTER_TENTHS)
        self._life.disturbances.append(
            self._life.disturbance("shutter-frame", None, t, t + self._make.interval_seconds)
        )
        parts = [self._make.text(self._prefixes[index], tenths, tenths, tenths, 0) for index in self._turn(number)]
        return f'{{"regions":[{",".join(parts)}]'.encode()

    def _tail(self, start: float) -> bytes:
        if not self._make.ambient:
            return b"}"
        return b',"ambient_celsius":%.1f}' % (self._weather.air_celsius(start) + 1.5)

    def _minute(self, start: float) -> list[_Row]:
        """Return the rows of the minute that begins at ``start``."""
        end = start + _MINUTE
        while self._pending and self._pending[-1].since < end:
            source = self._pending.pop()
            self._active[source.region].append(source)
            # Fires come last: what the others make of a region is its normal course.
            self._active[source.region].sort(key=lambda each: each.incident is not None)
        self._clarity = min((fault.clarity(start) for fault in self._faults), default=1.0)
        before, self._surroundings = self._surroundings, self._advance(end)
        rows = []
        for index, ((mean, surface), (mean_end, surface_end)) in enumerate(
            zip(before, self._surroundings, strict=True)
        ):
            if self._active[index]:
                self._active[index] = [source for source in self._active[index] if source.until > start]
            sources = self._active[index]
            lively = any(source.fast or source.since > start or source.until < end for source in sources)
            row = _Row((mean, mean_end), (surface, surface_end), sources, lively)
            if not lively:
                self._interpolate(index, start, row)
            rows.append(row)
        return rows

    def _interpolate(self, index: int, start: float, row: _Row) -> None:
        row.seen = self._look(index, start, 0.0, row)
        # Just before the end: a source may last until then.
        later = self._look(index, start + _MINUTE - 1e-6, 1.0, row)
        row.slopes = (later[0] - row.seen[0], later[1] - row.seen[1], later[2] - row.seen[2])

    def _advance(self, t: float) -> list[tuple[float, float]]:
        """Bring roof and sun patches to ``t`` by a minute; return mean and hottest surface of each region."""
        weather = self._weather
        elevation, clearness, hour = weather.elevation(t), weather.clearness(t), weather.local_seconds(t) / 3_600
        self._roof += (elevation * clearness - self._roof) * _ROOF_SHARE
        air = weather.air_celsius(t)
        found = []
        for index, region in enumerate(self._regions):
            mean = air + region.offset_celsius + region.roof_celsius * self._roof
            if region.patch_hours:
                self._shine(index, t, mean, _inside(hour, region.patch_hours) * clearness * min(1.0, 1.6 * elevation))
            found.append((mean, mean + max(region.spread_celsius, region.warmed)))
        self._disturb("hot-shed", None, t, lasts=max(mean for mean, _ in found) >= _HOT_SHED_CELSIUS)
        return found

    def _shine(self, index: int, t: float, mean: float, light: float) -> None:
        region = self._regions[index]
        region.warmed += (region.patch_celsius * light - region.warmed) * region.patch_pace
        hot = region.warmed > region.spread_celsius and mean + region.warmed >= _HOT_PATCH_CELSIUS
        self._disturb("sun-patch", index, t, lasts=hot)

    def _disturb(self, cause: str, index: int | None, t: float, *, lasts: bool) -> None:
        """Note that a disturbance begins or ends at ``t``."""
        if lasts:
            self._lasting.setdefault((cause, index), t)
        elif (since := self._lasting.pop((cause, index), None)) is not None:
            self._life.disturbances.append(self._life.disturbance(cause, index, since, t))


def _inside(hour: float, hours: tuple[float, float]) -> float:
    """Return which share of a patch lies in the region: it comes in and goes out within 12 minutes."""
    return max(0.0, min(1.0, (hour - hours[0]) / 0.2, (hours[1] - hour) / 0.2))
