"""Alerts: finding them, reading their timeline, acknowledging, commenting."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from alerts.history import AlertFilter
from api.auth import CurrentActor
from api.dependencies import Given
from api.found import found_alert
from api.models import Alert, AlertWithTimeline, Transition
from api.pagination import BIGGEST_NUMBER, DEFAULT_LIMIT, MAXIMUM_LIMIT, Cursor, Limit, Page, page, read_number_cursor
from api.parameters import AlertId, MatchingAlerts
from api.responses import CONFLICT, NOT_FOUND, TOO_LARGE
from api.words import Words

router = APIRouter(prefix="/alerts", tags=["alerts"])

Seen = Annotated[
    int,
    Field(
        ge=0,
        le=BIGGEST_NUMBER,
        description=(
            "The newest `sequence` you have seen: refused where the alert fired, became worse or happened again since."
        ),
    ),
]


class Acknowledgement(BaseModel):
    """What somebody says while acknowledging, and what they have seen."""

    comment: Words | None = None
    seen: Seen | None = None


class Comment(BaseModel):
    """What somebody says about an alert."""

    text: Words


@router.get("", summary="List alerts")
async def list_alerts(
    given: Given, matching: MatchingAlerts, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[Alert]:
    """Alerts, the newest first. `since` and `until` bound the instant of firing."""
    rows = await given.records.alerts(matching, read_number_cursor("alerts", cursor), limit + 1)
    return page("alerts", rows, limit, lambda row: row.number, Alert.of)


@router.get("/{alert_id}", summary="Show one alert with its timeline", responses=NOT_FOUND)
async def get_alert(given: Given, alert_id: AlertId) -> AlertWithTimeline:
    """One alert, everything that happened to it in order, each step with its reason, and what it stands for."""
    row, timeline = found_alert(await given.records.alert(alert_id), alert_id)
    inhibited = await given.records.alerts(AlertFilter(inhibited_by=alert_id), None, MAXIMUM_LIMIT)
    return AlertWithTimeline(
        **dict(Alert.of(row)),
        timeline=[Transition.of(step) for step in timeline],
        inhibits=[Alert.of(one) for one in inhibited],
    )


@router.post(
    "/{alert_id}/acknowledge", summary="Acknowledge an alert", responses={**NOT_FOUND, **CONFLICT, **TOO_LARGE}
)
async def acknowledge_alert(
    given: Given, actor: CurrentActor, alert_id: AlertId, said: Acknowledgement | None = None
) -> Alert:
    """Record that you have seen the alert. The first acknowledgement stays: a second one changes nothing.

    With `seen` it covers only what you have seen: 409 where the alert fired, became worse or happened again since.
    """
    said = said or Acknowledgement()
    row = await given.records.acknowledge(alert_id, actor.name, said.comment, given.clock.now(), seen=said.seen)
    return Alert.of(found_alert(row, alert_id))


@router.post(
    "/{alert_id}/comments", status_code=201, summary="Comment on an alert", responses={**NOT_FOUND, **TOO_LARGE}
)
async def comment_on_alert(given: Given, actor: CurrentActor, alert_id: AlertId, said: Comment) -> Transition:
    """Add your words to the alert's timeline."""
    row = await given.records.comment(alert_id, actor.name, said.text, given.clock.now())
    return Transition.of(found_alert(row, alert_id))
