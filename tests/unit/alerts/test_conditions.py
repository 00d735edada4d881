"""Each kind of condition, as tables: what is said when, and which transitions follow at which second."""

from collections.abc import Sequence

import msgspec
import pytest

from alerts.memory import Heard
from alerts.model import TransitionKind
from alerts.trees import CompiledRule
from core.clock import to_microseconds
from core.wire.payloads import ElevatorEventType as Lift
from core.wire.payloads import GateEventType as Gate
from core.wire.payloads import PresenceStatus
from tests.unit.alerts.talk import GATE, Talk, instant, rule, run, told

Said = list[tuple[float, str]]
HEARD = Heard(0, 0, 0, 0)
SPEED = "{kind: threshold, signal: speed_mps, above: 2, clear: 1}"
DOOR = "{kind: state, signal: door_state, equals: open}"


@pytest.mark.parametrize(
    ("speeds", "expected"),
    [
        pytest.param([(0, 2.0), (1, 2.1)], [(1, "firing")], id="above means more than"),
        pytest.param([(0, 3), (1, 1.5), (2, 2.5)], [(0, "firing")], id="between clear and limit it stays"),
        pytest.param([(0, 3), (1, 1.0)], [(0, "firing"), (1, "resolved")], id="over at clear"),
        pytest.param([(0, 1.5), (1, 1.9)], [], id="between them it does not begin"),
        pytest.param([(0, 3), (1, None), (2, None)], [(0, "firing")], id="not sent keeps the answer"),
        pytest.param([(0, 3), (1, 0), (2, 3)], [(0, "firing"), (1, "resolved"), (2, "firing")], id="again"),
    ],
)
def test_threshold(speeds: Sequence[tuple[float, float | None]], expected: Said) -> None:
    talk = Talk()
    assert told(run([rule("elevator", SPEED)], [talk.lift(at, speed_mps=speed) for at, speed in speeds])) == expected


def test_below() -> None:
    talk = Talk()
    low = rule("elevator", "{kind: threshold, signal: load_kilograms, below: 10, clear: 20}")
    said = [talk.lift(at, load_kilograms=load) for at, load in [(0, 10.0), (1, 9.0), (2, 15.0), (3, 20.0)]]
    assert told(run([low], said)) == [(1, "firing"), (3, "resolved")]


@pytest.mark.parametrize(
    ("doors", "expected"),
    [
        pytest.param([(0, "open")], [(10, "firing")], id="fires with no further message"),
        pytest.param([(0, "open"), (9.9, "closed")], [], id="gone just before"),
        pytest.param([(0, "open"), (10, "closed")], [(10, "firing"), (10, "resolved")], id="the timer comes first"),
        pytest.param([(0, "open"), (5, "closed"), (6, "open")], [(16, "firing")], id="a flap begins anew"),
        pytest.param([(0, "open"), (5, "open"), (9, "open")], [(10, "firing")], id="repeating does not prolong"),
        pytest.param([(0, "open"), (40, "closed")], [(10, "firing"), (40, "resolved")], id="a gap in between"),
    ],
)
def test_for(doors: Sequence[tuple[float, str]], expected: Said) -> None:
    talk = Talk()
    said = [talk.lift(at, door_state=state) for at, state in doors]
    assert told(run([rule("elevator", DOOR, "for: 10s")], said, until=30 if doors[-1][0] < 30 else 50)) == expected


@pytest.mark.parametrize(
    ("doors", "expected"),
    [
        pytest.param([(0, "open"), (5, "closed")], [(0, "firing"), (15, "resolved")], id="over for the whole time"),
        pytest.param([(0, "open"), (5, "closed"), (14, "open")], [(0, "firing")], id="flapping within it"),
        pytest.param(
            [(0, "open"), (5, "closed"), (14, "open"), (16, "closed")],
            [(0, "firing"), (26, "resolved")],
            id="from last",
        ),
    ],
)
def test_keep_firing_for(doors: Sequence[tuple[float, str]], expected: Said) -> None:
    talk = Talk()
    said = [talk.lift(at, door_state=state) for at, state in doors]
    assert told(run([rule("elevator", DOOR, "keep_firing_for: 10s")], said, until=60)) == expected


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        pytest.param([(0, True), (1, False), (2, True), (3, False)], [], id="flapping never counts"),
        pytest.param([(0, True)], [(5, "firing")], id="on after it has lasted"),
        pytest.param([(0, True), (10, False), (12, True)], [(5, "firing")], id="a short loss is passed over"),
        pytest.param([(0, True), (10, False)], [(5, "firing"), (15, "resolved")], id="off after it has lasted"),
    ],
)
def test_confirm(present: Sequence[tuple[float, bool]], expected: Said) -> None:
    talk = Talk()
    confirmed = rule("elevator", "{kind: state, signal: passenger_present, equals: true, confirm: 5s}")
    assert told(run([confirmed], [talk.lift(at, passenger_present=one) for at, one in present], until=60)) == expected


