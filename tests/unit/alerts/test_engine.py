"""What belongs to the engine rather than to a rule: identity, restoring, rules that change or go, silence forgiven."""

from datetime import timedelta

import pytest

from alerts.engine import Engine
from alerts.inventory import DeviceFacts, Inventory
from alerts.model import Transition, TransitionKind
from core.devices import DeviceKey, DeviceKind
from core.observations import Observation
from core.wire.payloads import ElevatorEventType as Lift
from core.wire.payloads import ElevatorTelemetry, PresenceStatus
from core.wire.payloads import GateEventType as Gate
from tests.unit.alerts.talk import LIFT, Talk, instant, rule, run, told

DOOR = "{kind: state, signal: door_state, equals: open}"


def states_of(engine: Engine) -> dict[str, bytes]:
    return {path: state for path, state in engine.dirty().items() if state is not None}


def test_an_alert_is_named_by_rule_device_and_beginning() -> None:
    def opened(at: float, rule_id: str) -> str:
        return run([rule("elevator", DOOR, rule_id=rule_id)], [Talk().lift(at, door_state="open")])[-1].alert_id

    assert opened(1, "a") == opened(1, "a")
    assert len({opened(1, "a"), opened(2, "a"), opened(1, "b")}) == 3
    assert len(opened(1, "a")) == 16


def test_a_pending_that_goes_away_leaves_no_trace() -> None:
    talk = Talk()
    said = [talk.lift(0, door_state="open"), talk.lift(5, door_state="closed")]
    assert run([rule("elevator", DOOR, "for: 10s")], said, until=100) == []


def test_an_open_alert_survives_a_restart_and_ends_under_its_name() -> None:
    talk = Talk()
    door = rule("elevator", DOOR)
    before = Engine([door])
    firing = before.observe(talk.lift(0, door_state="open"))[-1]
    after = Engine([door])
    after.restore(states_of(before))
    assert after.observe(talk.lift(1, door_state="open")) == []
    (resolved,) = after.observe(talk.lift(2, door_state="closed"))
    assert (resolved.alert_id, resolved.pending_since) == (firing.alert_id, firing.pending_since)


def test_a_timer_goes_on_over_a_restart() -> None:
    talk = Talk()
    door = rule("elevator", DOOR, "for: 10s")
    before = Engine([door])
    before.observe(talk.lift(0, door_state="open"))
    after = Engine([door])
    after.restore(states_of(before))
    assert after.next_due() == instant(10)
    assert told(after.advance(instant(60))) == [(10, "firing")]


def test_the_alert_of_a_removed_rule_is_resolved_with_that_reason() -> None:
    talk = Talk()
    before = Engine([rule("elevator", DOOR, rule_id="gone"), rule("elevator", DOOR, "for: 1h", rule_id="idle")])
    firing = before.observe(talk.lift(0, door_state="open"))[-1]
    after = Engine([])
    after.restore(states_of(before))
    (resolved,) = after.advance(instant(5))
    assert (resolved.kind, resolved.alert_id, resolved.reason.code) == (
        TransitionKind.RESOLVED,
        firing.alert_id,
        "rule_removed",
    )
    assert resolved.title_en == "title"
    third = Engine([])
    third.restore(states_of(after))
    assert third.advance(instant(6)) == []


@pytest.mark.parametrize(("door", "expected"), [("open", []), ("closed", ["resolved"])])
def test_a_changed_rule_keeps_its_open_alert_and_decides_with_the_next_message(door: str, expected: list[str]) -> None:
    talk = Talk()
    before = Engine([rule("elevator", DOOR)])
    before.observe(talk.lift(0, door_state="open"))
    after = Engine([rule("elevator", "{kind: state, signal: door_state, in: [open, opening]}")])
    after.restore(states_of(before))
    assert [each.kind.value for each in after.observe(talk.lift(1, door_state=door))] == expected


def test_only_what_changed_is_given_out() -> None:
    talk = Talk()
    engine = Engine([rule("elevator", DOOR, "for: 10s")])
    assert engine.dirty() == {}
    engine.observe(talk.lift(0, door_state="open"))
    assert list(engine.dirty()) == [LIFT.path]
    assert engine.dirty() == {}
    engine.advance(instant(9))
    assert engine.dirty() == {}
    engine.advance(instant(10))
    assert list(engine.dirty()) == [LIFT.path]


def test_steady_telemetry_pushes_no_timers() -> None:
    talk = Talk()
    engine = Engine([rule("elevator", "{kind: missing, nothing_for: 5m}")])
    for at in range(1000):
        engine.observe(talk.lift(at / 10))
    assert len(engine._timers) == 1


def test_our_clock_set_back_does_not_turn_time_back() -> None:
    talk = Talk()
    engine = Engine([rule("elevator", DOOR, "for: 10s")])
    engine.observe(talk.lift(0, received=100, door_state="closed"))
    engine.observe(talk.lift(1, received=40, door_state="open"))
    assert told(engine.advance(instant(200))) == [(110, "firing")]


