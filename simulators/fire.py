"""A battery that runs away, as the hottest pixel a camera sees: degrees Celsius over seconds since it began."""

import math

from msgspec import Struct


class Stage(Struct, frozen=True):
    """Up to ``until_celsius`` the temperature rises by ``celsius_per_second``."""

    name: str
    until_celsius: float
    celsius_per_second: float


# Stage borders: SEI layer 80-120, separator 120-160, full runaway above 200 °C; GB 38031 calls it runaway from 1 °C/s
# on for more than 3 s. The rates within a stage are ours: the slowest that meets that criterion first, then quicker and
# quicker. Before 80 °C a bad charger heats the pack at 15 °C/min; EN 54-5 panels call 4 °C/min a fast rise.
STAGES = (
    Stage("overcharge", 80.0, 0.25),
    Stage("sei", 120.0, 1.0),
    Stage("separator", 160.0, 1.5),
    Stage("venting", 200.0, 3.0),
    Stage("runaway", 620.0, 8.0),
)
# A doused pack's surface cools with this time constant; ours.
COOLING_SECONDS = 80.0


def burning(start_celsius: float, seconds: float) -> float:
    """Return the temperature ``seconds`` after ignition at ``start_celsius``; it stays at the last stage's end."""
    celsius, left = start_celsius, seconds
    for stage in STAGES:
        if celsius >= stage.until_celsius:
            continue
        needed = (stage.until_celsius - celsius) / stage.celsius_per_second
        if left <= needed:
            return celsius + left * stage.celsius_per_second
        celsius, left = stage.until_celsius, left - needed
    return celsius


def cooling(from_celsius: float, ambient_celsius: float, seconds: float) -> float:
    """Return the temperature ``seconds`` after the fire was put out at ``from_celsius``."""
    return ambient_celsius + (from_celsius - ambient_celsius) * math.exp(-seconds / COOLING_SECONDS)
