"""How many requests one client may have under way, also behind a reverse proxy; plain ASGI."""

from collections import Counter
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import problem_response
from api.take_backs import network_of

_RETRY_AFTER_SECONDS = 5


class ClientLimit:
    """Answers 429 where a client network has ``limit`` requests, streams and WebSockets open already.

    Belongs inside the middleware that reads ``X-Forwarded-For``, as the proxy's own connections are not counted by
    address. ``exempt`` tells which hosts are proxies: a request that names none of its clients is not counted.
    """

    def __init__(self, app: ASGIApp, limit: int, exempt: Callable[[str], bool]) -> None:
        self._app = app
        self._limit = limit
        self._exempt = exempt
        self._open: Counter[str] = Counter()
        self.refused = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = (scope.get("client") or ("",))[0]
        network = "" if self._exempt(host) else network_of(host)
        if not network:
            await self._app(scope, receive, send)
        elif self._open[network] >= self._limit:
            self.refused += 1
            await self._refuse(scope, receive, send)
        else:
            await self._count(network, scope, receive, send)

    async def _count(self, network: str, scope: Scope, receive: Receive, send: Send) -> None:
        self._open[network] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open[network] -= 1
            if not self._open[network]:
                del self._open[network]

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1013, "reason": "too many connections"})
            return
        detail = f"{self._limit} requests of this address are open: expected fewer"
        headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
        await problem_response(Request(scope), 429, detail, headers=headers)(scope, receive, send)
