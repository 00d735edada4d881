"""What people tell of devices over HTTP: kept whole, shown wherever the device is, refused where it makes no sense."""

import json
from typing import Any

import httpx
import pytest

from core.devices import DeviceKey, DeviceKind
from tests.unit.api.test_devices import heard
from tests.unit.api.world import LIFT, World

FACTS = f"/api/v1/devices/{LIFT.path}/facts"
TOLD: dict[str, Any] = {
    "name_zh": "3 号楼电梯",
    "name_en": "lift of block 3",
    "building": "3",
    "gateway": "gw-3",
    "tags": ["old", "north"],
    "numbers": {"rated_load_kilograms": 800, "stops": 18},
    "retired": True,
    "rescue_code": "330108",
    "contractor": "tonghui-lifts",
}


async def test_facts_are_told_before_a_device_is_heard(lan: httpx.AsyncClient, world: World) -> None:
    assert (await lan.get(FACTS)).status_code == 404
    told = (await lan.put(FACTS, json=TOLD)).json()
    assert told == {**TOLD, "tags": ["north", "old"]}
    assert (await lan.get(FACTS)).json() == told
    assert world.people.registry.told_by == ["lan"]


async def test_facts_replace_all_that_was_told_before(lan: httpx.AsyncClient) -> None:
    await lan.put(FACTS, json=TOLD)
    told = (await lan.put(FACTS, json={"building": "4"})).json()
    nothing: dict[str, Any] = dict.fromkeys(("name_zh", "name_en", "gateway", "rescue_code", "contractor"), "")
    nothing |= {"tags": [], "numbers": {}, "retired": False}
    assert told == {"building": "4", **nothing}


async def test_a_device_nobody_told_of_has_empty_facts_and_its_own_name(lan: httpx.AsyncClient, world: World) -> None:
    heard(world, LIFT)
    assert (await lan.get(FACTS)).json()["building"] == ""
    shown = (await lan.get(f"/api/v1/devices/{LIFT.path}")).json()
    assert shown["name"] == {"zh": "lift-1", "en": "lift-1"}


async def test_devices_show_their_names_and_facts(lan: httpx.AsyncClient, world: World) -> None:
    heard(world, LIFT)
    await lan.put(FACTS, json={**TOLD, "name_en": ""})
    [listed] = (await lan.get("/api/v1/devices")).json()["items"]
    shown = (await lan.get(f"/api/v1/devices/{LIFT.path}")).json()
    assert listed["name"] == shown["name"] == {"zh": "3 号楼电梯", "en": "3 号楼电梯"}
    assert listed["facts"]["numbers"] == {"rated_load_kilograms": 800, "stops": 18}


NARROWED = {
    "building": ({"building": "3"}, ["lift-1", "lift-4"]),
    "tag": ({"tag": "north"}, ["lift-1", "lift-3"]),
    "both": ({"building": "3", "tag": "north"}, ["lift-1"]),
    "nobody": ({"building": "9"}, []),
}


@pytest.mark.parametrize(("query", "expected"), NARROWED.values(), ids=NARROWED)
async def test_devices_by_building_and_tag(
    lan: httpx.AsyncClient, world: World, query: dict[str, str], expected: list[str]
) -> None:
    told = {"lift-1": ("3", ["north"]), "lift-2": ("4", []), "lift-3": ("", ["north"]), "lift-4": ("3", ["northern"])}
    for name, (building, tags) in told.items():
        key = DeviceKey("xingfu", DeviceKind.ELEVATOR, name)
        heard(world, key)
        await lan.put(f"/api/v1/devices/{key.path}/facts", json={"building": building, "tags": tags})
    seen: list[str] = []
    asked: dict[str, str] | None = {**query, "limit": "1"}
    while asked is not None:
        answer = (await lan.get("/api/v1/devices", params=asked)).json()
        seen += [one["device"]["device"] for one in answer["items"]]
        asked = {**query, "limit": "1", "cursor": answer["next_cursor"]} if answer["next_cursor"] else None
    assert seen == expected


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a rescue code of five digits": ({"rescue_code": "33010"}, "body.rescue_code"),
    "a rescue code with a letter": ({"rescue_code": "33010A"}, "body.rescue_code"),
    "a rescue code in other digits": ({"rescue_code": "３３０１０８"}, "body.rescue_code"),
    "a contractor by its title": ({"contractor": "通惠电梯"}, "body.contractor"),
    "an unknown key": ({"floor": 3}, "body.floor"),
    "a building with a comma": ({"building": "3,4"}, "body.building"),
    "a tag with a comma": ({"tags": ["a,b"]}, "body.tags.0"),
    "an empty tag": ({"tags": ["a", ""]}, "body.tags.1"),
    "too many tags": ({"tags": [str(number) for number in range(33)]}, "body.tags"),
    "a gateway by its path": ({"gateway": "xingfu/gateway/gw-3"}, "body.gateway"),
    "a number without a name": ({"numbers": {"": 1}}, "body.numbers..[key]"),
    "a number by a sentence": ({"numbers": {"Rated load": 1}}, "body.numbers.Rated load.[key]"),
    "a number that is none": ({"numbers": {"stops": float("nan")}}, "body.numbers.stops"),
    "a number that is text": ({"numbers": {"stops": "many"}}, "body.numbers.stops"),
    "retired by a word": ({"retired": "soon"}, "body.retired"),
    "a name of two lines": ({"name_en": "a\nb"}, "body.name_en"),
    "a name with a NUL": ({"name_zh": "a\0b"}, "body.name_zh"),
    "a long name": ({"name_zh": "长" * 201}, "body.name_zh"),
}


@pytest.mark.parametrize(("body", "place"), REFUSED.values(), ids=REFUSED)
async def test_facts_that_make_no_sense(lan: httpx.AsyncClient, world: World, body: dict[str, Any], place: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await lan.put(FACTS, content=json.dumps(body), headers=headers)
    assert (answer.status_code, answer.json().get("errors", [{}])[0].get("location")) == (422, place)
    assert world.people.registry.facts == {}


async def test_a_gateway_does_not_hang_on_itself(lan: httpx.AsyncClient) -> None:
    answer = await lan.put("/api/v1/devices/xingfu/gateway/gw-3/facts", json={"gateway": "gw-3"})
    assert (answer.status_code, answer.json()["errors"][0]["location"]) == (422, "body.gateway")
