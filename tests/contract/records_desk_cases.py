"""Commits of the notification desk and intents for the tests of the records, told in few words."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from alerts.dispatch.model import (
    AlertBrief,
    DeskCommit,
    Intent,
    Purpose,
    Suppression,
    SuppressionKind,
    TimelineNote,
)
from alerts.matchers import Matcher
from alerts.model import Reason, Severity, Transition, TransitionKind
from alerts.ports import AlertRecords, DeskRecords, Outbox
from storage.memory.desk import MemoryDeskRecords
from tests.contract.records_cases import LIFT, START, after, commit


class MemoryEngine:
    """What an engine would commit, for a twin: its transitions reach the desk."""

    def __init__(self, desk: MemoryDeskRecords) -> None:
        self._desk = desk

    async def decide(self, transitions: list[Transition]) -> None:
        self._desk.record(transitions)


class RealEngine:
    """An engine on the same database as the desk."""

    def __init__(self, records: AlertRecords) -> None:
        self._records = records
        self._position = 0

    async def decide(self, transitions: list[Transition]) -> None:
        self._position += 1
        await self._records.commit(commit(self._position, transitions=transitions))


class Bench(Struct):
    """Every side of the desk's records, on one database or twin."""

    desk: DeskRecords
    outbox: Outbox
    engine: MemoryEngine | RealEngine


def brief(alert_id: str, severity: Severity = Severity.CRITICAL) -> AlertBrief:
    return AlertBrief(
        alert_id,
        "trapped",
        severity,
        LIFT,
        "3 号楼",
        "block 3",
        "困人",
        "Trapped passenger",
        "原因",
        "because",
        "打电话",
        "call",
        START,
        hanging=("garden/gate/north",),
    )


def intent(
    intent_id: str,
    *,
    receiver: str = "duty",
    incident: str = "i1",
    alerts: Sequence[str] = ("a1",),
    person: str | None = None,
    community: str = "garden",
    at: datetime = START,
    purpose: Purpose = Purpose.FIRING,
) -> Intent:
    return Intent(
        id=intent_id,
        incident=incident,
        version=1,
        receiver=receiver,
        purpose=purpose,
        severity=Severity.CRITICAL,
        at=at,
        step=0,
        community=community,
        alerts=tuple(brief(alert_id) for alert_id in alerts),
        count=len(alerts),
        person=person,
    )


def note(
    alert_id: str, kind: TransitionKind = TransitionKind.NOTIFIED, code: str = "notified", by: str | None = None
) -> TimelineNote:
    facts: dict[str, str | float | int | bool] = {"receiver": "duty"} if by is None else {"by": by}
    return TimelineNote(alert_id, kind, after(1), Reason(code, f"原因 {code}", f"because {code}", facts))


def desk_commit(
    sequence: int,
    previous: int = 0,
    *,
    states: dict[str, bytes | None] | None = None,
    intents: Sequence[Intent] = (),
    notes: Sequence[TimelineNote] = (),
    transitions: Sequence[Transition] = (),
) -> DeskCommit:
    return DeskCommit(sequence, previous, states or {}, [*intents], [*notes], [*transitions])


def silence(
    starts_at: datetime = START, ends_at: datetime | None = None, *, kind: SuppressionKind = SuppressionKind.SILENCE
) -> Suppression:
    matchers = (Matcher("community", "garden"), Matcher("tag", "old"))
    return Suppression("", kind, matchers, starts_at, ends_at or after(3600), "换钢丝绳", "li", START)
