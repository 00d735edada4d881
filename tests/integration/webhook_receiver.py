"""A real HTTP server that takes webhooks: it answers, refuses, stalls, hangs up as it is told, and keeps what came."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from alerts.notify.signature import sign

SECRET = "correct horse battery staple"


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["anju-id"]

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document

    def is_signed(self, secret: str = SECRET) -> bool:
        expected = sign(secret, int(self.headers["anju-timestamp"]), self.body)
        return self.headers["anju-signature"] == expected


@dataclass
class Answer:
    """What the server does with a request; ``stall`` never answers, ``cut`` hangs up in the middle of the answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    stall: bool = False
    cut: bool = False


class WebhookReceiver:
    """Answers by ``script`` first, then by ``answer``; `stop` and `start` keep the port."""

    def __init__(self, answer: Callable[[Request], Answer] | None = None) -> None:
        self.requests: list[Request] = []
        self.script: list[Answer] = []
        self.answer = answer or (lambda _request: Answer())
        self.came = asyncio.Condition()
        self.open_at_once = self.most_open_at_once = 0
        self._port = 0
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/hook"

    async def start(self) -> Self:
        listening = socket.create_server(("127.0.0.1", self._port))
        self._port = listening.getsockname()[1]
        self._server = await asyncio.start_server(self._serve, sock=listening)
        return self

    async def stop(self) -> None:
        """Be dead: no connection is taken, and those there are break."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._connections):
                writer.transport.abort()
            await self._server.wait_closed()
            await asyncio.gather(*filter(None, self._connections.values()), return_exceptions=True)
        self._server = None

    async def until(self, count: int, seconds: float = 10.0) -> list[Request]:
        """Return what came, as soon as that is ``count`` requests."""
        async with asyncio.timeout(seconds), self.came:
            await self.came.wait_for(lambda: len(self.requests) >= count)
        return self.requests

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections[writer] = asyncio.current_task()
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._take(reader, writer):
                pass
        self._connections.pop(writer, None)
        writer.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await _read(reader)
        async with self.came:
            self.requests.append(request)
            self.came.notify_all()
        answer = self.script.pop(0) if self.script else self.answer(request)
        self.open_at_once += 1
        self.most_open_at_once = max(self.most_open_at_once, self.open_at_once)
        try:
            if answer.stall:
                await reader.read()
                return False
            lines = [f"{name}: {value}" for name, value in answer.headers.items()]
            head = "\r\n".join([f"HTTP/1.1 {answer.status} X", f"Content-Length: {len(answer.body)}", *lines, "", ""])
            if answer.cut:
                writer.write(head[:12].encode())
                await writer.drain()
                return False
            writer.write(head.encode() + answer.body)
            await writer.drain()
            return True
        finally:
            self.open_at_once -= 1


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(first.split(" ")[1], headers, body)


@contextlib.asynccontextmanager
async def receiving(answer: Callable[[Request], Answer] | None = None) -> AsyncIterator[WebhookReceiver]:
    """Serve on a port that was free."""
    receiver = await WebhookReceiver(answer).start()
    try:
        yield receiver
    finally:
        await receiver.stop()
