"""Keeps the reports of unreadable rows true: repaired and removed rows are dropped, put-aside ones are counted."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy import select

from core.errors import AnjuError
from storage.records import put_aside
from storage.records.database import RecordsDatabase
from storage.records.row_checks import unreadable_for
from storage.records.unreadable import UnreadableRow

LOOK_SECONDS = 5.0
_log = structlog.get_logger()


class UnreadableWatch:
    """A service over the unreadable rows that the readers of ``database`` have met."""

    def __init__(self, database: RecordsDatabase, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._database = database
        self._pause = pause

    async def run(self) -> None:
        """Look again every few seconds, until cancelled; records that are away are no news of this service."""
        failed = ""
        while True:
            try:
                await self.look()
            except AnjuError as error:
                if failed != str(error):
                    _log.warning("records.unreadable_unwatched", reason=str(error))
                failed = str(error)
            await self._pause(LOOK_SECONDS)

    async def look(self) -> None:
        """Read every noted row once more, and count what was put aside."""
        unreadable = self._database.unreadable
        async with self._database.reading() as connection:
            unreadable.set_put_aside(await put_aside.uncleared(connection))
        for row in unreadable.rows():
            if await self._is_readable_or_gone(row):
                unreadable.forget(row)

    async def _is_readable_or_gone(self, noted: UnreadableRow) -> bool:
        wanted = select(noted.table).where(*(noted.table.c[name] == value for name, value in noted.key.items()))
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted)).first()
        return row is None or not unreadable_for(row, noted.table)
