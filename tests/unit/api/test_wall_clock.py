"""The wall clock is set forward or back behind the API: who is signed in stays so, and what is shown is by it."""

from datetime import datetime, timedelta

import httpx
import pytest

from api.auth import REMEMBERED_FOR
from api.routes.session import WRONG_TOKENS_MOST, WRONG_TOKENS_WITHIN
from api.sessions import LASTS
from tests.unit.api.test_emergency_calls import CALLS, done, raise_call
from tests.unit.api.test_session import SESSION, sign_in
from tests.unit.api.world import TOKEN, World

HOURS = timedelta(hours=13)
JUMPS = pytest.mark.parametrize("jump", [HOURS, -HOURS], ids=["forward", "back"])


@JUMPS
async def test_a_session_lasts_its_hours(stranger: httpx.AsyncClient, world: World, jump: timedelta) -> None:
    await sign_in(stranger)
    world.clock.jump(jump)
    answer = await stranger.get(SESSION)
    assert answer.status_code == 200
    assert datetime.fromisoformat(answer.json()["expires_at"]) == world.clock.now() + LASTS
    world.clock.advance(LASTS)
    assert (await stranger.get(SESSION)).status_code == 401


@JUMPS
async def test_a_revoked_token_is_forgotten_in_its_time(lan: httpx.AsyncClient, world: World, jump: timedelta) -> None:
    assert (await lan.get("/api/v1/alerts")).status_code == 200
    world.clock.jump(jump)
    del world.tokens.known[TOKEN]
    world.clock.advance(REMEMBERED_FOR)
    assert (await lan.get("/api/v1/alerts")).status_code == 401


@JUMPS
async def test_wrong_tokens_slow_an_address_down_for_a_minute(
    stranger: httpx.AsyncClient, world: World, jump: timedelta
) -> None:
    for _ in range(WRONG_TOKENS_MOST):
        await sign_in(stranger, "guess")
    world.clock.jump(jump)
    assert (await sign_in(stranger, "guess")).headers["retry-after"] == "60"
    world.clock.advance(WRONG_TOKENS_WITHIN)
    assert (await sign_in(stranger, "guess")).status_code == 401


@JUMPS
async def test_what_a_call_waits_for_is_shown_by_the_clock_on_the_wall(
    lan: httpx.AsyncClient, world: World, jump: timedelta
) -> None:
    call = (await raise_call(lan)).json()
    world.clock.jump(jump)
    shown = (await lan.get(f"{CALLS}/{call['id']}")).json()
    assert _at(shown["stamps"]["raised"]) == _at(call["stamps"]["raised"])
    assert _at(shown["rescue"]["by"]) == _at(call["rescue"]["by"]) + jump
    assert _at(shown["ladder"]["climb_at"]) == _at(call["ladder"]["climb_at"]) + jump
    going = await done(lan, call["id"], "on-the-way", {"name": "zhang", "arrives_in": "10m"})
    assert _at(going["responder"]["arrives_at"]) == world.clock.now() + timedelta(minutes=10)
    assert going["rescue"]["state"] == "running"


def _at(shown: str) -> datetime:
    return datetime.fromisoformat(shown)
