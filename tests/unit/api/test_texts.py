"""Mistakes in a text: what is wrong and what was expected are told apart, each said once."""

import pytest

from api.problems import InvalidRequest
from api.texts import refuse, told_apart
from core.source import RuleError

TEXTS = {
    "ours": ("id 'a' is used twice: expected one rule of that id", "id 'a' is used twice", "one rule of that id"),
    "of the library": ("rule a: for: Expected a duration", "rule a: for: cannot be used", "a duration"),
    "of another type": ("rule a: latch: Expected `bool`, got `str`", "rule a: latch: got `str`", "`bool`"),
    "ours after the library's": ("after: Expected `str`, got `int`: expected 45s", "after: got `int`", "45s"),
    "a key that is missing": (
        "rule a: Object missing required field `id`",
        "rule a: Object missing required field `id`",
        "`id`",
    ),
    "a need": (
        "a state needs one of `in` and `not_in`",
        "a state needs one of `in` and `not_in`",
        "one of `in` and `not_in`",
    ),
    "no YAML, with what was expected": ("not YAML: expected ',', but got ':'", "not YAML", "',', but got ':'"),
    "no YAML": ("not YAML: found undefined alias 'a'", "not YAML: found undefined alias 'a'", "YAML"),
    "nothing said": ("above: 2000 can never be passed", "above: 2000 can never be passed", "another value"),
    "on two lines": ("'a\nb' is unknown: expected c\nd", "'a\nb' is unknown", "c\nd"),
}


@pytest.mark.parametrize(("text", "wrong", "wanted"), TEXTS.values(), ids=TEXTS)
def test_what_is_wrong_and_what_was_expected_are_told_apart(text: str, wrong: str, wanted: str) -> None:
    assert told_apart(text) == (wrong, wanted)


def test_a_refusal_names_the_line_of_every_mistake_and_no_file() -> None:
    refuse([])
    mistakes = [RuleError("site.yaml", line, f"key {line}: expected {line}") for line in (3, 8)]
    with pytest.raises(InvalidRequest) as refused:
        refuse(mistakes)
    said = [(one.location, one.message, one.expected) for one in refused.value.problems]
    assert said == [("body.text:3", "key 3", "3"), ("body.text:8", "key 8", "8")]
