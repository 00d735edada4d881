"""Somebody plays with a code: what stands in the history of it, and that a trapped person gets through all the same."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.resident_identity import COOKIE
from emergency import acts
from emergency.model import CallState, Cause, TakenBack
from tests.unit.api.walls import ENTRANCE, TOKEN, calls_of, hang_up_codes
from tests.unit.api.world import World, application

JSON = {"Accept": "application/json"}
PAGE = {"Accept": "text/html"}


@pytest.fixture
async def app(world: World) -> FastAPI:
    """The application, with codes on the walls."""
    await hang_up_codes(world)
    return application(world)


@pytest.fixture
async def player(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A phone at an address of its own."""
    async with _phone(app, "198.51.100.7") as client:
        yield client


@pytest.fixture
async def trapped(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Another phone, at another address."""
    async with _phone(app, "203.0.113.9") as client:
        yield client


@pytest.fixture
async def neighbour(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Another phone, behind the same address as the player's."""
    async with _phone(app, "198.51.100.7") as client:
        yield client


@pytest.fixture
def phones(
    player: httpx.AsyncClient, trapped: httpx.AsyncClient, neighbour: httpx.AsyncClient
) -> dict[str, httpx.AsyncClient]:
    """All of them by name."""
    return {"player": player, "trapped": trapped, "neighbour": neighbour}


def _phone(app: FastAPI, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 40_000))
    return httpx.AsyncClient(transport=transport, base_url="http://anju", headers=JSON)


async def scan(phone: httpx.AsyncClient, token: str = TOKEN) -> None:
    assert (await phone.get(f"/c/{token}", headers=PAGE)).status_code == 200


async def tap(phone: httpx.AsyncClient, token: str = TOKEN) -> dict[str, Any]:
    answer = await phone.post(f"/c/{token}/calls")
    assert answer.status_code in (200, 201), answer.text
    told: dict[str, Any] = answer.json()
    return told


async def take_back(phone: httpx.AsyncClient, call: str) -> dict[str, Any]:
    answer = await phone.post(f"/c/{TOKEN}/calls/{call}/abandon")
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told


async def close(world: World, call: str) -> None:
    await world.calling.switchboard.act(call, acts.Close(Cause.FALSE_ALARM), "li")


def written(world: World, kind: str) -> int:
    return [row.event.kind.value for row in world.calling.records.rows].count(kind)


def paged(world: World) -> list[str]:
    return [page.kind.value for commit in world.calling.records.commits for page in commit.pages]


@pytest.mark.parametrize("victim", ["trapped", "neighbour", "player"])
async def test_whoever_is_trapped_after_much_play_is_heard_at_once(
    phones: dict[str, httpx.AsyncClient], world: World, victim: str
) -> None:
    player, phone = phones["player"], phones[victim]
    await scan(player)
    for _ in range(30):
        told = await tap(player)
        assert (await take_back(player, told["id"]))["state"] == "abandoned"
        await close(world, told["id"])
    before = len(paged(world))
    told = await tap(phone)
    assert (told["state"], calls_of(world)[-1].stamps.rang is not None) == ("ringing", True)
    assert paged(world)[before:] == ["call"]
    expected = {"trapped": TakenBack(30, 0, 0), "neighbour": TakenBack(30, 30, 0), "player": TakenBack(30, 30, 30)}
    assert calls_of(world)[-1].taken_back_before == expected[victim]


async def test_staff_see_what_was_taken_back_before(
    player: httpx.AsyncClient, lan: httpx.AsyncClient, world: World
) -> None:
    await scan(player)
    for _ in range(2):
        told = await tap(player)
        await take_back(player, told["id"])
        await close(world, told["id"])
    told = await tap(player)
    shown = (await lan.get(f"/api/v1/emergency-calls/{told['id']}")).json()
    assert shown["taken_back_before"] == {"code": 2, "network": 2, "phone": 2}
    assert shown["callers"] == 1
    await take_back(player, told["id"])
    await tap(player)
    assert (await lan.get(f"/api/v1/emergency-calls/{told['id']}")).json()["callers"] == 1


