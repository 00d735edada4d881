"""Every broken rule over HTTP: checking tells its line and what was expected, and keeping it is refused."""

import re

import httpx

from tests.unit.alerts.test_rules_broken import NAMES, expected_of, text_of
from tests.unit.api.world import World

HEAD = "version: 1\nrules:\n  - "


def by_itself(name: str) -> str | None:
    """Return the one rule of a case without the file around it, ``None`` where the file itself is what is wrong."""
    text = text_of(name)
    lines = text.removeprefix(HEAD).splitlines()
    if not text.startswith(HEAD + "id: ") or not all(line.startswith("    ") for line in lines[1:]):
        return None
    return "\n".join([lines[0], *(line.removeprefix("    ") for line in lines[1:])]) + "\n"


SINGLE = [name for name in NAMES if by_itself(name) is not None]


async def test_checking_tells_every_mistake_of_every_file(lan: httpx.AsyncClient) -> None:
    for name in (name for name in NAMES if text_of(name)):
        answer = (await lan.post("/api/v1/rules/check", json={"text": text_of(name)})).json()
        expected = expected_of(name)
        assert not answer["valid"], name
        assert [problem["line"] for problem in answer["problems"]] == [line for line, _ in expected], name
        for problem, (_, text) in zip(answer["problems"], expected, strict=True):
            assert text in problem["message"], name


async def test_no_broken_file_is_kept_or_backtested(lan: httpx.AsyncClient, world: World) -> None:
    for name in NAMES:
        said = {"text": text_of(name), "comment": "mine"}
        assert (await lan.put("/api/v1/rules/shed-hot", json=said)).status_code == 422, name
        assert (await lan.post("/api/v1/rules/backtest", json={"text": text_of(name)})).status_code == 422, name
    assert world.people.rule_book.rows == []


async def test_a_broken_rule_is_refused_with_its_line_and_what_was_expected(
    lan: httpx.AsyncClient, world: World
) -> None:
    assert len(SINGLE) >= 50
    for name in SINGLE:
        answer = await lan.put("/api/v1/rules/shed-hot", json={"text": by_itself(name), "comment": "mine"})
        assert answer.status_code == 422, name
        for error, (line, text) in zip(answer.json()["errors"], expected_of(name), strict=True):
            # The two lines of the file before the rule are not there.
            assert error["location"] == f"body.text:{line - 2}", name
            told = f"{error['message']}: expected {error['expected']}"
            assert all(part.strip() in told for part in re.split("[Ee]xpected|, got", text)), name
            assert not re.search(r"\b[Ee]xpected\b", error["message"] + error["expected"]), name
            assert ".yaml" not in told, name
    assert world.people.rule_book.rows == []
