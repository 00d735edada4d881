"""A score's report as tables for people."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from zoneinfo import ZoneInfo

from alerts.quality import Figure, Target
from alerts.scoring.report import Counted, Delay, DutyRoom, KindScore, Outcome, RuleScore, ScoreReport

_LISTED = 30
_CAUSES = 4
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def lines(report: ScoreReport) -> Iterator[str]:
    """Yield the figures of the duty room, then by kind of incident, by rule, and what was missed."""
    zone, days = ZoneInfo(report.zone), (report.until - report.since).total_seconds() / _DAY
    since, until = (f"{each.astimezone(zone):%Y-%m-%d %H:%M}" for each in (report.since, report.until))
    yield (
        f"{since} to {until} ({report.zone}), {days:.3g} days: {report.devices} devices, "
        f"{report.messages:,} messages ({report.duplicates:,} duplicates, {report.rejected:,} rejected)"
    )
    yield from ("", "Duty room (targets of ISA-18.2, EEMUA 191; some ours)")
    yield from table(_duty_rows(report), ("", "is", "should be", ""))
    yield from ("", "Incidents")
    yield from table(map(_kind_row, report.kinds), _KIND_HEAD)
    yield from ("", "Rules")
    yield from _rules(report.rules)
    yield from _false(report.rules)
    yield from _missed(report.missed, zone)


def table(rows: Iterable[Sequence[str]], head: Sequence[str]) -> Iterator[str]:
    """Yield ``rows`` below ``head``, the first column to the left, the others to the right."""
    written = [head, *rows]
    widths = [max(len(row[column]) for row in written) for column in range(len(head))]
    for row in written:
        first, *others = row
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        yield ("  " + "  ".join(cells)).rstrip()


def lasting(seconds: float | None) -> str:
    """Return a span in the unit that fits it."""
    if seconds is None:
        return "-"
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f}s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f}m"
    return f"{seconds / _HOUR:.0f}h" if seconds < 2 * _DAY else f"{seconds / _DAY:.0f}d"


def _duty_rows(report: ScoreReport) -> Iterator[Sequence[str]]:
    quality, duty = report.quality, report.duty
    yield _row("alarms a day", quality.per_day)
    yield _row("told a day", duty.told_per_day)
    yield "  of them reminders and the like", f"{_share(duty.told_again, duty.told)}", "", ""
    yield _row("true, of told", duty.true_share_of_told, percent=True)
    yield _row("false, of alarms", quality.false_alarms, percent=True)
    yield "critical a day", f"{duty.critical_per_day:.1f}", "", ""
    yield "critical at night (22-7)", f"{duty.critical_per_night:.1f}", "", ""
    yield _row("alarms in the worst ten minutes", quality.worst_ten_minutes)
    yield _row("told in the worst ten minutes", duty.worst_ten_minutes_told)
    yield _row("time in floods", quality.flood_share, percent=True)
    yield from _standing_rows(duty)
    yield _row("chattering", quality.chattering)
    yield _row("ten most frequent, of alarms", quality.most_frequent_share, percent=True)
    for severity, figure in quality.severities.items():
        yield _row(f"{severity}, of alarms", figure, percent=True)


def _standing_rows(duty: DutyRoom) -> Iterator[Sequence[str]]:
    yield "standing at the end", f"{duty.standing}", "", ""
    yield _row("  of them for over a day", duty.standing_over_a_day)
    yield "  of them not true (any more)", f"{duty.standing_untrue}", "", ""


def _row(name: str, figure: Figure, *, percent: bool = False) -> Sequence[str]:
    met = {True: "", False: "NOT MET", None: ""}[figure.met]
    return name, _number(figure.value, percent=percent), _bound(figure.target, percent=percent), met


def _number(value: float | None, *, percent: bool) -> str:
    if value is None:
        return "-"
    return f"{value:.1%}" if percent else f"{value:,.1f}".removesuffix(".0")


def _bound(target: Target, *, percent: bool) -> str:
    named = (("≥", target.at_least), ("≤", target.at_most), ("<", target.below))
    return " ".join(f"{sign} {_number(value, percent=percent)}" for sign, value in named if value is not None)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


_KIND_HEAD = ("kind", "happened", "with a sign", "found", "missed", "hinted at", "median", "worst", "told", "worst")


def _kind_row(one: KindScore) -> Sequence[str]:
    counts = (one.incidents, one.with_sign, one.found, one.missed, one.mentioned_only)
    return one.kind, *(f"{count}" for count in counts), *_delay(one.delay), *_delay(one.told)


_RULE_HEAD = (
    *("rule", "severity", "alerts", "true", "false", "false/device/month", "told"),
    *("to find", "found", "missed", "too late", "median", "worst"),
)


def _rules(rules: Sequence[RuleScore]) -> Iterator[str]:
    yield from table([_rule_row(one) for one in rules if one.alerts or one.incidents], _RULE_HEAD)
    quiet = [one.rule for one in rules if not (one.alerts or one.incidents)]
    if quiet:
        yield f"  no alerts, and nothing to find: {', '.join(quiet)}"


def _rule_row(one: RuleScore) -> Sequence[str]:
    counts = (one.incidents, one.found, one.missed, one.after_the_end)
    raised = (f"{one.alerts}", f"{one.true}", f"{one.false}", f"{one.false_per_device_month:.2f}", f"{one.told}")
    return (
        one.rule,
        one.severity,
        *raised,
        *(f"{count}" if one.incidents else "" for count in counts),
        *_delay(one.delay),
    )


def _delay(one: Delay) -> Sequence[str]:
    return lasting(one.median_seconds), lasting(one.worst_seconds)


def _false(rules: Sequence[RuleScore]) -> Iterator[str]:
    noisy = sorted((one for one in rules if one.false), key=lambda one: -one.false)
    if noisy:
        yield from ("", "False alerts: causes, and the worst devices")
    for one in noisy:
        yield f"  {one.rule}: {one.false}: {_named(one.causes)}; {_named(one.devices)}"


def _named(counted: Sequence[Counted]) -> str:
    more = len(counted) - _CAUSES
    return ", ".join(f"{one.name} {one.alerts}" for one in counted[:_CAUSES]) + (f", {more} more" if more > 0 else "")


def _missed(missed: Sequence[Outcome], zone: tzinfo) -> Iterator[str]:
    if missed:
        yield from ("", "Missed: there was a sign, and no rule found it")
    for one in missed[:_LISTED]:
        where = f"{one.device} {one.part}".rstrip()
        hint = f"; {one.mentioned.rule} hinted at it" if one.mentioned else ""
        masked = f"; masked by {', '.join(one.masked_by)}" if one.masked_by else ""
        variant = f" {one.variant}" if one.variant else ""
        yield f"  {one.began.astimezone(zone):%Y-%m-%d %H:%M:%S}  {one.kind}{variant}  {where}{hint}{masked}"
    if len(missed) > _LISTED:
        yield f"  … and {len(missed) - _LISTED} more; --json lists the first thousand"
