"""Devices, their telemetry and their faults over HTTP."""

from datetime import timedelta

import httpx
import pytest

from alerts.history import DeviceRow, FaultRow, UnknownCodeRow
from api.series import MAXIMUM_POINTS
from core.clock import to_microseconds
from core.devices import DeviceKey, DeviceKind
from core.telemetry import Aggregate, Sample
from tests.unit.api.twins import START
from tests.unit.api.world import LIFT, World

GATE = DeviceKey("heping", DeviceKind.GATE, "gate-1")
SHED = DeviceKey("xingfu", DeviceKind.THERMAL, "shed-1")
TELEMETRY = "/api/v1/devices/xingfu/elevator/lift-1/telemetry"
SECOND = 1_000_000_000
NOW = to_microseconds(START) * 1_000


def heard(world: World, *devices: DeviceKey) -> None:
    """Let ``devices`` have been heard."""
    for device in devices:
        latest: dict[str, dict[str, dict[str, object]]] = {
            "telemetry": {"floor": {"value": "B1", "at": "2026-08-14T07:02:20+00:00"}}
        }
        row = DeviceRow(device, START - timedelta(days=1), START, True, None, latest, 0)
        world.records.device_rows[device.path] = row


@pytest.fixture
def samples(world: World) -> list[Sample]:
    """Six speeds of the lift in the last minute, one every 10 s, beside its floors."""
    heard(world, LIFT)
    speeds = [Sample(NOW - (60 - 10 * count) * SECOND + 7, float(count)) for count in range(6)]
    world.telemetry.stored[LIFT.path, "elevator", "", "speed_mps"] = speeds
    world.telemetry.stored[LIFT.path, "elevator", "", "floor"] = [Sample(NOW - SECOND, "B1")]
    return speeds


FILTERS = {
    "none": ({}, [GATE, LIFT, SHED]),
    "community": ({"community": "xingfu"}, [LIFT, SHED]),
    "kind": ({"kind": "gate"}, [GATE]),
    "both": ({"community": "heping", "kind": "thermal"}, []),
}


@pytest.mark.parametrize(("query", "expected"), FILTERS.values(), ids=FILTERS)
async def test_devices_by_community_and_kind(
    lan: httpx.AsyncClient, world: World, query: dict[str, str], expected: list[DeviceKey]
) -> None:
    heard(world, LIFT, GATE, SHED)
    items = (await lan.get("/api/v1/devices", params=query)).json()["items"]
    assert [item["device"]["path"] for item in items] == [device.path for device in expected]


