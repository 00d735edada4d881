"""Emergency calls over HTTP on a real records database: many taps at once are one call, and all of it is kept."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from api.app import create_app
from storage.records import RecordsDatabase
from tests.integration.api_records import over_records
from tests.unit.api.calling import CALLED
from tests.unit.api.world import RIGHT, empty_world

CALLS = "/api/v1/emergency-calls"


@pytest.fixture
async def lan(records_database: RecordsDatabase) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(over_records(empty_world(), records_database)))
    async with httpx.AsyncClient(transport=transport, base_url="http://anju", headers=RIGHT) as client:
        yield client


async def tap(lan: httpx.AsyncClient, key: str) -> httpx.Response:
    return await lan.post(CALLS, json={"lift": CALLED}, headers={"Idempotency-Key": key})


@pytest.mark.parametrize("keys", [["same"] * 20, [f"tap-{number}" for number in range(20)]], ids=["sent again", "taps"])
async def test_what_comes_at_once_is_one_call(lan: httpx.AsyncClient, keys: list[str]) -> None:
    answers = await asyncio.gather(*(tap(lan, key) for key in keys))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    [call] = (await lan.get(CALLS)).json()["items"]
    assert [page["receiver"] for page in (await lan.get(f"{CALLS}/{call['id']}")).json()["pages"]] == ["wall"]


async def test_a_call_and_its_point_are_kept(lan: httpx.AsyncClient) -> None:
    point = (await lan.post("/api/v1/call-points", json={"lift": CALLED, "name_zh": "轿厢"})).json()
    await lan.post(f"/api/v1/call-points/{point['id']}/rotate")
    body = {"point": point["id"], "people": 2, "caller": {"text": "救命"}}
    call = (await lan.post(CALLS, json=body, headers={"Idempotency-Key": "x"})).json()
    kept = (await lan.get(f"{CALLS}/{call['id']}")).json()
    assert {name: kept[name] for name in call} == call
    assert (kept["place"]["point"], kept["caller"]["text"]) == (point["id"], "救命")
    events = (await lan.get(f"{CALLS}/{call['id']}/events")).json()["items"]
    assert [(event["number"], event["kind"]) for event in events] == [(1, "raised"), (2, "step_told")]


async def test_a_code_is_kept_and_never_shown(lan: httpx.AsyncClient) -> None:
    code = f"/api/v1/devices/{CALLED}/controller-code"
    assert (await lan.put(code, json={"code": "7341"})).status_code == 204
    kept = (await lan.get(code)).json()
    assert (kept["kept"], "7341" in str(kept)) == (True, False)
