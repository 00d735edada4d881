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
    "open, moving, off the level": ({}, [(11, "firing")]),
    "open and moving inside the zone": ({"door_zone": True}, []),
    "closing while it starts": ({"door_state": "closing"}, []),
    "open, off the level, its arrow off": ({"direction": "stopped"}, [(11, "firing")]),
    "a mechanic on the car": ({"service_mode": "inspection"}, []),
}


@pytest.mark.parametrize(("changed", "expected"), MOVED.values(), ids=MOVED)
def test_a_car_that_moves_with_its_door_open(changed: dict[str, Any], expected: list[tuple[float, str]]) -> None:
    talk = Talk()
    begins = STANDING | {"door_state": "open", "door_zone": True}
    moving = begins | {"direction": "up", "door_zone": False} | changed
    said = [talk.lift(0, **begins), *(talk.lift(at, **moving) for at in range(9, 20))]
    assert story("moved-with-door-open", said, 30) == expected


@pytest.mark.parametrize("code", ["door_state", "door_zone"])
def test_values_of_one_instant_in_two_messages_are_not_a_moving_open_door(code: str) -> None:
    talk = Talk()
    open_door = STANDING | {"door_state": "open", "door_zone": True}
    said = [
        talk.lift(0, **open_door),
        talk.lift(10, direction="up", door_zone=False),
        talk.lift(10.2, **({"door_state": "closed"} if code == "door_state" else {"door_zone": True})),
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
    "fifteen for each run": (15, 16.0, [(1_440.0, "firing")]),
    "the field's 2,000 in one run": (2_000, 17.0, [(1_530.0, "firing")]),
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


FORCED, HELD, OPENED, CLOSED = Gate.FORCED_OPEN, Gate.HELD_OPEN, Gate.DOOR_OPENED, Gate.DOOR_CLOSED
GRANTED, EXIT = Gate.GRANTED, Gate.EXIT_BUTTON
OUT = [(0, EXIT), (1, OPENED), (6, CLOSED)]
WEEK = 7 * DAY
HOURLY = range(3_600, 5 * 3_600, 3_600)
PASSAGES: dict[str, tuple[str, list[tuple[float, Gate]], list[tuple[float, str]]]] = {
    "in by card, out by the button": (
        "gate-opened-without-grant",
        [*OUT, (60, GRANTED), (61, OPENED), (120, CLOSED)],
        [],
    ),
    "pulled open again behind somebody": (
        "gate-opened-without-grant",
        [*OUT, (60, GRANTED), (61, OPENED), (66, CLOSED), (67, OPENED), (74, CLOSED)],
        [],
    ),
    "broken open where the controller judges nothing": (
        "gate-opened-without-grant",
        [*OUT, (60, OPENED), (80, GRANTED), (100, CLOSED)],
        [(75, "firing"), (100, "resolved")],
    ),
    "opened where the controller judges and says nothing": (
        "gate-opened-without-grant",
        [*OUT, (60, FORCED), (61, OPENED), (65, CLOSED), (300, OPENED)],
        [],
    ),
    "opened where nobody leaves by a button": ("gate-opened-without-grant", [(6, CLOSED), (60, OPENED)], []),
    "opened by the timetable": (
        "gate-opened-without-grant",
        [*OUT, (50, Gate.SCHEDULED_UNLOCK_STARTED), (60, OPENED), (99, CLOSED)],
        [],
    ),
    "gusts": (
        "gate-forced-open",
        [(60 * each + at, what) for each in range(9) for at, what in ((0, FORCED), (2, CLOSED))],
        [],
    ),
    "gusts, and then somebody": (
        "gate-forced-open",
        [(0, FORCED), (2, CLOSED), (60, FORCED), (62, CLOSED), (100, FORCED), (101, CLOSED), (200, FORCED)],
        [(210, "firing"), (200 + 8 * 3_600, "resolved")],
    ),
    "forced within the timetable of the door": (
        "gate-forced-open",
        [(0, Gate.SCHEDULED_UNLOCK_STARTED), (9, FORCED), (11, HELD)],
        [],
    ),
    "forced after it": (
        "gate-forced-open",
        [(0, Gate.SCHEDULED_UNLOCK_STARTED), (9, Gate.SCHEDULED_UNLOCK_ENDED), (60, FORCED), (90, CLOSED)],
        [(70, "firing"), (90, "resolved")],
    ),
    "a door that never tells its closing, and often opens": (
        "gate-forced-open",
        [(at, FORCED) for at in HOURLY],
        [(3_610, "firing"), (7_200, "repeated"), (10_800, "repeated"), (14_400, "resolved")],
    ),
    "the same, standing open": (
        "gate-forced-open",
        [*((at, FORCED) for at in HOURLY), (15_000, FORCED), (15_030, HELD)],
        [
            (3_610, "firing"),
            (7_200, "repeated"),
            (10_800, "repeated"),
            (14_400, "resolved"),
            (15_040, "firing"),
            (18_630, "resolved"),
        ],
    ),
    "a contact in the wind": (
        "gate-contact-unreliable",
        [(at, FORCED) for at in range(0, 600, 60)],
        [(180, "firing"), (WEEK + 480, "resolved")],
    ),
    "a suitcase": ("gate-tailgating", [(0, GRANTED), (1, OPENED), (3, Gate.TAILGATING)], []),
    "three who follow": (
        "gate-tailgating",
        [(300 * each, Gate.TAILGATING) for each in range(3)],
        [(600, "firing"), (1_800, "resolved")],
    ),
}


@pytest.mark.parametrize(("rule", "said", "expected"), PASSAGES.values(), ids=PASSAGES)
def test_what_a_door_tells_by_day(rule: str, said: list[tuple[float, Gate]], expected: list[tuple[float, str]]) -> None:
    talk = Talk()
    assert story(rule, [talk.gate(at, what) for at, what in said], 8 * DAY) == expected


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
    "forced open between floors": (STALLED | {"door_state": "open"}, [(20, "firing")]),
    "with the door open at a floor": (STALLED | {"door_state": "open", "door_zone": True}, []),
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
