"""Signing in to a page: the cookie, what it opens, for whom it does not, and how it ends."""

from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from starlette.types import Message

from api.auth import REMEMBERED_FOR, actor_of_websocket
from api.routes.session import WRONG_TOKENS_MOST, WRONG_TOKENS_WITHIN
from api.sessions import COOKIE, LASTS, WRITTEN_EVERY
from tests.unit.api.world import LIFT, RIGHT, TOKEN, World, application

SESSION = "/api/v1/session"
OWN = {"Origin": "http://anju"}


async def sign_in(client: httpx.AsyncClient, token: str = TOKEN, **headers: str) -> httpx.Response:
    return await client.post(SESSION, json={"token": token}, headers=headers)


async def test_a_token_is_exchanged_for_a_cookie_that_no_script_can_read(stranger: httpx.AsyncClient) -> None:
    answer = await sign_in(stranger)
    assert (answer.status_code, answer.json()) == (201, {"name": "lan", "expires_at": "2026-08-14T19:02:26Z"})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly; Path=/; SameSite=strict" in cookie
    assert "Secure" not in cookie
    assert TOKEN not in cookie
    assert answer.headers["cache-control"] == "no-store"
    assert (await stranger.get("/api/v1/alerts")).status_code == 200


@pytest.mark.parametrize(
    ("url", "headers"), [("https://anju", {}), ("http://anju", {"X-Forwarded-Proto": "https"})], ids=["TLS", "proxy"]
)
async def test_over_tls_the_cookie_stays_there(app: FastAPI, url: str, headers: dict[str, str]) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=url) as client:
        assert "; Secure" in (await sign_in(client, **headers)).headers["set-cookie"]


async def test_what_is_done_is_recorded_under_the_name_of_the_token(stranger: httpx.AsyncClient, world: World) -> None:
    world.records.raise_alert(LIFT)
    await sign_in(stranger)
    answer = await stranger.post("/api/v1/alerts/alert1/acknowledge", headers=OWN)
    assert answer.json()["acknowledged_by"] == "lan"


async def test_a_token_beside_a_cookie_counts(stranger: httpx.AsyncClient, world: World) -> None:
    world.tokens.known["token-of-wang"] = "wang"
    await sign_in(stranger)
    assert (await stranger.get(SESSION)).json()["name"] == "lan"
    token = {"Authorization": "Bearer token-of-wang"}
    assert (await stranger.get(SESSION, headers=token)).json() == {"name": "wang", "expires_at": None}


ORIGINS: dict[str, tuple[dict[str, str], int]] = {
    "our page": ({"Origin": "http://anju"}, 200),
    "our page, says the browser": ({"Sec-Fetch-Site": "same-origin", "Origin": "http://anju"}, 200),
    "our page behind a proxy": ({"Origin": "https://desk.example", "X-Forwarded-Host": "desk.example"}, 200),
    "another page": ({"Origin": "http://evil.example"}, 403),
    "a page whose name begins like ours": ({"Origin": "http://anju.evil.example"}, 403),
    "another page, says the browser": ({"Sec-Fetch-Site": "cross-site", "Origin": "http://anju"}, 403),
    "a neighbour of the same site": ({"Sec-Fetch-Site": "same-site", "Origin": "http://anju"}, 403),
    "a page in a sandbox": ({"Origin": "null"}, 403),
    "nothing said": ({}, 403),
}


