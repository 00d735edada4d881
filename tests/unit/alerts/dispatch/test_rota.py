"""Who is on duty: to the instant, through the changes of the clock, with people who stand in."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.dispatch.plan import Layer, Rota, Schedule
from alerts.dispatch.rota import in_schedule, next_weekly, on_duty, uncovered
from alerts.history import RotaOverrideRow

MONDAY = date(2026, 1, 5)
BERLIN = "Europe/Berlin"
DAY = Layer(MONDAY, ["li", "wang", "zhao"], "1w", "08:00-20:00")
NIGHT = Layer(MONDAY, ["sun", "qian"], "1d", "20:00-08:00")
ROTA = Rota("duty", [DAY, NIGHT], "Asia/Shanghai")
WEEKS = Rota("weeks", [Layer(MONDAY, ["a", "b"], "1w", None, "09:00")], BERLIN)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("instant", "people"),
    [
        ("2026-01-05T08:00:00+08:00", ["li"]),
        ("2026-01-05T07:59:59.999999+08:00", []),
        ("2026-01-05T19:59:59.999999+08:00", ["li"]),
        ("2026-01-05T20:00:00+08:00", ["sun"]),
        ("2026-01-06T07:59:59+08:00", ["sun"]),
        ("2026-01-06T08:00:00+08:00", ["li"]),
        ("2026-01-06T23:00:00+08:00", ["qian"]),
        ("2026-01-12T07:59:59+08:00", ["sun"]),
        ("2026-01-12T08:00:00+08:00", ["wang"]),
        ("2026-01-19T12:00:00+08:00", ["zhao"]),
        ("2026-01-26T12:00:00+08:00", ["li"]),
        ("2026-01-04T12:00:00+08:00", []),
    ],
)
def test_day_and_night_take_turns_by_week_and_by_day(instant: str, people: list[str]) -> None:
    assert on_duty(ROTA, at(instant)) == people


@pytest.mark.parametrize(
    ("instant", "person"),
    [
        ("2026-01-12T08:59:59+01:00", "a"),
        ("2026-01-12T09:00:00+01:00", "b"),
        # In summer the handover stays at nine by the clock on the wall.
        ("2026-03-30T08:59:59+02:00", "b"),
        ("2026-03-30T09:00:00+02:00", "a"),
        ("2026-10-26T08:59:59+01:00", "b"),
        ("2026-10-26T09:00:00+01:00", "a"),
    ],
)
def test_the_handover_is_at_the_same_local_time_in_summer_and_winter(instant: str, person: str) -> None:
    assert on_duty(WEEKS, at(instant)) == [person]


@given(st.integers(min_value=0, max_value=2 * 366 * 24 * 60))
def test_somebody_is_on_duty_at_every_instant_and_never_two_of_one_layer(minutes: int) -> None:
    instant = datetime(2026, 1, 6, tzinfo=UTC) + timedelta(minutes=minutes)
    for zone in (BERLIN, "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe"):
        rota = Rota("duty", [DAY, NIGHT], zone)
        assert len(on_duty(rota, instant)) == 1


def test_a_shift_through_the_hour_that_comes_twice_is_nine_hours_long() -> None:
    shifts = Rota("nights", [Layer(date(2026, 10, 24), ["x", "y"], "1d", "22:00-06:00")], BERLIN)
    begins, ends = at("2026-10-24T22:00:00+02:00"), at("2026-10-25T06:00:00+01:00")
    assert ends - begins == timedelta(hours=9)
    assert on_duty(shifts, ends - timedelta(seconds=1)) == ["x"]
    assert on_duty(shifts, ends) == []


def test_whoever_stands_in_takes_the_place_of_everybody() -> None:
    instant = at("2026-01-06T12:00:00+08:00")
    instead = RotaOverrideRow(
        "1", "duty", "zhao", instant, instant + timedelta(hours=2), "boss", instant - timedelta(days=1)
    )
    assert on_duty(ROTA, instant, [instead]) == ["zhao"]
    later = RotaOverrideRow("2", "duty", "wang", instant, instant + timedelta(hours=1), "boss", instant)
    assert on_duty(ROTA, instant, [later, instead]) == ["wang"]
    assert on_duty(ROTA, instant + timedelta(hours=1), [later, instead]) == ["zhao"]
    assert on_duty(ROTA, instant + timedelta(hours=2), [instead]) == ["li"]
    assert on_duty(ROTA, instant - timedelta(microseconds=1), [instead]) == ["li"]
    assert on_duty(WEEKS, instant, [instead]) == ["a"]


def test_a_rota_without_a_zone_has_that_of_the_plan() -> None:
    rota = Rota("duty", [DAY])
    assert on_duty(rota, at("2026-01-05T08:00:00+08:00"), zone="Asia/Shanghai") == ["li"]
    assert on_duty(rota, at("2026-01-05T08:00:00+08:00"), zone=BERLIN) == []


@pytest.mark.parametrize(
    ("layers", "gaps"),
    [
        ([DAY, NIGHT], []),
        ([DAY], ["20:00-08:00"]),
        ([NIGHT], ["08:00-20:00"]),
        ([Layer(MONDAY, ["a"])], []),
        (
            [Layer(MONDAY, ["a"], "1w", "06:00-12:00"), Layer(MONDAY, ["a"], "1w", "13:00-00:00")],
            ["00:00-06:00", "12:00-13:00"],
        ),
        ([Layer(MONDAY, ["a"], "1w", "08:00-08:00")], []),
    ],
)
def test_hours_that_nobody_covers(layers: list[Layer], gaps: list[str]) -> None:
    assert list(uncovered(Rota("r", layers))) == gaps


@pytest.mark.parametrize(
    ("schedule", "instant", "holds"),
    [
        (None, "2026-01-05T03:00:00+08:00", True),
        (Schedule(), "2026-01-05T03:00:00+08:00", True),
        (Schedule("08:00-20:00"), "2026-01-05T08:00:00+08:00", True),
        (Schedule("08:00-20:00"), "2026-01-05T20:00:00+08:00", False),
        (Schedule("20:00-08:00"), "2026-01-05T03:00:00+08:00", True),
        (Schedule("20:00-08:00", ["fri"]), "2026-01-10T03:00:00+08:00", True),
        (Schedule("20:00-08:00", ["sat"]), "2026-01-10T03:00:00+08:00", False),
        (Schedule(None, ["sat", "sun"]), "2026-01-10T23:59:59+08:00", True),
        (Schedule(None, ["sat", "sun"]), "2026-01-12T00:00:00+08:00", False),
    ],
)
def test_schedules(schedule: Schedule | None, instant: str, holds: bool) -> None:
    assert in_schedule(schedule, at(instant), "Asia/Shanghai") is holds


@pytest.mark.parametrize(
    ("after", "when", "expected"),
    [
        ("2026-01-05T09:59:59+08:00", "mon 10:00", "2026-01-05T10:00:00+08:00"),
        ("2026-01-05T10:00:00+08:00", "mon 10:00", "2026-01-12T10:00:00+08:00"),
        ("2026-01-05T11:00:00+08:00", "sun 23:00", "2026-01-11T23:00:00+08:00"),
    ],
)
def test_the_next_weekly_instant(after: str, when: str, expected: str) -> None:
    assert next_weekly(when, at(after), "Asia/Shanghai") == at(expected)
