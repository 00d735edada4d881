"""The small property app of the guide, cut out of its page and run against the API; and every request beside it."""

import asyncio
import contextlib
import os
import re
import shlex
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.feed import Feed
from emergency.model import EventKind
from tests.integration.api_server import Running, running
from tests.unit.api.world import TOKEN, World, application, empty_world

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "property-app.md"
LIFT = "willow-court/elevator/lift-3"
CALLS = "/api/v1/emergency-calls"
DUTY = "token-of-duty"
_SCRIPT = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def world() -> World:
    world = empty_world()
    world.tokens.known[DUTY] = "duty"
    return world


@pytest.fixture
async def server(world: World) -> AsyncIterator[Running]:
    async with running(application(world)) as started:
        yield started


@pytest.fixture
async def duty(server: Running) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody in the duty room."""
    headers = {"Authorization": f"Bearer {DUTY}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
        yield client


@pytest.fixture
def script(tmp_path: Path) -> Path:
    [text] = _SCRIPT.findall(GUIDE.read_text(encoding="utf-8"))
    path = tmp_path / "property_app.py"
    path.write_text(text, encoding="utf-8")
    return path


class App:
    """The app of the guide while it runs."""

    def __init__(self, started: asyncio.subprocess.Process) -> None:
        assert started.stdout is not None
        self._lines = started.stdout
        self.started = started

    async def next_word(self) -> str:
        """Return the first word of the next line."""
        return (await self._lines.readline()).decode().split()[0]

    async def shows(self, *words: str) -> None:
        """Wait for the next line, which begins with ``words``."""
        async with asyncio.timeout(20):
            line = (await self._lines.readline()).decode().split()
        assert line[: len(words)] == list(words)

    async def ended(self) -> int:
        async with asyncio.timeout(20):
            return await self.started.wait()


@contextlib.asynccontextmanager
async def app_running(script: Path, url: str, lift: str = LIFT, token: str = TOKEN) -> AsyncIterator[App]:
    environment = {**os.environ, "ANJU_URL": url, "ANJU_TOKEN": token}
    pipe = asyncio.subprocess.PIPE
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", str(script), lift, stdout=pipe, stderr=pipe, env=environment
    )
    try:
        yield App(started)
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.kill()
        await started.communicate()


async def do(duty: httpx.AsyncClient, act: str, body: dict[str, Any] | None = None) -> None:
    [call] = (await duty.get(CALLS)).json()["items"]
    answer = await duty.post(f"{CALLS}/{call['id']}/{act}", json=body)
    assert answer.status_code == 200, answer.text


async def test_the_app_shows_who_comes_until_the_call_is_closed(
    server: Running, duty: httpx.AsyncClient, script: Path
) -> None:
    async with app_running(script, server.url) as app:
        await app.shows("raised", "lan")
        await app.shows("step_told", "property")
        await do(duty, "answer")
        await app.shows("answered", "duty")
        await do(duty, "dispatch", {"name": "wang"})
        await app.shows("dispatched", "wang")
        await do(duty, "on-the-way", {"name": "wang", "arrives_in": "8m"})
        await app.shows("on_the_way", "wang", "there", "at", "2026-08-14T07:10:26+00:00")
        await do(duty, "on-site")
        await app.shows("on_site", "wang")
        await do(duty, "freed", {"people": 1})
        await app.shows("freed", "duty")
        await do(duty, "close", {"cause": "door_system"})
        await app.shows("closed", "duty")
        assert await app.ended() == 0
    [call] = (await duty.get(CALLS)).json()["items"]
    assert (call["source"], call["place"]["lift"], call["state"]) == ("app", LIFT, "closed")


async def test_the_app_raises_one_call_through_an_outage_and_says_whom_to_dial(
    server: Running, duty: httpx.AsyncClient, script: Path, world: World
) -> None:
    world.tokens.away = True
    async with app_running(script, server.url) as app:
        await app.shows("no", "answer", "yet:", "dial")
        world.tokens.away = False
        async with asyncio.timeout(20):
            while await app.next_word() != "raised":
                pass
    assert len((await duty.get(CALLS)).json()["items"]) == 1


async def test_the_app_goes_on_after_a_broken_line(
    server: Running, duty: httpx.AsyncClient, script: Path, world: World
) -> None:
    async with app_running(script, server.url) as app:
        await app.shows("raised")
        await app.shows("step_told")
        feed: Feed = server.server.application.state.call_feed
        await do(duty, "answer")
        await app.shows("answered")
        feed.close()
        await do(duty, "note", {"text": "while nobody listened"})
        server.server.application.state.call_feed = Feed(feed.source)
        await app.shows("noted")


async def test_a_token_that_was_revoked_is_said_at_once(server: Running, script: Path) -> None:
    async with app_running(script, server.url, token="nobody") as app:
        assert await app.ended() == 1


def test_the_app_is_as_small_as_the_guide_says() -> None:
    [text] = _SCRIPT.findall(GUIDE.read_text(encoding="utf-8"))
    code = [line for line in text.splitlines() if line.strip() and not line.startswith(("import", '"""'))]
    assert len(code) <= 40


async def test_every_request_of_the_guide_works_as_it_stands(server: Running) -> None:
    names = {"KEY": "tap-1"}
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    asked = 0
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1", headers=headers) as client:
        for command in _requests():
            path, options = _read(command, names)
            asked += 1
            if "stream" in path:
                async with client.stream("GET", path) as answer:
                    assert answer.status_code == 200
                continue
            answer = await client.request(
                options.get("-X", "POST" if "-d" in options else "GET"),
                path,
                headers=_header(options),
                content=options.get("-d"),
            )
            assert answer.status_code < 300, answer.text
            if asked == 1:
                names |= {"CALL": answer.json()["id"], "NUMBER": "1"}
    assert asked == 7


def test_the_guide_names_only_events_that_there_are() -> None:
    rows = [line.split("|")[1] for line in GUIDE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    named = set(re.findall(r"`(\w+)`", "".join(rows)))
    assert named <= {kind.value for kind in EventKind}
    assert len(named) > 10


def _requests() -> list[str]:
    text = GUIDE.read_text(encoding="utf-8")
    return [
        one
        for block in _SHELL.findall(text)
        for one in re.findall(r"^api \".*?(?=^api |\Z)", block, re.MULTILINE | re.DOTALL)
    ]


def _read(command: str, names: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Return what ``curl`` would send, with the names of the shell filled in."""
    filled = re.sub(r"\$([A-Z]+)", lambda found: names[found[1]], command)
    _, path, *options = [word for word in shlex.split(filled) if word != "-N"]
    return path, dict(zip(options[::2], options[1::2], strict=True))


def _header(options: dict[str, str]) -> dict[str, str]:
    name, _, value = options.get("-H", "").partition(": ")
    return {name: value} if name else {}
