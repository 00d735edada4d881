"""The rules of the built-in pack that look at more than one instant: counts, ratios, sequences, comparisons."""

from collections.abc import Iterable
from typing import Any

import pytest

from alerts.engine import Engine
from alerts.inventory import DeviceFacts, Inventory
from alerts.packs import builtin_rules
from core.observations import Observation
from core.wire.payloads import ElevatorEventType as Lift
from core.wire.payloads import GateEventType as Gate
from tests.unit.alerts.talk import LIFT, Talk, instant, run, told

DAY = 86_400
STANDING: dict[str, Any] = {"direction": "stopped", "door_state": "closed", "service_mode": "normal"}


def story(rule: str, observations: Iterable[Observation], until: float) -> list[tuple[float, str]]:
    """Return (second, kind) of what ``rule`` alone says."""
    return told(run([each for each in builtin_rules() if each.id == rule], observations, until))


MOVED = {
    "open, moving, off the level": ({}, [(10, "firing")]),
    "open and moving inside the zone": ({"door_zone": True}, []),
    "closing while it starts": ({"door_state": "closing"}, []),
    "standing open between floors": ({"direction": "stopped"}, []),
    "a mechanic on the car": ({"service_mode": "inspection"}, []),
}


@pytest.mark.parametrize(("changed", "expected"), MOVED.values(), ids=MOVED)
def test_a_car_that_moves_with_its_door_open(changed: dict[str, Any], expected: list[tuple[float, str]]) -> None:
    talk = Talk()
    begins = STANDING | {"door_state": "open", "door_zone": True}
    moving = begins | {"direction": "up", "door_zone": False} | changed
    said = [talk.lift(0, **begins), *(talk.lift(at, **moving) for at in range(9, 20))]
    assert story("moved-with-door-open", said, 30) == expected


@pytest.mark.parametrize("code", ["door_state", "direction"])
def test_values_of_one_instant_in_two_messages_are_not_a_moving_open_door(code: str) -> None:
    talk = Talk()
    open_door = STANDING | {"door_state": "open", "door_zone": True}
    said = [
        talk.lift(0, **open_door),
        talk.lift(10, direction="up", door_zone=False),
        talk.lift(10.2, door_state="closed") if code == "door_state" else talk.lift(10.2, direction="stopped"),
    ]
    assert story("moved-with-door-open", said, 30) == []


def doors(talk: Talk, *, openings_per_run: int, seconds_per_opening: float, count: int) -> list[Observation]:
    """Return the counters of a lift whose door opens so often for each run."""
    return [
        talk.lift(
            number * seconds_per_opening,
            door_cycle_count=1_000 + number,
            trip_count=500 + number // openings_per_run,
        )
        for number in range(count)
    ]


DOORS = {
    "one for each run": (1, 20.0, []),
    "twice for each run": (2, 15.0, []),
    "fifteen for each run": (15, 18.0, [(540.0, "firing")]),
    "the field's 2,000 in one run": (2_000, 18.0, [(540.0, "firing"), (558.0, "severity_changed")]),
    "as many, but slowly": (2_000, 60.0, []),
}


@pytest.mark.parametrize(("per_run", "seconds", "expected"), DOORS.values(), ids=DOORS)
def test_openings_per_run(per_run: int, seconds: float, expected: list[tuple[float, str]]) -> None:
    said = doors(Talk(), openings_per_run=per_run, seconds_per_opening=seconds, count=100)
    assert story("repeated-door-operation", said, 100 * seconds) == expected


def test_three_faults_in_a_day_are_one_alert_more_until_the_first_is_a_day_old() -> None:
    talk = Talk()
    hours = [0, 5, 9]
    said = [
        talk.lift_event(hour * 3_600 + wait, kind, "2")
        for hour in hours
        for wait, kind in ((0, Lift.FAULT_RAISED), (60, Lift.FAULT_CLEARED))
    ]
    assert story("frequent-faults", said, 2 * DAY) == [(9 * 3_600, "firing"), (DAY, "resolved")]


def test_six_faults_in_a_day_matter_more() -> None:
    talk = Talk()
    said = [
        talk.lift_event(hour * 3_600 + wait, kind, "2")
        for hour in range(6)
        for wait, kind in ((0, Lift.FAULT_RAISED), (60, Lift.FAULT_CLEARED))
    ]
    assert story("frequent-faults", said, DAY - 1) == [(2 * 3_600, "firing"), (5 * 3_600, "severity_changed")]


def test_one_fault_told_again_and_again_is_one() -> None:
    talk = Talk()
    said = [talk.lift_event(at, Lift.FAULT_RAISED, "2") for at in range(0, 600, 60)]
    assert story("frequent-faults", said, DAY) == []


RATED = Inventory({LIFT: DeviceFacts(numbers={"rated_load_kilograms": 630.0})})
LOADS = {
    "beyond the tenth": (RATED, [700.0] * 20, [(15, "firing")]),
    "over the rated load by less": (RATED, [680.0] * 20, []),
    "people get out at the buzzer": (RATED, [700.0] * 10 + [640.0, 600.0] + [600.0] * 8, []),
    "a lift of which no rated load is known": (Inventory(), [5_000.0] * 20, []),
}


