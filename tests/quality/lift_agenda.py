"""What befalls one lift in a span, beyond its everyday rides: drawn beforehand, at rates a month."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from core.wire.payloads import ElevatorEventType
from tests.quality import lift_faults as faults
from tests.quality import people
from tests.quality.lift_car import Car, Steps
from tests.quality.lift_entrapments import COURSE_WEIGHTS, COURSES, draw_plan, entrapment
from tests.quality.lift_makes import Make
from tests.quality.model import Incident, IncidentKind, Span

Act = Callable[[Car], Steps]

# About 8 in a month of 20 lifts. Real ones are 1.0 to 1.3 in 100 lift-months (Huai'an): too few to judge a rule by.
ENTRAPMENTS_A_MONTH = 0.4
_MONTH = timedelta(days=30)
_TEST_DUE = timedelta(days=3)  # EN 81-28 / GB/T 24475-2023


class Item(NamedTuple):
    """Something planned; ``longest`` keeps the next one away."""

    at: datetime
    longest: timedelta
    act: Act


class _Rate(NamedTuple):
    act: Act
    a_month: float
    longest_hours: float
    hours: tuple[int, int] = (0, 24)
    """The local hours within which it begins."""


_DAY, _OFFICE = (6, 23), (8, 17)
# Breakdowns: 4 a year in 4-to-8-storey housing, 0.5 to 2 for a well-kept lift (domain facts 1.4); the rates of single
# faults are this project's and add up to some 10 a year, because a rule is judged by how many of each kind it meets.
_RATES = (
    _Rate(people.reading_inside, 3, 0.3, _DAY),
    _Rate(people.door_held, 12, 0.3, _DAY),
    _Rate(people.cleaning, 12, 0.5, (6, 10)),
    _Rate(people.moving_house, 0.5, 4, (8, 16)),
    _Rate(people.left_luggage, 0.3, 1.8, _DAY),
    _Rate(people.pram, 20, 0.2, (8, 20)),
    _Rate(people.ebike, 1.5, 0.2, _DAY),
    _Rate(people.children, 1, 0.2, (15, 20)),
    _Rate(people.help_wanted, 0.1, 0.3, _DAY),
    _Rate(people.obstructed, 1.2, 0.6, _DAY),
    _Rate(people.overloaded, 0.4, 0.2, _DAY),
    _Rate(people.brief_overload, 2, 0.2, (7, 20)),
    _Rate(faults.mode_change, 0.4, 8),
    _Rate(faults.power_cut, 0.15, 4),
    _Rate(faults.door_close_failure, 0.15, 3),
    _Rate(faults.safety_chain_empty, 0.1, 3),
    _Rate(faults.restart_prevented, 0.1, 5),
    _Rate(faults.unintended_movement, 0.05, 3, _DAY),
    _Rate(faults.moved_with_door_open, 0.06, 0.2),
    _Rate(faults.overspeed, 0.06, 0.2),
    _Rate(faults.relevelling, 0.06, 1.2),
    _Rate(faults.hunting, 0.05, 1.2),
    _Rate(faults.running_in_place, 0.06, 0.4),
    _Rate(faults.landing_door_open, 0.06, 6.2),
)
_RESCUE_RUNS = _Rate(faults.power_cut_rescued, 0.15, 4, _DAY)
_WEAR_SHARE = 0.1  # of the lifts, in a span long enough for it


def draw_agenda(rng: Random, make: Make, span: Span) -> list[Item]:
    """Return what is planned, in order; what would overlap something earlier or the span's end is left out."""
    items = [item for rate in _RATES for item in _draw(rng, rate, span)]
    if make.rescue_device:
        items += _draw(rng, _RESCUE_RUNS, span)
    items += _entrapments(rng, span)
    items += _visits(rng, span)
    kept: list[Item] = []
    free = span.since + timedelta(minutes=15)
    for item in sorted(items, key=lambda item: item.at):
        if item.at >= free and item.at + item.longest <= span.until:
            kept.append(item)
            free = item.at + item.longest
    kept += [*_tests(rng, make, span), *_wear(rng, span), *_stuck_sensor(make)]
    return sorted(kept, key=lambda item: item.at)


def live(car: Car, agenda: list[Item], until: datetime, busy: float) -> Steps:
    """Follow ``agenda``, with everyday rides between."""
    for item in agenda:
        if item.at > car.at:
            yield from people.everyday(car, item.at, busy)
        yield from item.act(car)
    yield from people.everyday(car, until, busy)


