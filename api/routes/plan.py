"""The plan of who is told: which is in force, and checking a text before it takes its place."""

from fastapi import APIRouter
from pydantic import BaseModel

from api.dependencies import Given
from api.plan import CheckedPlan, NotificationPlan, check
from api.responses import TOO_LARGE
from api.texts import YamlText

router = APIRouter(prefix="/plan", tags=["notifications"])


class PlanText(BaseModel):
    """A plan to look at."""

    text: YamlText


@router.get("", summary="Show the notification plan")
async def get_plan(given: Given) -> NotificationPlan:
    """The plan in force, without secrets, and why a newer one was refused.

    A file with a mistake changes nothing. Where a mistake shows only with the secrets of receivers, which the API does
    not know, the file is shown as it stands, and `problem` says why people are told by the plan before.
    """
    return NotificationPlan.of(given.plan.current(), given.plan.source, await given.plan.problem())


@router.post("/check", summary="Check a notification plan", responses=TOO_LARGE)
async def check_plan(said: PlanText) -> CheckedPlan:
    """Say all that is wrong with a plan file, each mistake with its line and what was expected. Nothing is kept.

    A text that cannot be YAML at all, because of a control character or a tag that does not fit, is refused (422).
    """
    return await check(said.text)
