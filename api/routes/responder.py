"""The page of whoever was told of a call: on my way, cannot come, on site. No token is needed, the link is signed."""

from datetime import timedelta
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.dependencies import Dependencies, Given
from api.responder_page import HEADERS, MINUTES, SAID, answering, away, over, unknown
from core.errors import Conflict, TemporaryError
from emergency.acts import Act, CannotCome, OnSite, OnTheWay
from emergency.model import STOPPED, Call, PageKind

# Pages for people are no part of the contract.
router = APIRouter(prefix="/r", include_in_schema=False)


@router.get("/{token}")
async def show_reply(given: Given, token: str, said: str = "") -> Response:
    """Show how the call stands, and the answers. Nothing changes: programs that scan mails follow links as well."""
    read = given.confirm_links.read_reply(token)
    if read is None:
        return HTMLResponse(unknown(), 404, HEADERS)
    try:
        call = await given.emergency.reader.call(read[0])
    except TemporaryError:
        return HTMLResponse(away(), 503, HEADERS)
    return HTMLResponse(_shown(given, call, said), headers=HEADERS)


@router.post("/{token}")
async def reply(given: Given, request: Request, token: str) -> Response:
    """Keep the answer, and show how the call stands then."""
    read = given.confirm_links.read_reply(token)
    if read is None:
        return HTMLResponse(unknown(), 404, HEADERS)
    call_id, name = read
    form = {key: values[-1] for key, values in parse_qs((await request.body()).decode("ascii", "replace")).items()}
    said = form.get("answer", "")
    what = _act(said, name, form.get("minutes", ""), given)
    if what is None:
        return HTMLResponse(unknown(), 422, HEADERS)
    try:
        await given.emergency.calls.act(call_id, what, name)
    except Conflict:
        said = "refused"
    except TemporaryError:
        said = "away"
    return RedirectResponse(f"/r/{token}?said={said}", 303, HEADERS)


def _act(answer: str, name: str, minutes: str, given: Dependencies) -> Act | None:
    if answer == "on-the-way":
        known = next((each for each in MINUTES if str(each) == minutes), None)
        return OnTheWay(name, None if known is None else given.clock.now() + timedelta(minutes=known))
    if answer == "cannot-come":
        return CannotCome(name)
    return OnSite(name) if answer == "on-site" else None


def _shown(given: Dependencies, call: Call | None, said: str) -> str:
    said = said if said in SAID else ""
    if call is None or not call.open:
        return over(said)
    kind = PageKind.UPDATE if call.state in STOPPED else PageKind.DISPATCH
    return answering(call.state, given.emergency.calls.words(call, kind), said)
