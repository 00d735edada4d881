"""Worlds of thermal cameras: reproducible, readable for the product, and their truth agrees with their readings."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import msgspec
import pytest

from core.devices import Channel, DeviceKey, DeviceKind
from core.observations import Observation
from core.wire.payloads import ThermalEvent, ThermalTelemetry
from tests.quality.cameras import MAKES, Fault, Make
from tests.quality.fires import Fire, far_fraction
from tests.quality.heat import Points, Source, mixed
from tests.quality.links import Emission
from tests.quality.model import COMMUNITY, Incident, IncidentKind, Span, World
from tests.quality.shed_days import Life
from tests.quality.sheds import shed_worlds
from tests.quality.watching import Camera, Region
from tests.quality.weather import Weather
from tests.unit.quality.decoding import everything, observed

SINCE = datetime(2026, 7, 1, tzinfo=UTC)
HOURS = Span(SINCE, timedelta(hours=3))
SHED = DeviceKey(COMMUNITY, DeviceKind.THERMAL, "shed-1")
FULL = MAKES[0]


def test_the_same_seed_gives_the_same_worlds_and_another_one_others() -> None:
    span = Span(SINCE, timedelta(hours=1))
    first, again, other = ([everything(world) for world in shed_worlds(seed, 6, span)] for seed in (1, 1, 2))
    assert first == again
    assert all(one != another for one, another in zip(first, other, strict=True))


def test_all_makes_are_understood_by_the_product() -> None:
    for make, world in zip(MAKES, shed_worlds(5, len(MAKES), HOURS), strict=True):
        assert world.station.make == make.name
        bodies = [observation.body for observation in observed(world.messages)]
        readings = [body for body in bodies if isinstance(body, ThermalTelemetry)]
        assert len(readings) == pytest.approx(HOURS.length.total_seconds() / make.interval_seconds, rel=0.15)
        assert all((len(reading.regions) == 1) == make.in_turns for reading in readings)
        assert make.episodes or not any(isinstance(body, ThermalEvent) for body in bodies)


def test_a_camera_with_episodes_of_its_own_tells_of_a_hot_region() -> None:
    fire = _fire(600.0, [(0.0, 0.0), (120.0, 80.0), (400.0, 80.0)])
    said = [each.body for each in _emissions(MAKES[5], fire) if each.channel is Channel.EVENT]
    events = [msgspec.json.decode(body) for body in said if isinstance(body, bytes)]
    levels = {(event["type"], event["level"]) for event in events}
    assert {("episode_started", "pre_alarm"), ("episode_started", "alarm")} <= levels
    assert len({event["episode"] for event in events}) == 2


def test_a_shutter_frame_is_a_single_one() -> None:
    *_, world = shed_worlds(3, 3, Span(SINCE, timedelta(days=1)))
    looks = [look for look in observed(world.messages) if isinstance(look.body, ThermalTelemetry)]
    frames = [index for index, look in enumerate(looks) if _maxima(look) in ({0.0}, {300.0})]
    shutters = [each for each in world.disturbances if each.cause == "shutter-frame"]
    assert 0 < len(frames) <= len(shutters) + 1  # a link may lose one or bring it twice
    assert all(later - earlier > 3 for earlier, later in pairwise(frames))


def _maxima(observation: Observation) -> set[float]:
    assert isinstance(observation.body, ThermalTelemetry)
    return {region.maximum_celsius for region in observation.body.regions}


@pytest.mark.parametrize("seed", [3, 7])
def test_a_hidden_fire_begins_under_a_hot_patch_of_sun(seed: int) -> None:
    world, incident = _hidden_fire(seed)
    readings = [(at, celsius) for at, celsius in _course(world, incident) if at < incident.ended]
    before = [celsius for at, celsius in readings if timedelta() < incident.began - at < timedelta(minutes=2)]
    assert min(before) > 50
    assert incident.first_sign is not None
    minutes = (incident.first_sign - incident.began) / timedelta(minutes=1)
    assert 0.5 < minutes < 13
    at_sign = [celsius for at, celsius in readings if abs(at - incident.first_sign) < timedelta(seconds=15)]
    assert max(at_sign) < min(before) + 25  # at first it is no hotter than another patch
    assert max(celsius for _, celsius in readings) > 250
    patches = [each for each in world.disturbances if each.cause == "sun-patch" and each.part == incident.part]
    assert any(each.began < incident.began < each.ended for each in patches)


def _hidden_fire(seed: int) -> tuple[World, Incident]:
    for world in shed_worlds(seed, 10, Span(SINCE, timedelta(hours=12))):
        for incident in world.incidents:
            if incident.variant == "slow-fire-under-sun-patch" and world.station.pace == "every-10s":
                return world, incident
    raise AssertionError("no fire under a patch of sun")


def _course(world: World, incident: Incident) -> Iterator[tuple[datetime, float]]:
    for observation in observed(world.messages):
        if isinstance(observation.body, ThermalTelemetry):
            for region in observation.body.regions:
                if region.region == incident.part:
                    yield observation.received_at, region.maximum_celsius


@pytest.mark.parametrize(
    ("course", "earliest", "latest"),
    [
        ([(0.0, 0.0), (1_800.0, 30.0)], 590, 630),  # 1 °C/min: 10 °C above its normal course after 10 minutes
        ([(0.0, 0.0), (600.0, 30.0)], 60, 75),  # 3 °C/min: after a minute
        ([(0.0, 0.0), (10.0, 100.0), (600.0, 100.0)], 0, 4),
    ],
    ids=["1 °C/min", "3 °C/min", "at once"],
)
def test_the_first_sign_is_what_exceeds_the_normal_course(course: Points, earliest: float, latest: float) -> None:
    fire = _fire(3_600.0, course)
    signs = [each.at for each in _emissions(FULL, fire) if fire.incident in each.signs]
    assert earliest <= (signs[0] - fire.incident.began).total_seconds() <= latest


def test_a_frozen_picture_hides_a_fire() -> None:
    fire = _fire(3_600.0, [(0.0, 0.0), (10.0, 300.0), (600.0, 300.0)])
    times = (3_000.0, 9_000.0)
    fault = Fault(Incident(kind=IncidentKind.SENSOR_FAULT, device=SHED, began=SINCE, ended=SINCE), *times, frozen=True)
    emissions = _emissions(FULL, fire, fault)
    assert not any(fire.incident in each.signs for each in emissions)
    pictures = {each.body for each in emissions if times[0] <= (each.at - SINCE).total_seconds() < times[1]}
    assert len(pictures) == 1


def test_pixels_mix_a_far_battery_with_its_surroundings() -> None:
    fraction = far_fraction(30.0)
    assert mixed(180.0, 30.0, fraction) == pytest.approx(45.0)
    assert mixed(650.0, 30.0, fraction) > 100


def _fire(since: float, course: Points) -> Fire:
    began = SINCE + timedelta(seconds=since)
    until = since + course[-1][0]
    incident = Incident(
        kind=IncidentKind.FIRE, device=SHED, part="row-1", began=began, ended=SINCE + timedelta(seconds=until)
    )
    return Fire(incident, [Source(0, since, course, above=True, fast=True, incident=incident)], since, until)


def _emissions(make: Make, fire: Fire, *faults: Fault) -> list[Emission]:
    """Return what a camera emits that sees nothing but ``fire`` in the first of two regions."""
    span = Span(SINCE, timedelta(hours=3))
    life = Life(SHED, ["row-1", "row-2"], Weather(Random(1), span), span, sources=list(fire.sources))
    # No spread: the course of the fire is the whole difference to the normal course.
    regions = [Region(name, 0.0, 0.0, 0.0, 0.0, 0.0) for name in life.names]
    return list(Camera(Random(1), make, life, regions, [fire], list(faults)).emissions())
