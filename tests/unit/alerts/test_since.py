"""`since`: what was seen after something else last was."""

from collections.abc import Sequence
from typing import Any

import pytest

from alerts.rules import Rule
from core.observations import Observation
from core.wire.payloads import ElevatorEventType as Lift
from core.wire.payloads import GateEventType as Gate
from tests.unit.alerts.talk import Talk, rule, run, run_restarting, told

Said = list[tuple[float, str]]
OPEN = "{kind: state, signal: door_state, equals: open}"
INSIDE = "{kind: state, signal: passenger_present, equals: true}"
SEEN = f"{{kind: since, after: {INSIDE}, until: {OPEN}}}"
MOVED = f"{{kind: since, after: {{kind: state, signal: direction, in: [up, down]}}, until: {OPEN}}}"


def lift(said: Sequence[tuple[float, dict[str, Any]]]) -> list[Observation]:
    talk = Talk()
    return [talk.lift(at, **signals) for at, signals in said]


def both(one: Rule, said: list[Observation], until: float | None = None) -> Said:
    """Return what follows, having made sure that restarts change nothing."""
    expected = told(run([one], said, until=until))
    assert told(run_restarting([one], said, until=until)) == expected
    return expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param([(0, {"passenger_present": True})], [(0, "firing")], id="seen"),
        pytest.param(
            [(0, {"passenger_present": True}), (5, {"passenger_present": False}), (60, {"passenger_present": False})],
            [(0, "firing")],
            id="the sensor lets go of who stands still",
        ),
        pytest.param(
            [(0, {"passenger_present": True}), (5, {"door_state": "open"}), (9, {"door_state": "closed"})],
            [(0, "firing"), (5, "resolved"), (9, "firing")],
            id="who is still seen when the door has closed",
        ),
        pytest.param(
            [
                (0, {"passenger_present": True}),
                (5, {"door_state": "open"}),
                (7, {"passenger_present": False}),
                (9, {"door_state": "closed"}),
            ],
            [(0, "firing"), (5, "resolved")],
            id="who got out",
        ),
        pytest.param([(0, {"door_state": "open", "passenger_present": True})], [], id="both at once: until counts"),
        pytest.param([(0, {"door_state": "closed"})], [], id="neither was seen"),
    ],
)
def test_somebody_was_seen_since_the_door_was_open(
    said: Sequence[tuple[float, dict[str, Any]]], expected: Said
) -> None:
    assert both(rule("elevator", SEEN), lift(said)) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(
            [(0, {"direction": "up", "door_state": "closed"}), (10, {"direction": "stopped"})],
            [(40, "firing")],
            id="stopped and not opened",
        ),
        pytest.param(
            [
                (0, {"direction": "up", "door_state": "closed"}),
                (10, {"direction": "stopped"}),
                (12, {"door_state": "open"}),
                (20, {"door_state": "closed"}),
            ],
            [],
            id="opened since",
        ),
        pytest.param([(0, {"direction": "stopped", "door_state": "closed"})], [], id="it was not seen to move"),
    ],
)
def test_stopped_and_not_opened_since(said: Sequence[tuple[float, dict[str, Any]]], expected: Said) -> None:
    condition = f"{{kind: all_of, of: [{{kind: state, signal: direction, equals: stopped}}, {MOVED}]}}"
    assert both(rule("elevator", condition, "for: 30s"), lift(said), until=600) == expected


def test_events_of_one_door_are_remembered_of_that_door() -> None:
    talk = Talk()
    passed = "{kind: since, after: {kind: event, types: [granted]}, until: {kind: event, types: [door_opened]}}"
    said = [talk.gate(0, Gate.GRANTED, "1"), talk.gate(3, Gate.DOOR_OPENED, "2"), talk.gate(6, Gate.DOOR_OPENED, "1")]
    assert both(rule("gate", passed), said) == [(0, "firing"), (6, "resolved")]


def test_a_confirmed_end_ends_it_in_its_own_time() -> None:
    talk = Talk()
    until = OPEN.replace("open}", "open, confirm: 5s}")
    pressed = f"{{kind: since, after: {{kind: event, types: [alarm_pressed]}}, until: {until}}}"
    said = [talk.lift(0, door_state="closed"), talk.lift_event(1, Lift.ALARM_PRESSED), talk.lift(4, door_state="open")]
    assert both(rule("elevator", pressed), said, until=60) == [(1, "firing"), (9, "resolved")]


