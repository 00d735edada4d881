"""The end of an alarm: only by the code that stands at the lift, and not by guessing."""

from datetime import timedelta

import httpx
import pytest

from api.routes.controller_codes import WRONG_CODES_MOST, WRONG_CODES_WITHIN
from emergency.model import Source
from emergency.steps import CallRequest
from tests.unit.api.calling import CALLED, KNOWN
from tests.unit.api.test_emergency_calls import CALLS, done, raise_call
from tests.unit.api.world import World

CODE = f"/api/v1/devices/{CALLED}/controller-code"


async def pressed(world: World) -> str:
    """Return the call that the alarm button in the car has raised."""
    call, _ = await world.calling.switchboard.raise_call(CallRequest(Source.CAR_BUTTON, KNOWN), CALLED)
    return call.id


async def end(lan: httpx.AsyncClient, call_id: str, code: str) -> httpx.Response:
    return await lan.post(f"{CALLS}/{call_id}/end-of-alarm", json={"code": code})


async def test_only_the_code_at_the_lift_ends_its_alarm(lan: httpx.AsyncClient, world: World) -> None:
    call_id = await pressed(world)
    assert (await lan.put(CODE, json={"code": "7341 88"})).status_code == 204
    await done(lan, call_id, "freed")
    close = await lan.post(f"{CALLS}/{call_id}/close", json={"cause": "door_system"})
    assert (close.status_code, "end of alarm" in close.json()["detail"]) == (409, True)
    assert (await end(lan, call_id, "734189")).status_code == 422
    assert (await end(lan, call_id, "7341-88")).json()["stamps"]["alarm_ended"] == "2026-08-14T07:02:26Z"
    assert (await done(lan, call_id, "close", {"cause": "door_system"}))["state"] == "closed"
    assert [(actor, path) for _, actor, path in world.calling.codes.acts] == [("lan", CALLED)]


async def test_a_wrong_code_and_no_code_kept_are_told_apart(lan: httpx.AsyncClient, world: World) -> None:
    call_id = await pressed(world)
    for _ in range(WRONG_CODES_MOST):
        await end(lan, call_id, "1234")  # There is nothing to guess: it counts as no try.
    nothing_kept = await end(lan, call_id, "1234")
    assert nothing_kept.json()["type"] == "urn:anju:problem:no-controller-code"
    await lan.put(CODE, json={"code": "7341"})
    wrong = await end(lan, call_id, "1234")
    assert wrong.json()["type"] == "urn:anju:problem:wrong-controller-code"
    assert (nothing_kept.status_code, wrong.status_code) == (409, 422)
    assert "7341" not in wrong.text


async def test_a_code_is_known_to_be_kept_and_never_shown(lan: httpx.AsyncClient) -> None:
    assert (await lan.get(CODE)).json() == {"kept": False, "set_by": None, "set_at": None}
    await lan.put(CODE, json={"code": "7341"})
    kept = (await lan.get(CODE)).json()
    assert (kept["kept"], kept["set_by"], sorted(kept)) == (True, "lan", ["kept", "set_at", "set_by"])


async def test_checking_a_code_ends_nothing_and_is_no_way_to_guess(lan: httpx.AsyncClient, world: World) -> None:
    call_id = await pressed(world)
    assert (await lan.post(f"{CODE}/check", json={"code": "7341"})).status_code == 409
    await lan.put(CODE, json={"code": "7341"})
    assert (await lan.post(f"{CODE}/check", json={"code": "73-41"})).status_code == 204
    assert (await lan.get(f"{CALLS}/{call_id}")).json()["stamps"]["alarm_ended"] is None
    tried = [await lan.post(f"{CODE}/check", json={"code": "0000"}) for _ in range(WRONG_CODES_MOST)]
    assert {one.status_code for one in tried} == {422}
    assert (await end(lan, call_id, "7341")).status_code == 429


async def test_guessing_comes_to_an_end(lan: httpx.AsyncClient, world: World) -> None:
    call_id = await pressed(world)
    await lan.put(CODE, json={"code": "7341"})
    for _ in range(WRONG_CODES_MOST):
        assert (await end(lan, call_id, "0000")).status_code == 422
    refused = await end(lan, call_id, "7341")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3600")
    assert (await lan.get(f"{CALLS}/{call_id}")).json()["stamps"]["alarm_ended"] is None
    world.clock.advance(WRONG_CODES_WITHIN)
    assert (await end(lan, call_id, "7341")).status_code == 200


async def test_misreading_now_and_then_locks_nobody_out(lan: httpx.AsyncClient, world: World) -> None:
    call_id = await pressed(world)
    await lan.put(CODE, json={"code": "7341"})
    for _ in range(WRONG_CODES_MOST * 2):
        await end(lan, call_id, "0000")
        world.clock.advance(WRONG_CODES_WITHIN / WRONG_CODES_MOST + timedelta(seconds=1))
    assert (await end(lan, call_id, "7341")).status_code == 200


async def test_a_call_without_an_alarm_has_none_to_end(lan: httpx.AsyncClient) -> None:
    call_id = (await raise_call(lan)).json()["id"]
    await lan.put(CODE, json={"code": "7341"})
    assert (await end(lan, call_id, "7341")).status_code == 409


async def test_an_alarm_of_no_call(lan: httpx.AsyncClient) -> None:
    assert (await end(lan, "nowhere", "7341")).status_code == 404


@pytest.mark.parametrize("code", ["", "123", "12-3", "x" * 33, "七三四一", "73\n41"])
async def test_codes_that_cannot_be(lan: httpx.AsyncClient, world: World, code: str) -> None:
    assert (await lan.put(CODE, json={"code": code})).status_code == 422
    assert world.calling.codes.acts == []


async def test_only_lifts_have_controllers(lan: httpx.AsyncClient) -> None:
    answer = await lan.put("/api/v1/devices/xingfu/gate/gate-1/controller-code", json={"code": "7341"})
    assert answer.status_code == 404
