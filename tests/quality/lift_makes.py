"""Makes of lifts: which signals a controller with its gateway has, how good its sensors are, how often it sends."""

from datetime import datetime, timedelta
from random import Random

from msgspec import Struct

from tests.quality.model import Span

MISSING = (
    "no-people-sensor",
    "no-door-zone",
    "arrow-direction",
    "two-state-door",
    "no-load",
    "no-speed",
    "no-position",
    "no-counters",
    "no-main-power",
    "no-mode",
    "no-buttons",
    "no-fault-codes",
)
"""What a make may lack. ``arrow-direction``: the direction is that of the next travel, not of the motion.
``two-state-door``: only closed in place or not (Door_Status of GB/T 24476-2017)."""

MOTION_SENSOR = "motion-sensor-only"
"""Lacks in a matrix: a motion sensor, which loses a still person, stands for one that sees people."""

PACES = ("every-1s", "every-30s", "on-change", "on-change-silent")
"""``on-change`` has a heartbeat each 10 to 60 minutes, ``on-change-silent`` none."""

# Lifts that send every second are few: one of them is 2.6 million messages a month.
_PACE_WEIGHTS = (8, 32, 45, 15)
_MISSING_SHARE = {
    "no-people-sensor": 0.25,
    "no-door-zone": 0.2,
    "arrow-direction": 0.25,
    "two-state-door": 0.35,
    "no-load": 0.6,
    "no-speed": 0.6,
    "no-position": 0.6,
    "no-counters": 0.4,
    "no-main-power": 0.4,
    "no-mode": 0.1,
    "no-buttons": 0.35,
    "no-fault-codes": 0.35,
}
PEOPLE_SENSORS = ("camera", "pir", "flapping", "load")
_PEOPLE_SENSOR_WEIGHTS = (45, 35, 10, 10)


class Make(Struct, kw_only=True, frozen=True):
    """One lift as built and equipped."""

    missing: frozenset[str] = frozenset()
    pace: str = "on-change"
    heartbeat: timedelta = timedelta(minutes=10)
    partial: bool = False
    """Whether a message on change carries only the signals that changed."""
    floors: tuple[str, ...] = ("B1", "G", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11")
    floor_metres: float = 2.9
    lobby: int = 1
    rated_speed_mps: float = 1.5
    rated_load_kilograms: float = 1000.0
    door_seconds: float = 3.0
    dwell_seconds: float = 4.0
    people_sensor: str = "camera"
    pir_hold_seconds: float = 30.0
    people_stuck: tuple[datetime, datetime] | None = None
    """When the people sensor shows somebody all the time."""
    loose_door_magnet: bool = False
    noisy_door_zone: bool = False
    says_released: bool = True
    says_reset: bool = False
    says_mode_changes: bool = False
    ebike_camera: bool = False
    tests_alarm_every: timedelta | None = None
    rescue_device: bool = False
    """Whether a battery brings the car to a floor and opens its door when the mains fail."""
    gateway_battery: bool = True

    @property
    def label(self) -> str:
        """What the report groups by: the missing signals, then what is poor."""
        poor = [self.people_sensor] if "no-people-sensor" not in self.missing and self.people_sensor != "camera" else []
        poor += ["stuck-people-sensor"] if self.people_stuck else []
        poor += ["loose-door-magnet"] if self.loose_door_magnet else []
        poor += ["noisy-door-zone"] if self.noisy_door_zone else []
        poor += ["no-alarm-tests"] if self.tests_alarm_every is None else []
        return "+".join([*(name for name in MISSING if name in self.missing), *poor]) or "full"

    def height(self, floor: int) -> float:
        return floor * self.floor_metres

    def nearest(self, position: float) -> int:
        return min(max(round(position / self.floor_metres), 0), len(self.floors) - 1)


def draw_make(rng: Random, span: Span) -> Make:
    """Return a make as it may stand in a residential community."""
    missing = frozenset(name for name in MISSING if rng.random() < _MISSING_SHARE[name])
    storeys, cellars = rng.choice((6, 7, 11, 11, 18, 18, 18, 26, 32)), rng.choice((0, 1, 1, 2))
    floors = tuple([f"B{cellar}" for cellar in range(cellars, 0, -1)] + _storeys(rng, storeys))
    sensor = rng.choices(PEOPLE_SENSORS, _PEOPLE_SENSOR_WEIGHTS)[0]
    stuck = _stuck(rng, span) if rng.random() < 0.08 and "no-people-sensor" not in missing else None
    return Make(
        missing=missing,
        pace=rng.choices(PACES, _PACE_WEIGHTS)[0],
        heartbeat=timedelta(minutes=rng.choice((10, 15, 30, 60))),
        partial=rng.random() < 0.3,
        floors=floors,
        floor_metres=rng.choice((2.8, 2.9, 3.0)),
        lobby=cellars,
        rated_speed_mps=1.0 if storeys <= 7 else rng.choice((1.5, 1.75)) if storeys <= 18 else rng.choice((1.75, 2.5)),
        rated_load_kilograms=float(rng.choice((630, 800, 1000, 1050))),
        door_seconds=round(rng.uniform(2.2, 4.0), 1),
        dwell_seconds=round(rng.uniform(2.5, 6.0), 1),
        people_sensor=sensor,
        pir_hold_seconds=round(rng.uniform(20, 40), 1),
        people_stuck=stuck,
        loose_door_magnet=rng.random() < 0.08,
        noisy_door_zone=rng.random() < 0.08,
        says_released=rng.random() < 0.7,
        says_reset=rng.random() < 0.3,
        says_mode_changes=rng.random() < 0.5,
        ebike_camera=rng.random() < 0.4,
        tests_alarm_every=rng.choice((None, None, timedelta(days=1), timedelta(days=3))),
        rescue_device=rng.random() < 0.4,
        gateway_battery=rng.random() < 0.5,
    )


def _storeys(rng: Random, storeys: int) -> list[str]:
    names = [str(number) for number in range(1, storeys + 1)]
    style = rng.random()
    if style < 0.3:
        names[0] = "G"
    elif style < 0.4:  # numbers that sound unlucky have others in their place
        names = [{"4": "3A", "13": "12A", "14": "12B"}.get(name, name) for name in names]
    return names


def _stuck(rng: Random, span: Span) -> tuple[datetime, datetime]:
    began = span.since + span.length * rng.uniform(0, 0.7)
    return began, min(began + timedelta(hours=rng.uniform(10, 120)), span.until)
