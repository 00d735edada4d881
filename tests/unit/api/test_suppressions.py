"""Silences and maintenance windows over HTTP: what they match, what is refused, what they leave told."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from alerts.dispatch.model import Suppression, SuppressionKind
from alerts.inventory import DeviceFacts
from alerts.matchers import Matcher, Operator
from core.devices import DeviceKey, DeviceKind
from tests.unit.api.twins import START
from tests.unit.api.world import LIFT, World

GATE = DeviceKey("heping", DeviceKind.GATE, "gate-1")
DOORS = [{"label": "rule", "operator": "like", "value": "door-*"}]


async def test_a_silence_says_what_for_how_long_why_and_by_whom(lan: httpx.AsyncClient, world: World) -> None:
    body = {"matchers": DOORS, "for": "90m", "reason": "  new doors "}
    answer = await lan.post("/api/v1/silences", json=body)
    assert answer.status_code == 201
    silence = answer.json()
    assert silence == {
        "id": "s000000",
        "kind": "silence",
        "in_force": True,
        "matchers": DOORS,
        "starts_at": "2026-08-14T07:02:26Z",
        "ends_at": "2026-08-14T08:32:26Z",
        "reason": "new doors",
        "author": "lan",
        "created_at": "2026-08-14T07:02:26Z",
        "ended_at": None,
        "ended_by": None,
    }
    assert (await lan.get(f"/api/v1/silences/{silence['id']}")).json() == silence
    assert (await lan.get("/api/v1/silences")).json()["items"] == [silence]


async def test_a_silence_that_begins_later_is_not_in_force_yet(lan: httpx.AsyncClient, world: World) -> None:
    body = {
        "matchers": DOORS,
        "starts_at": "2026-08-14T18:00:00+08:00",
        "ends_at": "2026-08-14T20:00:00+08:00",
        "reason": "evening",
    }
    silence = (await lan.post("/api/v1/silences", json=body)).json()
    assert (silence["starts_at"], silence["in_force"]) == ("2026-08-14T10:00:00Z", False)
    world.clock.advance(timedelta(hours=3))
    assert (await lan.get(f"/api/v1/silences/{silence['id']}")).json()["in_force"] is True


async def test_a_silence_is_ended_once(lan: httpx.AsyncClient, world: World) -> None:
    silence = (await lan.post("/api/v1/silences", json={"matchers": DOORS, "for": "1h", "reason": "x"})).json()
    first = (await lan.delete(f"/api/v1/silences/{silence['id']}")).json()
    assert (first["ended_at"], first["ended_by"], first["in_force"]) == ("2026-08-14T07:02:26Z", "lan", False)
    world.clock.advance(timedelta(minutes=1))
    assert (await lan.delete(f"/api/v1/silences/{silence['id']}")).json() == first
    assert (await lan.get("/api/v1/silences")).json()["items"] == []
    assert (await lan.get("/api/v1/silences", params={"ended": "true"})).json()["items"] == [first]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown label": ({"matchers": [{"label": "colour", "value": "red"}]}, "body.matchers.0"),
    "a tag that is like something": (
        {"matchers": [*DOORS, {"label": "tag", "operator": "like", "value": "a*"}]},
        "body.matchers.1",
    ),
    "everything, unsaid": ({"matchers": []}, "body.matchers"),
    "everything by stars": ({"matchers": [{"label": "rule", "operator": "like", "value": "**"}]}, "body.matchers"),
    "too many": ({"matchers": DOORS * 17}, "body.matchers"),
    "an unknown operator": ({"matchers": [{**DOORS[0], "operator": "~"}]}, "body.matchers.0.operator"),
    "an unknown key": ({"matchers": [{**DOORS[0], "regex": True}]}, "body.matchers.0.regex"),
    "no reason": ({"matchers": DOORS, "reason": ""}, "body.reason"),
    "over already": (
        {"matchers": DOORS, "starts_at": "2026-08-14T06:00:00Z", "ends_at": "2026-08-14T07:00:00Z"},
        "body.ends_at",
    ),
    "the end before the start": (
        {"matchers": DOORS, "starts_at": "2026-08-16T06:00:00Z", "ends_at": "2026-08-15T06:00:00Z"},
        "body.ends_at",
    ),
    "longer than a year": ({"matchers": DOORS, "for": "367d"}, "body.for"),
}


@pytest.mark.parametrize(("body", "place"), REFUSED.values(), ids=REFUSED)
async def test_no_silence(lan: httpx.AsyncClient, world: World, body: dict[str, Any], place: str) -> None:
    length = {} if "ends_at" in body else {"for": "1h"}
    answer = await lan.post("/api/v1/silences", json={"reason": "x", **length, **body})
    assert (answer.status_code, answer.json().get("errors", [{}])[0].get("location")) == (422, place)
    assert world.people.suppressions.rows == {}


async def test_everything_is_silenced_where_that_is_meant(lan: httpx.AsyncClient) -> None:
    body = {"matchers": [], "everything": True, "for": "1h", "reason": "drill"}
    assert (await lan.post("/api/v1/silences", json=body)).json()["matchers"] == []


async def test_a_preview_shows_what_would_be_silenced_and_what_is_told_all_the_same(
    lan: httpx.AsyncClient, world: World
) -> None:
    ended = world.records.raise_alert(LIFT)
    button = world.records.raise_alert(LIFT, "alarm-button")
    world.records.alert_rows[button.number - 1] = replace(button, protected=True)
    world.records.raise_alert(GATE, "door-forced", "minor")
    world.records.raise_alert(LIFT, "lift-door", "minor")
    world.records.resolve(ended, START)
    await world.records.acknowledge(ended.id, "lan", None, START)
    world.people.registry.facts[LIFT] = DeviceFacts(building="3", tags=frozenset({"new"}))
    wanted = [{"label": "building", "value": "3"}, {"label": "tag", "value": "new"}]
    preview = (await lan.post("/api/v1/silences/preview", json={"matchers": wanted})).json()
    assert (preview["matching"], preview["still_told"]) == (2, 1)
    assert [(one["id"], one["protected"]) for one in preview["items"]] == [("alert4", False), ("alert2", True)]
    assert (await lan.post("/api/v1/silences/preview", json={"matchers": []})).json()["matching"] == 3
    assert world.people.suppressions.rows == {}


async def test_a_preview_counts_more_than_it_shows(lan: httpx.AsyncClient, world: World) -> None:
    for _ in range(501):
        world.records.raise_alert(LIFT)
    preview = (await lan.post("/api/v1/silences/preview", json={"matchers": []})).json()
    assert (preview["matching"], len(preview["items"])) == (501, 100)


async def test_maintenance_names_devices(lan: httpx.AsyncClient, world: World) -> None:
    body = {"devices": [LIFT.path, GATE.path, LIFT.path], "for": "4h", "reason": "half-month service"}
    window = (await lan.post("/api/v1/maintenance", json=body)).json()
    assert window["matchers"] == [{"label": "path", "operator": "in", "value": f"{LIFT.path},{GATE.path}"}]
    assert (window["kind"], window["author"]) == ("maintenance", "lan")
    assert (await lan.get("/api/v1/maintenance")).json()["items"] == [window]
    assert (await lan.get(f"/api/v1/maintenance/{window['id']}")).json() == window
    assert (await lan.delete(f"/api/v1/maintenance/{window['id']}")).json()["ended_by"] == "lan"


DEVICES: dict[str, tuple[list[str], str]] = {
    "none": ([], "body.devices"),
    "not a path": (["lift-1"], "body.devices.0"),
    "of no kind": ([LIFT.path, "xingfu/oven/1"], "body.devices.1"),
    "a list in one": ([f"{LIFT.path},{LIFT.path}"], "body.devices.0"),
    "a star": (["xingfu/elevator/*"], "body.devices.0"),
    "too many": ([LIFT.path] * 51, "body.devices"),
    "too long in all": ([f"xingfu/elevator/{number:030}" for number in range(30)], "body.devices"),
}


@pytest.mark.parametrize(("devices", "place"), DEVICES.values(), ids=DEVICES)
async def test_no_maintenance(lan: httpx.AsyncClient, world: World, devices: list[str], place: str) -> None:
    answer = await lan.post("/api/v1/maintenance", json={"devices": devices, "for": "1h", "reason": "x"})
    assert (answer.status_code, answer.json().get("errors", [{}])[0].get("location")) == (422, place)
    assert world.people.suppressions.rows == {}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("path", ["silences/s000000", "silences/s9", "maintenance/s9"])
async def test_one_of_another_kind_is_not_there(lan: httpx.AsyncClient, world: World, method: str, path: str) -> None:
    await lan.post("/api/v1/maintenance", json={"devices": [LIFT.path], "for": "1h", "reason": "x"})
    answer = await lan.request(method, f"/api/v1/{path}")
    assert answer.status_code == 404
    assert all(row.ended_at is None for row in world.people.suppressions.rows.values())


async def test_pages_hold_every_silence_once_whatever_lies_between(lan: httpx.AsyncClient, world: World) -> None:
    for number in range(1_300):
        kind = SuppressionKind.SILENCE if number % 500 == 0 else SuppressionKind.SHELVED
        matcher = Matcher("rule", str(number), Operator.EQUALS)
        await world.people.suppressions.add(
            Suppression("", kind, (matcher,), START, START + timedelta(hours=1), "x", "lan", START)
        )
    seen: list[str] = []
    query: dict[str, str] | None = {"limit": "1"}
    while query is not None:
        answer = (await lan.get("/api/v1/silences", params=query)).json()
        seen += [one["matchers"][0]["value"] for one in answer["items"]]
        query = {"limit": "1", "cursor": answer["next_cursor"]} if answer["next_cursor"] else None
    assert seen == ["1000", "500", "0"]
