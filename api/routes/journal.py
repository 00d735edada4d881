"""What became of every message: the ledger and the quarantine."""

import asyncio
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import Given
from api.models import Ledger, LedgerDay, Quarantined, ReaderPosition
from api.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, page, read_number_cursor
from api.ports import JournalView
from api.problems import InvalidRequest

router = APIRouter(tags=["journal"])
_DEFAULT_DAYS = 7
_MAXIMUM_DAYS = 366


@router.get("/ledger", summary="How the messages of each community and day ended")
async def get_ledger(
    given: Given, since: Annotated[date | None, Query(description="From this UTC day on; a week by default.")] = None
) -> Ledger:
    """Every message is stored, a duplicate, rejected or in flight: the counters add up to *received*."""
    first = _first_day(since, given.clock.now().date())
    decided = await given.records.alert_position()
    # The journal blocks; an executor thread keeps the event loop free.
    return await asyncio.to_thread(_ledger, given.journal, first, decided)


@router.get("/quarantine", summary="List rejected messages")
async def list_quarantine(given: Given, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[Quarantined]:
    """Messages that could not be used, the newest first, each with the reason and the beginning of its payload."""
    before = read_number_cursor("quarantine", cursor)
    rows = await asyncio.to_thread(given.journal.quarantine, before, limit + 1)
    return page("quarantine", rows, limit, lambda row: row.position, Quarantined.of)


def _first_day(since: date | None, today: date) -> date:
    if since is None:
        return today - timedelta(days=_DEFAULT_DAYS - 1)
    earliest = today - timedelta(days=_MAXIMUM_DAYS)
    if since < earliest:
        raise InvalidRequest("query.since", f"{since} is too long ago", f"a day not before {earliest}")
    return since


def _ledger(journal: JournalView, since: date, decided: int) -> Ledger:
    positions, last = journal.positions(), journal.last_position()
    return Ledger(
        since=since,
        days=[LedgerDay.of(row) for row in journal.ledger(since)],
        last_position=last,
        readers=[_reader(name, position, last) for name, position in sorted(positions.items())],
        alerts_decided=_reader("alerts", decided, last),
    )


def _reader(name: str, position: int, last: int) -> ReaderPosition:
    return ReaderPosition(reader=name, position=position, behind=max(0, last - position))
