"""Alerts: finding them, reading their timeline, acknowledging, commenting."""

from typing import Annotated, TypeVar

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, Field
from starlette.exceptions import HTTPException

from api.auth import CurrentActor
from api.dependencies import Given
from api.models import COMMENT_LIMIT, Alert, AlertWithTimeline, Transition
from api.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, page, read_number_cursor
from api.parameters import AlertId, MatchingAlerts
from api.responses import NOT_FOUND, TOO_LARGE

router = APIRouter(prefix="/alerts", tags=["alerts"])
Found = TypeVar("Found")


def _worded(text: str) -> str:
    if "\0" in text:  # PostgreSQL's text type cannot hold it.
        raise ValueError("a NUL character: expected text")
    if not (stripped := text.strip()):
        raise ValueError("no words: expected text")
    return stripped


Words = Annotated[str, Field(min_length=1, max_length=COMMENT_LIMIT), AfterValidator(_worded)]


class Acknowledgement(BaseModel):
    """What somebody says while acknowledging."""

    comment: Words | None = None


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
    """One alert and everything that happened to it, in order, each step with its reason."""
    row, timeline = _found(await given.records.alert(alert_id), alert_id)
    return AlertWithTimeline(**dict(Alert.of(row)), timeline=[Transition.of(step) for step in timeline])


@router.post("/{alert_id}/acknowledge", summary="Acknowledge an alert", responses={**NOT_FOUND, **TOO_LARGE})
async def acknowledge_alert(
    given: Given, actor: CurrentActor, alert_id: AlertId, said: Acknowledgement | None = None
) -> Alert:
    """Record that you have seen the alert. The first acknowledgement stays: a second one changes nothing."""
    comment = None if said is None else said.comment
    row = await given.records.acknowledge(alert_id, actor.name, comment, given.clock.now())
    return Alert.of(_found(row, alert_id))


@router.post(
    "/{alert_id}/comments", status_code=201, summary="Comment on an alert", responses={**NOT_FOUND, **TOO_LARGE}
)
async def comment_on_alert(given: Given, actor: CurrentActor, alert_id: AlertId, said: Comment) -> Transition:
    """Add your words to the alert's timeline."""
    row = await given.records.comment(alert_id, actor.name, said.text, given.clock.now())
    return Transition.of(_found(row, alert_id))


def _found(row: Found | None, alert_id: str) -> Found:
    if row is None:
        raise HTTPException(404, f"no alert {alert_id}")
    return row
