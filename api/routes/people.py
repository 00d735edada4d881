"""The people of the plan, and whether the weekly test reached them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from alerts.dispatch import plan
from alerts.history import ACKNOWLEDGED_WITHIN, PersonTestRow
from api.auth import CurrentActor
from api.dependencies import Given
from api.found import found
from api.parameters import RECEIVER
from api.responses import CONFLICT, NOT_FOUND
from api.times import Utc
from core.errors import Conflict

router = APIRouter(prefix="/people", tags=["notifications"])
PersonName = Annotated[str, Path(pattern=RECEIVER, description="The person's name in the plan.")]
_HOURS = ACKNOWLEDGED_WITHIN.total_seconds() / 3_600


class WeeklyTest(BaseModel):
    """The newest weekly test that a person was sent."""

    sent_at: Utc
    acknowledged_at: Utc | None
    acknowledged_by: str | None = Field(description="A token's name, or the person's own by the link in the test.")

    @classmethod
    def of(cls, row: PersonTestRow) -> Self:
        return cls(sent_at=row.sent_at, acknowledged_at=row.acknowledged_at, acknowledged_by=row.acknowledged_by)


class Person(BaseModel):
    """Somebody who can be told."""

    name: str
    receivers: list[str]
    weekly_test: str | None = Field(description="When a test is sent, such as `mon 10:00`; null for never.")
    last_test: WeeklyTest | None = Field(description="Null where none was sent yet.")
    overdue: bool = Field(
        description=f"The last test was not acknowledged within {_HOURS:g} h: nobody knows whether this person can be"
        " reached."
    )


class People(BaseModel):
    """The people, in the order of the plan."""

    items: list[Person]


@router.get("", summary="List people and their weekly tests")
async def list_people(
    given: Given,
    overdue: Annotated[
        bool | None, Query(description="Only those who owe an answer, or only those who do not.")
    ] = None,
) -> People:
    """Everybody in the plan, with the last weekly test, and whether its acknowledgement is overdue."""
    tests, now = await given.person_tests.newest(), given.clock.now()
    people = [_shown(person, tests, now) for person in given.plan.current().people]
    return People(items=[person for person in people if overdue in (None, person.overdue)])


@router.post(
    "/{person}/test-acknowledgement",
    summary="Say that the weekly test arrived",
    responses={**NOT_FOUND, **CONFLICT},
)
async def acknowledge_test(given: Given, actor: CurrentActor, person: PersonName) -> Person:
    """Acknowledge the last weekly test of a person; the first word on it stays. 409 where none was sent yet."""
    people = {one.name: one for one in given.plan.current().people}
    named = found(people.get(person), f"person {person} in the plan: it has {', '.join(people) or 'nobody'}")
    tests, now = await given.person_tests.newest(), given.clock.now()
    if person not in tests:
        raise Conflict(f"{person} was not sent a weekly test yet: expected one to acknowledge")
    said = await given.person_tests.acknowledge(person, tests[person].sent_at, actor.name, now)
    return _shown(named, {person: said}, now)


def _shown(person: plan.Person, tests: Mapping[str, PersonTestRow], now: datetime) -> Person:
    row = tests.get(person.name)
    return Person(
        name=person.name,
        receivers=person.receivers,
        weekly_test=person.weekly_test,
        last_test=None if row is None else WeeklyTest.of(row),
        overdue=row is not None and row.is_overdue(now),
    )
