"""Which lifts are asked for a test of their car alarm, and when."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from core.clock import ManualClock
from core.devices import DeviceKey, DeviceKind
from core.errors import TemporaryError
from emergency.selftest import AlarmTestAsking, AlarmTests, KnownLift, due

START = datetime(2026, 8, 14, 7, 0, tzinfo=UTC)


def lift(number: int) -> DeviceKey:
    return DeviceKey("demo", DeviceKind.ELEVATOR, f"lift-{number:03}")


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


ASKED_AT: dict[str, tuple[float, float | None, float | None, float]] = {
    # First heard, tested, asked; when to ask: hours.
    "never tested": (0, None, None, 60),
    "tested later": (0, 10, None, 70),
    "tested before it was known": (0, -10, None, 60),
    "asked and silent": (0, None, 60, 61),
    "asked and tested": (0, 60.5, 60, 120.5),
    "asked long before it is due": (0, 10, 20, 70),
}


@pytest.mark.parametrize(("heard", "tested", "asked", "expected"), ASKED_AT.values(), ids=ASKED_AT.keys())
def test_when_a_lift_is_to_be_asked(heard: float, tested: float | None, asked: float | None, expected: float) -> None:
    known = AlarmTests(lift(1), at(heard), None if tested is None else at(tested), None if asked is None else at(asked))
    assert known.ask_at == at(expected)
    assert due([known], at(expected)) == [known]
    assert due([known], at(expected) - timedelta(microseconds=1)) == []


def test_who_has_waited_longest_is_asked_first() -> None:
    known = [AlarmTests(lift(number), at(heard)) for number, heard in ((1, 3), (2, 1), (3, 2), (4, 50))]
    assert [each.lift for each in due(known, at(70))] == [lift(2), lift(3), lift(1)]


class Estate:
    """Lifts, what was heard of their tests, and the way to them, all as told."""

    def __init__(self, lifts: int) -> None:
        self.lifts = [KnownLift(lift(number), START) for number in range(lifts)]
        self.tests: dict[DeviceKey, datetime] = {}
        self.asked: list[tuple[datetime, list[DeviceKey]]] = []
        self.looked_up = 0
        self.away: str | None = None

    async def in_service(self) -> Sequence[KnownLift]:
        return self.lifts

    async def last_test(self, which: DeviceKey, since: datetime, until: datetime) -> datetime | None:
        self.looked_up += 1
        tested = self.tests.get(which)
        return tested if tested is not None and since <= tested < until else None

    async def ask(self, lifts: Sequence[DeviceKey], at: datetime) -> None:
        if self.away is not None:
            raise TemporaryError(self.away)
        self.asked.append((at, list(lifts)))


def asking(estate: Estate, hours: float) -> tuple[AlarmTestAsking, ManualClock]:
    clock = ManualClock(at(hours))
    return AlarmTestAsking(estate.in_service, estate.last_test, estate.ask, clock), clock


async def minutes(service: AlarmTestAsking, clock: ManualClock, count: int) -> None:
    for _ in range(count):
        await service.look()
        clock.advance(timedelta(minutes=1))


async def test_a_lift_that_stays_silent_is_asked_once_an_hour_also_across_a_restart() -> None:
    estate = Estate(1)
    service, clock = asking(estate, 58)
    await minutes(service, clock, 4 * 60 + 1)
    assert [moment for moment, _ in estate.asked] == [at(60), at(61), at(62)]
    service, clock = asking(estate, 62.5)
    await minutes(service, clock, 90)
    assert [moment for moment, _ in estate.asked][3:] == [at(63.5)]


async def test_who_tests_by_itself_is_looked_up_once_and_not_asked() -> None:
    estate = Estate(3)
    estate.tests = {lift(number): at(95) for number in range(3)}
    service, clock = asking(estate, 100)
    await minutes(service, clock, 600)
    assert (estate.asked, estate.looked_up) == ([], 3)


async def test_a_test_ends_the_asking() -> None:
    estate = Estate(1)
    service, clock = asking(estate, 59)
    await minutes(service, clock, 61)
    estate.tests[lift(0)] = at(60.01)
    await minutes(service, clock, 55 * 60)
    assert [moment for moment, _ in estate.asked] == [at(60)]


async def test_a_thousand_are_not_asked_at_once_and_none_is_forgotten() -> None:
    estate = Estate(1_000)
    service, clock = asking(estate, 100)
    await minutes(service, clock, 60 + 49)
    assert max(len(lifts) for _, lifts in estate.asked) == 20
    assert estate.asked[0][0] == at(101)
    await minutes(service, clock, 1)
    asked = [each for _, lifts in estate.asked for each in lifts]
    assert (len(asked), len(set(asked))) == (1_000, 1_000)


async def test_what_could_not_be_asked_is_asked_when_it_can() -> None:
    estate = Estate(1)
    service, clock = asking(estate, 60)
    clock.advance(timedelta(hours=1))
    estate.away = "no broker"
    with pytest.raises(TemporaryError):
        await service.look()
    estate.away = None
    await service.look()
    assert [moment for moment, _ in estate.asked] == [at(61)]
    assert service.asked == 1


async def test_a_lift_that_is_retired_is_not_asked() -> None:
    estate = Estate(2)
    service, clock = asking(estate, 60)
    estate.lifts.pop(0)
    await minutes(service, clock, 61)
    assert [lifts for _, lifts in estate.asked] == [[lift(1)]]
