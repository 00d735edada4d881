"""Every way to be wrong in tests/cases/plans-broken: refused with its line and what was expected."""

from pathlib import Path

import pytest

from alerts.dispatch.plan_loading import check_plan, load_plan
from alerts.rules import RuleError

CASES = Path(__file__).parents[2] / "cases" / "plans-broken"
NAMES = sorted(path.name for path in CASES.iterdir())


def text_of(name: str) -> str:
    """Return the broken plan of a case."""
    return (CASES / name / "plan.yaml").read_text(encoding="utf-8")


def expected_of(name: str) -> list[tuple[int, str]]:
    """Return the line of each mistake, and what its text contains."""
    lines = (CASES / name / "expected.txt").read_text(encoding="utf-8").splitlines()
    return [(int(number), text.strip()) for number, _, text in (line.partition(":") for line in lines)]


def test_each_plan_is_broken_in_its_own_way() -> None:
    assert len(NAMES) >= 12
    assert len({text_of(name) for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_mistake_is_told_with_its_line_and_what_was_expected(name: str) -> None:
    _, found = check_plan(text_of(name), "plan.yaml")
    expected = expected_of(name)
    assert [mistake.line for mistake in found] == [line for line, _ in expected]
    for mistake, (line, text) in zip(found, expected, strict=True):
        assert str(mistake).startswith(f"plan.yaml:{line}: ")
        assert text in str(mistake)
        assert any(word in str(mistake) for word in ("xpected ", "missing required field"))
        assert "expected another value" not in str(mistake)


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_plan_is_not_loaded(name: str) -> None:
    with pytest.raises(RuleError) as raised:
        load_plan(text_of(name), "plan.yaml")
    line, text = expected_of(name)[0]
    assert str(raised.value).startswith(f"plan.yaml:{line}: ")
    assert text in str(raised.value)
