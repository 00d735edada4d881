"""The figures of a score."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, time, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from alerts.dispatch.model import Purpose
from alerts.dispatch.plan import Plan
from alerts.history import AlertRow
from alerts.inventory import Inventory
from alerts.model import Severity
from alerts.quality import (
    DAY,
    FEW_FALSE,
    PER_DAY,
    STALE,
    STALE_AFTER,
    WINDOW,
    WORST_TEN_MINUTES,
    Figure,
    Quality,
    Target,
    measure,
)
from alerts.rates import most_within
from alerts.rules.model import Rule
from alerts.scoring.duty import notifications
from alerts.scoring.judging import Judged, Judgement, judged
from alerts.scoring.replay import Replayed, raised
from alerts.scoring.report import (
    LISTED_AT_MOST,
    Counted,
    Delay,
    DutyRoom,
    FalseAlert,
    KindScore,
    Outcome,
    RuleScore,
    ScoreReport,
)
from alerts.scoring.truth import Known, Truth
from core.devices import DeviceKey, DeviceKind

MONTH = timedelta(days=30)
_WORST_DEVICES = 10
_NIGHT_BEGINS, _NIGHT_ENDS = time(22), time(7)
# Ours, as `FEW_FALSE` of alarms: nine of ten things that people are told are so.
TRUE_OF_TOLD = Target(at_least=1 - (FEW_FALSE.at_most or 0))
_AGAIN = frozenset({Purpose.ESCALATION, Purpose.REMINDER, Purpose.UNATTENDED})


class Scored:
    """One run of rules beside what really happened; ``judgement`` holds every outcome, ``report`` the figures."""

    def __init__(
        self,
        rules: Sequence[Rule],
        devices: Sequence[DeviceKey],
        inventory: Inventory,
        plan: Plan,
        truth: Truth,
        replayed: Replayed,
    ) -> None:
        self._rules = rules
        self._devices = Counter(device.kind for device in devices)
        self._truth = truth
        self.replayed = replayed
        self._span = truth.until - truth.since
        self._known = Known(truth)
        self.told = notifications(replayed.transitions, plan, inventory, truth.until)
        self.judgement: Judgement = judged(truth, raised(replayed.transitions), self.told)
        self._by_id = {one.alert.id: one for one in self.judgement.alerts}

    def report(self) -> ScoreReport:
        """Return all figures."""
        truth, alerts, outcomes = self._truth, self.judgement.alerts, self.outcomes()
        return ScoreReport(
            since=truth.since,
            until=truth.until,
            zone=truth.zone,
            devices=self._devices.total(),
            messages=self.replayed.messages,
            rejected=self.replayed.rejected,
            duplicates=self.replayed.duplicates,
            rules=[self._rule_score(rule) for rule in self._rules],
            kinds=[_kind_score(kind, outcomes) for kind in sorted({one.kind for one in outcomes})],
            duty=self._duty_room(),
            quality=self._quality(),
            missed=[one for one in outcomes if one.missed][:LISTED_AT_MOST],
            false_alerts=[_false_alert(one) for one in alerts if one.true is False][:LISTED_AT_MOST],
        )

    def outcomes(self) -> list[Outcome]:
        """Return what came of each known incident."""
        return [outcome for _, outcome in self.judgement.outcomes]

    def _rule_score(self, rule: Rule) -> RuleScore:
        alerts = [one for one in self.judgement.alerts if one.alert.rule == rule.id]
        false = [one for one in alerts if one.true is False]
        known, found = self._known, self.judgement.by_rule.get(rule.id, {})
        own = [
            (outcome, found.get(place))
            for place, (incident, outcome) in enumerate(self.judgement.outcomes)
            if DeviceKey.from_path(incident.device).kind is rule.kind and known.finds(rule.id, incident)
        ]
        if known.is_notice(rule.id):
            own = []
        return RuleScore(
            rule=rule.id,
            severity=rule.severity.value,
            alerts=len(alerts),
            true=sum(one.true is True for one in alerts),
            false=len(false),
            incidents=len(own),
            with_sign=sum(one.sign is not None for one, _ in own),
            found=sum(at is not None for _, at in own),
            missed=sum(one.missed for one, _ in own),
            after_the_end=sum(at is not None and at > one.ended for one, at in own),
            delay=_delay(_waited(one, at) for one, at in own if at is not None),
            false_per_device_month=self._per_device_month(len(false), rule.kind),
            told=self._told_of({one.alert.id for one in alerts}),
            devices=_counted(false, lambda one: one.alert.device.path)[:_WORST_DEVICES],
            causes=_counted(false, lambda one: one.cause),
        )

    def _per_device_month(self, alerts: int, kind: DeviceKind) -> float:
        return alerts / max(self._devices[kind], 1) / (self._span / MONTH)

    def _told_of(self, alerts: set[str]) -> int:
        return sum(not alerts.isdisjoint(one.alerts) for one in self.told)

    def _duty_room(self) -> DutyRoom:
        days, told = self._span / DAY, self.told
        critical = [one for one in told if one.critical and one.purpose not in _AGAIN]
        standing = [one for one in self.judgement.alerts if one.alert.resolved_at is None]
        stale = sum(one.alert.fired_at < self._truth.until - STALE_AFTER for one in standing)
        return DutyRoom(
            told=len(told),
            told_per_day=_figure(len(told) / days, PER_DAY),
            told_again=sum(one.purpose in _AGAIN for one in told),
            true_share_of_told=self._true_share(),
            critical_per_day=len(critical) / days,
            critical_per_night=sum(_at_night(one.at, ZoneInfo(self._truth.zone)) for one in critical) / days,
            worst_ten_minutes_told=_figure(most_within([one.at for one in told], WINDOW), WORST_TEN_MINUTES),
            standing=len(standing),
            standing_over_a_day=_figure(stale, STALE),
            standing_untrue=sum(not self._lasts(one) for one in standing if one.true is not None),
        )

    def _true_share(self) -> Figure:
        """Of the notifications that speak of anything that can be true, the share that speaks of something true."""
        verdicts = [[self._by_id[its_id].true for its_id in one.alerts] for one in self.told]
        judged_ones = [each for each in verdicts if any(verdict is not None for verdict in each)]
        if not judged_ones:
            return Figure(None, TRUE_OF_TOLD, None)
        return _figure(sum(any(each) for each in judged_ones) / len(judged_ones), TRUE_OF_TOLD)

    def _lasts(self, one: Judged) -> bool:
        """Tell whether something that the alert may be about lasts at the end of the span."""
        known, alert = self._known, one.alert
        part = alert.rises[-1].part
        return any(
            known.about(alert.rule, incident)
            for incident in known.incidents(alert.device.path, part, self._truth.until)
        )

    def _quality(self) -> Quality:
        rows = [_row(number, one) for number, one in enumerate(self.judgement.alerts, 1)]
        return measure(rows, (), self._truth.since, self._truth.until)


def _kind_score(kind: str, outcomes: Iterable[Outcome]) -> KindScore:
    own = [one for one in outcomes if one.kind == kind]
    return KindScore(
        kind=kind,
        incidents=len(own),
        with_sign=sum(one.sign is not None for one in own),
        found=sum(one.found is not None for one in own),
        missed=sum(one.missed for one in own),
        mentioned_only=sum(one.missed and one.mentioned is not None for one in own),
        delay=_delay(one.delay_seconds for one in own if one.delay_seconds is not None),
        told=_delay(one.told_seconds for one in own if one.told_seconds is not None),
    )


def _waited(outcome: Outcome, at: datetime) -> float:
    return max(0.0, (at - (outcome.sign or outcome.began)).total_seconds())


def _delay(seconds: Iterable[float]) -> Delay:
    waited = sorted(seconds)
    return Delay(median(waited), waited[-1]) if waited else Delay(None, None)


def _counted(false: Iterable[Judged], key: Callable[[Judged], str]) -> list[Counted]:
    counts = Counter(map(key, false)).items()
    return [Counted(name, alerts) for name, alerts in sorted(counts, key=lambda one: (-one[1], one[0]))]


def _figure(value: float, target: Target) -> Figure:
    return Figure(value, target, target.met_by(value))


def _at_night(at: datetime, zone: ZoneInfo) -> bool:
    local = at.astimezone(zone).time()
    return local >= _NIGHT_BEGINS or local < _NIGHT_ENDS


def _false_alert(one: Judged) -> FalseAlert:
    alert = one.alert
    return FalseAlert(alert.rule, alert.device.path, alert.fired_at, one.cause, alert.reason)


def _row(number: int, one: Judged) -> AlertRow:
    """Return the alert as `alerts.quality` reads it."""
    alert = one.alert
    return AlertRow(
        number=number,
        id=alert.id,
        rule=alert.rule,
        severity=Severity(alert.severity),
        device=alert.device,
        state="firing" if alert.resolved_at is None else "resolved",
        title_zh="",
        title_en="",
        reason_zh="",
        reason_en=alert.reason,
        pending_since=alert.fired_at,
        fired_at=alert.fired_at,
        resolved_at=alert.resolved_at,
        acknowledged_at=None,
        acknowledged_by=None,
        false_alarm_by="truth" if one.true is False else None,
    )
