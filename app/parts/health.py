"""How each thing that the API hangs on does, for ``/readyz``."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from api.dependencies import ComponentState, ComponentStatus, HealthCheck
from app import heartbeat
from app.heartbeat import Heartbeat, Pulse
from app.settings import Settings
from core.clock import Clock
from core.errors import TemporaryError
from storage.journal.sqlite import SqliteJournal
from storage.records import RecordsAdapter

PING_SECONDS = 1.5


class HealthChecks:
    """Asks records, journal, telemetry store and, by their heartbeats, the other parts."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def over(
        self,
        records: RecordsAdapter,
        journal: SqliteJournal,
        ping_telemetry: Callable[[], Awaitable[None]],
        own: Callable[[], Pulse],
    ) -> Mapping[str, HealthCheck]:
        """Return one check for each component, by name; ``own`` is the pulse of the part that is asked."""

        async def database() -> ComponentState:
            await records.ping()
            return ComponentState(ComponentStatus.UP)

        async def journal_file() -> ComponentState:
            last = await asyncio.to_thread(journal.last_position)
            return ComponentState(ComponentStatus.UP, f"reaches position {last}")

        async def telemetry() -> ComponentState:
            # Alerts do not need it: down is shown, but the service stays ready.
            try:
                async with asyncio.timeout(PING_SECONDS):
                    await ping_telemetry()
            except TimeoutError:
                return ComponentState(ComponentStatus.DOWN, "does not answer", vital=False)
            except TemporaryError as error:
                return ComponentState(ComponentStatus.DOWN, str(error), vital=False)
            return ComponentState(ComponentStatus.UP, vital=False)

        async def api() -> ComponentState:
            return _state(own(), vital=False)

        parts = {name: self._part(name) for name in ("ingest", "alerts")}
        return {"records": database, "journal": journal_file, "telemetry": telemetry, "api": api, **parts}

    def _part(self, part: str) -> HealthCheck:
        async def state() -> ComponentState:
            return _state(heartbeat.read(self._settings.var, part, self._clock.steady()))

        return state


def _state(said: Heartbeat | Pulse, *, vital: bool = True) -> ComponentState:
    problems = [f"{name}: {problem}" for name, problem in said.problems.items()]
    # The detail may be the first of the problems.
    detail = "" if any(problem in said.detail for problem in said.problems.values()) else said.detail
    return ComponentState(ComponentStatus(said.status), "; ".join(filter(None, [detail, *problems])), vital)
