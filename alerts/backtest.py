"""What rules would have raised: a fold over history, beside the rules that are in force now. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo

from msgspec import Struct
from msgspec.structs import replace

from alerts.engine import Engine
from alerts.inventory import Inventory
from alerts.model import Severity, Transition, TransitionKind
from alerts.rules.model import Rule
from core.devices import DeviceKey
from core.observations import Observation

# What is beyond is counted, and no more: a rule that raises more than this wants another look, not another list.
LISTED_AT_MOST = 1_000
_KEPT_AT_MOST = 100_000
_NO_FACTS = Inventory()
_DAY = timedelta(days=1)


class BacktestAlert(Struct, frozen=True):
    """An alert that would have been; ``until`` is ``None`` where it was still open at the end.

    ``also_now`` tells whether the rule in force raised one as well, ``None`` where there is nothing to compare with.
    """

    rule: str
    device: DeviceKey
    severity: Severity
    since: datetime
    until: datetime | None
    reason_zh: str
    reason_en: str
    also_now: bool | None = None


class DayCount(Struct, frozen=True):
    """How many alerts would have begun on a day of the community's zone."""

    day: date
    alerts: int


class Comparison(Struct, frozen=True):
    """Beside the rules of the same ids in force: alerts of one rule on one device match where their times overlap."""

    both: int
    only_new: int
    only_present: int
    lost: list[BacktestAlert]
    """Those that only the present rules raise: the first thousand."""


class Coverage(Struct, frozen=True):
    """Which source the messages of a span came from: ``journal`` or ``telemetry``."""

    source: str
    since: datetime
    until: datetime
    messages: int


class BacktestReport(Struct, frozen=True):
    """What came of a backtest; ``alerts`` are the first thousand, by instant, ``total`` counts all.

    ``per_day`` is ``None`` for a span below a day: what an hour held says nothing of a day.
    """

    rules: list[str]
    since: datetime
    until: datetime
    coverage: list[Coverage]
    messages: int
    seconds: float
    total: int
    per_day: float | None
    days: list[DayCount]
    alerts: list[BacktestAlert]
    comparison: Comparison | None
    notes: list[str]


class _Raised:
    """The alerts that one set of rules raised, by id."""

    def __init__(self) -> None:
        self.alerts: dict[str, BacktestAlert] = {}
        self.uncounted = 0

    def take(self, said: Iterable[Transition]) -> None:
        for one in said:
            if one.kind is TransitionKind.FIRING:
                self._open(one)
            elif (known := self.alerts.get(one.alert_id)) is not None:
                self.alerts[one.alert_id] = _told_more(known, one)

    def _open(self, said: Transition) -> None:
        if len(self.alerts) >= _KEPT_AT_MOST:
            self.uncounted += 1
            return
        reason = said.reason
        self.alerts[said.alert_id] = BacktestAlert(
            said.rule, said.device, said.severity, said.at, None, reason.zh, reason.en
        )


class _Trial:
    """One set of rules on its way through history."""

    def __init__(self, rules: Sequence[Rule], inventory: Inventory) -> None:
        self._rules = rules
        self._inventory = inventory
        self._states: dict[str, bytes] = {}
        self.engine = self._begun()
        self.raised = _Raised()

    def observe(self, observation: Observation) -> None:
        self.raised.take(self.engine.observe(observation))

    def advance(self, now: datetime) -> None:
        ahead = self.engine.wall_ahead
        self.raised.take(self.engine.advance(now - ahead, ahead))

    def put_aside(self) -> None:
        self._states |= {path: state for path, state in self.engine.dirty().items() if state is not None}
        self.engine = self._begun()

    def bring_together(self) -> None:
        self.put_aside()
        self.engine.restore(self._states)
        self._states = {}

    def _begun(self) -> Engine:
        engine = Engine(self._rules)
        engine.set_inventory(self._inventory)
        return engine


