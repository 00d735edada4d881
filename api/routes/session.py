"""Signing in to a page: a token is exchanged for a cookie that no script can read."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from api.auth import CurrentActor, SessionCookie, current_session, name_behind, unauthorized
from api.dependencies import Dependencies, Given
from api.responses import ANY, GUARDED, TOO_LARGE, Responses, problem_answer
from api.sessions import COOKIE, Session, Sessions, is_foreign, is_secure
from api.times import Utc
from api.tries import Tries
from core.clock import wall_ahead

open_router = APIRouter(prefix="/session", tags=["session"])
router = APIRouter(prefix="/session", tags=["session"])
WRONG_TOKENS_MOST = 5
WRONG_TOKENS_WITHIN = timedelta(minutes=1)
_SIGNING_IN: Responses = {
    **{code: GUARDED[code] for code in (422, 503)},
    401: problem_answer("The token is unknown or revoked."),
    403: problem_answer("Asked for by a page of another origin."),
    429: problem_answer("Too many wrong tokens from this address; `Retry-After` says when to try again."),
    **TOO_LARGE,
    **ANY,
}


class SigningIn(BaseModel):
    """A token, as `anju token add NAME` prints it once."""

    model_config = ConfigDict(extra="forbid")

    token: Annotated[str, Field(min_length=1, max_length=512)]


class SignedIn(BaseModel):
    """Who is signed in."""

    name: str = Field(description="The name of the token, written beside whatever is done.")
    expires_at: Utc | None = Field(description="Unless it is used before then; null for a bearer token.")


def wrong_tokens() -> Tries:
    """Return what counts the wrong tokens of one application, by address."""
    return Tries(WRONG_TOKENS_MOST, WRONG_TOKENS_WITHIN)


@open_router.post("", status_code=201, summary="Sign in", responses=_SIGNING_IN)
async def begin_session(request: Request, response: Response, given: Given, said: SigningIn) -> SignedIn:
    """Exchange a token for a session cookie, `HttpOnly` and `SameSite=Strict`, for pages of this origin.

    It lasts 12 h from its last use, and ends with the token.
    """
    if is_foreign(request.headers):
        raise HTTPException(403, "only pages of the same origin may sign in")
    sessions: Sessions = request.app.state.sessions
    now = given.clock.steady()
    name = await name_behind(request, said.token)
    if name is None:
        _count_wrong(request, now)
        raise unauthorized("the token is unknown or revoked", 'Bearer error="invalid_token"')
    session_id, session = await sessions.begin(name, said.token, now)
    _set_cookie(request, response, session_id)
    return _signed_in(session, given)


@router.get("", summary="Show who is signed in")
async def get_session(request: Request, given: Given, actor: CurrentActor, session_id: SessionCookie) -> SignedIn:
    """The name behind the cookie, or behind the token."""
    if session_id is None or "authorization" in request.headers:
        return SignedIn(name=actor.name, expires_at=None)
    return _signed_in(await current_session(request, session_id), given)


@router.delete("", status_code=204, summary="Sign out")
async def end_session(request: Request, response: Response, session_id: SessionCookie) -> None:
    """End the session of the cookie; a token stays as it is."""
    sessions: Sessions = request.app.state.sessions
    if session_id is not None:
        await sessions.end(session_id)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=is_secure(request))


def _signed_in(session: Session, given: Dependencies) -> SignedIn:
    return SignedIn(name=session.name, expires_at=session.expires_at + wall_ahead(given.clock))


def _count_wrong(request: Request, now: datetime) -> None:
    # Only wrong tokens: a right one is too long to be guessed, and a whole duty room may share one address.
    tries: Tries = request.app.state.wrong_tokens
    tries.begin(request.client.host if request.client else "", now)


def _set_cookie(request: Request, response: Response, session_id: str) -> None:
    # Without an age: the browser keeps it while it is open, and how long it counts is decided here.
    response.set_cookie(COOKIE, session_id, path="/", httponly=True, samesite="strict", secure=is_secure(request))
    response.headers["Cache-Control"] = "no-store"
