"""The figures of an estate by how devices send and by what their makes lack."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from msgspec import Struct

from alerts.scoring.figures import MONTH, Scored
from alerts.scoring.judging import Judged
from alerts.scoring.report import Outcome
from app.score_words import table
from tests.quality.baseline import VITAL
from tests.quality.model import Station

_HEAD = ("", "devices", "alerts", "true", "false", "false/device/month", "entrapments and fires found")


class _Own(Struct):
    """What belongs to one device."""

    alerts: list[Judged] = []
    vital: list[Outcome] = []


def lines(scored: Scored, stations: Sequence[Station], span: timedelta) -> Iterator[str]:
    """Yield a table of paces, and one of everything that makes of lifts lack or do poorly."""
    own: dict[str, _Own] = defaultdict(_Own)
    for one in scored.judgement.alerts:
        own[one.alert.device.path].alerts.append(one)
    for outcome in scored.outcomes():
        if outcome.kind in VITAL and outcome.sign:
            own[outcome.device].vital.append(outcome)
    paces, makes = defaultdict[str, list[_Own]](list), defaultdict[str, list[_Own]](list)
    for station in stations:
        device = station.device
        paces[f"{device.kind.value} {station.pace}"].append(own[device.path])
        for part in station.make.split("+"):
            makes[f"{device.kind.value} {part}"].append(own[device.path])
    for title, groups in (("By pace", paces), ("By make", makes)):
        yield from ("", title)
        yield from table(_rows(groups, span), _HEAD)


def _rows(groups: Mapping[str, Sequence[_Own]], span: timedelta) -> Iterator[Sequence[str]]:
    for name in sorted(groups):
        devices = groups[name]
        alerts = [alert for device in devices for alert in device.alerts]
        vital = [outcome for device in devices for outcome in device.vital]
        false = sum(alert.true is False for alert in alerts)
        yield (
            name,
            f"{len(devices)}",
            f"{len(alerts)}",
            f"{sum(alert.true is True for alert in alerts)}",
            f"{false}",
            f"{false / len(devices) / (span / MONTH):.1f}",
            f"{sum(not outcome.missed for outcome in vital)}/{len(vital)}" if vital else "",
        )
