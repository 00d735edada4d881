"""Guesses are counted by key, before they are looked at, and forgotten with time."""

from datetime import timedelta

import pytest
from starlette.exceptions import HTTPException

from api.tries import Tries
from tests.unit.api.twins import START

HOUR = timedelta(hours=1)


def test_wrong_tries_use_up_what_there_is_until_time_has_passed() -> None:
    tries = Tries(2, HOUR)
    tries.begin("lift", START)
    tries.begin("lift", START + timedelta(minutes=20))
    with pytest.raises(HTTPException) as refused:
        tries.begin("lift", START + timedelta(minutes=30))
    assert (refused.value.status_code, refused.value.headers) == (429, {"Retry-After": "1800"})
    tries.begin("another", START + timedelta(minutes=30))
    tries.begin("lift", START + HOUR)


def test_right_tries_cost_nothing() -> None:
    tries = Tries(1, HOUR)
    for _ in range(5):
        tries.begin("lift", START)
        tries.right("lift")
    tries.right("nobody")


def test_tries_at_one_time_do_not_slip_through_together() -> None:
    tries = Tries(1, HOUR)
    tries.begin("lift", START)
    with pytest.raises(HTTPException):
        tries.begin("lift", START)


def test_memory_is_bounded() -> None:
    tries = Tries(1, HOUR)
    for number in range(10_001):
        tries.begin(str(number), START)
    tries.begin("0", START)
    with pytest.raises(HTTPException):
        tries.begin("10000", START)
