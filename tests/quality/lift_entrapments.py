"""Entrapments by the course they take: how the car gets stuck, what those inside and the controller do, how it ends."""

from collections.abc import Callable, Generator
from datetime import timedelta
from random import Random

from msgspec import Struct

from core.wire.payloads import DoorState, ElevatorEventType, ServiceMode
from tests.quality.lift_car import (
    ACCELERATION,
    LEVELLING_SPEED,
    Car,
    Steps,
    close_door,
    glide,
    open_door,
    run,
    timeline,
    until,
)
from tests.quality.model import Incident, IncidentKind
from tests.quality.people import boarded

Beginning = Generator[float, None, Incident]
Act = tuple[float, Callable[[], None]]

COURSES = ("off-level", "at-level-door-shut", "jammed-ajar", "power-cut", "safety-stop", "door-dead")

# Door system and power lead the causes (Zhengzhou, Huai'an); the rest are shares of this project.
COURSE_WEIGHTS = (25, 25, 15, 15, 12, 8)


class Plan(Struct, kw_only=True, frozen=True):
    """What one entrapment is like, apart from its course."""

    minutes: float
    presses: bool
    still_seconds: float | None
    """How long those inside stand still between two movements; ``None``: they move all the time."""
    fault_said: bool
    fault_cleared: bool
    rescue: str
    """"hand-winding" in inspection mode, "reset" (it levels by itself) or "key" (the door is opened by hand)."""
    forgets_inspection: bool


def draw_plan(rng: Random, longest_minutes: float = 60) -> Plan:
    """Return a plan; people are inside for 5 minutes to ``longest_minutes``, three of four press the button."""
    return Plan(
        minutes=5 * (longest_minutes / 5) ** rng.random(),
        presses=rng.random() < 0.75,
        still_seconds=rng.choice((None, None, 30.0, 90.0, 300.0)),
        fault_said=rng.random() < 0.7,
        fault_cleared=rng.random() < 0.85,
        rescue=rng.choice(("hand-winding", "reset", "key")),
        forgets_inspection=rng.random() < 0.4,
    )


def entrapment(car: Car, course: str, plan: Plan) -> Steps:
    """Let people get stuck on ``course`` and be rescued; afterwards the car is in service, empty and closed."""
    yield from boarded(car)
    incident = yield from _BEGINNINGS[course](car)
    code = _CODES[course] if plan.fault_said else ""
    yield from _inside(car, incident, course, plan, code)
    yield from _rescue(car, incident, course, plan)
    yield from _back_in_service(car, plan, code)


def _begin(car: Car, variant: str) -> Incident:
    return car.begin(IncidentKind.ENTRAPMENT, variant)


def _stopped_between_floors(car: Car, course: str, speed_share: float = 1.0) -> Beginning:
    """Travel, and stop somewhere on the way out of every door zone."""
    start, goal = car.position, car.make.height(car.target)
    while True:
        distance = car.rng.uniform(0.15, 0.85) * abs(goal - start)
        place = start + (distance if goal > start else -distance)
        if abs(place - car.make.height(car.make.nearest(place))) > 0.4:
            break
    speed = car.make.rated_speed_mps * speed_share
    seconds = distance / speed + speed / (2 * ACCELERATION)
    yield from until(car, run(car, car.target, speed), car.at + timedelta(seconds=seconds))
    car.halt()
    car.position = place
    return _begin(car, course)


def _off_level(car: Car) -> Beginning:
    return (yield from _stopped_between_floors(car, "off-level"))


def _safety_stop(car: Car) -> Beginning:
    """The safety chain opens, half of the time because the car is too fast (where the way is long enough)."""
    share = car.rng.choice((1.0, 1.7))
    return (yield from _stopped_between_floors(car, "safety-stop", share))


def _power_cut(car: Car) -> Beginning:
    incident = yield from _stopped_between_floors(car, "power-cut")
    car.power = False
    return incident


def _at_level_door_shut(car: Car) -> Beginning:
    yield from run(car, car.target)
    return _begin(car, "at-level-door-shut")


def _door_dead(car: Car) -> Beginning:
    yield from run(car, car.target)
    return _begin(car, "door-dead")


def _jammed_ajar(car: Car) -> Beginning:
    """The door opens by a hand's breadth and jams, or jams while it closes."""
    if car.rng.random() < 0.7:
        yield from run(car, car.target)
        car.door = DoorState.OPENING.value
    else:
        car.door = DoorState.CLOSING.value
    return _begin(car, "jammed-ajar")


_BEGINNINGS: dict[str, Callable[[Car], Beginning]] = {
    "off-level": _off_level,
    "at-level-door-shut": _at_level_door_shut,
    "jammed-ajar": _jammed_ajar,
    "power-cut": _power_cut,
    "safety-stop": _safety_stop,
    "door-dead": _door_dead,
}
# People are helped down or up a step of this height; a car that stands further off is moved first.
_STEP_METRES = 0.5
# GB/T 24476-2017 message codes.
_CODES = {
    "off-level": "4", "at-level-door-shut": "3", "jammed-ajar": "3", "power-cut": "41", "safety-stop": "1",
    "door-dead": "3",
}  # fmt: skip


