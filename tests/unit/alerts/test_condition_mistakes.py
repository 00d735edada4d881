"""Conditions over time that make no sense, each with its line and what was expected instead."""

from typing import get_args

import pytest

from alerts.rules import RuleError, load_rules
from alerts.rules.conditions import Single
from alerts.rules.simple_checks import SIMPLE_CHECKS
from alerts.rules.window_checks import WINDOW_CHECKS

HEAD = """\
version: 1
rules:
  - id: r
    kind: {kind}
    severity: major
    title: {{zh: 题, en: title}}
    next_step: {{zh: 步, en: step}}
    condition:
"""
FAULTS = "of: {types: [fault_raised]}"
OPENINGS = "kind: ratio\nsignal: door_cycle_count\nper: trip_count\nabove: 20\nwithin: 30m\nat_least: 50"
STEPS = (
    "kind: sequence\nwithin: 15s\nsteps:\n  - {kind: event, types: [granted]}\n  - {kind: event, types: [door_opened]}"
)
TOGETHER = "kind: together\nwithin: 5s\nof:\n  - {kind: state, signal: door_state, equals: open}\n  - "
LOAD = "kind: threshold\nsignal: load_kilograms\nabove: "
CHANGE = "kind: change\nsignal: load_kilograms\nrises_by: 100\nwithin: 2m"
ANY_CHANGE = "kind: change\nsignal: floor\nby: any\nwithin: 2m"
SINCE = "kind: since\nafter: {kind: event, types: [alarm_pressed]}\nuntil: "
STILL = "kind: unchanged\nsignal: passenger_present\nwhile_changes: trip_count\nat_least: 12"
RHYTHM = "kind: missing\nnothing_for: 5m\nrhythm:\n  times: 3\n  at_most: 12h"
PAST = "kind: compare\nsignal: load_kilograms\npast: 14d\nabove_times: 1.5"
DOORS = "kind: compare\nduration_of:\n  signal: door_state\n  values: [open]\npast: 14d\nabove_times: 1.5"
GROWTH = (
    "kind: compare\ngrowth_of:\n  signal: door_cycle_count\n  per: trip_count\n  each: 50\npast: 14d\nabove_times: 1.15"
)
PEER = "kind: compare\nsignal: load_kilograms\nwith: lift-2\nabove_by: 100"


def mistake(condition: str, kind: str = "elevator") -> tuple[int, str]:
    """Return the line within ``condition`` (1 is its first, 0 the key above it) and the words of its mistake."""
    head = HEAD.format(kind=kind)
    text = head + "".join(f"      {line}\n" for line in condition.splitlines())
    with pytest.raises(RuleError) as raised:
        load_rules(text, "bad.yaml")
    return raised.value.line - head.count("\n"), str(raised.value)


