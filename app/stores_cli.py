"""``anju records``, ``anju journal``, ``anju telemetry``: files that are damaged or gone, and rows that cannot be read.

What replaces a file is refused while a part of Anju or another such command works on the installation.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from app import wiring
from app.installation_lock import in_use, replacing
from app.settings import Settings, load
from core.clock import SystemClock
from core.errors import AnjuError, StartupError
from storage import damage
from storage.journal.rescue import RescueReport, go_on_after
from storage.journal.rescue import rescue as rescue_journal
from storage.records import RecordsAdapter, RecordsDatabase, operators, upgrade
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
    print("\n".join(_replace(file, config, lambda _: rescue_records(file)).lines()))


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

    def rescued(settings: Settings) -> RescueReport:
        seal = wiring.journal_seal(settings) if settings.journal_key_path.exists() else None
        report = rescue_journal(file, seal, without_key=without_key)
        with suppress(AnjuError):  # Records that do not open say so at the next start.
            go_on_after(file, asyncio.run(_decided(settings)))
        return report

    print(_replace(file, config, rescued))


@journal.command("accept")
def _accept_journal(file: _File, config: _Config = None) -> None:
    """Go on with the file as it is, or with a new one, although another database was here before.

    Alerts and calls are kept; messages that were not decided yet are given up. Stop every part of Anju first.
    """

    def accepted(settings: Settings) -> bool:
        moved = go_on_after(file, asyncio.run(_decided(settings)))
        return damage.accept(file) or moved

    _accept(file, config, accepted)


async def _decided(settings: Settings) -> int:
    """Return the position up to which alerts are decided, 0 where there are no records."""
    if settings.records_path is not None and not settings.records_path.exists():
        return 0
    await upgrade(settings.records_url)
    database = RecordsDatabase(settings.records_url)
    await database.open()
    try:
        return await RecordsAdapter(database).alert_position()
    finally:
        await database.close()


@records.command()
@telemetry.command()
def accept(file: _File, config: _Config = None) -> None:
    """Go on with the file as it is, or with a new one, although another database was here before.

    Stop every part of Anju first.
    """
    _accept(file, config, lambda _: damage.accept(file))


def _accept(file: Path, config: Path | None, act: Callable[[Settings], bool]) -> None:
    if not _replace(file, config, act):
        raise StartupError(f"{damage.marker_of(file)}: there is no marker; the file is taken as it is anyway")
    print(f"the next start takes {file} as it is")


def _replace(file: Path, config: Path | None, act: Callable[[Settings], _Answer]) -> _Answer:
    """Return the answer of ``act``, during which no part and no other command works on the folder of ``file`` or `var`.

    Raises `StartupError` where one does.
    """
    settings = load(config)

    async def acting() -> _Answer:
        async with replacing(settings.var, file.parent):
            return await asyncio.to_thread(act, settings)

    return asyncio.run(acting())


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
    with in_use(settings):
        await database.open()
        try:
            return await act(database)
        finally:
            await database.close()
