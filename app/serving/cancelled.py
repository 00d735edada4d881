"""Requests that are still under way when the server's time to stop is over; plain ASGI."""

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem_response

_RETRY_AFTER_SECONDS = 5


class CancelledRequests:
    """Answers 503 to a request that the server cancels as it stops, for instance one that waits for a dead database.

    Uvicorn would answer 500, and log the cancellation as an exception of the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            if not started:
                headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
                response = problem_response(Request(scope), 503, "the server stops: ask again", headers=headers)
                await response(scope, receive, send)
