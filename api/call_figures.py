"""Figures of a month of emergency calls as they stand on the wire."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Self

from msgspec.structs import asdict
from pydantic import BaseModel, Field

from api.times import Utc
from emergency import figures as domain
from emergency.model import Call


class GroupedBy(StrEnum):
    """What the figures of a month are told apart by."""

    SOURCE = "source"
    CONTRACTOR = "contractor"


class CallTimes(BaseModel):
    """Times of one kind, in seconds, and how many of them kept the target."""

    known: int = Field(description="How many are known; median and 90th percentile are of these.")
    median_seconds: float | None
    p90_seconds: float | None
    target_seconds: float | None = Field(description="Null where nothing is wanted, or not the same of all.")
    in_time: int | None
    late: int | None = Field(description="Those that missed the target, or have missed it until now.")
    share_in_time: float | None = Field(description="Of those that kept the target or did not.")

    @classmethod
    def of(cls, spread: domain.Spread) -> Self:
        return cls(**asdict(spread), share_in_time=spread.share_in_time)


class CallFigures(BaseModel):
    """What some calls come to."""

    calls: int
    taken_back: int = Field(description="Taken back by the caller within 30 s, unanswered: in no other figure.")
    false_alarms: int
    freed: int = Field(description="Calls in which people were freed.")
    unfinished: int = Field(description="Calls that are open still.")
    overdue: int = Field(description="Calls whose rescue clock ran out with nobody on site.")
    answer: CallTimes = Field(description="From the first step told until somebody answered; wanted within 30 s.")
    arrival: CallTimes = Field(description="From the first step told until somebody was on site; wanted by the clock.")
    release: CallTimes = Field(description="From being on site until everybody was out.")

    @classmethod
    def of(cls, figures: domain.Figures) -> Self:
        times = {name: CallTimes.of(getattr(figures, name)) for name in ("answer", "arrival", "release")}
        return cls(**{**asdict(figures), **times})


class NamedFigures(BaseModel):
    """The figures of one source, or of one contractor."""

    name: str = Field(description="Empty for calls without a contractor.")
    figures: CallFigures


class OverdueCall(BaseModel):
    """A call whose rescue clock ran out: it stands in the contractor's record."""

    id: str
    number: int
    lift: str
    contractor: str = Field(description="Empty where nobody is known.")
    began: Utc
    rescue_by: Utc
    on_site: Utc | None = Field(description="Null where nobody came until now, or before it was closed.")

    @classmethod
    def of(cls, call: Call) -> Self:
        began = domain.shown_begin(call)
        return cls(
            id=call.id,
            number=call.number,
            lift=call.place.lift,
            contractor=call.contractor,
            began=began,
            rescue_by=call.rescue_by or began,
            on_site=call.stamps.on_site or call.stamps.freed,
        )


class MonthOfCalls(BaseModel):
    """The figures of a month, drills apart. The definitions are ours: no national formula was found."""

    month: str
    since: Utc
    until: Utc
    community: str | None
    by: GroupedBy
    total: CallFigures
    groups: list[NamedFigures] = Field(description="By name.")
    drills: CallFigures
    overdue: list[OverdueCall] = Field(description="By contractor, then in order.")

    @classmethod
    def of(
        cls, month: str, span: tuple[datetime, datetime], community: str | None, by: GroupedBy, of: domain.MonthFigures
    ) -> Self:
        since, until = span
        return cls(
            month=month,
            since=since,
            until=until,
            community=community,
            by=by,
            total=CallFigures.of(of.total),
            groups=_named(of.by_source if by is GroupedBy.SOURCE else of.by_contractor),
            drills=CallFigures.of(of.drills),
            overdue=[OverdueCall.of(call) for call in of.overdue],
        )


def _named(groups: Mapping[str, domain.Figures]) -> list[NamedFigures]:
    return [NamedFigures(name=name, figures=CallFigures.of(figures)) for name, figures in groups.items()]
