"""Faults of lifts with nobody shut in: those of a moment, those of an hour, and wear over weeks."""

from collections.abc import Callable
from datetime import datetime, timedelta

from core.wire.payloads import DoorState, ElevatorEventType, ServiceMode
from tests.quality.lift_car import DOWN, LEVELLING_SPEED, UP, Car, Steps, close_door, glide, open_door, run, until
from tests.quality.model import Incident, IncidentKind
from tests.quality.people import alighted, boarded, fetched, two_floors

# The end of a fault is sometimes never said (domain facts 1.4); the share is of this project.
_LOST_END_SHARE = 0.2


def _fault(car: Car, variant: str) -> Incident:
    return car.begin(IncidentKind.LIFT_FAULT, variant)


def _out_of_service(car: Car, minutes: float) -> Steps:
    """Stand still until a mechanic comes; half of the makes say that they are out of service."""
    if car.rng.random() < 0.5:
        car.enter(ServiceMode.STOPPED)
    yield minutes * 60
    if car.rng.random() < 0.6:
        car.enter(ServiceMode.INSPECTION)
        yield car.rng.uniform(300, 2400)
    car.enter(ServiceMode.NORMAL)


def _repaired(car: Car, incident: Incident, code: str) -> None:
    if car.rng.random() > _LOST_END_SHARE:
        car.clear(code)
    car.end(incident)


def door_close_failure(car: Car) -> Steps:
    """The door tries to close six times, then stays open until a mechanic comes."""
    incident = _fault(car, "door-close-failure")
    yield from fetched(car, two_floors(car)[0])
    yield from until(car, close_door(car, reopen_share=1.0), car.at + timedelta(seconds=12 * car.make.door_seconds))
    yield from open_door(car)
    car.fault("2", incident)
    yield from _out_of_service(car, car.rng.uniform(10, 90))
    yield from close_door(car, reopen_share=0.0)
    _repaired(car, incident, "2")