@pytest.mark.parametrize(
    ("condition", "line", "expected"),
    [
        pytest.param(f"kind: count\n{FAULTS}\nat_least: 1\nwithin: 24h", 3, "Expected `int` >= 2", id="one"),
        pytest.param(f"kind: count\n{FAULTS}\nat_least: 101\nwithin: 24h", 3, "<= 100", id="too many to count"),
        pytest.param(f"kind: count\n{FAULTS}\nat_least: 3\nwithin: 31d", 4, "30d at most", id="count: window too long"),
        pytest.param(
            f"kind: count\n{FAULTS}\nat_least: 3\nwithin: 24h\nclear_below: 4",
            5,
            "expected 3 at most",
            id="clear_below",
        ),
        pytest.param(
            f"kind: count\n{FAULTS}\nat_least: 3\nwithin: 1m\nrepeat_after: 5m", 5, "`within` (1m) at most", id="repeat"
        ),
        pytest.param("kind: count\nof: {types: [held_open]}\nat_least: 3\nwithin: 24h", 2, "fault_raised", id="type"),
        pytest.param(
            "kind: count\nof:\n  types: [alarm_pressed]\n  kinds: [brake]\nat_least: 3\nwithin: 24h",
            4,
            "filters faults",
            id="count: fault filter",
        ),
        pytest.param(OPENINGS.replace("trip_count", "door_cycle_count"), 3, "the same counter", id="ratio to itself"),
        pytest.param(OPENINGS.replace("trip_count", "load_kilograms"), 3, "is no counter: expected one of", id="r"),
        pytest.param(OPENINGS.replace("trip_count", "tripcount"), 3, "'tripcount' is unknown", id="ratio: unknown"),
        pytest.param(OPENINGS.replace("20", "-1"), 4, "expected a finite number above 0", id="ratio below nothing"),
        pytest.param(OPENINGS.replace("20", ".inf"), 4, "expected a finite number above 0", id="ratio: infinite"),
        pytest.param(OPENINGS.replace("30m", "2d"), 5, "24h at most", id="ratio: window too long"),
        pytest.param("kind: rate\nsignal: speed_mps\nabove: 1\nwindow: 1m\nconfirm: 2h", 5, "1h at most", id="confirm"),
        pytest.param(OPENINGS.replace("50", "0"), 6, "> 0", id="ratio: no growth at all"),
        pytest.param(OPENINGS + "\nclear: 21", 7, "at or below `above` (20)", id="ratio: clear on the far side"),
        pytest.param(TOGETHER + "{kind: missing, nothing_for: 5s}", 5, "expected threshold, state, event", id="moment"),
        pytest.param(TOGETHER[: TOGETHER.rindex("\n")], 3, "length >= 2", id="together with nothing"),
        pytest.param(TOGETHER.replace("5s", "2h") + "{kind: event, types: [alarm_pressed]}", 2, "1h at most", id="tw"),
        pytest.param(
            TOGETHER + "{kind: event, types: [alarm_pressed], resolve_after: 5s}",
            5,
            "no `resolve_after`",
            id="an event that stands is no moment",
        ),
        pytest.param(LOAD + "45\nmedian_of: 4", 4, "expected 3, 5, 7", id="the median of an even number"),
        pytest.param(
            TOGETHER + "{kind: threshold, signal: load_kilograms, above: 3, median_of: 3}",
            5,
            "expected no `median_of`",
            id="a median is no moment",
        ),
        pytest.param(CHANGE.replace("load_kilograms", "floor"), 2, "not a number", id="a change of a text"),
        pytest.param(CHANGE.replace("rises_by: 100\n", ""), 0, "exactly one of `rises_by`", id="a change by nothing"),
        pytest.param(CHANGE + "\nby: any", 0, "exactly one of `rises_by`", id="a change by any value and by an amount"),
        pytest.param(CHANGE + "\nor: [floor]", 5, "`or` belongs to `by: any`", id="a change by an amount: or"),
        pytest.param(ANY_CHANGE + "\nor: [flor]", 5, "expected", id="any change: another signal"),
        pytest.param(ANY_CHANGE + "\nclear: 3", 5, "expected none with `by: any`", id="any change: clear"),
        pytest.param(ANY_CHANGE.replace("floor", "flor"), 2, "signal", id="any change: signal"),
        pytest.param(ANY_CHANGE.replace("any", "some"), 3, "expected any", id="any change: another word"),
        pytest.param(CHANGE + "\nfalls_by: 3", 0, "exactly one of `rises_by`", id="a change both ways"),
        pytest.param(CHANGE.replace("100", "-3"), 3, "expected a finite number above 0", id="a change below nothing"),
        pytest.param(CHANGE.replace("100", "3 kg"), 3, "a number in kg, without", id="a change: unit"),
        pytest.param(CHANGE + "\nclear: 101", 5, "at or below `rises_by` (100)", id="a change: clear"),
        pytest.param(CHANGE.replace("2m", "2d"), 4, "24h at most", id="a change: too long"),
        pytest.param(SINCE + "{kind: event, types: [alarm_pressed]}", 3, "would begin and end it", id="since: same"),
        pytest.param(
            SINCE + "{kind: change, signal: load_kilograms, rises_by: 3, within: 5s}",
            3,
            "expected `by: any`",
            id="since: by",
        ),
        pytest.param(SINCE + "{kind: missing, nothing_for: 5m}", 3, "expected threshold, state, event", id="since: k"),
        pytest.param(SINCE + "{kind: state, signal: door, equals: open}", 3, "'door' is unknown", id="since: signal"),
        pytest.param(SINCE[:-7], 0, "missing required field `until`", id="since ever"),
        pytest.param(
            SINCE + "{kind: event, types: [alarm_reset], clears_on: [alarm_released]}",
            3,
            "expected no `clears_on`",
            id="since an event that stands",
        ),
        pytest.param(STILL.replace("passenger_present", "people"), 2, "'people' is unknown", id="unchanged: signal"),
        pytest.param(STILL.replace("trip_count", "trips"), 3, "'trips' is unknown", id="unchanged: other signal"),
        pytest.param(STILL.replace("trip_count", "passenger_present"), 3, "the signal itself", id="unchanged: itself"),
        pytest.param(STILL.replace("12", "1"), 4, "Expected `int` >= 2", id="unchanged over one"),
        pytest.param(STILL + "\nequals: 3", 5, "expected true or false", id="unchanged: value"),
        pytest.param(STILL + "\nfor: 60d", 5, "30d at most", id="unchanged for too long"),
        pytest.param(STILL + "\nfor: 20", 5, "a duration such as", id="unchanged: a bare number"),
        pytest.param(RHYTHM.replace("3", "0.5"), 4, "Expected `float` >= 1", id="rhythm: less than its own"),
        pytest.param(RHYTHM.replace("12h", "1m"), 5, "expected `nothing_for` (5m) at least", id="rhythm: at most"),
        pytest.param(RHYTHM.replace("12h", "60d"), 5, "30d at most", id="rhythm: too long"),
        pytest.param(RHYTHM.replace("12h", "12"), 5, "a duration such as", id="rhythm: a bare number"),
        pytest.param(RHYTHM.replace("nothing_for", "offline_for"), 3, "expected `nothing_for`", id="rhythm: offline"),
        pytest.param(RHYTHM + "\ntypes: [alarm_tested]", 3, "no `types`", id="rhythm: of events"),
        pytest.param(LOAD + "45kg", 3, "a number in kg, without the unit", id="a unit in the number"),
        pytest.param(LOAD + "{attribute: Rated Load}", 3, "such as rated_load_kilograms", id="attribute: name"),
        pytest.param(LOAD + "{attribute: rated_load_tonnes}", 3, "expected an attribute in kilograms", id="tonnes"),
        pytest.param(LOAD + "{attribute: rated_load, times: 0}", 3, "times: 0 leaves nothing", id="attribute: times 0"),
        pytest.param(LOAD + "{attribute: rated_load, plus: .nan}", 3, "plus: nan: expected a finite", id="plus nan"),
        pytest.param(LOAD + "{attribute: rated_load, otherwise: -1}", 3, "0 to 20000", id="attribute: otherwise"),
        pytest.param(LOAD + "{attribute: rated_load, time: 2}", 3, "unknown field `time`", id="attribute: key"),
        pytest.param(LOAD + "{times: 2}", 3, "exactly one of `attribute` and `signal`", id="attribute: none"),
        pytest.param(LOAD + "{attribute: a, signal: speed_mps}", 3, "exactly one of `attribute` and", id="both"),
        pytest.param(LOAD + "{signal: speed_mps}", 3, "expected a signal in kilograms", id="signal: unit"),
        pytest.param(LOAD + "{signal: speed}", 3, "'speed' is unknown", id="signal: unknown"),
        pytest.param(LOAD + "{signal: floor}", 3, "not a number", id="signal: a text"),
        pytest.param(LOAD + "{signal: load_kilograms}", 3, "compared with itself", id="signal: itself"),
        pytest.param(LOAD + "{signal: trip_count, plus: .inf}", 3, "plus: inf: expected a finite", id="plus inf"),
        pytest.param(
            LOAD + "{signal: trip_count, plus: 5}\nclear: {signal: trip_count, plus: 6}", 4, "at or below", id="sc"
        ),
        pytest.param(
            LOAD + "{signal: trip_count}\nclear: {signal: door_cycle_count}", 4, "the signal that `above`", id="two"
        ),
        pytest.param(
            CHANGE.replace("100", "{signal: position_metres}"), 3, "only a `threshold` by itself", id="signal: change"
        ),
        pytest.param(
            TOGETHER + "{kind: threshold, signal: load_kilograms, above: {signal: trip_count}}",
            5,
            "only a `threshold` by itself",
            id="signal: moment",
        ),
        pytest.param(
            LOAD + "{attribute: rated_load}\nclear: {attribute: rated_load, times: 2}", 4, "at or below", id="clear"
        ),
        pytest.param(PAST.replace("\npast: 14d", ""), 0, "exactly one of `past` and `with`", id="no baseline"),
        pytest.param(PAST + "\nwith: lift-2", 0, "exactly one of `past` and `with`", id="two baselines"),
        pytest.param(PAST.replace("14d", "36h"), 3, "whole days, 1d to 60d", id="past: half a day"),
        pytest.param(PAST.replace("14d", "90d"), 3, "whole days, 1d to 60d", id="past: too long"),
        pytest.param(PAST.replace("14d", "5d"), 3, "has no 7 days", id="past: shorter than it takes"),
        pytest.param(PAST + "\nat_least_days: 15", 5, "expected 14 at most", id="more days than there are"),
        pytest.param(PAST + "\nstale_after: 5m", 5, "belongs to `with`", id="stale_after of the past"),
        pytest.param(PEER + "\nby_hour: true", 5, "`by_hour` belongs to `past`", id="by hour: a peer"),
        pytest.param(GROWTH + "\nby_hour: true", 8, "expected `signal` in place of `growth_of`", id="by hour: growth"),
        pytest.param(GROWTH.replace("per: trip_count", "per: floor"), 4, "no counter", id="growth for no counter"),
        pytest.param(GROWTH.replace("per: trip", "per: door_cycle"), 4, "compared with itself", id="growth of itself"),
        pytest.param(GROWTH.replace("each: 50", "each: 0"), 5, "Expected `int` >= 1", id="growth for nothing"),
        pytest.param(GROWTH + "\nsignal: load_kilograms", 0, "exactly one of `signal`", id="growth and a signal"),
        pytest.param(GROWTH.replace("past: 14d", "with: lift-2"), 2, "`growth_of` belongs to `past`", id="growth"),
        pytest.param(DOORS + "\nby_hour: true", 7, "expected `signal` in place", id="by hour: a stay"),
        pytest.param(PAST + "\nuntil_learned: true", 5, "belongs to `by_hour`", id="until learned what"),
        pytest.param(PAST + "\nbelow_times: 0.5", 0, "exactly one of `above_times`", id="two limits"),
        pytest.param(PAST.replace("1.5", "0.9"), 4, "expected 1 or more", id="above what it always is"),
        pytest.param(PAST.replace("above_times: 1.5", "below_times: 2"), 4, "expected 1 or less", id="below_times"),
        pytest.param(PAST + "\nclear: 1.6", 5, "at or below `above_times` (1.5)", id="compare: clear"),
        pytest.param(PAST + "\nclear: -1", 5, "0 or above", id="compare: clear below nothing"),
        pytest.param(PAST.replace("load_kilograms", "speed_mps"), 4, "can be negative", id="times a signed signal"),
        pytest.param(PAST.replace("load_kilograms", "trip_count"), 2, "only grows", id="compare a counter"),
        pytest.param(PAST.replace("load_kilograms", "floor"), 2, "not a number", id="compare a text"),
        pytest.param(
            PAST.replace("signal: load_kilograms\n", ""),
            0,
            "`signal`, `duration_of` and `growth_of`",
            id="compare what",
        ),
        pytest.param(DOORS.replace("[open]", "[ajar]"), 4, "closed, opening, open", id="duration: value"),
        pytest.param(
            DOORS.replace("[open]", "[closed, opening, open, closing]"), 4, "never leaves", id="duration: all values"
        ),
        pytest.param(DOORS.replace("door_state", "speed_mps"), 3, "expected a state", id="duration of a number"),
        pytest.param(DOORS.replace("door_state", "door"), 3, "'door' is unknown", id="duration: unknown signal"),
        pytest.param(DOORS.replace("past: 14d", "with: lift-2"), 2, "`duration_of` belongs to `past`", id="duration"),
        pytest.param(PEER.replace("lift-2", "Lift 2"), 3, "the name of a device", id="peer: name"),
        pytest.param(PEER.replace("100", "0"), 4, "above 0", id="peer: by nothing"),
        pytest.param(PEER + "\nover: 3", 5, "belongs to `past`", id="over of a peer"),
        pytest.param(PEER + "\nstale_after: 2d", 5, "1d at most", id="peer: stale for too long"),
        pytest.param(
            "kind: missing\nnothing_for: 3d\nonce_heard: true", 3, "expected `types`", id="once heard of nothing"
        ),
        pytest.param("kind: none_of\nof: []", 2, "length >= 1", id="none of nothing"),
        pytest.param(
            "kind: any_of\nof:\n  - {kind: missing, nothing_for: 5m}\n  - {kind: missing, nothing_for: 5m}",
            4,
            "stands here twice",
            id="twice the same",
        ),
        pytest.param("kind: sometimes\nsignal: floor", 1, "compare, all_of, any_of, none_of", id="kind"),
        pytest.param("kind: threshold\nsignal: load_pounds\nabove: 3", 2, "expected load_kilograms (mind", id="unit"),
    ],
)
def test_nonsense_is_refused(condition: str, line: int, expected: str) -> None:
    found, words = mistake(condition)
    assert expected in words
    assert found == line


