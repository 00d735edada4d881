"""Whatever a rule file or a plan holds, its loader answers with line and what was expected, and raises nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from alerts.dispatch.plan_loading import check_plan as check_notification_plan
from alerts.packs import builtin_texts
from alerts.rules.loading import check_file, check_rule
from core.source import RuleError, UnreadableText, read_source
from emergency.plan_loading import check_plan as check_emergency_plan
from tests.unit.hostile_texts import REFUSED, RULE, UNREADABLE

SHIPPED = Path(__file__).parents[2] / "deploy" / "anju" / "config"
NOTIFY = (SHIPPED / "notify.yaml").read_text(encoding="utf-8")
EMERGENCY = (SHIPPED / "emergency.yaml").read_text(encoding="utf-8")
_START = "\n  - id: "
PACK_RULES = [
    f"version: 1\nrules:{_START}{entry}" for text in builtin_texts().values() for entry in text.split(_START)[1:]
]

Check = Callable[[str], list[RuleError]]
LOADERS: dict[str, Check] = {
    "a rule file": lambda text: check_file(text, "x.yaml").mistakes,
    "a rule": lambda text: check_rule(text, "x.yaml")[1],
    "a notification plan": lambda text: check_notification_plan(text, "x.yaml")[1],
    "an emergency plan": lambda text: check_emergency_plan(text, "x.yaml", frozenset({"receiver:wall"}))[1],
}
LINE_AT_MOST = 6_000


def of_one_line(mistakes: list[RuleError], text: str) -> None:
    for mistake in mistakes:
        assert str(mistake).startswith(f"x.yaml:{mistake.line}: ")
        assert 1 <= mistake.line <= len(text) + 1
        assert str(mistake).encode()
        assert len(str(mistake).splitlines()) == 1
        assert len(str(mistake)) < LINE_AT_MOST


@pytest.mark.parametrize("check", LOADERS.values(), ids=LOADERS)
@pytest.mark.parametrize(("text", "line"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_no_yaml_may_hold_is_refused_with_its_line(check: Check, text: str, line: int) -> None:
    [mistake] = check(text)
    assert isinstance(mistake, UnreadableText)
    assert mistake.line == line
    assert "expected" in mistake.text
    of_one_line([mistake], text)


@pytest.mark.parametrize("check", LOADERS.values(), ids=LOADERS)
@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_is_hostile_is_refused(check: Check, text: str) -> None:
    mistakes = check(text)
    assert mistakes
    of_one_line(mistakes, text)


@pytest.mark.parametrize("text", ["\ufeff" + RULE, RULE.replace("\n", "\r\n"), RULE.replace("70", "!!float 70")])
def test_what_editors_of_other_systems_write_is_read(text: str) -> None:
    assert check_file(text, "x.yaml").mistakes == []


def test_a_line_is_counted_as_editors_count_it() -> None:
    for line_break in ("\n", "\r\n", "\r"):
        with pytest.raises(UnreadableText, match=r"x\.yaml:3: not YAML: the character U\+0007"):
            read_source(line_break.join(["a: 1", "b: 2", "c: \a"]), "x.yaml")


def test_a_message_shows_no_control_character_and_has_an_end() -> None:
    said = str(RuleError("x.yaml", 1, "a\nb\x1b[2J\ud800\u202e" + "c" * 100_000 + "expected d"))
    assert said.startswith("x.yaml:1: a\\nb\\x1b[2J\\ud800\\u202eccc")
    assert said.endswith("expected d")
    assert len(said) < LINE_AT_MOST


def in_place(text: str, at: int, length: int, other: str) -> str:
    """Return ``text`` with ``other`` in the place of ``length`` characters."""
    start = at % (len(text) + 1)
    return text[:start] + other + text[start + length :]


SIGNS = some.sampled_from(
    [
        "\0",
        "\a",
        "\x1b",
        "\ud800",
        "\u2028",
        ":",
        ": ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        "&a ",
        "*a",
        "? ",
        "|\n",
        ">",
        "\t",
        "'",
    ]
)
NUMBERS = some.sampled_from([".nan", ".inf", "-0.0", "9223372036854775807", "-1", "0x7f", "1:2:3", "2026-01-05"])
SHAPES = some.sampled_from(
    ["''", '"\\0"', "[]", "[[]]", "{}", "[{}]", "{a: b}", "{kind: x}", '{"a.b[0]": 1}', '{"$": 1}']
)
OTHERS = some.one_of(SIGNS, NUMBERS, SHAPES, some.text(max_size=8))
CHANGES = some.lists(some.tuples(some.integers(0, 2**16), some.integers(0, 30), OTHERS), min_size=1, max_size=3)
GOOD = some.sampled_from([("a rule file", text) for text in PACK_RULES] + [("a rule file", RULE)])
PLANS = some.sampled_from([("a notification plan", NOTIFY), ("an emergency plan", EMERGENCY)])


@settings(max_examples=200, deadline=None)
@given(some.binary(max_size=200), some.sampled_from(sorted(LOADERS)))
def test_any_bytes_are_answered(written: bytes, name: str) -> None:
    text = written.decode("utf-8", "surrogateescape")
    of_one_line(LOADERS[name](text), text)


@settings(max_examples=200, deadline=None)
@given(some.one_of(GOOD, PLANS), CHANGES)
def test_a_good_file_with_something_else_in_it_is_answered(
    good: tuple[str, str], changes: list[tuple[int, int, str]]
) -> None:
    name, text = good
    for change in changes:
        text = in_place(text, *change)
    of_one_line(LOADERS[name](text), text)


@pytest.mark.timeout(60)
def test_a_line_of_very_many_entries_is_answered_soon() -> None:
    text = "version: 1\nrules: [" + "{}," * 20_000 + "]\n"
    assert len(check_file(text, "x.yaml").mistakes) == 20_000
