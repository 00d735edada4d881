"""Test series in rule files: how they run, how a failure reads, and what is refused in them."""

from datetime import timedelta

import pytest

from alerts.packs import builtin_tests
from alerts.rules import RuleError
from alerts.rules.loading import check_file, load_file, load_rule
from alerts.rules.series_checks import observations
from alerts.ruletests import TestResult, run_series
from core.wire.payloads import GateEvent, Presence, ThermalTelemetry

RULES = """\
version: 1
rules:
  - id: hot
    kind: thermal
    severity: major
    title: {zh: 热, en: hot}
    next_step: {zh: 看, en: look}
    for: 10s
    condition: {kind: threshold, signal: maximum_celsius, above: 46, clear: 43}
  - id: forced
    kind: gate
    severity: minor
    title: {zh: 门, en: door}
    next_step: {zh: 看, en: look}
    condition: {kind: event, types: [forced_open], clears_on: [door_closed]}
"""
SERIES = """\
tests:
  - name: heat
    devices: [{name: shed-1, kind: thermal}]
    inputs:
      - {from: 0s, every: 2s, until: 60s, telemetry: {regions: [{region: a, maximum_celsius: 50.0}]}}
      - {at: 61s, telemetry: {regions: [{region: a, maximum_celsius: 20.0}]}}
    expect:
      - {transition: firing, rule: hot, at: 10s, severity: major, reason: maximum temperature}
      - {transition: resolved, rule: hot, between: [60s, 2m]}
"""


def results(text: str) -> list[TestResult]:
    loaded = load_file(text, "series.yaml")
    return [run_series(test, loaded.rules) for test in loaded.tests]


def differences(text: str) -> list[tuple[bool, float, str, str]]:
    (result,) = results(text)
    return [(one.expected, one.since.total_seconds(), one.rule, one.transition) for one in result.differences]


def test_a_series_that_comes_true_passes() -> None:
    (result,) = results(RULES + SERIES)
    assert (result.name, result.passed) == ("heat", True)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("at: 10s", "at: 11s", [(False, 10, "hot", "firing"), (True, 11, "hot", "firing")], id="instant"),
        pytest.param(
            "severity: major, reason",
            "severity: minor, reason",
            [(True, 10, "hot", "firing"), (False, 10, "hot", "firing")],
            id="severity",
        ),
        pytest.param(
            "reason: maximum temperature",
            "reason: minimum",
            [(True, 10, "hot", "firing"), (False, 10, "hot", "firing")],
            id="reason",
        ),
        pytest.param(
            "[60s, 2m]",
            "[0s, 60s]",
            [(True, 0, "hot", "resolved"), (False, 61, "hot", "resolved")],
            id="outside the two instants",
        ),
        pytest.param("rule: hot, between", "rule: forced, between", None, id="another rule"),
    ],
)
def test_what_does_not_come_true_is_told_with_both_sides(
    old: str, new: str, expected: list[tuple[bool, float, str, str]] | None
) -> None:
    found = differences(RULES + SERIES.replace(old, new))
    assert found == (expected or [(True, 60, "forced", "resolved"), (False, 61, "hot", "resolved")])


def test_only_a_test_that_says_so_lets_other_transitions_happen() -> None:
    shorter = SERIES[: SERIES.index("      - {transition: resolved")]
    assert differences(RULES + shorter) == [(False, 61, "hot", "resolved")]
    assert differences(RULES + shorter + "    expect_nothing_else: false\n") == []


def test_a_test_ends_where_it_says_so_and_else_with_its_last_word() -> None:
    short = SERIES[: SERIES.index("      - {at: 61s")]
    short = short.replace("until: 60s", "until: 8s") + "    expect: []\n"
    assert differences(RULES + short) == []
    assert differences(RULES + short + "    until: 12s\n") == [(False, 10, "hot", "firing")]


def test_only_the_rules_named_run() -> None:
    assert differences(RULES + SERIES + "    rules: [hot]\n") == []
    nothing = SERIES[: SERIES.index("    expect:")] + "    expect: []\n    rules: [forced]\n"
    assert differences(RULES + nothing) == []


