"""Rules and facts of devices that change while the engine runs."""

import msgspec
import pytest

from alerts.engine import Engine
from alerts.inventory import DeviceFacts, Inventory
from alerts.late import ZONE, with_twins
from alerts.memory import DeviceState
from alerts.model import Transition
from alerts.trees import LATE_SUFFIX, CompiledRule
from core.devices import DeviceKey, DeviceKind
from core.wire.payloads import ElevatorEventType as Event
from core.wire.payloads import ElevatorTelemetry
from core.wire.payloads import GateEventType as Gate
from tests.unit.alerts.talk import LIFT, Talk, instant, rule, told

DOOR = "{kind: state, signal: door_state, equals: open}"
WIDER = "{kind: state, signal: door_state, in: [open, opening]}"
SILENT = "{kind: missing, nothing_for: 5m}"


def codes(said: list[Transition]) -> list[tuple[str, str]]:
    return [(one.kind.value, one.reason.code) for one in said]


def test_an_equal_rule_goes_on_with_its_timer() -> None:
    talk, engine = Talk(), Engine([rule("elevator", DOOR, "for: 10s")])
    engine.observe(talk.lift(0, door_state="open"))
    engine.replace_rules([rule("elevator", DOOR, "for: 10s"), rule("elevator", SILENT, rule_id="new")])
    assert told(engine.advance(instant(60))) == [(10, "firing")]


def test_another_duration_counts_from_the_same_beginning() -> None:
    talk, engine = Talk(), Engine([rule("elevator", DOOR, "for: 1h")])
    engine.observe(talk.lift(0, door_state="open"))
    engine.replace_rules([rule("elevator", DOOR, "for: 10s")])
    assert told(engine.advance(instant(60))) == [(10, "firing")]


@pytest.mark.parametrize(("door", "expected"), [("open", []), ("closed", ["resolved"]), (None, [])])
def test_a_changed_rule_keeps_its_open_alert_and_decides_with_the_next_message(
    door: str | None, expected: list[str]
) -> None:
    talk, engine = Talk(), Engine([rule("elevator", DOOR)])
    firing = engine.observe(talk.lift(0, door_state="open"))[-1]
    engine.replace_rules([rule("elevator", WIDER)])
    said = engine.observe(talk.lift(1, door_state=door))
    assert [one.kind.value for one in said] == expected
    assert {one.alert_id for one in said} <= {firing.alert_id}


@pytest.mark.parametrize("by_message", [False, True])
def test_the_alert_of_a_removed_rule_is_resolved_by_whatever_comes_next(by_message: bool) -> None:
    talk, engine = Talk(), Engine([rule("elevator", DOOR, rule_id="gone"), rule("elevator", SILENT, rule_id="stays")])
    firing = engine.observe(talk.lift(0, door_state="open"))[-1]
    engine.replace_rules([rule("elevator", SILENT, rule_id="stays")])
    said = engine.observe(talk.lift(5)) if by_message else engine.advance(instant(5))
    assert codes(said) == [("resolved", "rule_removed")]
    assert (said[0].alert_id, told(said)) == (firing.alert_id, [(5, "resolved")])
    assert engine.advance(instant(6)) == []


def test_a_rule_taken_away_and_put_back_before_anything_happens_is_not_missed() -> None:
    talk, door = Talk(), rule("elevator", DOOR)
    engine = Engine([door])
    engine.observe(talk.lift(0, door_state="open"))
    engine.replace_rules([])
    engine.replace_rules([door])
    assert engine.observe(talk.lift(1, door_state="open")) == []


def test_a_new_rule_knows_what_others_have_seen_and_decides_with_the_next_message() -> None:
    talk, engine = Talk(), Engine([rule("elevator", DOOR, "for: 1h", rule_id="old")])
    engine.observe(talk.lift(0, door_state="open"))
    engine.replace_rules([rule("elevator", DOOR, rule_id="new")])
    assert engine.advance(instant(5)) == []
    assert told(engine.observe(talk.lift(6))) == [(6, "firing")]


def test_a_value_that_nobody_looked_at_for_a_while_is_not_believed() -> None:
    talk, door = Talk(), rule("elevator", DOOR)
    engine = Engine([door])
    engine.observe(talk.lift(0, door_state="open"))
    engine.replace_rules([rule("elevator", SILENT, rule_id="silent")])
    engine.observe(talk.lift(1, door_state="closed"))
    engine.replace_rules([door])
    assert engine.observe(talk.lift(2)) == []


def lift(name: str, community: str = "demo") -> DeviceKey:
    return DeviceKey(community, DeviceKind.ELEVATOR, name)


