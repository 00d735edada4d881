"""What people do with a lift on an ordinary day: rides by the hour, and the innocent things that look like trouble."""

from datetime import datetime, timedelta

from core.wire.payloads import ElevatorEventType
from tests.quality.lift_car import Car, Steps, close_door, open_door, run, until
from tests.quality.model import IncidentKind

# Rides an hour of a lift for some 60 flats, by the hour of the local day: some 250 a day.
RIDES_AN_HOUR = (
    2, 1, 0.5, 0.5, 1, 4, 12, 24, 20, 12, 10, 14, 16, 11, 9, 10, 14, 22, 24, 18, 13, 9, 6, 3,
)  # fmt: skip
LOCAL = timedelta(hours=8)  # Asia/Shanghai has no summer time
# No ride with its stops is longer; before something planned none is begun.
LONGEST_RIDE = timedelta(minutes=4)
_LOBBY_SHARE = 0.8
# Whoever blocks a door for less has done so on purpose.
_OBSTRUCTION_MINUTES = 8
_KILOGRAMS = {"pram": 85.0, "e-bike": 125.0, "adult": 66.0}


def local_hour(at: datetime) -> int:
    return (at + LOCAL).hour


def everyday(car: Car, end: datetime, busy: float) -> Steps:
    """Let people ride until ``end``, ``busy`` times as often as usual; the car then stands empty, its door closed."""
    rng = car.rng
    while (left := (end - car.at).total_seconds()) > 0:
        gap = rng.expovariate(RIDES_AN_HOUR[local_hour(car.at)] * busy / 3600)
        if min(gap, 900) >= left - LONGEST_RIDE.total_seconds():
            yield left
        elif gap > 900:  # the rate changes with the hour
            yield 900
        else:
            yield gap
            yield from ride(car)


def two_floors(car: Car) -> tuple[int, int]:
    """Return whence and whither somebody rides."""
    rng, floors = car.rng, len(car.make.floors)
    flat = rng.randrange(car.make.lobby + 1, floors)
    other = car.make.lobby if rng.random() < _LOBBY_SHARE else rng.randrange(floors)
    if other == flat:
        other = car.make.lobby
    return (flat, other) if rng.random() < 0.5 else (other, flat)


def fetched(car: Car, floor: int) -> Steps:
    """Bring the empty car to ``floor`` and open its door."""
    if car.floor != floor:
        yield from run(car, floor)
    yield from open_door(car)


def boarded(car: Car, people: int | None = None, kilograms: float | None = None) -> Steps:
    """Have people call the car, get in, choose a floor and the door close behind them. Their target is `car.target`."""
    rng = car.rng
    whence, whither = two_floors(car)
    yield from fetched(car, whence)
    yield rng.uniform(1, 3)
    car.board(people or rng.choice((1, 1, 1, 1, 2, 2, 3)), kilograms)
    car.arrow = "up" if whither > whence else "down"
    yield rng.uniform(1, car.make.dwell_seconds)
    yield from close_door(car)
    yield rng.uniform(0.3, 1.2)
    car.target = whither


def alighted(car: Car) -> Steps:
    """Open the door, let everybody out and close it."""
    yield from open_door(car)
    car.arrow = "stopped"
    yield car.rng.uniform(1, 3)
    car.leave()
    yield car.make.dwell_seconds
    yield from close_door(car)


def ride(car: Car) -> Steps:
    rng = car.rng
    yield from boarded(car)
    if rng.random() < 0.2 and abs(car.target - car.floor) > 2:  # a stop on the way
        between = rng.randrange(min(car.floor, car.target) + 1, max(car.floor, car.target))
        yield from run(car, between)
        yield from open_door(car)
        car.board(1)
        yield car.make.dwell_seconds
        yield from close_door(car)
    yield from run(car, car.target)
    yield from alighted(car)


