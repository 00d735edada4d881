"""Silences and maintenance windows: for how long people are not told of what, and why."""

import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from alerts import matchers as domain
from alerts.dispatch.model import Suppression, SuppressionKind
from alerts.history import AlertFilter, AlertRow
from alerts.inventory import Inventory
from alerts.model import Severity
from api.auth import CurrentActor
from api.dependencies import Given
from api.found import found
from api.models import Alert
from api.pagination import DEFAULT_LIMIT, MAXIMUM_LIMIT, Cursor, Limit, Page, page, read_cursor
from api.problems import InvalidRequest
from api.responses import NOT_FOUND, TOO_LARGE
from api.spans import Span
from api.suppressions import Matchers, Suppressed, meant
from api.words import Words
from core.devices import DeviceKind
from core.wire.topics import WORD

router = APIRouter(tags=["suppressions"])
DEVICES_LIMIT = 50
_DEVICE = re.compile(f"(?:{WORD.pattern})/(?:{'|'.join(DeviceKind)})/(?:{WORD.pattern})")
MATCHER_LIMIT = 1_000  # What `alerts.matchers.Matcher` holds as a value.
PREVIEW_LIMIT = 100
Ended = Annotated[bool, Query(description="Those that are over as well.")]
SuppressionId = Annotated[str, Path(pattern=r"^[\w.:-]{1,64}$", description="Its `id`.")]


class _WithReason(Span):
    """From when until when, and why."""

    reason: Words


class NewSilence(_WithReason):
    """Which alerts people are not to be told of."""

    matchers: Matchers
    everything: bool = Field(default=False, description="Says that matching every alert is meant.")


class NewMaintenance(_WithReason):
    """Which devices are worked on."""

    devices: list[Annotated[str, Field(max_length=200)]] = Field(
        min_length=1, max_length=DEVICES_LIMIT, description="Paths: `community/kind/device`."
    )


class Wanted(BaseModel):
    """Matchers to try out."""

    matchers: Matchers


class Preview(BaseModel):
    """The open alerts that matchers match now. ``still_told`` of them are protected: people are told all the same."""

    matching: int
    still_told: int
    items: list[Alert] = Field(description=f"The newest, at most {PREVIEW_LIMIT}.")