@pytest.mark.parametrize(
    ("condition", "line", "expected"),
    [
        pytest.param(STEPS[: STEPS.rindex("\n")], 3, "length >= 2", id="one step"),
        pytest.param(STEPS.replace("15s", "2h"), 2, "1h at most", id="too long"),
        pytest.param(STEPS + "\nhold_for: 60d", 6, "30d at most", id="held for too long"),
        pytest.param(STEPS + "\nwithout: [door_opened]", 6, "would undo the steps before it", id="undoes itself"),
        pytest.param(STEPS + "\nwithout: [alarm_pressed]", 6, "expected one of granted", id="of another kind"),
        pytest.param(
            STEPS.replace("[door_opened]", "[door_opened], clears_on: [door_closed]"), 5, "no `clears_on`", id="stands"
        ),
        pytest.param(STEPS.replace("event, types: [granted]", "rate"), 4, "expected threshold, state, event", id="k"),
        pytest.param(
            STEPS + "\n  - {kind: state, signal: door_state, equals: open}",
            6,
            "this kind of device has none",
            id="gate",
        ),
        pytest.param(
            STEPS.replace("[door_opened]", "[door_opened], where: {door: 1}"), 5, "a text (quote it", id="where"
        ),
    ],
)
def test_nonsense_about_gates_is_refused(condition: str, line: int, expected: str) -> None:
    found, words = mistake(condition, "gate")
    assert expected in words
    assert found == line


