"""`unchanged`: a signal that stands still while another goes on changing."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from alerts.engine import Engine
from alerts.memory import DeviceState
from alerts.rules import Rule
from core.observations import Observation
from core.wire.payloads import ElevatorEventType as Lift
from tests.unit.alerts.talk import LIFT, Talk, rule, run, run_restarting, told

Said = list[tuple[float, str]]
STUCK = "{kind: unchanged, signal: passenger_present, equals: true, while_changes: trip_count, at_least: 3, for: 1m}"
AT_ONCE = STUCK.replace(", for: 1m", "")
DOORS = AT_ONCE.replace("trip_count", "door_state").replace("at_least: 3", "at_least: 4")


def lift(said: Sequence[tuple[float, dict[str, Any]]]) -> list[Observation]:
    talk = Talk()
    return [talk.lift(at, **signals) for at, signals in said]


def trips(*counts: int, since: float = 0, **signals: Any) -> list[tuple[float, dict[str, Any]]]:
    """Return readings each ten seconds, with these counts of trips."""
    return [(since + 10 * number, {"trip_count": count, **signals}) for number, count in enumerate(counts)]


def both(one: Rule, said: list[Observation], until: float | None = None) -> Said:
    """Return what follows, having made sure that restarts change nothing."""
    expected = told(run([one], said, until=until))
    assert told(run_restarting([one], said, until=until)) == expected
    return expected


@pytest.mark.parametrize(
    ("condition", "said", "expected"),
    [
        pytest.param(AT_ONCE, trips(1, 2, 3, 4, passenger_present=True), [(30, "firing")], id="stuck over three trips"),
        pytest.param(STUCK, trips(1, 2, 3, 4, passenger_present=True), [(60, "firing")], id="once it has lasted"),
        pytest.param(AT_ONCE, trips(1, 2, 3, passenger_present=True), [], id="too few trips"),
        pytest.param(AT_ONCE, trips(1, 1, 1, 1, 1, passenger_present=True), [], id="a lift that stands"),
        pytest.param(AT_ONCE, trips(1, 2, 3, 4, passenger_present=False), [], id="another value"),
        pytest.param(AT_ONCE, trips(1, 40, passenger_present=True), [], id="trips that nobody saw count once"),
        pytest.param(
            AT_ONCE, trips(1, 2, 0, 1, passenger_present=True), [(30, "firing")], id="a counter that is reset"
        ),
        pytest.param(
            AT_ONCE,
            [*trips(1, 2, 3, passenger_present=True), (25, {"passenger_present": False}), *trips(4, 5, since=30)],
            [],
            id="it let go in between",
        ),
        pytest.param(
            AT_ONCE,
            [*trips(1, 2, 3, 4, 5, passenger_present=True), (50, {"passenger_present": False})],
            [(30, "firing"), (50, "resolved")],
            id="told once, until it lets go",
        ),
        pytest.param(
            AT_ONCE,
            [(0, {"passenger_present": True}), *trips(1, 2, 3, 4, since=5)],
            [(35, "firing")],
            id="in messages of their own",
        ),
        pytest.param(
            DOORS,
            [(at, {"passenger_present": True, "door_state": each}) for at, each in enumerate(["closed", "open"] * 3)],
            [(4, "firing")],
            id="without counters, changes of the door",
        ),
    ],
)
def test_a_people_sensor(condition: str, said: Sequence[tuple[float, dict[str, Any]]], expected: Said) -> None:
    assert both(rule("elevator", condition), lift(said), until=600) == expected


def test_without_equals_any_value_counts() -> None:
    still = AT_ONCE.replace("equals: true, ", "")
    assert both(rule("elevator", still), lift(trips(1, 2, 3, 4, passenger_present=False))) == [(30, "firing")]


def test_a_mode_told_by_an_event_counts_too() -> None:
    talk = Talk()
    mode = AT_ONCE.replace("passenger_present, equals: true", "service_mode, equals: normal")
    said = [talk.lift(0, service_mode="normal", trip_count=1), talk.lift(1, trip_count=2), talk.lift(2, trip_count=3)]
    said += [talk.lift_event(3, Lift.MODE_CHANGED, service_mode="inspection"), talk.lift(4, trip_count=4)]
    assert both(rule("elevator", mode), said) == []


def test_it_holds_other_rules_back() -> None:
    inside = "{kind: state, signal: passenger_present, equals: true}"
    shut = "{kind: state, signal: door_state, equals: closed}"
    trapped = f"{{kind: all_of, of: [{inside}, {shut}, {{kind: none_of, of: [{AT_ONCE}]}}]}}"
    moving = trips(1, 2, 3, 4, passenger_present=True, door_state="open")
    standing: list[tuple[float, dict[str, Any]]] = [(40, {"door_state": "closed"})]
    assert both(rule("elevator", trapped, "for: 1m"), lift([*moving, *standing]), until=600) == []
    assert both(rule("elevator", trapped, "for: 1m"), lift([*moving[:3], *standing]), until=600) == [(100, "firing")]


def test_nothing_is_remembered_of_a_sensor_that_says_something_else() -> None:
    engine = Engine([rule("elevator", AT_ONCE)])
    for observation in lift([*trips(1, 2, passenger_present=True), *trips(3, since=20, passenger_present=False)]):
        engine.observe(observation)
    state = engine.dirty()[LIFT.path]
    assert state is not None
    assert msgspec.msgpack.decode(state, type=DeviceState).rules == {}


def test_the_reason_tells_both() -> None:
    (_, firing) = run([rule("elevator", AT_ONCE)], lift(trips(1, 2, 3, 4, passenger_present=True)))
    assert firing.reason.code == "unchanged"
    assert firing.reason.zh == "「轿厢内有人」一直未变，期间运行次数至少变化 3 次"
    assert firing.reason.en == "“someone is in the car” unchanged over at least 3 changes of trip count"
    assert firing.reason.facts["passenger_present"] is True
    assert firing.reason.facts["trip_count_changes"] == 3
