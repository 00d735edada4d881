"""A backtest's first line: how many alerts, and how many a day where a day was looked at."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts.backtest import BacktestReport
from app.backtest_words import lines

START = datetime(2026, 3, 1, tzinfo=UTC)
RATES = {
    "below a day": (None, "hot: 24 alerts"),
    "seldom": (1 / 30, "hot: 24 alerts, 0.033 a day"),
    "now and then": (2.4, "hot: 24 alerts, 2.4 a day"),
    "often": (123.4, "hot: 24 alerts, 123 a day"),
    "all the time": (14_400.0, "hot: 24 alerts, 14,400 a day"),
}


@pytest.mark.parametrize(("per_day", "expected"), RATES.values(), ids=RATES)
def test_how_many_alerts_there_would_have_been(per_day: float | None, expected: str) -> None:
    report = BacktestReport(["hot"], START, START + timedelta(hours=1), [], 1, 0.1, 24, per_day, [], [], None, [])
    assert next(lines(report, UTC)) == expected