@pytest.mark.parametrize(
    ("condition", "modes", "expected"),
    [
        pytest.param("in: [stopped, earthquake]", ["normal", "stopped", "earthquake"], [(1, "firing")], id="in"),
        pytest.param("not_in: [inspection]", [None], [(0, "firing")], id="not_in holds while it was never sent"),
        pytest.param("not_in: [inspection]", ["inspection"], [], id="not_in"),
        pytest.param("equals: normal", [None], [], id="equals does not"),
    ],
)
def test_state(condition: str, modes: Sequence[str | None], expected: Said) -> None:
    talk = Talk()
    watched = rule("elevator", f"{{kind: state, signal: service_mode, {condition}}}")
    assert told(run([watched], [talk.lift(at, service_mode=mode) for at, mode in enumerate(modes)])) == expected


def test_a_mode_told_by_an_event_counts_until_telemetry_says_otherwise() -> None:
    talk = Talk()
    watched = rule("elevator", "{kind: state, signal: service_mode, equals: inspection}")
    said = [
        talk.lift(0, service_mode="normal"),
        talk.lift_event(1, Lift.MODE_CHANGED, service_mode="inspection"),
        talk.lift(2, service_mode="normal"),
    ]
    assert told(run([watched], said)) == [(1, "firing"), (2, "resolved")]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param(
            [(0, Gate.HELD_OPEN, "1"), (9, Gate.DOOR_CLOSED, "1")], [(0, "firing"), (9, "resolved")], id="ends"
        ),
        pytest.param([(0, Gate.HELD_OPEN, "1"), (9, Gate.DOOR_CLOSED, "2")], [(0, "firing")], id="another door"),
        pytest.param([(0, Gate.HELD_OPEN, "1"), (5, Gate.HELD_OPEN, "1")], [(0, "firing")], id="once while open"),
        pytest.param(
            [
                (0, Gate.HELD_OPEN, "1"),
                (1, Gate.HELD_OPEN, "2"),
                (2, Gate.DOOR_CLOSED, "1"),
                (3, Gate.DOOR_CLOSED, "2"),
            ],
            [(0, "firing"), (1, "repeated"), (3, "resolved")],
            id="open until both doors are closed",
        ),
    ],
)
def test_event(events: Sequence[tuple[float, Gate, str]], expected: Said) -> None:
    talk = Talk()
    held = rule("gate", "{kind: event, types: [held_open], clears_on: [door_closed]}")
    assert told(run([held], [talk.gate(at, kind, door) for at, kind, door in events])) == expected


def test_an_event_runs_out_and_each_repeat_prolongs_it() -> None:
    talk = Talk()
    duress = rule("gate", "{kind: event, types: [duress], resolve_after: 10s}")
    transitions = run([duress], [talk.gate(0, Gate.DURESS), talk.gate(6, Gate.DURESS)], until=60)
    assert told(transitions) == [(0, "firing"), (16, "resolved")]
    assert transitions[-1].reason.code == "timed_out"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param("p0 p9", "firing 0", id="within the time it is the same"),
        pytest.param("p0 p10", "firing 0, repeated 10", id="after it, again"),
        pytest.param("p0 p4 p8 p12 p16", "firing 0", id="held down it is the same for as long as it lasts"),
        pytest.param("p0 p4 p20 p24", "firing 0, repeated 20", id="told twice each time"),
        pytest.param("p0 r5 p20", "firing 0, resolved 5, firing 20", id="after a release it is another alert"),
        pytest.param("p0 p20 p40", "firing 0, repeated 20, repeated 40", id="each time anew"),
    ],
)
def test_an_event_that_happens_again(events: str, expected: str) -> None:
    talk, kinds = Talk(), {"p": Lift.ALARM_PRESSED, "r": Lift.ALARM_RELEASED}
    button = rule("elevator", "{kind: event, types: [alarm_pressed], clears_on: [alarm_released], repeat_after: 10s}")
    said = [talk.lift_event(float(event[1:]), kinds[event[0]]) for event in events.split()]
    transitions = run([button], said)
    assert ", ".join(f"{kind} {at:g}" for at, kind in told(transitions)) == expected
    again = [each.reason for each in transitions if each.kind is TransitionKind.REPEATED]
    assert {reason.en for reason in again} <= {"again: car alarm button pressed"}
    assert {reason.facts["event"] for reason in again} <= {"alarm_pressed"}