FACTS = """\
version: 1
rules:
  - id: full
    kind: elevator
    severity: minor
    title: {zh: 满, en: full}
    next_step: {zh: 看, en: look}
    scope: {buildings: ["3"]}
    condition: {kind: threshold, signal: load_kilograms, above: {attribute: rated_load_kilograms, times: 0.9}}
tests:
  - name: what people told of a device counts
    devices:
      - {name: lift-1, kind: elevator, facts: {building: "3", numbers: {rated_load_kilograms: 630}}}
      - {name: lift-2, kind: elevator, facts: {building: "3", numbers: {rated_load_kilograms: 1000}}}
      - {name: lift-3, kind: elevator, facts: {building: "4", numbers: {rated_load_kilograms: 630}}}
    inputs:
      - {at: 5s, device: lift-1, telemetry: {load_kilograms: 600}}
      - {at: 5s, device: lift-2, telemetry: {load_kilograms: 600}}
      - {at: 5s, device: lift-3, telemetry: {load_kilograms: 600}}
      - {at: 9s, device: lift-1, telemetry: {load_kilograms: 100}}
    expect:
      - {transition: firing, rule: full, device: lift-1, at: 5s}
      - {transition: resolved, rule: full, device: lift-1, at: 9s}
"""


def test_what_people_told_of_a_device_counts() -> None:
    assert differences(FACTS) == []
    assert differences(FACTS.replace("1000", "650")) == [(False, 5, "full", "firing")]


def test_inputs_come_in_order_of_arrival_as_the_wire_says_them() -> None:
    series = """\
tests:
  - name: order
    begins: 2026-08-14T22:00:00+08:00
    devices: [{name: gate-1, kind: gate}, {name: shed-1, kind: thermal, community: east}]
    inputs:
      - {at: 1m, device: gate-1, late_by: 10m, event: {type: denied, reason: expired}}
      - {from: 0s, every: 30s, until: 1m, device: shed-1, telemetry: {regions: [{region: a, maximum_celsius: 20}]}}
      - {at: 500ms, device: gate-1, late_by: 1h, presence: {status: offline}}
    expect: []
"""
    (test,) = load_file(RULES + series, "series.yaml").tests
    said = observations(test)
    begins = said[0].received_at
    assert begins.isoformat() == "2026-08-14T22:00:00+08:00"
    assert [(one.device.path, (one.received_at - begins).total_seconds(), one.position) for one in said] == [
        ("east/thermal/shed-1", 0, 1),
        ("test/gate/gate-1", 0.5, 2),
        ("east/thermal/shed-1", 30, 3),
        ("test/gate/gate-1", 60, 4),
        ("east/thermal/shed-1", 60, 5),
    ]
    assert [type(one.body) for one in said[:2] + said[3:4]] == [ThermalTelemetry, Presence, GateEvent]
    assert [one.late for one in said] == [False, False, False, True, False]
    # A will is as old as its connection; what is late keeps its own time.
    assert said[1].at == said[1].received_at
    assert said[3].received_at - said[3].at == timedelta(minutes=10)


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        pytest.param("maximum_celsius: 50.0", "max: 50.0", 20, "field 'max' is unknown", id="unknown field"),
        pytest.param("maximum_celsius: 50.0", "maximum_celsius: 9000", 20, "Expected `float` <= 2000.0", id="range"),
        pytest.param(
            "telemetry: {regions: [{region: a, maximum_celsius: 20.0}]}", "telemetry: {}", 21, "regions", id="x"
        ),
        pytest.param(
            "{at: 61s, telemetry", "{at: 61s, late_by: 0s, telemetry", 21, "a duration such as", id="no delay"
        ),
        pytest.param("{at: 61s, telemetry", "{telemetry", 21, "either `at`", id="no instant"),
        pytest.param("every: 2s, ", "", 20, "either `at`", id="no step"),
        pytest.param("from: 0s", "from: 61s", 20, "at or after `from`", id="backwards"),
        pytest.param("every: 2s, until: 60s", "every: 1ms, until: 9h", 19, "more than 100000", id="too many"),
        pytest.param("{at: 61s, telemetry:", "{at: 61s, event: {type: x}, telemetry:", 21, "exactly one of", id="two"),
        pytest.param("{at: 61s, ", "{at: 61s, device: shed-2, ", 21, "expected one of shed-1", id="unknown device"),
        pytest.param("kind: thermal}", "kind: gate}", 20, "a gate sends no telemetry", id="not of this kind"),
        pytest.param("kind: thermal}", "kind: shed}", 18, "expected elevator, gate, thermal", id="device kind"),
        pytest.param(
            "[{name: shed-1, kind: thermal}]",
            "[{name: shed-1, kind: thermal}, {name: shed-2, kind: thermal}]",
            20,
            "there are several devices",
            id="which device",
        ),
        pytest.param(
            "[{name: shed-1, kind: thermal}]",
            "[{name: shed-1, kind: thermal}, {name: shed-1, kind: thermal}]",
            18,
            "given twice",
            id="device twice",
        ),
        pytest.param("rule: hot, at: 10s", "rule: warm, at: 10s", 23, "expected one of forced, hot", id="unknown rule"),
        pytest.param("rule: hot, at: 10s", "rule: hot", 23, "exactly one of `at` and `between`", id="when"),
        pytest.param("[60s, 2m]", "[2m, 60s]", 24, "the earlier instant first", id="between"),
        pytest.param(
            "transition: firing", "transition: fired", 23, "firing, severity_changed, repeated, resolved", id="kind"
        ),
        pytest.param("- name: heat", "- name: heat\n    begins: 2026-08-14T22:00:00", 18, "with its offset", id="zone"),
        pytest.param(
            "- name: heat", "- name: heat\n    rules: [forced]", 24, "does not run in this test", id="left out"
        ),
        pytest.param(
            "- name: heat", "- name: heat\n    rules: [warm]", 18, "expected one of forced, hot", id="no rule"
        ),
        pytest.param("- name: heat", "- title: heat", 17, "unknown field `title`", id="unknown key"),
    ],
)
def test_mistakes_in_series_are_told_with_their_line(old: str, new: str, line: int, expected: str) -> None:
    assert old in SERIES
    with pytest.raises(RuleError) as raised:
        load_file(RULES + SERIES.replace(old, new, 1), "series.yaml")
    assert str(raised.value).startswith(f"series.yaml:{line}: test ")
    assert expected in str(raised.value)


