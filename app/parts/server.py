"""The HTTP server, stopped by whoever started it."""

import asyncio
import socket

import uvicorn
from fastapi import FastAPI

from api.app import close_streams

# Four times what a voice's messages may weigh: what is a little too long is still told so.
_SOCKET_MESSAGE_BYTES = 64 * 1024


class Server(uvicorn.Server):
    """Uvicorn without its own signal handling: stopping is the composition root's."""

    def __init__(self, application: FastAPI) -> None:
        self._application = application
        super().__init__(
            uvicorn.Config(
                application,
                log_config=None,
                lifespan="off",
                timeout_graceful_shutdown=3,
                ws="websockets-sansio",
                ws_max_size=_SOCKET_MESSAGE_BYTES,
            )
        )

    async def serve_on(self, sockets: list[socket.socket]) -> None:
        """Serve until cancelled, then let running answers end within a few seconds."""
        serving = asyncio.ensure_future(self._serve(sockets))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            # Uvicorn waits for open answers before it stops, and a live stream never ends by itself.
            close_streams(self._application)
            self.should_exit = True
            await serving
            raise
