"""Lifts of a simulated estate: one world each, by make, pace and link, with the truth of what befell them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from alerts.inventory import DeviceFacts
from core.devices import DeviceKey, DeviceKind
from tests.quality.lift_agenda import Item, draw_agenda, live
from tests.quality.lift_car import Car
from tests.quality.lift_entrapments import COURSES, draw_plan, entrapment
from tests.quality.lift_makes import MISSING as SIGNALS_MISSING
from tests.quality.lift_makes import MOTION_SENSOR, PACES, Make, draw_make
from tests.quality.lift_sensors import Reporter
from tests.quality.links import Link, behind, deliver, draw_link, gateway_key, gateway_world, link_incidents
from tests.quality.model import COMMUNITY, Disturbance, Span, Station, World

__all__ = ["COURSES", "MISSING", "PACES", "entrapment_world", "lift_gateways", "lift_worlds"]

MISSING = (*SIGNALS_MISSING, MOTION_SENSOR)
# The lifts of one block share a gateway, in half of the blocks.
LIFTS_A_BLOCK = 3
_SHARED_SHARE = 0.5
_WEAK_SHARE = 0.2
_WRONG_CLOCK_SECONDS = 30.0
MATRIX_HOUR = Span(datetime(2026, 3, 2, 9, tzinfo=UTC), timedelta(hours=1))


def lift_worlds(seed: int, count: int, span: Span) -> Iterator[World]:
    """Yield one world for each of ``count`` lifts; a lift depends on ``seed``, its number and ``span`` alone.

    Some disturbances last for the whole span (a loose door magnet): the shortest one that covers a false alert is the
    likeliest cause.
    """
    for number in range(count):
        rng = Random(f"lift/{seed}/{number}")
        shared = _shared_link(seed, number // LIFTS_A_BLOCK, span)
        make = draw_make(rng, span)
        weak = rng.random() < _WEAK_SHARE
        link = behind(shared, rng) if shared else draw_link(rng, span, weak=weak)
        device = DeviceKey(COMMUNITY, DeviceKind.ELEVATOR, f"lift-{number + 1:03}")
        gateway = gateway_key(number // LIFTS_A_BLOCK + 1).device if shared else ""
        yield _world(device, make, link, span, rng, gateway=gateway)


def lift_gateways(seed: int, count: int, span: Span) -> Iterator[World]:
    """Yield the worlds of the gateways that lifts of `lift_worlds` (same arguments) share."""
    for block in range((count + LIFTS_A_BLOCK - 1) // LIFTS_A_BLOCK):
        if link := _shared_link(seed, block, span):
            yield gateway_world(gateway_key(block + 1), span, link, Random(f"lift-gateway-beats/{seed}/{block}"))


def _shared_link(seed: int, block: int, span: Span) -> Link | None:
    rng = Random(f"lift-gateway/{seed}/{block}")
    if rng.random() >= _SHARED_SHARE:
        return None
    return draw_link(rng, span, weak=rng.random() < _WEAK_SHARE)


def entrapment_world(pace: str, missing: frozenset[str], course: str, seed: int) -> World:
    """Return an hour with exactly one entrapment, of a lift whose sensors are good, over a good link."""
    rng = Random(f"entrapment/{pace}/{'+'.join(sorted(missing))}/{course}/{seed}")
    sensor = "pir" if MOTION_SENSOR in missing else "camera"
    make = Make(missing=missing - {MOTION_SENSOR}, pace=pace, people_sensor=sensor)
    device = DeviceKey(COMMUNITY, DeviceKind.ELEVATOR, "lift-matrix")
    plan = draw_plan(rng, longest_minutes=30)
    at = MATRIX_HOUR.since + timedelta(minutes=rng.uniform(8, 16))
    agenda = [Item(at, timedelta(hours=1), lambda car: entrapment(car, course, plan))]
    return _world(device, make, Link(), MATRIX_HOUR, rng, agenda=agenda)


def _world(
    device: DeviceKey, make: Make, link: Link, span: Span, rng: Random, *, gateway: str = "",
    agenda: list[Item] | None = None,
) -> World:  # fmt: skip
    car = Car(device, make, span.since, Random(rng.getrandbits(64)))
    agenda = draw_agenda(rng, make, span) if agenda is None else agenda
    reporter = Reporter(car, span, Random(rng.getrandbits(64)), presence=link.presence)
    car.incidents += link_incidents(device, link, span)
    car.disturbances += _lasting_disturbances(car, make, span)
    emissions = reporter.report(live(car, agenda, span.until, rng.uniform(0.5, 1.4)))
    return World(
        station=_station(device, make, link, gateway),
        messages=deliver(device, emissions, link, span, Random(rng.getrandbits(64))),
        incidents=car.incidents,
        disturbances=car.disturbances,
    )


def _station(device: DeviceKey, make: Make, link: Link, gateway: str) -> Station:
    weak = len(link.outages) > 0 and link.delay_seconds[1] > 1
    pace = make.pace + ("+weak-link" if weak else "")
    if abs(link.clock_offset_seconds) > _WRONG_CLOCK_SECONDS:
        pace += "+wrong-clock"
    facts = DeviceFacts(
        name_zh=f"{device.device} 号电梯",
        name_en=f"Lift {device.device}",
        gateway=gateway,
        numbers={
            "rated_load_kilograms": make.rated_load_kilograms,
            "rated_speed_mps": make.rated_speed_mps,
            "stops": float(len(make.floors)),
        },
    )
    return Station(device=device, facts=facts, make=make.label, pace=pace)


def _lasting_disturbances(car: Car, make: Make, span: Span) -> Iterator[Disturbance]:
    """Yield what is poor about the sensors of ``make``; it lasts for the whole span, a stuck sensor for its days."""
    sensed = "no-people-sensor" not in make.missing
    poor = {
        "flapping-people-sensor": sensed and make.people_sensor == "flapping",
        "loose-door-magnet": make.loose_door_magnet,
        "noisy-door-zone": make.noisy_door_zone and "no-door-zone" not in make.missing,
    }
    for cause, applies in poor.items():
        if applies:
            yield Disturbance(cause=cause, device=car.device, began=span.since, ended=span.until)
    if make.people_stuck:
        began, ended = make.people_stuck
        yield Disturbance(cause="stuck-people-sensor", device=car.device, began=began, ended=ended)
