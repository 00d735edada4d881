"""Lifts of the scored corpus: repeatable, readable by the product, and true to their own incidents."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import pairwise

import msgspec
import pytest

from core.observations import Entry, Observation
from core.wire.payloads import ElevatorEvent, ElevatorEventType, ElevatorTelemetry
from ingest.decoders.native import NativeDecoder
from tests.quality.lifts import COURSES, MATRIX_HOUR, MISSING, PACES, entrapment_world, lift_gateways, lift_worlds
from tests.quality.model import Incident, IncidentKind, Message, Span, World

SPAN = Span(datetime(2026, 3, 1, tzinfo=UTC), timedelta(days=1))
LIFTS = 8
EVERYTHING: frozenset[str] = frozenset()
DECODE = NativeDecoder(b"k" * 32)


def decoded(message: Message) -> Observation:
    entry = Entry(1, message.received_at, message.topic, message.payload, len(message.payload))
    observation = DECODE(entry)
    assert isinstance(observation, Observation), observation
    return observation


def digest(seed: int) -> str:
    """Return a digest of the messages and the truth of two lifts."""
    summed = blake2b()
    for world in lift_worlds(seed, 2, SPAN):
        for message in world.messages:
            summed.update(msgspec.json.encode(message))
        summed.update(msgspec.json.encode([world.station.make, world.incidents, world.disturbances]))
    return summed.hexdigest()


def test_a_seed_gives_the_same_bytes_in_a_process_that_hashes_differently() -> None:
    program = "from tests.unit.quality.test_lifts import digest; print(digest(7))"
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": "."}
    other = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert other == digest(7)
    assert other != digest(8)


def test_a_lift_is_the_same_in_a_larger_estate() -> None:
    (alone, *_) = lift_worlds(7, 1, SPAN)
    (first, *_) = lift_worlds(7, 3, SPAN)
    assert list(alone.messages) == list(first.messages)


def test_a_day_of_lifts_is_readable_in_order_and_within_its_span() -> None:
    for world in lift_worlds(1, LIFTS, SPAN):
        messages = list(world.messages)
        assert all(first.received_at <= second.received_at for first, second in pairwise(messages))
        assert {decoded(message).device for message in messages} == {world.station.device}
        assert all(SPAN.since <= i.began <= i.ended <= SPAN.until for i in world.incidents)
        assert all(SPAN.since <= d.began < d.ended <= SPAN.until for d in world.disturbances)


def test_lifts_name_gateways_that_exist() -> None:
    named = {world.station.facts.gateway for world in lift_worlds(3, 24, SPAN)} - {""}
    gateways = {world.station.device.device: world for world in lift_gateways(3, 24, SPAN)}
    assert named == gateways.keys()
    beats = [decoded(message) for message in gateways.popitem()[1].messages]
    assert 24 * 60 - 10 < len(beats) < 24 * 60 + 20


def the_entrapment(world: World) -> tuple[Incident, list[Observation]]:
    observations = [decoded(message) for message in world.messages]
    (incident,) = [incident for incident in world.incidents if incident.kind is IncidentKind.ENTRAPMENT]
    assert MATRIX_HOUR.since < incident.began < incident.ended < MATRIX_HOUR.until
    return incident, observations


def telemetry(observations: list[Observation], since: datetime, until: datetime) -> list[ElevatorTelemetry]:
    return [o.body for o in observations if isinstance(o.body, ElevatorTelemetry) and since <= o.at < until]


@pytest.mark.parametrize("course", COURSES)
def test_during_an_entrapment_the_lift_shows_its_course_and_afterwards_an_open_door(course: str) -> None:
    incident, observations = the_entrapment(entrapment_world("every-1s", EVERYTHING, course, 5))
    # The first second may hold the stop itself, the last minutes the rescue.
    rows = telemetry(observations, incident.began + timedelta(seconds=1), incident.began + timedelta(minutes=1))
    assert incident.variant == course
    assert all(row.passenger_present for row in rows)
    assert all(row.door_state != "open" for row in rows)
    assert {row.main_power for row in rows} == {course != "power-cut"}
    if course in ("off-level", "power-cut", "safety-stop"):
        assert {(row.door_zone, row.direction, row.door_state) for row in rows} == {(False, "stopped", "closed")}
    if course == "at-level-door-shut":
        assert {(row.door_zone, row.direction) for row in rows} == {(True, "stopped")}
    if course == "jammed-ajar":
        assert {row.door_state for row in rows} < {"opening", "closing"}
    if course == "door-dead":
        span = telemetry(observations, incident.began, incident.ended - timedelta(minutes=2))
        assert {row.direction for row in span} == {"stopped", "up", "down"}
    after = telemetry(observations, incident.ended, incident.ended + timedelta(seconds=3))
    assert {row.door_state for row in after} == {"open"}


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("lacks", MISSING)
def test_a_missing_signal_is_never_sent(pace: str, lacks: str) -> None:
    _, observations = the_entrapment(entrapment_world(pace, frozenset({lacks}), "at-level-door-shut", 2))
    rows = [o.body for o in observations if isinstance(o.body, ElevatorTelemetry)]
    types = {o.body.type for o in observations if isinstance(o.body, ElevatorEvent)}
    absent = {
        "no-people-sensor": "passenger_present",
        "no-door-zone": "door_zone",
        "no-load": "load_kilograms",
        "no-speed": "speed_mps",
        "no-position": "position_metres",
        "no-counters": "trip_count",
        "no-main-power": "main_power",
        "no-mode": "service_mode",
    }
    assert rows
    assert all((getattr(row, field) is None) == (name == lacks) for row in rows for name, field in absent.items())
    if lacks == "no-buttons":
        assert not types & {ElevatorEventType.ALARM_PRESSED, ElevatorEventType.ALARM_RELEASED}
    if lacks == "no-fault-codes":
        assert ElevatorEventType.FAULT_RAISED not in types
    if lacks == "two-state-door":
        assert {row.door_state for row in rows} == {"open", "closed"}


@pytest.mark.parametrize("seed", range(6))
def test_the_truth_names_the_first_press_and_no_sign_later_than_it(seed: int) -> None:
    incident, observations = the_entrapment(entrapment_world("every-30s", EVERYTHING, "off-level", seed))
    presses = [
        o.received_at
        for o in observations
        if isinstance(o.body, ElevatorEvent) and o.body.type is ElevatorEventType.ALARM_PRESSED
    ]
    assert incident.pressed == (presses[0] if presses else None)
    assert incident.first_sign is not None
    assert incident.began <= incident.first_sign <= incident.began + timedelta(seconds=31)
    assert not presses or incident.first_sign <= presses[0]


def test_a_motion_sensor_loses_a_person_who_stands_still() -> None:
    lost = 0
    for seed in range(6):
        world = entrapment_world("every-1s", frozenset({"motion-sensor-only"}), "off-level", seed)
        incident, observations = the_entrapment(world)
        rows = telemetry(observations, incident.began, incident.ended)
        lost += any(row.passenger_present is False for row in rows)
    assert 0 < lost < 6
