"""Figures of alarm quality as they stand on the wire; each description is the definition."""

from datetime import datetime
from typing import Self

from msgspec import Struct
from pydantic import BaseModel, Field

from alerts import quality as domain
from alerts.model import Severity
from api.times import Utc


class Target(BaseModel):
    """What a figure should be; a bound that is null does not bind."""

    at_least: float | None
    at_most: float | None
    below: float | None


class Figure(BaseModel):
    """A figure beside its target."""

    value: float | None = Field(description="Null where there was nothing to take a share of.")
    target: Target | None = Field(description="Null where the standards name none.")
    met: bool | None = Field(description="Null where there is no value or no target.")

    @classmethod
    def of(cls, figure: domain.Figure) -> Self:
        aim = figure.target
        target = Target(at_least=aim.at_least, at_most=aim.at_most, below=aim.below)
        return cls(value=figure.value, target=None if aim == domain.Target() else target, met=figure.met)


class DayOfAlarms(BaseModel):
    """The alarms of 24 hours, counted from `since`; the last ones may be fewer hours."""

    begin: Utc
    end: Utc
    alarms: int


class Flood(BaseModel):
    """A time during which the ten minutes before held more than ten alarms."""

    begin: Utc
    end: Utc
    most: int = Field(description="How many alarms ten minutes held at its worst.")


class Frequent(BaseModel):
    """One rule on one device, and how often it fired."""

    rule: str
    device: str = Field(description="`community/kind/device`.")
    alarms: int
    share: float = Field(description="Of all alarms.")


class FalseRate(BaseModel):
    """How many alarms of one rule, or one device, were marked as false."""

    name: str
    alarms: int
    false: int
    rate: float = Field(description="`false` / `alarms`.")


class FalsePair(BaseModel):
    """How many alarms of one rule on one device were marked as false."""

    rule: str
    device: str = Field(description="`community/kind/device`.")
    alarms: int
    false: int
    rate: float = Field(description="`false` / `alarms`.")


class Swiftness(BaseModel):
    """How fast alarms were acknowledged, from firing."""

    acknowledged: int
    median_seconds: float | None = Field(description="Half of them took no longer.")
    percentile_90_seconds: Figure = Field(description="9 of 10 took no longer (nearest rank). The target is ours.")


class ToldOperator(BaseModel):
    """How much one operator was told."""

    name: str = Field(description="The person meant; the receiver where none was.")
    calls: int = Field(description="Notifications, but those of an end and trial messages.")
    per_ten_minutes: Figure
    per_day: Figure


class Acknowledger(BaseModel):
    """Who acknowledged alarms, and how fast."""

    name: str
    swiftness: Swiftness


class AlarmQuality(BaseModel):
    """All figures of one span."""

    since: Utc
    until: Utc
    alarms: int = Field(description="Alerts of severity critical, major or minor that fired in the span.")
    per_ten_minutes: Figure = Field(description="Alarms / (length of the span / 10 min). About 1; 2 can be borne.")
    worst_ten_minutes: Figure = Field(description="The most alarms within any 10 minutes.")
    per_day: Figure = Field(description="Alarms / (length of the span / 24 h). About 150; 300 can be borne.")
    days: list[DayOfAlarms]
    floods: list[Flood]
    flood_share: Figure = Field(
        description="Share of the span in which the 10 minutes before held more than 10 alarms of the span."
    )
    stale: Figure = Field(description="Alerts whose cause had lasted for more than 24 h at the end of the span.")
    chattering: Figure = Field(
        description="Rules on devices that fired 3 times within 60 s, or that the engine found chattering."
    )
    most_frequent: list[Frequent] = Field(description="The ten rules on devices that fired most often.")
    most_frequent_share: Figure = Field(description="The alarms of these ten / all alarms.")
    severities: dict[Severity, Figure] = Field(description="The share of each severity in all alarms: about 80/15/5.")
    unacknowledged: int = Field(description="Alarms that nobody has acknowledged until now.")
    swiftness: Swiftness
    false_alarms: Figure = Field(description="Alarms marked as false / all alarms. The target is ours.")
    false_by_rule: list[FalseRate] = Field(description="Rules with false alarms, the highest rate first.")
    false_by_device: list[FalseRate] = Field(description="Devices with false alarms, the highest rate first.")
    false_by_pair: list[FalsePair] = Field(
        description="Rules on devices with false alarms, the highest rate first, then the most alarms."
    )
    told: list[ToldOperator] = Field(description="Notifications put into the outbox in the span, by who is meant.")
    acknowledgers: list[Acknowledger]

    @classmethod
    def of(cls, measured: domain.Quality, since: datetime, until: datetime) -> Self:
        return cls(since=since, until=until, **{name: _shown(getattr(measured, name)) for name in _NAMES})


_NAMES = domain.Quality.__struct_fields__


def _shown(value: object) -> object:
    """Return plain values, but figures as they stand on the wire: a target that binds nothing is none."""
    if isinstance(value, domain.Figure):
        return Figure.of(value)
    if isinstance(value, list):
        return [_shown(each) for each in value]
    if isinstance(value, dict):
        return {name: _shown(each) for name, each in value.items()}
    if isinstance(value, Struct):
        return {name: _shown(getattr(value, name)) for name in value.__struct_fields__}
    return value