def test_faults_are_counted_one_by_one() -> None:
    talk = Talk()
    faults = rule("elevator", "{kind: event, types: [fault_raised], severities: [major], clears_on: [fault_cleared]}")
    said = [
        talk.lift_event(0, Lift.FAULT_RAISED, "1"),  # critical: not ours
        talk.lift_event(1, Lift.FAULT_RAISED, "2"),
        talk.lift_event(2, Lift.FAULT_RAISED, "3"),
        talk.lift_event(3, Lift.FAULT_CLEARED, "2"),
        talk.lift_event(4, Lift.FAULT_CLEARED, "3", source="another-list"),
        talk.lift_event(5, Lift.FAULT_CLEARED, "3"),
    ]
    assert told(run([faults], said)) == [(1, "firing"), (5, "resolved")]


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        pytest.param("", [], id="ignored"),
        pytest.param("late: accept\nmax_late: 2h", [(7200, "firing")], id="accepted"),
        pytest.param("late: accept\nmax_late: 1h", [], id="too old even so"),
    ],
)
def test_late_events(late: str, expected: Said) -> None:
    talk = Talk()
    button = rule("elevator", "{kind: event, types: [alarm_pressed], clears_on: [alarm_released]}", late)
    assert told(run([button], [talk.lift_event(0, Lift.ALARM_PRESSED, received=7200, late=True)])) == expected


def test_a_late_press_does_not_undo_a_newer_release() -> None:
    talk = Talk()
    button = rule(
        "elevator",
        "{kind: event, types: [alarm_pressed], clears_on: [alarm_released]}",
        "late: accept\nmax_late: 2h",
    )
    said = [talk.lift_event(100, Lift.ALARM_RELEASED), talk.lift_event(50, Lift.ALARM_PRESSED, received=101)]
    assert told(run([button], said)) == []


def test_what_is_older_than_what_is_known_changes_nothing() -> None:
    talk = Talk()
    opened, older, same = (
        talk.lift(10, door_state="open"),
        talk.lift(9, received=11, door_state="closed"),
        talk.lift(10),
    )
    assert told(run([rule("elevator", DOOR)], [opened, older, same, opened])) == [(10, "firing")]


def test_flagged_late_neither_raises_nor_resolves() -> None:
    talk = Talk()
    said = [talk.lift(0, received=400, late=True, door_state="open")]
    assert told(run([rule("elevator", DOOR)], said)) == []
    said = [talk.lift(0, door_state="open"), talk.lift(1, received=400, late=True, door_state="closed")]
    assert told(run([rule("elevator", DOOR)], said)) == [(0, "firing")]


@pytest.mark.parametrize(
    ("heard", "until", "expected"),
    [
        pytest.param([0], 400, [(300, "firing")], id="silent from the first message on"),
        pytest.param([0, 200], 400, [], id="heard again in time"),
        pytest.param([0, 200], 600, [(500, "firing")], id="counts from the last"),
        pytest.param([0, 301], 400, [(300, "firing"), (301, "resolved")], id="comes back"),
        pytest.param([0, 300], 400, [(300, "firing"), (300, "resolved")], id="the timer comes first"),
    ],
)
def test_missing(heard: Sequence[float], until: float, expected: Said) -> None:
    talk = Talk()
    silent = rule("elevator", "{kind: missing, nothing_for: 5m}")
    assert told(run([silent], [talk.lift(at) for at in heard], until=until)) == expected


def test_missing_on_one_channel_does_not_hear_the_others() -> None:
    talk = Talk()
    silent = rule("elevator", "{kind: missing, nothing_for: 5m, channel: telemetry}")
    said = [talk.lift(0), *(talk.lift_event(at, Lift.ALARM_RELEASED) for at in range(100, 400, 100))]
    assert told(run([silent], said, until=310)) == [(300, "firing")]


