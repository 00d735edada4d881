"""The contract itself, readable without a token and without reaching for the network."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from api.reference_page import render

router = APIRouter(include_in_schema=False)
# The page needs nothing but its own style: whatever else should ever get into it is not run.
_POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"}


@router.get("/docs")
async def get_docs(request: Request) -> HTMLResponse:
    """The contract as one page for people."""
    return HTMLResponse(render(request.app.openapi()), headers=_POLICY)