async def test_a_phone_taps_again_after_taking_it_back_and_is_one_ring_more(
    player: httpx.AsyncClient, world: World
) -> None:
    await scan(player)
    for _ in range(20):
        told = await tap(player)
        await take_back(player, told["id"])
    assert paged(world) == ["call", "update", "call"]
    assert (written(world, "joined"), written(world, "abandoned")) == (1, 2)
    assert calls_of(world)[0].state is CallState.RINGING


@pytest.mark.parametrize("named", [True, False], ids=["with a cookie", "without one"])
async def test_a_thousand_take_backs_of_somebody_elses_call_are_one_event(
    trapped: httpx.AsyncClient, player: httpx.AsyncClient, world: World, *, named: bool
) -> None:
    await scan(trapped)
    told = await tap(trapped)
    if named:
        await scan(player)
    assert (await tap(player))["id"] == told["id"]
    for _ in range(1_000):
        assert (await take_back(player, told["id"]))["state"] == "ringing"
    assert written(world, "abandoned") == 1


async def test_taps_on_an_answered_call_page_for_a_new_phone_only(
    trapped: httpx.AsyncClient, player: httpx.AsyncClient, world: World
) -> None:
    await scan(trapped)
    told = await tap(trapped)
    await world.calling.switchboard.act(told["id"], acts.Answer(), "li")
    for _ in range(50):
        await tap(trapped)
    assert paged(world) == ["call"]
    for _ in range(50):
        player.cookies.clear()
        await scan(player)
        await tap(player)
    assert paged(world) == ["call", "again"]
    assert written(world, "joined") == 49  # Beside the page that raised it: fifty are told apart.
    assert written(world, "raised") == 1


@pytest.mark.parametrize("stranger", ["player", "neighbour"])
@pytest.mark.parametrize("named", [True, False], ids=["with a cookie", "without one"])
async def test_no_stranger_takes_back_what_a_phone_without_a_cookie_called_for(
    phones: dict[str, httpx.AsyncClient], world: World, stranger: str, *, named: bool
) -> None:
    victim, phone = phones["player" if stranger == "neighbour" else "trapped"], phones[stranger]
    told = await tap(victim)
    if named:
        await scan(phone)
    for _ in range(5):
        await tap(phone)
        await take_back(phone, told["id"])
    assert calls_of(world)[0].state is CallState.RINGING


async def test_a_phone_without_cookies_takes_its_own_call_back(player: httpx.AsyncClient, world: World) -> None:
    told = await tap(player)
    assert (await take_back(player, told["id"]))["state"] == "abandoned"


async def test_a_phone_keeps_its_name_over_pages_and_lifts(player: httpx.AsyncClient, world: World) -> None:
    await scan(player)
    kept = player.cookies[COOKIE]
    for token in (TOKEN, ENTRANCE):
        await scan(player, token)
        await tap(player, token)
    assert player.cookies[COOKIE] == kept
    assert len({call.callers for call in calls_of(world)}) == 1
    assert kept not in repr(calls_of(world))
    assert "198.51.100.7" not in repr(calls_of(world))


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
async def test_the_cookie_of_a_phone_is_for_this_page_alone(
    player: httpx.AsyncClient, scheme: str, *, secure: bool
) -> None:
    answer = await player.get(f"{scheme}://anju/c/{TOKEN}", headers=PAGE)
    kept = answer.headers["set-cookie"]
    assert re.match(rf"{COOKIE}=[\w-]{{22}}; HttpOnly; Max-Age=604800; Path=/c; SameSite=lax", kept)
    assert ("Secure" in kept) is secure


@pytest.mark.parametrize("value", ["", "x", "a" * 5_000, "\u4e2d" * 22, "a" * 21 + ";"])
async def test_a_cookie_that_is_none_of_ours_names_nobody(player: httpx.AsyncClient, world: World, value: str) -> None:
    told = await player.post(f"/c/{TOKEN}/calls", headers={b"Cookie": f"{COOKIE}={value}".encode()})
    assert told.status_code == 201
    assert [call.callers[0][:4] for call in calls_of(world)] == ["net-"]
