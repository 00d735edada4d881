"""Texts that are no YAML, over HTTP: refused with their line wherever a text is taken, and never a fault of ours."""

import json
from collections.abc import Callable

import httpx
import pytest

from api.texts import TEXT_LIMIT
from tests.unit.api.world import World
from tests.unit.hostile_texts import REFUSED, RULE, UNREADABLE

CHECKS = ["/api/v1/rules/check", "/api/v1/plan/check", "/api/v1/emergency-plan/check"]
BACKTEST = "/api/v1/rules/backtest"
KEPT = "/api/v1/rules/shed-hot"
HALVES = {
    "half a pair": (RULE.replace("Hot", "\ud800"), 6),
    "the other half": (RULE.replace("version", "\udfffversion"), 1),
    "both in the wrong order": (RULE.replace("Look", "\udfff\ud800"), 7),
}
NO_YAML = {**UNREADABLE, **HALVES}


async def send(client: httpx.AsyncClient, path: str, **said: object) -> httpx.Response:
    """Send JSON with every character as an escape: as UTF-8 half a pair could not be sent."""
    headers = {"Content-Type": "application/json"}
    method = "PUT" if path == KEPT else "POST"
    return await client.request(method, path, content=json.dumps(said).encode(), headers=headers)


@pytest.mark.parametrize("path", [*CHECKS, BACKTEST, KEPT])
async def test_what_no_yaml_may_hold_is_refused_with_its_line(lan: httpx.AsyncClient, world: World, path: str) -> None:
    for name, (text, line) in NO_YAML.items():
        answer = await send(lan, path, text=text, **({"comment": "mine"} if path == KEPT else {}))
        assert answer.status_code == 422, (name, answer.text)
        (error,) = answer.json()["errors"]
        assert error["location"] == f"body.text:{line}", name
        assert error["expected"] not in ("", "another value"), name
        assert "\0" not in answer.text, name
    assert world.people.rule_book.rows == []


@pytest.mark.parametrize("path", CHECKS)
async def test_checking_tells_what_else_is_hostile(lan: httpx.AsyncClient, path: str) -> None:
    for name, text in REFUSED.items():
        answer = await send(lan, path, text=text)
        if not 0 < len(text) <= TEXT_LIMIT:
            assert answer.status_code == 422, (name, answer.text)
            continue
        assert answer.status_code == 200, (name, answer.text)
        assert answer.json()["valid"] is False, name
        assert all(problem["line"] >= 1 and problem["message"] for problem in answer.json()["problems"]), name


WRONG = {"a NUL": "\0", "half a pair": "\ud800", "control characters": "\x00\x01\x1b[2J", "beyond": "\U0010ffff\0"}
FIELDS: dict[str, tuple[str, Callable[[str], dict[str, object]]]] = {
    "the comment of a rule": (KEPT, lambda wrong: {"text": RULE, "comment": wrong}),
    "the comment of switching": (f"{KEPT}/disable", lambda wrong: {"comment": wrong}),
    "the comment of switching on": (f"{KEPT}/enable", lambda wrong: {"comment": wrong}),
    "the rule of a backtest": (BACKTEST, lambda wrong: {"rule": wrong}),
    "the community of a backtest": (BACKTEST, lambda wrong: {"text": RULE, "community": wrong}),
    "the beginning of a backtest": (BACKTEST, lambda wrong: {"text": RULE, "since": wrong}),
    "the end of a backtest": (BACKTEST, lambda wrong: {"text": RULE, "until": wrong}),
    "a text that is no text": (CHECKS[0], lambda wrong: {"text": [wrong]}),
    "another field": (CHECKS[1], lambda wrong: {wrong: wrong}),
    "a number that is none": (KEPT, lambda wrong: {"text": RULE, "comment": "x", "expected_revision": wrong}),
    "a switch that is none": (KEPT, lambda wrong: {"text": RULE, "comment": "x", "enabled": wrong}),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_no_other_field_takes_such_text(lan: httpx.AsyncClient, world: World, wrong: str) -> None:
    for name, (path, body) in FIELDS.items():
        answer = await send(lan, path, **body(wrong))
        assert answer.status_code == 422, (name, answer.text)
        assert answer.json()["errors"], name
    assert world.people.rule_book.rows == []


async def test_a_body_that_is_no_json_is_refused(lan: httpx.AsyncClient) -> None:
    for path in (*CHECKS, BACKTEST):
        for body in (b"\0", b'{"text": "\0"}', b'{"text": "\xff"}', b'{"text": "\xed\xa0\x80"}', b"\xff\xfe{"):
            answer = await lan.post(path, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code in (400, 422), (path, body, answer.text)
