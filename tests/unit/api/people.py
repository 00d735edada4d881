"""The ports through which people act, as small real implementations in memory, and a plan of who is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from msgspec.structs import replace

from alerts.backtest import BacktestReport
from alerts.dispatch.model import Intent, OutboxEntry, OutboxStatus, Purpose, Suppression, SuppressionKind
from alerts.dispatch.plan import (
    AppriseChannel,
    Layer,
    MqttChannel,
    Person,
    Plan,
    Policy,
    Receiver,
    Rota,
    Route,
    Step,
    WebhookChannel,
)
from alerts.history import AlertRow, NotifiedRow, PersonTestRow, RotaOverrideRow, RuleRevisionRow
from alerts.inventory import DeviceFacts, Inventory
from alerts.matchers import Matcher
from alerts.model import Severity
from alerts.rules.book import BOOK_SOURCE, BUILTIN_SOURCE, RuleInForce
from alerts.rules.loading import load_rule
from core.devices import DeviceKey
from core.errors import AnjuError, Conflict
from tests.unit.api.twins import RecordsTwin

SECRET = "https://hooks.example/with-a-secret"
PLAN = Plan(
    version=1,
    receivers=[
        Receiver("duty-room", apprise=AppriseChannel(SECRET)),
        Receiver("platform", webhook=WebhookChannel(SECRET, "secret")),
        Receiver("siren", mqtt=MqttChannel("site/siren")),
    ],
    people=[Person("lan", ["duty-room"]), Person("wang", ["duty-room", "siren"])],
    rotas=[Rota("guards", [Layer(date(2026, 8, 10), ["lan", "wang"])], zone="Asia/Shanghai")],
    policies=[Policy("usual", [Step("0s", ["rota:guards"])])],
    routes=[Route("usual")],
)


class ActsTwin:
    """`api.ports.AlertActs` over the alerts of `RecordsTwin`."""

    def __init__(self, records: RecordsTwin, suppressions: "SuppressionsTwin") -> None:
        self._records = records
        self._suppressions = suppressions

    async def assign(self, alert_id: str, actor: str, assignee: str | None, now: datetime) -> AlertRow | None:
        row = await self._row(alert_id)
        return row and self._records.change(row, "assigned", actor, now, assigned_to=assignee)

    async def reset(self, alert_id: str, actor: str, comment: str | None, now: datetime) -> AlertRow | None:
        row = await self._row(alert_id)
        if row is None or row.reset_at is not None:
            return row
        if row.state != "latched":
            raise Conflict(f"alert {alert_id} is {row.state}: expected one that is latched")
        if comment:
            self._records.add(row, "commented", actor, comment, now)
        return self._records.change(row, "reset", actor, now, state="resolved", reset_at=now, reset_by=actor)

    async def mark_false(
        self, alert_id: str, actor: str, comment: str | None, now: datetime, *, false: bool
    ) -> AlertRow | None:
        row = await self._row(alert_id)
        if row is None or (row.false_alarm_by is not None) is false:
            return row
        kind = "marked_false" if false else "unmarked_false"
        return self._records.change(row, kind, actor, now, false_alarm_by=actor if false else None)

    async def shelve(
        self, alert_id: str, actor: str, until: datetime, reason: str, now: datetime
    ) -> Suppression | None:
        row = await self._row(alert_id)
        if row is None:
            return None
        if row.protected:
            raise Conflict(f"alert {alert_id} is protected: expected one that may be shelved")
        self._records.change(row, "shelved", actor, now, suppression="shelved")
        matchers = (Matcher("rule", row.rule), Matcher("path", row.device.path))
        return await self._suppressions.add(
            Suppression("", SuppressionKind.SHELVED, matchers, now, until, reason, actor, now)
        )

    async def unshelve(self, alert_id: str, actor: str, now: datetime) -> AlertRow | None:
        row = await self._row(alert_id)
        if row is None or row.suppression != "shelved":
            return row
        for kept in self._suppressions.rows.values():
            if Matcher("path", row.device.path) in kept.matchers:
                await self._suppressions.end(kept.id, actor, now)
        return self._records.change(row, "unshelved", actor, now, suppression=None)

    async def _row(self, alert_id: str) -> AlertRow | None:
        found = await self._records.alert(alert_id)
        return None if found is None else found[0]


@dataclass
class SuppressionsTwin:
    """`api.ports.Suppressions` in memory; its clock is the newest ``now`` it was given."""

    rows: dict[str, Suppression] = field(default_factory=dict)

    async def list(self, *, ended: bool, before: str | None, limit: int) -> Sequence[Suppression]:
        rows = [self.rows[each] for each in sorted(self.rows, reverse=True) if before is None or each < before]
        return [row for row in rows if ended or row.ended_at is None][:limit]

    async def get(self, suppression_id: str) -> Suppression | None:
        return self.rows.get(suppression_id)

    async def add(self, suppression: Suppression) -> Suppression:
        kept = replace(suppression, id=f"s{len(self.rows):06d}")
        self.rows[kept.id] = kept
        return kept

    async def end(self, suppression_id: str, actor: str, now: datetime) -> Suppression | None:
        kept = self.rows.get(suppression_id)
        if kept is not None and kept.ended_at is None:
            kept = self.rows[suppression_id] = replace(kept, ended_at=now, ended_by=actor)
        return kept


@dataclass
class RegistryTwin:
    """`api.ports.RegistryStore` in memory."""

    facts: dict[DeviceKey, DeviceFacts] = field(default_factory=dict)
    told_by: list[str] = field(default_factory=list)

    async def inventory(self) -> Inventory:
        return Inventory(self.facts, len(self.told_by))

    async def put_facts(self, device: DeviceKey, facts: DeviceFacts, actor: str, now: datetime) -> None:
        self.facts[device] = facts
        self.told_by.append(actor)


@dataclass
class QualityTwin:
    """`api.ports.QualityReader` over rows in memory, of which it returns those asked for."""

    records: RecordsTwin
    notified: list[NotifiedRow] = field(default_factory=list)
    chattering: set[tuple[str, str]] = field(default_factory=set)

    async def chattering_between(self, community: str | None, since: datetime, until: datetime) -> set[tuple[str, str]]:
        return {one for one in self.chattering if community in (None, one[1].split("/")[0])}

    async def alerts_between(self, community: str | None, since: datetime, until: datetime) -> Sequence[AlertRow]:
        return [
            row
            for row in self.records.alert_rows
            if community in (None, row.device.community)
            and row.fired_at < until
            and (row.fired_at >= since or row.resolved_at is None or row.resolved_at >= until)
        ]

    async def notified_between(self, community: str | None, since: datetime, until: datetime) -> Sequence[NotifiedRow]:
        return [row for row in self.notified if community in (None, row.community) and since <= row.created_at < until]


@dataclass
class OutboxTwin:
    """`api.ports.OutboxView`, `FailingReceivers` and `TestSender` in memory."""

    entries: list[OutboxEntry] = field(default_factory=list)
    failing: dict[str, str] = field(default_factory=dict)

    async def outbox(
        self, *, status: str | None, receiver: str | None, alert_id: str | None, before: int | None, limit: int
    ) -> Sequence[OutboxEntry]:
        return [
            entry
            for entry in reversed(self.entries)
            if (before is None or entry.number < before)
            and status in (None, entry.status)
            and receiver in (None, entry.intent.receiver)
            and (alert_id is None or alert_id in [alert.id for alert in entry.intent.alerts])
        ][:limit]

    async def failing_receivers(self) -> dict[str, str]:
        return self.failing

    async def send_test(self, receiver: str, actor: str, now: datetime) -> int:
        number = len(self.entries) + 1
        intent = Intent(
            f"test-{number}", f"test-{number}", 1, receiver, Purpose.TEST, Severity.INFO, now, 0, "", (), 0, actor
        )
        self.entries.append(OutboxEntry(number, intent, OutboxStatus.WAITING, 0, now, now))
        return number


@dataclass
class PersonTestsTwin:
    """`api.ports.PersonTests` in memory."""

    rows: dict[str, PersonTestRow] = field(default_factory=dict)

    async def newest(self) -> Mapping[str, PersonTestRow]:
        return dict(self.rows)

    async def acknowledge(self, person: str, sent_at: datetime, actor: str, now: datetime) -> PersonTestRow:
        known = self.rows.get(person)
        if known is not None and known.sent_at == sent_at and known.acknowledged_at is not None:
            return known
        said = PersonTestRow(person, sent_at, now, actor)
        if known is None or known.sent_at <= sent_at:
            self.rows[person] = said
        return said


@dataclass
class RotaTwin:
    """`api.ports.RotaOverrides` in memory."""

    rows: list[RotaOverrideRow] = field(default_factory=list)

    async def overrides(self, since: datetime) -> Sequence[RotaOverrideRow]:
        return sorted((row for row in self.rows if row.ends_at > since), key=lambda row: row.starts_at)

    async def add_override(
        self, rota: str, person: str, starts_at: datetime, ends_at: datetime, author: str, now: datetime
    ) -> RotaOverrideRow:
        row = RotaOverrideRow(f"o{len(self.rows)}", rota, person, starts_at, ends_at, author, now)
        self.rows.append(row)
        return row

    async def remove_override(self, override_id: str, actor: str, now: datetime) -> bool:
        kept = [row for row in self.rows if row.id != override_id]
        removed = len(kept) < len(self.rows)
        self.rows = kept
        return removed


@dataclass
class RuleBookTwin:
    """`api.ports.RuleBook` in memory."""

    rows: list[RuleRevisionRow] = field(default_factory=list)

    async def version(self) -> int:
        return len(self.rows)

    async def newest(self) -> Sequence[RuleRevisionRow]:
        return sorted({row.rule: row for row in self.rows}.values(), key=lambda row: row.rule)

    async def history(self, rule: str) -> Sequence[RuleRevisionRow]:
        return [row for row in reversed(self.rows) if row.rule == rule]

    async def put(
        self,
        rule: str,
        text: str,
        *,
        enabled: bool,
        author: str,
        comment: str,
        now: datetime,
        expected_revision: int | None = None,
    ) -> RuleRevisionRow:
        revision = len(await self.history(rule))
        if expected_revision not in (None, revision):
            raise Conflict(f"rule {rule} is at revision {revision}: expected {expected_revision}")
        row = RuleRevisionRow(len(self.rows) + 1, rule, revision + 1, text, enabled, author, comment, now)
        self.rows.append(row)
        return row


@dataclass
class RulesTwin:
    """`api.ports.RulesInForce`: built-in rules, and what is kept, as soon as it is, unless it is told to ``lag``."""

    book: RuleBookTwin
    builtin: dict[str, str] = field(default_factory=dict)
    lag: bool = False
    refused: str = ""

    async def in_force(self) -> Sequence[RuleInForce]:
        force = {
            name: RuleInForce(name, load_rule(text, name), BUILTIN_SOURCE, text) for name, text in self.builtin.items()
        }
        for row in () if self.lag else await self.book.newest():
            rule = load_rule(row.text, row.rule)
            force[row.rule] = RuleInForce(row.rule, rule, BOOK_SOURCE, row.text, row.enabled, row.revision)
        return [force[name] for name in sorted(force)]

    async def problem(self) -> str:
        return self.refused


@dataclass
class PlanTwin:
    """`api.ports.PlanInForce` with one plan."""

    plan: Plan = PLAN
    source: str = "plan.yaml"
    refused: str = ""

    def current(self) -> Plan:
        return self.plan

    async def problem(self) -> str:
        return self.refused


@dataclass
class BacktesterTwin:
    """`api.ports.Backtester` that remembers what it was asked, and answers with ``report``."""

    asked: list[tuple[str, datetime, datetime, str | None]] = field(default_factory=list)
    report: BacktestReport | None = None
    failure: AnjuError | None = None

    async def backtest(
        self, text: str, since: datetime, until: datetime, community: str | None = None
    ) -> BacktestReport:
        self.asked.append((text, since, until, community))
        if self.failure is not None:
            raise self.failure
        assert self.report is not None
        return self.report


class People:
    """Everything through which people act."""

    def __init__(self, records: RecordsTwin) -> None:
        self.suppressions = SuppressionsTwin()
        self.acts = ActsTwin(records, self.suppressions)
        self.registry = RegistryTwin()
        self.quality = QualityTwin(records)
        self.outbox = OutboxTwin()
        self.tests = PersonTestsTwin()
        self.rota = RotaTwin()
        self.rule_book = RuleBookTwin()
        self.rules = RulesTwin(self.rule_book)
        self.plan = PlanTwin()
        self.backtester = BacktesterTwin()
