"""The plan of who is told, over HTTP: shown without its secrets, and every broken one told with its lines."""

from typing import Any

import httpx
import pytest

from alerts.dispatch.defaults import default_plan
from alerts.dispatch.plan_loading import load_plan
from api.texts import TEXT_LIMIT
from tests.unit.alerts.test_plans_broken import NAMES, expected_of, text_of
from tests.unit.api.people import PLAN, SECRET
from tests.unit.api.world import World

GOOD = """\
version: 1
receivers:
  - {name: hall, mqtt: {topic: site/hall}, language: zh}
  - {name: app, webhook: {url: "https://app.example/hook?key=abc", secret: "${APP_SECRET}"}}
  - {name: phone, apprise: {url: "${PHONE}"}}
people:
  - {name: li, receivers: [phone, hall], weekly_test: "mon 10:00"}
rotas:
  - {name: duty, gaps: allow, layers: [{start: 2026-01-05, people: [li], hours: "08:00-20:00"}]}
policies:
  - name: urgent
    steps: [{after: 0s, notify: [rota:duty]}, {after: 3m, notify: [receiver:app]}]
    unattended: {critical: 15m}
routes:
  - {name: fire, severity: "critical,major", tag: shed, policy: urgent, continue: true, schedule: {days: [sun]}}
  - {policy: urgent, group_by: [building]}
inhibitions:
  - source: [{label: rule, value: gateway-offline}]
    target: [{label: rule, value: "*-offline", operator: like}]
    equal: [gateway]
"""


async def shown(lan: httpx.AsyncClient, world: World) -> dict[str, Any]:
    world.people.plan.plan = load_plan(GOOD, "plan.yaml")
    answer: dict[str, Any] = (await lan.get("/api/v1/plan")).json()
    return answer


async def test_receivers_and_people_are_shown_but_not_where_anything_leads(
    lan: httpx.AsyncClient, world: World
) -> None:
    plan = await shown(lan, world)
    assert (plan["source"], plan["problem"], plan["zone"]) == ("plan.yaml", None, "Asia/Shanghai")
    assert plan["receivers"] == [
        {"name": "hall", "channel": "mqtt", "language": "zh"},
        {"name": "app", "channel": "webhook", "language": "both"},
        {"name": "phone", "channel": "apprise", "language": "both"},
    ]
    assert plan["people"] == [{"name": "li", "receivers": ["phone", "hall"], "weekly_test": "mon 10:00"}]
    text = str(plan)
    assert not [word for word in ("site/hall", "app.example", "APP_SECRET", "PHONE") if word in text]


async def test_no_secret_is_shown_even_where_one_stands_in_plain(lan: httpx.AsyncClient, world: World) -> None:
    world.people.plan.plan = PLAN
    assert SECRET not in (await lan.get("/api/v1/plan")).text


async def test_rotas_ladders_and_routes_are_shown(lan: httpx.AsyncClient, world: World) -> None:
    plan = await shown(lan, world)
    layer = {"start": "2026-01-05", "people": ["li"], "every": "1w", "hours": "08:00-20:00", "handover": "00:00"}
    assert plan["rotas"] == [{"name": "duty", "layers": [layer], "zone": None, "gaps": "allow"}]
    assert plan["policies"] == [
        {
            "name": "urgent",
            "steps": [{"after": "0s", "notify": ["rota:duty"]}, {"after": "3m", "notify": ["receiver:app"]}],
            "repeat": None,
            "unattended": {"critical": "15m"},
            "notify_resolved": True,
        }
    ]
    matches = [
        {"label": "severity", "operator": "in", "value": "critical,major"},
        {"label": "tag", "operator": "=", "value": "shed"},
    ]
    sundays = {"hours": None, "days": ["sun"]}
    waits = {"policy": "urgent", "group_wait": "30s", "group_interval": "5m"}
    assert plan["routes"] == [
        {"name": "fire", "match": matches, "schedule": sundays, "group_by": ["device"], "continue": True, **waits},
        {"name": None, "match": [], "schedule": None, "group_by": ["building"], "continue": False, **waits},
    ]
    assert plan["flood"] == {"over": 10, "within": "10m", "digest_every": "5m"}


async def test_inhibitions_are_shown_with_those_that_every_plan_has(lan: httpx.AsyncClient, world: World) -> None:
    plan = await shown(lan, world)
    own, *built_in = plan["inhibitions"]
    assert own == {
        "source": [{"label": "rule", "operator": "=", "value": "gateway-offline"}],
        "target": [{"label": "rule", "operator": "like", "value": "*-offline"}],
        "equal": ["gateway"],
        "grace": "1m",
        "built_in": False,
    }
    assert [one["source"][0]["value"] for one in built_in if one["built_in"]] == ["broker-away", "ingest-away"]


async def test_the_plan_that_comes_with_anju_is_shown_in_full(lan: httpx.AsyncClient, world: World) -> None:
    world.people.plan.plan = default_plan()
    plan = (await lan.get("/api/v1/plan")).json()
    assert [route["name"] for route in plan["routes"]] == [
        "critical",
        "suspected-entrapment",
        "daily-list",
        "can-wait",
        "offline",
        "everything",
    ]


async def test_why_a_newer_plan_was_refused_is_said(lan: httpx.AsyncClient, world: World) -> None:
    world.people.plan.refused = "plan.yaml:3: receivers: name 'hall' is used twice: expected once"
    assert (await lan.get("/api/v1/plan")).json()["problem"] == world.people.plan.refused


async def test_a_good_plan_has_no_problems_and_is_not_kept(lan: httpx.AsyncClient) -> None:
    before = (await lan.get("/api/v1/plan")).json()
    answer = await lan.post("/api/v1/plan/check", json={"text": GOOD})
    assert answer.json() == {"valid": True, "problems": []}
    assert (await lan.get("/api/v1/plan")).json() == before


@pytest.mark.parametrize("name", [name for name in NAMES if text_of(name)])
async def test_every_broken_plan_is_told_with_its_lines_and_what_was_expected(
    lan: httpx.AsyncClient, name: str
) -> None:
    answer = (await lan.post("/api/v1/plan/check", json={"text": text_of(name)})).json()
    assert answer["valid"] is False
    assert [problem["line"] for problem in answer["problems"]] == [line for line, _ in expected_of(name)]
    for problem, (_, text) in zip(answer["problems"], expected_of(name), strict=True):
        assert text in problem["message"]


@pytest.mark.parametrize("text", ["", "#" * (TEXT_LIMIT + 1), None], ids=["empty", "too long", "none"])
async def test_what_is_no_text_to_look_at_is_refused(lan: httpx.AsyncClient, text: str | None) -> None:
    answer = await lan.post("/api/v1/plan/check", json={"text": text})
    assert (answer.status_code, answer.json()["errors"][0]["location"]) == (422, "body.text")
