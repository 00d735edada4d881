"""The true state of a lift and its elementary motions.

A procedure is a generator: it changes the car, then yields for how many seconds the car stays as it is; the
reporter sends the state over this time and advances ``Car.at``. Procedures are composed with ``yield from``; `until`
breaks one off at an instant, with the car as it is then: moving, the door half open, people inside.
"""

from collections.abc import Callable, Generator, Iterable
from datetime import datetime, timedelta
from random import Random

from core.devices import DeviceKey
from core.wire.payloads import DoorState, ElevatorEventType, ServiceMode
from tests.quality.lift_makes import Make
from tests.quality.model import Disturbance, Incident, IncidentKind

Steps = Generator[float, None, None]

ACCELERATION = 0.7  # m/s², usual for passenger lifts
ZONE_METRES = 0.2  # EN 81-20: the unlocking zone is at most 0.2 m (0.35 m with coupled doors) above and below a floor
LEVELLING_SPEED = 0.2
RELEVEL_METRES = 0.02  # EN 81-20: a car that stands further off during loading levels anew
RELEVELLING_SPEED = 0.05
STOPPED, UP, DOWN = "stopped", "up", "down"
FAULT_SOURCE = "gbt24476-2017"


class Said:
    """An event as the lift sends it."""

    __slots__ = ("at", "body", "presses", "signs")

    def __init__(
        self, at: datetime, body: dict[str, object], signs: tuple[Incident, ...], presses: tuple[Incident, ...]
    ) -> None:
        self.at = at
        self.body = body
        self.signs = signs
        self.presses = presses


class Car:
    """One lift: what is true of it at ``at``, and the truth written down so far."""

    def __init__(self, device: DeviceKey, make: Make, since: datetime, rng: Random) -> None:
        self.device = device
        self.make = make
        self.rng = rng
        self.at = since
        self.mode = ServiceMode.NORMAL.value
        self.direction = STOPPED
        self.arrow = STOPPED
        self.position = make.height(make.lobby)
        self.speed = 0.0
        self.door = DoorState.CLOSED.value
        self.people = 0
        self.lively = True
        """Whether a person inside moves enough for a motion sensor."""
        self.last_motion = since - timedelta(hours=1)
        self.load = 0.0
        self.power = True
        self.trips = rng.randrange(20_000, 900_000)
        self.cycles = int(self.trips * rng.uniform(1.0, 1.3))
        self.running = float(self.trips * 14)
        self.door_drag = 1.0
        """How much longer than new the door takes to close."""
        self.reopen_share = 0.03
        self.target = make.lobby
        self.level_error = 0.0
        """Metres by which the car stops above the floor."""
        self.said: list[Said] = []
        self.incidents: list[Incident] = []
        self.disturbances: list[Disturbance] = []
        self.unsettled: list[Disturbance] = []
        self.open: list[Incident] = []
        """Incidents that go on; their first sign is looked for in each message."""

    @property
    def floor(self) -> int:
        return self.make.nearest(self.position)

    @property
    def zone(self) -> bool:
        return abs(self.position - self.make.height(self.floor)) <= ZONE_METRES

    def begin(self, kind: IncidentKind, variant: str) -> Incident:
        """Note that an incident begins now."""
        incident = Incident(kind=kind, device=self.device, began=self.at, ended=self.at, variant=variant)
        self.incidents.append(incident)
        self.open.append(incident)
        return incident

    def end(self, incident: Incident) -> None:
        incident.ended = self.at
        self.open.remove(incident)

    def disturb(self, cause: str) -> Disturbance:
        """Note that something harmless begins now; `settle` ends it."""
        disturbance = Disturbance(cause=cause, device=self.device, began=self.at, ended=self.at)
        self.disturbances.append(disturbance)
        self.unsettled.append(disturbance)
        return disturbance

    def settle(self, disturbance: Disturbance) -> None:
        disturbance.ended = self.at
        self.unsettled.remove(disturbance)

    def say(self, type_: ElevatorEventType, *signs: Incident, press: bool = False, **fields: object) -> None:
        """Send an event that is a sign of ``signs``, and where ``press`` a press of the button during them."""
        body = {"type": type_.value, **fields}
        self.said.append(Said(self.at, body, signs, signs if press else ()))

    def fault(self, code: str, *signs: Incident) -> None:
        if "no-fault-codes" not in self.make.missing:
            self.say(ElevatorEventType.FAULT_RAISED, *signs, source=FAULT_SOURCE, code=code, floor=self.floor_name)

    def clear(self, code: str) -> None:
        if "no-fault-codes" not in self.make.missing:
            self.say(ElevatorEventType.FAULT_CLEARED, source=FAULT_SOURCE, code=code)

    def press(self, *signs: Incident) -> None:
        if "no-buttons" not in self.make.missing:
            self.say(ElevatorEventType.ALARM_PRESSED, *signs, press=True, floor=self.floor_name)

    def release(self) -> None:
        if "no-buttons" not in self.make.missing and self.make.says_released:
            self.say(ElevatorEventType.ALARM_RELEASED)

    def enter(self, mode: ServiceMode, *signs: Incident) -> None:
        """Change the service mode."""
        if self.mode != mode.value:
            self.mode = mode.value
            if self.make.says_mode_changes and "no-mode" not in self.make.missing:
                self.say(ElevatorEventType.MODE_CHANGED, *signs, service_mode=mode.value)

    @property
    def floor_name(self) -> str:
        return self.make.floors[self.floor]

    def halt(self) -> None:
        self.speed = 0.0
        self.direction = STOPPED

    def board(self, people: int, kilograms: float | None = None, *, lively: bool = True) -> None:
        self.people += people
        self.load += sum(self.rng.gauss(66, 12) for _ in range(people)) if kilograms is None else kilograms
        self.lively = lively

    def leave(self) -> None:
        self.people = 0
        self.load = 0.0
        self.lively = True


