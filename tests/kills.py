"""How many SIGKILLs a run of the tests makes, by suite: 200 in all, or as many as `ANJU_TEST_KILLS` says."""

import os
from math import ceil

TOTAL = 200
SHARES = {
    "journal": 50,
    "records": 30,
    "desk": 30,
    "delivery": 24,
    "calls on SQLite": 15,
    "calls on PostgreSQL": 15,
    "alarm flood on SQLite": 8,
    "alarm flood on PostgreSQL": 4,
    "everything": 4,
    "day of chaos": 20,
}
"""The small processes come first: one of them is killed and started again within a second."""


def kills(suite: str) -> int:
    """Return how often ``suite`` kills."""
    return ceil(SHARES[suite] * int(os.environ.get("ANJU_TEST_KILLS", TOTAL)) / TOTAL)


def rounds(suite: str, most: int) -> list[tuple[int, int]]:
    """Return the rounds of ``suite``, each a test of its own: its number and its kills, ``most`` at most."""
    count = kills(suite)
    return [(number, min(most, count - done)) for number, done in enumerate(range(0, count, most))]