class Backtest:
    """Folds observations through ``rules``, and through the rules of the same ids in force where those differ.

    The facts of devices are those of today: ``inventory`` has no past. Observations come in order of arrival. Where
    history is told device by device, `put_aside` lies between two of them, and `bring_together` before all of them go
    on at once.
    """

    def __init__(self, rules: Sequence[Rule], present: Sequence[Rule] = (), inventory: Inventory = _NO_FACTS) -> None:
        ids = {rule.id for rule in rules}
        others = [rule for rule in present if rule.id in ids and rule not in rules]
        self._ids = sorted(ids)
        self._compared = {rule.id for rule in others}
        self._trial = _Trial(rules, inventory)
        self._present = _Trial(others, inventory) if others else None
        self._trials = [self._trial, *([self._present] if self._present else [])]
        self.messages = 0

    def observe(self, observation: Observation) -> None:
        """Take one message."""
        self.messages += 1
        for trial in self._trials:
            trial.observe(observation)

    def advance(self, now: datetime) -> None:
        """Let time pass until ``now`` of the wall clock, for the devices told of since the last `put_aside`."""
        for trial in self._trials:
            trial.advance(now)

    def put_aside(self) -> None:
        """Go on with other devices, from the beginning of their history."""
        for trial in self._trials:
            trial.put_aside()

    def bring_together(self) -> None:
        """Go on with all devices, each where its history ended."""
        for trial in self._trials:
            trial.bring_together()

    def report(
        self, coverage: Sequence[Coverage], notes: Iterable[str], zone: tzinfo, seconds: float
    ) -> BacktestReport:
        """Return what came of it; ``coverage`` is not empty, ``zone`` says where days begin."""
        since, until = min(one.since for one in coverage), max(one.until for one in coverage)
        alerts = sorted(self._trial.raised.alerts.values(), key=_order)
        total = len(alerts) + self._trial.raised.uncounted
        comparison = None
        if self._present is not None:
            alerts, comparison = _compared(alerts, self._present.raised, self._compared, until)
        return BacktestReport(
            self._ids,
            since,
            until,
            list(coverage),
            self.messages,
            seconds,
            total,
            total / ((until - since) / _DAY) if until - since >= _DAY else None,
            _by_day(alerts, since, until, zone),
            alerts[:LISTED_AT_MOST],
            comparison,
            [*notes, *self._own_notes()],
        )

    def _own_notes(self) -> list[str]:
        if not any(trial.raised.uncounted for trial in self._trials):
            return []
        return [f"more than {_KEPT_AT_MOST} alerts: days and comparison leave out those beyond"]


def _told_more(alert: BacktestAlert, said: Transition) -> BacktestAlert:
    worst = min(alert.severity, said.severity, key=list(Severity).index)
    until = said.at if said.kind is TransitionKind.RESOLVED else alert.until
    return replace(alert, severity=worst, until=until)


def _order(alert: BacktestAlert) -> tuple[datetime, str, str]:
    return alert.since, alert.rule, alert.device.path


def _by_day(alerts: Iterable[BacktestAlert], since: datetime, until: datetime, zone: tzinfo) -> list[DayCount]:
    counts = Counter(alert.since.astimezone(zone).date() for alert in alerts)
    first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [DayCount(day, counts[day]) for day in days]


def _compared(
    alerts: Sequence[BacktestAlert], present: _Raised, rules: set[str], until: datetime
) -> tuple[list[BacktestAlert], Comparison]:
    """Return ``alerts``, each with whether the present rule raised it too, and the sums."""
    now = sorted(present.alerts.values(), key=_order)
    ours, theirs = _spans(alerts), _spans(now)
    marked = [
        replace(alert, also_now=_overlaps(alert, theirs, until)) if alert.rule in rules else alert for alert in alerts
    ]
    both = sum(alert.also_now is True for alert in marked)
    lost = [alert for alert in now if not _overlaps(alert, ours, until)]
    only_new = sum(alert.also_now is False for alert in marked)
    return marked, Comparison(both, only_new, len(lost), lost[:LISTED_AT_MOST])


_Spans = Mapping[tuple[str, DeviceKey], Sequence[BacktestAlert]]


def _spans(alerts: Iterable[BacktestAlert]) -> _Spans:
    spans: defaultdict[tuple[str, DeviceKey], list[BacktestAlert]] = defaultdict(list)
    for alert in alerts:
        spans[alert.rule, alert.device].append(alert)
    return spans


def _overlaps(alert: BacktestAlert, others: _Spans, end: datetime) -> bool:
    until = alert.until or end
    return any(
        other.since <= until and alert.since <= (other.until or end)
        for other in others.get((alert.rule, alert.device), ())
    )
