"""How densely instants lie, against counting by hand and by brute force."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.rates import Episode, episodes, most_within, percentile

START = datetime(2026, 8, 14, 7, tzinfo=UTC)
TEN = timedelta(minutes=10)


def at(*seconds: float) -> list[datetime]:
    return [START + timedelta(seconds=each) for each in seconds]


MOST = {
    "none": ([], 0),
    "one": ([0], 1),
    "just within": ([0, 599], 2),
    "just apart": ([0, 600], 1),
    "at one instant": ([5, 5, 5], 3),
    "across a round ten minutes": ([500, 550, 610, 650], 4),
    "two heaps": ([0, 1, 2, 1000, 1001], 3),
}


@pytest.mark.parametrize(("seconds", "expected"), MOST.values(), ids=MOST)
def test_the_most_within_a_window(seconds: list[float], expected: int) -> None:
    assert most_within(at(*seconds), TEN) == expected


EPISODES: dict[str, tuple[list[float], int, list[tuple[float, float, int]]]] = {
    "too few": ([0, 10], 2, []),
    "from the third until the first is ten minutes old": ([0, 10, 20], 2, [(20, 600, 3)]),
    "worse in between, one episode": ([0, 10, 20, 30], 2, [(20, 610, 4)]),
    "two": ([0, 10, 20, 2000, 2010, 2030], 2, [(20, 600, 3), (2030, 2600, 3)]),
    "all at one instant": ([5, 5, 5], 2, [(5, 605, 3)]),
    "goes on where the oldest leaves as the next comes": ([0, 10, 20, 600], 2, [(20, 610, 3)]),
    "cut off at the end": ([3000, 3100, 3200], 2, [(3200, 3600, 3)]),
}


@pytest.mark.parametrize(("seconds", "above", "expected"), EPISODES.values(), ids=EPISODES)
def test_episodes(seconds: list[float], above: int, expected: list[tuple[float, float, int]]) -> None:
    until = START + timedelta(hours=1)
    wanted = [Episode(at(begin)[0], at(end)[0], most) for begin, end, most in expected]
    assert episodes(at(*seconds), TEN, above, until) == wanted


@given(st.lists(st.integers(0, 3599), max_size=40).map(sorted), st.integers(0, 12))
def test_episodes_are_what_counting_at_every_second_says(seconds: list[int], above: int) -> None:
    found = episodes(at(*seconds), TEN, above, START + timedelta(hours=1))
    flooded = [second for second in range(3600) if sum(second - 600 < one <= second for one in seconds) > above]
    shown = [second for second in range(3600) if any(one.begin <= at(second)[0] < one.end for one in found)]
    assert shown == flooded
    assert all(before.end < after.begin for before, after in pairwise(found))
    most = most_within(at(*seconds), TEN)
    assert max((one.most for one in found), default=0) == (most if most > above else 0)


PERCENTILES = {
    "none": ([], 0.9, None),
    "one": ([7], 0.9, 7),
    "nine of ten": (list(range(1, 11)), 0.9, 9),
    "half of four": ([4, 1, 3, 2], 0.5, 2),
    "all": ([1, 2, 3], 1.0, 3),
}


@pytest.mark.parametrize(("seconds", "share", "expected"), PERCENTILES.values(), ids=PERCENTILES)
def test_percentiles_by_nearest_rank(seconds: list[int], share: float, expected: int | None) -> None:
    found = percentile([timedelta(seconds=each) for each in seconds], share)
    assert found == (None if expected is None else timedelta(seconds=expected))
