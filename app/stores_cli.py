"""``anju records``, ``anju journal``, ``anju telemetry``: files that are damaged or gone, and rows that cannot be read.

What changes a file is refused while a part of Anju runs on the installation.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from app import wiring
from app.backup import require_stopped
from app.settings import Settings, load
from core.clock import SystemClock
from core.errors import StartupError
from storage import damage
from storage.journal.rescue import rescue as rescue_journal
from storage.records import RecordsDatabase, operators
from storage.records.rescue import rescue as rescue_records

records = typer.Typer(help="The database of alerts, calls and settings.", no_args_is_help=True)
journal = typer.Typer(help="The durable log of messages.", no_args_is_help=True)
telemetry = typer.Typer(help="The history of measured values, where it is a file.", no_args_is_help=True)
_Answer = TypeVar("_Answer")
_File = Annotated[Path, typer.Argument(help="The file that Anju named.")]
_Config = Annotated[Path | None, typer.Option("--config", help="TOML file; environment variables go before it.")]


@records.command("rescue")
def _rescue_records(file: _File, config: _Config = None) -> None:
    """Copy what can be read of a damaged records file into a new one; the damaged one is kept beside it.

    Stop every part of Anju first.
    """
    _stopped(file, config)
    print("\n".join(rescue_records(file).lines()))


@journal.command("rescue")
def _rescue_journal(
    file: _File,
    config: _Config = None,
    without_key: Annotated[
        bool, typer.Option("--without-key", help="Give up what is sealed with a key that is lost.")
    ] = False,
) -> None:
    """Copy what can be read of a damaged journal into a new file; the damaged one is kept beside it.

    Stop every part of Anju first. The key is the one that the settings name.
    """
    settings = _stopped(file, config)
    seal = wiring.journal_seal(settings) if settings.journal_key_path.exists() else None
    print(rescue_journal(file, seal, without_key=without_key))


@records.command()
@journal.command()
@telemetry.command()
def accept(file: _File, config: _Config = None) -> None:
    """Go on with the file as it is, or with a new one, although another database was here before.

    Stop every part of Anju first.
    """
    _stopped(file, config)
    if not damage.accept(file):
        raise StartupError(f"{damage.marker_of(file)}: there is no marker; the file is taken as it is anyway")
    print(f"the next start takes {file} as it is")


def _stopped(file: Path, config: Path | None) -> Settings:
    """Return the settings once no part runs on their folder, nor on that of ``file``. Raises `StartupError`."""
    settings = load(config)
    for folder in {settings.var.resolve(), file.parent.resolve()}:
        asyncio.run(require_stopped(folder))
    return settings


@records.command()
def unreadable(config: _Config = None) -> None:
    """List the rows that cannot be read, of all tables, and what was put aside and not cleared."""
    for row in asyncio.run(_with_records(load(config), operators.unreadable_rows)):
        where = f"put aside {row.put_aside_at.isoformat()}" if row.put_aside_at else "in its table"
        print(f"{row.table} {row.key}: {row.reason} ({where})")


@records.command()
def clear(
    table: Annotated[str, typer.Argument(help="As `anju records unreadable` lists it.")],
    key: Annotated[str, typer.Argument(help="As listed.")],
    config: _Config = None,
) -> None:
    """Take note of one unreadable row: it is told no more, and its content stays in the table `put_aside`."""
    now = SystemClock().now()
    asyncio.run(_with_records(load(config), lambda database: operators.clear(database, table, key, now)))
    print(f"cleared: {table} {key}")


async def _with_records(settings: Settings, act: Callable[[RecordsDatabase], Awaitable[_Answer]]) -> _Answer:
    database = RecordsDatabase(settings.records_url)
    await database.open()
    try:
        return await act(database)
    finally:
        await database.close()
