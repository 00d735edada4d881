"""Alarm quality over HTTP: the span, the figures with their targets, by community."""

from datetime import timedelta

import httpx
import pytest

from alerts.history import NotifiedRow
from core.devices import DeviceKey, DeviceKind
from tests.unit.api.twins import START
from tests.unit.api.world import LIFT, World

GATE = DeviceKey("heping", DeviceKind.GATE, "gate-1")


async def test_each_figure_stands_beside_its_target(lan: httpx.AsyncClient, world: World) -> None:
    for _ in range(3):
        world.records.raise_alert(LIFT)
    await world.records.acknowledge("alert2", "lan", None, START + timedelta(minutes=5))
    await world.people.acts.mark_false("alert3", "lan", None, START, false=True)
    world.people.quality.notified = [
        NotifiedRow("lan", "duty-room", "xingfu", "critical", "firing", START, None, "delivered")
    ]
    world.clock.advance(timedelta(days=1))
    answer = await lan.get("/api/v1/quality", params={"since": "2026-08-14T07:02:26Z"})
    quality = answer.json()
    assert (quality["since"], quality["until"], quality["alarms"]) == (
        "2026-08-14T07:02:26Z",
        "2026-08-15T07:02:26Z",
        3,
    )
    target = {"at_least": None, "at_most": 150.0, "below": None}
    assert quality["per_day"] == {"value": 3.0, "target": target, "met": True}
    assert quality["days"] == [{"begin": quality["since"], "end": quality["until"], "alarms": 3}]
    assert quality["severities"]["critical"]["met"] is False
    assert quality["false_alarms"] == {
        "value": pytest.approx(1 / 3),
        "target": {"at_least": None, "at_most": 0.1, "below": None},
        "met": False,
    }
    assert quality["false_by_rule"] == [
        {"name": "trapped-passenger", "alarms": 3, "false": 1, "rate": pytest.approx(1 / 3)}
    ]
    assert quality["false_by_pair"] == [
        {"rule": "trapped-passenger", "device": LIFT.path, "alarms": 3, "false": 1, "rate": pytest.approx(1 / 3)}
    ]
    assert quality["most_frequent"][0]["device"] == LIFT.path
    assert quality["swiftness"] == {
        "acknowledged": 1,
        "median_seconds": 180.0,
        "percentile_90_seconds": {
            "value": 180.0,
            "target": {"at_least": None, "at_most": 300.0, "below": None},
            "met": True,
        },
    }
    assert [one["name"] for one in quality["acknowledgers"]] == ["lan"]
    assert [(one["name"], one["calls"]) for one in quality["told"]] == [("lan", 1)]


async def test_a_week_until_now_is_what_is_shown_by_itself(lan: httpx.AsyncClient) -> None:
    quality = (await lan.get("/api/v1/quality")).json()
    assert (quality["since"], quality["until"]) == ("2026-08-07T07:02:26Z", "2026-08-14T07:02:26Z")
    assert (quality["alarms"], quality["most_frequent_share"]["value"]) == (0, None)
    assert len(quality["days"]) == 7


async def test_one_community_alone(lan: httpx.AsyncClient, world: World) -> None:
    world.records.raise_alert(LIFT)
    world.records.raise_alert(GATE)
    world.clock.advance(timedelta(hours=1))
    assert (await lan.get("/api/v1/quality")).json()["alarms"] == 2
    world.people.quality.chattering = {("door", LIFT.path)}
    quality = (await lan.get("/api/v1/quality", params={"community": "heping"})).json()
    assert (quality["alarms"], quality["chattering"]["value"]) == (1, 0)
    assert (await lan.get("/api/v1/quality")).json()["chattering"]["value"] == 1


SPANS = {
    "backwards": ({"since": "2026-08-14T00:00:00Z", "until": "2026-08-13T00:00:00Z"}, "query.until"),
    "empty": ({"since": "2026-08-14T07:02:26Z"}, "query.until"),
    "too long": ({"since": "2024-08-14T07:02:26Z"}, "query.since"),
    "no instant": ({"since": "yesterday"}, "query.since"),
    "at the beginning of dates": ({"until": "0001-01-02T00:00:00Z"}, "query.until"),
}


@pytest.mark.parametrize(("query", "place"), SPANS.values(), ids=SPANS)
async def test_spans_that_make_no_sense(lan: httpx.AsyncClient, query: dict[str, str], place: str) -> None:
    answer = await lan.get("/api/v1/quality", params=query)
    assert (answer.status_code, answer.json().get("errors", [{}])[0].get("location")) == (422, place)