def test_a_step_is_not_confirmed() -> None:
    confirmed = "{kind: state, signal: door_state, equals: open, confirm: 2s}"
    steps = f"kind: sequence\nwithin: 5s\nsteps:\n  - {confirmed}\n  - {{kind: event, types: [alarm_pressed]}}"
    line, words = mistake(steps)
    assert (line, "expected no `confirm`" in words) == (4, True)


def test_late_values_are_not_counted_as_events() -> None:
    text = HEAD.format(kind="elevator").replace("    condition:", "    late: accept\n    max_late: 1h\n    condition:")
    text += "".join(f"      {line}\n" for line in OPENINGS.splitlines())
    with pytest.raises(RuleError, match="events and counts only"):
        load_rules(text, "bad.yaml")


@pytest.mark.parametrize(
    ("devices", "refused"),
    [
        pytest.param("[lift-2]", True, id="for itself alone"),
        pytest.param("[demo/elevator/lift-2]", True, id="by its path"),
        pytest.param("[lift-1, lift-2]", False, id="for another too, which is compared"),
    ],
)
def test_a_device_is_not_compared_with_itself(devices: str, refused: bool) -> None:
    head = HEAD.format(kind="elevator").replace("    condition:", f"    scope: {{devices: {devices}}}\n    condition:")
    lines = ["kind: any_of", "of:", "  - {kind: missing, nothing_for: 5m}", "  - kind: compare", *PEER.splitlines()[1:]]
    text = (
        head + "".join(f"      {line}\n" for line in lines[:4]) + "".join(f"          {each}\n" for each in lines[4:])
    )
    if not refused:
        assert len(load_rules(text, "good.yaml")) == 1
        return
    with pytest.raises(RuleError, match="lift-2 is the device itself: expected another of its kind") as raised:
        load_rules(text, "bad.yaml")
    assert text.splitlines()[raised.value.line - 1].strip() == "with: lift-2"


def test_each_condition_is_checked_in_one_place() -> None:
    assert {*SIMPLE_CHECKS, *WINDOW_CHECKS} == set(get_args(Single))
    assert not SIMPLE_CHECKS.keys() & WINDOW_CHECKS.keys()
