"""`change`: a rise or a fall within a time, whatever part of that is known."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.memory import Heard
from alerts.rules import RuleError
from alerts.trees import CompiledRule
from alerts.watches.windows import SAMPLE
from tests.unit.alerts.talk import Talk, rule, run, run_restarting, told

Said = list[tuple[float, str]]
HEARD = Heard(0, 0, 0, 0)
RISE = "{kind: change, signal: maximum_celsius, rises_by: 3, clear: 1, within: 2m}"
FALL = "{kind: change, signal: maximum_celsius, falls_by: 3, within: 2m}"


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        pytest.param(RISE, [(0, 25.0), (2, 28.0)], [(2, "firing")], id="counts at once, and at its limit"),
        pytest.param(RISE, [(0, 90.0), (2, 90.0)], [], id="the first value is no change"),
        pytest.param(RISE, [(0, 23.3), (2, 26.3)], [(2, "firing")], id="three tenths are three tenths"),
        pytest.param(RISE, [(0, 25.0), (110, 27.0), (130, 29.0)], [], id="each of two steps within its own window"),
        pytest.param(RISE, [(0, 25.0), (120, 28.0)], [(120, "firing")], id="the beginning of the window is in it"),
        pytest.param(
            RISE, [(0, 25.0), (2, 28.0), (4, 26.1), (6, 25.9)], [(2, "firing"), (6, "resolved")], id="over below clear"
        ),
        pytest.param(
            RISE,
            [(0, 25.0), (2, 45.0), *((at, 45.0) for at in range(60, 600, 60)), (602, 48.0)],
            [(2, "firing"), (180, "resolved"), (602, "firing")],
            id="a rise above what has stood for long counts anew",
        ),
        pytest.param(RISE, [(0, 28.0), (2, 25.0), (4, 28.0)], [(4, "firing")], id="from the lowest, not the first"),
        pytest.param(RISE, [(0, 30.0), (2, 25.0)], [], id="a fall is no rise"),
        pytest.param(FALL, [(0, 25.0), (2, 28.0), (4, 25.0)], [(4, "firing")], id="a fall from the highest"),
        pytest.param(FALL, [(0, 25.0), (2, 28.0)], [], id="a rise is no fall"),
        pytest.param(RISE, [(0, 25.0), (500, 90.0)], [], id="what was before a gap proves nothing"),
    ],
)
def test_a_change(condition: str, values: Sequence[tuple[float, float]], expected: Said) -> None:
    talk = Talk()
    said = [talk.camera(at, a=celsius) for at, celsius in values]
    assert told(run([rule("thermal", condition)], said)) == expected
    assert told(run_restarting([rule("thermal", condition)], said)) == expected


def test_the_reason_says_by_how_much_within_what_time() -> None:
    talk = Talk()
    (_, firing) = run([rule("thermal", RISE)], [talk.camera(0, a=25.0), talk.camera(2, a=29.5)])
    assert firing.reason.zh == "区域 a：最高温度 2 分钟内上升 4.5 °C"
    assert firing.reason.en == "region a: maximum temperature risen by 4.5 °C within 2 min"
    assert firing.reason.code == "change"
    assert (firing.reason.facts["maximum_celsius_rise"], firing.reason.facts["within_seconds"]) == (4.5, 120.0)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 60)), min_size=1, max_size=80))
def test_the_lowest_is_that_of_the_window_or_of_all_but_a_sixteenth_of_it(steps: list[tuple[int, int]]) -> None:
    talk, compiled = Talk(), CompiledRule(rule("thermal", RISE))
    (watch,), (leaf,), at = compiled.watches, compiled.begin(), 0
    seen: list[tuple[int, int]] = []
    for since, celsius in steps:
        at += since
        seen.append((at, celsius))
        said = talk.camera(at, a=float(celsius))
        watch.observe(leaf, said, said.body.regions[0], 2**60, HEARD)  # type: ignore[union-attr]
        longest, shortest = (celsius - min(c for t, c in seen if t >= at - span) for span in (120, 112.5))
        assert isinstance(leaf.value, float)
        assert shortest <= leaf.value <= longest
        assert len(leaf.window) <= 17 * SAMPLE.size


ANY = "{kind: change, signal: floor, by: any, within: 30s}"


@pytest.mark.parametrize(
    ("floors", "expected"),
    [
        pytest.param([(0, "3"), (5, "3")], [], id="the first value is no change"),
        pytest.param([(0, "3"), (5, "4")], [(5, "firing"), (35, "resolved")], id="over after a time without one"),
        pytest.param([(0, "3"), (5, "4"), (30, "B1")], [(5, "firing"), (60, "resolved")], id="from the last one on"),
        pytest.param([(0, "3"), (5, "4"), (30, "4"), (40, "4")], [(5, "firing"), (35, "resolved")], id="no repetition"),
        pytest.param([(0, "3"), (5, "4"), (6, "3")], [(5, "firing"), (36, "resolved")], id="back again is a change"),
        pytest.param([(0, "3"), (900, "4")], [(900, "firing"), (930, "resolved")], id="however long after the last"),
    ],
)
def test_any_change(floors: Sequence[tuple[float, str]], expected: Said) -> None:
    talk = Talk()
    said = [talk.lift(at, floor=floor) for at, floor in floors]
    until = floors[-1][0] + 100
    assert told(run([rule("elevator", ANY)], said, until)) == expected
    assert told(run_restarting([rule("elevator", ANY)], said, until)) == expected


def test_any_change_of_several_signals_whichever_message_tells_them() -> None:
    talk, condition = Talk(), "{kind: change, signal: floor, or: [trip_count, door_zone], by: any, within: 30s}"
    said = [
        talk.lift(0, floor="3", trip_count=7),
        talk.lift(5, floor="3", door_zone=True),
        talk.lift(10, trip_count=8),
        talk.lift(20, floor="3"),
        talk.lift(50, door_zone=False),
        talk.lift(60, trip_count=8),
    ]
    expected = [(10, "firing"), (40, "resolved"), (50, "firing"), (80, "resolved")]
    assert told(run([rule("elevator", condition)], said, 200)) == expected
    assert told(run_restarting([rule("elevator", condition)], said, 200)) == expected


def test_the_reason_of_any_change_says_within_what_time() -> None:
    talk = Talk()
    _, firing, _ = run([rule("elevator", ANY)], [talk.lift(0, floor="3"), talk.lift(2, floor="4")], 60)
    assert "楼层 30 秒内有变化" in firing.reason.zh
    assert "floor changed within 30 s" in firing.reason.en


def test_a_zero_below_zero_is_no_other_value() -> None:
    talk, condition = Talk(), "{kind: change, signal: speed_mps, or: [floor], by: any, within: 30s}"
    said = [talk.lift(0, floor="1", speed_mps=0.0), talk.lift(2, floor="1", speed_mps=-0.0)]
    assert told(run([rule("elevator", condition)], said, 60)) == []
    assert told(run_restarting([rule("elevator", condition)], said, 60)) == []


@pytest.mark.parametrize(
    ("signal", "other", "expected"),
    [
        (
            "maximum_celsius",
            "shutter_closed",
            "'shutter_closed' is one of the camera, 'maximum_celsius' one of a region",
        ),
        (
            "shutter_closed",
            "maximum_celsius",
            "'maximum_celsius' is one of a region, 'shutter_closed' one of the camera",
        ),
    ],
)
def test_signals_of_regions_and_of_the_camera_are_not_looked_at_together(
    signal: str, other: str, expected: str
) -> None:
    with pytest.raises(RuleError, match=expected):
        rule("thermal", f"{{kind: change, signal: {signal}, or: [{other}], by: any, within: 30s}}")
