"""Steps in order, conditions close together, and the absence of others, as tables."""

from collections.abc import Sequence

import pytest

from alerts.memory import Heard
from alerts.rules import conditions
from alerts.trees import CompiledRule
from alerts.watches.limits import figures
from alerts.watches.sequences import SequenceWatch, TogetherWatch
from core.devices import DeviceKind
from core.observations import Observation
from core.wire.payloads import ElevatorEventType as Lift
from core.wire.payloads import GateEventType as Gate
from core.wire.payloads import PresenceStatus
from tests.unit.alerts.talk import Talk, rule, run, run_restarting, told

Said = list[tuple[float, str]]
TWICE = """{kind: sequence, within: 15s, hold_for: 1m, without: [granted], steps: [
 {kind: event, types: [granted]}, {kind: event, types: [door_opened]}, {kind: event, types: [door_opened]}]}""".replace(
    "\n", ""
)


def gate_says(text: str, door: str = "1") -> list[Observation]:
    """Return what a gate says, written as ``second letter``: g granted, o opened, c closed."""
    talk = Talk()
    words = {"g": Gate.GRANTED, "o": Gate.DOOR_OPENED, "c": Gate.DOOR_CLOSED}
    return [talk.gate(float(each[:-1]), words[each[-1]], door) for each in text.split()]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param("0g 2o 5c 8o", [(8, "firing"), (68, "resolved")], id="granted once and opened twice"),
        pytest.param("0g 2o 5c", [], id="opened once"),
        pytest.param("0g 2o 5c 6g 8o 9c", [], id="granted again between"),
        pytest.param("0g 2o 5c 15o", [], id="too late at the very end of the window"),
        pytest.param("0g 2o 5c 14.9o", [(14.9, "firing"), (74.9, "resolved")], id="just in time"),
        pytest.param("2o 3g 5o", [], id="out of order"),
        pytest.param("0g 2o 5c 8o 9c 10o", [(8, "firing"), (70, "resolved")], id="once more holds as long again"),
        pytest.param("0g 14g 16o 18c 20o", [(20, "firing"), (80, "resolved")], id="the later beginning counts"),
        pytest.param(
            "0g 2o 3o 200g 202o 203o",
            [(3, "firing"), (63, "resolved"), (203, "firing"), (263, "resolved")],
            id="again",
        ),
    ],
)
def test_sequence(said: str, expected: Said) -> None:
    watched = rule("gate", TWICE)
    assert told(run([watched], gate_says(said), until=600)) == expected
    assert told(run_restarting([watched], gate_says(said), until=600)) == expected


def test_a_sequence_is_kept_for_each_door() -> None:
    talk = Talk()
    said = [talk.gate(0, Gate.GRANTED, "1"), talk.gate(1, Gate.DOOR_OPENED, "1"), talk.gate(2, Gate.DOOR_OPENED, "2")]
    assert told(run([rule("gate", TWICE)], said)) == []


def test_without_others_the_beginning_begun_last_is_enough() -> None:
    steps = "steps: [{kind: event, types: [granted]}, {kind: event, types: [door_opened]}]"
    watched = rule("gate", f"{{kind: sequence, within: 5s, hold_for: 1s, {steps}}}")
    assert told(run([watched], gate_says("0g 4g 8o"))) == [(8, "firing")]


RISEN = (
    "{kind: sequence, within: 30s, hold_for: 10s, steps: "
    "[{kind: state, signal: door_state, equals: open}, {kind: threshold, signal: speed_mps, above: 0.5}]}"
)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param([(0, "closed", 0.0), (1, "open", None), (5, None, 0.9)], [(5, "firing")], id="each becomes true"),
        pytest.param([(0, "closed", 0.9), (1, "open", None), (5, None, 0.9)], [], id="moving all the while"),
        pytest.param([(0, "closed", 0.0), (1, "open", 0.9)], [], id="both in one message is no order"),
        pytest.param([(0, "open", None), (40, None, 0.9)], [], id="too far apart"),
    ],
)
def test_signals_take_their_steps_when_they_become_true(
    said: Sequence[tuple[float, str | None, float | None]], expected: Said
) -> None:
    talk, watched = Talk(), rule("elevator", RISEN)
    lifts = [talk.lift(at, door_state=door, speed_mps=speed) for at, door, speed in said]
    assert told(run([watched], lifts)) == expected
    assert told(run_restarting([watched], lifts)) == expected


