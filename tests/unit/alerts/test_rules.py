"""Rule files: what is refused, where the error points, and the published schema."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from alerts.packs import BUILTIN, builtin_rules
from alerts.rules import RuleError, load_rules
from alerts.rules.schema import json_schema, schema_text
from core.durations import microseconds
from core.errors import PermanentError

ROOT = Path(__file__).parents[3]
GOOD = """\
version: 1
rules:
  - id: hot
    kind: thermal
    severity: major
    title: {zh: 热, en: hot}
    next_step: {zh: 看, en: look}
    for: 5s
    condition:
      kind: threshold
      signal: maximum_celsius
      above: 46
      clear: 43
"""
LIFT = GOOD.replace("kind: thermal", "kind: elevator")


def with_condition(condition: str, text: str = LIFT) -> str:
    return text[: text.index("    condition:")] + f"    condition: {condition}\n"


def test_a_good_file_is_read() -> None:
    (rule,) = load_rules(GOOD, "good.yaml")
    assert (rule.id, rule.lasting, rule.late) == ("hot", "5s", "ignore")


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        pytest.param("", 1, "empty", id="nothing"),
        pytest.param("version: 1\nrules: [", 2, "not YAML", id="not yaml"),
        pytest.param("version: 2\nrules: []", 1, "expected 1", id="version"),
        pytest.param(GOOD + "wrong: 1\n", 14, "unknown field `wrong`", id="unknown key"),
        pytest.param(GOOD.replace("clear:", "cleer:"), 13, "unknown field `cleer`", id="unknown key within"),
        pytest.param(GOOD.replace("for: 5s", "for: 5s\n    for: 6s"), 9, "given twice", id="key twice"),
        pytest.param(GOOD.replace("5s", "5x"), 8, "a duration such as 45s", id="duration"),
        pytest.param(GOOD.replace("5s", "0s"), 8, "a duration such as 45s", id="no duration at all"),
        pytest.param(GOOD.replace("major", "bad"), 5, "expected critical, major, minor, info", id="severity"),
        pytest.param(
            GOOD.replace("severity: major", "severity: major\n    late: later"),
            6,
            "late: Invalid enum value 'later': expected ignore, accept, tell",
            id="late",
        ),
        pytest.param(
            GOOD.replace("severity: major", "severity: major\n    late: tell\n    late_severity: low"),
            7,
            "late_severity: Invalid enum value 'low': expected critical, major, minor, info",
            id="late severity",
        ),
        pytest.param(GOOD.replace("thermal", "lift"), 4, "expected elevator, gate, thermal, gateway", id="device kind"),
        pytest.param(GOOD.replace("thermal", "system"), 4, "alerts about Anju itself need no rule", id="Anju itself"),
        pytest.param(GOOD.replace("kind: threshold", "kind: x"), 10, "expected threshold, state", id="condition kind"),
        pytest.param(GOOD.replace(", en: look", ""), 7, "missing required field `en`", id="one language"),
        pytest.param(
            GOOD.replace("maximum_celsius", "temperature"), 11, "expected one of ambient_celsius", id="signal"
        ),
        pytest.param(GOOD.replace("46", "'46'"), 12, "a number in °C, without the unit", id="a text for a number"),
        pytest.param(
            GOOD.replace("46", "9000"), 12, "expected a value the signal can have: -60 to 2000", id="too high"
        ),
        pytest.param(GOOD.replace("46", "2000"), 12, "can never be passed", id="at the limit"),
        pytest.param(GOOD.replace("46", ".nan"), 12, "a finite number", id="nan"),
        pytest.param(
            GOOD.replace("clear: 43", "clear: 47"), 13, "at or below `above` (46)", id="clear on the far side"
        ),
        pytest.param(GOOD.replace("clear: 43", "below: 3"), 9, "exactly one of `above` and `below`", id="two limits"),
        pytest.param(GOOD.replace("for: 5s", "max_late: 2h"), 8, "`late: accept`", id="max_late alone"),
        pytest.param(GOOD.replace("for: 5s", "late: accept"), 8, "needs `max_late`", id="late without a limit"),
        pytest.param(GOOD + GOOD[GOOD.index("  - id") :], 14, "used twice", id="id twice"),
        pytest.param(
            with_condition("{kind: state, signal: door_state, equals: ajar}"), 9, "closed, opening, open", id="value"
        ),
        pytest.param(with_condition("{kind: state, signal: door_zone, equals: 1}"), 9, "true or false", id="boolean"),
        pytest.param(with_condition("{kind: state, signal: floor, equals: 3}"), 9, "a text", id="floor is a text"),
        pytest.param(with_condition("{kind: state, signal: floor}"), 9, "exactly one of `equals`", id="no value"),
        pytest.param(
            with_condition("{kind: threshold, signal: floor, above: 3}"), 9, "not a number", id="threshold on a text"
        ),
        pytest.param(
            with_condition("{kind: event, types: [held_open], resolve_after: 5s}"),
            9,
            "expected one of fault",
            id="event",
        ),
        pytest.param(with_condition("{kind: event, types: [alarm_pressed]}"), 9, "never be over", id="endless"),
        pytest.param(
            with_condition("{kind: event, types: [alarm_pressed], clears_on: [alarm_pressed]}"),
            9,
            "begin and end",
            id="x",
        ),
        pytest.param(
            with_condition("{kind: event, types: [alarm_pressed], kinds: [brake], resolve_after: 5s}"),
            9,
            "filters faults",
            id="fault filter",
        ),
        pytest.param(
            with_condition("{kind: event, types: [alarm_pressed], where: {level: alarm}, resolve_after: 5s}"),
            9,
            "event field 'level' is unknown",
            id="event field",
        ),
        pytest.param(with_condition("{kind: missing}"), 9, "`nothing_for`", id="missing nothing"),
        pytest.param(
            with_condition("{kind: rate, signal: speed_mps, above: 4, window: 2d}"), 9, "1h at most", id="window"
        ),
        pytest.param(
            with_condition("{kind: all_of, of: [{kind: missing, nothing_for: 5m}]}"), 9, "length >= 2", id="one of all"
        ),
    ],
)
def test_mistakes_are_told_with_their_line_and_what_was_expected(text: str, line: int, expected: str) -> None:
    with pytest.raises(RuleError) as raised:
        load_rules(text, "bad.yaml")
    assert str(raised.value).startswith(f"bad.yaml:{line}: ")
    assert expected in str(raised.value)
    assert isinstance(raised.value, PermanentError)


def test_a_gate_sends_no_telemetry_to_miss() -> None:
    text = with_condition("{kind: missing, nothing_for: 5m, channel: telemetry}", GOOD.replace("thermal", "gate"))
    with pytest.raises(RuleError, match="sends no telemetry"):
        load_rules(text, "gate.yaml")


@pytest.mark.parametrize(
    ("duration", "expected"),
    [("500ms", 500_000), ("45s", 45_000_000), ("5m", 300_000_000), ("2h", 7_200_000_000), ("1d", 86_400_000_000)],
)
def test_durations(duration: str, expected: int) -> None:
    assert microseconds(duration) == expected


def test_the_published_schema_is_the_one_in_force() -> None:
    published = (ROOT / "docs/reference/rules.schema.json").read_text(encoding="utf-8")
    assert published == schema_text(), "write alerts.rules.schema.schema_text() to docs/reference/rules.schema.json"


def test_the_built_in_pack_keeps_to_the_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    packs = [yaml.safe_load((ROOT / f"alerts/packs/{name}.yaml").read_text(encoding="utf-8")) for name in BUILTIN]
    for pack in packs:
        jsonschema.validate(pack, json_schema())
    assert len(builtin_rules()) == sum(len(pack["rules"]) for pack in packs)


def test_the_schema_refuses_what_it_can_see() -> None:
    broken = yaml.safe_load(GOOD.replace("clear:", "cleer:"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, json_schema())
