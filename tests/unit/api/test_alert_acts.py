"""What people do to alerts over HTTP: who did it is recorded, what cannot be done is refused with what stands."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from api.routes.alert_acts import ACKNOWLEDGED_AT_ONCE
from tests.unit.api.twins import START
from tests.unit.api.world import LIFT, World

ALERT = "/api/v1/alerts/alert1"


@pytest.fixture(autouse=True)
def alert(world: World) -> None:
    """One alert that fires."""
    world.records.raise_alert(LIFT)


def latch(world: World) -> None:
    world.records.alert_rows[0] = replace(world.records.alert_rows[0], state="latched", latching=True)


def protect(world: World) -> None:
    world.records.alert_rows[0] = replace(world.records.alert_rows[0], protected=True)


async def _steps(lan: httpx.AsyncClient) -> list[tuple[str, str | None]]:
    timeline = (await lan.get(ALERT)).json()["timeline"]
    return [(step["kind"], step["actor"]) for step in timeline[1:]]


async def test_many_are_acknowledged_exactly_as_named(lan: httpx.AsyncClient, world: World) -> None:
    for _ in range(2):
        world.records.raise_alert(LIFT)
    await world.records.acknowledge("alert2", "wang", None, START)
    body = {"ids": ["alert2", "alert1", "alert9", "alert1"], "comment": "all the same power cut"}
    answer = await lan.post("/api/v1/alerts/acknowledge", json=body)
    assert [(one["id"], one["outcome"], one["acknowledged_by"]) for one in answer.json()["items"]] == [
        ("alert2", "acknowledged", "wang"),
        ("alert1", "acknowledged", "lan"),
        ("alert9", "unknown", None),
    ]
    assert (await lan.get("/api/v1/alerts/alert3")).json()["acknowledged_at"] is None
    assert await _steps(lan) == [("acknowledged", "lan"), ("commented", "lan")]


async def test_of_many_those_that_fired_since_are_left(lan: httpx.AsyncClient, world: World) -> None:
    seen = len(world.records.steps)
    world.records.raise_alert(LIFT)
    answer = await lan.post("/api/v1/alerts/acknowledge", json={"ids": ["alert1", "alert2"], "seen": seen})
    assert [one["outcome"] for one in answer.json()["items"]] == ["acknowledged", "conflict"]
    assert "expected" in answer.json()["items"][1]["detail"]


MANY: dict[str, Any] = {
    "none": [],
    "too many": [f"alert{number}" for number in range(ACKNOWLEDGED_AT_ONCE + 1)],
    "no id": ["no such/id"],
    "a number": [1],
}


@pytest.mark.parametrize("ids", MANY.values(), ids=MANY)
async def test_many_must_be_named_one_by_one(lan: httpx.AsyncClient, world: World, ids: object) -> None:
    answer = await lan.post("/api/v1/alerts/acknowledge", json={"ids": ids})
    assert answer.status_code == 422
    assert len(world.records.steps) == 1


async def test_as_many_as_are_allowed_fit_into_one_body(lan: httpx.AsyncClient) -> None:
    ids = [f"{number:0128}" for number in range(ACKNOWLEDGED_AT_ONCE)]
    answer = await lan.post("/api/v1/alerts/acknowledge", json={"ids": ids})
    assert {one["outcome"] for one in answer.json()["items"]} == {"unknown"}


async def test_an_alert_is_assigned_and_given_back(lan: httpx.AsyncClient) -> None:
    assert (await lan.post(f"{ALERT}/assign", json={"assignee": " wang "})).json()["assigned_to"] == "wang"
    assert (await lan.post(f"{ALERT}/assign", json={"assignee": None})).json()["assigned_to"] is None
    assert await _steps(lan) == [("assigned", "lan"), ("assigned", "lan")]


@pytest.mark.parametrize("body", [{}, {"assignee": ""}, {"assignee": "a\nb"}, {"assignee": "x" * 65}, None])
async def test_an_assignment_names_somebody_or_nobody(lan: httpx.AsyncClient, body: object) -> None:
    assert (await lan.post(f"{ALERT}/assign", json=body)).status_code == 422


async def test_a_latched_alert_is_reset_once(lan: httpx.AsyncClient, world: World) -> None:
    latch(world)
    first = (await lan.post(f"{ALERT}/reset", json={"comment": "been there"})).json()
    assert (first["state"], first["reset_by"], first["reset_at"]) == ("resolved", "lan", "2026-08-14T07:02:26Z")
    world.clock.advance(timedelta(hours=1))
    assert (await lan.post(f"{ALERT}/reset")).json() == first
    assert await _steps(lan) == [("commented", "lan"), ("reset", "lan")]


async def test_what_still_fires_is_not_reset(lan: httpx.AsyncClient) -> None:
    answer = await lan.post(f"{ALERT}/reset")
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert answer.json()["detail"] == "alert alert1 is firing: expected one that is latched"


async def test_a_false_alarm_is_marked_and_unmarked(lan: httpx.AsyncClient) -> None:
    for _ in range(2):
        assert (await lan.post(f"{ALERT}/false-alarm")).json()["false_alarm_by"] == "lan"
    for _ in range(2):
        assert (await lan.delete(f"{ALERT}/false-alarm")).json()["false_alarm_by"] is None
    assert await _steps(lan) == [("marked_false", "lan"), ("unmarked_false", "lan")]


async def test_an_alert_is_shelved_with_a_reason_and_taken_up_again(lan: httpx.AsyncClient, world: World) -> None:
    answer = await lan.post(f"{ALERT}/shelve", json={"reason": "sensor on order", "for": "2h"})
    assert answer.status_code == 201
    shelved = answer.json()
    assert (shelved["kind"], shelved["author"], shelved["reason"]) == ("shelved", "lan", "sensor on order")
    assert (shelved["ends_at"], shelved["in_force"]) == ("2026-08-14T09:02:26Z", True)
    assert (await lan.get(ALERT)).json()["suppression"] == "shelved"
    assert [one["id"] for one in (await lan.get("/api/v1/shelved")).json()["items"]] == [shelved["id"]]
    assert (await lan.get("/api/v1/silences")).json()["items"] == []
    for _ in range(2):
        assert (await lan.delete(f"{ALERT}/shelve")).json()["suppression"] is None
    assert await _steps(lan) == [("shelved", "lan"), ("unshelved", "lan")]
    assert (await lan.get("/api/v1/shelved")).json()["items"] == []
    [over] = (await lan.get("/api/v1/shelved", params={"ended": "true"})).json()["items"]
    assert (over["in_force"], over["ended_by"]) == (False, "lan")


async def test_a_protected_alert_is_never_shelved(lan: httpx.AsyncClient, world: World) -> None:
    protect(world)
    answer = await lan.post(f"{ALERT}/shelve", json={"reason": "quiet", "for": "1h"})
    assert answer.status_code == 409
    assert world.people.suppressions.rows == {}


SHELVED: dict[str, tuple[dict[str, str], str]] = {
    "without an end": ({"reason": "x"}, "body.until"),
    "with two ends": ({"reason": "x", "for": "1h", "until": "2026-08-14T08:00:00Z"}, "body.until"),
    "without a reason": ({"for": "1h"}, "body.reason"),
    "with a blank reason": ({"reason": " ", "for": "1h"}, "body.reason"),
    "for more than a week": ({"reason": "x", "for": "169h"}, "body.for"),
    "until more than a week away": ({"reason": "x", "until": "2026-08-21T07:02:27Z"}, "body.until"),
    "until now": ({"reason": "x", "until": "2026-08-14T07:02:26Z"}, "body.until"),
    "until an instant without an offset": ({"reason": "x", "until": "2026-08-15T07:02:26"}, "body.until"),
    "for no duration": ({"reason": "x", "for": "soon"}, "body.for"),
    "for longer than there are dates": ({"reason": "x", "for": "999999d"}, "body.for"),
}


@pytest.mark.parametrize(("body", "place"), SHELVED.values(), ids=SHELVED)
async def test_nothing_is_shelved(lan: httpx.AsyncClient, world: World, body: dict[str, str], place: str) -> None:
    answer = await lan.post(f"{ALERT}/shelve", json=body)
    assert (answer.status_code, answer.json().get("errors", [{}])[0].get("location")) == (422, place)
    assert world.people.suppressions.rows == {}


@pytest.mark.parametrize(
    ("method", "act", "body"),
    [
        ("POST", "assign", {"assignee": "wang"}),
        ("POST", "reset", None),
        ("POST", "shelve", {"reason": "x", "for": "1h"}),
        ("DELETE", "shelve", None),
        ("POST", "false-alarm", None),
        ("DELETE", "false-alarm", None),
    ],
)
async def test_what_is_not_there_is_a_404(lan: httpx.AsyncClient, method: str, act: str, body: object) -> None:
    answer = await lan.request(method, f"/api/v1/alerts/alert9/{act}", json=body)
    assert (answer.status_code, answer.json()["detail"]) == (404, "no alert alert9")