FACTS = DeviceFacts(building="3", tags=frozenset({"old", "narrow"}))


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        pytest.param("{communities: [demo]}", True, id="community"),
        pytest.param("{communities: [other]}", False, id="another community"),
        pytest.param("{buildings: ['3', '4']}", True, id="building"),
        pytest.param("{buildings: ['4']}", False, id="another building"),
        pytest.param("{devices: [lift-1]}", True, id="name"),
        pytest.param("{devices: [demo/elevator/lift-1]}", True, id="path"),
        pytest.param("{devices: [demo/elevator/lift-2]}", False, id="another path"),
        pytest.param("{tags: [old, narrow]}", True, id="all tags"),
        pytest.param("{tags: [old, new]}", False, id="one tag of two"),
        pytest.param("{not_tags: [new]}", True, id="without a tag"),
        pytest.param("{not_tags: [old]}", False, id="not with a tag"),
        pytest.param("{buildings: ['3'], not_tags: [old]}", False, id="every list narrows"),
    ],
)
def test_scope(scope: str, expected: bool) -> None:
    engine = Engine([rule("elevator", DOOR, f"scope: {scope}")])
    engine.set_inventory(Inventory({LIFT: FACTS}, 1))
    assert bool(engine.observe(Talk().lift(0, door_state="open"))) is expected


def test_a_device_that_leaves_the_scope_has_its_alert_resolved_and_comes_back_anew() -> None:
    talk, engine = Talk(), Engine([rule("elevator", DOOR, "scope: {buildings: ['3']}")])
    engine.set_inventory(Inventory({LIFT: FACTS}, 1))
    first = engine.observe(talk.lift(0, door_state="open"))[-1]
    engine.set_inventory(Inventory({LIFT: DeviceFacts(building="4")}, 2))
    assert codes(engine.advance(instant(1))) == [("resolved", "out_of_scope")]
    assert engine.observe(talk.lift(2, door_state="open")) == []
    engine.set_inventory(Inventory({LIFT: FACTS}, 3))
    again = engine.observe(talk.lift(3, door_state="open"))[-1]
    assert again.kind.value == "firing"
    assert again.alert_id != first.alert_id


def test_a_restart_outside_the_scope_says_so_too() -> None:
    talk, scoped = Talk(), rule("elevator", DOOR, "scope: {tags: [old]}")
    before, after = Engine([scoped]), Engine([scoped])
    before.set_inventory(Inventory({LIFT: FACTS}, 1))
    before.observe(talk.lift(0, door_state="open"))
    after.set_inventory(Inventory(version=2))
    after.restore({path: state for path, state in before.dirty().items() if state is not None})
    assert codes(after.advance(instant(1))) == [("resolved", "out_of_scope")]


def test_only_devices_in_the_scope_wait_for_silence() -> None:
    talk, engine = Talk(), Engine([rule("elevator", SILENT, "scope: {devices: [lift-2]}")])
    for name in ("lift-1", "lift-2"):
        engine.observe(talk.say(0, lift(name), ElevatorTelemetry(at=instant(0))))
    assert [one.device.device for one in engine.advance(instant(400))] == ["lift-2", "lift-2"]


FAULT = "{kind: event, types: [fault_raised], clears_on: [fault_cleared], resolve_after: 24h}"
SHORTER = FAULT.replace("24h", "60s")
CHANGED_EVENTS = {
    "another time": (SHORTER, [(50, "resolved")]),
    "more beside it": (f"{{kind: any_of, of: [{DOOR}, {FAULT}]}}", [(50, "resolved")]),
    "those faults among others": (
        FAULT.replace("24h}", "24h, kinds: [brake, door_close_failure]}"),
        [(50, "resolved")],
    ),
    "other faults only": (FAULT.replace("24h}", "24h, kinds: [brake]}"), [(40, "resolved")]),
    "other events only": ("{kind: event, types: [alarm_pressed], resolve_after: 24h}", []),
    "a count of them": ("{kind: count, of: {types: [fault_raised]}, at_least: 3, within: 1h}", [(40, "resolved")]),
}


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(("changed", "expected"), CHANGED_EVENTS.values(), ids=CHANGED_EVENTS)
def test_a_changed_rule_knows_what_events_stand(changed: str, expected: list[tuple[float, str]], restart: bool) -> None:
    talk, engine = Talk(), Engine([rule("elevator", FAULT)])
    firing = engine.observe(talk.lift_event(0, Event.FAULT_RAISED, "2"))[-1]
    if restart:
        states = {path: state for path, state in engine.dirty().items() if state is not None}
        engine = Engine([rule("elevator", changed)])
        engine.restore(states)
    else:
        engine.replace_rules([rule("elevator", changed)])
    said = engine.observe(talk.lift_event(40, Event.ALARM_PRESSED))
    said += engine.observe(talk.lift_event(50, Event.FAULT_CLEARED, "2"))
    assert told(said) == expected
    assert {one.alert_id for one in said} <= {firing.alert_id}


