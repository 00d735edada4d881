"""The HTTP server's limits on real sockets: half-open, slow and stalled clients; streams and WebSockets live on."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect

from app.network import listen
from app.parts.server import Server
from app.settings import ApiSettings
from tests.integration.api_server import listening
from tests.unit.api.world import LIFT, World, application, empty_world

DEADLINE_SECONDS = 20.0
TIMEOUT_SECONDS = 1.0
PER_ADDRESS = 4
BIG_BYTES = 8 * 1024 * 1024
HALF = b"GET /healthz HTTP/1.1\r\nHost: anju\r\n"
WHOLE = HALF + b"\r\n"
CHUNKED = HALF + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"GET /echo HTTP/1.1\r\nHost: anju\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
SLOW_BODY = b"POST /api/v1/session HTTP/1.1\r\nHost: anju\r\nContent-Length: 100\r\n\r\n{"


@dataclass
class Served:
    """A server on a port of its own."""

    port: int
    server: Server
    world: World
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def open(self, sent: bytes = b"", host: str = "127.0.0.2") -> "Client":
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(host, 0))
        self.writers.append(writer)
        writer.write(sent)
        return Client(reader, writer)

    async def status(self, host: str) -> int:
        """Ask once over a new connection."""
        client = await self.open(WHOLE, host)
        line = await asyncio.wait_for(client.reader.readline(), DEADLINE_SECONDS)
        client.writer.close()
        return int(line.split()[1])


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def rest(self) -> bytes:
        """Return what comes until the server ends the connection, however it does."""
        received = b""
        with contextlib.suppress(ConnectionError):
            while piece := await asyncio.wait_for(self.reader.read(65_536), DEADLINE_SECONDS):
                received += piece
        return received


async def until(condition: Callable[[], object], what: str) -> None:
    end = asyncio.get_running_loop().time() + DEADLINE_SECONDS
    while not condition():
        assert asyncio.get_running_loop().time() < end, what
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def serving(**limits: float) -> AsyncIterator[Served]:
    world = empty_world()
    app = application(world)

    async def big(_request: object) -> PlainTextResponse:
        return PlainTextResponse("x" * BIG_BYTES)

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)

    async def never(_request: object) -> PlainTextResponse:
        await asyncio.Event().wait()
        raise AssertionError("an event that nobody sets was set")

    app.add_route("/big", big)
    app.add_route("/never", never)
    app.add_api_websocket_route("/echo", echo)
    timeouts = {f"{name}_timeout_seconds": TIMEOUT_SECONDS for name in ("header", "body", "write")}
    settings = ApiSettings.model_validate({"max_connections_per_address": PER_ADDRESS, **timeouts, **limits})
    listening_socket = listen("127.0.0.1", 0)
    server = Server(app, settings)
    running = asyncio.create_task(server.serve_on([listening_socket]))
    try:
        await until(lambda: server.started, "the server has not started")
        served = Served(listening_socket.getsockname()[1], server, world)
        try:
            yield served
        finally:
            for writer in served.writers:
                writer.close()
            await asyncio.gather(*(writer.wait_closed() for writer in served.writers), return_exceptions=True)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        listening_socket.close()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as started:
        yield started


@pytest.mark.parametrize("sent", [b"", HALF, SLOW_BODY], ids=["nothing", "half a header", "half a body"])
async def test_a_request_that_is_not_completed_in_time_is_closed(served: Served, sent: bytes) -> None:
    began = asyncio.get_running_loop().time()
    client = await served.open(sent)
    await client.rest()
    assert asyncio.get_running_loop().time() - began >= TIMEOUT_SECONDS
    assert served.server.gate.stats.timed_out == 1
    await until(lambda: served.server.gate.open == 0, "a place is still taken")


async def test_a_header_that_comes_byte_by_byte_is_closed_all_the_same(served: Served) -> None:
    client = await served.open(HALF + b"X-Slow: ")
    ended = asyncio.create_task(client.rest())
    while not ended.done():
        with contextlib.suppress(ConnectionError):
            client.writer.write(b"a")
        await asyncio.sleep(0.05)
    assert served.server.gate.stats.timed_out == 1


async def test_an_address_with_its_fill_of_half_open_connections_locks_out_neither_others_nor_itself(
    served: Served,
) -> None:
    for _ in range(10 * PER_ADDRESS):
        await served.open(HALF)
    await until(lambda: served.server.gate.stats.evicted, "nobody gave way")
    assert served.server.gate.open <= PER_ADDRESS
    assert await served.status("127.0.0.3") == 200
    assert await served.status("127.0.0.2") == 200


async def test_an_address_whose_places_are_all_streams_is_refused_and_others_are_not(served: Served) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(PER_ADDRESS):
            socket_2 = socket.create_connection(("127.0.0.1", served.port), source_address=("127.0.0.2", 0))
            stream = await stack.enter_async_context(connect(f"ws://127.0.0.1:{served.port}/echo", sock=socket_2))
            await stream.send("first")
        assert await served.status("127.0.0.2") == 503
        assert await served.status("127.0.0.3") == 200
        assert served.server.gate.stats.refused == 1
    await until(lambda: served.server.gate.open == 0, "a WebSocket keeps its place")


async def test_clients_behind_a_trusted_proxy_are_limited_one_by_one() -> None:
    async with serving(max_connections_per_address=PER_ADDRESS) as served, contextlib.AsyncExitStack() as stack:
        named = {"X-Forwarded-For": "203.0.113.9"}
        url = f"ws://127.0.0.1:{served.port}/echo"
        for _ in range(PER_ADDRESS):
            stream = await stack.enter_async_context(connect(url, additional_headers=named))
            await stream.send("first")
            assert await stream.recv() == "first"
        asked = HALF + b"X-Forwarded-For: %s\r\n\r\n"
        first = await served.open(asked % b"203.0.113.9", "127.0.0.1")
        second = await served.open(asked % b"203.0.113.10", "127.0.0.1")
        assert b" 429 " in await first.reader.readline()
        assert b" 200 " in await second.reader.readline()


async def test_live_streams_and_websockets_outlive_every_time_out(served: Served) -> None:
    url = f"http://127.0.0.1:{served.port}"
    async with listening(url) as stream, connect(f"ws://127.0.0.1:{served.port}/echo") as websocket:
        await asyncio.sleep(3 * TIMEOUT_SECONDS + 1)  # The time that has to pass is what is tested.
        await websocket.send("still here")
        assert await websocket.recv() == "still here"
        served.world.records.raise_alert(LIFT)
        [event] = await stream.take(1)
        assert event.event == "transition"


async def test_a_client_that_does_not_read_its_answer_is_cut_off(served: Served) -> None:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.connect(("127.0.0.1", served.port))
    client.sendall(b"GET /big HTTP/1.1\r\nHost: anju\r\n\r\n")
    await until(lambda: served.server.gate.stats.stalled == 1, "it was not cut off")
    assert served.server.gate.open == 0
    client.close()


async def test_a_client_that_reads_slowly_gets_its_whole_answer() -> None:
    async with serving(write_timeout_seconds=2.5) as served:
        client = await served.open(b"GET /big HTTP/1.1\r\nHost: anju\r\nConnection: close\r\n\r\n")
        began, received = asyncio.get_running_loop().time(), 0
        while piece := await client.reader.read(64 * 1024):
            received += len(piece)
            await asyncio.sleep(0.05)
        assert received > BIG_BYTES
        assert asyncio.get_running_loop().time() - began > 5
        assert served.server.gate.stats.stalled == 0


@pytest.mark.parametrize(
    "sent",
    [
        UPGRADE.replace(b"GET", b"POST") + b"\r\n",
        UPGRADE + b"X-One-More: 1\r\n" * 200 + b"\r\n",
        UPGRADE + b"X-Long: " + b"a" * 10_000 + b"\r\n\r\n",
        UPGRADE + b"Content-Length: 5\r\n\r\n",
    ],
    ids=["another method", "many headers", "a long header", "a body"],
)
async def test_a_handshake_that_is_none_keeps_no_place(served: Served, sent: bytes) -> None:
    client = await served.open(sent)
    assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
    await until(lambda: served.server.gate.open == 0, "a place is still taken")


HANDSHAKE = UPGRADE + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
MASK = b"\x00" * 4
PING = b"\x89\xfd" + MASK + b"x" * 125
NOTHING_MORE_TO_COME = b"\x00\x80" + MASK


@pytest.mark.parametrize(
    ("first", "again"),
    [(b"", PING), (b"\x01\x80" + MASK, NOTHING_MORE_TO_COME)],
    ids=["pings whose answers nobody reads", "fragments of a message without end"],
)
async def test_a_flood_of_frames_ends_its_connection(served: Served, first: bytes, again: bytes) -> None:
    client = await served.open(HANDSHAKE)
    await client.reader.readuntil(b"\r\n\r\n")
    client.writer.write(first + again * 20_000)
    async with asyncio.timeout(10):  # Sooner than uvicorn misses an answer to a ping of its own.
        await client.rest()
    assert await served.status("127.0.0.3") == 200
    await until(lambda: served.server.gate.open <= 1, "a place is still taken")


async def test_a_websocket_that_was_closed_and_does_not_go_gives_way(served: Served) -> None:
    for _ in range(PER_ADDRESS):
        client = await served.open(HANDSHAKE.replace(b"/echo", b"/c/no-code/calls/no-call/voice"))
        await client.reader.readuntil(b"there is no such call")
    assert served.server.gate.open == PER_ADDRESS
    assert await served.status("127.0.0.2") == 200


async def test_a_page_that_pings_now_and_then_keeps_its_place(served: Served) -> None:
    client = await served.open(HANDSHAKE)
    await client.reader.readuntil(b"\r\n\r\n")
    client.writer.write(PING * 500)
    assert (
        await asyncio.wait_for(client.reader.readexactly(500 * 127), DEADLINE_SECONDS)
        == b"\x8a\x7d".ljust(127, b"x") * 500
    )


async def test_descriptors_that_run_out_end_nothing_and_are_told_of(served: Served) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    waiting = await served.open(HALF, "127.0.0.4")
    client = socket.socket()
    client.setblocking(False)
    resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 1, hard))
    try:
        with contextlib.suppress(BlockingIOError):
            client.connect(("127.0.0.1", served.port))
        await until(
            lambda: "no file descriptor" in served.server.problems().get("descriptors", ""), "no shortage is told of"
        )
        # The half-open connection made way, so the newcomer is served without anybody's help.
        await asyncio.get_running_loop().sock_sendall(client, WHOLE)
        answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 1_000), DEADLINE_SECONDS)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        client.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert served.server.figures()["http_accept_failures_total"] >= 1
    await waiting.rest()


async def test_garbage_fills_no_log(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(50):
        client = await served.open(b"\x16\x03\x01 this is no HTTP\r\n\r\n", "127.0.0.1")
        assert b" 400 " in await client.rest()
    assert len(caplog.records) <= 1


async def test_garbage_behind_an_answered_request_fills_no_log(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(20):
        client = await served.open(CHUNKED, "127.0.0.1")
        assert b" 200 " in await client.reader.readline()
        client.writer.write(b"this is no chunk\r\n" * 10)
        await client.rest()
    assert len(caplog.records) <= 1


async def test_a_body_in_pieces_of_one_byte_is_ended_and_delays_nobody(served: Served) -> None:
    pieces = CHUNKED.replace(b"GET /healthz", b"POST /api/v1/session") + b"1\r\nx\r\n" * 200_000
    began = asyncio.get_running_loop().time()
    client = await served.open(pieces)
    assert await served.status("127.0.0.3") == 200
    await client.rest()
    assert asyncio.get_running_loop().time() - began < 2.5
    await until(lambda: served.server.gate.open <= 1, "a place is still taken")


async def test_a_body_in_a_thousand_pieces_is_taken(served: Served) -> None:
    head = CHUNKED.replace(b"GET /healthz", b"POST /api/v1/session").replace(b"Host", b"Connection: close\r\nHost")
    client = await served.open(head + b"1\r\n \r\n" * 1_000 + b"0\r\n\r\n")
    assert (await client.rest()).startswith(b"HTTP/1.1 422 ")


async def test_a_request_that_a_stop_cancels_is_answered_503(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(WHOLE.replace(b"/healthz", b"/never"))
        await until(lambda: served.server.server_state.tasks, "the request has not begun")
    answer = await Client(reader, writer).rest()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"urn:anju:problem:service-unavailable" in answer
    assert [record for record in caplog.records if record.exc_info] == []