def test_a_device_with_a_slow_clock_is_late_but_not_missing() -> None:
    talk = Talk()
    silent = rule("elevator", "{kind: missing, nothing_for: 5m}")
    said = [talk.lift(0), *(talk.lift(at - 1000, received=at, late=True) for at in range(100, 700, 100))]
    assert told(run([silent], said, until=650)) == []


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([(0, "online"), (10, "offline")], [(40, "firing")], id="offline for long enough"),
        pytest.param([(10, "offline"), (20, "online")], [], id="back in time"),
        pytest.param([(10, "offline"), (20, "offline")], [(40, "firing")], id="told twice counts from the first"),
        pytest.param([(10, "offline"), (20, "speaks")], [], id="whoever speaks is there"),
        pytest.param([(10, "offline"), (50, "online")], [(40, "firing"), (50, "resolved")], id="comes back"),
    ],
)
def test_offline(steps: Sequence[tuple[float, str]], expected: Said) -> None:
    talk = Talk()
    gone = rule("gate", "{kind: missing, offline_for: 30s}")
    said = [
        talk.gate(at, Gate.EXIT_BUTTON) if what == "speaks" else talk.presence(at, PresenceStatus(what), GATE)
        for at, what in steps
    ]
    assert told(run([gone], said, until=100)) == expected


RISE = "{kind: rate, signal: maximum_celsius, above: 4, window: 2m}"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([(at, 20 + at * 5 / 60) for at in range(0, 80, 2)], [(60, "firing")], id="after half a window"),
        pytest.param([(at, 20 + at * 3.9 / 60) for at in range(0, 300, 2)], [], id="slower than the limit"),
        pytest.param([(0, 20.0), (2, 20.4)], [], id="noise over a short span"),
        pytest.param([(0, 20.0), (100, 21.0), (300, 90.0)], [], id="a gap longer than the window proves nothing"),
        pytest.param([(0, 20.0), (60, 30.0), (120, 30.0), (180, 30.0)], [(60, "firing"), (180, "resolved")], id="over"),
    ],
)
def test_rate(values: Sequence[tuple[float, float]], expected: Said) -> None:
    talk = Talk()
    assert told(run([rule("thermal", RISE)], [talk.camera(at, a=celsius) for at, celsius in values])) == expected


GROWTH = "{kind: rate, signal: maximum_celsius, above: 10, clear: 4, window: 12s, confirm: 28s}"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([(at, 20 + at) for at in range(0, 50, 2)], [(34, "firing")], id="growth"),
        pytest.param([(at, 20 + at) for at in range(0, 60, 10)], [(40, "firing")], id="growth, seldom looked at"),
        pytest.param([(at, 20 + 4 * min(at, 15)) for at in range(0, 90, 1)], [], id="a step of 15 s"),
        pytest.param(
            [(at, 20 + at + (-3 if at == 20 else 0)) for at in range(0, 50, 2)],
            [(34, "firing")],
            id="a dip above clear",
        ),
        pytest.param([(at, 20 + at) for at in [*range(0, 20, 2), *range(60, 88, 2)]], [], id="a hole begins anew"),
        pytest.param(
            [(at, 20 + min(at, 60)) for at in range(0, 120, 2)], [(34, "firing"), (100, "resolved")], id="over"
        ),
    ],
)
def test_a_rate_that_is_confirmed(values: Sequence[tuple[float, float]], expected: Said) -> None:
    talk = Talk()
    assert told(run([rule("thermal", GROWTH)], [talk.camera(at, a=value) for at, value in values])) == expected


def test_a_clock_that_is_set_back_confirms_no_rate() -> None:
    """What was rising before is not seen to go on until the rate is known anew: the time in between does not count."""
    talk, compiled = Talk(), CompiledRule(rule("thermal", GROWTH))
    (watch,), (leaf,) = compiled.watches, compiled.begin()
    true_at = []
    for at in range(0, 80, 2):
        said = talk.camera(at - 3_600 if at >= 20 else at, a=20.0 + at)
        watch.observe(leaf, said, said.body.regions[0], to_microseconds(instant(at)), HEARD)  # type: ignore[union-attr]
        true_at += [at] if leaf.truth else []
    # Known anew from half a window (6 s) after the clock was set, and 28 s more.
    assert true_at[0] == 20 + 6 + 28


