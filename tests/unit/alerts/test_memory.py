"""How much the engine remembers: little of what is active, nothing of what is at rest."""

import msgspec
import pytest

from alerts.engine import Engine
from alerts.memory import DeviceState
from alerts.packs import builtin_rules
from core.devices import DeviceKey
from core.errors import PermanentError
from core.wire.payloads import ElevatorEventType as Lift
from core.wire.payloads import GateEventType as Gate
from core.wire.payloads import PresenceStatus
from tests.bench import evaluations, memory
from tests.unit.alerts.talk import LIFT, Talk, instant, rule

_FAULT = "{kind: event, types: [fault_raised], clears_on: [fault_cleared]}"


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
    assert remembered(engine) == {
        LIFT.path: [
            "door-closing-slowly",
            "door-reopening-more",
            "elevator-offline",
            "levelling-repeated",
            "lift-not-running",
            "moved-with-door-open",
            "repeated-door-operation",
            "repeated-starts",
            "trapped-passenger",
            "trapped-passenger-suspected",
        ]
    }


def test_the_figures_are_measured_and_within_their_limits() -> None:
    lines = "\n".join(evaluations.measure(devices=200))
    assert "evaluations/s" in lines
    assert "0 encoded, 0 in memory" in lines
    stored = evaluations.encoded_bytes(devices=200)
    assert stored
    assert max(stored) <= memory.LIMIT_BYTES


def test_the_largest_pair_of_the_pack_stays_within_the_limit_in_memory() -> None:
    largest = memory.largest_when_grown()
    assert largest.in_memory <= memory.LIMIT_BYTES, largest


def test_a_crowded_camera_takes_less_than_two_kilobytes_for_each_region() -> None:
    *_, line = memory.at_most()
    assert "a camera with 64 regions (thermal-alarm)" in line
    assert int(line.removesuffix(" for each region").split()[-1].replace(",", "")) < 2_048


_DOORS = "duration_of: {signal: door_state, values: [open]}, past: 60d, above_times: 1.5, over: 25"
_OF_FAULTS = "{kind: event, types: [fault_raised], clears_on: [fault_cleared], resolve_after: 24h}"


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param(f"{{kind: compare, {_DOORS}}}", id="the longest past"),
        pytest.param("{kind: count, of: {types: [fault_raised]}, at_least: 100, within: 30d}", id="the highest count"),
        pytest.param(_OF_FAULTS, id="endless different faults"),
    ],
)
def test_the_most_that_a_condition_gathers_stays_within_the_limit(condition: str) -> None:
    talk, engine = Talk(), Engine([rule("elevator", condition)])
    for day in range(70):
        for number in range(40):
            at = day * 86_400 + number * 60
            engine.observe(talk.lift(at, door_state="open"))
            engine.observe(talk.lift(at + 1 + number % 7, door_state="closed"))
    for number in range(200):
        engine.observe(talk.lift_event(70 * 86_400 + number, Lift.FAULT_RAISED, f"F{number:04}"))
    (site,) = engine._sites.values()
    size = memory.size(site, "r")
    assert size.encoded < size.in_memory <= memory.LIMIT_BYTES, size


def test_what_was_read_shares_its_texts_with_other_devices() -> None:
    talk, engine = Talk(), Engine([rule("elevator", _FAULT)])
    engine.observe(talk.lift_event(0, Lift.FAULT_RAISED, "2"))
    (stored,) = engine.dirty().values()
    assert stored is not None
    texts = []
    for path in ("demo/elevator/lift-1", "demo/elevator/lift-2"):
        engine.restore({path: stored})
        (state,) = engine._sites[DeviceKey.from_path(path)].device.state.rules.values()
        assert state.alert is not None
        texts.append((state.shape, state.alert.title_zh, state.alert.title_en, state.parts[""][0].value))
    assert all(one is other for one, other in zip(*texts, strict=True))


def test_state_of_another_version_is_refused_with_its_device() -> None:
    """One may be damaged; where there are many, nobody begins anew for all of them."""
    talk, engine = Talk(), Engine([rule("elevator", _FAULT)])
    engine.observe(talk.lift_event(0, Lift.FAULT_RAISED, "2"))
    (stored,) = engine.dirty().values()
    assert stored is not None
    before = msgspec.msgpack.decode(stored)
    (leaf,) = before[5]["r"][1][""]
    leaf[4] = {"2": 0}  # A table, as events were once kept.
    other = msgspec.msgpack.encode(before)
    refused = engine.restore({"demo/elevator/lift-1": other, "demo/elevator/lift-2": stored})
    assert [*refused] == ["demo/elevator/lift-1"]
    assert refused["demo/elevator/lift-1"].startswith("engine state of demo/elevator/lift-1: Expected `bytes`")
    with pytest.raises(PermanentError, match=r"20 of 20 stored states .* another version of Anju"):
        engine.restore({f"demo/elevator/lift-{number}": other for number in range(20)})