def reading_inside(car: Car) -> Steps:
    """Somebody stands in the closed car at a floor for minutes, reading a message, and only then chooses a floor."""
    disturbance = car.disturb("reading-inside")
    yield from boarded(car, 1)
    car.arrow = "stopped"
    minutes = car.rng.choice((1.2, 2, 3, 5, 8)) * car.rng.uniform(0.8, 1.2)
    yield from still(car, minutes * 60, every=car.rng.choice((8, 25, 60)))
    yield from run(car, car.target)
    yield from alighted(car)
    car.settle(disturbance)


def still(car: Car, seconds: float, every: float) -> Steps:
    """Let people inside stand still for ``seconds``; about once in ``every`` seconds they move for a moment."""
    end = car.at + timedelta(seconds=seconds)
    while (left := (end - car.at).total_seconds()) > 0:
        car.lively = False
        yield min(left, car.rng.expovariate(1 / every))
        car.lively = True
        yield min(max(0.0, (end - car.at).total_seconds()), car.rng.uniform(0.5, 3))


def door_held(car: Car) -> Steps:
    """Somebody holds the door open and waits for a neighbour."""
    disturbance = car.disturb("door-held")
    whence, whither = two_floors(car)
    yield from fetched(car, whence)
    car.board(1)
    yield car.rng.uniform(40, 300)
    yield from close_door(car)
    yield from run(car, whither)
    yield from alighted(car)
    car.settle(disturbance)


def cleaning(car: Car) -> Steps:
    """A cleaner mops the car, mostly with the door blocked by a bucket, else with the door closing now and then."""
    rng = car.rng
    disturbance = car.disturb("cleaner")
    yield from fetched(car, car.make.lobby)
    car.board(1, 80)
    end = car.at + timedelta(minutes=rng.uniform(4, 12))
    blocked = rng.random() < 0.7
    while car.at < end:
        yield rng.uniform(10, 60)
        yield from close_door(car, reopen_share=0.8 if blocked else None)
        yield rng.uniform(60, 200) if rng.random() < 0.15 and not blocked else rng.uniform(2, 40)
        yield from open_door(car)
    yield from alighted(car)
    car.settle(disturbance)


def left_luggage(car: Car) -> Steps:
    """Somebody leaves a heavy parcel in the car and fetches it later; a load cell takes it for a person."""
    yield from boarded(car, 1)
    yield from run(car, car.target)
    disturbance = car.disturb("parcel-left-in-car")
    yield from alighted(car)
    car.load = car.rng.uniform(22, 60)
    yield car.rng.uniform(300, 5400)
    yield from open_door(car)
    car.leave()
    yield from close_door(car)
    car.settle(disturbance)


def moving_house(car: Car) -> Steps:
    """Furniture goes up for one to three hours: the door is held and opens again and again, the car is heavy."""
    rng = car.rng
    disturbance = car.disturb("moving-house")
    flat = rng.randrange(car.make.lobby + 1, len(car.make.floors))
    end = car.at + timedelta(hours=rng.uniform(1, 3))
    while car.at < end:
        yield from fetched(car, car.make.lobby)
        car.board(1, 90)
        for _ in range(rng.randrange(3, 12)):
            yield rng.uniform(5, 30)
            car.load = min(car.load + rng.uniform(10, 120), car.make.rated_load_kilograms)
            yield from close_door(car, reopen_share=0.6)
            yield from open_door(car)
        yield from close_door(car)
        yield from run(car, flat)
        yield from open_door(car)
        yield rng.uniform(60, 300)
        car.leave()
        yield from close_door(car)
        yield rng.uniform(10, 200)
    car.settle(disturbance)


def pram(car: Car) -> Steps:
    """A pram rides; the camera of some makes takes it for an e-bike."""
    yield from boarded(car, 1, _KILOGRAMS["adult"] + 19)
    if car.make.ebike_camera and car.rng.random() < 0.12:
        disturbance = car.disturb("pram-taken-for-e-bike")
        car.say(ElevatorEventType.EBIKE_DETECTED)
        yield from run(car, car.target)
        yield from alighted(car)
        car.say(ElevatorEventType.EBIKE_CLEARED)
        car.settle(disturbance)
    else:
        yield from run(car, car.target)
        yield from alighted(car)