@pytest.mark.parametrize(("inventory", "loads", "expected"), LOADS.values(), ids=LOADS)
def test_a_load_beside_the_rated_one(
    inventory: Inventory, loads: list[float], expected: list[tuple[float, str]]
) -> None:
    talk = Talk()
    engine = Engine(each for each in builtin_rules() if each.id == "lift-overloaded")
    engine.set_inventory(inventory)
    said = [talk.lift(at, load_kilograms=load) for at, load in enumerate(loads)]
    transitions = [each for observation in said for each in engine.observe(observation)]
    assert told(transitions + engine.advance(instant(20))) == expected


PASSAGES = {
    "in one by one": ("granted opened closed granted opened closed", []),
    "in, and somebody out by the button": ("granted opened closed exit opened closed", []),
    "granted once, opened twice": ("granted opened closed opened closed", [(4, "firing"), (304, "resolved")]),
    "the controller saw it": ("granted opened tailgating closed", [(3, "firing"), (303, "resolved")]),
    "opened without a grant": ("opened closed opened closed", []),
}
WORDS = {
    "granted": Gate.GRANTED,
    "opened": Gate.DOOR_OPENED,
    "closed": Gate.DOOR_CLOSED,
    "exit": Gate.EXIT_BUTTON,
    "tailgating": Gate.TAILGATING,
}


@pytest.mark.parametrize(("passage", "expected"), PASSAGES.values(), ids=PASSAGES)
def test_who_follows_through_a_gate(passage: str, expected: list[tuple[float, str]]) -> None:
    talk = Talk()
    said = [talk.gate(at, WORDS[word]) for at, word in enumerate(passage.split(), start=1)]
    assert story("gate-tailgating", said, 600) == expected


def test_a_second_opening_minutes_later_is_another_matter() -> None:
    talk = Talk()
    said = [talk.gate(0, Gate.GRANTED), talk.gate(1, Gate.DOOR_OPENED), talk.gate(200, Gate.DOOR_OPENED)]
    assert story("gate-tailgating", said, 600) == []


def closings(talk: Talk, seconds_by_day: list[float]) -> list[Observation]:
    """Return 30 door cycles a day at noon, each day's door closing in so many seconds."""
    said = []
    for day, seconds in enumerate(seconds_by_day):
        for number in range(30):
            at = day * DAY + 12 * 3_600 + number * 60.0
            said.append(talk.lift(at, door_state="open"))
            said.append(talk.lift(at + 5, door_state="closing"))
            said.append(talk.lift(at + 5 + seconds, door_state="closed"))
    return said


CLOSINGS = {
    "as ever": ([2.8] * 12, False),
    "half as long again": ([2.8] * 11 + [4.4], True),
    "a little slower": ([2.8] * 11 + [3.4], False),
    "too little known": ([2.8] * 4 + [4.4], False),
}


@pytest.mark.parametrize(("seconds_by_day", "expected"), CLOSINGS.values(), ids=CLOSINGS)
def test_a_door_beside_its_own_past(seconds_by_day: list[float], expected: bool) -> None:
    said = closings(Talk(), seconds_by_day)
    fired = [kind for _, kind in story("door-closing-slowly", said, len(seconds_by_day) * DAY)]
    assert fired == (["firing"] if expected else [])


STALLED: dict[str, Any] = STANDING | {"door_zone": False}
PRESSED = {
    "between floors": (STALLED, [(20, "firing")]),
    "at a floor": (STALLED | {"door_zone": True}, []),
    "while it rides": (STALLED | {"direction": "up"}, []),
    "with the door open": (STALLED | {"door_state": "open"}, []),
    "by a mechanic": (STALLED | {"service_mode": "inspection"}, []),
}


@pytest.mark.parametrize(("state", "expected"), PRESSED.values(), ids=PRESSED)
def test_a_button_pressed_in_a_car_without_a_people_sensor(
    state: dict[str, Any], expected: list[tuple[float, str]]
) -> None:
    talk = Talk()
    said = [talk.lift(0, **state), talk.lift_event(20, Lift.ALARM_PRESSED), talk.lift(30, **state)]
    assert story("trapped-passenger", said, 120) == expected


def test_a_car_that_stops_after_the_button_was_pressed_is_one_too() -> None:
    talk = Talk()
    said = [
        talk.lift(0, **STALLED | {"direction": "up"}),
        talk.lift_event(10, Lift.ALARM_PRESSED),
        talk.lift(15, **STALLED),
    ]
    # At five seconds it is believed to stand.
    assert story("trapped-passenger", said, 120) == [(20, "firing")]


def test_a_trapping_that_a_mechanic_set_off_and_whose_end_got_lost_is_forgotten_in_a_day() -> None:
    talk = Talk()
    inspected = {"service_mode": "inspection"}
    said = [
        talk.lift(0, **STANDING | inspected),
        talk.lift_event(10, Lift.FAULT_RAISED, source="gbt24476-2017", code="93"),
        talk.lift(DAY + 20, **STANDING),
    ]
    assert story("trapped-passenger", said, DAY + 60) == []
