"""The warmth of a bike shed: the air's daily cycle, and bikes whose chargers and packs warm up while they charge."""

import math
import random
from datetime import datetime, timedelta

from msgspec import Struct

from simulators.fire import burning, cooling
from simulators.rhythm import local, next_arrival
from simulators.spec import RegionSpec

# Bikes are plugged in after work and late in the evening; our own estimate.
PLUG_IN_WEIGHTS = (2, 1, 0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 4, 3, 2, 2, 3, 8, 12, 14, 12, 10, 8, 5)
# Charger bricks run some 6-14 °C above the air and need a quarter of an hour to get there; typical values.
WARMING_SECONDS = 900.0
# Warmest hour of the day.
WARMEST_HOUR = 15.0


def ambient_celsius(now: datetime, *, mean: float, swing: float, utc_offset_hours: float) -> float:
    """Return the air's temperature: ``mean`` ± ``swing`` over the day, warmest in the afternoon."""
    wall = local(now, utc_offset_hours)
    hours = wall.hour + wall.minute / 60 + wall.second / 3600
    return mean + swing * math.cos((hours - WARMEST_HOUR) / 24 * math.tau)


class _Socket(Struct):
    """A place to charge: ``rise_celsius`` above the air now, heading for ``target_celsius`` until ``until``."""

    hotspot: tuple[float, float]
    rise_celsius: float = 0.0
    target_celsius: float = 0.0
    until: datetime | None = None


class _Fire(Struct):
    hotspot: tuple[float, float]
    began: datetime
    start_celsius: float
    doused_at: datetime | None = None


class RegionWarmth:
    """What is warm in one region of the picture."""

    def __init__(
        self,
        spec: RegionSpec,
        *,
        start: datetime,
        charges_per_day: float,
        utc_offset_hours: float,
        chance: random.Random,
    ) -> None:
        self.name = spec.region
        self._charges_per_day = charges_per_day
        self._utc_offset_hours = utc_offset_hours
        self._chance = chance
        self._sockets = [_Socket(_somewhere(chance)) for _ in range(spec.sockets)]
        self._at = start
        self._next_charge_at = self._after(start)
        self._fire: _Fire | None = None

    def advance(self, now: datetime) -> None:
        """Let chargers be plugged and unplugged, warm and cool, up to ``now``."""
        while self._next_charge_at <= now:
            self._plug_in(self._next_charge_at)
            self._next_charge_at = self._after(self._next_charge_at)
        share = 1.0 - math.exp(-(now - self._at).total_seconds() / WARMING_SECONDS)
        for socket in self._sockets:
            if socket.until is not None and socket.until <= now:
                socket.target_celsius, socket.until = 0.0, None
            socket.rise_celsius += (socket.target_celsius - socket.rise_celsius) * share
        self._at = now

    def hottest(self, now: datetime, ambient: float) -> tuple[float, tuple[float, float]]:
        """Return the hottest temperature and where it is, as fractions of the picture."""
        socket = max(self._sockets, key=lambda each: each.rise_celsius, default=_Socket((0.5, 0.5)))
        warm = ambient + socket.rise_celsius
        if self._fire is None:
            return warm, socket.hotspot
        fire = _fire_celsius(self._fire, now, ambient)
        return (fire, self._fire.hotspot) if fire > warm else (warm, socket.hotspot)

    def average_rise(self) -> float:
        """Return how far the chargers lift the region's average above the air; they cover a small part of it."""
        return 0.15 * sum(socket.rise_celsius for socket in self._sockets) / max(1, len(self._sockets))

    def ignite(self, now: datetime, ambient: float) -> None:
        """Let one pack run away from the region's present warmth; a second fire in a region changes nothing."""
        if self._fire is None or self._fire.doused_at is not None:
            celsius, hotspot = self.hottest(now, ambient)
            self._fire = _Fire(hotspot, now, celsius)

    def douse(self, now: datetime) -> None:
        """Put the fire out, if there is one."""
        if self._fire is not None and self._fire.doused_at is None:
            self._fire.doused_at = now

    def _plug_in(self, at: datetime) -> None:
        free = [socket for socket in self._sockets if socket.until is None]
        if free:
            socket = self._chance.choice(free)
            socket.target_celsius = self._chance.uniform(6.0, 14.0)
            socket.until = at + timedelta(hours=self._chance.uniform(2.0, 7.0))

    def _after(self, at: datetime) -> datetime:
        return next_arrival(
            at,
            per_day=self._charges_per_day,
            hourly_weights=PLUG_IN_WEIGHTS,
            utc_offset_hours=self._utc_offset_hours,
            chance=self._chance,
        )


def _fire_celsius(fire: _Fire, now: datetime, ambient: float) -> float:
    if fire.doused_at is None:
        return burning(fire.start_celsius, (now - fire.began).total_seconds())
    at_dousing = burning(fire.start_celsius, (fire.doused_at - fire.began).total_seconds())
    return cooling(at_dousing, ambient, (now - fire.doused_at).total_seconds())


def _somewhere(chance: random.Random) -> tuple[float, float]:
    return round(chance.uniform(0.05, 0.95), 3), round(chance.uniform(0.05, 0.95), 3)
