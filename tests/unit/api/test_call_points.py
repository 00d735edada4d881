"""QR codes: made, changed, given a new token, removed."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.unit.api.calling import CALLED
from tests.unit.api.world import World

POINTS = "/api/v1/call-points"


async def add(lan: httpx.AsyncClient, **told: Any) -> dict[str, Any]:
    answer = await lan.post(POINTS, json={"lift": CALLED, "name_zh": "轿厢", "name_en": "car", **told})
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def test_a_point_at_a_lift(lan: httpx.AsyncClient, world: World) -> None:
    point = await add(lan, building="3")
    assert (point["community"], point["lift"], point["building"]) == ("xingfu", CALLED, "3")
    assert (point["generation"], point["created_at"], point["removed_at"]) == (1, "2026-08-14T07:02:26Z", None)
    assert len(point["token"]) == 22
    assert point["path"] == f"/c/{point['token']}"
    assert (await lan.get(f"{POINTS}/{point['id']}")).json() == point
    assert world.calling.points.acts == [("lan", point["id"])]


async def test_a_point_at_an_entrance(lan: httpx.AsyncClient) -> None:
    point = await add(lan, lift=None, community="xingfu", name_zh="北门")
    assert (point["community"], point["lift"], point["name_zh"]) == ("xingfu", "", "北门")


async def test_no_two_points_share_a_token(lan: httpx.AsyncClient) -> None:
    points = [await add(lan) for _ in range(3)]
    assert len({point["token"] for point in points}) == len({point["id"] for point in points}) == 3


async def test_changing_a_point_keeps_its_token(lan: httpx.AsyncClient) -> None:
    point = await add(lan)
    changed = (await lan.put(f"{POINTS}/{point['id']}", json={"lift": "anyang/elevator/l-2", "name_zh": "东"})).json()
    assert (changed["token"], changed["generation"], changed["created_at"]) == (point["token"], 1, point["created_at"])
    assert (changed["community"], changed["name_zh"], changed["name_en"]) == ("anyang", "东", "")


@pytest.mark.parametrize(
    ("said", "grace"),
    [(None, timedelta(days=7)), ({"grace_days": 30}, timedelta(days=30)), ({"grace_days": 0}, timedelta(0))],
    ids=["as a rule", "with a longer grace", "revoked at once"],
)
async def test_rotating_gives_a_new_token_and_the_former_one_an_end(
    lan: httpx.AsyncClient, world: World, said: object, grace: timedelta
) -> None:
    point = await add(lan)
    rotated = (await lan.post(f"{POINTS}/{point['id']}/rotate", json=said)).json()
    assert rotated["token"] != point["token"]
    assert rotated["generation"] == 2
    former = await world.calling.points.by_token(point["token"])
    present = await world.calling.points.by_token(rotated["token"])
    assert former is not None
    assert present is not None
    assert (former.point.id, former.former, former.until) == (point["id"], True, world.clock.now() + grace)
    assert (present.former, present.until) == (False, None)


async def test_revoking_ends_former_tokens_now_and_the_present_one_stays(lan: httpx.AsyncClient, world: World) -> None:
    point = await add(lan)
    rotated = (await lan.post(f"{POINTS}/{point['id']}/rotate")).json()
    revoked = await lan.post(f"{POINTS}/{point['id']}/revoke")
    assert (revoked.status_code, revoked.json()) == (200, rotated)
    former = await world.calling.points.by_token(point["token"])
    present = await world.calling.points.by_token(rotated["token"])
    assert (former and former.until, present and present.until) == (world.clock.now(), None)


async def test_a_revoked_token_does_not_come_back_by_a_later_grace(lan: httpx.AsyncClient, world: World) -> None:
    point = await add(lan)
    for grace in (0, 90):
        await lan.post(f"{POINTS}/{point['id']}/rotate", json={"grace_days": grace})
    former = await world.calling.points.by_token(point["token"])
    assert former is not None
    assert former.until == world.clock.now()


@pytest.mark.parametrize("said", [{"grace_days": -1}, {"grace_days": 91}, {"grace": 1}, {"grace_days": 0.5}])
async def test_a_grace_has_bounds(lan: httpx.AsyncClient, world: World, said: object) -> None:
    point = await add(lan)
    assert (await lan.post(f"{POINTS}/{point['id']}/rotate", json=said)).status_code == 422
    assert len(world.calling.points.acts) == 1


async def test_removing_a_point(lan: httpx.AsyncClient, world: World) -> None:
    point = await add(lan)
    for _ in range(2):
        assert (await lan.delete(f"{POINTS}/{point['id']}")).json()["removed_at"] == "2026-08-14T07:02:26Z"
    assert len(world.calling.points.acts) == 2
    assert (await lan.get(POINTS)).json()["items"] == []
    assert (await lan.get(f"{POINTS}/{point['id']}")).json()["removed_at"] is not None
    for method, act, body in (
        ("PUT", "", {"lift": CALLED}),
        ("POST", "/rotate", None),
        ("POST", "/revoke", None),
    ):
        answer = await lan.request(method, f"{POINTS}/{point['id']}{act}", json=body)
        assert (answer.status_code, answer.json()["detail"]) == (
            409, f"call point {point['id']} was removed: expected one in use",
        )  # fmt: skip


async def test_points_come_in_pages_and_by_community(lan: httpx.AsyncClient) -> None:
    made = {(await add(lan))["id"] for _ in range(3)} | {(await add(lan, lift="anyang/elevator/l-1"))["id"]}
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = (await lan.get(POINTS, params={"limit": 3, **cursor})).json()
        seen += [point["id"] for point in answer["items"]]
        if answer["next_cursor"] is None:
            break
        cursor = {"cursor": answer["next_cursor"]}
    assert seen == sorted(made)
    assert len((await lan.get(f"{POINTS}?community=xingfu")).json()["items"]) == 3


REFUSED: dict[str, tuple[Any, str]] = {
    "nowhere": ({"name_zh": "x"}, "body.community"),
    "a lift of another community": ({"lift": CALLED, "community": "anyang"}, "body.community"),
    "a gate": ({"lift": "xingfu/gate/g-1"}, "body.lift"),
    "a token of one's own": ({"lift": CALLED, "token": "x"}, "body.token"),
    "a line break in a name": ({"lift": CALLED, "name_zh": "a\nb"}, "body.name_zh"),
}


@pytest.mark.parametrize(("body", "place"), REFUSED.values(), ids=REFUSED)
async def test_points_that_cannot_be(lan: httpx.AsyncClient, world: World, body: object, place: str) -> None:
    answer = await lan.post(POINTS, json=body)
    assert (answer.status_code, answer.json()["errors"][0]["location"]) == (422, place)
    assert world.calling.points.acts == []


@pytest.mark.parametrize(
    ("method", "act"), [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/rotate"), ("POST", "/revoke")]
)
async def test_what_is_not_there_is_a_404(lan: httpx.AsyncClient, method: str, act: str) -> None:
    body = {"lift": CALLED} if method == "PUT" else None
    answer = await lan.request(method, f"{POINTS}/nowhere{act}", json=body)
    assert (answer.status_code, answer.json()["detail"]) == (404, "no call point nowhere")
