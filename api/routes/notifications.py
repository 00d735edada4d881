"""What people were and are to be told: the outbox, as it is delivered."""

from datetime import timedelta
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from alerts.dispatch.model import OutboxEntry, OutboxStatus, Purpose
from alerts.model import Severity
from api.dependencies import Given
from api.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, page, read_number_cursor
from api.parameters import ALERT_ID, RECEIVER
from api.times import Utc
from core.clock import wall_ahead

router = APIRouter(prefix="/notifications", tags=["notifications"])


class Notification(BaseModel):
    """One message to one receiver, and how delivering it stands."""

    number: int
    id: str = Field(description="The idempotency key that the receiver sees.")
    incident: str = Field(description="What one receiver is told of one incident arrives in order.")
    receiver: str
    person: str | None = Field(description="Who is meant, where a rota or a person was named.")
    purpose: Purpose
    severity: Severity
    step: int = Field(description="Of the ladder, from 0.")
    community: str
    alerts: list[str] = Field(description="The `id`s of the alerts it is about, at most 50.")
    count: int = Field(description="How many alerts there are in all.")
    status: OutboxStatus
    attempts: int
    next_attempt_at: Utc | None = Field(description="Null once it is delivered or given up.")
    created_at: Utc
    finished_at: Utc | None
    detail: str = Field(description="The last error, or what the receiver answered.")

    @classmethod
    def of(cls, entry: OutboxEntry, ahead: timedelta) -> Self:
        intent = entry.intent
        return cls(
            number=entry.number,
            id=intent.id,
            incident=intent.incident,
            receiver=intent.receiver,
            person=intent.person,
            purpose=intent.purpose,
            severity=intent.severity,
            step=intent.step,
            community=intent.community,
            alerts=[alert.id for alert in intent.alerts],
            count=intent.count,
            status=entry.status,
            attempts=entry.attempts,
            next_attempt_at=entry.next_attempt_at + ahead if entry.status is OutboxStatus.WAITING else None,
            created_at=entry.created_at,
            finished_at=entry.finished_at,
            detail=entry.detail,
        )


@router.get("", summary="List notifications")
async def list_notifications(
    given: Given,
    *,
    status: Annotated[OutboxStatus | None, Query(description="Only those that stand so.")] = None,
    receiver: Annotated[str | None, Query(pattern=RECEIVER, description="Only to this receiver.")] = None,
    alert: Annotated[str | None, Query(pattern=ALERT_ID, description="Only about this alert.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[Notification]:
    """Messages to people and systems, the newest first, with how often delivering was tried and what came of it."""
    before = read_number_cursor("notifications", cursor)
    rows = await given.outbox.outbox(
        status=status and status.value, receiver=receiver, alert_id=alert, before=before, limit=limit + 1
    )
    ahead = wall_ahead(given.clock)
    return page("notifications", rows, limit, lambda row: row.number, lambda row: Notification.of(row, ahead))
