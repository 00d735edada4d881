"""The rhythm of a day: how often people come, hour by hour, as a Poisson process whose rate changes on the hour."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

HOURS = 24


def local(now: datetime, utc_offset_hours: float) -> datetime:
    """Return the community's wall time for the aware instant ``now`` (as UTC fields)."""
    return now + timedelta(hours=utc_offset_hours)


def next_arrival(
    now: datetime, *, per_day: float, hourly_weights: Sequence[float], utc_offset_hours: float, chance: random.Random
) -> datetime:
    """Return when the next person comes after ``now``, given ``per_day`` people spread by 24 ``hourly_weights``.

    Exact for a rate that is constant within each hour: an exponential wait that passes the hour is drawn anew there.
    A day without anybody gives an instant a year away.
    """
    total = sum(hourly_weights)
    at = now
    for _ in range(HOURS * 365):
        wall = local(at, utc_offset_hours)
        rate_per_second = per_day * hourly_weights[wall.hour] / total / 3600.0
        hour_ends = at + _left_of_hour(wall)
        if rate_per_second > 0:
            # At least a millisecond apart, so that time always moves on.
            arrival = at + timedelta(seconds=max(0.001, chance.expovariate(rate_per_second)))
            if arrival <= hour_ends:
                return arrival
        at = hour_ends
    return at


def _left_of_hour(wall: datetime) -> timedelta:
    return timedelta(hours=1) - timedelta(minutes=wall.minute, seconds=wall.second, microseconds=wall.microsecond)
