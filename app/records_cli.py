"""``anju records``: rescue of a damaged file, and rows that cannot be read."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from app.settings import Settings, load
from core.clock import SystemClock
from core.errors import StartupError
from storage import damage
from storage.records import RecordsDatabase, operators
from storage.records.rescue import rescue as rescue_records

cli = typer.Typer(help="The database of alerts, calls and settings.", no_args_is_help=True)
_Answer = TypeVar("_Answer")
_File = Annotated[Path, typer.Argument(help="The records file.")]
_Config = Annotated[Path | None, typer.Option("--config", help="TOML file; environment variables go before it.")]


@cli.command()
def rescue(file: _File) -> None:
    """Copy what can be read of a damaged records file into a new one; the damaged one is kept beside it.

    Stop every part of Anju first.
    """
    print("\n".join(rescue_records(file).lines()))


@cli.command()
def accept(file: _File) -> None:
    """Go on with the file as it is, or with a new one, although another database was here before."""
    if not damage.accept(file):
        raise StartupError(f"{damage.marker_of(file)}: there is no marker; the file is taken as it is anyway")
    print(f"the next start takes {file} as it is")


@cli.command()
def unreadable(config: _Config = None) -> None:
    """List the rows that cannot be read, of all tables, and what was put aside and not cleared."""
    for row in asyncio.run(_with_records(load(config), operators.unreadable_rows)):
        where = f"put aside {row.put_aside_at.isoformat()}" if row.put_aside_at else "in its table"
        print(f"{row.table} {row.key}: {row.reason} ({where})")


@cli.command()
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
