"""A backtest's report as lines for people."""

from collections.abc import Iterator
from datetime import datetime, tzinfo

from alerts.backtest import BacktestAlert, BacktestReport, Comparison

_LISTED = 50
_WIDEST_BAR = 40
_EXACT_ENOUGH = 10  # From there on two digits would round, and soon be written with an exponent.


def lines(report: BacktestReport, zone: tzinfo) -> Iterator[str]:
    """Yield what was raised, how often, from which sources, and how that compares with the rules in force."""
    rate = "" if report.per_day is None else f", {_rate(report.per_day)} a day"
    yield f"{', '.join(report.rules)}: {report.total} alerts{rate}"
    for one in report.coverage:
        yield f"  {one.source:<9}  {_at(one.since, zone)} to {_at(one.until, zone)}  {one.messages:,} messages"
    yield f"  replayed {report.messages:,} messages in {report.seconds:.1f} s"
    yield from (f"  note: {note}" for note in report.notes)
    yield from _days(report)
    yield from (_alert(alert, zone) for alert in report.alerts[:_LISTED])
    if report.total > _LISTED:
        yield f"  … and {report.total - _LISTED} more; --json lists the first thousand"
    if report.comparison is not None:
        yield from _comparison(report.comparison, zone)


def _rate(per_day: float) -> str:
    return f"{per_day:.2g}" if per_day < _EXACT_ENOUGH else f"{per_day:,.0f}"


def _days(report: BacktestReport) -> Iterator[str]:
    most = max((one.alerts for one in report.days), default=0)
    for one in report.days:
        bar = "#" * round(_WIDEST_BAR * one.alerts / most) if most > _WIDEST_BAR else "#" * one.alerts
        yield f"  {one.day}  {one.alerts:>5}  {bar}".rstrip()


def _alert(alert: BacktestAlert, zone: tzinfo) -> str:
    until = "still open" if alert.until is None else f"for {(alert.until - alert.since).total_seconds():g} s"
    compared = {True: "  [now too]", False: "  [new]", None: ""}[alert.also_now]
    return (
        f"  {_at(alert.since, zone)}  {until}  {alert.rule}  {alert.device.path}  {alert.severity.value}: "
        f"{alert.reason_en}{compared}"
    )


def _comparison(found: Comparison, zone: tzinfo) -> Iterator[str]:
    yield "beside the rules in force:"
    yield f"  both raise {found.both}, only the new ones {found.only_new}, only the present ones {found.only_present}"
    for alert in found.lost[:_LISTED]:
        yield f"  lost:{_alert(alert, zone)[1:]}"


def _at(instant: datetime, zone: tzinfo) -> str:
    return instant.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