def test_silence_before_the_start_proves_nothing() -> None:
    talk = Talk()
    silent = rule("elevator", "{kind: missing, nothing_for: 5m}")
    before = Engine([silent])
    before.observe(talk.lift(0))
    states = states_of(before)
    soon, later = Engine([silent]), Engine([silent])
    soon.restore(states)
    later.restore(states)
    minute = timedelta(minutes=1)
    assert not soon.absences.forgive_silence(instant(59), minute)
    assert later.absences.forgive_silence(instant(86_400), minute)
    assert told(soon.advance(instant(301))) == [(300, "firing")]
    assert told(later.advance(instant(86_600))) == []
    assert told(later.advance(instant(86_701))) == [(86_700, "firing")]


def test_a_will_counts_although_it_was_written_before_the_birth() -> None:
    talk = Talk()
    gone = rule("elevator", "{kind: missing, offline_for: 30s}")
    will = talk.say(0, LIFT, talk.presence(0, PresenceStatus.OFFLINE).body, received=50)
    said = [talk.presence(1, PresenceStatus.ONLINE), talk.lift(2), will]
    assert told(run([gone], said, until=100)) == [(80, "firing")]


def test_devices_do_not_share_what_they_remember() -> None:
    talk = Talk()
    other = talk.gate(0, Gate.GRANTED)
    said = [talk.lift(0, door_state="open"), other, talk.lift_event(1, Lift.ALARM_RELEASED)]
    assert {one.device for one in run([rule("elevator", DOOR)], said)} == {LIFT}


BESIDE = "{kind: compare, signal: load_kilograms, with: lift-2, above_by: 100}"
OTHER = DeviceKey("demo", DeviceKind.ELEVATOR, "lift-2")
ELSEWHERE = DeviceKey("other", DeviceKind.ELEVATOR, "lift-2")


def load(talk: Talk, at: float, device: DeviceKey, kilograms: float, *, late: bool = False) -> Observation:
    body = ElevatorTelemetry(at=instant(at), load_kilograms=kilograms)
    return talk.say(at, device, body, late=late)


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param([(0, LIFT, 300), (1, OTHER, 150)], [(1, "firing")], id="the other speaks last"),
        pytest.param([(0, OTHER, 150), (1, LIFT, 300)], [], id="what was said before it was known is not known"),
        pytest.param([(0, LIFT, 0), (1, OTHER, 150), (2, LIFT, 300)], [(2, "firing")], id="its own word"),
        pytest.param(
            [(0, LIFT, 300), (1, OTHER, 150), (2, OTHER, 250)], [(1, "firing"), (2, "resolved")], id="over by the other"
        ),
        pytest.param([(0, LIFT, 300), (1, ELSEWHERE, 150)], [], id="another community's lift of that name"),
    ],
)
def test_what_a_peer_says_is_looked_at_too(
    said: list[tuple[float, DeviceKey, float]], expected: list[tuple[float, str]], restart: bool
) -> None:
    talk, compared = Talk(), rule("elevator", BESIDE, "scope: {devices: [lift-1]}")
    engine, stored, steps = Engine([compared]), dict[str, bytes](), list[Transition]()
    for at, device, kilograms in said:
        steps += engine.observe(load(talk, at, device, kilograms))
        stored |= states_of(engine)
        if restart:
            engine = Engine([compared])
            engine.restore(stored)
    assert told(steps) == expected
    assert {one.device for one in steps} <= {LIFT}


def test_a_late_word_of_a_peer_says_nothing_of_now() -> None:
    talk, engine = Talk(), Engine([rule("elevator", BESIDE, "scope: {devices: [lift-1]}")])
    engine.observe(load(talk, 0, LIFT, 300))
    assert engine.observe(load(talk, 1, OTHER, 150, late=True)) == []


def test_a_rule_that_hangs_on_a_figure_is_on_watch_where_the_figure_is_known() -> None:
    talk = Talk()
    overload = "{kind: threshold, signal: load_kilograms, above: {attribute: rated_load_kilograms, times: 0.5}}"
    engine = Engine([rule("elevator", overload)])
    assert engine.observe(load(talk, 0, LIFT, 600)) == []
    engine.set_inventory(Inventory({LIFT: DeviceFacts(numbers={"rated_load_kilograms": 1_000.0})}, 1))
    assert told(engine.observe(load(talk, 1, LIFT, 600))) == [(1, "firing")]
    engine.set_inventory(Inventory({LIFT: DeviceFacts(numbers={"rated_load_kilograms": 1_600.0})}, 2))
    assert told(engine.observe(load(talk, 2, LIFT, 600))) == [(2, "resolved")]
    engine.observe(load(talk, 3, LIFT, 900))
    engine.set_inventory(Inventory(version=3))
    assert [one.reason.code for one in engine.advance(instant(4))] == ["out_of_scope"]
