"""Backtests: what is counted, by which day, and how the rules in force compare."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from alerts.backtest import Backtest, BacktestReport, Coverage
from alerts.model import Severity
from alerts.rules import Rule
from core.devices import DeviceKey, DeviceKind
from core.observations import Observation
from tests.unit.alerts.talk import CAMERA, START, Talk, instant, rule

OTHER = DeviceKey("demo", DeviceKind.THERMAL, "shed-2")
END = 3 * 86_400


def hot(above: float, lasting: str = "for: 10s") -> Rule:
    return rule(
        "thermal", f"{{kind: threshold, signal: maximum_celsius, above: {above}, clear: {above - 3}}}", lasting, "hot"
    )


def heat(talk: Talk, begins: float, celsius: float, seconds: float = 60) -> list[Observation]:
    """Return looks of a camera every 5 s: ``celsius`` for a while, and cool again."""
    count = int(seconds // 5)
    looks = [talk.camera(begins + 5 * number, row=celsius) for number in range(count)]
    return [*looks, talk.camera(begins + seconds, row=20.0)]


def outcome(
    rules: list[Rule], present: list[Rule], observations: list[Observation], end: float = END
) -> BacktestReport:
    backtest = Backtest(rules, present)
    for observation in observations:
        backtest.observe(observation)
    backtest.advance(instant(end))
    coverage = [Coverage("journal", START, instant(end), backtest.messages)]
    return backtest.report(coverage, [], ZoneInfo("Asia/Shanghai"), 0.5)


def test_alerts_are_told_with_their_span_and_counted_by_the_day_of_the_zone() -> None:
    talk = Talk()
    # START is 15:00 in Shanghai: the second spell is on the next day there, and on the same in UTC.
    said = [*heat(talk, 0, 55.0), *heat(talk, 10 * 3_600, 56.0), *heat(talk, 40 * 3_600, 57.0)]
    report = outcome([hot(50)], [], said)
    assert [(alert.rule, alert.device, alert.severity) for alert in report.alerts] == [
        ("hot", CAMERA, Severity.MAJOR)
    ] * 3
    assert [(alert.since, alert.until) for alert in report.alerts][:1] == [(instant(10), instant(60))]
    assert [(count.day, count.alerts) for count in report.days] == [
        (date(2026, 8, 14), 1),
        (date(2026, 8, 15), 1),
        (date(2026, 8, 16), 1),
        (date(2026, 8, 17), 0),
    ]
    assert (report.total, report.per_day, report.messages, report.comparison) == (3, 1.0, len(said), None)
    assert "55" in report.alerts[0].reason_en


def test_one_that_is_still_open_has_no_end() -> None:
    (alert,) = outcome([hot(50)], [], heat(Talk(), 0, 55.0)[:-1], end=120).alerts
    assert alert.until is None


def test_the_rule_in_force_is_compared_by_device_and_overlapping_time() -> None:
    talk = Talk()
    said = [*heat(talk, 0, 48.0), *heat(talk, 3_600, 55.0), *heat(talk, 7_200, 48.0), *heat(talk, 9_000, 60.0)]
    report = outcome([hot(50)], [hot(46, "for: 20s")], said)
    assert report.comparison is not None
    assert (report.comparison.both, report.comparison.only_new, report.comparison.only_present) == (2, 0, 2)
    assert [alert.also_now for alert in report.alerts] == [True, True]
    assert [alert.since for alert in report.comparison.lost] == [instant(20), instant(7_220)]
    other_way_round = outcome([hot(46, "for: 20s")], [hot(50)], said).comparison
    assert other_way_round is not None
    assert (other_way_round.both, other_way_round.only_new, other_way_round.only_present) == (2, 2, 0)


def test_the_same_rule_and_rules_of_other_ids_are_compared_with_nothing() -> None:
    said = heat(Talk(), 0, 55.0)
    other = rule("thermal", "{kind: threshold, signal: maximum_celsius, above: 30}", "", "warm")
    assert outcome([hot(50)], [hot(50), other], said).comparison is None


def test_devices_told_one_after_the_other_give_what_they_give_together() -> None:
    talk = Talk()
    first = heat(talk, 0, 55.0)
    second = [
        Observation(one.position, OTHER, one.channel, one.at, one.received_at, one.body) for one in heat(talk, 30, 56.0)
    ]
    split = 45.0
    together = sorted([*first, *second], key=lambda one: one.received_at)
    expected = outcome([hot(50)], [], together)
    backtest = Backtest([hot(50)])
    for told in (first, second):
        for observation in told:
            if observation.received_at < instant(split):
                backtest.observe(observation)
        backtest.advance(instant(split))
        backtest.put_aside()
    backtest.bring_together()
    for observation in together:
        if observation.received_at >= instant(split):
            backtest.observe(observation)
    backtest.advance(instant(END))
    report = backtest.report(expected.coverage, [], ZoneInfo("Asia/Shanghai"), 0.5)
    assert report == expected
    assert {alert.device for alert in report.alerts} == {CAMERA, OTHER}


DAY_SECONDS = 86_400


@pytest.mark.parametrize(
    ("end", "per_day"),
    [
        pytest.param(60, None, id="a minute"),
        pytest.param(DAY_SECONDS - 1, None, id="a second short of a day"),
        pytest.param(DAY_SECONDS, 1.0, id="a day"),
        pytest.param(4 * DAY_SECONDS, 0.25, id="four days"),
    ],
)
def test_the_average_is_over_the_span_and_there_is_none_below_a_day(end: int, per_day: float | None) -> None:
    report = outcome([hot(50)], [], heat(Talk(), 0, 55.0), end=end)
    assert (report.total, report.per_day) == (1, per_day)
    assert (report.since, report.until) == (START, START + timedelta(seconds=end))
