"""`median_of`: a single wrong value changes nothing, a true one counts a sample later."""

from collections.abc import Sequence

import pytest

from tests.unit.alerts.talk import Talk, rule, run, run_restarting, told

Said = list[tuple[float, str]]
HOT = "{kind: threshold, signal: maximum_celsius, above: 46, clear: 43, median_of: 3}"
RISE = "{kind: rate, signal: maximum_celsius, above: 4, clear: 2, window: 2m, median_of: 3}"
BARE_RISE = RISE.replace(", median_of: 3", "")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([25, 25, 300, 25, 25], [], id="one look at the shutter"),
        pytest.param([25, 25, 0, 300, 25, 25], [], id="two wrong ones on both sides of the truth"),
        pytest.param([300, 25, 25], [], id="the first look ever"),
        pytest.param([60, 60], [], id="too few values say nothing"),
        pytest.param([60, 60, 60], [(4, "firing")], id="as many as it takes"),
        pytest.param([25, 25, 60, 60], [(6, "firing")], id="a step counts with its second value"),
        pytest.param([25, 25, 60, 0, 60], [(8, "firing")], id="with a wrong one in between, with its third"),
        pytest.param([60, 60, 60, 0, 60, 60], [(4, "firing")], id="one wrong one ends nothing"),
        pytest.param([60, 60, 60, 20, 20], [(4, "firing"), (8, "resolved")], id="a fall counts with its second value"),
    ],
)
def test_a_threshold(values: Sequence[float], expected: Said) -> None:
    talk = Talk()
    said = [talk.camera(2 * number, a=float(value)) for number, value in enumerate(values)]
    assert told(run([rule("thermal", HOT)], said)) == expected
    assert told(run_restarting([rule("thermal", HOT)], said)) == expected


def rises(condition: str, phase: int, wrong: float) -> Said:
    """Return what a steady 50 °C raises with one value that is ``wrong``, in one of eight phases of the window."""
    talk = Talk()
    values = [wrong if number == 64 + phase else 50.0 for number in range(200)]
    said = [talk.camera(2 * number, a=value) for number, value in enumerate(values)]
    return told(run([rule("thermal", condition)], said))


@pytest.mark.parametrize("wrong", [0.0, 300.0])
@pytest.mark.parametrize("phase", range(8))
def test_no_phase_makes_a_rise_of_one_wrong_value(phase: int, wrong: float) -> None:
    assert rises(RISE, phase, wrong) == []


def test_without_it_some_phases_do() -> None:
    assert any(rises(BARE_RISE, phase, 0.0) for phase in range(8))


def test_a_true_rise_is_seen_a_sample_later() -> None:
    talk = Talk()
    said = [talk.camera(2 * number, a=20 + number / 6) for number in range(60)]
    (bare, _), (later, _) = (told(run([rule("thermal", one)], said))[0] for one in (BARE_RISE, RISE))
    assert 0 < later - bare <= 4


def test_a_value_of_the_whole_device_and_one_that_was_not_sent() -> None:
    talk = Talk()
    full = rule("elevator", "{kind: threshold, signal: load_kilograms, above: 600, clear: 500, median_of: 3}")
    loads = [100.0, 900.0, 100.0, None, 900.0, 900.0, 900.0]
    said = [talk.lift(at, load_kilograms=load, door_state="open") for at, load in enumerate(loads)]
    assert told(run([full], said)) == [(4, "firing")]


def test_confirm_counts_from_the_median() -> None:
    talk = Talk()
    slow = rule("thermal", HOT.replace("median_of: 3", "median_of: 3, confirm: 5s"))
    said = [talk.camera(at, a=float(value)) for at, value in [(0, 25), (2, 25), (4, 60), (6, 60), (8, 60)]]
    assert told(run([slow], said, until=60)) == [(11, "firing")]


def test_five_bear_two_wrong_values() -> None:
    talk = Talk()
    hot = rule("thermal", HOT.replace("median_of: 3", "median_of: 5"))
    said = [talk.camera(2 * number, a=value) for number, value in enumerate([25.0] * 5 + [300.0] * 2 + [25.0] * 5)]
    assert told(run([hot], said)) == []


def test_the_reason_says_so() -> None:
    talk = Talk()
    (_, firing) = run([rule("thermal", HOT)], [talk.camera(at, a=60.0) for at in (0, 2, 4)])
    assert "最高温度 60 °C（最近 3 个值的中位数）" in firing.reason.zh
    assert "maximum temperature 60 °C (median of the last 3 values)" in firing.reason.en
    assert firing.reason.code == "threshold"
    assert firing.reason.facts["maximum_celsius"] == 60.0
