"""A real uvicorn with WebSockets, on a free port."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import uvicorn
from fastapi import FastAPI


class _Server(uvicorn.Server):
    def __init__(self, application: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                application, log_config=None, lifespan="off", ws="websockets-sansio", timeout_graceful_shutdown=1
            )
        )
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextlib.asynccontextmanager
async def serving(application: FastAPI) -> AsyncIterator[str]:
    """Serve ``application``; yields ``127.0.0.1:PORT``."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = _Server(application)
        task = asyncio.create_task(server.serve([listening]), name="test.uvicorn")
        await asyncio.wait_for(server.ready.wait(), 10)
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await asyncio.wait_for(task, 10)
