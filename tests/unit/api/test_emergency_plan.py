"""The emergency plan over HTTP: which is in force, and what is wrong with a text."""

from importlib.resources import files

import httpx

from tests.unit.api.world import World

PLAN = "/api/v1/emergency-plan"
DEFAULT = files("emergency").joinpath("default.yaml").read_text(encoding="utf-8")


async def test_the_plan_in_force(lan: httpx.AsyncClient, world: World) -> None:
    plan = (await lan.get(PLAN)).json()
    assert [one["name"] for one in plan["contacts"]] == ["duty", "kone", "hotline", "shop"]
    assert plan["contacts"][0] == {
        "name": "duty", "title": {"zh": "值班室", "en": "Duty room"}, "phone": "0571 1", "tell": ["receiver:wall"],
        "contractor": False,
    }  # fmt: skip
    assert [(one["name"], one["wait"]) for one in plan["ladders"][0]["steps"]] == [
        ("property", "30s"),
        ("maintainer", "60s"),
        ("hotline", "60s"),
    ]
    assert (plan["communities"][0]["area"], plan["communities"][0]["nearby"]) == ("urban", ["shop"])
    assert plan["problem"] is None
    world.calling.plan_problem = "plan.yaml:3: no ladder"
    assert (await lan.get(PLAN)).json()["problem"] == "plan.yaml:3: no ladder"


async def test_a_plan_that_could_be_put_into_force(lan: httpx.AsyncClient) -> None:
    text = DEFAULT.replace("receiver:wall", "rota:guards")
    assert (await lan.post(f"{PLAN}/check", json={"text": text})).json() == {
        "valid": True,
        "communities": ["*"],
        "problems": [],
    }


async def test_all_that_is_wrong_is_told_with_its_line(lan: httpx.AsyncClient) -> None:
    text = DEFAULT.replace("ladder: lift\n", "ladder: stairs\n")
    checked = (await lan.post(f"{PLAN}/check", json={"text": text})).json()
    assert checked["valid"] is False
    lines = text.splitlines()
    found = [(lines[one["line"] - 1].strip().partition(":")[0], one["message"]) for one in checked["problems"]]
    assert [message.split(":")[0] for _, message in found] == ["receiver", "no ladder stairs"]
    assert "expected one of" in found[0][1]


async def test_a_text_that_is_no_plan(lan: httpx.AsyncClient) -> None:
    checked = (await lan.post(f"{PLAN}/check", json={"text": "- a\n- b: [\n"})).json()
    assert (checked["valid"], checked["communities"], len(checked["problems"])) == (False, [], 1)


async def test_a_check_needs_a_text(lan: httpx.AsyncClient) -> None:
    assert (await lan.post(f"{PLAN}/check", json={})).status_code == 422
