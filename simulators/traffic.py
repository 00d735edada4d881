"""Who rides the lift of a block of flats, and when: homes upstairs, shops on the first floor."""

import random
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from simulators.rhythm import local, next_arrival

# Shares of a day's rides by hour, our own estimate of housing: everyone down between 7 and 9, up between 17 and 20.
DOWN_WEIGHTS = (1, 0, 0, 0, 1, 4, 12, 26, 20, 12, 9, 8, 8, 8, 9, 8, 8, 8, 8, 7, 5, 3, 2, 1)
UP_WEIGHTS = (2, 1, 0, 0, 0, 1, 3, 6, 8, 10, 11, 12, 9, 7, 7, 8, 12, 22, 26, 18, 12, 9, 6, 3)
# A few rides join two upper floors: neighbours, children, meters read.
BETWEEN_WEIGHTS = (0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 1, 1, 2, 2, 2, 2, 2, 3, 2, 1, 0, 0)
_ALL = tuple(sum(hour) for hour in zip(DOWN_WEIGHTS, UP_WEIGHTS, BETWEEN_WEIGHTS, strict=True))


class Passenger(Struct, frozen=True):
    """One ride wanted, between two floor indices (0 is the lowest), by ``kilograms`` of person and bags."""

    origin: int
    destination: int
    kilograms: float


class Traffic:
    """Draws rides for a lift with ``floors`` floors, the lowest being the way out."""

    def __init__(self, *, floors: int, rides_per_day: float, utc_offset_hours: float, chance: random.Random) -> None:
        self._floors = floors
        self._rides_per_day = rides_per_day
        self._utc_offset_hours = utc_offset_hours
        self._chance = chance

    def next_at(self, now: datetime) -> datetime:
        """Return when the next ride is wanted."""
        return next_arrival(
            now,
            per_day=self._rides_per_day,
            hourly_weights=_ALL,
            utc_offset_hours=self._utc_offset_hours,
            chance=self._chance,
        )

    def passenger(self, now: datetime) -> Passenger:
        """Return who calls the lift at ``now``."""
        hour = local(now, self._utc_offset_hours).hour
        weights = (DOWN_WEIGHTS[hour], UP_WEIGHTS[hour], BETWEEN_WEIGHTS[hour])
        (way,) = self._chance.choices(("down", "up", "between"), weights if any(weights) else (1, 1, 0))
        upper = range(1, self._floors)
        home = self._chance.choice(upper)
        if way == "down":
            return self._weighed(home, 0)
        if way == "up" or len(upper) < 2:
            return self._weighed(0, home)
        return self._weighed(home, self._chance.choice(_without(upper, home)))

    def _weighed(self, origin: int, destination: int) -> Passenger:
        # 75 kg a person is what lifts are rated by; bags and children make the spread.
        return Passenger(origin, destination, round(min(130.0, max(25.0, self._chance.gauss(70.0, 16.0))), 1))


def _without(floors: Sequence[int], left_out: int) -> list[int]:
    return [floor for floor in floors if floor != left_out]
