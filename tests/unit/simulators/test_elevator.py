"""A lift's day: physics between readings, counters, traffic, and what the incidents' inputs do."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.wire.payloads import ADDED, Direction, DoorState, ElevatorEvent, ElevatorTelemetry, Payload, ServiceMode
from simulators.gate import ForceOpen
from simulators.lift_inputs import (
    BreakAlarm,
    ClearDoor,
    CutPower,
    FreePassengers,
    ObstructDoor,
    Overload,
    PressAlarm,
    RepairAlarm,
    RestorePower,
    SettleDoor,
    StopBetweenFloors,
    TestAlarm,
    UnloadCar,
    UnsettleDoor,
)
from simulators.model import Input, UnknownInputError
from tests.unit.simulators.driving import START, drive, lift

EVENING = START + timedelta(hours=18)
LEVELS = [0.0, 4.2, 7.1, 10.0, 12.9, 15.8, 18.7]
TRAPPED: dict[float, Input] = {10.0: StopBetweenFloors(), 100.0: PressAlarm(), 200.0: FreePassengers()}


def readings(said: list[Payload]) -> list[ElevatorTelemetry]:
    return [body for body in said if isinstance(body, ElevatorTelemetry)]


def events(said: list[Payload]) -> list[tuple[str, str | None]]:
    return [
        (body.type.value, str(body.code) if body.code else None) for body in said if isinstance(body, ElevatorEvent)
    ]


def number(value: float | None) -> float:
    assert value is not None
    return value


def busy_hour(seed: int) -> list[ElevatorTelemetry]:
    return readings(list(drive(lift(seed, start=EVENING, rides_per_day=1500), 3600, start=EVENING)))


@given(st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_an_hour_obeys_physics(seed: int) -> None:
    hour = busy_hour(seed)
    assert max(number(each.trip_count) for each in hour) > number(hour[0].trip_count)
    for before, after in pairwise(hour):
        seconds = (after.at - before.at).total_seconds()
        assert abs(number(after.speed_mps)) <= 1.0 + 1e-3
        assert abs(number(after.speed_mps) - number(before.speed_mps)) <= 0.7 * seconds + 2e-3
        assert abs(number(after.position_metres) - number(before.position_metres)) <= 1.0 * seconds + 2e-3


@given(st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_the_door_is_closed_in_motion_and_open_only_at_a_level(seed: int) -> None:
    for reading in busy_hour(seed):
        if reading.door_state is not DoorState.CLOSED:
            assert reading.speed_mps == 0.0
            assert reading.direction is Direction.STOPPED
            assert number(reading.position_metres) in LEVELS
            assert reading.door_zone is True


def test_counters_only_rise() -> None:
    hour = busy_hour(3)
    for before, after in pairwise(hour):
        assert number(before.trip_count) <= number(after.trip_count) <= number(before.trip_count) + 1
        assert number(before.door_cycle_count) <= number(after.door_cycle_count) <= number(before.door_cycle_count) + 1
        assert number(before.running_seconds) <= number(after.running_seconds)


def test_running_seconds_count_the_time_in_motion() -> None:
    hour = busy_hour(4)
    moving = sum((b.at - a.at).total_seconds() for a, b in pairwise(hour) if a.direction is not Direction.STOPPED)
    assert number(hour[-1].running_seconds) - number(hour[0].running_seconds) == pytest.approx(moving, abs=2.0)


def test_every_reading_carries_all_thirteen_values_within_the_rated_load() -> None:
    for reading in busy_hour(5):
        usual = set(reading.__struct_fields__) - ADDED[ElevatorTelemetry] - {"at", "seq"}
        values = {name: getattr(reading, name) for name in usual}
        assert len(values) == 13
        assert None not in values.values()
        assert number(reading.load_kilograms) <= 630.0
        assert reading.passenger_present is (number(reading.load_kilograms) > 0)


def test_readings_come_every_second_in_motion_and_every_five_at_rest() -> None:
    for before, after in pairwise(busy_hour(6)):
        gap = (after.at - before.at).total_seconds()
        still = before.direction is Direction.STOPPED and before.door_state is DoorState.CLOSED
        assert gap <= (5.0 if still else 1.0) + 1e-6


def test_a_day_has_the_traffic_it_was_given_with_its_peaks() -> None:
    day = readings(list(drive(lift(7, rides_per_day=320), 86_400)))
    trips = number(day[-1].trip_count) - number(day[0].trip_count)
    # A ride often needs an empty run to fetch it, and some are shared.
    assert 320 <= trips <= 640
    departures = Counter((b.at + timedelta(hours=8)).hour for a, b in pairwise(day) if a.trip_count != b.trip_count)
    assert departures[7] + departures[18] > 6 * (departures[2] + departures[3])


def test_the_same_seed_says_the_same_and_another_does_not() -> None:
    said = [list(drive(lift(seed, start=EVENING), 900, start=EVENING)) for seed in (1, 1, 2)]
    assert said[0] == said[1]
    assert said[0] != said[2]


@given(seed=st.integers(0, 10_000), begin=st.sampled_from([START + timedelta(hours=3), EVENING]))
@settings(max_examples=30, deadline=None)
def test_a_trapped_passenger_is_between_floors_within_a_minute_and_freed(seed: int, begin: datetime) -> None:
    said = list(drive(lift(seed, start=begin), 260, start=begin, inputs=TRAPPED))
    assert events(said) == [
        ("fault_raised", "4"),
        ("alarm_pressed", None),
        ("mode_changed", None),
        ("alarm_released", None),
        ("alarm_reset", None),
        ("fault_cleared", "4"),
        ("mode_changed", None),
    ]
    trapped = [each for each in readings(said) if 70 <= (each.at - begin).total_seconds() < 200]
    assert len(trapped) >= 25
    for reading in trapped:
        assert reading.passenger_present is True
        assert (reading.door_state, reading.door_zone, reading.speed_mps) == (DoorState.CLOSED, False, 0.0)
        assert min(abs(number(reading.position_metres) - level) for level in LEVELS) > 0.2
    last = readings(said)[-1]
    assert last.service_mode is ServiceMode.NORMAL
    assert any(each.door_state is DoorState.OPEN for each in readings(said) if (each.at - begin).total_seconds() > 200)


def test_a_rescue_moves_slowly_to_a_level() -> None:
    said = readings(list(drive(lift(2), 260, inputs=TRAPPED)))
    rescue = [each for each in said if each.service_mode is ServiceMode.INSPECTION]
    assert max(abs(number(each.speed_mps)) for each in rescue) == pytest.approx(0.15, abs=1e-3)


def test_a_stall_brakes_no_harder_than_the_brake_can() -> None:
    for before, after in pairwise(readings(list(drive(lift(2), 100, inputs=TRAPPED)))):
        seconds = (after.at - before.at).total_seconds()
        assert abs(number(after.speed_mps) - number(before.speed_mps)) <= 1.0 * seconds + 2e-3


def test_nobody_presses_the_alarm_in_an_empty_car() -> None:
    assert events(list(drive(lift(1, rides_per_day=0.0), 60, inputs={10.0: PressAlarm()}))) == []


def test_the_alarm_is_tested_once_a_day_without_being_asked() -> None:
    said = list(drive(lift(1, rides_per_day=0.0), 5 * 86_400))
    tests = [each for each in said if isinstance(each, ElevatorEvent)]
    assert [each.type.value for each in tests] == ["alarm_tested"] * 5
    assert {(after.at - before.at).total_seconds() for before, after in pairwise(tests)} == {86_400.0}


def test_the_alarm_is_tested_when_it_is_asked_and_the_next_day_counts_from_then() -> None:
    said = list(drive(lift(1, rides_per_day=0.0), 90_000, inputs={60.0: TestAlarm()}))
    tests = [((each.at - START).total_seconds(), each.type.value) for each in said if isinstance(each, ElevatorEvent)]
    assert tests == [(60.0, "alarm_tested"), (86_460.0, "alarm_tested")]


def test_a_broken_alarm_fails_its_test_until_it_is_repaired() -> None:
    inputs: dict[float, Input] = {10.0: BreakAlarm(), 20.0: TestAlarm(), 30.0: RepairAlarm()}
    said = list(drive(lift(1, rides_per_day=0.0), 40, inputs=inputs))
    assert events(said) == [("alarm_test_failed", None), ("alarm_test_failed", None), ("alarm_tested", None)]


def test_an_obstructed_door_reopens_until_it_is_cleared() -> None:
    quiet = lift(1, rides_per_day=0.0)
    said = list(drive(quiet, 140, inputs={10.0: ObstructDoor(), 80.0: ClearDoor()}))
    assert events(said) == [("fault_raised", "2"), ("fault_cleared", "2")]
    raised, cleared = (each for each in said if isinstance(each, ElevatorEvent))
    # Three cycles of opening 2.2 s, dwelling 4 s and closing half way 1.4 s.
    assert (raised.at - START).total_seconds() == pytest.approx(10 + 3 * 7.6)
    assert (cleared.at - START).total_seconds() > 80
    counts = [number(each.door_cycle_count) for each in readings(said)]
    assert counts[-1] - counts[0] >= 9
    assert readings(said)[-1].door_state is DoorState.CLOSED


@given(seed=st.integers(0, 10_000), begin=st.sampled_from([START + timedelta(hours=3), EVENING]))
@settings(max_examples=20, deadline=None)
def test_a_power_cut_in_a_ride_leaves_a_passenger_between_floors_until_the_mains_are_back(
    seed: int, begin: datetime
) -> None:
    inputs: dict[float, Input] = {10.0: CutPower(), 100.0: PressAlarm(), 200.0: RestorePower()}
    said = list(drive(lift(seed, start=begin), 260, start=begin, inputs=inputs))
    assert events(said) == [
        ("mode_changed", None),
        ("alarm_pressed", None),
        ("alarm_released", None),
        ("mode_changed", None),
    ]
    dark = [each for each in readings(said) if 70 <= (each.at - begin).total_seconds() < 200]
    for reading in dark:
        assert (reading.main_power, reading.passenger_present) == (False, True)
        assert (reading.door_state, reading.door_zone, reading.speed_mps) == (DoorState.CLOSED, False, 0.0)
        assert reading.service_mode is ServiceMode.EMERGENCY_POWER
    creeping = [each for each in readings(said) if (each.at - begin).total_seconds() > 200]
    assert max(abs(number(each.speed_mps)) for each in creeping[:5]) == pytest.approx(0.15, abs=1e-3)
    last = readings(said)[-1]
    assert (last.main_power, last.service_mode) == (True, ServiceMode.NORMAL)


@given(seed=st.integers(0, 10_000), cut=st.floats(60.0, 900.0))
@settings(max_examples=30, deadline=None)
def test_a_car_without_mains_stands_with_its_door_as_it_was(seed: int, cut: float) -> None:
    inputs: dict[float, Input] = {cut: CutPower(occupied=False), cut + 300: RestorePower()}
    busy = lift(seed, start=EVENING, rides_per_day=1500)
    said = readings(list(drive(busy, cut + 420, start=EVENING, inputs=inputs)))
    dark = [each for each in said if each.main_power is False]
    assert number(dark[-1].trip_count) == number(dark[0].trip_count)
    assert number(dark[-1].door_cycle_count) == number(dark[0].door_cycle_count)
    # The brake of a car at 1 m/s holds it within a second; readings come every second in motion.
    standing = [each for each in dark if (each.at - dark[0].at).total_seconds() > 2]
    assert len({each.position_metres for each in standing}) == 1
    assert {each.door_state for each in standing} <= {DoorState.OPEN, DoorState.CLOSED}
    after_it = [each for each in said if each.at > dark[-1].at]
    assert number(after_it[-1].trip_count) > number(dark[-1].trip_count)
    assert after_it[-1].service_mode is ServiceMode.NORMAL


def test_hand_winding_frees_passengers_of_a_dark_lift_which_then_stands_open() -> None:
    inputs: dict[float, Input] = {10.0: CutPower(), 150.0: FreePassengers()}
    said = readings(list(drive(lift(3), 400, inputs=inputs)))
    last = said[-1]
    assert (last.main_power, last.door_state, last.passenger_present) == (False, DoorState.OPEN, False)
    assert last.service_mode is ServiceMode.EMERGENCY_POWER


def test_mains_that_nobody_rode_into_are_not_cut_later() -> None:
    inputs: dict[float, Input] = {10.0: CutPower(), 11.0: RestorePower()}
    busy = lift(1, start=EVENING, rides_per_day=1500)
    assert {each.main_power for each in readings(list(drive(busy, 900, start=EVENING, inputs=inputs)))} == {True}


def test_an_unsettled_door_opens_again_and_again_without_a_fault_and_without_a_run() -> None:
    quiet = lift(1, rides_per_day=0.0)
    said = list(drive(quiet, 700, inputs={10.0: UnsettleDoor(), 610.0: SettleDoor()}))
    assert events(said) == []
    first, last = readings(said)[0], readings(said)[-1]
    # Opening 2.2 s, dwelling 4 s and closing 2.8 s: 600 s hold 67 cycles.
    assert number(last.door_cycle_count) - number(first.door_cycle_count) == 67
    assert last.trip_count == first.trip_count
    assert last.door_state is DoorState.CLOSED


def test_an_overloaded_car_waits_with_its_door_open_until_some_get_out() -> None:
    quiet = lift(1, rides_per_day=0.0)
    said = readings(list(drive(quiet, 120, inputs={10.0: Overload(), 70.0: UnloadCar()})))
    over = [each for each in said if number(each.load_kilograms) > 630]
    assert {(each.load_kilograms, each.door_state, each.passenger_present) for each in over} == {
        (756.0, DoorState.OPEN, True)
    }
    assert 55 <= (over[-1].at - over[0].at).total_seconds() <= 65
    assert (said[-1].load_kilograms, said[-1].door_state) == (0.0, DoorState.CLOSED)


def test_an_input_of_another_device_is_refused() -> None:
    with pytest.raises(UnknownInputError, match="ForceOpen"):
        lift().step(START, [ForceOpen()])
