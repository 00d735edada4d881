"""Events that count by how things are when they come (`while`), and that a state ends (`until`)."""

from collections.abc import Sequence

import msgspec
import pytest

from alerts.memory import Leaf
from alerts.rules import Rule, RuleError
from alerts.trees import CompiledRule
from core.observations import Observation
from core.wire.payloads import ElevatorEventType as Lift
from core.wire.payloads import PresenceStatus
from tests.unit.alerts.talk import Talk, rule, run, run_restarting, told

Said = list[tuple[float, str]]
MODE = "{kind: state, signal: service_mode, "
PRESSED = "{kind: event, types: [alarm_pressed], clears_on: [alarm_released], repeat_after: 10s, while: "
OUTSIDE = f"{PRESSED}{MODE}not_in: [inspection]}}}}"
INSIDE = f"{PRESSED}{MODE}equals: inspection}}}}"
FAULT = f"{{kind: event, types: [fault_raised], clears_on: [fault_cleared], until: {MODE}equals: inspection}}}}"
_MODES = {"n": "normal", "i": "inspection"}
_EVENTS = {"p": Lift.ALARM_PRESSED, "r": Lift.ALARM_RELEASED}


def lift(course: str) -> list[Observation]:
    """Return what a lift says: ``n`` and ``i`` are its modes, ``p`` and ``r`` the button, ``f`` and ``c`` a fault."""
    talk, said = Talk(), []
    for each in course.split():
        what, at = each[0], float(each[1:])
        if what in _MODES:
            said.append(talk.lift(at, service_mode=_MODES[what]))
        elif what in _EVENTS:
            said.append(talk.lift_event(at, _EVENTS[what]))
        else:
            kind = Lift.FAULT_RAISED if what == "f" else Lift.FAULT_CLEARED
            said.append(talk.lift_event(at, kind, source="gbt24476-2017", code="2"))
    return said


def both(one: Rule, said: Sequence[Observation]) -> Said:
    """Return what follows, having made sure that restarts change nothing."""
    expected = told(run([one], said))
    assert told(run_restarting([one], said)) == expected
    return expected


@pytest.mark.parametrize(
    ("condition", "course", "expected"),
    [
        pytest.param(OUTSIDE, "n0 p5 r9", [(5, "firing"), (9, "resolved")], id="in service"),
        pytest.param(OUTSIDE, "i0 p5 r9", [], id="a mechanic's press"),
        pytest.param(OUTSIDE, "p5 r9", [(5, "firing"), (9, "resolved")], id="nothing known of the mode"),
        pytest.param(OUTSIDE, "n0 p5 i20", [(5, "firing")], id="the key turned afterwards ends nothing"),
        pytest.param(OUTSIDE, "i0 p5 n9", [], id="a press of the visit is none of the time after it"),
        pytest.param(OUTSIDE, "i0 p5 n9 p20", [(20, "firing")], id="the next press after it is"),
        pytest.param(OUTSIDE, "n0 p5 i20 p30", [(5, "firing")], id="pressed again during inspection is no repeat"),
        pytest.param(INSIDE, "i0 p5 r9", [(5, "firing"), (9, "resolved")], id="during inspection"),
        pytest.param(INSIDE, "p5 n6 p9", [], id="outside of it"),
        pytest.param(INSIDE, "i0 p5 n9 p30", [(5, "firing")], id="it stands after the visit, until it is over"),
        pytest.param(FAULT, "n0 f5 i9 n20", [(5, "firing"), (9, "resolved")], id="inspection ends a fault for good"),
        pytest.param(FAULT, "n0 i5 f6 n20", [], id="a fault of the visit does not count"),
        pytest.param(FAULT, "n0 i5 f6 n20 f30", [(30, "firing")], id="one after it does"),
        pytest.param(FAULT, "n0 f5 c9", [(5, "firing"), (9, "resolved")], id="its end ends it as ever"),
    ],
)
def test_an_event_counts_by_the_mode_at_its_instant(condition: str, course: str, expected: Said) -> None:
    assert both(rule("elevator", condition), lift(course)) == expected


def test_a_mode_told_by_an_event_counts() -> None:
    talk = Talk()
    said = [talk.lift_event(0, Lift.MODE_CHANGED, service_mode="inspection"), talk.lift_event(5, Lift.ALARM_PRESSED)]
    assert both(rule("elevator", OUTSIDE), said) == []
    assert both(rule("elevator", INSIDE), said) == [(5, "firing")]


def test_a_late_event_is_not_asked_how_things_are_now() -> None:
    talk = Talk()
    said = [
        talk.lift(100, service_mode="inspection"),
        talk.lift_event(40, Lift.ALARM_PRESSED, received=110, late=True),
    ]
    button = rule("elevator", OUTSIDE, "late: accept\nmax_late: 1h\nby_arrival: false")
    assert told(run([button], said)) == [(110, "firing")]


def test_a_rule_that_rests_knows_the_mode_when_it_wakes() -> None:
    """Nothing is remembered of a quiet rule but the newest values, from which its state is made anew."""
    compiled = CompiledRule(rule("elevator", INSIDE))
    ((_, watch),) = compiled.events
    assert watch.settled({"service_mode": "inspection"}).inner[0].truth
    assert not watch.settled({}).inner[0].truth
    assert watch.settled({}) == watch.begin()


