"""Drills over HTTP: marked, kept apart from calls of people in need, and measured."""

from datetime import timedelta

import httpx
import pytest

from tests.unit.api.calling import CALLED
from tests.unit.api.test_emergency_calls import done, raise_call
from tests.unit.api.world import World

DRILLS = "/api/v1/drills"


async def test_a_drill_goes_the_way_of_a_call_and_is_measured(lan: httpx.AsyncClient, world: World) -> None:
    begun = await lan.post(DRILLS, json={"lift": CALLED})
    assert begun.status_code == 201
    call = begun.json()["call"]
    assert (call["drill"], call["source"], begun.json()["seconds"]["answered"]) == (True, "drill", None)
    world.clock.advance(timedelta(seconds=12))
    await done(lan, call["id"], "answer")
    world.clock.advance(timedelta(minutes=8))
    await done(lan, call["id"], "on-site")
    await done(lan, call["id"], "close", {"cause": "drill"})
    [drill] = (await lan.get(DRILLS)).json()["items"]
    assert drill["seconds"] == {
        "rang": 0.0, "answered": 12.0, "dispatched": None, "on_the_way": None, "on_site": 492.0, "freed": None,
        "closed": 492.0,
    }  # fmt: skip


async def test_a_drill_pages_the_rota_only(lan: httpx.AsyncClient) -> None:
    call = (await lan.post(DRILLS, json={"lift": CALLED})).json()["call"]
    assert (await lan.get(f"/api/v1/emergency-calls/{call['id']}")).json()["pages"] == []


async def test_one_drill_at_a_time_and_none_stands_in_the_way_of_a_call(lan: httpx.AsyncClient) -> None:
    first = (await lan.post(DRILLS, json={"lift": CALLED})).json()["call"]["id"]
    again = await lan.post(DRILLS, json={"lift": CALLED})
    assert (again.status_code, again.json()["call"]["id"]) == (200, first)
    real = await raise_call(lan)
    assert (real.status_code, real.json()["drill"]) == (201, False)
    assert [one["call"]["id"] for one in (await lan.get(DRILLS)).json()["items"]] == [first]


async def test_drills_are_found_and_come_in_pages(lan: httpx.AsyncClient) -> None:
    for lift in ("xingfu/elevator/lift-1", "xingfu/elevator/lift-2", "anyang/elevator/lift-1"):
        await lan.post(DRILLS, json={"lift": lift})
    first = (await lan.get(f"{DRILLS}?limit=2")).json()
    second = (await lan.get(DRILLS, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [one["call"]["number"] for one in first["items"] + second["items"]] == [3, 2, 1]
    assert [one["call"]["number"] for one in (await lan.get(f"{DRILLS}?community=anyang")).json()["items"]] == [3]
    assert [one["call"]["number"] for one in (await lan.get(f"{DRILLS}?lift={CALLED}")).json()["items"]] == [1]


@pytest.mark.parametrize("body", [{}, {"lift": "xingfu/gate/g-1"}, {"lift": CALLED, "source": "app"}, None])
async def test_drills_that_cannot_be(lan: httpx.AsyncClient, body: object) -> None:
    assert (await lan.post(DRILLS, json=body)).status_code == 422
