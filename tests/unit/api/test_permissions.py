"""Three people at every route: no token, a wrong one, the right one."""

import re
from collections.abc import Iterable
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import BaseRoute, Route, WebSocketRoute

from api.app import assemble
from api.auth import REMEMBERED_FOR
from tests.unit.api.world import RIGHT, WRONG, World

OPEN = {"/healthz", "/readyz", "/docs", "/openapi.json"}
# These never end: their holder of a token is in tests/integration/test_api_stream.py and test_property_app.py.
STREAMS = {"/api/v1/stream", "/api/v1/emergency-calls/stream"}

PAGES = {"show_weekly_test", "confirm_weekly_test", "show_reply", "reply"}
"""Routes that show pages to people who follow a link that is signed; tests of their own see to them."""


def _operations() -> list[tuple[str, str]]:
    """Every method and path the application answers, as its routing table says (mounted routers included)."""
    document = assemble().openapi()
    documented = [(method.upper(), path) for path, item in document["paths"].items() for method in item]
    return [*documented, ("GET", "/docs"), ("GET", "/openapi.json")]


OPERATIONS = _operations()
# The page behind a QR code needs no token: tests/unit/api/test_resident.py.
RESIDENTS = {
    "get_page",
    "get_form",
    "get_back_form",
    "get_worker",
    "get_voice",
    "raise_call",
    "get_progress",
    "take_back",
    "leave_details",
}
# Whoever signs in shows a token in the body: tests/unit/api/test_session.py.
SIGNING_IN = ("POST", "/api/v1/session")
GUARDED = [one for one in OPERATIONS if one[1] not in OPEN and one != SIGNING_IN]
# Static files of a page on which staff signs in: tests/unit/api/test_desk_files.py.
DESK = {"start", "desk", "desk_file"}
# Sockets, which OpenAPI has no words for: tests/integration/test_voice_relay.py and test_desk.py.
VOICES = {"staff_voice", "resident_voice"}
# These need no body and no thing that is there.
DONE_AT_ONCE = {("DELETE", "/api/v1/session")}
# This one says of any lift whether a code is kept for it.
ALWAYS = {("GET", "/api/v1/devices/{community}/elevator/{device}/controller-code")}


def _filled(path: str) -> str:
    words = {
        "community": "xingfu",
        "kind": "elevator",
        "device": "lift-1",
        "alert_id": "alert1",
        "suppression_id": "s1",
        "override_id": "o1",
        "rule": "door",
        "rota": "nobody",
        "receiver": "nobody",
        "person": "nobody",
        "call_id": "nowhere",
        "point_id": "nowhere",
    }
    return re.sub(r"\{(\w+)\}", lambda found: words[found[1]], path)


def test_the_open_routes_are_these_and_no_others() -> None:
    paths = {path for _, path in OPERATIONS}
    assert paths >= OPEN
    assert {path for path in paths if not path.startswith("/api/v1/")} - OPEN == {"/metrics"}


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_nobody_gets_in_without_a_token(stranger: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await stranger.request(method, _filled(path))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_nobody_gets_in_with_a_wrong_token(stranger: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await stranger.request(method, _filled(path), headers=WRONG)
    assert answer.status_code == 401
    assert "invalid_token" in answer.headers["www-authenticate"]


@pytest.mark.parametrize(("method", "path"), [one for one in GUARDED if one[1] not in STREAMS])
async def test_a_token_opens_every_route(lan: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await lan.request(method, _filled(path))
    # The world is empty: what is asked for by name is not there, and nothing is said where a body is expected.
    known = method == "GET" and ("{" not in path or (method, path) in ALWAYS)
    expected = {200} if known else {404, 422}
    assert answer.status_code in ({204} if (method, path) in DONE_AT_ONCE else expected)


@pytest.mark.parametrize("path", sorted(OPEN))
@pytest.mark.parametrize("headers", [{}, WRONG, RIGHT], ids=["none", "wrong", "right"])
async def test_health_and_contract_are_open(stranger: httpx.AsyncClient, path: str, headers: dict[str, str]) -> None:
    assert (await stranger.get(path, headers=headers)).status_code == 200


async def test_a_token_is_remembered_for_seconds_only(lan: httpx.AsyncClient, world: World) -> None:
    for _ in range(3):
        assert (await lan.get("/api/v1/alerts")).status_code == 200
    assert world.tokens.asked == 1
    world.tokens.known.clear()
    world.clock.advance(REMEMBERED_FOR + timedelta(milliseconds=1))
    assert (await lan.get("/api/v1/alerts")).status_code == 401


async def test_tokens_that_cannot_be_checked_are_a_503_that_tells_nothing(lan: httpx.AsyncClient, world: World) -> None:
    world.tokens.away = True
    answer = await lan.get("/api/v1/alerts")
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    assert "db.internal" not in answer.text


@pytest.mark.parametrize("value", ["", "Bearer", "Basic bGFu", "Bearer " + "x" * 600, "token-of-lan"])
async def test_odd_authorization_headers_are_refused(stranger: httpx.AsyncClient, value: str) -> None:
    answer = await stranger.get("/api/v1/alerts", headers={"Authorization": value})
    assert answer.status_code == 401


def test_no_route_hides_from_the_contract_and_so_from_these_tests(app: FastAPI) -> None:
    documented = {operation["operationId"] for item in app.openapi()["paths"].values() for operation in item.values()}
    assert _names(app.routes) == documented | {"openapi", "get_docs"} | PAGES | DESK | VOICES | RESIDENTS


def _names(routes: Iterable[BaseRoute]) -> set[str]:
    """Names of all routes; FastAPI keeps included routers as such, or (older ones) copies their routes."""
    found: set[str] = set()
    for route in routes:
        inner = getattr(route, "original_router", None)
        found |= (
            {route.name}
            if isinstance(route, Route | WebSocketRoute)
            else _names(inner.routes)
            if inner
            else {repr(route)}
        )
    return found
