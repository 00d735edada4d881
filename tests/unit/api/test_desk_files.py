"""The desk's files: served as what they are, nothing from anywhere else, every word in both languages."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api.routes import desk
from emergency import model

PAGES = Path(desk.__file__).parents[1] / "pages"
SCRIPTS = sorted((PAGES / "desk").glob("*.js"))
_SPOKEN: list[dict[str, dict[str, str]]] = [
    json.loads(re.sub(r"^.*?= |;\s*$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL))
    for path in SCRIPTS
    if path.name.startswith("words")
]
WORDS = {language: {key: word for part in _SPOKEN for key, word in part[language].items()} for language in ("zh", "en")}
# Words whose second half comes from the API: a state, a cause, a kind of event.
_STEMS = (
    *("state", "source", "cause", "event", "stamp", "act", "page", "door", "direction", "service_mode", "rescue"),
    *("party", "then", "why"),
)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(desk.router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://anju") as asking:
        yield asking


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/desk", "text/html; charset=utf-8"),
        ("/desk/main.js", "text/javascript; charset=utf-8"),
        ("/desk/voice.js", "text/javascript; charset=utf-8"),
        ("/desk/desk.css", "text/css; charset=utf-8"),
        ("/desk/icon.svg", "image/svg+xml"),
    ],
)
async def test_files_are_served_as_what_they_are(client: httpx.AsyncClient, path: str, kind: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_bare_address_leads_to_the_desk(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "desk")


async def test_a_file_that_has_not_changed_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/desk/main.js")
    again = await client.get("/desk/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["nothing.js", "..%2fvoice.js", "desk.py", ""])
async def test_there_is_nothing_else(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/desk/{name}")
    assert answer.status_code in {404, 307}


def test_both_languages_have_the_same_words_each_once() -> None:
    assert len(WORDS["zh"]) == sum(len(part["zh"]) for part in _SPOKEN)
    assert WORDS["zh"].keys() == WORDS["en"].keys()
    for word, text in WORDS["zh"].items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", WORDS["en"][word])), word


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_word_that_is_used_is_there(script: Path) -> None:
    used = re.findall(r"\bt\('(\w+)'", script.read_text(encoding="utf-8"))
    assert [word for word in used if word not in WORDS["zh"]] == []


def test_every_word_is_used() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in SCRIPTS if not path.name.startswith("words"))
    unused = [word for word in WORDS["zh"] if f"'{word}'" not in text]
    assert [word for word in unused if not word.startswith((*_STEMS, "step_", "voice_", "by_", "passenger_"))] == []


@pytest.mark.parametrize(
    ("stem", "enum"),
    [
        pytest.param("state", "CallState", id="states"),
        pytest.param("source", "Source", id="sources"),
        pytest.param("cause", "Cause", id="causes"),
        pytest.param("event", "EventKind", id="events"),
        pytest.param("page", "PageKind", id="pages"),
    ],
)
def test_everything_that_can_be_said_has_words(stem: str, enum: str) -> None:
    assert {f"{stem}_{member.value}" for member in getattr(model, enum)} <= WORDS["zh"].keys()


def test_nothing_is_fetched_from_elsewhere() -> None:
    for path in [*(PAGES / "desk").iterdir(), PAGES / "voice.js"]:
        found = re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s'\"]*", path.read_text(encoding="utf-8"))
        assert [address for address in found if "www.w3.org" not in address] == [], path.name


def test_the_voice_is_small_enough_for_a_bad_line() -> None:
    assert (PAGES / "voice.js").stat().st_size < 12_000
