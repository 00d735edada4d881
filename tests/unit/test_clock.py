"""Clocks: what jumps, what does not, and what lies between the two."""

from datetime import UTC, datetime, timedelta

from core.clock import ManualClock, SystemClock, UnleapingClock, moment, wall_ahead

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
YEAR, HOUR = timedelta(days=365), timedelta(hours=1)


def test_a_jump_moves_the_wall_clock_alone() -> None:
    clock = ManualClock(START)
    clock.jump(HOUR)
    clock.advance(HOUR)
    assert (clock.now(), clock.steady()) == (START + 2 * HOUR, START + HOUR)
    assert (moment(clock).wall, moment(clock).steady, moment(clock).ahead) == (clock.now(), clock.steady(), HOUR)


def test_the_machines_clocks_agree_at_first_and_the_steady_one_never_turns_back() -> None:
    clock = SystemClock()
    assert wall_ahead(clock) == timedelta(0)
    readings = [clock.steady() for _ in range(1_000)]
    assert readings == sorted(readings)


def test_clocks_that_are_read_a_little_apart_are_as_far_ahead_as_before() -> None:
    class Slow(ManualClock):
        def now(self) -> datetime:
            self.advance(timedelta(milliseconds=2))
            return super().now()

    assert wall_ahead(Slow(START)) == timedelta(0)


def test_what_is_deleted_by_its_age_outlives_a_clock_that_leaps() -> None:
    clock = ManualClock(START)
    unleaping = UnleapingClock(clock)
    clock.jump(70 * YEAR)
    clock.advance(HOUR)
    assert unleaping.now() == START + HOUR
    clock.jump(-70 * YEAR - 2 * HOUR)
    assert unleaping.now() == START - HOUR