async def test_devices_come_in_pages(lan: httpx.AsyncClient, world: World) -> None:
    heard(world, LIFT, GATE, SHED)
    first = (await lan.get("/api/v1/devices", params={"limit": 2})).json()
    rest = (await lan.get("/api/v1/devices", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    paths = [item["device"]["path"] for item in first["items"] + rest["items"]]
    assert paths == [GATE.path, LIFT.path, SHED.path]
    assert rest["next_cursor"] is None


async def test_a_device_shows_its_state_and_what_fires_now(lan: httpx.AsyncClient, world: World) -> None:
    heard(world, LIFT, GATE)
    ended = world.records.raise_alert(LIFT)
    world.records.raise_alert(LIFT, "alarm-button")
    world.records.raise_alert(GATE)
    world.records.resolve(ended, START)
    device = (await lan.get("/api/v1/devices/xingfu/elevator/lift-1")).json()
    assert [alert["rule"] for alert in device["alerts"]] == ["alarm-button"]
    assert device["latest"] == {"telemetry": {"floor": {"value": "B1", "at": "2026-08-14T07:02:20Z"}}}
    assert (device["online"], device["last_heard_at"]) == (True, "2026-08-14T07:02:26Z")


async def test_a_place_in_a_picture_is_shown_as_a_pair(lan: httpx.AsyncClient, world: World) -> None:
    hotspot: dict[str, object] = {"value": [0.25, 0.5], "at": "2026-08-14T07:02:20Z"}
    row = DeviceRow(SHED, START, START, False, None, {"bay-1": {"hotspot": hotspot}}, 0)
    world.records.device_rows[SHED.path] = row
    device = (await lan.get("/api/v1/devices/xingfu/thermal/shed-1")).json()
    assert device["latest"]["bay-1"]["hotspot"] == hotspot


@pytest.mark.parametrize("rest", ["", "/telemetry", "/telemetry/latest", "/faults"])
async def test_a_device_never_heard_is_a_404(lan: httpx.AsyncClient, rest: str) -> None:
    answer = await lan.get(f"/api/v1/devices/xingfu/elevator/lift-1{rest}")
    assert answer.status_code == 404
    assert "xingfu/elevator/lift-1" in answer.json()["detail"]


@pytest.mark.usefixtures("samples")
async def test_raw_telemetry_of_the_last_hour_by_default(lan: httpx.AsyncClient) -> None:
    body = (await lan.get(TELEMETRY)).json()
    assert (body["family"], body["since"], body["until"]) == (
        "elevator", "2026-08-14T06:02:26Z", "2026-08-14T07:02:26Z",
    )  # fmt: skip
    assert (body["window_seconds"], body["aggregate"]) == (None, None)
    speeds, floors = body["series"]
    assert speeds["signal"] == "speed_mps"
    assert speeds["samples"][0] == {"at": "2026-08-14T07:01:26Z", "value": 0.0}
    assert [one["value"] for one in speeds["samples"]] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert floors["samples"] == [{"at": "2026-08-14T07:02:25Z", "value": "B1"}]


@pytest.mark.usefixtures("samples")
async def test_signals_and_span_as_asked_for(lan: httpx.AsyncClient) -> None:
    query = {"signals": "speed_mps", "since": "2026-08-14T15:02:00+08:00", "until": "2026-08-14T07:02:16Z"}
    [series] = (await lan.get(TELEMETRY, params=query)).json()["series"]
    assert [one["value"] for one in series["samples"]] == [4.0]


@pytest.mark.usefixtures("samples")
async def test_windows_reduce_and_take_numbers_only_by_default(lan: httpx.AsyncClient, world: World) -> None:
    body = (await lan.get(TELEMETRY, params={"window": "1m"})).json()
    [series] = body["series"]
    assert series["samples"] == [
        {"at": "2026-08-14T07:01:00Z", "value": 1.5},
        {"at": "2026-08-14T07:02:00Z", "value": 4.5},
    ]
    assert (body["window_seconds"], body["aggregate"]) == (60.0, "mean")
    [(signals, every, aggregate)] = world.telemetry.windows_asked
    assert (every, aggregate) == (timedelta(minutes=1), Aggregate.MEAN)
    assert "floor" not in signals
    assert "door_zone" in signals


REFUSED = {
    "unknown signal": ({"signals": "speed_mps,colour"}, "query.signals", "speed_mps"),
    "family of another kind": ({"family": "thermal"}, "query.family", "elevator_event"),
    "mean of a text": ({"signals": "floor", "window": "1m"}, "query.aggregate", "last"),
    "aggregate without a window": ({"aggregate": "max"}, "query.aggregate", "window"),
    "window without a unit": ({"window": "5"}, "query.window", "5m"),
    "window of nothing": ({"window": "0s"}, "query.window", "above 0"),
    "too many windows": ({"window": "1s", "since": "2026-08-13T00:00:00Z"}, "query.window", str(MAXIMUM_POINTS)),
    "nothing between": ({"since": "2026-08-14T08:00:00Z"}, "query.since", "before `until`"),
}


@pytest.mark.usefixtures("samples")
@pytest.mark.parametrize(("query", "location", "words"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_asked_of_telemetry(
    lan: httpx.AsyncClient, query: dict[str, str], location: str, words: str
) -> None:
    answer = await lan.get(TELEMETRY, params=query)
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    assert error["location"] == location
    assert words in f"{error['message']} {error['expected']}"


async def test_more_points_than_we_give_is_said_not_cut_off(lan: httpx.AsyncClient, world: World) -> None:
    heard(world, LIFT)
    begin = NOW - 1_800 * SECOND
    stored = [Sample(begin + count * SECOND // 10, 1.0) for count in range(MAXIMUM_POINTS + 1)]
    world.telemetry.stored[LIFT.path, "elevator", "", "speed_mps"] = stored
    answer = await lan.get(TELEMETRY)
    assert answer.status_code == 422
    assert "shorter span" in answer.json()["errors"][0]["expected"]
    stored.pop()
    [series] = (await lan.get(TELEMETRY)).json()["series"]
    assert len(series["samples"]) == MAXIMUM_POINTS


@pytest.mark.usefixtures("samples")
async def test_the_newest_sample_of_every_signal(lan: httpx.AsyncClient) -> None:
    found = (await lan.get(f"{TELEMETRY}/latest")).json()["series"]
    assert {series["signal"]: series["samples"] for series in found} == {
        "speed_mps": [{"at": "2026-08-14T07:02:16Z", "value": 5.0}],
        "floor": [{"at": "2026-08-14T07:02:25Z", "value": "B1"}],
    }


@pytest.mark.usefixtures("samples")
async def test_a_telemetry_store_that_is_away_leaves_alerts_alone(lan: httpx.AsyncClient, world: World) -> None:
    world.telemetry.away = True
    world.records.raise_alert(LIFT)
    assert (await lan.get(TELEMETRY)).status_code == 503
    assert (await lan.get("/api/v1/alerts")).status_code == 200
    assert (await lan.get("/api/v1/devices/xingfu/elevator/lift-1")).status_code == 200


def _faults(world: World) -> None:
    heard(world, LIFT, SHED)
    other = DeviceKey("heping", DeviceKind.ELEVATOR, "lift-9")
    rows = [
        (LIFT, "gbt24476-2017", "2", "door_close_failure", "major", 1),
        (other, "gbt24476-2017", "7", "position_lost", "major", None),
        (LIFT, "vendor", "Err 02", "other", "major", None),
    ]
    for number, (device, source, code, kind, severity, cleared) in enumerate(rows, 1):
        raised = START + timedelta(hours=number)
        ended = None if cleared is None else raised + timedelta(hours=cleared)
        world.records.fault_rows.append(FaultRow(number, device, source, code, kind, severity, raised, ended, False))


async def test_codes_that_no_list_knows(lan: httpx.AsyncClient, world: World) -> None:
    for hours, (source, code) in enumerate([("gbt24476-2017", "99"), ("vendor", "Err 02")]):
        seen = START + timedelta(hours=hours)
        world.records.unknown_code_rows.append(UnknownCodeRow(LIFT, source, code, 3, START, seen))
    codes = (await lan.get("/api/v1/faults/unknown-codes")).json()["codes"]
    told = [(one["source"], one["known_list"], one["code"], one["episodes"]) for one in codes]
    assert told == [("vendor", False, "Err 02", 3), ("gbt24476-2017", True, "99", 3)]
    assert codes[0]["device"]["device"] == LIFT.device
    assert (codes[0]["first_seen_at"], codes[0]["last_seen_at"]) == ("2026-08-14T07:02:26Z", "2026-08-14T08:02:26Z")
    elsewhere = await lan.get("/api/v1/faults/unknown-codes", params={"community": "heping"})
    assert elsewhere.json() == {"codes": []}


FAULTS = {
    "none": ({}, [3, 2, 1]),
    "community": ({"community": "xingfu"}, [3, 1]),
    "device kind": ({"device_kind": "thermal"}, []),
    "device": ({"device": "lift-9"}, [2]),
    "kind": ({"kind": "position_lost"}, [2]),
    "source": ({"source": "vendor"}, [3]),
    "code": ({"code": "Err 02"}, [3]),
    "open": ({"open": "true"}, [3, 2]),
    "over": ({"open": "false"}, [1]),
    "since": ({"since": "2026-08-14T09:02:26Z"}, [3, 2]),
    "until": ({"until": "2026-08-14T09:02:26Z"}, [1]),
}


@pytest.mark.parametrize(("query", "expected"), FAULTS.values(), ids=FAULTS)
async def test_faults_by_what_and_when(
    lan: httpx.AsyncClient, world: World, query: dict[str, str], expected: list[int]
) -> None:
    _faults(world)
    items = (await lan.get("/api/v1/faults", params=query)).json()["items"]
    assert [fault["number"] for fault in items] == expected


async def test_faults_of_one_device_say_what_the_code_means(lan: httpx.AsyncClient, world: World) -> None:
    _faults(world)
    items = (await lan.get("/api/v1/devices/xingfu/elevator/lift-1/faults")).json()["items"]
    assert [(fault["number"], fault["title"]) for fault in items] == [
        (3, {"zh": "其他故障", "en": "other fault"}),
        (1, {"zh": "关门故障", "en": "door close failure"}),
    ]
    one = (await lan.get("/api/v1/devices/xingfu/elevator/lift-1/faults", params={"fault": "other"})).json()["items"]
    assert [fault["number"] for fault in one] == [3]
