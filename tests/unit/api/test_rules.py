"""Rules over HTTP: what is in force, keeping new versions, switching, and what is refused with its line."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from api.texts import TEXT_LIMIT
from tests.unit.api.world import World

HOT = """\
id: shed-hot
kind: thermal
severity: major
title: {zh: 车棚温度偏高, en: shed hot}
next_step: {zh: 查看, en: look}
for: 30s
condition: {kind: threshold, signal: maximum_celsius, above: 50, clear: 45}
"""
HOTTER = HOT.replace("above: 50", "above: 60").replace("clear: 45", "clear: 55")
BROKEN = HOT.replace("severity: major", "severity: terrible")
RULE = "/api/v1/rules/shed-hot"


def indented(text: str) -> str:
    return "version: 1\nrules:\n  - " + text.replace("\n", "\n    ").rstrip() + "\n"


async def put(lan: httpx.AsyncClient, text: str = HOT, **more: Any) -> httpx.Response:
    return await lan.put(RULE, json={"text": text, "comment": "for our site", **more})


@pytest.fixture
def builtin(world: World) -> None:
    """One built-in rule."""
    world.people.rules.builtin["shed-hot"] = HOT


@pytest.mark.usefixtures("builtin")
async def test_rules_are_listed_with_where_they_come_from(lan: httpx.AsyncClient) -> None:
    await lan.put("/api/v1/rules/shed-hotter", json={"text": HOTTER.replace("shed-hot", "shed-hotter"), "comment": "x"})
    answer = (await lan.get("/api/v1/rules")).json()
    assert answer["problem"] is None
    assert answer["items"] == [
        {
            "id": "shed-hot",
            "source": "built-in",
            "enabled": True,
            "in_force": True,
            "kind": "thermal",
            "severity": "major",
            "title": {"zh": "车棚温度偏高", "en": "shed hot"},
            "revision": 0,
            "author": None,
            "at": None,
        },
        {
            "id": "shed-hotter",
            "source": "rule book",
            "enabled": True,
            "in_force": True,
            "kind": "thermal",
            "severity": "major",
            "title": {"zh": "车棚温度偏高", "en": "shed hot"},
            "revision": 1,
            "author": "lan",
            "at": "2026-08-14T07:02:26Z",
        },
    ]


async def test_what_stands_in_the_way_of_newer_rules_is_said(lan: httpx.AsyncClient, world: World) -> None:
    world.people.rules.refused = "site.yaml:3: rule shed-hot: …"
    assert (await lan.get("/api/v1/rules")).json()["problem"] == "site.yaml:3: rule shed-hot: …"


async def test_a_rule_is_kept_with_its_author_and_every_version(lan: httpx.AsyncClient, world: World) -> None:
    first = await put(lan)
    assert (first.status_code, first.headers["etag"]) == (200, '"1"')
    assert first.json() == {
        "revision": 1,
        "text": HOT,
        "enabled": True,
        "author": "lan",
        "comment": "for our site",
        "at": "2026-08-14T07:02:26Z",
    }
    world.clock.advance(timedelta(days=1))
    assert (await put(lan, HOTTER)).headers["etag"] == '"2"'
    whole = await lan.get(RULE)
    rule = whole.json()
    assert (whole.headers["etag"], rule["revision"], rule["text"]) == ('"2"', 2, HOTTER)
    assert rule["rule"]["condition"] == {
        "kind": "threshold", "signal": "maximum_celsius", "above": 60.0, "below": None, "clear": 55.0, "confirm": None,
        "median_of": None,
    }  # fmt: skip
    assert rule["rule"]["for"] == "30s"
    assert [(one["revision"], one["text"]) for one in rule["history"]] == [(2, HOTTER), (1, HOT)]


async def test_what_is_kept_but_not_taken_over_yet_is_shown_as_such(lan: httpx.AsyncClient, world: World) -> None:
    await put(lan)
    world.people.rules.lag = True
    [listed] = (await lan.get("/api/v1/rules")).json()["items"]
    assert (listed["in_force"], listed["revision"]) == (False, 1)
    assert (await lan.get(RULE)).json()["in_force"] is False


async def test_a_text_that_is_no_rule_any_more_is_shown_as_text(lan: httpx.AsyncClient, world: World) -> None:
    world.people.rules.lag = True
    book = world.people.rule_book
    await book.put("shed-hot", BROKEN, enabled=True, author="lan", comment="x", now=world.clock.now())
    rule = (await lan.get(RULE)).json()
    assert (rule["text"], rule["rule"], rule["severity"], rule["in_force"]) == (BROKEN, None, None, False)


EXPECTED: dict[str, tuple[dict[str, Any], dict[str, str], int]] = {
    "in the body": ({"expected_revision": 1}, {}, 200),
    "in the body, older": ({"expected_revision": 0}, {}, 409),
    "in If-Match": ({}, {"If-Match": '"1"'}, 200),
    "in If-Match, weak": ({}, {"If-Match": 'W/"1"'}, 200),
    "in If-Match, older": ({}, {"If-Match": '"0"'}, 409),
    "in both, alike": ({"expected_revision": 1}, {"If-Match": "1"}, 200),
    "in both, unlike": ({"expected_revision": 1}, {"If-Match": '"2"'}, 422),
    "in If-Match, no number": ({}, {"If-Match": '"abc"'}, 422),
    "negative": ({"expected_revision": -1}, {}, 422),
    "not at all": ({}, {}, 200),
}


@pytest.mark.parametrize(("more", "headers", "status"), EXPECTED.values(), ids=EXPECTED)
async def test_nobody_overwrites_what_they_have_not_seen(
    lan: httpx.AsyncClient, world: World, more: dict[str, Any], headers: dict[str, str], status: int
) -> None:
    await put(lan)
    body = {"text": HOTTER, "comment": "x", **more}
    answer = await lan.put(RULE, json=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert len(world.people.rule_book.rows) == (2 if status == 200 else 1)


async def test_a_broken_rule_is_refused_with_its_line_and_what_was_expected(
    lan: httpx.AsyncClient, world: World
) -> None:
    answer = await put(lan, BROKEN)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["location"] == "body.text:3"
    assert error["message"] == "rule shed-hot: severity: Invalid enum value 'terrible'"
    assert error["expected"] == "critical, major, minor, info"
    assert world.people.rule_book.rows == []


async def test_all_mistakes_of_a_rule_are_told_at_once(lan: httpx.AsyncClient) -> None:
    text = BROKEN.replace("signal: maximum_celsius", "signal: noise").replace("for: 30s", "for: soon")
    for path, method in ((RULE, "PUT"), ("/api/v1/rules/backtest", "POST")):
        answer = await lan.request(method, path, json={"text": text, "comment": "x"})
        assert [error["location"] for error in answer.json()["errors"]] == ["body.text:3", "body.text:6"]


TEXTS = {
    "another rule's id": (HOT.replace("shed-hot", "shed-cold"), "body.text"),
    "no YAML": ("id: [", "body.text:1"),
    "a whole file": (indented(HOT), "body.text:1"),
    "nothing": ("", "body.text"),
    "too long": ("#" * (TEXT_LIMIT + 1), "body.text"),
}


@pytest.mark.parametrize(("text", "place"), TEXTS.values(), ids=TEXTS)
async def test_texts_that_are_not_this_rule(lan: httpx.AsyncClient, world: World, text: str, place: str) -> None:
    answer = await put(lan, text)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["location"].startswith(place), answer.text
    assert world.people.rule_book.rows == []


async def test_a_rule_is_not_kept_without_saying_why(lan: httpx.AsyncClient) -> None:
    assert (await lan.put(RULE, json={"text": HOT})).status_code == 422


@pytest.mark.usefixtures("builtin")
async def test_a_builtin_rule_is_switched_off_and_on(lan: httpx.AsyncClient, world: World) -> None:
    off = (await lan.post(f"{RULE}/disable", json={"comment": "camera away"})).json()
    assert (off["revision"], off["enabled"], off["text"], off["comment"]) == (1, False, HOT, "camera away")
    assert (await lan.post(f"{RULE}/disable")).json() == off
    assert (await lan.get(RULE)).json()["enabled"] is False
    on = (await lan.post(f"{RULE}/enable")).json()
    assert (on["revision"], on["enabled"], on["author"], on["comment"]) == (2, True, "lan", "enabled")


async def test_switching_keeps_to_the_newest_text(lan: httpx.AsyncClient) -> None:
    await put(lan)
    await put(lan, HOTTER)
    assert (await lan.post(f"{RULE}/disable", json={"expected_revision": 1})).status_code == 409
    assert (await lan.post(f"{RULE}/disable", json={"expected_revision": 2})).json()["text"] == HOTTER


@pytest.mark.parametrize(("method", "act"), [("GET", ""), ("POST", "/disable"), ("POST", "/enable")])
async def test_a_rule_that_is_not_there_is_a_404(lan: httpx.AsyncClient, method: str, act: str) -> None:
    answer = await lan.request(method, f"/api/v1/rules/nothing{act}")
    assert (answer.status_code, answer.json()["detail"]) == (404, "no rule nothing")


CHECKED: dict[str, tuple[str, list[str], list[int]]] = {
    "one rule": (HOT, ["shed-hot"], []),
    "a file": (indented(HOT), ["shed-hot"], []),
    "one broken rule": (BROKEN, [], [3]),
    "a broken file": (indented(BROKEN), [], [5]),
    "two mistakes in one file": (
        indented(BROKEN) + "  - " + BROKEN.replace("shed-hot", "other").replace("\n", "\n    ").rstrip() + "\n",
        [],
        [5, 12],
    ),
    "no YAML": ("{", [], [1]),
    "a list": ("- 1", [], [1]),
    "a word": ("rule", [], [1]),
}


@pytest.mark.parametrize(("text", "rules", "lines"), CHECKED.values(), ids=CHECKED)
async def test_checking_says_all_that_is_wrong(
    lan: httpx.AsyncClient, world: World, text: str, rules: list[str], lines: list[int]
) -> None:
    answer = (await lan.post("/api/v1/rules/check", json={"text": text})).json()
    assert (answer["valid"], answer["rules"]) == (not lines, rules)
    assert [problem["line"] for problem in answer["problems"]] == lines
    assert all(re.search("[Ee]xpected", problem["message"]) for problem in answer["problems"])
    assert world.people.rule_book.rows == []