@router.get("/silences", summary="List silences")
async def list_silences(
    given: Given, ended: Ended = False, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[Suppressed]:
    """Silences in force and to come, the newest first."""
    return await _listed(given, SuppressionKind.SILENCE, ended, limit, cursor)


@router.post("/silences", status_code=201, summary="Silence alerts", responses=TOO_LARGE)
async def create_silence(given: Given, actor: CurrentActor, said: NewSilence) -> Suppressed:
    """Do not tell people of alerts that match, until it ends. Alerts are recorded all the same, protected ones told."""
    matchers = meant(said.matchers, everything=said.everything)
    return await _kept(given, actor.name, SuppressionKind.SILENCE, matchers, said)


@router.post("/silences/preview", summary="Show what matchers would silence", responses=TOO_LARGE)
async def preview_silence(given: Given, said: Wanted) -> Preview:
    """The open alerts that would be silenced, and how many of them are protected and so told all the same."""
    matchers = meant(said.matchers, everything=True)
    inventory = await given.registry.inventory()
    matching = [row for row in await _open_alerts(given) if domain.all_match(matchers, _labels(row, inventory))]
    return Preview(
        matching=len(matching),
        still_told=sum(row.protected for row in matching),
        items=[Alert.of(row) for row in matching[:PREVIEW_LIMIT]],
    )


@router.get("/silences/{suppression_id}", summary="Show one silence", responses=NOT_FOUND)
async def get_silence(given: Given, suppression_id: SuppressionId) -> Suppressed:
    """One silence, in force or over."""
    kept = await _one(given, SuppressionKind.SILENCE, suppression_id)
    return Suppressed.of(kept, given.clock.now())


@router.delete("/silences/{suppression_id}", summary="End a silence", responses=NOT_FOUND)
async def end_silence(given: Given, actor: CurrentActor, suppression_id: SuppressionId) -> Suppressed:
    """End it now; one that is over stays as it is."""
    return await _ended(given, actor.name, SuppressionKind.SILENCE, suppression_id)


@router.get("/maintenance", summary="List maintenance windows")
async def list_maintenance(
    given: Given, ended: Ended = False, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[Suppressed]:
    """Maintenance windows in force and to come, the newest first."""
    return await _listed(given, SuppressionKind.MAINTENANCE, ended, limit, cursor)


@router.post("/maintenance", status_code=201, summary="Say that devices are worked on", responses=TOO_LARGE)
async def create_maintenance(given: Given, actor: CurrentActor, said: NewMaintenance) -> Suppressed:
    """Do not tell people of alerts of these devices until it ends; a pressed alarm button and fire are told."""
    matchers = (_of_devices(said.devices),)
    return await _kept(given, actor.name, SuppressionKind.MAINTENANCE, matchers, said)


@router.get("/maintenance/{suppression_id}", summary="Show one maintenance window", responses=NOT_FOUND)
async def get_maintenance(given: Given, suppression_id: SuppressionId) -> Suppressed:
    """One maintenance window, in force or over."""
    kept = await _one(given, SuppressionKind.MAINTENANCE, suppression_id)
    return Suppressed.of(kept, given.clock.now())


@router.delete("/maintenance/{suppression_id}", summary="End a maintenance window", responses=NOT_FOUND)
async def end_maintenance(given: Given, actor: CurrentActor, suppression_id: SuppressionId) -> Suppressed:
    """End it now; one that is over stays as it is."""
    return await _ended(given, actor.name, SuppressionKind.MAINTENANCE, suppression_id)


@router.get("/shelved", summary="List shelved alerts")
async def list_shelved(
    given: Given, ended: Ended = False, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[Suppressed]:
    """What people have put aside, the newest first. Take it up again at `/alerts/{alert_id}/shelve`."""
    return await _listed(given, SuppressionKind.SHELVED, ended, limit, cursor)


async def _listed(given: Given, kind: SuppressionKind, ended: bool, limit: int, cursor: str | None) -> Page[Suppressed]:
    listing, now = kind.value, given.clock.now()
    before = read_cursor(listing, cursor)
    rows: list[Suppression] = []
    # All kinds share one list, so what comes may hold none of the kind that is asked for.
    while len(rows) <= limit:
        some = await given.suppressions.list(ended=ended, before=before, limit=MAXIMUM_LIMIT)
        rows += [row for row in some if row.kind is kind]
        if len(some) < MAXIMUM_LIMIT:
            break
        before = some[-1].id
    return page(listing, rows[: limit + 1], limit, lambda row: row.id, lambda row: Suppressed.of(row, now))


async def _one(given: Given, kind: SuppressionKind, suppression_id: str) -> Suppression:
    kept = await given.suppressions.get(suppression_id)
    return found(kept if kept is not None and kept.kind is kind else None, f"{kind.value} {suppression_id}")


async def _ended(given: Given, actor: str, kind: SuppressionKind, suppression_id: str) -> Suppressed:
    await _one(given, kind, suppression_id)
    now = given.clock.now()
    kept = await given.suppressions.end(suppression_id, actor, now)
    return Suppressed.of(found(kept, f"{kind.value} {suppression_id}"), now)


async def _kept(
    given: Given, actor: str, kind: SuppressionKind, matchers: tuple[domain.Matcher, ...], said: _WithReason
) -> Suppressed:
    now = given.clock.now()
    starts_at, ends_at = said.chosen(now)
    wanted = Suppression("", kind, matchers, starts_at, ends_at, said.reason, actor, now)
    return Suppressed.of(await given.suppressions.add(wanted), now)


def _of_devices(paths: Sequence[str]) -> domain.Matcher:
    for index, path in enumerate(paths):
        if not _DEVICE.fullmatch(path):
            kinds = ", ".join(DeviceKind)
            wanted = f"`community/kind/device`, kind one of {kinds}"
            raise InvalidRequest(f"body.devices.{index}", f"no device: {path}", wanted)
    value = ",".join(dict.fromkeys(paths))
    if len(value) > MATCHER_LIMIT:
        wanted = f"at most {MATCHER_LIMIT} characters in all: make two windows"
        raise InvalidRequest("body.devices", f"their names have {len(value)} characters", wanted)
    return domain.Matcher("path", value, domain.Operator.IN)


async def _open_alerts(given: Given) -> list[AlertRow]:
    rows: list[AlertRow] = []
    before: int | None = None
    while some := await given.records.alerts(AlertFilter(open=True), before, MAXIMUM_LIMIT):
        rows += some
        before = some[-1].number
    return rows


def _labels(row: AlertRow, inventory: Inventory) -> domain.Labels:
    return domain.labels_of(row.rule, Severity(row.severity), row.device, inventory.of(row.device))
