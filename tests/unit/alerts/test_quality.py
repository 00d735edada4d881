"""Figures of alarm quality, computed by hand."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.history import AlertRow, NotifiedRow
from alerts.quality import Figure, Frequent, Period, Quality, Target, measure
from core.devices import DeviceKey, DeviceKind

START = datetime(2026, 8, 14, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def lift(number: int) -> DeviceKey:
    return DeviceKey("xingfu", DeviceKind.ELEVATOR, f"lift-{number}")


def alarm(
    at: timedelta,
    rule: str = "door",
    device: int = 1,
    severity: str = "minor",
    *,
    resolved: timedelta | None = None,
    seen: tuple[str, timedelta] | None = None,
    false: bool = False,
) -> AlertRow:
    """An alarm that fired ``at`` after the start; instants are counted from there."""
    fired = START + at
    return AlertRow(
        1, "id", rule, severity, lift(device), "firing", "门", "door", "门", "door", fired, fired,
        None if resolved is None else START + resolved,
        None if seen is None else START + seen[1],
        None if seen is None else seen[0],
        false_alarm_by="lan" if false else None,
    )  # fmt: skip


def told(at: timedelta, name: str | None, purpose: str = "firing") -> NotifiedRow:
    return NotifiedRow(name, "duty-room", "xingfu", "major", purpose, START + at, None, "delivered")


def of_a_day(*alarms: AlertRow, notified: tuple[NotifiedRow, ...] = ()) -> Quality:
    return measure(alarms, notified, START, START + DAY)


def test_a_quiet_day_meets_every_target_it_can_be_judged_by() -> None:
    quality = of_a_day()
    assert quality.alarms == 0
    assert quality.per_ten_minutes == Figure(0.0, Target(at_most=1), True)
    assert (quality.stale.met, quality.chattering.met, quality.flood_share.met) == (True, True, True)
    assert quality.most_frequent_share == Figure(None, Target(at_most=0.05), None)
    assert quality.swiftness.median_seconds is None
    assert (quality.swiftness.percentile_90_seconds.value, quality.swiftness.percentile_90_seconds.met) == (None, None)


def test_rates_are_alarms_over_the_span() -> None:
    quality = of_a_day(*(alarm(hour * HOUR) for hour in range(24)), *(alarm(SECOND, device=2) for _ in range(12)))
    assert quality.alarms == 36
    assert quality.per_ten_minutes.value == pytest.approx(36 / 144)
    assert (quality.worst_ten_minutes.value, quality.worst_ten_minutes.met) == (13, False)
    assert quality.per_day == Figure(36.0, Target(at_most=150), True)


def test_days_are_counted_from_the_start_and_the_last_may_be_short() -> None:
    rows = [alarm(HOUR), alarm(23 * HOUR), alarm(25 * HOUR)]
    assert measure(rows, [], START, START + 30 * HOUR).days == [
        Period(START, START + DAY, 2),
        Period(START + DAY, START + 30 * HOUR, 1),
    ]


def test_a_flood_is_more_than_ten_alarms_in_ten_minutes_and_its_share_is_of_the_time() -> None:
    quality = of_a_day(*(alarm(HOUR + n * SECOND) for n in range(11)))
    [flood] = quality.floods
    # From the eleventh alarm until the first one is ten minutes old.
    assert (flood.begin, flood.end, flood.most) == (START + HOUR + 10 * SECOND, START + HOUR + 600 * SECOND, 11)
    assert quality.flood_share.value == pytest.approx(590 / 86_400)
    assert quality.flood_share.met is True
    assert not of_a_day(*(alarm(HOUR + n * SECOND) for n in range(10))).floods


STALE = {
    "open, older than a day": (alarm(-SECOND), 1),
    "open, a day old to the second": (alarm(timedelta()), 0),
    "over": (alarm(-DAY, resolved=HOUR), 0),
    "over after the span": (alarm(-DAY, resolved=DAY + HOUR), 1),
    "of severity info": (alarm(-DAY, severity="info"), 0),
}


@pytest.mark.parametrize(("row", "expected"), STALE.values(), ids=STALE)
def test_stale_is_what_lasts_for_more_than_a_day_at_the_end(row: AlertRow, expected: int) -> None:
    quality = of_a_day(row)
    assert quality.stale == Figure(expected, Target(below=5), True)


def test_chattering_is_three_of_one_rule_and_device_in_a_minute() -> None:
    chattering = [alarm(HOUR + n * 29 * SECOND) for n in range(3)]
    slower = [alarm(2 * HOUR + n * 30 * SECOND, "slow") for n in range(3)]
    scattered = [alarm(3 * HOUR + n * SECOND, "many", device=n) for n in range(3)]
    quality = of_a_day(*chattering, *slower, *scattered)
    assert quality.chattering == Figure(1, Target(at_most=0), False)


def test_what_the_engine_found_chattering_counts_once() -> None:
    chattering = [alarm(HOUR + n * 29 * SECOND) for n in range(3)]
    said = {("door", lift(1).path), ("door", lift(2).path)}
    assert measure(chattering, [], START, START + DAY, said).chattering.value == 2


def test_the_ten_most_frequent_and_their_share() -> None:
    rows = [alarm(HOUR, "often", device=1), alarm(2 * HOUR, "often", device=1)]
    rows += [alarm(3 * HOUR, "once", device=number) for number in range(18)]
    quality = of_a_day(*rows)
    assert quality.most_frequent[0] == Frequent("often", lift(1).path, 2, 0.1)
    assert len(quality.most_frequent) == 10
    assert quality.most_frequent_share.value == pytest.approx(11 / 20)
    assert quality.most_frequent_share.met is False


def test_the_split_of_severities_is_80_15_5() -> None:
    severities = ["minor"] * 16 + ["major"] * 3 + ["critical"] + ["info"] * 7
    quality = of_a_day(*(alarm(n * HOUR, severity=severity) for n, severity in enumerate(severities)))
    shares = {name: (figure.value, figure.met) for name, figure in quality.severities.items()}
    assert shares == {"critical": (0.05, True), "major": (0.15, True), "minor": (0.8, True)}
    assert not any(figure.met for figure in of_a_day(alarm(HOUR, severity="major")).severities.values() if figure.value)


def test_how_fast_alarms_are_acknowledged_and_by_whom() -> None:
    rows = [alarm(n * HOUR, seen=("lan", n * HOUR + 60 * n * SECOND)) for n in range(1, 11)]
    rows += [alarm(12 * HOUR, seen=("wang", 12 * HOUR + 5 * SECOND)), alarm(13 * HOUR)]
    quality = of_a_day(*rows)
    assert quality.unacknowledged == 1
    assert quality.swiftness.median_seconds == 300.0
    [lan, wang] = quality.acknowledgers
    assert (lan.name, lan.swiftness.acknowledged, lan.swiftness.median_seconds) == ("lan", 10, 330.0)
    assert (lan.swiftness.percentile_90_seconds.value, lan.swiftness.percentile_90_seconds.met) == (540.0, False)
    assert (wang.name, wang.swiftness.percentile_90_seconds.value) == ("wang", 5.0)


def test_false_alarms_by_rule_and_by_device_the_worst_first() -> None:
    rows = [alarm(HOUR, "door", 1, false=True), alarm(HOUR, "door", 2), alarm(HOUR, "smoke", 2, false=True)]
    quality = of_a_day(*rows, alarm(HOUR, "fine", 3))
    assert (quality.false_alarms.value, quality.false_alarms.met) == (0.5, False)
    assert [(one.name, one.false, one.alarms, one.rate) for one in quality.false_by_rule] == [
        ("smoke", 1, 1, 1.0),
        ("door", 1, 2, 0.5),
    ]
    assert [(one.name, one.rate) for one in quality.false_by_device] == [(lift(1).path, 1.0), (lift(2).path, 0.5)]


def test_a_rule_that_cries_wolf_on_one_device_is_told_from_one_that_does_on_all() -> None:
    rows = [alarm(n * HOUR, "door", 1, false=n < 3) for n in range(4)]
    rows += [alarm(HOUR, "door", device) for device in (2, 3)]
    rows += [alarm(HOUR, "smoke", device, false=True) for device in (2, 1)]
    rows += [alarm(DAY, "late", 1, false=True), alarm(HOUR, "hint", 1, "info", false=True)]
    assert [(one.rule, one.device, one.alarms, one.false, one.rate) for one in of_a_day(*rows).false_by_pair] == [
        ("smoke", lift(1).path, 1, 1, 1.0),
        ("smoke", lift(2).path, 1, 1, 1.0),
        ("door", lift(1).path, 4, 3, 0.75),
    ]


def test_who_was_told_how_often() -> None:
    calls = [told(n * HOUR, "lan") for n in range(12)] + [told(HOUR, None), told(-HOUR, "lan"), told(DAY, "lan")]
    quality = of_a_day(notified=(*calls, told(HOUR, "lan", "resolved"), told(HOUR, "lan", "test")))
    assert [(one.name, one.calls) for one in quality.told] == [("duty-room", 1), ("lan", 12)]
    assert quality.told[1].per_ten_minutes.value == pytest.approx(12 / 144)
    assert quality.told[1].per_day == Figure(12.0, Target(at_most=150), True)


_ROWS = st.builds(
    alarm,
    st.integers(-2 * 86_400, 86_400).map(lambda seconds: seconds * SECOND),
    st.sampled_from(["door", "smoke", "power"]),
    st.integers(1, 9),
    st.sampled_from(["critical", "major", "minor", "info"]),
    false=st.booleans(),
)


@given(st.lists(_ROWS, max_size=60))
def test_shares_add_up_and_nothing_is_negative(rows: list[AlertRow]) -> None:
    quality = of_a_day(*rows)
    counted = [row for row in rows if START <= row.fired_at < START + DAY and row.severity != "info"]
    assert quality.alarms == len(counted) == sum(day.alarms for day in quality.days)
    assert sum(figure.value or 0 for figure in quality.severities.values()) == pytest.approx(1 if counted else 0)
    assert sum(one.alarms for one in quality.most_frequent) <= quality.alarms
    assert quality.unacknowledged + quality.swiftness.acknowledged == quality.alarms
    figures = [quality.flood_share, quality.most_frequent_share, quality.false_alarms, *quality.severities.values()]
    assert all(0 <= figure.value <= 1 for figure in figures if figure.value is not None)
    assert all(0 < rate.rate <= 1 for rate in quality.false_by_rule + quality.false_by_device)
    false = sum(row.false_alarm_by is not None for row in counted)
    for rates in (quality.false_by_rule, quality.false_by_device, quality.false_by_pair):
        assert sum(rate.false for rate in rates) == false
    worst = quality.worst_ten_minutes.value or 0
    assert max((flood.most for flood in quality.floods), default=0) == (worst if worst > 10 else 0)


@given(st.lists(_ROWS, max_size=30))
def test_the_order_of_rows_changes_nothing(rows: list[AlertRow]) -> None:
    assert of_a_day(*rows) == of_a_day(*reversed(rows))