def test_a_look_at_the_closed_shutter_has_no_temperature() -> None:
    talk = Talk()
    looks = [talk.camera(at, a=300.0) for at in range(3)]
    closed = [
        msgspec.structs.replace(each, body=msgspec.structs.replace(each.body, shutter_closed=True)) for each in looks
    ]
    hot = rule("thermal", "{kind: threshold, signal: maximum_celsius, above: 56}")
    shut = rule("thermal", "{kind: state, signal: shutter_closed, equals: true}")
    assert told(run([hot], looks)) == [(0, "firing")]
    assert told(run([hot], closed)) == []
    assert told(run([shut], closed)) == [(0, "firing")]


def test_a_rate_goes_by_the_device_s_time_when_messages_arrive_in_a_burst() -> None:
    talk = Talk()
    said = [talk.camera(at, received=200 + at / 100, a=20 + at * 2 / 60) for at in range(0, 180, 2)]
    assert told(run([rule("thermal", RISE)], said)) == []


def test_regions_are_looked_at_one_by_one_and_named() -> None:
    talk = Talk()
    hot = rule("thermal", "{kind: threshold, signal: maximum_celsius, above: 46, clear: 43}")
    said = [
        talk.camera(0, a=20, b=20),
        talk.camera(2, a=20, b=50),
        talk.camera(4, a=50, b=20),
        talk.camera(6, b=45),
        talk.camera(8, a=20),
    ]
    transitions = run([hot], said)
    assert told(transitions) == [(2, "firing"), (4, "repeated"), (8, "resolved")]
    assert transitions[1].reason.facts["part"] == "b"
    assert "区域 b" in transitions[1].reason.zh
    assert "region b" in transitions[1].reason.en


def test_all_of_wants_the_same_region() -> None:
    both = f"{{kind: all_of, of: [{RISE}, {{kind: threshold, signal: maximum_celsius, above: 36}}]}}"
    talk = Talk()
    apart = [talk.camera(at, fast=10 + at * 5 / 60, warm=40) for at in range(0, 200, 2)]
    assert told(run([rule("thermal", both)], apart)) == []
    talk = Talk()
    together = [talk.camera(at, fast=30 + at * 6 / 60) for at in range(0, 100, 2)]
    assert told(run([rule("thermal", both)], together)) == [(62, "firing")]


def test_any_of_needs_one() -> None:
    talk = Talk()
    either = rule("elevator", f"{{kind: any_of, of: [{SPEED}, {DOOR}]}}")
    said = [talk.lift(0, speed_mps=3), talk.lift(1, door_state="open"), talk.lift(2, speed_mps=0)]
    assert told(run([either], said)) == [(0, "firing")]


def test_at_once_does_not_wait_and_keeps_the_beginning() -> None:
    talk = Talk()
    waiting = rule(
        "elevator",
        DOOR,
        "for: 1m\nat_once: {kind: event, types: [alarm_pressed], clears_on: [alarm_released]}",
    )
    said = [talk.lift(0, door_state="open"), talk.lift_event(20, Lift.ALARM_PRESSED)]
    pending, firing = run([waiting], said)
    assert (pending.kind, told([firing])) == (TransitionKind.PENDING, [(20, "firing")])
    assert pending.at == firing.pending_since == said[0].received_at
    assert pending.position == 1


def test_what_raises_an_alert_is_told_with_its_values_and_the_next_step() -> None:
    talk = Talk()
    (_, firing) = run([rule("elevator", SPEED)], [talk.lift(0, speed_mps=2.5)])
    assert firing.reason.code == "threshold"
    assert firing.reason.facts == {"speed_mps": 2.5, "next_step_zh": "步", "next_step_en": "step"}
    assert firing.reason.zh == "轿厢速度 2.5 m/s"
    assert (firing.title_zh, firing.title_en, firing.position) == ("题", "title", 1)


def test_what_is_asked_twice_is_watched_once_and_told_once() -> None:
    stands = "{kind: state, signal: direction, equals: stopped}"
    lasting = "{kind: state, signal: direction, equals: stopped, confirm: 5s}"
    shut = "{kind: state, signal: door_state, equals: closed}"
    twice = f"{{kind: any_of, of: [{{kind: all_of, of: [{stands}, {lasting}, {shut}]}}, {stands}]}}"
    assert len(CompiledRule(rule("elevator", twice)).watches) == 3
    talk = Talk()
    said = [talk.lift(0, direction="up", door_state="closed"), talk.lift(2, direction="stopped")]
    both = rule("elevator", f"{{kind: all_of, of: [{stands}, {lasting}, {shut}]}}")
    *_, firing = run([both], said, until=60)
    assert firing.reason.zh == "轿厢静止，轿门关闭"
