"""The emergency plan: which is in force, and checking a text before it is."""

from fastapi import APIRouter
from pydantic import BaseModel

from api.dependencies import Given
from api.emergency_plans import CheckedEmergencyPlan, EmergencyPlanInForce, check_text
from api.responses import TOO_LARGE
from api.texts import YamlText

router = APIRouter(prefix="/emergency-plan", tags=["emergency calls"])


class EmergencyPlanText(BaseModel):
    """A plan to look at."""

    text: YamlText


@router.get("", summary="Show the emergency plan in force")
async def get_emergency_plan(given: Given) -> EmergencyPlanInForce:
    """Ladders, per community the people on them, and the steps that reach no person."""
    return EmergencyPlanInForce.of(given.emergency.calls.plan, given.emergency.plan_problem(), given.plan.current())


@router.post("/check", summary="Check an emergency plan without keeping it", responses=TOO_LARGE)
async def check_emergency_plan(given: Given, said: EmergencyPlanText) -> CheckedEmergencyPlan:
    """Say all that is wrong with a plan, each with its line, also against the notification plan. Nothing is kept.

    A text that cannot be YAML at all, because of a control character or a tag that does not fit, is refused (422).
    """
    return await check_text(said.text, given.plan.current())