def _draw(rng: Random, rate: _Rate, span: Span) -> Iterator[Item]:
    """Yield items at chance instants; those at a wrong hour are moved into the hours of the rate."""
    at = span.since
    while True:
        at += _MONTH * (rng.expovariate(rate.a_month))
        if at >= span.until:
            return
        first, last = rate.hours
        moved = at
        if not first <= people.local_hour(at) < last:
            local = (at + people.LOCAL).replace(hour=0, minute=0)
            moved = local + timedelta(hours=rng.uniform(first, last)) - people.LOCAL
        yield Item(moved, timedelta(hours=rate.longest_hours), rate.act)


def _entrapments(rng: Random, span: Span) -> Iterator[Item]:
    for item in _draw(rng, _Rate(people.ride, ENTRAPMENTS_A_MONTH, 2.5, (5, 24)), span):
        yield item._replace(act=_stuck(rng.choices(COURSES, COURSE_WEIGHTS)[0], rng))


def _stuck(course: str, rng: Random) -> Act:
    """Return the act of an entrapment on ``course`` with a drawn plan."""
    plan = draw_plan(rng)
    return lambda car: entrapment(car, course, plan)


def _visits(rng: Random, span: Span) -> Iterator[Item]:
    """Yield routine maintenance, every 15 days at working hours (TSG T5002)."""
    first, last = _OFFICE
    at = span.since + timedelta(days=rng.uniform(0, 15))
    while at < span.until:
        local = (at + people.LOCAL).replace(hour=0, minute=0)
        yield Item(
            local + timedelta(hours=rng.uniform(first, last)) - people.LOCAL, timedelta(hours=2), faults.maintenance
        )
        at += timedelta(days=15) + timedelta(days=rng.uniform(-1, 1))


def _tests(rng: Random, make: Make, span: Span) -> Iterator[Item]:
    """Yield the alarm's own tests; in some months they fail once, in others they stop for a week."""
    if not make.tests_alarm_every:
        return
    fails = span.since + span.length * rng.random() if rng.random() < 0.08 else None
    pause = span.since + span.length * rng.uniform(0, 0.7) if rng.random() < 0.08 else span.until
    pause_ends = pause + timedelta(days=rng.uniform(5, 9))
    at, last = span.since + make.tests_alarm_every * rng.random(), span.since
    while at < span.until:
        if not pause <= at < pause_ends:
            if at - last > timedelta(days=4):
                yield _missing_test(last)
            act = _tested
            if fails and at >= fails:
                act, fails = faults.self_test_failed, None
            yield Item(at, timedelta(minutes=1), act)
            last = at
        at += make.tests_alarm_every


def _missing_test(last: datetime) -> Item:
    """Note afterwards that no test came for more than three days; its absence is its sign."""

    def act(car: Car) -> Steps:
        due = last + _TEST_DUE
        car.incidents.append(
            Incident(
                kind=IncidentKind.LIFT_FAULT,
                device=car.device,
                began=due,
                ended=car.at,
                variant="self-test-missing",
                first_sign=due,
            )
        )
        yield 0.5

    return Item(last + _TEST_DUE + timedelta(days=1), timedelta(0), act)


def _tested(car: Car) -> Steps:
    car.say(ElevatorEventType.ALARM_TESTED)
    yield 1.0


def _wear(rng: Random, span: Span) -> Iterator[Item]:
    """Yield the growth of wear every three hours and its end, where the span is long enough."""
    kinds: tuple[type[faults.DoorWear] | type[faults.LevellingWear], ...] = (faults.DoorWear, faults.LevellingWear)
    for kind in kinds:
        days = rng.uniform(10, 20)
        begins = span.since + (span.length - timedelta(days=days + 0.5)) * rng.random()
        if rng.random() > _WEAR_SHARE or begins < span.since:
            continue
        wear = kind(begins, begins + timedelta(days=days))
        yield from (
            Item(begins + hours * timedelta(hours=3), timedelta(0), _growth(wear)) for hours in range(int(days * 8))
        )
        yield Item(wear.fails, timedelta(hours=2), wear.fail)


def _growth(wear: faults.DoorWear | faults.LevellingWear) -> Act:
    def act(car: Car) -> Steps:
        wear.grow(car)
        yield 0.5

    return act


def _stuck_sensor(make: Make) -> Iterator[Item]:
    if not make.people_stuck:
        return
    began, ended = make.people_stuck
    noted: list[Incident] = []

    def begin(car: Car) -> Steps:
        noted.append(car.begin(IncidentKind.SENSOR_FAULT, "stuck-people-sensor"))
        yield 0.5

    def end(car: Car) -> Steps:
        car.end(noted.pop())
        yield 0.5

    yield Item(began, timedelta(0), begin)
    yield Item(ended, timedelta(0), end)
