"""What is hung on the walls: the QR code of a call point, and sheets to print."""

import base64
import hashlib
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from api.call_places import place_of_point
from api.dependencies import Dependencies, Given
from api.found import found
from api.parameters import Community
from api.resident_page import ALWAYS, phones_of
from api.responses import NOT_FOUND
from api.routes.call_points import PointPath, known_point
from api.sheets import Document, Sheet, code_svg, is_for_phones, printed
from emergency.model import CallPoint

router = APIRouter(tags=["call points"])
Lang = Annotated[Literal["zh", "en"], Query(description="The language that stands first; both are on a sheet.")]
_ALWAYS = {number for _, _, number in ALWAYS}


def _answers(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {"schema": {"type": "string"}}}, "description": description}}


_SHEETS = _answers("text/html", "A page to print: each sheet fills a page of A6.")


@router.get(
    "/call-points/{point_id}/qr.svg",
    summary="Draw the QR code of a call point",
    response_class=Response,
    responses={**_answers("image/svg+xml", "The code, with its quiet zone."), **NOT_FOUND},
)
async def get_call_point_code(given: Given, request: Request, point_id: PointPath) -> Response:
    """The code of the resident's page, to be put into a sheet of one's own; 404 where the point was removed."""
    point = await _in_use(given, point_id)
    return Response(code_svg(_address(given, request, point)), media_type="image/svg+xml")


@router.get(
    "/call-points/{point_id}/sheet",
    summary="Lay out the sheet of a call point",
    response_class=Response,
    responses={**_SHEETS, **NOT_FOUND},
)
async def get_call_point_sheet(given: Given, request: Request, point_id: PointPath, lang: Lang = "zh") -> Response:
    """One sheet: QR code, rescue code and the number of the duty room; 404 where the point was removed."""
    sheets = [await _sheet(given, request, await _in_use(given, point_id))]
    return _page(printed(sheets, lang, doubtful=_doubtful(given, request)))


@router.get("/call-sheets", summary="Lay out the sheets of all call points", response_class=Response, responses=_SHEETS)
async def list_call_sheets(given: Given, request: Request, community: Community = None, lang: Lang = "zh") -> Response:
    """The sheets of all call points in use, one to a page, by id."""
    points = await given.emergency.points.points(community)
    sheets = [await _sheet(given, request, point) for point in points]
    return _page(printed(sheets, lang, doubtful=_doubtful(given, request)))


async def _in_use(given: Dependencies, point_id: str) -> CallPoint:
    point = await known_point(given, point_id)
    return found(point if point.removed_at is None else None, f"call point {point_id} in use")


def _address(given: Dependencies, request: Request, point: CallPoint) -> str:
    return f"{_root(given, request)}/c/{given.emergency.tokens.of(point)}"


def _root(given: Dependencies, request: Request) -> str:
    return (given.base_url or str(request.base_url)).rstrip("/")


def _doubtful(given: Dependencies, request: Request) -> str:
    """Return the address to warn of: one that nobody chose and that residents' phones cannot use."""
    root = _root(given, request)
    return "" if given.base_url or is_for_phones(root) else root


async def _sheet(given: Dependencies, request: Request, point: CallPoint) -> Sheet:
    place = await place_of_point(given.emergency.places, point)
    own = (phone for phone in phones_of(given.emergency.calls.plan, place) if phone.number not in _ALWAYS)
    return Sheet(place, _address(given, request, point), next(own, None))


def _page(document: Document) -> Response:
    digest = base64.b64encode(hashlib.sha256(document.style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(document.html, 200, headers, "text/html; charset=utf-8")
