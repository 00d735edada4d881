"""Telemetry of one device: newest values, raw samples, windows."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.dependencies import Given
from api.parameters import NamedDevice, Since, Until
from api.problems import InvalidRequest
from api.responses import NOT_FOUND
from api.routes.devices import known_device
from api.series import (
    MAXIMUM_POINTS,
    Selection,
    check_points,
    check_windows,
    choose_family,
    choose_signals,
    choose_span,
)
from api.times import Utc, Window
from core.clock import from_microseconds
from core.telemetry import Aggregate, Series

router = APIRouter(prefix="/devices/{community}/{kind}/{device}/telemetry", tags=["telemetry"])


class TelemetrySample(BaseModel):
    """One value. Two messages of one device at one instant stay two samples."""

    at: Utc
    value: bool | int | float | str


class TelemetrySeries(BaseModel):
    """The samples of one signal of one part (a region, a door; empty for the whole device), oldest first."""

    family: str
    part: str
    signal: str
    samples: list[TelemetrySample]

    @classmethod
    def of(cls, series: Series) -> Self:
        samples = [TelemetrySample(at=_instant(one.at_nanoseconds), value=one.value) for one in series.samples]
        return cls(family=series.family, part=series.part, signal=series.signal, samples=samples)


class LatestTelemetry(BaseModel):
    """The newest sample of every signal of every part."""

    series: list[TelemetrySeries]


class TelemetryRange(LatestTelemetry):
    """Samples with since <= at < until."""

    family: str
    since: Utc
    until: Utc
    window_seconds: float | None = Field(description="Null for raw samples; else windows begin at multiples of it.")
    aggregate: Aggregate | None


@router.get("/latest", summary="Newest telemetry of one device", responses=NOT_FOUND)
async def get_latest_telemetry(given: Given, named: NamedDevice) -> LatestTelemetry:
    """The newest sample of every signal of every part, from the telemetry store."""
    await known_device(given, named)
    found = await given.telemetry.latest(named)
    return LatestTelemetry(series=[TelemetrySeries.of(series) for series in found])


@router.get("", summary="Telemetry of one device over time", responses=NOT_FOUND)
async def get_telemetry(
    given: Given,
    named: NamedDevice,
    *,
    family: Annotated[str | None, Query(max_length=64, description="By default the main one of the kind.")] = None,
    signals: Annotated[str | None, Query(max_length=1_000, description="Comma-separated; by default all.")] = None,
    since: Since = None,
    until: Until = None,
    window: Annotated[Window | None, Query(description="Width of a window, such as 30s, 5m, 1h; raw without.")] = None,
    aggregate: Annotated[Aggregate | None, Query(description="By default `mean`; needs `window`.")] = None,
) -> TelemetryRange:
    """Raw samples, or one per window. The last hour by default; at most 10,000 points, else a 422 says so."""
    reducing = _reducing(window, aggregate)
    chosen = choose_family(named, family)
    begin, end = choose_span(since, until, given.clock.now())
    selection = Selection(named, chosen, choose_signals(chosen, signals, reducing), begin, end)
    await known_device(given, named)
    found = await _read(given, selection, window, reducing)
    return TelemetryRange(
        family=chosen,
        since=begin,
        until=end,
        window_seconds=window and window.total_seconds(),
        aggregate=reducing,
        series=[TelemetrySeries.of(series) for series in found],
    )


def _reducing(window: Window | None, aggregate: Aggregate | None) -> Aggregate | None:
    if window is None and aggregate is not None:
        raise InvalidRequest("query.aggregate", f"{aggregate.value} of what: there is no window", "`window` beside it")
    return None if window is None else aggregate or Aggregate.MEAN


async def _read(given: Given, selection: Selection, window: Window | None, aggregate: Aggregate | None) -> list[Series]:
    where = (selection.device, selection.family, selection.signals)
    since, until = selection.since, selection.until
    if window is not None and aggregate is not None:
        check_windows(selection, window)
        return await given.telemetry.windows(*where, since=since, until=until, every=window, aggregate=aggregate)
    found = await given.telemetry.range(*where, since=since, until=until, limit=MAXIMUM_POINTS + 1)
    check_points(found)
    return found


def _instant(at_nanoseconds: int) -> datetime:
    # The last three digits tell messages of one instant apart; they are no time.
    return from_microseconds(at_nanoseconds // 1_000)