def test_what_stands_is_kept_by_a_rule_that_newly_asks() -> None:
    before = CompiledRule(rule("elevator", "{kind: event, types: [alarm_pressed], resolve_after: 30m}"))
    after = CompiledRule(rule("elevator", OUTSIDE))
    ((_, old),), ((_, new),) = before.events, after.events
    stood, begun = old.begin(), new.begin()
    (press,) = lift("p5")
    old.observe(stood, press, press.body, 5, None)  # type: ignore[arg-type]
    new.take_over(begun, stood)
    assert begun.truth
    again: Leaf = new.begin()
    new.take_over(again, begun)
    assert again.truth
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(again), type=Leaf) == again


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        pytest.param(OUTSIDE.replace("inspection", "asleep"), "asleep", id="a value that it cannot have"),
        pytest.param(OUTSIDE.replace("service_mode", "mode"), "'mode' is unknown", id="a signal that there is not"),
        pytest.param(
            OUTSIDE.replace("not_in: [inspection]", "not_in: [inspection], confirm: 5s"),
            "expected no `confirm`",
            id="confirm",
        ),
        pytest.param(
            f"{{kind: since, after: {FAULT}, until: {MODE}equals: stopped}}}}".replace(
                "clears_on: [fault_cleared], ", ""
            ),
            "expected no `until`",
            id="within a moment",
        ),
    ],
)
def test_mistakes(condition: str, expected: str) -> None:
    with pytest.raises(RuleError, match=expected):
        rule("elevator", condition)


def test_a_mode_taken_by_its_arrival_is_remembered() -> None:
    """The newest values know nothing of what a wrong clock has stamped: only the rule's own memory does."""
    talk = Talk()
    said = [talk.lift(0, service_mode="normal")]
    said += [talk.lift(at - 7_200, received=at, late=True, service_mode="inspection") for at in (10, 20, 30)]
    said.append(talk.lift_event(40 - 7_200, Lift.ALARM_PRESSED, received=40, late=True))
    assert both(rule("elevator", INSIDE, "by_arrival: true"), said) == [(40, "firing")]
    assert both(rule("elevator", OUTSIDE, "by_arrival: true"), said) == []


@pytest.mark.parametrize(("condition", "expected"), [(INSIDE, [(30, "firing")]), (OUTSIDE, [])])
def test_beside_silence_the_mode_is_known_as_well(condition: str, expected: Said) -> None:
    heard = "{kind: none_of, of: [{kind: missing, nothing_for: 10m}]}"
    assert both(rule("elevator", f"{{kind: all_of, of: [{condition}, {heard}]}}"), lift("i0 i10 i20 p30")) == expected


def test_a_state_that_stands_ends_a_late_event_with_the_next_message() -> None:
    talk = Talk()
    said = [
        talk.lift(0, service_mode="normal"),
        talk.presence(10, PresenceStatus.OFFLINE),
        talk.presence(1_000, PresenceStatus.ONLINE),
        talk.lift(1_001, service_mode="inspection"),
        talk.lift_event(500, Lift.FAULT_RAISED, "2", received=1_002, late=True),
        talk.lift(1_010, service_mode="inspection"),
    ]
    fault = rule("elevator", FAULT, "late: accept\nmax_late: 1h\nby_arrival: false")
    assert both(fault, said) == [(1_002, "firing"), (1_010, "resolved")]


@pytest.mark.parametrize(
    ("mode", "then", "expected"),
    [
        pytest.param("normal", "normal", [(601, "firing")], id="in service"),
        pytest.param("inspection", "inspection", [], id="a press of the visit"),
        pytest.param("normal", "stopped", [(601, "firing"), (610, "resolved")], id="what ends it"),
    ],
)
@pytest.mark.parametrize("behind", [0, 7_200], ids=["right", "2 h behind"])
def test_a_clock_that_is_steadily_wrong_changes_nothing(mode: str, then: str, expected: Said, behind: int) -> None:
    talk, late = Talk(), behind > 0
    pressed = PRESSED.replace("while", f"until: {MODE}equals: stopped}}, while")
    button = rule("elevator", f"{pressed}{MODE}not_in: [inspection]}}}}", "late: tell\nmax_late: 24h")
    said = [talk.lift(at - behind, received=at, late=late, service_mode=mode) for at in range(0, 600, 10)]
    said.append(talk.lift_event(601 - behind, Lift.ALARM_PRESSED, received=601, late=late))
    said += [talk.lift(at - behind, received=at, late=late, service_mode=then) for at in range(610, 700, 10)]
    assert both(button, said) == expected


@pytest.mark.parametrize("extra", ["", "late: tell\nmax_late: 24h"], ids=["plain", "late: tell"])
def test_an_event_seconds_out_of_order_is_asked_after_what_is_known(extra: str) -> None:
    talk = Talk()
    said = [
        talk.lift(0, service_mode="inspection"),
        talk.lift_event(10, Lift.ALARM_TESTED),
        talk.lift_event(9, Lift.ALARM_PRESSED, received=10.5),
    ]
    assert both(rule("elevator", OUTSIDE, extra), said) == []
    assert both(rule("elevator", INSIDE, extra), said) == [(10.5, "firing")]
