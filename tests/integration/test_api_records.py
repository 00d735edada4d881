"""The API over a real records database and a real server: what the engine commits is seen, what people do is kept."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from alerts.model import Commit, DeviceSighting, FaultRaised, Reason, Severity, Transition, TransitionKind
from api.app import create_app
from storage.records import AlertRecordsAdapter, RecordsAdapter, RecordsDatabase, TokensAdapter, upgrade
from tests.integration.api_server import Running, listening, running
from tests.unit.api.twins import START
from tests.unit.api.world import LIFT, dependencies, empty_world

LATEST = b'{"telemetry":{"floor":{"value":"B1","at":"2026-08-14T07:02:26.123456Z"}}}'
REASON = Reason("all_of", "轿厢有人，门关闭", "somebody is in the car, the door is closed", {"speed_mps": 0.0})


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[RecordsDatabase]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'records.db'}"
    await upgrade(url)
    opened = RecordsDatabase(url)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def token(database: RecordsDatabase) -> str:
    return await TokensAdapter(database).add("lan", START)


@pytest.fixture
async def server(database: RecordsDatabase) -> AsyncIterator[Running]:
    given = dependencies(empty_world(), records=RecordsAdapter(database), tokens=TokensAdapter(database))
    async with running(create_app(given)) as started:
        yield started


@pytest.fixture
async def lan(server: Running, token: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1", headers=headers) as client:
        yield client


def _trapped() -> Commit:
    steps = [
        Transition("a1", "trapped", Severity.CRITICAL, LIFT, kind, START, START, REASON, 5, "困人", "trapped")
        for kind in (TransitionKind.PENDING, TransitionKind.FIRING)
    ]
    fault = FaultRaised(LIFT, "gbt24476-2017", "2", "door_close_failure", Severity.MAJOR, START, False)
    return Commit(5, 0, {}, steps, [fault], [DeviceSighting(LIFT, START, True, None, LATEST)])


async def test_what_the_engine_commits_reaches_the_stream_and_every_list(
    server: Running, lan: httpx.AsyncClient, database: RecordsDatabase, token: str
) -> None:
    async with listening(server.url, token=token) as stream:
        await AlertRecordsAdapter(database).commit(_trapped())
        events = await stream.take(2)
        await lan.post("/alerts/a1/acknowledge", json={"comment": "on my way"})
        events += await stream.take(2)
    assert [event.body["kind"] for event in events] == ["pending", "firing", "acknowledged", "commented"]
    assert [event.id for event in events] == ["1", "2", "3", "4"]
    alert = (await lan.get("/alerts/a1")).json()
    assert (alert["state"], alert["acknowledged_by"], len(alert["timeline"])) == ("firing", "lan", 4)
    device = (await lan.get("/devices/xingfu/elevator/lift-1")).json()
    assert (device["open_alerts"], [one["id"] for one in device["alerts"]]) == (1, ["a1"])
    assert device["latest"]["telemetry"]["floor"] == {"value": "B1", "at": "2026-08-14T07:02:26.123456Z"}
    [fault] = (await lan.get("/faults", params={"kind": "door_close_failure", "open": "true"})).json()["items"]
    assert (fault["code"], fault["cleared_at"]) == ("2", None)
