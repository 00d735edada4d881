"""What belongs to the engine rather than to a rule: identity, restoring, rules that change or go, silence forgiven."""

from datetime import timedelta

import pytest

from alerts.engine import Engine
from alerts.model import TransitionKind
from core.wire.payloads import ElevatorEventType as Lift
from core.wire.payloads import GateEventType as Gate
from core.wire.payloads import PresenceStatus
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
    assert not soon.forgive_silence(instant(59), minute)
    assert later.forgive_silence(instant(86_400), minute)
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
