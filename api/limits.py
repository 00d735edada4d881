"""Bounds on what a request may weigh. Plain ASGI: Starlette's BaseHTTPMiddleware would break the live stream."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The largest body we expect is a rule file of 100,000 characters, most of them ASCII, with its ends of lines escaped.
BODY_LIMIT_BYTES = 256 * 1024


class BodyLimit:
    """Answers 413 as soon as a request's body grows past the limit, whatever its Content-Length claims."""

    def __init__(self, app: ASGIApp, limit_bytes: int = BODY_LIMIT_BYTES) -> None:
        self._app = app
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        counted = _counting(receive, self._limit_bytes) if scope["type"] == "http" else receive
        await self._app(scope, counted, send)


def _counting(receive: Receive, limit_bytes: int) -> Receive:
    received = 0

    async def receive_counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit_bytes:
            raise HTTPException(413, f"body above {limit_bytes} bytes")
        return message

    return receive_counted