def run(car: Car, target: int, speed: float | None = None) -> Steps:
    """Travel to the floor ``target``."""
    car.trips += 1
    yield from glide(car, car.make.height(target) + car.level_error, speed or car.make.rated_speed_mps)


def glide(car: Car, goal: float, speed: float, acceleration: float = ACCELERATION) -> Steps:
    """Travel to the position ``goal``, with at most ``speed``, in steps of a second or less."""
    start, distance = car.position, abs(goal - car.position)
    if distance < 0.005:
        return
    sign = 1 if goal > start else -1
    top = min(speed, (distance * acceleration) ** 0.5)
    ramp, total = top / acceleration, distance / top + top / acceleration
    car.direction = car.arrow = UP if sign > 0 else DOWN
    passed = 0.0
    while passed < total:
        step = min(1.0, total - passed)
        yield step
        passed += step
        car.running += step
        if passed < ramp:
            car.speed, way = passed * acceleration, passed * passed * acceleration / 2
        elif passed < total - ramp:
            car.speed, way = top, top * (passed - ramp / 2)
        else:
            left = total - passed
            car.speed, way = left * acceleration, distance - left * left * acceleration / 2
        car.speed *= sign
        car.position = start + sign * way
    car.position = goal
    car.halt()


def open_door(car: Car) -> Steps:
    if car.door != DoorState.OPEN.value:
        car.door = DoorState.OPENING.value
        yield car.make.door_seconds * 0.8
        car.door = DoorState.OPEN.value
        car.cycles += 1
        height = car.make.height(car.floor)
        if car.level_error and RELEVEL_METRES < abs(car.position - height) < ZONE_METRES:
            yield 0.5
            yield from glide(car, height, RELEVELLING_SPEED)


def close_door(car: Car, reopen_share: float | None = None) -> Steps:
    """Close the door; now and then something in the way opens it again."""
    share = car.reopen_share if reopen_share is None else reopen_share
    seconds = car.make.door_seconds * car.door_drag
    while car.rng.random() < share:
        car.door = DoorState.CLOSING.value
        yield seconds * car.rng.uniform(0.3, 0.9)
        yield from open_door(car)
        yield car.rng.uniform(1, 3)
    car.door = DoorState.CLOSING.value
    yield seconds
    car.door = DoorState.CLOSED.value


def until(car: Car, steps: Steps, at: datetime) -> Steps:
    """Follow ``steps`` up to the instant ``at`` and break off there."""
    for hold in steps:
        left = (at - car.at).total_seconds()
        if hold >= left:
            if left > 0:
                yield left
            steps.close()
            return
        yield hold


def timeline(car: Car, seconds: float, acts: Iterable[tuple[float, Callable[[], None]]]) -> Steps:
    """Let ``seconds`` pass and call each act at its offset; those outside are left out."""
    passed = 0.0
    for offset, act in sorted(acts, key=lambda timed: timed[0]):
        if offset < 0 or offset >= seconds:
            continue
        if offset > passed:
            yield offset - passed
            passed = offset
        act()
    if seconds > passed:
        yield seconds - passed
