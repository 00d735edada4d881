"""Opens the records database, whoever needs it first, and sees that it belongs to the journal."""

import asyncio
from pathlib import Path

import structlog
from sqlalchemy import make_url

from app.settings import Settings
from core.errors import StartupError, TemporaryError
from storage.damage import mark, require_sound
from storage.journal.sqlite import SqliteJournal
from storage.records import RecordsAdapter, RecordsDatabase, upgrade

_log = structlog.get_logger()
_OPEN_RETRY_SECONDS = 0.5
_OPEN_SECONDS = 60.0


async def open_records(database: RecordsDatabase, settings: Settings) -> None:
    """Bring the schema up to date and open; a server that is still starting is waited for, up to a minute.

    Raises `StartupError` for a damaged file, and for one that is not the one that was here, with the way out.
    """
    file = records_file(settings)
    if file is not None:
        await asyncio.to_thread(require_sound, file, "records")
    loop = asyncio.get_running_loop()
    end, said = loop.time() + _OPEN_SECONDS, ""
    while True:
        try:
            await upgrade(settings.records_url)
            if file is not None:
                await asyncio.to_thread(mark, file)
            return await database.open()
        except TemporaryError as error:
            if loop.time() > end:
                raise StartupError(f"records database: {error}") from None
            if str(error) != said:
                _log.warning("records.unavailable", reason=str(error))
            said = str(error)
            await asyncio.sleep(_OPEN_RETRY_SECONDS)


def records_file(settings: Settings) -> Path | None:
    """Return the file of the records database, ``None`` where it is a server."""
    url = make_url(settings.records_url)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


async def require_same_journal(journal: SqliteJournal, records: RecordsAdapter, settings: Settings) -> None:
    """Refuse a journal that ends before the decided position: it was replaced, and the engine would wait for ever."""
    decided, last = await records.alert_position(), await asyncio.to_thread(journal.last_position)
    if decided > last:
        raise StartupError(
            f"alerts are decided up to position {decided}, but journal {settings.journal_path} ends at {last}: it is "
            f"not the one these records were made from; bring that one back, or go on with this one deliberately: "
            f"`anju journal accept {settings.journal_path}`"
        )