def _inside(car: Car, incident: Incident, course: str, plan: Plan, code: str) -> Steps:
    """The time until rescue comes: those inside press and move, the controller says its fault and tries again."""
    rng, seconds = car.rng, plan.minutes * 60
    acts: list[Act] = []
    if code:
        acts.append((rng.uniform(0.5, 15), lambda: car.fault(code, incident)))
    if rng.random() < 0.5:  # the other half keeps the call, and the arrow with it
        acts.append((rng.uniform(1, 20), lambda: setattr(car, "arrow", "stopped")))
    if plan.presses:
        acts += _presses(car, incident, seconds)
    if plan.still_seconds:
        acts += _fidgets(car, seconds, plan.still_seconds)
    if course == "at-level-door-shut" and rng.random() < 0.5:
        yield from _door_retries(car)
        seconds -= (car.at - incident.began).total_seconds()
    if course == "door-dead":
        yield from until(car, _wander(car, acts), incident.began + timedelta(minutes=plan.minutes))
        car.halt()
    elif course == "safety-stop" and rng.random() < 0.6:
        # After a while the controller levels slowly, but the door stays shut: still nobody gets out.
        levels_after = seconds * rng.uniform(0.2, 0.7)
        yield from timeline(car, levels_after, acts)
        began = car.at
        yield from glide(car, car.make.height(car.floor), LEVELLING_SPEED)
        gone = levels_after + (car.at - began).total_seconds()
        yield from timeline(car, max(0.0, seconds - gone), [(at - gone, act) for at, act in acts])
    else:
        yield from timeline(car, max(0.0, seconds), acts)


def _presses(car: Car, incident: Incident, seconds: float) -> list[Act]:
    """Press for the first time after 10 s to 3 min, then again until somebody answers."""
    rng = car.rng
    at, acts = 10 * 18 ** rng.random(), []
    answered = at + rng.uniform(20, 400)
    while at < min(answered, seconds):
        acts += [(at, lambda: car.press(incident)), (at + rng.uniform(0.5, 4), car.release)]
        at += rng.uniform(8, 90)
    return acts


def _fidgets(car: Car, seconds: float, every: float) -> list[Act]:
    """Stand still, but for a movement now and then."""
    rng = car.rng
    at, acts = rng.uniform(5, 40), []
    while at < seconds:
        acts.append((at, lambda: setattr(car, "lively", False)))
        at += rng.expovariate(1 / every)
        acts.append((at, lambda: setattr(car, "lively", True)))
        at += rng.uniform(0.5, 4)
    return acts


def _door_retries(car: Car) -> Steps:
    """The controller tries to open the door a few times; it moves by nothing."""
    for _ in range(car.rng.randrange(1, 5)):
        car.door = DoorState.OPENING.value
        yield car.rng.uniform(0.5, 2)
        car.door = DoorState.CLOSED.value
        yield car.rng.uniform(5, 25)


def _wander(car: Car, acts: list[Act]) -> Steps:
    """The car travels from floor to floor and never opens; a standstill lasts 8 to 75 s."""
    rng, began = car.rng, car.at
    while True:
        passed = (car.at - began).total_seconds()
        pause = rng.uniform(8, 75)
        yield from timeline(car, pause, [(at - passed, act) for at, act in acts if at - passed < pause])
        floor = rng.randrange(len(car.make.floors))
        travelling = car.at
        yield from run(car, floor)
        moved = (car.at - travelling).total_seconds()
        passed += pause
        for at, act in acts:  # nobody stops pressing while the car travels; here it is said on arrival
            if passed <= at < passed + moved:
                act()


def _rescue(car: Car, incident: Incident, course: str, plan: Plan) -> Steps:
    """Bring the car to a floor and open the door: that is the end of the entrapment."""
    rng = car.rng
    car.lively = True
    rescue = plan.rescue
    if rescue == "key" and abs(car.position - car.make.height(car.floor)) > _STEP_METRES:
        rescue = "hand-winding"
    if rescue == "hand-winding":
        if not plan.forgets_inspection:
            car.enter(ServiceMode.INSPECTION, incident)
        yield rng.uniform(20, 120)
        yield from _wind(car)
    else:
        car.power = True
        if rescue == "reset":
            yield rng.uniform(2, 20)
            yield from glide(car, car.make.height(car.floor), LEVELLING_SPEED)
    if rescue == "reset":
        yield from open_door(car)
    else:
        yield rng.uniform(5, 30)
        car.door = DoorState.OPEN.value
    car.end(incident)
    yield rng.uniform(3, 20)
    car.leave()
    car.arrow = "stopped"
    car.power = True


def _wind(car: Car) -> Steps:
    """Turn the car by hand to the nearest floor: its drive stands, so its direction is "stopped" and its speed 0."""
    goal = car.make.height(car.floor)
    while abs(goal - car.position) > 0.005:
        yield 1.0
        step = min(0.03, abs(goal - car.position))
        car.position += step if goal > car.position else -step


def _back_in_service(car: Car, plan: Plan, code: str) -> Steps:
    """The mechanic looks for the cause, ends the alarm and puts the lift back into service."""
    rng = car.rng
    out = rng.random() < 0.6
    if out and not plan.forgets_inspection:
        car.enter(rng.choice((ServiceMode.INSPECTION, ServiceMode.STOPPED)))
    yield rng.uniform(60, 300)
    if plan.presses and car.make.says_reset and "no-buttons" not in car.make.missing:
        car.say(ElevatorEventType.ALARM_RESET)
    if abs(car.position - car.make.height(car.floor)) > 0.005:
        yield from close_door(car, reopen_share=0.0)
        yield from glide(car, car.make.height(car.floor), LEVELLING_SPEED)
    if out:
        yield rng.uniform(300, 3600)
    if code and plan.fault_cleared:
        car.clear(code)
    if car.door != DoorState.CLOSED.value:
        yield from close_door(car, reopen_share=0.0)
    car.enter(ServiceMode.NORMAL)
    yield 1.0
