"""The plan of who is told as it stands on the wire: all of it but where receivers lead, and their secrets."""

import asyncio
from datetime import date
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from alerts.dispatch import plan as domain
from alerts.dispatch.plan_loading import check_plan
from alerts.model import Severity
from api.suppressions import Matcher
from api.texts import TextProblem, refuse_unreadable


class ChannelKind(StrEnum):
    """How a receiver is reached."""

    APPRISE = "apprise"
    WEBHOOK = "webhook"
    MQTT = "mqtt"

    @classmethod
    def of(cls, receiver: domain.Receiver) -> Self:
        return cls(next(kind for kind in cls if getattr(receiver, kind) is not None))


class _AsWritten(BaseModel):
    """A part of the plan that is shown as it is written."""

    model_config = ConfigDict(from_attributes=True)


class PlannedReceiver(BaseModel):
    """One way to reach somebody. Where it leads and its secrets are never shown."""

    name: str
    channel: ChannelKind
    language: domain.Language

    @classmethod
    def of(cls, receiver: domain.Receiver) -> Self:
        return cls(name=receiver.name, channel=ChannelKind.of(receiver), language=receiver.language)


class PlannedPerson(_AsWritten):
    """Somebody who can be told, by all of `receivers`."""

    name: str
    receivers: list[str]
    weekly_test: str | None = Field(description="When a trial message goes to all of them: `mon 10:00`.")


class PlannedLayer(_AsWritten):
    """People who take turns from `start` on, the first of them first."""

    start: date
    people: list[str]
    every: domain.Turn = Field(description="How long a turn is.")
    hours: str | None = Field(description="On duty in these local hours only.")
    handover: str = Field(description="The local time at which a turn changes, where there are no hours.")


class PlannedRota(_AsWritten):
    """Who is on duty when: everybody whose layer says so."""

    name: str
    layers: list[PlannedLayer]
    zone: str | None = Field(description="The plan's where it is null.")
    gaps: domain.Gaps


class PlannedStep(_AsWritten):
    """Who is told `after` that long without an acknowledgement."""

    after: str
    notify: list[str] = Field(description="`rota:NAME`, `person:NAME` or `receiver:NAME`.")


class PlannedPolicy(_AsWritten):
    """A ladder."""

    name: str
    steps: list[PlannedStep]
    repeat: str | None = Field(description="How often those told are reminded; null for never.")
    unattended: dict[Severity, str] = Field(description="When an acknowledged alert counts as left alone.")
    notify_resolved: bool


class PlannedSchedule(_AsWritten):
    """Local hours and days of the week; what is empty does not narrow."""

    hours: str | None
    days: list[domain.Day]


class PlannedRoute(BaseModel):
    """Alerts that match all of `match` go by `policy`; the first route that matches takes the alert."""

    name: str | None
    policy: str
    match: list[Matcher] = Field(description="Short forms such as `severity: critical` among them. None match all.")
    schedule: PlannedSchedule | None
    group_by: list[domain.GroupBy]
    group_wait: str
    group_interval: str
    go_on: bool = Field(serialization_alias="continue", description="Whether the next routes are asked as well.")

    @classmethod
    def of(cls, route: domain.Route) -> Self:
        return cls(
            name=route.name,
            policy=route.policy,
            match=[Matcher.of(one) for one in route.matchers()],
            schedule=route.schedule and PlannedSchedule.model_validate(route.schedule),
            group_by=list(route.group_by),
            group_wait=route.group_wait,
            group_interval=route.group_interval,
            go_on=route.go_on,
        )


class PlannedInhibition(BaseModel):
    """While an alert that matches `source` fires, people are not told of those that match `target`."""

    source: list[Matcher]
    target: list[Matcher]
    equal: list[domain.EqualLabel] = Field(description="Labels in which both must agree.")
    grace: str = Field(description="What still fires that long after `source` is over is told.")
    built_in: bool = Field(description="In every plan: while nothing can be heard, silence says nothing of a device.")

    @classmethod
    def of(cls, inhibition: domain.Inhibition) -> Self:
        return cls(
            source=[Matcher.of(one) for one in inhibition.source],
            target=[Matcher.of(one) for one in inhibition.target],
            equal=inhibition.equal,
            grace=inhibition.grace,
            built_in=inhibition in domain.BLIND,
        )


class PlannedFlood(_AsWritten):
    """More than `over` incidents of a community told `within` that time: what is not critical comes as a digest."""

    over: int
    within: str
    digest_every: str


class NotificationPlan(BaseModel):
    """Who is told of which alert, when, and who is next."""

    source: str = Field(description="`built-in`, or the name of a file.")
    problem: str | None = Field(
        description="Why the newest version of the file was refused, with its line and what was expected."
    )
    zone: str
    receivers: list[PlannedReceiver]
    people: list[PlannedPerson]
    rotas: list[PlannedRota]
    policies: list[PlannedPolicy]
    routes: list[PlannedRoute] = Field(description="In the order in which they are asked.")
    inhibitions: list[PlannedInhibition]
    flood: PlannedFlood | None

    @classmethod
    def of(cls, plan: domain.Plan, source: str, problem: str) -> Self:
        return cls(
            source=source,
            problem=problem or None,
            zone=plan.zone,
            receivers=[PlannedReceiver.of(one) for one in plan.receivers],
            people=[PlannedPerson.model_validate(one) for one in plan.people],
            rotas=[PlannedRota.model_validate(one) for one in plan.rotas],
            policies=[PlannedPolicy.model_validate(one) for one in plan.policies],
            routes=[PlannedRoute.of(one) for one in plan.routes],
            inhibitions=[PlannedInhibition.of(one) for one in domain.inhibitions_of(plan)],
            flood=plan.flood and PlannedFlood.model_validate(plan.flood),
        )


class CheckedPlan(BaseModel):
    """What is wrong with a plan; one without problems could be put into force."""

    valid: bool
    problems: list[TextProblem]


async def check(text: str) -> CheckedPlan:
    """Return what is wrong with the plan ``text``, by rising line.

    Raises `InvalidRequest` where it cannot be taken for YAML at all.
    """
    # Parsing YAML takes a while; an executor thread keeps the event loop free.
    _, mistakes = await asyncio.to_thread(check_plan, text, "plan")
    refuse_unreadable(mistakes)
    return CheckedPlan(valid=not mistakes, problems=[TextProblem.of(mistake) for mistake in mistakes])
