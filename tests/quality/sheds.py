"""Worlds of thermal cameras over bike sheds: weather, sun patches, people, hot motors, faults of cameras, and fires.

A fire's ``began`` is when the battery leaves normal heating (about 5 °C above the air), its ``first_sign`` the arrival
of the first reading in which a region exceeds its normal course by 10 °C or rose by more than 2 °C against it within a
minute, before the fire was out.
"""

import math
from collections.abc import Iterator
from random import Random

from alerts.inventory import DeviceFacts
from core.devices import DeviceKey, DeviceKind
from tests.quality.cameras import MAKES, Make, draw_faults
from tests.quality.fires import RUIN_SECONDS, Fire, Site, draw_fires
from tests.quality.links import Link, deliver, draw_link, link_incidents
from tests.quality.model import COMMUNITY, Span, Station, World
from tests.quality.outages import outage, with_outages
from tests.quality.shed_days import KINDS, Life
from tests.quality.watching import Camera, Region
from tests.quality.weather import DAY_SECONDS, Weather

# Far more than burn in truth: the figures need cases. At most one in two days, so that days without one are the rule.
FIRES_PER_MONTH = 2.0
# A sun patch this hot can hide a fire for minutes.
_HIDING_CELSIUS = 58.0


def shed_worlds(seed: int, count: int, span: Span) -> Iterator[World]:
    """Yield ``count`` cameras; makes take turns, everything else is drawn by ``seed``."""
    for number in range(1, count + 1):
        yield _world(Random(f"{seed}-shed-{number}"), number, span)


def _world(rng: Random, number: int, span: Span) -> World:
    device = DeviceKey(COMMUNITY, DeviceKind.THERMAL, f"shed-{number:03}")
    make = MAKES[(number - 1) % len(MAKES)]
    weather = Weather(rng, span)
    regions = _regions(rng, make, weather, span)
    life = Life(device, [region.name for region in regions], weather, span)
    for draw in KINDS:
        draw(rng, life)
    site = Site(device, life.names, weather, span, _hot_patches(regions, weather))
    # Every make meets every variant.
    fires = draw_fires(rng, site, FIRES_PER_MONTH, number + number // len(MAKES))
    for fire in fires:
        life.sources += fire.sources
        life.disturbances.append(life.disturbance("fire-ruin", None, fire.until, fire.until + RUIN_SECONDS))
    faults = draw_faults(rng, device, span)
    weak = rng.random() < 0.25
    link = _with_fires(rng, span, draw_link(rng, span, weak=weak), fires)
    camera = Camera(rng, make, life, regions, fires, faults)
    station = Station(
        device=device,
        facts=DeviceFacts(name_zh=f"{number} 号车棚", name_en=f"bike shed {number}"),
        make=make.name,
        pace=f"every-{make.interval_seconds:g}s" + ("+weak-link" if weak else ""),
    )
    return World(
        station=station,
        messages=deliver(device, camera.emissions(), link, span, Random(rng.random())),
        incidents=[
            *(fire.incident for fire in fires),
            *(fault.incident for fault in faults),
            *link_incidents(device, link, span),
        ],
        disturbances=life.disturbances,
    )


def _regions(rng: Random, make: Make, weather: Weather, span: Span) -> list[Region]:
    count = rng.randint(2, 12)
    open_side = rng.choice((None, (8.5, 11.0), (13.0, 16.5), (13.5, 16.0)))
    # A patch reaches its height on a clear day in the middle of the span, as far as the sun can heat a dark seat.
    noon = weather.air_celsius(weather.at_local(weather.day(span.length.total_seconds() / 2), 14.0))
    regions = [
        Region(
            name=make.region_name.format(number=index + 1),
            offset_celsius=rng.gauss(1.0, 1.0),
            roof_celsius=rng.uniform(2, 9),
            spread_celsius=rng.uniform(0.8, 3.0),
            patch_celsius=min(max(rng.uniform(58, 75) - noon - 7, 20), 45),
            patch_pace=1 - math.exp(-60 / rng.uniform(240, 900)),  # surfaces with time constants of 4 to 15 minutes
        )
        for index in range(count)
    ]
    if open_side:
        first, hours = open_side[0] + rng.uniform(-0.3, 0.3), rng.uniform(1.0, 2.0)
        step = (open_side[1] - first) / count
        for index, region in enumerate(regions):
            region.patch_hours = (first + index * step, first + index * step + hours)
    return regions


def _hot_patches(regions: list[Region], weather: Weather) -> list[tuple[int, float, float]]:
    """Return the patches (region, since, until) of all days that can hide a fire if the sky is clear."""
    patches = []
    for day in range(weather.days):
        for index, region in enumerate(regions):
            if region.patch_hours:
                since, until = (weather.at_local(day, hour) for hour in region.patch_hours)
                if weather.air_celsius(since) + region.patch_celsius > _HIDING_CELSIUS:
                    patches.append((index, since, until))
    return sorted(patches, key=lambda patch: patch[1])


def _with_fires(rng: Random, span: Span, link: Link, fires: list[Fire]) -> Link:
    """Return ``link`` with the outages that fires need: links that are down meanwhile, cameras that burn."""
    outages = []
    for fire in fires:
        if fire.link == "late":
            times = (fire.since - rng.uniform(60, 1_200), fire.since + rng.uniform(900, 2_400), 200_000)
            outages.append(outage(span, *times))
        elif fire.link == "never":
            outages.append(outage(span, fire.since - rng.uniform(60, 1_200), fire.until + RUIN_SECONDS + 100, 0))
        if fire.burnt_since is not None:
            replaced = fire.burnt_since + rng.uniform(1, 3) * DAY_SECONDS
            outages.append(outage(span, fire.burnt_since, replaced, 0))
    return with_outages(link, outages)
