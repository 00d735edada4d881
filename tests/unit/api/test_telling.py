"""Who is told, by what, and who is on duty, over HTTP."""

from datetime import timedelta

import httpx
import pytest

from alerts.dispatch.model import AlertBrief, Intent, OutboxEntry, OutboxStatus, Purpose
from alerts.model import Severity
from tests.unit.api.people import SECRET
from tests.unit.api.twins import START
from tests.unit.api.world import LIFT, World

HOUR = timedelta(hours=1)


def entry(number: int, receiver: str, status: OutboxStatus, alert: str = "alert1") -> OutboxEntry:
    brief = AlertBrief(
        alert, "door", Severity.MAJOR, LIFT, "3 号楼", "block 3", "门", "door", "开着", "open", "看", "look", START
    )
    intent = Intent(
        f"id-{number}", "incident", 1, receiver, Purpose.FIRING, Severity.MAJOR, START, 0, "xingfu", (brief,), 1, "lan"
    )
    finished = None if status is OutboxStatus.WAITING else START + HOUR
    return OutboxEntry(number, intent, status, 2, START + HOUR, START, finished, "answered 503")


@pytest.fixture
def three(world: World) -> None:
    """Three notifications."""
    world.people.outbox.entries = [
        entry(1, "duty-room", OutboxStatus.DELIVERED),
        entry(2, "siren", OutboxStatus.FAILED, "alert2"),
        entry(3, "duty-room", OutboxStatus.WAITING),
    ]


@pytest.mark.usefixtures("three")
async def test_a_notification_says_to_whom_about_what_and_how_it_went(lan: httpx.AsyncClient) -> None:
    [waiting, failed, _] = (await lan.get("/api/v1/notifications")).json()["items"]
    assert waiting == {
        "number": 3,
        "id": "id-3",
        "incident": "incident",
        "receiver": "duty-room",
        "person": "lan",
        "purpose": "firing",
        "severity": "major",
        "step": 0,
        "community": "xingfu",
        "alerts": ["alert1"],
        "count": 1,
        "status": "waiting",
        "attempts": 2,
        "next_attempt_at": "2026-08-14T08:02:26Z",
        "created_at": "2026-08-14T07:02:26Z",
        "finished_at": None,
        "detail": "answered 503",
    }
    assert (failed["next_attempt_at"], failed["finished_at"]) == (None, "2026-08-14T08:02:26Z")


NARROWED = {
    "status": ({"status": "failed"}, [2]),
    "receiver": ({"receiver": "duty-room"}, [3, 1]),
    "alert": ({"alert": "alert2"}, [2]),
    "two": ({"receiver": "duty-room", "status": "delivered"}, [1]),
}


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(("query", "expected"), NARROWED.values(), ids=NARROWED)
async def test_notifications_are_narrowed(lan: httpx.AsyncClient, query: dict[str, str], expected: list[int]) -> None:
    answer = await lan.get("/api/v1/notifications", params=query)
    assert [one["number"] for one in answer.json()["items"]] == expected


async def test_receivers_are_shown_without_their_secrets(lan: httpx.AsyncClient, world: World) -> None:
    world.people.outbox.failing["platform"] = "answered 403"
    answer = await lan.get("/api/v1/receivers")
    assert answer.json()["items"] == [
        {"name": "duty-room", "channel": "apprise", "failing": False, "detail": None, "people": ["lan", "wang"]},
        {"name": "platform", "channel": "webhook", "failing": True, "detail": "answered 403", "people": []},
        {"name": "siren", "channel": "mqtt", "failing": False, "detail": None, "people": ["wang"]},
    ]
    assert SECRET not in answer.text


async def test_a_receiver_is_tried_out_the_way_alerts_go(lan: httpx.AsyncClient, world: World) -> None:
    answer = await lan.post("/api/v1/receivers/siren/test")
    assert (answer.status_code, answer.json()) == (202, {"number": 1, "receiver": "siren"})
    [shown] = (await lan.get("/api/v1/notifications")).json()["items"]
    assert (shown["receiver"], shown["purpose"], shown["status"]) == ("siren", "test", "waiting")


