"""Alerts through the notification desk in virtual time: who is told and when, in a duty room that acknowledges.

A ladder is climbed until somebody acknowledges, so how often people are told depends on them. Here the operator
acknowledges all alerts of a notification a fixed time after it, the first and each later one, and does nothing else.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count

from msgspec import Struct
from msgspec.structs import replace

from alerts.dispatch.desk import Desk
from alerts.dispatch.model import Intent, Purpose, Told
from alerts.dispatch.plan import Plan
from alerts.inventory import Inventory
from alerts.model import Severity, Transition, TransitionKind

# Ours: well within the five minutes in which nine of ten alarms should be seen (`alerts.quality`).
ACKNOWLEDGED_AFTER = timedelta(minutes=2)
OPERATOR = "operator"
# What asks the operator for something; the end of an incident and a test do not.
_CALLS = frozenset(Purpose) - {Purpose.RESOLVED, Purpose.TEST}


class Notification(Struct, frozen=True):
    """One thing said of one incident that asks for something, however many receivers get it."""

    at: datetime
    incident: str
    purpose: Purpose
    critical: bool
    alerts: tuple[str, ...]
    """The ids of those listed that still fire; where none does (an alarm button that was let go), of all listed."""
    receivers: tuple[str, ...]


def notifications(
    transitions: Iterable[Transition],
    plan: Plan,
    inventory: Inventory,
    until: datetime,
    acknowledged_after: timedelta = ACKNOWLEDGED_AFTER,
) -> list[Notification]:
    """Return what people are told of ``transitions``, which are by rising instant, up to ``until``."""
    room = _DutyRoom(Desk(plan, inventory), acknowledged_after)
    for one in transitions:
        room.pass_time(one.at)
        room.observe(one)
    room.pass_time(until)
    return room.said


class _DutyRoom:
    """The desk with its operator; time passes from one due instant to the next, so that no acknowledgement is late."""

    def __init__(self, desk: Desk, acknowledged_after: timedelta) -> None:
        self._desk = desk
        self._acknowledged_after = acknowledged_after
        self._acknowledgements: list[tuple[datetime, int, tuple[str, ...]]] = []
        self._steps = count(1)
        self._told: dict[str, Told] = {}
        """The newest step of each alert."""
        self.said: list[Notification] = []

    def pass_time(self, until: datetime) -> None:
        """Let the desk say what is due until ``until``, and the operator acknowledge it."""
        while True:
            due = self._desk.next_due() or until
            acknowledged = self._acknowledgements[0][0] if self._acknowledgements else until
            if min(due, acknowledged) >= until:
                return
            if acknowledged <= due:
                self._acknowledge()
            else:
                self._take(self._desk.advance(due).intents)

    def observe(self, said: Transition) -> None:
        """Let the desk read one step of a timeline."""
        before = self._told.get(said.alert_id)
        fired_at = said.at if before is None or said.kind is TransitionKind.FIRING else before.fired_at
        self._tell(
            Told(
                sequence=next(self._steps),
                alert_id=said.alert_id,
                rule=said.rule,
                severity=said.severity,
                device=said.device,
                kind=said.kind,
                at=said.at,
                recorded_at=said.at,
                actor=None,
                reason=said.reason,
                title_zh=said.title_zh,
                title_en=said.title_en,
                fired_at=fired_at,
                latching=said.latching,
                protected=said.protected,
                maintenance=said.maintenance,
            )
        )

    def _acknowledge(self) -> None:
        at, _, alerts = heappop(self._acknowledgements)
        for its_id in alerts:
            step = replace(
                self._told[its_id],
                sequence=next(self._steps),
                kind=TransitionKind.ACKNOWLEDGED,
                at=at,
                recorded_at=at,
                actor=OPERATOR,
            )
            self._take(self._desk.observe(step).intents)

    def _tell(self, told: Told) -> None:
        self._told[told.alert_id] = told
        self._take(self._desk.observe(told).intents)

    def _take(self, intents: Iterable[Intent]) -> None:
        together: dict[tuple[str, int], list[Intent]] = {}
        for intent in intents:
            if intent.purpose in _CALLS:
                together.setdefault((intent.incident, intent.version), []).append(intent)
        for several in together.values():
            self._note(several[0], tuple(each.receiver for each in several))

    def _note(self, intent: Intent, receivers: tuple[str, ...]) -> None:
        standing = [each for each in intent.alerts if each.resolved_at is None] or intent.alerts
        critical = any(each.severity is Severity.CRITICAL for each in standing)
        listed = tuple(each.id for each in standing)
        self.said.append(Notification(intent.at, intent.incident, intent.purpose, critical, listed, receivers))
        mentioned = tuple(each.id for each in intent.alerts)
        heappush(self._acknowledgements, (intent.at + self._acknowledged_after, next(self._steps), mentioned))
