"""When a rule is in force: days, hours, zones, holidays, and clocks that are changed."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.engine import Engine
from alerts.rules import RuleError
from alerts.rules.schedules import Calendar, Schedule, active_at, steady_between
from core.clock import to_microseconds
from tests.unit.alerts.talk import Talk, instant, rule, told

DOOR = "{kind: state, signal: door_state, equals: open}"


def schedule(**keys: object) -> Schedule:
    return msgspec.convert(keys, Schedule)


@pytest.mark.parametrize(
    ("keys", "local", "expected"),
    [
        pytest.param({"hours": ["08:00-20:00"]}, "2026-08-14T08:00", True, id="from the first minute on"),
        pytest.param({"hours": ["08:00-20:00"]}, "2026-08-14T20:00", False, id="until before the last"),
        pytest.param({"hours": ["22:00-06:00"]}, "2026-08-14T23:59", True, id="before midnight"),
        pytest.param({"hours": ["22:00-06:00"]}, "2026-08-15T05:59", True, id="after midnight"),
        pytest.param({"hours": ["22:00-06:00"]}, "2026-08-15T06:00", False, id="over in the morning"),
        pytest.param({"hours": ["22:00-24:00"]}, "2026-08-15T00:00", False, id="24:00 is midnight"),
        pytest.param({"hours": ["06:00-08:00", "17:00-19:00"]}, "2026-08-14T18:00", True, id="the second hours"),
        pytest.param({"days": ["fri"]}, "2026-08-14T00:00", True, id="a whole day"),
        pytest.param({"days": ["fri"]}, "2026-08-15T00:00", False, id="and no more"),
        pytest.param({"days": ["fri"], "hours": ["22:00-06:00"]}, "2026-08-15T05:00", True, id="Friday's night"),
        pytest.param({"days": ["fri"], "hours": ["22:00-06:00"]}, "2026-08-14T05:00", False, id="Thursday's night"),
        pytest.param({"days": ["workdays"]}, "2026-10-01T12:00", False, id="National Day is no workday"),
        pytest.param({"days": ["holidays"]}, "2026-10-01T12:00", True, id="but a holiday"),
        pytest.param({"days": ["workdays"]}, "2026-10-10T12:00", True, id="a Saturday that is worked"),
        pytest.param({"days": ["workdays"], "holidays": "none"}, "2026-10-01T12:00", True, id="without holidays"),
        pytest.param({"days": ["workdays"], "holidays": "none"}, "2026-10-10T12:00", False, id="Saturday as it is"),
        pytest.param({"days": ["mon"], "dates": ["2026-08-14"]}, "2026-08-14T12:00", True, id="a date beside the days"),
        pytest.param({"dates": ["2026-08-14"]}, "2026-08-15T12:00", False, id="only dates"),
        pytest.param({"except_dates": ["2026-08-14"]}, "2026-08-14T12:00", False, id="a date taken out"),
        pytest.param({"except_dates": ["2026-08-14"]}, "2026-08-15T12:00", True, id="all the others"),
        pytest.param(
            {"except_dates": ["2026-08-14"], "hours": ["22:00-06:00"]}, "2026-08-14T05:00", True, id="the night before"
        ),
    ],
)
def test_in_shanghai(keys: dict[str, object], local: str, expected: bool) -> None:
    at = datetime.fromisoformat(f"{local}+08:00")
    assert active_at(schedule(**keys), at) is expected
    assert Calendar(schedule(**keys)).active_at(to_microseconds(at)) is expected


@pytest.mark.parametrize(
    ("hours", "at", "expected"),
    [
        # Spring forward in Berlin: 2026-03-29, 02:00 becomes 03:00 (01:00 UTC).
        pytest.param("01:00-04:00", "2026-03-29T00:00Z", True, id="spring: begins in winter time"),
        pytest.param("01:00-04:00", "2026-03-29T01:59Z", True, id="spring: two hours long"),
        pytest.param("01:00-04:00", "2026-03-29T02:00Z", False, id="spring: ends in summer time"),
        pytest.param("02:30-04:00", "2026-03-29T01:30Z", True, id="spring: a beginning that does not exist"),
        # Back in autumn: 2026-10-25, 03:00 becomes 02:00 (01:00 UTC).
        pytest.param("01:00-04:00", "2026-10-24T23:00Z", True, id="autumn: begins in summer time"),
        pytest.param("01:00-04:00", "2026-10-25T02:59Z", True, id="autumn: four hours long"),
        pytest.param("01:00-04:00", "2026-10-25T03:00Z", False, id="autumn: ends in winter time"),
        pytest.param("02:30-04:00", "2026-10-25T00:30Z", True, id="autumn: begins the first time"),
        pytest.param("02:30-04:00", "2026-10-25T01:15Z", True, id="autumn: and is not interrupted"),
    ],
)
def test_where_clocks_are_changed(hours: str, at: str, expected: bool) -> None:
    berlin = schedule(zone="Europe/Berlin", hours=[hours])
    assert active_at(berlin, datetime.fromisoformat(at)) is expected


schedules = st.builds(
    Schedule,
    zone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    days=st.lists(st.sampled_from(["mon", "sat", "workdays", "holidays"]), max_size=2),
    hours=st.lists(st.sampled_from(["00:00-24:00", "22:00-06:00", "02:30-03:00", "08:00-12:00"]), max_size=2),
)


@given(schedules, st.integers(0, 60 * 24 * 400), st.floats(0, 0.999))
def test_between_two_changes_the_answer_is_the_same(one: Schedule, minutes: int, share: float) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    since, until = steady_between(one, at)
    assert since <= at < until
    assert active_at(one, since + share * (until - since)) is active_at(one, at)
    # It was a change, or so far away that it has to be asked again.
    assert active_at(one, until) is not active_at(one, at) or until - at > timedelta(days=50)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(
            [(0, "open"), (60, None)], [(0, "firing"), (60, "resolved")], id="what is open ends with the hours"
        ),
        pytest.param([(70, "open"), (119, None)], [], id="outside nothing fires"),
        pytest.param([(70, "open"), (120, None)], [(120, "firing")], id="what holds when they begin counts from then"),
        pytest.param([(70, "open"), (80, "closed"), (130, None)], [], id="what is over by then does not"),
        pytest.param([(0, "open"), (10, "closed"), (20, None)], [(0, "firing"), (10, "resolved")], id="within them"),
    ],
)
@pytest.mark.parametrize("restart", [False, True])
def test_a_rule_is_in_force_by_its_schedule(
    said: list[tuple[float, str | None]], expected: list[tuple[float, str]], restart: bool
) -> None:
    # The tests begin at 15:00 in Shanghai.
    door = rule("elevator", DOOR, "schedule: {hours: ['14:00-15:01', '15:02-15:04']}")
    talk, engine, stored, steps = Talk(), Engine([door]), dict[str, bytes](), []
    for at, state in said:
        steps += engine.advance(instant(at)) if state is None else engine.observe(talk.lift(at, door_state=state))
        stored |= {path: kept for path, kept in engine.dirty().items() if kept is not None}
        if restart:
            engine = Engine([door])
            engine.restore(stored)
    assert told(steps) == expected


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param([(70, "open"), (1_200, None)], [], id="what a silent device has said last counts no more"),
        pytest.param([(70, "open"), (1_210, "open")], [(1_210, "firing")], id="what it says afterwards does"),
        pytest.param([(70, "open"), (700, "open"), (1_200, None)], [(1_200, "firing")], id="one that was heard"),
    ],
)
def test_hours_that_begin_in_a_gap(
    said: list[tuple[float, str | None]], expected: list[tuple[float, str]], restart: bool
) -> None:
    door = rule("elevator", DOOR, "gaps: resolve\ngap_after: 10m\nschedule: {hours: ['15:20-16:00']}")
    talk, engine, stored, steps = Talk(), Engine([door]), dict[str, bytes](), []
    for at, state in said:
        steps += engine.advance(instant(at)) if state is None else engine.observe(talk.lift(at, door_state=state))
        stored |= {path: kept for path, kept in engine.dirty().items() if kept is not None}
        if restart:
            engine = Engine([door])
            engine.restore(stored)
    assert told(steps) == expected


def test_pending_is_dropped_and_counts_anew() -> None:
    door = rule("elevator", DOOR, "for: 90s\nschedule: {hours: ['14:00-15:01', '15:02-16:00']}")
    engine = Engine([door])
    engine.observe(Talk().lift(0, door_state="open"))
    assert told(engine.advance(instant(209))) == []
    assert told(engine.advance(instant(210))) == [(210, "firing")]


def test_the_end_says_why() -> None:
    engine = Engine([rule("elevator", DOOR, "schedule: {hours: ['14:00-15:01']}")])
    engine.observe(Talk().lift(0, door_state="open"))
    assert [one.reason.code for one in engine.advance(instant(60))] == ["out_of_schedule"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("{zone: Asia/Shangai, days: [mon]}", "zone 'Asia/Shangai' is unknown", id="zone"),
        pytest.param("{zone: ../etc/passwd, days: [mon]}", "is unknown", id="no zone at all"),
        pytest.param("{days: [monday]}", "expected mon, tue", id="day"),
        pytest.param("{hours: ['8-20']}", "hours such as 22:00-06:00", id="hours"),
        pytest.param("{hours: ['08:00-08:00']}", "have no length", id="no time at all"),
        pytest.param("{days: [holidays], holidays: none}", "expected a country", id="holidays of nowhere"),
        pytest.param("{holidays: US}", "expected CN, none", id="country"),
        pytest.param("{zone: Asia/Shanghai}", "always in force", id="nothing said"),
        pytest.param("{dates: [2026-13-01]}", "", id="date"),
    ],
)
def test_mistakes(written: str, expected: str) -> None:
    with pytest.raises(RuleError) as raised:
        rule("elevator", DOOR, f"schedule: {written}")
    assert expected in str(raised.value)
    assert str(raised.value).startswith("test.yaml:9: ")
