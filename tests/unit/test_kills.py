"""The kills of all suites add up to what is promised, and each suite makes its share."""

import re
from pathlib import Path

import pytest

from tests import kills

TESTS = Path(__file__).parents[1]


def test_a_run_kills_two_hundred_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANJU_TEST_KILLS", raising=False)
    assert sum(map(kills.kills, kills.SHARES)) == 200
    monkeypatch.setenv("ANJU_TEST_KILLS", "1000")
    assert sum(map(kills.kills, kills.SHARES)) == 1_000


@pytest.mark.parametrize("suite", kills.SHARES)
def test_the_rounds_of_a_suite_make_up_its_share(suite: str) -> None:
    sizes = [size for _, size in kills.rounds(suite, 7)]
    assert sum(sizes) == kills.kills(suite)
    assert all(0 < size <= 7 for size in sizes)


def test_every_share_belongs_to_a_suite() -> None:
    sources = [path.read_text(encoding="utf-8") for path in TESTS.glob("*/**/test_*.py") if path != Path(__file__)]
    asked = [name for source in sources for name in re.findall(r'\b(?:kills|rounds)\("([^"]+)"', source)]
    assert sorted(asked) == sorted(kills.SHARES)
