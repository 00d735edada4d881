"""Fires in bike sheds with their truth: courses of batteries that run away, what a camera sees of them, and when.

Stages (domain facts, GB 38031): SEI layer 80-120 °C, separator 120-160 °C, from there flames; in runaway more than
1 °C/s. A course is the rise above the surroundings, so that it lies on a summer's day as on a winter's night.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random

from msgspec import Struct

from core.devices import DeviceKey
from tests.quality.heat import KELVIN, Points, Source, cooling
from tests.quality.model import Incident, IncidentKind, Span
from tests.quality.weather import Weather

SIGN_CELSIUS = 10.0
"""A reading this far above the normal course of its region is a sign of the fire."""
SIGN_CELSIUS_PER_MINUTE = 2.0
"""So is one that rose by more than this against the normal course within the last minute."""

RUIN_SECONDS = 3_600.0
"""How long what is left stays warm after the fire is out."""


class Course(Struct, frozen=True):
    """Into ``points``, the battery burns with open flames after ``seconds_to_flames``; then a ruin cools."""

    points: Points
    seconds_to_flames: float
    seconds_to_end: float


class Fire(Struct):
    """One fire: its incident and what the camera sees; all times in seconds of the span."""

    incident: Incident
    sources: list[Source]
    since: float
    until: float
    burnt_since: float | None = None
    """When the camera itself burns, if ever."""
    link: str = ""
    """The link meanwhile: "" as ever, "late" an outage whose messages are stored, "never" one without a store."""


class Site(Struct):
    """Where fires break out: the camera's regions and their weather; ``patches``: (region, since, until) of hot sun."""

    device: DeviceKey
    names: Sequence[str]
    weather: Weather
    span: Span
    patches: list[tuple[int, float, float]]


def _burning(rng: Random, warmed: Points) -> Course:
    """Return ``warmed`` followed by runaway, flames and the end by burning out or water."""
    at, warm = warmed[-1]
    runaway = at + rng.uniform(15, 60)
    flames = runaway + rng.uniform(5, 20)
    points = [*warmed, (runaway, max(120.0, warm + rng.uniform(60, 110))), (flames, rng.uniform(300, 600))]
    burning = rng.uniform(300, 1_800)
    points += [(flames + burning / 2, rng.uniform(450, 750)), (flames + burning, rng.uniform(150, 400))]
    end, hot = points[-1]
    points += [(end + later, celsius) for later, celsius in cooling(hot, 0.0, RUIN_SECONDS / 4, RUIN_SECONDS)[1:]]
    return Course(points, flames, end)


def fast(rng: Random) -> Course:
    """Runaway within minutes: a short circuit inside a cell."""
    seconds = rng.uniform(60, 240)
    return _burning(rng, [(0.0, 5.0), (seconds * 0.6, 18.0), (seconds, rng.uniform(45, 70))])


def slow(rng: Random) -> Course:
    """A smoulder of 10 to 20 minutes at 1 to 3 °C/min before the runaway."""
    minutes, per_minute = rng.uniform(10, 20), rng.uniform(1, 3)
    return _burning(rng, [(0.0, 5.0), (minutes * 60, 5.0 + minutes * per_minute)])


def under_patch(rng: Random) -> Course:
    """A rise by 12 °C beneath a sun patch (58 to 70 °C) over 5 to 12 minutes, then the runaway."""
    seconds = rng.uniform(300, 720)
    return _burning(rng, [(0.0, 0.0), (seconds, 12.0)])


def small_far(rng: Random) -> Course:
    """A battery whose cells heat one after the other for minutes; pixel mixing leaves +15 °C of it (`far_fraction`)."""
    seconds = rng.uniform(240, 480)
    return _burning(rng, [(0.0, 5.0), (seconds * 0.3, 150.0), (seconds, 160.0)])


def far_fraction(surroundings: float) -> float:
    """Return the share of a pixel of which a rise by 150 °C shows as one by 15 °C."""
    cool = (surroundings + KELVIN) ** 4
    return ((surroundings + 15 + KELVIN) ** 4 - cool) / ((surroundings + 150 + KELVIN) ** 4 - cool)


