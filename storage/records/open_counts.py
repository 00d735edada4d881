"""How much is open in the records: alerts, calls, messages that wait to be delivered. Figures for operators."""

import asyncio
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Select, func, select, true

from core.clock import Clock
from core.errors import TemporaryError
from storage.records import outbox_rows
from storage.records.call_tables import calls
from storage.records.database import RecordsDatabase
from storage.records.desk_tables import outbox
from storage.records.tables import alerts

LOOK_SECONDS = 5.0
_log = structlog.get_logger()
_COUNTS = {
    "alerts_open": select(func.count()).select_from(alerts).where(alerts.c.resolved_at.is_(None)),
    "calls_open": select(func.count()).select_from(calls).where(calls.c.is_open.is_(true())),
    "outbox_waiting": select(func.count()).select_from(outbox).where(outbox.c.finished_at.is_(None)),
}
_OLDEST: Select[Any] = (
    select(outbox.c.created_at, outbox.c.created_ahead)
    .where(outbox.c.finished_at.is_(None))
    .order_by(outbox.c.number)
    .limit(1)
)


class OpenCounts:
    """A service that counts every few seconds what is open, each by a partial index."""

    def __init__(self, database: RecordsDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._figures: dict[str, float] = {}

    async def run(self) -> None:
        """Count until cancelled. While the records are away there are no figures, rather than old ones."""
        while True:
            try:
                await self.look()
            except TemporaryError as error:
                if self._figures:
                    _log.warning("records.uncounted", reason=str(error))
                self._figures = {}
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Count once. Raises `TemporaryError` when the records are away."""
        async with self._database.reading() as connection:
            figures = {name: float((await connection.execute(count)).scalar_one()) for name, count in _COUNTS.items()}
            oldest = (await connection.execute(_OLDEST)).first()
        waited = self._clock.steady() - outbox_rows.came_in(oldest) if oldest else timedelta(0)
        figures["outbox_oldest_seconds"] = max(0.0, waited.total_seconds())
        self._figures = figures

    def figures(self) -> dict[str, float]:
        """Return what was counted last, by name."""
        return dict(self._figures)
