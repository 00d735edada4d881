"""Limits that hang on the device: rated load, number of stops."""

import pytest

from alerts.inventory import DeviceFacts
from alerts.memory import Heard
from alerts.trees import CompiledRule
from alerts.watches.limits import attributes_of
from tests.unit.alerts.talk import Talk, rule

HEARD = Heard(0, 0, 0, 0)
OVERLOAD = (
    "{kind: threshold, signal: load_kilograms, "
    "above: {attribute: rated_load_kilograms, times: 1.1, plus: 10, otherwise: 700}}"
)
KNOWN_ONLY = "{kind: threshold, signal: load_kilograms, above: {attribute: rated_load_kilograms}}"


def holds(condition: str, facts: DeviceFacts, load: float) -> bool:
    """Tell whether ``condition`` holds of a lift with ``facts`` that carries ``load``."""
    compiled, said = CompiledRule(rule("elevator", condition), facts), Talk().lift(1, load_kilograms=load)
    leaves = compiled.begin()
    for index in compiled.by_channel[said.channel]:
        compiled.watches[index].observe(leaves[index], said, said.body, 1, HEARD)
    return compiled.active(leaves)


@pytest.mark.parametrize(
    ("numbers", "load", "expected"),
    [
        pytest.param({"rated_load_kilograms": 1000}, 1110, False, id="at the rated load with its factor"),
        pytest.param({"rated_load_kilograms": 1000}, 1111, True, id="above it"),
        pytest.param({"rated_load_kilograms": 450}, 600, True, id="a small lift"),
        pytest.param({"stops": 12}, 700, False, id="nothing known, at what stands for it"),
        pytest.param({}, 701, True, id="nothing known, above what stands for it"),
    ],
)
def test_a_limit_is_the_device_s_own(numbers: dict[str, float], load: float, expected: bool) -> None:
    assert holds(OVERLOAD, DeviceFacts(numbers=numbers), load) is expected


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param(KNOWN_ONLY, id="alone"),
        pytest.param(f"{{kind: any_of, of: [{KNOWN_ONLY}, {OVERLOAD}]}}", id="among others"),
        pytest.param(f"{{kind: none_of, of: [{KNOWN_ONLY}]}}", id="negated"),
        pytest.param(f"{{kind: together, within: 5s, of: [{KNOWN_ONLY}, {OVERLOAD}]}}", id="within another"),
    ],
)
def test_a_rule_says_nothing_of_a_device_of_which_too_little_is_known(condition: str) -> None:
    known = CompiledRule(rule("elevator", condition), DeviceFacts(numbers={"rated_load_kilograms": 600}))
    unknown = CompiledRule(rule("elevator", condition))
    assert (known.applies, unknown.applies) == (True, False)
    assert not holds(condition, DeviceFacts(), 20_000)
    assert not any(unknown.by_channel.values())
    assert not unknown.timed
    assert known.shape != unknown.shape, "what was remembered while it did not apply is no memory of its conditions"


def test_a_clear_on_the_far_side_of_a_device_s_limit_is_the_limit() -> None:
    condition = "{kind: threshold, signal: load_kilograms, above: {attribute: rated_load_kilograms}, clear: 500}"
    compiled = CompiledRule(rule("elevator", condition), DeviceFacts(numbers={"rated_load_kilograms": 400}))
    talk, (leaf,), answers = Talk(), compiled.begin(), []
    for second, load in enumerate((401.0, 400.0)):
        said = talk.lift(second, load_kilograms=load)
        compiled.watches[0].observe(leaf, said, said.body, second, HEARD)
        answers.append(leaf.truth)
    assert answers == [True, False]


@pytest.mark.parametrize(
    ("condition", "extra", "expected"),
    [
        pytest.param("{kind: threshold, signal: load_kilograms, above: 3}", "", set(), id="none"),
        pytest.param(OVERLOAD, "", {"rated_load_kilograms"}, id="a threshold"),
        pytest.param(
            "{kind: rate, signal: load_kilograms, above: 9, clear: {attribute: slow}, window: 1m}", "", {"slow"}, id="r"
        ),
        pytest.param(
            "{kind: ratio, signal: door_cycle_count, per: trip_count, above: {attribute: stops, times: 2}, "
            "within: 30m, at_least: 50}",
            "",
            {"stops"},
            id="a ratio",
        ),
        pytest.param(
            "{kind: compare, signal: load_kilograms, with: lift-2, above_by: {attribute: rated_load_kilograms}}",
            "",
            {"rated_load_kilograms"},
            id="a comparison",
        ),
        pytest.param(
            f"{{kind: all_of, of: [{{kind: none_of, of: [{OVERLOAD}]}}, {{kind: missing, nothing_for: 5m}}]}}",
            "",
            {"rated_load_kilograms"},
            id="deep within",
        ),
        pytest.param(
            "{kind: missing, nothing_for: 5m}", f"at_once: {OVERLOAD}", {"rated_load_kilograms"}, id="not in condition"
        ),
    ],
)
def test_rules_say_on_which_figures_they_hang(condition: str, extra: str, expected: set[str]) -> None:
    assert attributes_of(rule("elevator", condition, extra)) == expected


def test_peers_are_gathered_from_all_conditions() -> None:
    condition = (
        "{kind: any_of, of: [{kind: compare, signal: load_kilograms, with: lift-2, above_by: 9}, "
        "{kind: compare, signal: load_kilograms, with: lift-3, below_by: 9}]}"
    )
    assert CompiledRule(rule("elevator", condition)).peers == {"lift-2", "lift-3"}
    assert CompiledRule(rule("elevator", OVERLOAD)).peers == frozenset()
