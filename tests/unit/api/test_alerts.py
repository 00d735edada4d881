"""Alerts over HTTP: filters, pages, timelines, what people do."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from core.devices import DeviceKey, DeviceKind
from tests.unit.api.twins import START
from tests.unit.api.world import LIFT, World

GATE = DeviceKey("heping", DeviceKind.GATE, "gate-1")


async def _ids(client: httpx.AsyncClient, **query: Any) -> list[str]:
    answer = await client.get("/api/v1/alerts", params=query)
    assert answer.status_code == 200, answer.text
    return [alert["id"] for alert in answer.json()["items"]]


async def test_an_alert_says_all_there_is_to_know_in_both_languages(lan: httpx.AsyncClient, world: World) -> None:
    world.records.raise_alert(LIFT)
    [alert] = (await lan.get("/api/v1/alerts")).json()["items"]
    assert alert == {
        "id": "alert1",
        "rule": "trapped-passenger",
        "severity": "critical",
        "state": "firing",
        "device": {
            "community": "xingfu", "kind": "elevator", "device": "lift-1", "path": "xingfu/elevator/lift-1",
        },
        "title": {"zh": "困人", "en": "trapped passenger"},
        "reason": {"zh": "轿厢有人", "en": "somebody is in the car"},
        "pending_since": "2026-08-14T07:02:26Z",
        "fired_at": "2026-08-14T07:03:26Z",
        "resolved_at": None,
        "acknowledged_at": None,
        "acknowledged_by": None,
        "latching": False,
        "protected": False,
        "reset_at": None,
        "reset_by": None,
        "assigned_to": None,
        "false_alarm_by": None,
        "suppression": None,
        "inhibited_by": None,
    }  # fmt: skip


FILTERS = {
    "state": ({"state": "resolved"}, ["alert1"]),
    "severity": ({"severity": "minor"}, ["alert2"]),
    "acknowledged": ({"acknowledged": "true"}, ["alert3"]),
    "not acknowledged": ({"acknowledged": "false"}, ["alert2", "alert1"]),
    "rule": ({"rule": "door-forced"}, ["alert2"]),
    "community": ({"community": "xingfu"}, ["alert3", "alert1"]),
    "kind": ({"kind": "gate"}, ["alert2"]),
    "device": ({"device": "lift-1"}, ["alert3", "alert1"]),
    "since": ({"since": "2026-08-14T15:05:26+08:00"}, ["alert3"]),
    "until": ({"until": "2026-08-14T07:04:26Z"}, ["alert1"]),
    "open": ({"open": "true"}, ["alert3", "alert2", "alert1"]),
    "not open": ({"open": "false"}, []),
    "latched": ({"state": "latched"}, []),
    "assigned to": ({"assigned_to": "wang"}, ["alert2"]),
    "assigned to nobody here": ({"assigned_to": "li"}, []),
    "false alarm": ({"false_alarm": "true"}, ["alert1"]),
    "not a false alarm": ({"false_alarm": "false"}, ["alert3", "alert2"]),
    "inhibited by": ({"inhibited_by": "alert3"}, ["alert2"]),
    "none": ({}, ["alert3", "alert2", "alert1"]),
}


@pytest.mark.parametrize(("query", "expected"), FILTERS.values(), ids=FILTERS)
async def test_filters(lan: httpx.AsyncClient, world: World, query: dict[str, str], expected: list[str]) -> None:
    ended = world.records.raise_alert(LIFT)
    gate = world.records.raise_alert(GATE, "door-forced", "minor")
    world.records.raise_alert(LIFT)
    world.records.resolve(ended, START + timedelta(hours=1))
    await world.people.acts.mark_false("alert1", "wang", None, START, false=True)
    world.records.change(gate, "assigned", "lan", START, assigned_to="wang", inhibited_by="alert3")
    await world.records.acknowledge("alert3", "wang", None, START)
    assert await _ids(lan, **query) == expected


async def test_pages_hold_every_alert_once_while_new_ones_come(lan: httpx.AsyncClient, world: World) -> None:
    for _ in range(7):
        world.records.raise_alert(LIFT)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = (await lan.get("/api/v1/alerts", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [alert["id"] for alert in answer["items"]]
        cursor = answer["next_cursor"]
        world.records.raise_alert(LIFT)
    assert seen == [f"alert{number}" for number in range(7, 0, -1)]


async def test_acknowledging_records_who_and_when_and_the_first_one_stays(lan: httpx.AsyncClient, world: World) -> None:
    world.records.raise_alert(LIFT)
    world.tokens.known["token-of-wang"] = "wang"
    first = await lan.post("/api/v1/alerts/alert1/acknowledge", json={"comment": " on my way "})
    world.clock.advance(timedelta(minutes=1))
    second = await lan.post("/api/v1/alerts/alert1/acknowledge", headers={"Authorization": "Bearer token-of-wang"})
    assert first.json()["acknowledged_by"] == second.json()["acknowledged_by"] == "lan"
    assert first.json()["acknowledged_at"] == second.json()["acknowledged_at"] == "2026-08-14T07:02:26Z"
    timeline = (await lan.get("/api/v1/alerts/alert1")).json()["timeline"]
    assert [(step["kind"], step["actor"], step["reason"]["en"]) for step in timeline] == [
        ("firing", None, "somebody is in the car"),
        ("acknowledged", "lan", "acknowledged by lan"),
        ("commented", "lan", "on my way"),
    ]


async def test_an_acknowledgement_covers_only_what_was_seen(lan: httpx.AsyncClient, world: World) -> None:
    row = world.records.raise_alert(LIFT)
    path = "/api/v1/alerts/alert1"
    seen = (await lan.get(path)).json()["timeline"][-1]["sequence"]
    world.records.add(row, "firing", None, "again", START)
    refused = await lan.post(f"{path}/acknowledge", json={"seen": seen})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:anju:problem:conflict")
    assert "expected nothing after 1" in refused.json()["detail"]
    assert (await lan.get(path)).json()["acknowledged_at"] is None
    taken = await lan.post(f"{path}/acknowledge", json={"seen": seen + 1})
    assert taken.json()["acknowledged_by"] == "lan"


async def test_a_cause_shows_what_it_stands_for(lan: httpx.AsyncClient, world: World) -> None:
    cause = world.records.raise_alert(GATE, "gateway-offline")
    hanging = world.records.raise_alert(LIFT, "lift-offline")
    world.records.change(hanging, "suppressed", "", START, inhibited_by=cause.id, suppression="inhibited")
    shown = (await lan.get(f"/api/v1/alerts/{cause.id}")).json()
    assert [(one["id"], one["suppression"]) for one in shown["inhibits"]] == [(hanging.id, "inhibited")]
    assert (await lan.get(f"/api/v1/alerts/{hanging.id}")).json()["inhibits"] == []


async def test_a_comment_carries_its_author(lan: httpx.AsyncClient, world: World) -> None:
    world.records.raise_alert(LIFT)
    answer = await lan.post("/api/v1/alerts/alert1/comments", json={"text": "电梯公司已出发"})
    assert answer.status_code == 201
    assert (answer.json()["actor"], answer.json()["reason"]["zh"]) == ("lan", "电梯公司已出发")


@pytest.mark.parametrize("path", ["alert9", "alert9/acknowledge", "alert9/comments"])
async def test_an_unknown_alert_is_a_404(lan: httpx.AsyncClient, path: str) -> None:
    method = "GET" if path == "alert9" else "POST"
    body = {"text": "hello"} if path.endswith("comments") else None
    answer = await lan.request(method, f"/api/v1/alerts/{path}", json=body)
    assert (answer.status_code, answer.json()["detail"]) == (404, "no alert alert9")


BAD_COMMENTS = {
    "empty": {"text": ""},
    "blank": {"text": "  "},
    "too long": {"text": "长" * 2_001},
    "NUL": {"text": "a\0b"},
    "lone surrogate": {"text": "\ud800"},
    "number": {"text": 7},
    "missing": {},
    "list": [],
}


@pytest.mark.parametrize("body", BAD_COMMENTS.values(), ids=BAD_COMMENTS)
async def test_comments_that_say_nothing_are_refused(lan: httpx.AsyncClient, world: World, body: object) -> None:
    world.records.raise_alert(LIFT)
    headers = {"Content-Type": "application/json"}
    answer = await lan.post("/api/v1/alerts/alert1/comments", content=json.dumps(body), headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["location"].startswith("body")
    assert len(world.records.steps) == 1