def test_a_sequence_says_its_steps() -> None:
    (_, firing) = run([rule("gate", TWICE)], gate_says("0g 2o 8o"))
    assert firing.reason.code == "sequence"
    assert firing.reason.zh == "门 1：15 秒内依次发生：允许通行 → 门打开 → 门打开"
    assert firing.reason.en == "door 1: in this order within 15 s: access granted → door opened → door opened"
    assert firing.reason.facts["within_seconds"] == 15


def test_a_sequence_that_has_run_out_leaves_nothing_behind() -> None:
    steps: list[conditions.Moment] = [conditions.EventSeen(types=[name]) for name in ("granted", "door_opened")]
    watch = SequenceWatch(conditions.Sequence(steps=steps, within="5s"), DeviceKind.GATE, figures({}))
    leaf, heard, answers = watch.begin(), Heard(0, 0, 0, 0), []
    for said, now in zip(gate_says("1g 2o"), (1_000_000, 2_000_000), strict=True):
        watch.observe(leaf, said, said.body, now, heard)
        answers.append(leaf.truth)
    while (due := watch.due(leaf, heard)) != 0:
        watch.expire(leaf, due, heard)
        answers.append(leaf.truth)
    assert answers == [False, True, True, False]
    assert (leaf.opened, leaf.window) == (b"", b"")


MOVING = (
    "{kind: together, within: 2s, of: [{kind: state, signal: door_state, equals: open}, "
    "{kind: threshold, signal: speed_mps, above: 0.3}]}"
)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param([(0, "open", None), (1, None, 0.9)], [(1, "firing")], id="in different messages"),
        pytest.param(
            [(0, "open", 0.0), (3, "closed", 0.0), (4, None, 0.9), (5, None, 0.9)],
            [(4, "firing"), (5, "resolved")],
            id="shortly after, and over when the first is too long ago",
        ),
        pytest.param([(0, "open", 0.0), (3, "closed", 0.0), (5, None, 0.9)], [], id="longer ago than the window"),
        pytest.param(
            [(0, "open", 0.9), (3, "closed", 0.0)], [(0, "firing"), (5, "resolved")], id="held together for long"
        ),
        pytest.param([(0, "open", 0.0), (9, "open", 0.9)], [(9, "firing")], id="what still holds is not long ago"),
    ],
)
def test_together(said: Sequence[tuple[float, str | None, float | None]], expected: Said) -> None:
    talk, watched = Talk(), rule("elevator", MOVING)
    lifts = [talk.lift(at, door_state=door, speed_mps=speed) for at, door, speed in said]
    assert told(run([watched], lifts, until=20 if expected[-1:] != [(1, "firing")] else None)) == expected
    assert told(run_restarting([watched], lifts, until=20 if expected[-1:] != [(1, "firing")] else None)) == expected


def test_an_event_is_together_with_a_state_for_the_window() -> None:
    condition = (
        "{kind: together, within: 10s, of: [{kind: event, types: [alarm_pressed]}, "
        "{kind: state, signal: main_power, equals: false, confirm: 3s}]}"
    )
    talk = Talk()
    said = [talk.lift(0, main_power=True), talk.lift_event(5, Lift.ALARM_PRESSED), talk.lift(6, main_power=False)]
    transitions = run([rule("elevator", condition)], said, until=60)
    assert told(transitions) == [(9, "firing"), (15, "resolved")]
    assert transitions[1].reason.zh == "10 秒内同时出现：轿厢报警按钮被按下、主电源断电"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        pytest.param(
            "{kind: none_of, of: [{kind: state, signal: door_state, equals: closed}]}",
            [(0, "firing"), (2, "resolved")],
            id="alone, and true of what was never sent",
        ),
        pytest.param(
            "{kind: all_of, of: [{kind: threshold, signal: speed_mps, above: 1}, {kind: none_of, of: "
            "[{kind: state, signal: service_mode, equals: inspection}, {kind: event, types: [alarm_pressed], "
            "resolve_after: 5s}]}]}",
            [(1, "firing"), (3, "resolved"), (8, "firing")],
            id="beside others, until an event runs out",
        ),
        pytest.param(
            "{kind: none_of, of: [{kind: none_of, of: [{kind: threshold, signal: speed_mps, above: 1}]}]}",
            [(1, "firing")],
            id="twice",
        ),
    ],
)
def test_none_of(condition: str, expected: Said) -> None:
    talk, watched = Talk(), rule("elevator", condition)
    said = [
        talk.lift(0, service_mode="normal"),
        talk.lift(1, speed_mps=1.5),
        talk.lift(2, door_state="closed"),
        talk.lift_event(3, Lift.ALARM_PRESSED),
    ]
    assert told(run([watched], said, until=20)) == expected
    assert told(run_restarting([watched], said, until=20)) == expected