COURSES: dict[str, Callable[[Random], Course]] = {
    "fast-fire": fast,
    "slow-fire": slow,
    "slow-fire-under-sun-patch": under_patch,
    "fire-beside-sun-patch": fast,
    "small-far-fire": small_far,
    "fast-fire-at-night": fast,
    "slow-fire-at-night": slow,
    "fire-with-link-down-stored": fast,
    "fire-with-link-down-lost": fast,
}
_APART_DAYS = 2.0
_ON_PATCHES = ("slow-fire-under-sun-patch", "fire-beside-sun-patch")
_LINKS = {"fire-with-link-down-stored": "late", "fire-with-link-down-lost": "never"}


def draw_fires(rng: Random, site: Site, per_month: float, first_variant: int) -> list[Fire]:
    """Return about ``per_month`` fires a month, at least two days apart, of all variants in turn."""
    variants = list(COURSES)
    turn = first_variant
    fires: list[Fire] = []
    day = -_APART_DAYS
    while True:
        day += max(_APART_DAYS, rng.expovariate(per_month / 30))
        if int(day) >= site.weather.days - 1:
            return fires
        variant = variants[turn % len(variants)]
        turn += 1
        since, region = _place(rng, site, int(day), variant)
        day = max(day, site.weather.day(since) + day % 1)
        if 0 < since < site.span.length.total_seconds() - 7_200:
            fires.append(_fire(rng, site, variant, since, region))


def _place(rng: Random, site: Site, day: int, variant: str) -> tuple[float, int]:
    """Return when and in which region the fire begins; those under sun patches wait for the next patch."""
    region = rng.randrange(len(site.names))
    if variant.endswith("at-night"):
        return site.weather.at_local(day, rng.uniform(0.5, 5)), region
    begin = site.weather.at_local(day, rng.choice((rng.uniform(6, 24), rng.uniform(18, 23))))
    if variant not in _ON_PATCHES:
        return begin, region
    later = [patch for patch in site.patches if patch[1] >= begin - 43_200 and patch[2] - patch[1] > 2_400]
    if not later:
        return -1.0, region
    lit, since, until = later[0]
    site.weather.clear_up(site.weather.day(since))
    beside = lit + 1 if lit + 1 < len(site.names) else lit - 1
    return since + 0.55 * (until - since), lit if variant == _ON_PATCHES[0] else beside


def _fire(rng: Random, site: Site, variant: str, since: float, region: int) -> Fire:
    course = COURSES[variant](rng)
    out = course.seconds_to_end
    incident = Incident(
        kind=IncidentKind.FIRE,
        device=site.device,
        part=site.names[region],
        began=site.span.since + timedelta(seconds=since),
        ended=site.span.since + timedelta(seconds=since + out),
        variant=variant,
    )
    fraction = 1.0
    if variant == "small-far-fire":
        fraction = far_fraction(site.weather.air_celsius(since) + 4)
    hidden = variant == _ON_PATCHES[0]
    sources = [
        Source(region, since, course.points, share=rng.uniform(0.02, 0.15), fraction=fraction, fast=True, above=True,
               flicker=0.05, on_patch=hidden, incident=incident)
    ]  # fmt: skip
    if fraction == 1.0:
        sources += _spread(rng, site, incident, sources[0], course)
    burnt = since + course.seconds_to_flames + rng.uniform(120, 600) if rng.random() < 0.2 else None
    return Fire(incident, sources, since, since + out, burnt, _LINKS.get(variant, ""))


def _spread(rng: Random, site: Site, incident: Incident, source: Source, course: Course) -> list[Source]:
    """Return what the regions beside see: first its glow, after minutes the bikes there."""
    out = course.seconds_to_end
    since = course.seconds_to_flames + rng.uniform(60, 400)
    if since + 120 > out:
        return []
    end = out - since
    points = [
        (0.0, 0.0),
        (60.0, rng.uniform(10, 30)),
        (end * 0.7, rng.uniform(60, 400)),
        (end, 150.0),
        (end + RUIN_SECONDS, 3.0),
    ]
    return [
        Source(region, source.since + since, points, share=0.1, above=True, fast=True, incident=incident)
        for region in (source.region - 1, source.region + 1)
        if 0 <= region < len(site.names)
    ]