def ebike(car: Car) -> Steps:
    """An e-bike really rides; a camera finds nine of ten, and its end gets lost one time in ten."""
    rng = car.rng
    yield from boarded(car, 1, _KILOGRAMS["adult"] + rng.uniform(45, 80))
    incident = car.begin(IncidentKind.EBIKE_IN_CAR, "ride")
    seen = car.make.ebike_camera and rng.random() < 0.9
    yield rng.uniform(0.5, 2)
    if seen:
        car.say(ElevatorEventType.EBIKE_DETECTED, incident)
    if seen and rng.random() < 0.4:  # the lift refuses to run and calls out until the bike is gone
        yield from open_door(car)
        yield rng.uniform(10, 60)
    else:
        yield from run(car, car.target)
    yield from alighted(car)
    car.end(incident)
    if seen and rng.random() < 0.9:
        car.say(ElevatorEventType.EBIKE_CLEARED)


def children(car: Car) -> Steps:
    """Children press the alarm button for fun, while riding or with the door open."""
    disturbance = car.disturb("children-press")
    yield from boarded(car, 2, 70)
    for _ in range(car.rng.choice((1, 1, 2, 4))):
        car.press()
        yield car.rng.uniform(0.5, 3)
        car.release()
        yield car.rng.uniform(0.5, 4)
    yield from run(car, car.target)
    yield from alighted(car)
    car.settle(disturbance)


def help_wanted(car: Car) -> Steps:
    """Somebody in a car that works wants help (sick, followed, a child alone) and presses the button in earnest."""
    yield from boarded(car, 1)
    incident = car.begin(IncidentKind.BUTTON, "help-wanted")
    for _ in range(car.rng.choice((1, 2, 3))):
        car.press(incident)
        yield car.rng.uniform(1, 4)
        car.release()
        yield car.rng.uniform(5, 20)
    yield from run(car, car.target)
    yield from open_door(car)
    yield car.rng.uniform(30, 240)
    car.end(incident)
    yield from alighted(car)


def obstructed(car: Car) -> Steps:
    """Rubbish in the sill: the door reopens again and again until somebody takes it away; for long it is a fault."""
    minutes = car.rng.uniform(1, 25)
    incident = car.begin(IncidentKind.LIFT_FAULT, "door-obstructed") if minutes > _OBSTRUCTION_MINUTES else None
    disturbance = car.disturb("door-obstructed-briefly") if incident is None else None
    yield from fetched(car, two_floors(car)[0])
    yield from until(car, close_door(car, reopen_share=1.0), car.at + timedelta(minutes=minutes))
    yield from open_door(car)
    yield from close_door(car, reopen_share=0.0)
    if incident:
        car.end(incident)
    if disturbance:
        car.settle(disturbance)


def overloaded(car: Car) -> Steps:
    """More get in than the car may carry; after a while some get out."""
    yield from fetched(car, car.make.lobby)
    car.board(12, car.make.rated_load_kilograms * car.rng.uniform(1.12, 1.3))
    incident = car.begin(IncidentKind.OVERLOAD, "buzzer")
    yield car.rng.uniform(20, 90)
    car.end(incident)
    car.load = car.make.rated_load_kilograms * 0.9
    yield car.rng.uniform(1, 3)
    yield from close_door(car)
    yield from run(car, car.rng.randrange(car.make.lobby + 1, len(car.make.floors)))
    yield from alighted(car)


def brief_overload(car: Car) -> Steps:
    """The buzzer sounds and somebody steps out at once."""
    disturbance = car.disturb("brief-overload")
    yield from fetched(car, car.make.lobby)
    car.board(11, car.make.rated_load_kilograms * car.rng.uniform(1.11, 1.2))
    yield car.rng.uniform(4, 10)
    car.load = car.make.rated_load_kilograms * 0.9
    yield from close_door(car)
    yield from run(car, car.rng.randrange(car.make.lobby + 1, len(car.make.floors)))
    yield from alighted(car)
    car.settle(disturbance)
