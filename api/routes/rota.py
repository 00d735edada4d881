"""Who is on duty, and who stands in for whom."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from alerts.dispatch import plan
from alerts.dispatch.rota import on_duty
from alerts.history import RotaOverrideRow
from api.auth import CurrentActor
from api.dependencies import Given
from api.found import found
from api.parameters import RECEIVER, Since
from api.problems import InvalidRequest
from api.responses import NOT_FOUND, TOO_LARGE
from api.spans import Span
from api.times import Instant, Utc

router = APIRouter(prefix="/rota", tags=["rota"])
RotaName = Annotated[str, Path(pattern=RECEIVER, description="The rota's name in the plan.")]
OverrideId = Annotated[str, Path(pattern=r"^[\w.:-]{1,64}$", description="Its `id`.")]


class OnDuty(BaseModel):
    """Who is on duty at one instant, in the order of the rota's layers; nobody where it has a gap."""

    rota: str
    at: Utc
    people: list[str]


class Rotas(BaseModel):
    """All rotas, in the order of the plan."""

    items: list[OnDuty]


class Override(BaseModel):
    """Somebody stands in for everybody whom the rota names, for a time."""

    id: str
    rota: str
    person: str
    starts_at: Utc
    ends_at: Utc
    author: str
    created_at: Utc

    @classmethod
    def of(cls, row: RotaOverrideRow) -> Self:
        return cls(
            id=row.id,
            rota=row.rota,
            person=row.person,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            author=row.author,
            created_at=row.created_at,
        )


class Overrides(BaseModel):
    """Those that are in force or to come, by their start; where two overlap the later created one counts."""

    items: list[Override]


class NewOverride(Span):
    """Who stands in, from when until when."""

    person: str = Field(pattern=RECEIVER, description="A person of the plan.")


@router.get("", summary="Who is on duty now, by rota")
async def list_rotas(given: Given) -> Rotas:
    """Every rota of the plan with the people on duty now, those standing in for others included."""
    planned, now = given.plan.current(), given.clock.now()
    overrides = await given.rota.overrides(now)
    return Rotas(items=[_on_duty(planned, rota, now, overrides) for rota in planned.rotas])


@router.get("/{rota}/on-duty", summary="Who is on duty", responses=NOT_FOUND)
async def get_on_duty(
    given: Given,
    rota: RotaName,
    at: Annotated[Instant | None, Query(description="Now where it is left out: RFC 3339 with an offset.")] = None,
) -> OnDuty:
    """The people on duty at an instant, those standing in for others included."""
    planned, named = _named(given, rota)
    instant = at or given.clock.now()
    return _on_duty(planned, named, instant, await given.rota.overrides(instant))


@router.get("/{rota}/overrides", summary="List who stands in", responses=NOT_FOUND)
async def list_overrides(given: Given, rota: RotaName, since: Since = None) -> Overrides:
    """Who stands in for the people of this rota, now and later; with `since` those that ended after it too."""
    _named(given, rota)
    rows = await given.rota.overrides(since or given.clock.now())
    return Overrides(items=[Override.of(row) for row in rows if row.rota == rota])


@router.post(
    "/{rota}/overrides", status_code=201, summary="Let somebody stand in", responses={**NOT_FOUND, **TOO_LARGE}
)
async def create_override(given: Given, actor: CurrentActor, rota: RotaName, said: NewOverride) -> Override:
    """Put somebody on duty in place of everybody the rota names, for a time."""
    planned, _ = _named(given, rota)
    people = [person.name for person in planned.people]
    if said.person not in people:
        raise InvalidRequest("body.person", f"nobody in the plan is {said.person}", f"one of {', '.join(people)}")
    now = given.clock.now()
    starts_at, ends_at = said.chosen(now)
    return Override.of(await given.rota.add_override(rota, said.person, starts_at, ends_at, actor.name, now))


@router.delete(
    "/{rota}/overrides/{override_id}", status_code=204, summary="Take a standing-in back", responses=NOT_FOUND
)
async def delete_override(given: Given, actor: CurrentActor, rota: RotaName, override_id: OverrideId) -> None:
    """The rota's own people are on duty again."""
    _named(given, rota)
    if not await given.rota.remove_override(override_id, actor.name, given.clock.now()):
        raise HTTPException(404, f"nobody stands in under {override_id}")


def _named(given: Given, rota: str) -> tuple[plan.Plan, plan.Rota]:
    planned = given.plan.current()
    named = next((one for one in planned.rotas if one.name == rota), None)
    names = ", ".join(one.name for one in planned.rotas) or "no rota at all"
    return planned, found(named, f"rota {rota} in the plan: it has {names}")


def _on_duty(planned: plan.Plan, rota: plan.Rota, at: datetime, overrides: Sequence[RotaOverrideRow]) -> OnDuty:
    return OnDuty(rota=rota.name, at=at, people=on_duty(rota, at, overrides, planned.zone))
