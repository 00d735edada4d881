"""The live stream through a real server: nothing lost, nothing twice, whatever clients do."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from api.feed import WINDOW
from core.devices import DeviceKey, DeviceKind
from core.errors import TemporaryError
from tests.integration.api_server import Event, Running, listening, running
from tests.unit.api.world import LIFT, WRONG, World, application, empty_world

GATE = DeviceKey("heping", DeviceKind.GATE, "gate-1")


@pytest.fixture
def world() -> World:
    return empty_world()


@pytest.fixture
async def server(world: World) -> AsyncIterator[Running]:
    async with running(application(world)) as started:
        yield started


def _sequences(events: list[Event]) -> list[int]:
    for event in events:
        assert (event.event, event.id) == ("transition", str(event.body["sequence"]))
    return [event.body["sequence"] for event in events]


def _raise(world: World, count: int, device: DeviceKey = LIFT) -> None:
    for _ in range(count):
        world.records.raise_alert(device)


async def test_a_stream_begins_now_and_tells_what_happens(server: Running, world: World) -> None:
    _raise(world, 2)
    async with listening(server.url) as stream:
        assert stream.last_id == "2"
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        _raise(world, 1)
        [event] = await stream.take(1)
    assert event.id == "3"
    assert event.body["alert_id"] == "alert3"
    assert event.body["device"]["path"] == "xingfu/elevator/lift-1"
    assert event.body["reason"]["zh"]
    assert event.body["at"].endswith("Z")


@pytest.mark.parametrize("headers", [{}, WRONG], ids=["none", "wrong"])
async def test_a_stream_needs_a_token(server: Running, headers: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
        assert (await client.get("/api/v1/stream")).status_code == 401


async def test_coming_again_loses_nothing_and_repeats_nothing(server: Running, world: World) -> None:
    seen: list[int] = []
    last_id: str | None = None
    for _ in range(4):
        async with listening(server.url, last_id=last_id) as stream:
            _raise(world, 5)
            seen += _sequences(await stream.take(3))
            last_id = stream.last_id
        _raise(world, 2)
    async with listening(server.url, last_id=last_id) as stream:
        seen += _sequences(await stream.take(28 - len(seen)))
    assert seen == list(range(1, 29))


async def test_a_client_that_has_seen_nothing_yet_resumes_where_it_began(server: Running, world: World) -> None:
    async with listening(server.url) as stream:
        last_id = stream.last_id
    _raise(world, 2)
    async with listening(server.url, last_id=last_id) as stream:
        assert _sequences(await stream.take(2)) == [1, 2]


async def test_after_in_the_query_does_the_same_and_the_header_goes_before_it(server: Running, world: World) -> None:
    _raise(world, 5)
    async with listening(server.url, after=3) as stream:
        assert _sequences(await stream.take(2)) == [4, 5]
    async with listening(server.url, last_id="4", after=0) as stream:
        assert _sequences(await stream.take(1)) == [5]


async def test_an_id_from_the_future_begins_now(server: Running, world: World) -> None:
    async with listening(server.url, last_id="999") as stream:
        _raise(world, 1)
        assert _sequences(await stream.take(1)) == [1]


async def test_filters_leave_out_what_others_see(server: Running, world: World) -> None:
    async with (
        listening(server.url, community="heping") as heping,
        listening(server.url, kind="elevator") as lifts,
        listening(server.url) as everything,
    ):
        _raise(world, 2)
        _raise(world, 1, GATE)
        assert _sequences(await everything.take(3)) == [1, 2, 3]
        assert _sequences(await lifts.take(2)) == [1, 2]
        assert _sequences(await heping.take(1)) == [3]


async def test_many_clients_are_served_by_one_reader(server: Running, world: World) -> None:
    async with listening(server.url) as first, listening(server.url) as second:
        for _ in range(20):
            _raise(world, 1)
            assert _sequences(await first.take(1)) == _sequences(await second.take(1))
        tasks = [task for task in asyncio.all_tasks() if task.get_name() == "api.feed"]
    assert len(tasks) == 1


async def test_a_slow_client_gets_everything_and_holds_nobody_up(world: World) -> None:
    count = 3 * WINDOW
    async with running(application(world), send_buffer_bytes=16_384) as server:
        reader, writer = await _slow_client(server.url)
        async with listening(server.url) as quick:
            _raise(world, count)
            assert _sequences(await quick.take(count)) == list(range(1, count + 1))
        seen: list[int] = []
        async with asyncio.timeout(20):
            while len(seen) < count:
                line = await reader.readline()
                if line.startswith(b'data: {"sequence":'):
                    seen.append(int(line.split(b":")[2].split(b",")[0]))
        assert seen == list(range(1, count + 1))
        # It did fall behind what is kept for everybody, and read on its own from where it was.
        assert world.records.reads_of_transitions != sorted(world.records.reads_of_transitions)
        writer.close()
        await writer.wait_closed()


async def _slow_client(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a stream, read its beginning and then nothing: its buffer of 4 KiB is full at once."""
    port = int(url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4_096)
    writer.write(b"GET /api/v1/stream HTTP/1.1\r\nHost: anju\r\nAuthorization: Bearer token-of-lan\r\n\r\n")
    await reader.readuntil(b"id: 0\n\n")
    return reader, writer


async def test_a_client_that_leaves_is_forgotten_at_once(server: Running, world: World) -> None:
    async with listening(server.url) as stream:
        _raise(world, 1)
        await stream.take(1)
        [following] = [task for task in asyncio.all_tasks() if task.get_name() == "api.feed"]
    # Nobody listens any more: the reading of the records ends, and begins anew with the next client.
    await asyncio.wait_for(following, 5)
    _raise(world, 1)
    async with listening(server.url, last_id="1") as stream:
        assert _sequences(await stream.take(1)) == [2]


async def test_stopping_ends_open_streams_cleanly(world: World) -> None:
    async with running(application(world)) as server, listening(server.url) as stream:
        server.server.should_exit = True
        assert [line for line in await stream.ended() if line] == []
        await asyncio.wait_for(server.serving, 5)


async def test_records_that_go_away_and_come_back_lose_nothing(server: Running, world: World) -> None:
    async with listening(server.url) as stream:
        _raise(world, 1)
        await stream.take(1)
        world.records.failure = TemporaryError("records database: connection refused")
        _raise(world, 2)
        await asyncio.wait_for(world.records.failed.wait(), 5)
        world.records.failure = None
        _raise(world, 1)
        assert _sequences(await stream.take(3)) == [2, 3, 4]


async def test_what_people_do_comes_through_the_stream_too(server: Running, world: World) -> None:
    _raise(world, 1)
    headers = {"Authorization": "Bearer token-of-lan"}
    async with listening(server.url) as stream, httpx.AsyncClient(base_url=server.url, headers=headers) as client:
        await client.post("/api/v1/alerts/alert1/acknowledge")
        [event] = await stream.take(1)
    assert (event.body["kind"], event.body["actor"]) == ("acknowledged", "lan")
