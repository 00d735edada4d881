"""A real uvicorn on a free port, and a client that reads server-sent events as the standard says."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from api.app import close_streams
from tests.unit.api.world import TOKEN


class StoppableServer(uvicorn.Server):
    """Uvicorn that ends live streams before it waits for requests, as the composition root does."""

    def __init__(self, application: FastAPI) -> None:
        super().__init__(uvicorn.Config(application, log_config=None, ws="none"))
        self.ready = asyncio.Event()
        self.application = application

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        close_streams(self.application)
        await super().shutdown(sockets)


@dataclass
class Running:
    """A server that answers at ``url``; ``serving`` ends when it has stopped."""

    url: str
    server: StoppableServer
    serving: asyncio.Task[None]


@contextlib.asynccontextmanager
async def running(application: FastAPI, *, send_buffer_bytes: int | None = None) -> AsyncIterator[Running]:
    """Serve ``application`` on a port that was free; a small send buffer makes slow clients felt at once."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        if send_buffer_bytes is not None:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        server = StoppableServer(application)
        serving = asyncio.create_task(server.serve([listening]), name="test.uvicorn")
        await asyncio.wait_for(server.ready.wait(), 10)
        try:
            yield Running(f"http://127.0.0.1:{listening.getsockname()[1]}", server, serving)
        finally:
            server.should_exit = True
            await asyncio.wait_for(serving, 10)


@dataclass
class Event:
    """One event as a browser would hand it on; ``id`` is the last event id at that moment."""

    id: str
    event: str
    body: dict[str, Any]


class Listener:
    """One open stream. ``last_id`` follows ids with and without events, as a browser's does."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.last_id = ""
        self._lines = response.aiter_lines()

    async def begun(self) -> None:
        """Wait for the first block, which carries the id the stream begins behind."""
        assert await self._block() is None

    async def take(self, count: int) -> list[Event]:
        """Return the next ``count`` events, within ten seconds."""
        taken: list[Event] = []
        async with asyncio.timeout(10):
            while len(taken) < count:
                if (event := await self._block()) is not None:
                    taken.append(event)
        return taken

    async def ended(self) -> list[str]:
        """Return what still comes until the server ends the stream."""
        async with asyncio.timeout(10):
            return [line async for line in self._lines]

    async def _block(self) -> Event | None:
        fields: dict[str, str] = {}
        while line := await anext(self._lines):
            name, _, value = line.partition(": ")
            fields[name] = value
        self.last_id = fields.get("id", self.last_id)
        if "data" not in fields:
            return None
        return Event(self.last_id, fields["event"], json.loads(fields["data"]))


@contextlib.asynccontextmanager
async def listening(
    url: str, *, last_id: str | None = None, token: str = TOKEN, **query: Any
) -> AsyncIterator[Listener]:
    """Open the stream as ``lan``, and wait until it has begun."""
    headers = {"Authorization": f"Bearer {token}"} | ({} if last_id is None else {"Last-Event-ID": last_id})
    async with (
        httpx.AsyncClient(base_url=url, headers=headers, timeout=10) as client,
        client.stream("GET", "/api/v1/stream", params=query) as response,
    ):
        assert response.status_code == 200
        listener = Listener(response)
        await listener.begun()
        yield listener
