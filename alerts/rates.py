"""How densely instants lie: the worst window, episodes of too many in one window, their share of the time."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import NamedTuple


class Episode(NamedTuple):
    """From ``begin`` until before ``end``, with the most that one window held meanwhile."""

    begin: datetime
    end: datetime
    most: int


def most_within(instants: Sequence[datetime], window: timedelta) -> int:
    """Return the most of ``instants`` (rising) that lie within one ``window``, whose end is not part of it."""
    most = first = 0
    for last, instant in enumerate(instants):
        while instants[first] <= instant - window:
            first += 1
        most = max(most, last - first + 1)
    return most


def episodes(instants: Sequence[datetime], window: timedelta, above: int, until: datetime) -> list[Episode]:
    """Return the times at which the ``window`` before held more than ``above`` of ``instants``, cut off at ``until``.

    Episodes that touch are one.
    """
    found: list[Episode] = []
    for begin, end, held in _levels(instants, window, until):
        if held <= above:
            continue
        if found and found[-1].end == begin:
            found[-1] = Episode(found[-1].begin, end, max(found[-1].most, held))
        else:
            found.append(Episode(begin, end, held))
    return found


def _levels(
    instants: Sequence[datetime], window: timedelta, until: datetime
) -> Iterator[tuple[datetime, datetime, int]]:
    """Yield (begin, end, how many the window before holds): each instant counts for the length of one window."""
    steps = [(instant, 1) for instant in instants] + [(instant + window, -1) for instant in instants]
    held = 0
    for (at, step), (following, _) in pairwise([*sorted(steps), (until, 0)]):
        held += step
        if at < (end := min(following, until)):
            yield at, end, held


def percentile(durations: Sequence[timedelta], share: float) -> timedelta | None:
    """Return the smallest of ``durations`` that ``share`` of them do not exceed (nearest rank); ``None`` of none."""
    if not durations:
        return None
    return sorted(durations)[max(0, ceil(share * len(durations)) - 1)]
