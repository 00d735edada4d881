"""What came of a backtest, as it stands on the wire."""

from datetime import date
from typing import Self

from pydantic import BaseModel, Field

from alerts.backtest import BacktestAlert, BacktestReport
from alerts.model import Severity
from api.models import Bilingual, DeviceName
from api.times import Utc


class WouldBeAlert(BaseModel):
    """An alert that would have been."""

    rule: str
    device: DeviceName
    severity: Severity = Field(description="The worst it would have had.")
    since: Utc
    until: Utc | None = Field(description="Null where it would still be open at the end.")
    reason: Bilingual
    also_now: bool | None = Field(
        description="Whether the rule in force raises one at that time too; null with none to compare with."
    )

    @classmethod
    def of(cls, alert: BacktestAlert) -> Self:
        return cls(
            rule=alert.rule,
            device=DeviceName.of(alert.device),
            severity=alert.severity,
            since=alert.since,
            until=alert.until,
            reason=Bilingual(zh=alert.reason_zh, en=alert.reason_en),
            also_now=alert.also_now,
        )


class DayOfAlerts(BaseModel):
    """How many alerts would have begun on a day of the community's zone."""

    day: date
    alerts: int


class Coverage(BaseModel):
    """Where the messages of a part of the span came from."""

    source: str = Field(description="`journal` or `telemetry`.")
    since: Utc
    until: Utc
    messages: int


class Comparison(BaseModel):
    """Beside the rule of the same id in force; alerts of one device match where their times overlap."""

    both: int
    only_new: int
    only_old: int
    lost: list[WouldBeAlert] = Field(description="Those that only the rule in force raises, at most 1,000.")


class Backtest(BaseModel):
    """What rules would have raised."""

    rules: list[str]
    since: Utc
    until: Utc
    coverage: list[Coverage]
    messages: int
    seconds: float = Field(description="How long it took.")
    total: int = Field(description="How many alerts there would have been.")
    per_day: float | None = Field(description="Null for a span below a day.")
    days: list[DayOfAlerts]
    alerts: list[WouldBeAlert] = Field(description="The first ones, at most 1,000.")
    comparison: Comparison | None = Field(description="Null where no rule in force has the same id, or it is the same.")
    notes: list[str] = Field(description="What these figures cannot say.")

    @classmethod
    def of(cls, report: BacktestReport) -> Self:
        found = report.comparison
        comparison = found and Comparison(
            both=found.both,
            only_new=found.only_new,
            only_old=found.only_present,
            lost=[WouldBeAlert.of(alert) for alert in found.lost],
        )
        return cls(
            rules=report.rules,
            since=report.since,
            until=report.until,
            coverage=[
                Coverage(source=one.source, since=one.since, until=one.until, messages=one.messages)
                for one in report.coverage
            ],
            messages=report.messages,
            seconds=report.seconds,
            total=report.total,
            per_day=report.per_day,
            days=[DayOfAlerts(day=one.day, alerts=one.alerts) for one in report.days],
            alerts=[WouldBeAlert.of(alert) for alert in report.alerts],
            comparison=comparison,
            notes=report.notes,
        )
