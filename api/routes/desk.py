"""The duty room's page `/desk`: static files of this package, with what a browser has to know of them."""

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

router = APIRouter(include_in_schema=False)

_PAGES = Path(__file__).parents[1] / "pages"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Everything comes from here and nothing from anywhere else; what a caller writes can become neither script nor style.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Asked for each time, sent only when it has changed: a desk never runs half of an old version.
    "Cache-Control": "no-cache",
}


@router.get("/")
async def start() -> Response:
    """Lead whoever typed the bare address to the page that staff works at."""
    return RedirectResponse("desk", status_code=303)


@router.get("/desk")
async def desk(request: Request) -> Response:
    """The page itself; whoever opens it signs in there."""
    return _served(request, "index.html")


@router.get("/desk/{name}")
async def desk_file(request: Request, name: str) -> Response:
    """One of its files."""
    return _served(request, name)


def _served(request: Request, name: str) -> Response:
    found = _files().get(name)
    if found is None:
        raise HTTPException(404, f"the desk has no file {name}")
    content, tag = found
    headers = {**SECURITY_HEADERS, "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=_TYPES[Path(name).suffix])


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """Return every file by its name, with its tag; read once, as they belong to the program."""
    paths = [*(_PAGES / "desk").iterdir(), _PAGES / "voice.js"]
    contents = {path.name: path.read_bytes() for path in paths if path.suffix in _TYPES}
    return {name: (content, f'"{hashlib.sha256(content).hexdigest()[:16]}"') for name, content in contents.items()}