def safety_chain_empty(car: Car) -> Steps:
    """The safety chain opens while the empty car travels: it stands between two floors with nobody inside."""
    floor = (car.floor + len(car.make.floors) // 2) % len(car.make.floors)
    middle = timedelta(seconds=car.rng.uniform(2.5, 4))
    yield from until(car, run(car, floor), car.at + middle)
    car.halt()
    if car.zone:
        car.position += 0.9
    incident = _fault(car, "safety-chain")
    car.fault("1", incident)
    yield from _out_of_service(car, car.rng.uniform(10, 120))
    yield from glide(car, car.make.height(car.floor), LEVELLING_SPEED)
    car.arrow = "stopped"
    _repaired(car, incident, "1")


def restart_prevented(car: Car) -> Steps:
    """The car stands at a floor, closed and empty, and does not run any more."""
    incident = _fault(car, "restart-prevented")
    code = car.rng.choice(("8", "7", "6"))
    car.fault(code, incident)
    yield from _out_of_service(car, car.rng.uniform(20, 240))
    _repaired(car, incident, code)


def unintended_movement(car: Car) -> Steps:
    """The car creeps from the floor with its door open and people at the sill, until the brake holds."""
    yield from fetched(car, two_floors(car)[0])
    yield car.rng.uniform(1, 3)
    incident = _fault(car, "unintended-movement")
    up = car.floor < len(car.make.floors) - 1
    yield from glide(car, car.position + (1 if up else -1) * car.rng.uniform(0.4, 1.2), 0.4)
    yield car.rng.uniform(0.5, 3)
    car.fault("5", incident)
    yield from _out_of_service(car, car.rng.uniform(15, 120))
    yield from close_door(car, reopen_share=0.0)
    yield from glide(car, car.make.height(car.floor), LEVELLING_SPEED)
    car.arrow = "stopped"
    _repaired(car, incident, "5")


def moved_with_door_open(car: Car) -> Steps:
    """A bridged door contact: the car travels with its door open."""
    whence, whither = two_floors(car)
    yield from fetched(car, whence)
    incident = _fault(car, "moved-with-door-open")
    yield from run(car, whither)
    car.arrow = "stopped"
    yield car.rng.uniform(2, 8)
    yield from close_door(car)
    car.end(incident)


def overspeed(car: Car) -> Steps:
    """The car travels 70 % faster than rated for a while."""
    car.target = len(car.make.floors) - 1 if car.floor < len(car.make.floors) // 2 else 0
    incident = _fault(car, "overspeed")
    yield from run(car, car.target, speed=car.make.rated_speed_mps * 1.7)
    car.end(incident)
    yield from alighted(car)


def relevelling(car: Car) -> Steps:
    """A leaking valve or a slack brake: at the floor the car levels anew every 8 s for an hour."""
    yield from fetched(car, car.make.lobby)
    yield from close_door(car)
    incident = _fault(car, "relevelling")
    end, height = car.at + timedelta(hours=1), car.make.height(car.floor)
    while car.at < end:
        yield 7.0
        car.position = height - 0.03
        yield from glide(car, height, 0.03)
    car.arrow = "stopped"
    car.end(incident)


def hunting(car: Car) -> Steps:
    """A control fault sends the empty car from floor to floor, 180 starts an hour."""
    incident = _fault(car, "hunting")
    end = car.at + timedelta(hours=1)
    while car.at < end:
        began = car.at
        yield from run(car, car.floor + (1 if car.floor < len(car.make.floors) // 2 else -1))
        yield max(1.0, 20.0 - (car.at - began).total_seconds())
    car.arrow = "stopped"
    car.end(incident)


def running_in_place(car: Car) -> Steps:
    """Ropes slip or the encoder is dead: ten minutes of "up" without a change of position."""
    incident = _fault(car, "running-in-place")
    car.trips += 1
    car.direction = car.arrow = UP if car.floor < len(car.make.floors) - 1 else DOWN
    seconds = car.rng.uniform(500, 700)
    yield 45.0  # EN 81-20: the motor run-time limiter acts after 45 s at the latest
    if car.rng.random() < 0.4:
        car.fault("6", incident)
    yield seconds - 45
    car.running += seconds
    car.halt()
    car.arrow = "stopped"
    _repaired(car, incident, "6")


def landing_door_open(car: Car) -> Steps:
    """A landing door stands open for hours: the safety chain is open, the car stands closed elsewhere."""
    incident = _fault(car, "landing-door-open")
    if car.rng.random() < 0.4:
        car.fault("1", incident)
    yield 6 * 3600.0
    _repaired(car, incident, "1")


def power_cut(car: Car) -> Steps:
    """The mains fail, the car being empty; with a rescue device it goes to a floor and opens its door."""
    incident = car.begin(IncidentKind.POWER_CUT, "empty")
    car.power = False
    car.fault("41", incident)
    if car.make.rescue_device:
        car.enter(ServiceMode.EMERGENCY_POWER, incident)
        yield 5.0
        yield from open_door(car)
        yield 20.0
        yield from close_door(car, reopen_share=0.0)
    yield 60 * 2 * 90 ** car.rng.random()
    car.power = True
    car.end(incident)
    car.clear("41")
    yield car.rng.uniform(5, 60)
    car.enter(ServiceMode.NORMAL)


def power_cut_rescued(car: Car) -> Steps:
    """The mains fail with people in the travelling car; the rescue device brings them to a floor within a minute."""
    yield from boarded(car)
    yield from until(car, run(car, car.target), car.at + timedelta(seconds=car.rng.uniform(2, 5)))
    car.halt()
    incident = car.begin(IncidentKind.POWER_CUT, "rescued-by-device")
    disturbance = car.disturb("rescue-device-run")
    car.power = False
    car.fault("41", incident)
    yield car.rng.uniform(3, 15)
    car.enter(ServiceMode.EMERGENCY_POWER, incident)
    yield from glide(car, car.make.height(car.floor), LEVELLING_SPEED)
    yield from alighted(car)
    car.settle(disturbance)
    yield 60 * 2 * 60 ** car.rng.random()
    car.power = True
    car.end(incident)
    car.clear("41")
    car.enter(ServiceMode.NORMAL)


def self_test_failed(car: Car) -> Steps:
    """The alarm's own test fails; a day later it is repaired and tested."""
    incident = _fault(car, "self-test-failed")
    car.say(ElevatorEventType.ALARM_TEST_FAILED, incident)
    yield 1.0
    car.say(ElevatorEventType.ALARM_TEST_FAILED, incident)
    yield car.rng.uniform(600, 3600)
    car.say(ElevatorEventType.ALARM_TESTED)
    car.end(incident)


class DoorWear:
    """The door closes more and more slowly and reopens more often over 10 to 20 days; then it fails."""

    def __init__(self, began: datetime, fails: datetime) -> None:
        self.began, self.fails = began, fails
        self._incident: Incident | None = None

    def grow(self, car: Car) -> None:
        """Bring the door to its state at ``car.at``."""
        if self._incident is None:
            self._incident = car.begin(IncidentKind.DOOR_WEAR, "drive-and-sill")
        done = (car.at - self.began) / (self.fails - self.began)
        car.door_drag = 1.0 + 1.6 * done
        car.reopen_share = 0.03 + 0.27 * done * done

    def fail(self, car: Car) -> Steps:
        """The fault at the end; the repair makes the door as new."""
        yield from door_close_failure(car)
        car.door_drag, car.reopen_share = 1.0, 0.03
        if self._incident:
            car.end(self._incident)


class LevellingWear:
    """The brake or the tension of the ropes changes: the car stops further from the floor, up to 60 mm."""

    def __init__(self, began: datetime, fails: datetime) -> None:
        self.began, self.fails = began, fails
        self._incident: Incident | None = None

    def grow(self, car: Car) -> None:
        if self._incident is None:
            self._incident = car.begin(IncidentKind.LEVELLING_WEAR, "brake")
        car.level_error = 0.06 * (car.at - self.began) / (self.fails - self.began)

    def fail(self, car: Car) -> Steps:
        """A visit of the mechanic ends it."""
        yield 60.0
        car.level_error = 0.0
        car.position = car.make.height(car.floor)
        if self._incident:
            car.end(self._incident)


def maintenance(car: Car) -> Steps:
    """A visit of the mechanic: inspection mode or, often, not; jogs, doors open off level, the button tried."""
    rng = car.rng
    inspects = rng.random() < 0.6
    disturbance = car.disturb("maintenance-visit" if inspects else "maintenance-without-inspection")
    end = car.at + timedelta(minutes=rng.uniform(25, 70))
    yield from fetched(car, car.make.lobby)
    yield rng.uniform(30, 120)
    if inspects:
        car.enter(ServiceMode.INSPECTION)
    works: tuple[Callable[[Car], Steps], ...] = (_car_roof, _button_test, _landing_doors, _inside_work, _fault_test)
    while car.at < end:
        yield from rng.choice(works)(car)
    car.leave()
    yield from close_door(car, reopen_share=0.0)
    yield from glide(car, car.make.height(car.floor), LEVELLING_SPEED)
    car.arrow = "stopped"
    car.enter(ServiceMode.NORMAL)
    yield 30.0
    car.settle(disturbance)


def _car_roof(car: Car) -> Steps:
    """Ride on the roof in slow jogs, stopping between floors; nobody is in the car."""
    yield from close_door(car, reopen_share=0.0)
    top = car.make.height(len(car.make.floors) - 1)
    for _ in range(car.rng.randrange(2, 8)):
        goal = min(max(car.position + car.rng.uniform(-6, 6), 0.0), top)
        yield from glide(car, goal, 0.3)
        yield car.rng.uniform(10, 240)


def _button_test(car: Car) -> Steps:
    car.press()
    yield car.rng.uniform(1, 8)
    car.release()
    yield car.rng.uniform(10, 60)


def _landing_doors(car: Car) -> Steps:
    """Open the landing or car door with the car off level."""
    yield from close_door(car, reopen_share=0.0)
    yield from glide(car, car.make.height(car.floor) + 0.8 * (1 if car.floor == 0 else -1), 0.3)
    car.door = DoorState.OPEN.value
    yield car.rng.uniform(30, 300)
    car.door = DoorState.CLOSED.value
    yield from glide(car, car.make.height(car.floor), LEVELLING_SPEED)


def _inside_work(car: Car) -> Steps:
    """Work inside the car with the door closed."""
    car.board(1, 90)
    yield from close_door(car, reopen_share=0.0)
    yield car.rng.uniform(60, 400)
    car.leave()


def _fault_test(car: Car) -> Steps:
    """Provoke a fault and clear it."""
    code = car.rng.choice(("1", "2", "3"))
    car.fault(code)
    yield car.rng.uniform(20, 200)
    if car.rng.random() < 0.8:
        car.clear(code)


def mode_change(car: Car) -> Steps:
    """A fire drill, a firefighter's ride, emergency power, an earthquake's stop, or the lift switched off by key."""
    rng = car.rng
    mode = rng.choice(
        (ServiceMode.FIRE_RECALL, ServiceMode.FIREFIGHTER, ServiceMode.EMERGENCY_POWER, ServiceMode.EARTHQUAKE,
         ServiceMode.STOPPED, ServiceMode.STOPPED)
    )  # fmt: skip
    disturbance = car.disturb(f"mode-{mode.value.replace('_', '-')}")
    car.enter(mode)
    if mode is ServiceMode.STOPPED:
        yield rng.uniform(3600, 7 * 3600)
    elif mode is ServiceMode.EARTHQUAKE:
        yield rng.uniform(600, 3600)
    else:
        if car.floor != car.make.lobby:
            yield from run(car, car.make.lobby)
        yield from open_door(car)
        if mode is ServiceMode.FIREFIGHTER:
            car.board(2, 180)
            yield from close_door(car, reopen_share=0.0)
            yield from run(car, len(car.make.floors) - 1)
            yield rng.uniform(5, 60)  # in this mode the door opens only while its button is held
            yield from open_door(car)
            car.leave()
        yield rng.uniform(300, 1800)
        yield from close_door(car, reopen_share=0.0)
    car.arrow = "stopped"
    car.enter(ServiceMode.NORMAL)
    car.settle(disturbance)
