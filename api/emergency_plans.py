"""The emergency plan as it stands on the wire, and what is wrong with the text of one."""

import asyncio
from typing import Self

import msgspec
from pydantic import BaseModel, Field

from alerts.dispatch.plan import Plan, people_targets, targets_of
from api.models import Bilingual
from api.texts import TextProblem, refuse_unreadable
from emergency.ladder import Unreached, unreached
from emergency.plan import EmergencyPlan
from emergency.plan_loading import check_plan

_FILENAME = "the text"


class EmergencyPlanContact(BaseModel):
    """Somebody who can be asked for help."""

    name: str
    title: Bilingual
    phone: str | None
    tell: list[str] = Field(description="Whom of the notification plan: `rota:NAME`, `person:NAME`, `receiver:NAME`.")
    contractor: bool


class EmergencyPlanStep(BaseModel):
    """A step of a ladder: its roles are told, and `wait` later the next step is."""

    name: str
    title: Bilingual
    roles: list[str]
    wait: str
    dial: bool


class EmergencyPlanLadder(BaseModel):
    """Who is asked one after another, and how long each has."""

    name: str
    steps: list[EmergencyPlanStep]
    answered_wait: str
    dispatch_wait: str


class EmergencyPlanDrills(BaseModel):
    """Hours of the day, local time, and days of the week, all where none is named."""

    hours: str
    days: list[str]


class EmergencyPlanCommunity(BaseModel):
    """Who helps in a community; `*` stands for all that have no entry of their own."""

    community: str
    ladder: str
    roles: dict[str, str]
    area: str = Field(description="`urban`: on site within 30 minutes; `rural`: within an hour.")
    contractors: dict[str, str]
    nearby: list[str]
    drills: EmergencyPlanDrills | None = Field(description="When the monthly drill of each lift may begin.")


class EmergencyPlanUnreached(BaseModel):
    """A step that reaches no person: topics and webhooks alone, and nobody is asked to dial."""

    community: str
    lift: str = Field(description="Empty where it is so for every lift of the community.")
    step: str
    title: Bilingual

    @classmethod
    def of(cls, found: Unreached) -> Self:
        title = Bilingual(zh=found.step.title_zh, en=found.step.title_en)
        return cls(community=found.community, lift=found.lift, step=found.step.name, title=title)


class EmergencyPlanInForce(BaseModel):
    """The plan in force, as its file says it."""

    version: int
    contacts: list[EmergencyPlanContact]
    ladders: list[EmergencyPlanLadder]
    communities: list[EmergencyPlanCommunity]
    problem: str | None = Field(description="Why what is newest was refused, so that the plan before stays in force.")
    unreached: list[EmergencyPlanUnreached] = Field(description="The steps that reach no person.")

    @classmethod
    def of(cls, plan: EmergencyPlan, problem: str, notify: Plan) -> Self:
        """Return ``plan`` as it is written; ``notify``, the notification plan, says whom its targets reach."""
        found = [EmergencyPlanUnreached.of(each) for each in unreached(plan, people_targets(notify))]
        return cls.model_validate({**msgspec.to_builtins(plan), "problem": problem or None, "unreached": found})


class CheckedEmergencyPlan(BaseModel):
    """What the text holds; without problems it could be put into force."""

    valid: bool
    communities: list[str] = Field(description="The communities that were read.")
    problems: list[TextProblem]


async def check_text(text: str, notify: Plan) -> CheckedEmergencyPlan:
    """Return what is wrong with ``text``; what it tells must be known to ``notify``, the notification plan.

    Raises `InvalidRequest` where it cannot be taken for YAML at all.
    """
    plan, mistakes = await asyncio.to_thread(check_plan, text, _FILENAME, targets_of(notify))
    refuse_unreadable(mistakes)
    problems = [TextProblem.of(mistake) for mistake in mistakes]
    communities = [] if plan is None else [each.community for each in plan.communities]
    return CheckedEmergencyPlan(valid=plan is not None and not problems, communities=communities, problems=problems)
