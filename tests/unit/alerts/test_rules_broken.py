"""Every way to be wrong in tests/cases/rules-broken: refused with line and what was expected."""

from pathlib import Path

import pytest

from alerts.rules import RuleError, load_rules
from alerts.rules.loading import check_file

CASES = Path(__file__).parents[2] / "cases" / "rules-broken"
NAMES = sorted(path.name for path in CASES.iterdir())


def text_of(name: str) -> str:
    """Return the broken file of a case."""
    return (CASES / name / "rule.yaml").read_text(encoding="utf-8")


def expected_of(name: str) -> list[tuple[int, str]]:
    """Return the line of each mistake, and how its text begins or what it contains."""
    lines = (CASES / name / "expected.txt").read_text(encoding="utf-8").splitlines()
    return [(int(number), text.strip()) for number, _, text in (line.partition(":") for line in lines)]


def test_there_are_at_least_fifty_ways() -> None:
    assert len(NAMES) >= 50
    assert len({text_of(name) for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_mistake_is_told_with_its_line_and_what_was_expected(name: str) -> None:
    found = check_file(text_of(name), "rule.yaml").mistakes
    expected = expected_of(name)
    assert [mistake.line for mistake in found] == [line for line, _ in expected]
    for mistake, (line, text) in zip(found, expected, strict=True):
        assert str(mistake).startswith(f"rule.yaml:{line}: ")
        assert text in str(mistake)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_a_broken_file_is_loaded(name: str) -> None:
    with pytest.raises(RuleError) as raised:
        load_rules(text_of(name), "rule.yaml")
    line, text = expected_of(name)[0]
    assert str(raised.value).startswith(f"rule.yaml:{line}: ")
    assert text in str(raised.value)
