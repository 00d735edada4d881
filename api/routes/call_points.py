"""Call points: the QR codes at lifts and entrances, by which residents call for help."""

import secrets
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Self

from fastapi import APIRouter, Path
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field

from api.auth import CurrentActor
from api.call_parameters import CALL_ID, CommunityWord, LiftPath, Line
from api.dependencies import Dependencies, Given
from api.found import found
from api.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, page, read_cursor
from api.parameters import Community
from api.problems import InvalidRequest
from api.responses import CONFLICT, NOT_FOUND, TOO_LARGE
from api.times import Utc
from core.errors import Conflict
from emergency import model
from emergency.tokens import PointTokens

router = APIRouter(prefix="/call-points", tags=["call points"])
# A new sheet has to be printed and hung up; until then whoever is trapped there has the former code only.
GRACE_DAYS = 7
_LONGEST_GRACE_DAYS = 90
PointPath = Annotated[str, Path(pattern=CALL_ID, description="The call point's `id`.")]


class CallPoint(BaseModel):
    """A QR code on a wall. Its token is printed there, and so no secret; the records keep a digest of it only."""

    id: str
    community: str
    lift: str = Field(description="`community/elevator/device`; empty at an entrance.")
    building: str
    name_zh: str
    name_en: str
    token: str
    path: str = Field(description="The resident's page: the address in the code, behind the address of this service.")
    generation: int = Field(description="Rises when the token is rotated.")
    created_at: Utc | None
    removed_at: Utc | None

    @classmethod
    def of(cls, point: model.CallPoint, tokens: PointTokens) -> Self:
        token = tokens.of(point)
        return cls(
            id=point.id,
            community=point.community,
            lift=point.lift,
            building=point.building,
            name_zh=point.name_zh,
            name_en=point.name_en,
            token=token,
            path=f"/c/{token}",
            generation=point.generation,
            created_at=point.created_at,
            removed_at=point.removed_at,
        )


class PointTold(BaseModel):
    """Where a call point is: at a lift, or at an entrance of a community."""

    model_config = ConfigDict(extra="forbid")

    lift: LiftPath | None = None
    community: CommunityWord | None = Field(default=None, description="Needed without `lift`.")
    building: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f,]{0,64}$")] = ""
    name_zh: Line = Field(default="", description="What people call the place; by default what the lift is called.")
    name_en: Line = ""

    def where(self) -> str:
        """Return the community; raises `InvalidRequest` where none is told, or another than that of the lift."""
        own = self.lift.partition("/")[0] if self.lift else self.community
        if own is None:
            raise InvalidRequest("body.community", "neither lift nor community", "one of the two")
        if self.community not in (None, own):
            raise InvalidRequest("body.community", f"{self.community}, but the lift is in {own}", "the lift's, or none")
        return own


class Rotation(BaseModel):
    """How a token is replaced."""

    model_config = ConfigDict(extra="forbid")

    grace_days: Annotated[int, Field(ge=0, le=_LONGEST_GRACE_DAYS)] = Field(
        default=GRACE_DAYS, description="For how many days former codes still call; 0 revokes them at once."
    )


@router.get("", summary="List call points")
async def list_call_points(
    given: Given, community: Community = None, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[CallPoint]:
    """Call points that were not removed, by id."""
    after = read_cursor("call-points", cursor)
    rows = [point for point in await given.emergency.points.points(community) if after is None or point.id > after]
    return page("call-points", rows[: limit + 1], limit, lambda point: point.id, partial(_shown, given))


@router.post("", status_code=201, summary="Add a call point", responses=TOO_LARGE)
async def add_call_point(given: Given, actor: CurrentActor, told: PointTold) -> CallPoint:
    """Make a QR code for a lift or an entrance, with a token of its own."""
    now = given.clock.now()
    point = model.CallPoint(
        id=secrets.token_hex(8),
        community=told.where(),
        name_zh=told.name_zh,
        name_en=told.name_en,
        lift=told.lift or "",
        building=told.building,
        created_at=now,
    )
    return await _kept(given, point, actor.name)


@router.get("/{point_id}", summary="Show one call point", responses=NOT_FOUND)
async def get_call_point(given: Given, point_id: PointPath) -> CallPoint:
    """One call point, a removed one too."""
    return _shown(given, await known_point(given, point_id))


@router.put("/{point_id}", summary="Change a call point", responses={**NOT_FOUND, **CONFLICT, **TOO_LARGE})
async def put_call_point(given: Given, actor: CurrentActor, point_id: PointPath, told: PointTold) -> CallPoint:
    """Replace what was told of it; its token stays, and so do the sheets on the wall. 409 where it was removed."""
    point = _in_use(await known_point(given, point_id))
    changed = replace(
        point,
        community=told.where(),
        lift=told.lift or "",
        building=told.building,
        name_zh=told.name_zh,
        name_en=told.name_en,
    )
    return await _kept(given, changed, actor.name)


@router.post(
    "/{point_id}/rotate", summary="Give a call point a new token", responses={**NOT_FOUND, **CONFLICT, **TOO_LARGE}
)
async def rotate_call_point(
    given: Given, actor: CurrentActor, point_id: PointPath, said: Rotation | None = None
) -> CallPoint:
    """Put a new token in place of the present one; print the sheet again. 409 where the point was removed.

    Former codes still call, and say that they were replaced, for `grace_days` (0: they are revoked at once). Then they
    show the numbers to dial and raise nothing. The default is a week, for somebody may be trapped before the new sheet
    hangs.
    """
    point = _in_use(await known_point(given, point_id))
    grace = timedelta(days=(said or Rotation()).grace_days)
    rotated = replace(point, generation=point.generation + 1)
    return await _kept(given, rotated, actor.name, former_until=given.clock.now() + grace)


@router.post(
    "/{point_id}/revoke", summary="Revoke the former tokens of a call point", responses={**NOT_FOUND, **CONFLICT}
)
async def revoke_former_tokens(given: Given, actor: CurrentActor, point_id: PointPath) -> CallPoint:
    """End the time of grace of former codes now: they raise no calls any more. The present one stays.

    409 where the point was removed. To revoke the present one, rotate it with `grace_days` 0.
    """
    point = _in_use(await known_point(given, point_id))
    return await _kept(given, point, actor.name, former_until=given.clock.now())


@router.delete("/{point_id}", summary="Remove a call point", responses=NOT_FOUND)
async def remove_call_point(given: Given, actor: CurrentActor, point_id: PointPath) -> CallPoint:
    """Take it out of service: its code leads nowhere any more. Removed already, nothing changes."""
    point = await known_point(given, point_id)
    if point.removed_at is not None:
        return _shown(given, point)
    return await _kept(given, replace(point, removed_at=given.clock.now()), actor.name)


async def known_point(given: Dependencies, point_id: str) -> model.CallPoint:
    """Return one call point; answers 404 where there is none."""
    return found(await given.emergency.points.point(point_id), f"call point {point_id}")


async def _kept(
    given: Dependencies, point: model.CallPoint, actor: str, *, former_until: datetime | None = None
) -> CallPoint:
    await given.emergency.points.put(point, actor, given.clock.now(), former_until=former_until)
    return _shown(given, point)


def _shown(given: Dependencies, point: model.CallPoint) -> CallPoint:
    return CallPoint.of(point, given.emergency.tokens)


def _in_use(point: model.CallPoint) -> model.CallPoint:
    if point.removed_at is not None:
        raise Conflict(f"call point {point.id} was removed: expected one in use")
    return point
