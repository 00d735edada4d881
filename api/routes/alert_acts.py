"""What people do to alerts beyond seeing them: several at once, assigning, resetting, shelving, marking as false."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.auth import CurrentActor
from api.dependencies import Given
from api.found import found_alert
from api.models import Alert
from api.parameters import ALERT_ID, AlertId
from api.responses import CONFLICT, NOT_FOUND, TOO_LARGE
from api.routes.alerts import Seen
from api.spans import check_length, chosen_end
from api.suppressions import Suppressed
from api.times import Instant, Window
from api.words import PersonName, Words
from core.errors import Conflict

router = APIRouter(prefix="/alerts", tags=["alerts"])
ACKNOWLEDGED_AT_ONCE = 500
# Longer than a week is no longer "aside": it is a change of the rule, or maintenance.
SHELVED_LONGEST = timedelta(days=7)
_ACT = {**NOT_FOUND, **CONFLICT, **TOO_LARGE}


class ManyAcknowledged(BaseModel):
    """The alerts that somebody has seen."""

    ids: list[Annotated[str, Field(pattern=ALERT_ID)]] = Field(min_length=1, max_length=ACKNOWLEDGED_AT_ONCE)
    comment: Words | None = None
    seen: Seen | None = None


class Outcome(StrEnum):
    """What became of one of them. *Conflict*: it fired, became worse or happened again since `seen`."""

    ACKNOWLEDGED = "acknowledged"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"


class OneAcknowledged(BaseModel):
    """What became of one alert."""

    id: str
    outcome: Outcome
    detail: str = Field(default="", description="Why not.")
    acknowledged_by: str | None = Field(default=None, description="Who was the first.")


class Acknowledgements(BaseModel):
    """What became of each alert, in the order they were named."""

    items: list[OneAcknowledged]


class Assignment(BaseModel):
    """Who is to look after it."""

    assignee: PersonName | None = Field(description="A name; null for nobody.")


class Remark(BaseModel):
    """What somebody says beside an act."""

    comment: Words | None = None


class Shelving(BaseModel):
    """Until when, and why."""

    reason: Words
    until: Instant | None = None
    lasting: Window | None = Field(default=None, alias="for", description="In place of `until`: 30m, 2h, at most 7d.")


@router.post("/acknowledge", summary="Acknowledge several alerts", responses=TOO_LARGE)
async def acknowledge_alerts(given: Given, actor: CurrentActor, said: ManyAcknowledged) -> Acknowledgements:
    """Acknowledge exactly the alerts named, at most 500; the answer says for each what became of it."""
    outcomes = [await _acknowledged(given, actor.name, alert_id, said) for alert_id in dict.fromkeys(said.ids)]
    return Acknowledgements(items=outcomes)


@router.post("/{alert_id}/assign", summary="Say who looks after an alert", responses=_ACT)
async def assign_alert(given: Given, actor: CurrentActor, alert_id: AlertId, said: Assignment) -> Alert:
    """Assign the alert to somebody, yourself or nobody."""
    row = await given.acts.assign(alert_id, actor.name, said.assignee, given.clock.now())
    return Alert.of(found_alert(row, alert_id))


@router.post("/{alert_id}/reset", summary="Reset a latched alert", responses=_ACT)
async def reset_alert(given: Given, actor: CurrentActor, alert_id: AlertId, said: Remark | None = None) -> Alert:
    """End an alert that is over but latched; somebody has been there. 409 while it fires, and where it never latches.

    Resetting again changes nothing.
    """
    comment = None if said is None else said.comment
    row = await given.acts.reset(alert_id, actor.name, comment, given.clock.now())
    return Alert.of(found_alert(row, alert_id))


@router.post("/{alert_id}/shelve", status_code=201, summary="Shelve an alert", responses=_ACT)
async def shelve_alert(given: Given, actor: CurrentActor, alert_id: AlertId, said: Shelving) -> Suppressed:
    """Put the alert's rule on its device aside for a time: people are not told, the record goes on.

    At most 7 days, with a reason; never a protected alert (409).
    """
    now = given.clock.now()
    until = chosen_end(now, said.until, said.lasting, until_name="until")
    check_length(now, until, SHELVED_LONGEST, "body.until" if said.lasting is None else "body.for")
    kept = await given.acts.shelve(alert_id, actor.name, until, said.reason, now)
    return Suppressed.of(found_alert(kept, alert_id), now)


@router.delete("/{alert_id}/shelve", summary="Take a shelved alert up again", responses=NOT_FOUND)
async def unshelve_alert(given: Given, actor: CurrentActor, alert_id: AlertId) -> Alert:
    """Take it up again before its time; where nothing is shelved nothing changes."""
    row = await given.acts.unshelve(alert_id, actor.name, given.clock.now())
    return Alert.of(found_alert(row, alert_id))


@router.post("/{alert_id}/false-alarm", summary="Mark an alert as a false alarm", responses=_ACT)
async def mark_false_alarm(given: Given, actor: CurrentActor, alert_id: AlertId, said: Remark | None = None) -> Alert:
    """Say that there was nothing: it counts in the false-alarm rates of its rule and its device."""
    comment = None if said is None else said.comment
    row = await given.acts.mark_false(alert_id, actor.name, comment, given.clock.now(), false=True)
    return Alert.of(found_alert(row, alert_id))


@router.delete("/{alert_id}/false-alarm", summary="Take back that it was a false alarm", responses=NOT_FOUND)
async def unmark_false_alarm(given: Given, actor: CurrentActor, alert_id: AlertId) -> Alert:
    """Take the mark back; where there is none nothing changes."""
    row = await given.acts.mark_false(alert_id, actor.name, None, given.clock.now(), false=False)
    return Alert.of(found_alert(row, alert_id))


async def _acknowledged(given: Given, actor: str, alert_id: str, said: ManyAcknowledged) -> OneAcknowledged:
    try:
        row = await given.records.acknowledge(alert_id, actor, said.comment, given.clock.now(), seen=said.seen)
    except Conflict as error:
        return OneAcknowledged(id=alert_id, outcome=Outcome.CONFLICT, detail=str(error))
    if row is None:
        return OneAcknowledged(id=alert_id, outcome=Outcome.UNKNOWN, detail=f"no alert {alert_id}")
    return OneAcknowledged(id=alert_id, outcome=Outcome.ACKNOWLEDGED, acknowledged_by=row.acknowledged_by)