@pytest.mark.parametrize(("headers", "status"), ORIGINS.values(), ids=ORIGINS)
async def test_with_a_cookie_only_our_pages_change_things(
    stranger: httpx.AsyncClient, world: World, headers: dict[str, str], status: int
) -> None:
    world.records.raise_alert(LIFT)
    await sign_in(stranger)
    answer = await stranger.post("/api/v1/alerts/alert1/acknowledge", headers=headers)
    assert answer.status_code == status
    assert (world.records.alert_rows[0].acknowledged_by is None) is (status == 403)
    assert (await stranger.get("/api/v1/alerts", headers=headers)).status_code == 200


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_no_other_page_signs_anybody_in(stranger: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await sign_in(stranger, **headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_signing_out_ends_the_session_for_whoever_kept_the_cookie(stranger: httpx.AsyncClient) -> None:
    await sign_in(stranger)
    kept = {"Cookie": f"{COOKIE}={stranger.cookies[COOKIE]}"}
    answer = await stranger.delete(SESSION, headers=OWN)
    assert answer.status_code == 204
    assert f'{COOKIE}=""; ' in answer.headers["set-cookie"]
    assert COOKIE not in stranger.cookies
    assert (await stranger.get("/api/v1/alerts", headers=kept)).status_code == 401


async def test_a_revoked_token_takes_its_sessions_along(stranger: httpx.AsyncClient, world: World) -> None:
    await sign_in(stranger)
    world.tokens.known.clear()
    world.clock.advance(REMEMBERED_FOR + timedelta(milliseconds=1))
    assert (await stranger.get("/api/v1/alerts")).status_code == 401
    world.tokens.known[TOKEN] = "lan"
    assert (await stranger.get("/api/v1/alerts")).status_code == 401


async def test_a_session_lasts_from_its_last_use(stranger: httpx.AsyncClient, world: World) -> None:
    await sign_in(stranger)
    for _ in range(3):
        world.clock.advance(LASTS - timedelta(seconds=1))
        assert (await stranger.get("/api/v1/alerts")).status_code == 200
    world.clock.advance(LASTS)
    answer = await stranger.get("/api/v1/alerts")
    assert (answer.status_code, answer.json()["detail"]) == (401, "the session has ended: sign in again")


async def test_a_restart_signs_nobody_out(stranger: httpx.AsyncClient, world: World) -> None:
    await sign_in(stranger)
    transport = httpx.ASGITransport(application(world))
    async with httpx.AsyncClient(transport=transport, base_url="http://anju", cookies=stranger.cookies) as again:
        assert (await again.get(SESSION)).json()["name"] == "lan"
        await again.delete(SESSION, headers=OWN)
    world.clock.advance(REMEMBERED_FOR)
    assert (await stranger.get("/api/v1/alerts")).status_code == 401


async def test_the_last_use_is_written_once_a_minute(stranger: httpx.AsyncClient, world: World) -> None:
    await sign_in(stranger)
    written = world.sessions.written
    for _ in range(60):
        world.clock.advance(WRITTEN_EVERY / 20)
        await stranger.get("/api/v1/alerts")
    assert world.sessions.written - written == 3


async def test_a_use_that_cannot_be_written_counts_all_the_same(stranger: httpx.AsyncClient, world: World) -> None:
    await sign_in(stranger)
    world.sessions.stuck = True
    world.clock.advance(WRITTEN_EVERY)
    answer = await stranger.get(SESSION)
    assert (answer.status_code, answer.json()["expires_at"]) == (200, "2026-08-14T19:02:26Z")
    world.sessions.stuck = False
    world.clock.advance(WRITTEN_EVERY)
    assert (await stranger.get(SESSION)).json()["expires_at"] == "2026-08-14T19:04:26Z"


async def test_tokens_that_cannot_be_checked_end_no_session(stranger: httpx.AsyncClient, world: World) -> None:
    await sign_in(stranger)
    world.clock.advance(timedelta(minutes=1))
    world.tokens.away = True
    answer = await stranger.get("/api/v1/alerts")
    assert (answer.status_code, "db.internal" in answer.text) == (503, False)
    world.tokens.away = False
    assert (await stranger.get("/api/v1/alerts")).status_code == 200


async def test_wrong_tokens_slow_an_address_down(stranger: httpx.AsyncClient, world: World) -> None:
    for _ in range(WRONG_TOKENS_MOST):
        assert (await sign_in(stranger, "guess")).status_code == 401
    answer = await sign_in(stranger, "guess")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    world.clock.advance(WRONG_TOKENS_WITHIN)
    assert (await sign_in(stranger, "guess")).status_code == 401


async def test_wrong_tokens_keep_nobody_out_who_has_a_right_one(stranger: httpx.AsyncClient) -> None:
    for _ in range(WRONG_TOKENS_MOST + 1):
        await sign_in(stranger, "guess")
    assert (await sign_in(stranger)).status_code == 201
    assert (await sign_in(stranger, "guess")).status_code == 429


async def test_tokens_that_cannot_be_checked_are_no_wrong_ones(stranger: httpx.AsyncClient, world: World) -> None:
    world.tokens.away = True
    for _ in range(WRONG_TOKENS_MOST + 1):
        answer = await sign_in(stranger, "guess")
        assert (answer.status_code, "db.internal" in answer.text) == (503, False)
    world.tokens.away = False
    assert (await sign_in(stranger, "guess")).status_code == 401


async def test_right_tokens_are_never_too_many(stranger: httpx.AsyncClient) -> None:
    for _ in range(WRONG_TOKENS_MOST * 2):
        assert (await sign_in(stranger)).status_code == 201


@pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": "x" * 513}, {"token": "x", "name": "wang"}, None])
async def test_odd_ways_to_sign_in(stranger: httpx.AsyncClient, body: object) -> None:
    assert (await stranger.post(SESSION, json=body)).status_code == 422


SOCKETS: dict[str, tuple[dict[str, str], bool, str]] = {
    "a token": (RIGHT, False, "lan"),
    "a wrong token": ({"Authorization": "Bearer nobody"}, False, ""),
    "a wrong token and a cookie": ({"Authorization": "Bearer nobody", **OWN}, True, ""),
    "a cookie from our page": (OWN, True, "lan"),
    "a cookie from another page": ({"Origin": "http://evil.example"}, True, ""),
    "a cookie from nowhere": ({}, True, ""),
    "nothing": (OWN, False, ""),
}


@pytest.mark.parametrize(("headers", "signed_in", "name"), SOCKETS.values(), ids=SOCKETS)
async def test_who_opens_a_socket(
    app: FastAPI, stranger: httpx.AsyncClient, headers: dict[str, str], signed_in: bool, name: str
) -> None:
    await sign_in(stranger)
    cookie = {"Cookie": f"{COOKIE}={stranger.cookies[COOKIE]}"} if signed_in else {}
    actor = await actor_of_websocket(_opening(app, {**headers, **cookie, "Host": "anju"}))
    assert (actor.name if actor else "") == name


def _opening(app: FastAPI, headers: dict[str, str]) -> WebSocket:
    """Return a socket that is about to be opened with ``headers``."""

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(_message: Message) -> None:
        raise AssertionError("nothing is to be sent")

    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "websocket", "scheme": "ws", "path": "/", "query_string": b"", "headers": encoded, "app": app}
    return WebSocket(scope, receive, send)