def test_what_ends_the_alert_forgets_what_does_not_stand_any_more() -> None:
    ended = "clears_when: {kind: threshold, signal: load_kilograms, below: 5}"
    gone: list[tuple[float, dict[str, Any]]]
    gone = [(0, {"passenger_present": True}), (1, {"passenger_present": False}), (2, {"load_kilograms": 0.0})]
    assert both(rule("elevator", SEEN, ended), lift([*gone, (3, {"load_kilograms": 80.0})])) == [
        (0, "firing"),
        (2, "resolved"),
    ]


def test_the_reason_names_both() -> None:
    (_, firing) = run([rule("elevator", SEEN)], lift([(0, {"passenger_present": True})]))
    assert firing.reason.code == "since"
    assert firing.reason.zh == "自上次「轿门打开」后：轿厢内有人"
    assert firing.reason.en == "since “the car door is open”: someone is in the car"


def test_events_that_did_not_happen_are_no_part_of_the_reason() -> None:
    exception = "{kind: none_of, of: [{kind: event, types: [alarm_reset], resolve_after: 1h}]}"
    pressed = f"{{kind: all_of, of: [{{kind: event, types: [alarm_pressed], resolve_after: 1h}}, {exception}]}}"
    talk = Talk()
    (_, firing) = run([rule("elevator", pressed)], [talk.lift_event(0, Lift.ALARM_PRESSED)])
    assert firing.reason.en == "car alarm button pressed"


def test_none_of_tells_what_was_not_seen() -> None:
    empty = f"{{kind: all_of, of: [{{kind: none_of, of: [{SEEN}]}}, {{kind: state, signal: direction, equals: up}}]}}"
    (_, firing) = run([rule("elevator", empty)], lift([(0, {"direction": "up"})]))
    assert "not seen since “the car door is open”: someone is in the car" in firing.reason.en
    assert "自「轿门打开」以来未见：轿厢内有人" in firing.reason.zh


ARRIVED = (
    "{kind: since, after: {kind: change, signal: floor, by: any}, "
    "until: {kind: change, signal: door_cycle_count, by: any}}"
)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param([(0, {"floor": "1"}), (30, {"floor": "5"})], [(30, "firing")], id="moved"),
        pytest.param([(0, {"floor": "1"}), (30, {"floor": "1"})], [], id="the first value is no change"),
        pytest.param(
            [(0, {"floor": "1", "door_cycle_count": 7}), (30, {"floor": "5", "door_cycle_count": 8})],
            [],
            id="moved and opened between two messages",
        ),
        pytest.param(
            [(0, {"floor": "1", "door_cycle_count": 7}), (30, {"floor": "5"}), (60, {"door_cycle_count": 8}), (90, {})],
            [(30, "firing"), (60, "resolved")],
            id="opened without being seen open",
        ),
    ],
)
def test_a_change_is_what_begins_or_ends_it(said: Sequence[tuple[float, dict[str, Any]]], expected: Said) -> None:
    assert both(rule("elevator", ARRIVED), lift(said), until=200) == expected


def test_a_change_ends_it_at_its_instant_only() -> None:
    """The message after the change begins it anew, though it says the same: somebody is still in the car."""
    until = "{kind: change, signal: floor, by: any}"
    said = [(at, {"passenger_present": True, "floor": floor}) for at, floor in ((0, "1"), (2, "2"), (4, "2"), (6, "2"))]
    seen = rule("elevator", f"{{kind: since, after: {INSIDE}, until: {until}}}")
    assert both(seen, lift(said)) == [(0, "firing"), (2, "resolved"), (4, "firing")]


def test_what_was_seen_is_told_though_it_would_hold_if_nothing_were() -> None:
    not_normal = "{kind: since, after: {kind: state, signal: service_mode, not_in: [normal]}, until: %s}"
    seen = not_normal % "{kind: event, types: [alarm_reset]}"
    said = lift([(0, {"service_mode": "inspection", "door_state": "open"})])
    (_, firing) = run([rule("elevator", f"{{kind: all_of, of: [{seen}, {OPEN}]}}")], said)
    assert firing.reason.en.startswith("since “end of the car alarm set at the lift”: service mode not normal")
    (_, firing) = run(
        [rule("elevator", f"{{kind: all_of, of: [{seen}, {OPEN}]}}")], lift([(0, {"door_state": "open"})])
    )
    assert firing.reason.en == "the car door is open"
