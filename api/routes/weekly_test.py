"""The page behind the link in a weekly test: one button. No token is needed, the link is signed."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.confirm_page import HEADERS, asking, thanks, unknown
from api.dependencies import Given

# Pages for people are no part of the contract.
router = APIRouter(prefix="/t", include_in_schema=False)


@router.get("/{token}")
async def show_weekly_test(given: Given, token: str) -> HTMLResponse:
    """Show the button. Nothing changes: programs that scan mails follow links before people do."""
    read = given.confirm_links.read(token)
    if read is None:
        return HTMLResponse(unknown(), 404, HEADERS)
    person, sent_at = read
    row = (await given.person_tests.newest()).get(person)
    done = row is not None and row.sent_at == sent_at and row.acknowledged_at is not None
    return HTMLResponse(thanks(person) if done else asking(person), headers=HEADERS)


@router.post("/{token}")
async def confirm_weekly_test(given: Given, token: str) -> HTMLResponse:
    """Keep that the test arrived."""
    read = given.confirm_links.read(token)
    if read is None:
        return HTMLResponse(unknown(), 404, HEADERS)
    person, sent_at = read
    await given.person_tests.acknowledge(person, sent_at, person, given.clock.now())
    return HTMLResponse(thanks(person), headers=HEADERS)
