"""Faults of all devices."""

from fastapi import APIRouter

from api.dependencies import Given
from api.models import Fault, UnknownCode, UnknownCodes
from api.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, page, read_number_cursor
from api.parameters import Community, MatchingFaults

_CODES_AT_MOST = 1_000
router = APIRouter(prefix="/faults", tags=["faults"])


@router.get("", summary="List faults")
async def list_faults(
    given: Given, matching: MatchingFaults, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[Fault]:
    """Fault episodes, the newest first. `kind` is the fault's; `device_kind` the machine's."""
    rows = await given.records.faults(matching, read_number_cursor("faults", cursor), limit + 1)
    return page("faults", rows, limit, lambda row: row.number, Fault.of)


@router.get("/unknown-codes", summary="List codes that no list knows")
async def list_unknown_codes(given: Given, community: Community = None) -> UnknownCodes:
    """Codes of faults that stand in no code list in force, by list, code and device, the newest first.

    A list of the site (`codes.files`) that maps them takes them off this page; a fault kept before stays *other*.
    """
    found = await given.codes.unknown_codes(community, _CODES_AT_MOST)
    return UnknownCodes(codes=[UnknownCode.of(row) for row in found])
