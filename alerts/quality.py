"""How good the alarms are for the people who get them: the figures of ISA-18.2, IEC 62682 and EEMUA 191, with targets.

Targets are those that secondary sources give of these standards. What counts is an *alarm*: an alert that fired within
the span and asks for something to be done; alerts of severity ``info`` do not, and are left out of every figure.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from itertools import groupby
from statistics import median
from typing import TypeVar

from msgspec import Struct

from alerts.dispatch.model import Purpose
from alerts.history import AlertRow, NotifiedRow
from alerts.model import Severity
from alerts.rates import episodes, most_within, percentile

WINDOW = timedelta(minutes=10)
DAY = timedelta(days=1)
FLOOD_ABOVE = 10
STALE_AFTER = timedelta(hours=24)
CHATTER_WINDOW = timedelta(seconds=60)
CHATTER_COUNT = 3
MOST_FREQUENT = 10

# What tells an operator of something to be done; the end of an incident and a test do not.
_CALLS = frozenset(Purpose) - {Purpose.RESOLVED, Purpose.TEST}
Key = TypeVar("Key", bound=Hashable)


class Target(Struct, frozen=True):
    """What a figure should be; a bound that is ``None`` does not bind."""

    at_least: float | None = None
    at_most: float | None = None
    below: float | None = None

    def met_by(self, value: float) -> bool:
        """Tell whether ``value`` is as it should be."""
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )


# The standards name no figures for these two; ours: nine of ten alarms seen within five minutes, and one false in ten
# is what people still believe in.
ACKNOWLEDGED_SOON = Target(at_most=300.0)
FEW_FALSE = Target(at_most=0.1)


class Figure(Struct, frozen=True):
    """A figure beside its target; without alarms there is no ``value`` to judge where it is a share of them."""

    value: float | None
    target: Target
    met: bool | None


class Period(Struct, frozen=True):
    """The alarms of 24 hours (the last period may be shorter)."""

    begin: datetime
    end: datetime
    alarms: int


class Flood(Struct, frozen=True):
    """A time in which the ten minutes before held more than ten alarms; ``most`` is how many at its worst."""

    begin: datetime
    end: datetime
    most: int


class Frequent(Struct, frozen=True):
    """One rule on one device, and how often it fired; ``share`` is of all alarms."""

    rule: str
    device: str
    alarms: int
    share: float


class FalseRate(Struct, frozen=True):
    """How many alarms of one rule (or one device) somebody marked as false."""

    name: str
    alarms: int
    false: int
    rate: float


class FalsePair(Struct, frozen=True):
    """How many alarms of one rule on one device somebody marked as false."""

    rule: str
    device: str
    alarms: int
    false: int
    rate: float


class Swiftness(Struct, frozen=True):
    """How fast alarms were acknowledged: seconds from firing, the middle one and the one that 9 of 10 do not exceed."""

    acknowledged: int
    median_seconds: float | None
    percentile_90_seconds: Figure


class Told(Struct, frozen=True):
    """How much one operator (a person, else a receiver) was told: calls in all, and for each ten minutes."""

    name: str
    calls: int
    per_ten_minutes: Figure
    per_day: Figure


class Acknowledger(Struct, frozen=True):
    """Who acknowledged how many alarms, and how fast."""

    name: str
    swiftness: Swiftness


class Quality(Struct, frozen=True):
    """All figures of one span."""

    alarms: int
    per_ten_minutes: Figure
    worst_ten_minutes: Figure
    per_day: Figure
    days: list[Period]
    floods: list[Flood]
    flood_share: Figure
    stale: Figure
    chattering: Figure
    most_frequent: list[Frequent]
    most_frequent_share: Figure
    severities: dict[str, Figure]
    unacknowledged: int
    swiftness: Swiftness
    false_alarms: Figure
    false_by_rule: list[FalseRate]
    false_by_device: list[FalseRate]
    false_by_pair: list[FalsePair]
    told: list[Told]
    acknowledgers: list[Acknowledger]


PER_TEN_MINUTES = Target(at_most=1)
WORST_TEN_MINUTES = Target(at_most=FLOOD_ABOVE)
PER_DAY = Target(at_most=150)
FLOOD_SHARE = Target(below=0.01)
STALE = Target(below=5)
CHATTERING = Target(at_most=0)
MOST_FREQUENT_SHARE = Target(at_most=0.05)
SEVERITIES = {
    Severity.CRITICAL: Target(at_most=0.05),
    Severity.MAJOR: Target(at_most=0.15),
    Severity.MINOR: Target(at_least=0.80),
}


def measure(
    rows: Sequence[AlertRow],
    notified: Sequence[NotifiedRow],
    since: datetime,
    until: datetime,
    chattering: AbstractSet[tuple[str, str]] = frozenset(),
) -> Quality:
    """Return the figures of since <= fired_at < until; ``rows`` may hold older alerts, which count as stale only.

    ``chattering`` are rules with the path of a device that the engine found chattering. ``since`` is before ``until``.
    """
    asking = [row for row in rows if row.severity != Severity.INFO]
    alarms = sorted((row for row in asking if since <= row.fired_at < until), key=lambda row: row.fired_at)
    instants = [row.fired_at for row in alarms]
    floods = [Flood(*found) for found in episodes(instants, WINDOW, FLOOD_ABOVE, until)]
    flooded = sum((flood.end - flood.begin for flood in floods), timedelta())
    frequent = _frequent(alarms)
    return Quality(
        alarms=len(alarms),
        per_ten_minutes=_figure(len(alarms) / ((until - since) / WINDOW), PER_TEN_MINUTES),
        worst_ten_minutes=_figure(most_within(instants, WINDOW), WORST_TEN_MINUTES),
        per_day=_figure(len(alarms) / ((until - since) / DAY), PER_DAY),
        days=_days(instants, since, until),
        floods=floods,
        flood_share=_figure(flooded / (until - since), FLOOD_SHARE),
        stale=_figure(sum(_is_stale(row, until) for row in asking), STALE),
        chattering=_figure(len(_chattering(alarms) | chattering), CHATTERING),
        most_frequent=frequent,
        most_frequent_share=_share(sum(one.alarms for one in frequent), len(alarms), MOST_FREQUENT_SHARE),
        severities=_severities(alarms),
        unacknowledged=sum(row.acknowledged_at is None for row in alarms),
        swiftness=_swiftness(alarms),
        false_alarms=_share(sum(row.false_alarm_by is not None for row in alarms), len(alarms), FEW_FALSE),
        false_by_rule=_false_rates(alarms, lambda row: row.rule),
        false_by_device=_false_rates(alarms, lambda row: row.device.path),
        false_by_pair=_false_pairs(alarms),
        told=_told(notified, since, until),
        acknowledgers=_acknowledgers(alarms),
    )


def _figure(value: float, target: Target) -> Figure:
    return Figure(value, target, None if target == Target() else target.met_by(value))


def _share(part: int, whole: int, target: Target) -> Figure:
    return _figure(part / whole, target) if whole else Figure(None, target, None)


def _days(instants: Sequence[datetime], since: datetime, until: datetime) -> list[Period]:
    counted = Counter((instant - since) // DAY for instant in instants)
    days = -(-(until - since) // DAY)
    return [Period(since + day * DAY, min(since + (day + 1) * DAY, until), counted[day]) for day in range(days)]


def _is_stale(row: AlertRow, until: datetime) -> bool:
    """Whether what raised it had lasted for more than a day at ``until``."""
    return row.fired_at < until - STALE_AFTER and (row.resolved_at is None or row.resolved_at >= until)


def _grouped(alarms: Iterable[AlertRow], key: Callable[[AlertRow], Key]) -> dict[Key, list[AlertRow]]:
    groups: dict[Key, list[AlertRow]] = defaultdict(list)
    for alarm in alarms:
        groups[key(alarm)].append(alarm)
    return groups


def _origin(row: AlertRow) -> tuple[str, str]:
    return row.rule, row.device.path


def _chattering(alarms: Sequence[AlertRow]) -> set[tuple[str, str]]:
    """Return the rules on devices that fired three times or more within 60 s."""
    return {
        origin
        for origin, group in _grouped(alarms, _origin).items()
        if most_within([row.fired_at for row in group], CHATTER_WINDOW) >= CHATTER_COUNT
    }


def _frequent(alarms: Sequence[AlertRow]) -> list[Frequent]:
    counted = sorted(Counter(map(_origin, alarms)).items(), key=lambda one: (-one[1], one[0]))
    return [Frequent(*origin, count, count / len(alarms)) for origin, count in counted[:MOST_FREQUENT]]


def _severities(alarms: Sequence[AlertRow]) -> dict[str, Figure]:
    counted = Counter(row.severity for row in alarms)
    return {severity.value: _share(counted[severity], len(alarms), target) for severity, target in SEVERITIES.items()}


def _swiftness(alarms: Iterable[AlertRow]) -> Swiftness:
    waited = [row.acknowledged_at - row.fired_at for row in alarms if row.acknowledged_at is not None]
    nine_of_ten = percentile(waited, 0.9)
    return Swiftness(
        acknowledged=len(waited),
        median_seconds=median(one.total_seconds() for one in waited) if waited else None,
        percentile_90_seconds=(
            Figure(None, ACKNOWLEDGED_SOON, None)
            if nine_of_ten is None
            else _figure(nine_of_ten.total_seconds(), ACKNOWLEDGED_SOON)
        ),
    )


def _false_rates(alarms: Iterable[AlertRow], key: Callable[[AlertRow], str]) -> list[FalseRate]:
    """Return the rates of those with a false alarm, the highest first."""
    rates = [FalseRate(name, *_false_of(group)) for name, group in _grouped(alarms, key).items()]
    return sorted((rate for rate in rates if rate.false), key=lambda rate: (-rate.rate, -rate.alarms, rate.name))


def _false_pairs(alarms: Iterable[AlertRow]) -> list[FalsePair]:
    """Return the rates of rules on devices with a false alarm, the highest first."""
    groups = _grouped(alarms, _origin).items()
    pairs = [FalsePair(rule, device, *_false_of(group)) for (rule, device), group in groups]
    return sorted(
        (pair for pair in pairs if pair.false), key=lambda pair: (-pair.rate, -pair.alarms, pair.rule, pair.device)
    )


def _false_of(group: Sequence[AlertRow]) -> tuple[int, int, float]:
    """Return how many alarms ``group`` holds, which is not empty, how many of them were false, and their share."""
    false = sum(row.false_alarm_by is not None for row in group)
    return len(group), false, false / len(group)


def _told(notified: Iterable[NotifiedRow], since: datetime, until: datetime) -> list[Told]:
    calls = (row for row in notified if since <= row.created_at < until and row.purpose in _CALLS)
    counted = sorted(Counter(row.person or row.receiver for row in calls).items())
    return [
        Told(
            name,
            count,
            _figure(count / ((until - since) / WINDOW), PER_TEN_MINUTES),
            _figure(count / ((until - since) / DAY), PER_DAY),
        )
        for name, count in counted
    ]


def _acknowledgers(alarms: Iterable[AlertRow]) -> list[Acknowledger]:
    seen = sorted((row for row in alarms if row.acknowledged_by is not None), key=lambda row: row.acknowledged_by or "")
    return [
        Acknowledger(name or "", _swiftness(group)) for name, group in groupby(seen, lambda row: row.acknowledged_by)
    ]
