"""Which telemetry shows a sign of an incident that goes on: the earliest instant at which anybody could have known."""

from collections.abc import Callable
from datetime import datetime, timedelta

from tests.quality.lift_car import RELEVEL_METRES, Car
from tests.quality.model import Incident, IncidentKind

Sign = Callable[[dict[str, object], Car, float], bool]
"""Takes the telemetry's fields, the true car and the seconds since the incident began."""

# No travel takes longer without a change of floor, so an unknown motion is known after this time.
_LONG_TRAVEL_SECONDS = 60.0
_SLOW_SIGNS_SECONDS = (_LONG_TRAVEL_SECONDS, 600.0, 3600.0)
_OFF_FLOOR_METRES = 0.3
_SOMEBODY_KILOGRAMS = 20.0


def signs_in(values: dict[str, object], car: Car, at: datetime) -> tuple[Incident, ...]:
    """Return the open incidents without a first sign of which ``values``, sent at ``at``, show one."""
    return tuple(
        incident
        for incident in car.open
        if incident.first_sign is None
        and (sign := _SIGNS.get(incident.variant) or _KINDS.get(incident.kind))
        and sign(values, car, (at - incident.began).total_seconds())
    )


def signs_of_silence(values: dict[str, object], car: Car, since: datetime, until: datetime) -> None:
    """Note first signs in ``[since, until)``, in which a gateway that sends on change is silent: nothing changes.

    What takes time to show (a car that stands for a minute with its arrow up) shows then without any message.
    """
    for incident in car.open:
        sign = _SIGNS.get(incident.variant) or _KINDS.get(incident.kind)
        for age in _SLOW_SIGNS_SECONDS:
            at = incident.began + timedelta(seconds=age + 1)
            if incident.first_sign is None and since <= at < until and sign and sign(values, car, age + 1):
                incident.first_sign = at


def _stands(values: dict[str, object], car: Car, age: float) -> bool:
    if "arrow-direction" not in car.make.missing:
        return values["direction"] == "stopped"
    if "speed_mps" in values:
        return values["speed_mps"] == 0
    return age > _LONG_TRAVEL_SECONDS


def _off_floor(values: dict[str, object], car: Car) -> bool:
    position = values.get("position_metres")
    if values.get("door_zone") is False:
        return True
    if not isinstance(position, float):
        return False
    return abs(position - car.make.height(car.make.nearest(position))) > _OFF_FLOOR_METRES


def _somebody(values: dict[str, object]) -> bool:
    load = values.get("load_kilograms")
    return values.get("passenger_present") is True or (isinstance(load, float) and load > _SOMEBODY_KILOGRAMS)


def _unusual(values: dict[str, object]) -> bool:
    return values.get("main_power") is False or values.get("service_mode", "normal") != "normal"


def _shut_in(values: dict[str, object], car: Car, age: float) -> bool:
    if _unusual(values):
        return True
    shut = values["door_state"] == "closed"
    return (_off_floor(values, car) or (shut and _somebody(values))) and _stands(values, car, age)


def _ajar(values: dict[str, object], car: Car, age: float) -> bool:
    """In motion from the beginning on, for longer than any door takes; a two-state door is "open" for long."""
    if _unusual(values) or values["door_state"] in ("opening", "closing"):
        return True
    return values["door_state"] == "open" and age > _LONG_TRAVEL_SECONDS


def _speed(values: dict[str, object]) -> float:
    speed = values.get("speed_mps")
    return abs(speed) if isinstance(speed, float) else 0.0


def _moves(values: dict[str, object], car: Car) -> bool:
    return _speed(values) > 0 or ("arrow-direction" not in car.make.missing and values["direction"] != "stopped")


def _door_slow(values: dict[str, object], car: Car, age: float) -> bool:
    """The door closes and takes a third longer than new; a two-state door shows nothing of it."""
    return values["door_state"] == "closing" and car.door_drag > 1.3


def _levels_badly(values: dict[str, object], car: Car, age: float) -> bool:
    """It stands further from a floor than it should, or moves with its door open to level anew."""
    if abs(car.level_error) <= RELEVEL_METRES:
        return False
    if values["door_state"] == "open" and _moves(values, car):
        return True
    stands = values["direction"] == "stopped" and car.speed == 0
    return "position_metres" in values and stands and car.position != car.make.height(car.floor)


def _dead_in_service(values: dict[str, object], car: Car, age: float) -> bool:
    """Nothing but that it does not run; nobody can tell it from a quiet hour before that hour is over."""
    return _unusual(values) or (_off_floor(values, car) and _stands(values, car, age)) or age > 3600


def _door_stands_open(values: dict[str, object], car: Car, age: float) -> bool:
    return _unusual(values) or (values["door_state"] != "closed" and age > _LONG_TRAVEL_SECONDS)


_KINDS: dict[IncidentKind, Sign] = {
    IncidentKind.ENTRAPMENT: _shut_in,
    IncidentKind.POWER_CUT: lambda values, car, age: _unusual(values),
    IncidentKind.DOOR_WEAR: _door_slow,
    IncidentKind.LEVELLING_WEAR: _levels_badly,
    IncidentKind.LIFT_FAULT: _dead_in_service,
    IncidentKind.OVERLOAD: lambda values, car, age: (
        isinstance(load := values.get("load_kilograms"), float) and load > car.make.rated_load_kilograms
    ),
    IncidentKind.SENSOR_FAULT: lambda values, car, age: values.get("passenger_present") is True and not car.people,
}

_SIGNS: dict[str, Sign] = {
    "jammed-ajar": _ajar,
    "door-close-failure": _door_stands_open,
    "door-obstructed": _door_stands_open,
    "self-test-missing": lambda values, car, age: age > 3 * 86_400,
    "self-test-failed": lambda values, car, age: False,
    "moved-with-door-open": lambda values, car, age: values["door_state"] != "closed" and _moves(values, car),
    "unintended-movement": lambda values, car, age: (
        values["door_state"] != "closed" and (_moves(values, car) or _off_floor(values, car))
    ),
    "overspeed": lambda values, car, age: _speed(values) > 1.15 * car.make.rated_speed_mps,  # EN 81-20: tripping speed
    "relevelling": lambda values, car, age: _moves(values, car) and age > _LONG_TRAVEL_SECONDS,
    "hunting": lambda values, car, age: age > 600,
    "running-in-place": lambda values, car, age: _moves(values, car) and age > _LONG_TRAVEL_SECONDS,
    "landing-door-open": lambda values, car, age: age > 3600,
}