def test_what_does_not_hold_is_told_by_what_was_seen_instead() -> None:
    talk = Talk()
    absent = (
        "{kind: none_of, of: [{kind: state, signal: door_state, equals: open}, {kind: missing, nothing_for: 5m}, "
        "{kind: event, types: [alarm_pressed], resolve_after: 1m}, {kind: count, of: {types: [fault_raised]}, "
        "at_least: 2, within: 1h}]}"
    )
    (_, firing) = run([rule("elevator", absent)], [talk.lift(0, door_state="closed")])
    assert firing.reason.zh == "轿门关闭，设备有消息，未发生：轿厢报警按钮被按下，1 小时内不到 2 次"
    beginning = "the car door is closed, the device is heard, not happened: car alarm button pressed, "
    assert firing.reason.en.startswith(beginning)


def test_presence_means_nothing_to_a_sequence() -> None:
    talk = Talk()
    said = [talk.presence(0, PresenceStatus.ONLINE), talk.lift(1, door_state="open", speed_mps=0.0)]
    assert told(run([rule("elevator", RISEN), rule("elevator", MOVING, rule_id="b")], said)) == []


@pytest.mark.parametrize(
    ("condition", "events", "expected"),
    [
        pytest.param(
            TWICE,
            [(0, Gate.GRANTED), (1, Gate.DOOR_OPENED), (2, Gate.DOOR_OPENED), (9, Gate.TAMPER_CLEARED)],
            [(2, "firing"), (9, "resolved")],
            id="a sequence",
        ),
        pytest.param(
            "{kind: count, of: {types: [forced_open]}, at_least: 2, within: 1m}",
            [(0, Gate.FORCED_OPEN), (1, Gate.FORCED_OPEN), (9, Gate.TAMPER_CLEARED), (20, Gate.FORCED_OPEN)],
            [(1, "firing"), (9, "resolved")],
            id="a count begins anew",
        ),
        pytest.param(
            "{kind: together, within: 1m, of: [{kind: event, types: [granted]}, {kind: event, types: [tamper]}]}",
            [(0, Gate.GRANTED), (1, Gate.TAMPER), (9, Gate.TAMPER_CLEARED), (20, Gate.TAMPER)],
            [(1, "firing"), (9, "resolved")],
            id="moments",
        ),
    ],
)
def test_what_ended_the_alert_has_ended_what_happened(
    condition: str, events: Sequence[tuple[float, Gate]], expected: Said
) -> None:
    talk = Talk()
    clears = "clears_when: {kind: event, types: [tamper_cleared], resolve_after: 1s}"
    said = [talk.gate(at, kind) for at, kind in events]
    transitions = run([rule("gate", condition, clears)], said, until=40)
    assert told(transitions) == expected
    assert transitions[-1].reason.zh == "已解除：防拆报警解除"
    assert transitions[-1].reason.facts == {"event": "tamper_cleared"}


@pytest.mark.parametrize(
    ("condition", "rests"),
    [
        pytest.param(MOVING, True, id="together"),
        pytest.param(RISEN, True, id="a sequence"),
        pytest.param(MOVING.replace("equals: open", "equals: closed"), False, id="half of it holds"),
    ],
)
def test_a_standing_lift_with_its_door_closed_is_nothing_to_remember(condition: str, rests: bool) -> None:
    talk = Talk()
    compiled, heard = CompiledRule(rule("elevator", condition)), Heard(0, 0, 0, 0)
    watch, (leaf,) = compiled.watches[0], compiled.begin()
    assert isinstance(watch, SequenceWatch | TogetherWatch)
    for second in (1, 2, 3):
        said = talk.lift(second, door_state="open" if second == 1 else "closed", speed_mps=0.0)
        watch.observe(leaf, said, said.body, second * 1_000_000, heard)
    watch.expire(leaf, 200_000_000, heard)
    assert watch.rests(leaf, 200_000_000) is rests
    assert not watch.rests(leaf, 3_000_000) or not isinstance(watch, TogetherWatch)
    assert compiled.compares == ("door_state", "speed_mps")
