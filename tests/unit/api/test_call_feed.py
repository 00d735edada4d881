"""The live stream of calls: each event once, narrowed by where and what, from the place a client has come to."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from api.app import close_streams
from api.feed import Feed
from api.stream import Wanted, follow
from tests.unit.api.calling import CALLED
from tests.unit.api.test_emergency_calls import done, raise_call
from tests.unit.api.world import World


async def _taken(pieces: AsyncIterator[bytes], count: int) -> list[dict[str, object]]:
    """Return the first ``count`` events, whatever pieces they come in."""
    found: list[dict[str, object]] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            lines = (await anext(pieces)).decode().splitlines()
            found += [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    return found


async def _ended() -> None:
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "api.feed"))


async def test_the_stream_tells_what_happens_to_calls(lan: httpx.AsyncClient, app: FastAPI) -> None:
    feed: Feed = app.state.call_feed
    with feed.listening():
        pieces = follow(feed, 0, Wanted())
        call_id = (await raise_call(lan)).json()["id"]
        await done(lan, call_id, "answer")
        events = await _taken(pieces, 3)
    assert [(one["number"], one["call"], one["kind"]) for one in events] == [
        (1, call_id, "raised"), (2, call_id, "step_told"), (3, call_id, "answered"),
    ]  # fmt: skip
    await _ended()


WANTED = {
    "another community": (Wanted(community="anyang"), 2),
    "another call": (Wanted(call="second"), 2),
    "drills": (Wanted(drill=True), 0),
    "no drills": (Wanted(drill=False), 4),
}


@pytest.mark.parametrize(("wanted", "count"), WANTED.values(), ids=WANTED)
async def test_the_stream_is_narrowed(
    lan: httpx.AsyncClient, app: FastAPI, world: World, wanted: Wanted, count: int
) -> None:
    await raise_call(lan, lift=CALLED)
    second = (await raise_call(lan, lift="anyang/elevator/lift-1")).json()["id"]
    if wanted.call:
        wanted = Wanted(call=second)
    frames = await app.state.call_feed.source.frames(0, 10)
    assert len([frame for frame in frames if wanted.matches(frame)]) == count


async def test_closing_ends_both_streams(app: FastAPI) -> None:
    close_streams(app)
    assert (app.state.feed.closed, app.state.call_feed.closed) == (True, True)
