"""The HTTP server, stopped by whoever started it (decision 0010)."""

import asyncio
import logging
import socket
import time

import structlog
import uvicorn
from fastapi import FastAPI

from api.app import close_streams
from app import descriptors
from app.serving.acceptor import Acceptor
from app.serving.cancelled import CancelledRequests
from app.serving.client_limit import ClientLimit
from app.serving.gate import ConnectionGate, GateLimits, Slot
from app.serving.protocols import GatedHttp
from app.serving.proxies import TrustedProxies
from app.serving.repeated import Repeated
from app.settings import ApiSettings

# Four times what a voice's messages may weigh: what is a little too long is still told so.
_SOCKET_MESSAGE_BYTES = 64 * 1024
_SWEEP_SECONDS = 1.0
# How long a shortage is still told of after it was last seen: long enough for a scrape or a person to see it.
_TOLD_SECONDS = 60.0

_log = structlog.get_logger()
_uvicorn_log = logging.getLogger("uvicorn.error")


class Server(uvicorn.Server):
    """Uvicorn without its own signal handling, and with a gate of ours before its connections."""

    def __init__(self, application: FastAPI, settings: ApiSettings) -> None:
        self._application = application
        proxies = TrustedProxies(settings.proxies)
        self.gate = ConnectionGate(_limits(settings), proxies.include)
        self._clients = ClientLimit(application, settings.max_connections_per_address, proxies.include)
        self._acceptors: list[Acceptor] = []
        self._pressed_at: float | None = None
        self._crowded_at: float | None = None
        self._before = (0, 0)
        super().__init__(
            uvicorn.Config(
                CancelledRequests(self._clients),
                log_config=None,
                lifespan="off",
                http=GatedHttp,
                ws="websockets-sansio",
                ws_max_size=_SOCKET_MESSAGE_BYTES,
                timeout_graceful_shutdown=3,
                forwarded_allow_ips=proxies.networks,
            )
        )
        if not any(isinstance(kept, Repeated) for kept in _uvicorn_log.filters):
            _uvicorn_log.addFilter(Repeated())

    async def serve_on(self, sockets: list[socket.socket]) -> None:
        """Serve until cancelled, then let running answers end within a few seconds."""
        serving = asyncio.ensure_future(self._serve(sockets))
        sweeping = asyncio.create_task(self._sweep(), name="http.sweep")
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            # Uvicorn waits for open answers before it stops, and a live stream never ends by itself.
            close_streams(self._application)
            self.should_exit = True
            await serving
            raise
        finally:
            sweeping.cancel()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start without asyncio's own listening; the acceptors do it."""
        await super().startup([])
        self._acceptors = [Acceptor(listening, self.gate, self._protocol) for listening in sockets or []]
        for acceptor in self._acceptors:
            acceptor.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more and end what is open."""
        for acceptor in self._acceptors:
            acceptor.stop()
        await super().shutdown(sockets)

    def _protocol(self, slot: Slot) -> GatedHttp:
        return GatedHttp(self.config, self.server_state, self.lifespan.state, self.gate, slot)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = time.monotonic()
            self.gate.sweep(now)
            self._note_pressure(now)

    def _note_pressure(self, now: float) -> None:
        """Log when the gate begins and ends to drop connections."""
        stats, limits = self.gate.stats, self.gate.limits
        dropped, crowded = stats.refused + stats.evicted, stats.crowded
        if crowded != self._before[1]:
            self._crowded_at = now
        if dropped != self._before[0]:
            if self._pressed_at is None:
                _log.warning(
                    "http.dropping_connections",
                    open=self.gate.open,
                    limit=limits.connections,
                    limit_per_address=limits.per_network,
                )
            self._pressed_at = now
        elif self._pressed_at is not None and now - self._pressed_at > _TOLD_SECONDS:
            self._pressed_at = None
            _log.info("http.dropping_ended", refused=stats.refused, evicted=stats.evicted)
        self._before = (dropped, crowded)

    def problems(self) -> dict[str, str]:
        """Return the want of places or descriptors as a component of the pulse; empty when there is none."""
        now, limit = time.monotonic(), self.gate.limits.connections
        if any(_recent(acceptor.short_at, now) for acceptor in self._acceptors):
            allowed = descriptors.limit()
            zh = f"HTTP 连接没有可用的文件句柄，上限 {allowed}"
            return {descriptors.COMPONENT: f"{zh} / HTTP connections found no file descriptor free of {allowed}"}
        if self.gate.full or _recent(self._crowded_at, now):
            zh = f"{limit} 个 HTTP 连接已占满，半开的连接让位"
            en = f"all {limit} places for HTTP connections were taken; half-open ones give way"
            return {descriptors.COMPONENT: f"{zh} / {en}"}
        return {}

    def figures(self) -> dict[str, float]:
        """Return what was counted of connections."""
        stats = self.gate.stats
        return {
            "http_connections": self.gate.open,
            "http_connections_limit": self.gate.limits.connections,
            "http_connections_accepted_total": stats.accepted,
            "http_connections_refused_total": stats.refused,
            "http_connections_evicted_total": stats.evicted,
            "http_connections_timed_out_total": stats.timed_out,
            "http_connections_stalled_total": stats.stalled,
            "http_requests_refused_total": self._clients.refused,
            "http_accept_failures_total": sum(acceptor.shortages for acceptor in self._acceptors),
        }


def _recent(at: float | None, now: float) -> bool:
    return at is not None and now - at < _TOLD_SECONDS


def _limits(settings: ApiSettings) -> GateLimits:
    return GateLimits(
        connections=descriptors.http_share(settings.max_connections),
        per_network=settings.max_connections_per_address,
        head_seconds=settings.header_timeout_seconds,
        body_seconds=settings.body_timeout_seconds,
        write_seconds=settings.write_timeout_seconds,
    )
