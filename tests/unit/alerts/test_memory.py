"""How much the engine remembers: little of what is active, nothing of what is at rest."""

import msgspec
import pytest

from alerts.engine import Engine
from alerts.memory import DeviceState
from alerts.packs import builtin_rules
from core.wire.payloads import ElevatorEventType as Lift
from core.wire.payloads import GateEventType as Gate
from core.wire.payloads import PresenceStatus
from tests.bench import evaluations
from tests.unit.alerts.talk import LIFT, Talk, instant, rule

_FAULT = "{kind: event, types: [fault_raised], clears_on: [fault_cleared]}"
_LIMIT_BYTES = 2_048


def remembered(engine: Engine) -> dict[str, list[str]]:
    """Return which rules the stored states speak of, by device."""
    states = {path: msgspec.msgpack.decode(state, type=DeviceState) for path, state in engine.dirty().items() if state}
    return {path: sorted(state.rules) for path, state in states.items()}


@pytest.mark.parametrize(
    ("condition", "extra", "active", "over"),
    [
        pytest.param("{kind: state, signal: door_state, equals: open}", "", "open", "closed", id="state"),
        pytest.param("{kind: state, signal: door_state, not_in: [closed]}", "", "open", "closed", id="not in"),
        pytest.param(
            "{kind: state, signal: door_state, equals: open, confirm: 5s}", "", "open", "closed", id="confirm"
        ),
        pytest.param("{kind: state, signal: door_state, equals: open}", "for: 1h", "open", "closed", id="pending"),
    ],
)
def test_a_rule_is_remembered_while_it_is_active_and_forgotten_afterwards(
    condition: str, extra: str, active: str, over: str
) -> None:
    talk, engine = Talk(), Engine([rule("elevator", condition, extra)])
    engine.observe(talk.lift(0, door_state="closed"))
    assert remembered(engine) == {LIFT.path: []}
    engine.observe(talk.lift(1, door_state=active))
    assert remembered(engine) == {LIFT.path: ["r"]}
    engine.observe(talk.lift(10, door_state=over))
    # That it fired is known for a minute, to tell chattering.
    engine.advance(instant(120))
    assert remembered(engine) == {LIFT.path: []}


def test_a_value_within_the_hysteresis_is_remembered_where_the_answer_hangs_on_the_one_before() -> None:
    talk, engine = (
        Talk(),
        Engine([rule("elevator", "{kind: threshold, signal: speed_mps, above: 2, clear: 1}", "for: 1h")]),
    )
    engine.observe(talk.lift(0, speed_mps=1.5))
    assert remembered(engine) == {LIFT.path: []}
    engine.observe(talk.lift(1, speed_mps=2.5))
    engine.observe(talk.lift(2, speed_mps=1.5))
    assert remembered(engine) == {LIFT.path: ["r"]}
    engine.observe(talk.lift(3, speed_mps=0.0))
    assert remembered(engine) == {LIFT.path: []}


def test_an_event_that_may_still_come_late_is_remembered_for_that_long() -> None:
    talk, engine = Talk(), Engine([rule("elevator", _FAULT, "chatter: off\nlate: accept\nmax_late: 2h")])
    engine.observe(talk.lift_event(0, Lift.FAULT_RAISED, "2"))
    engine.observe(talk.lift_event(1, Lift.FAULT_CLEARED, "2"))
    assert remembered(engine) == {LIFT.path: ["r"]}
    engine.advance(instant(7_201))
    assert remembered(engine) == {}
    engine.advance(instant(7_202))
    assert remembered(engine) == {LIFT.path: []}


def test_parts_at_rest_are_forgotten_one_by_one() -> None:
    talk, engine = Talk(), Engine([rule("gate", "{kind: event, types: [held_open], clears_on: [door_closed]}")])
    for number in range(200):
        engine.observe(talk.gate(number, Gate.GRANTED, door=f"door-{number}"))
    engine.observe(talk.gate(300, Gate.HELD_OPEN, door="front"))
    (state,) = [msgspec.msgpack.decode(state, type=DeviceState) for state in engine.dirty().values() if state]
    assert list(state.rules["r"].parts) == ["front"]


def test_of_a_lift_that_stands_well_only_what_counts_over_time_is_remembered() -> None:
    talk, engine = Talk(), Engine(builtin_rules())
    engine.observe(talk.presence(0, PresenceStatus.ONLINE))
    for at in range(1, 60):
        well = talk.lift(at, service_mode="normal", direction="stopped", door_state="closed", door_zone=True)
        body = msgspec.structs.replace(well.body, passenger_present=False, trip_count=5, door_cycle_count=9)
        engine.observe(msgspec.structs.replace(well, body=body))
    assert remembered(engine) == {LIFT.path: ["door-closing-slowly", "repeated-door-operation"]}


def test_the_figures_are_measured_and_within_their_limits() -> None:
    lines = "\n".join(evaluations.measure(devices=200))
    assert "evaluations/s" in lines
    assert "0 encoded, 0 in memory" in lines
    stored = evaluations.encoded_bytes(devices=200)
    assert stored
    assert max(stored) <= _LIMIT_BYTES