def test_all_mistakes_of_a_file_are_told_by_rising_line() -> None:
    text = (RULES + SERIES).replace("severity: minor", "severity: bad\n    colour: red", 1)
    text = text.replace("for: 10s", "for: long").replace("signal: maximum_celsius", "signal: heat")
    text = text.replace("version: 1", "version: 1\nowner: me")
    found = [(one.line, str(one).split(": ", 2)[1]) for one in check_file(text, "bad.yaml").mistakes]
    assert found == [(2, "owner"), (9, "rule hot"), (13, "rule forced"), (14, "rule forced")]


def test_mistakes_of_sense_are_all_told_as_well() -> None:
    text = RULES.replace("signal: maximum_celsius", "signal: heat").replace("[forced_open]", "[forced, opened]")
    found = [(one.line, str(one)) for one in check_file(text, "bad.yaml").mistakes]
    assert [line for line, _ in found] == [9, 15, 15]
    assert "rule hot: signal 'heat' is unknown for thermal" in found[0][1]
    assert "'forced'" in found[1][1]
    assert "'opened'" in found[2][1]


def test_aliases_of_aliases_do_not_fill_the_memory() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    (mistake,) = check_file("\n".join(lines), "laughs.yaml").mistakes
    assert "too large" in str(mistake)


def test_one_rule_by_itself_is_read_as_one_of_a_file_is() -> None:
    loaded = load_file(RULES + SERIES, "rules.yaml")
    assert [load_rule(text, "by itself") for text in loaded.written] == loaded.rules
    assert loaded.written[0].startswith("id: hot\nkind: thermal\n")
    assert loaded.test_lines == [17]
    with pytest.raises(RuleError, match="by itself:2: rule hot: kind: "):
        load_rule(loaded.written[0].replace("thermal", "shed"), "by itself")
    with pytest.raises(RuleError, match="by itself:1: rule: "):
        load_rule("[]", "by itself")


BUILTIN = builtin_tests()


@pytest.mark.parametrize("test", BUILTIN.tests, ids=lambda test: test.name)
def test_the_built_in_pack_does_what_its_series_expect(test: object) -> None:
    chosen = next(one for one in BUILTIN.tests if one is test)
    assert run_series(chosen, BUILTIN.rules).differences == []


def test_every_rule_of_the_pack_is_expected_by_a_series() -> None:
    expected = {each.rule for test in BUILTIN.tests for each in test.expect if each.transition == "firing"}
    assert expected == {rule.id for rule in BUILTIN.rules}
