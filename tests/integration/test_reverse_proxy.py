"""Anju behind the reverse proxies of `deploy/reverse-proxy`: pages, live streams, WebSockets and clients' addresses."""

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import Request
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.limits import BODY_LIMIT_BYTES
from api.voice_exchange import NOT_FOUND
from app.network import listen
from app.parts.server import Server
from app.settings import ApiSettings
from tests.integration.api_server import Listener
from tests.servers.plugin import required_program
from tests.servers.reverse_proxy import Caddy, Nginx, ReverseProxy
from tests.unit.api.world import LIFT, TOKEN, World, application, empty_world

PROXIES: dict[str, type[ReverseProxy]] = {"nginx": Nginx, "caddy": Caddy}
DEADLINE_SECONDS = 20.0
# Another address of this machine than that of the proxy, whom Anju believes.
CLIENT = "127.0.0.2"
PER_ADDRESS = 4
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a throwaway certificate for 127.0.0.1 (server.pem) and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "server.key"]
    name = ["-subj", "/CN=anju", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    command = ["openssl", "req", "-x509", *key, *name, "-out", "server.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@dataclass
class Proxied:
    """Anju and the proxy before it."""

    proxy: ReverseProxy
    world: World
    context: ssl.SSLContext

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.AsyncHTTPTransport(verify=self.context, local_address=CLIENT)
        async with httpx.AsyncClient(base_url=self.proxy.url, transport=transport, timeout=DEADLINE_SECONDS) as client:
            yield client


@pytest.fixture
async def anju() -> AsyncIterator[tuple[int, World]]:
    """The API as it is served for real, and a page of this test that tells who asked."""
    world = empty_world()
    app = application(world)

    async def who(request: Request) -> dict[str, object]:
        return {"host": request.client and request.client.host, "url": str(request.url)}

    app.add_api_route("/who", who)
    with contextlib.closing(listen("127.0.0.1", 0)) as listening:
        settings = ApiSettings(trusted_proxies=["127.0.0.1"], max_connections_per_address=PER_ADDRESS)
        server = Server(app, settings)
        running = asyncio.create_task(server.serve_on([listening]))
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not server.started:
                await asyncio.sleep(0.01)
        yield listening.getsockname()[1], world
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture(params=PROXIES)
def proxied(request: pytest.FixtureRequest, anju: tuple[int, World], certificate: Path) -> Iterator[Proxied]:
    port, world = anju
    context = ssl.create_default_context(cafile=certificate / "server.pem")
    with PROXIES[request.param](required_program(request.param), port, certificate) as proxy:
        yield Proxied(proxy, world, context)


async def test_a_page_comes_over_tls_and_browsers_are_told_to_keep_to_it(proxied: Proxied) -> None:
    async with proxied.client() as client:
        page = await client.get("/desk")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers.get_list("strict-transport-security") == ["max-age=31536000"]


async def test_plain_http_leads_to_tls(proxied: Proxied) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=DEADLINE_SECONDS) as client:
        answer = await client.get(f"http://127.0.0.1:{proxied.proxy.plain_port}/desk")
    assert answer.status_code in (301, 308)
    assert answer.headers["location"].startswith("https://127.0.0.1")


@pytest.mark.parametrize("forged", [{}, {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}], ids=str)
async def test_anju_sees_the_address_and_the_name_that_the_client_has(proxied: Proxied, forged: dict[str, str]) -> None:
    async with proxied.client() as client:
        seen = (await client.get("/who", headers=forged)).json()
    assert seen == {"host": CLIENT, "url": f"{proxied.proxy.url}/who"}


async def test_a_session_of_a_page_is_signed_in_and_kept_for_tls_only(proxied: Proxied) -> None:
    async with proxied.client() as client:
        own = {"Origin": proxied.proxy.url}
        signed_in = await client.post("/api/v1/session", json={"token": TOKEN}, headers=own)
        assert signed_in.status_code < 300, signed_in.text
        assert "secure" in signed_in.headers["set-cookie"].lower()
        elsewhere = {"Origin": "https://elsewhere.example"}
        assert (await client.post("/api/v1/session", json={"token": TOKEN}, headers=elsewhere)).status_code == 403


async def test_a_live_stream_delivers_at_once_and_outlives_the_time_that_a_request_has(proxied: Proxied) -> None:
    async with proxied.client() as client, client.stream("GET", "/api/v1/stream", headers=BEARER) as response:
        assert response.status_code == 200
        stream = Listener(response)
        await stream.begun()
        proxied.world.records.raise_alert(LIFT)
        (first,) = await stream.take(1)
        assert await half_a_request(proxied)
        proxied.world.records.raise_alert(LIFT)
        (second,) = await stream.take(1)
    assert [first.id, second.id] == ["1", "2"]


async def half_a_request(proxied: Proxied) -> bool:
    """Begin a request and return when the proxy has lost its patience."""
    port = proxied.proxy.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=proxied.context)
    writer.write(b"POST /api/v1/session HTTP/1.1\r\nHost: anju\r\nContent-Length: 100\r\n\r\n{")
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(DEADLINE_SECONDS):
            await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()
    return True


async def test_a_page_of_ours_opens_its_websocket_and_one_of_another_site_does_not(proxied: Proxied) -> None:
    address = f"{proxied.proxy.url.replace('https', 'wss')}/api/v1/emergency-calls/none/voice"
    options = {"ssl": proxied.context, "additional_headers": BEARER, "proxy": None, "open_timeout": DEADLINE_SECONDS}
    async with connect(address, origin=proxied.proxy.url, **options) as socket:  # type: ignore[arg-type]
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), DEADLINE_SECONDS)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == NOT_FOUND
    with pytest.raises(InvalidStatus) as refused:
        async with connect(address, origin="https://elsewhere.example", **options):  # type: ignore[arg-type]
            pass
    assert refused.value.response.status_code == 403


async def test_anju_itself_refuses_what_is_too_long_and_the_proxy_what_is_far_too_long(proxied: Proxied) -> None:
    async with proxied.client() as client:
        answer = await client.post("/api/v1/session", content=b"x" * (BODY_LIMIT_BYTES + 1))
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
        # Caddy finds out only while it passes the body on.
        assert (await client.post("/api/v1/session", content=b"x" * (2 * 1024 * 1024))).status_code in (413, 502)


async def test_streams_of_clients_that_have_gone_take_no_places(proxied: Proxied) -> None:
    async with proxied.client() as client:
        for _ in range(2 * PER_ADDRESS):
            # Less than the 15 s after which a comment would find out that nobody listens.
            async with asyncio.timeout(10):
                while not await a_stream_begins(client):
                    await asyncio.sleep(0.05)


async def a_stream_begins(client: httpx.AsyncClient) -> bool:
    """Begin a stream and leave it; return whether there was a place for it."""
    async with client.stream("GET", "/api/v1/stream", headers=BEARER) as response:
        if response.status_code == 200:
            await Listener(response).begun()
        return response.status_code == 200
