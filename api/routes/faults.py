"""Faults of all devices."""

from fastapi import APIRouter

from api.dependencies import Given
from api.models import Fault
from api.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, page, read_number_cursor
from api.parameters import MatchingFaults

router = APIRouter(prefix="/faults", tags=["faults"])


@router.get("", summary="List faults")
async def list_faults(
    given: Given, matching: MatchingFaults, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[Fault]:
    """Fault episodes, the newest first. `kind` is the fault's; `device_kind` the machine's."""
    rows = await given.records.faults(matching, read_number_cursor("faults", cursor), limit + 1)
    return page("faults", rows, limit, lambda row: row.number, Fault.of)
