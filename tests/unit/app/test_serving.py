"""Around the gate: trusted proxies, requests of one client, repeated log lines, descriptors."""

import asyncio
import logging
import resource
from collections.abc import Iterator
from typing import BinaryIO

import pytest
from starlette.types import Message, Receive, Scope, Send

from app import descriptors
from app.serving.client_limit import ClientLimit
from app.serving.proxies import TrustedProxies
from app.serving.repeated import Repeated
from app.settings import ApiSettings


@pytest.mark.parametrize(
    ("networks", "host", "trusted"),
    [
        (["127.0.0.1", "::1"], "127.0.0.1", True),
        (["127.0.0.1", "::1"], "127.0.0.2", False),
        (["10.0.0.0/8"], "10.1.2.3", True),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["10.0.0.0/8"], "11.1.2.3", False),
        (["fd00::/8"], "fd00::5%eth0", True),
        (["*"], "203.0.113.9", True),
        (["unix:/run/proxy"], "203.0.113.9", False),
        ([], "127.0.0.1", False),
        (["10.0.0.0/8"], "", False),
    ],
)
def test_a_proxy_is_trusted_by_its_address(networks: list[str], host: str, trusted: bool) -> None:
    assert TrustedProxies(networks).include(host) is trusted


def test_proxies_come_from_the_setting_or_the_servers_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    assert ApiSettings().proxies == ["127.0.0.1", "::1"]
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.0.0.5, 10.0.0.6")
    assert ApiSettings().proxies == ["10.0.0.5", "10.0.0.6"]
    assert ApiSettings(trusted_proxies=[]).proxies == []


def test_a_proxy_that_is_no_address_is_refused_with_what_was_expected() -> None:
    with pytest.raises(ValueError, match=r"'proxy' is no address; expected one such as 10\.0\.0\.5"):
        ApiSettings(trusted_proxies=["proxy"])


class Application:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.entered = 0
        self.answer = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.entered += 1
        await self.answer.wait()


def http(host: str) -> Scope:
    return {"type": "http", "client": (host, 1), "path": "/", "method": "GET", "headers": [], "query_string": b""}


async def asked(limit: ClientLimit, scope: Scope) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await limit(scope, receive, send)
    return sent


async def test_a_client_with_its_fill_of_open_requests_is_refused_and_others_are_not() -> None:
    application = Application()
    limit = ClientLimit(application, 2, lambda host: host == "10.0.0.1")
    hosts = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "10.0.0.1", "10.0.0.1", "10.0.0.1"]
    async with asyncio.TaskGroup() as group:
        for host in hosts:
            group.create_task(asked(limit, http(host)))
        while application.entered < len(hosts):
            await asyncio.sleep(0)
        start, body = await asked(limit, http("192.0.2.1"))
        assert start["status"] == 429
        assert b"urn:anju:problem:too-many-requests" in body["body"]
        [closed] = await asked(limit, {**http("192.0.2.1"), "type": "websocket"})
        assert (closed["type"], closed["code"]) == ("websocket.close", 1013)
        application.answer.set()
    assert await asked(limit, http("192.0.2.1")) == []
    assert limit.refused == 2


def _record(message: str) -> logging.LogRecord:
    return logging.LogRecord("uvicorn.error", logging.WARNING, "", 0, message, (), None)


def test_a_repeated_line_is_written_once_a_minute_with_how_many_were_left_out() -> None:
    now = 0.0
    kept = Repeated(60, lambda: now)
    assert [kept.filter(_record("invalid")) for _ in range(1_000)] == [True] + [False] * 999
    assert kept.filter(_record("another"))
    now = 60.0
    record = _record("invalid")
    assert kept.filter(record)
    assert record.getMessage() == "invalid (999 more like this since the last line)"


@pytest.fixture
def few_descriptors() -> Iterator[int]:
    """A soft limit of 512 while the test runs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    yield 512
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_http_server_leaves_a_reserve_to_everything_else(few_descriptors: int) -> None:
    assert descriptors.http_share(1_000) == few_descriptors - descriptors.RESERVE
    assert descriptors.http_share(50) == 50


def test_the_limit_is_raised_towards_the_hard_one(few_descriptors: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert descriptors.raise_limit() == descriptors.limit()
    assert few_descriptors < descriptors.limit() <= (hard if hard != resource.RLIM_INFINITY else 65_536)


def _open_one_more(opened: list[BinaryIO]) -> bool:
    try:
        opened.append(open("/dev/null", "rb"))  # noqa: SIM115 - held open together
    except OSError:
        return False
    return True


def test_descriptors_that_are_nearly_used_up_are_told_of(few_descriptors: int) -> None:
    assert descriptors.shortage() == ""
    opened: list[BinaryIO] = []
    try:
        while not descriptors.shortage():
            assert _open_one_more(opened)
        assert f"of {few_descriptors} file descriptors are open" in descriptors.shortage()
        while _open_one_more(opened):
            pass
        assert "nearly all" in descriptors.shortage()
    finally:
        for file in opened:
            file.close()