async def test_a_receiver_that_is_not_in_the_plan_is_a_404(lan: httpx.AsyncClient, world: World) -> None:
    answer = await lan.post("/api/v1/receivers/pager/test")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "no receiver pager in the plan: it has duty-room, platform, siren",
    )
    assert world.people.outbox.entries == []


async def test_who_is_on_duty_now_and_at_another_time(lan: httpx.AsyncClient) -> None:
    now = (await lan.get("/api/v1/rota/guards/on-duty")).json()
    assert now == {"rota": "guards", "at": "2026-08-14T07:02:26Z", "people": ["lan"]}
    later = await lan.get("/api/v1/rota/guards/on-duty", params={"at": "2026-08-17T00:00:00+08:00"})
    assert (later.json()["people"], later.json()["at"]) == (["wang"], "2026-08-16T16:00:00Z")


async def test_all_rotas_say_who_is_on_duty_now(lan: httpx.AsyncClient, world: World) -> None:
    now = {"rota": "guards", "at": "2026-08-14T07:02:26Z"}
    assert (await lan.get("/api/v1/rota")).json() == {"items": [{**now, "people": ["lan"]}]}
    await world.people.rota.add_override("guards", "wang", START, START + HOUR, "lan", START)
    assert (await lan.get("/api/v1/rota")).json() == {"items": [{**now, "people": ["wang"]}]}


async def test_somebody_stands_in_until_that_is_taken_back(lan: httpx.AsyncClient) -> None:
    rota = "/api/v1/rota/guards"
    answer = await lan.post(f"{rota}/overrides", json={"person": "wang", "for": "8h"})
    assert answer.status_code == 201
    override = answer.json()
    assert override == {
        "id": "o0",
        "rota": "guards",
        "person": "wang",
        "starts_at": "2026-08-14T07:02:26Z",
        "ends_at": "2026-08-14T15:02:26Z",
        "author": "lan",
        "created_at": "2026-08-14T07:02:26Z",
    }
    assert (await lan.get(f"{rota}/on-duty")).json()["people"] == ["wang"]
    after = {"at": "2026-08-14T15:02:26Z"}
    assert (await lan.get(f"{rota}/on-duty", params=after)).json()["people"] == ["lan"]
    assert (await lan.get(f"{rota}/overrides")).json()["items"] == [override]
    assert (await lan.delete(f"{rota}/overrides/o0")).status_code == 204
    assert (await lan.delete(f"{rota}/overrides/o0")).status_code == 404
    assert (await lan.get(f"{rota}/on-duty")).json()["people"] == ["lan"]


async def test_who_stood_in_is_shown_where_it_is_asked_for(lan: httpx.AsyncClient, world: World) -> None:
    await world.people.rota.add_override("guards", "wang", START - 3 * HOUR, START - HOUR, "lan", START)
    await world.people.rota.add_override("others", "wang", START, START + HOUR, "lan", START)
    assert (await lan.get("/api/v1/rota/guards/overrides")).json()["items"] == []
    since = {"since": "2026-08-14T05:00:00Z"}
    shown = (await lan.get("/api/v1/rota/guards/overrides", params=since)).json()["items"]
    assert [one["id"] for one in shown] == ["o0"]


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "somebody unknown": ({"person": "li", "for": "1h"}, "body.person"),
    "no name": ({"person": "Li!", "for": "1h"}, "body.person"),
    "without an end": ({"person": "wang"}, "body.ends_at"),
    "over already": (
        {"person": "wang", "starts_at": "2026-08-14T06:00:00Z", "for": "1h"},
        "body.for",
    ),
}


@pytest.mark.parametrize(("body", "place"), REFUSED.values(), ids=REFUSED)
async def test_nobody_stands_in(lan: httpx.AsyncClient, world: World, body: dict[str, str], place: str) -> None:
    answer = await lan.post("/api/v1/rota/guards/overrides", json=body)
    assert (answer.status_code, answer.json().get("errors", [{}])[0].get("location")) == (422, place)
    assert world.people.rota.rows == []


@pytest.mark.parametrize("path", ["on-duty", "overrides"])
async def test_a_rota_that_is_not_in_the_plan_is_a_404(lan: httpx.AsyncClient, path: str) -> None:
    answer = await lan.get(f"/api/v1/rota/nights/{path}")
    assert (answer.status_code, answer.json()["detail"]) == (404, "no rota nights in the plan: it has guards")