def test_what_stands_ends_after_the_time_of_the_changed_rule() -> None:
    talk, engine = Talk(), Engine([rule("elevator", FAULT)])
    engine.observe(talk.lift_event(0, Event.FAULT_RAISED, "2"))
    engine.advance(instant(20))
    engine.replace_rules([rule("elevator", SHORTER)])
    assert told(engine.advance(instant(100))) == [(60, "resolved")]


def test_a_changed_rule_of_a_gate_knows_at_which_door_something_stands() -> None:
    forced = "{kind: event, types: [forced_open], clears_on: [door_closed]}"
    talk, engine = Talk(), Engine([rule("gate", forced)])
    engine.observe(talk.gate(0, Gate.FORCED_OPEN, door="1"))
    engine.replace_rules([rule("gate", forced.replace("forced_open", "forced_open, tamper"))])
    said = engine.observe(talk.gate(10, Gate.DOOR_CLOSED, door="2"))
    said += engine.observe(talk.gate(20, Gate.DOOR_CLOSED, door="1"))
    assert told(said) == [(20, "resolved")]


HOT = "{kind: threshold, signal: maximum_celsius, above: 56, clear: 53}"
RISING = "{kind: rate, signal: maximum_celsius, above: 4, clear: 2, window: 2m}"
SHAPES = {
    "4e62e643246e": ("thermal", f"{{kind: any_of, of: [{HOT}, {RISING}]}}"),
    "d2424588fc4f": ("gate", "{kind: missing, nothing_for: 24h, offline_for: 30s}"),
    "f78e5546d739": (
        "elevator",
        "{kind: compare, signal: load_kilograms, past: 14d, above_times: 1.5, clear: 1.2}",
    ),
    "d484d26742c1": (
        "elevator",
        "{kind: threshold, signal: load_kilograms, above: {attribute: rated_load_kilograms, otherwise: 700}}",
    ),
}


@pytest.mark.parametrize(("shape", "written"), SHAPES.items(), ids=[kind for kind, _ in SHAPES.values()])
def test_a_new_key_of_conditions_makes_no_other_rule_of_one_that_leaves_it_out(
    shape: str, written: tuple[str, str]
) -> None:
    # As before there was any `median_of`, `rhythm` or `by_hour`: a fire must not be told as over by an upgrade.
    assert CompiledRule(rule(*written)).shape == shape


def test_each_comparison_of_a_changed_rule_keeps_the_days_before_for_itself() -> None:
    compare = "{kind: compare, signal: motor_celsius, past: 14d, above_by: %d}"
    levels = f"levels: [{{severity: critical, condition: {compare % 20}}}]"
    talk, engine = Talk(), Engine([rule("elevator", compare % 10)])
    for at in range(10):
        engine.observe(talk.lift(at, motor_celsius=20.0))
    engine.replace_rules([rule("elevator", compare % 12, levels)])
    for at in range(10, 20):
        engine.observe(talk.lift(at, motor_celsius=20.0))
    (state,) = engine.dirty().values()
    assert state is not None
    leaves = msgspec.msgpack.decode(state, type=DeviceState).rules["r"].parts[""]
    assert [leaf.past and leaf.past.seen for leaf in leaves] == [20, 20]


DOOR_IN_SERVICE = f"{{kind: all_of, of: [{DOOR}, {{kind: state, signal: service_mode, equals: normal}}]}}"
DOOR_WITH_POWER = f"{{kind: all_of, of: [{DOOR}, {{kind: state, signal: main_power, equals: true}}]}}"


@pytest.mark.parametrize(
    ("ends", "shares"),
    [
        pytest.param(DOOR_IN_SERVICE, False, id="each once"),
        pytest.param(f"{{kind: any_of, of: [{DOOR_IN_SERVICE}, {DOOR_WITH_POWER}]}}", True, id="the door twice"),
    ],
)
def test_a_twin_in_whose_row_one_stands_for_two_has_a_memory_of_its_own_kind(ends: str, shares: bool) -> None:
    """Its row is shorter than the one of a version that did not share: what that wrote is no memory of this one."""
    fault = "{kind: event, types: [fault_raised], clears_on: [fault_cleared]}"
    told_late = rule("elevator", fault, f"late: tell\nmax_late: 24h\nclears_when: {ends}")
    _, twin = with_twins([CompiledRule(told_late)], ZONE)
    assert twin.key == told_late.id + LATE_SUFFIX
    assert (f"={len(twin.watches)}" in twin.shape) is shares
