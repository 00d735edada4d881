"""The commands for the bad day: ``anju backup``, ``anju restore``, ``anju doctor``."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from app import backup as backups
from app.doctor import Grade, examine
from app.parts.api import VERSION
from app.settings import load
from app.steady_clock import read_clock
from core.clock import SystemClock
from core.errors import StartupError

Config = Annotated[Path | None, typer.Option("--config", help="TOML file; environment variables go before it.")]
# A nightly job must notice that a backup holds less than all; 1 stands for none.
_INCOMPLETE = 2
_MARKS = {Grade.GOOD: "ok  ", Grade.WARNING: "warn", Grade.BAD: "BAD "}
_COLOURS = {Grade.GOOD: "", Grade.WARNING: "\x1b[33m", Grade.BAD: "\x1b[31m"}


def backup(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    config: Config = None,
) -> None:
    """Copy records, journal, telemetry and keys into FOLDER, consistent, while everything runs.

    Exits with 2 where all is copied but what it names as not in it.
    """
    manifest = asyncio.run(backups.backup(load(config), folder, SystemClock().now(), VERSION))
    size = sum(each.bytes for each in manifest.files.values())
    print(f"{folder}: {len(manifest.files)} files, {size / 2**20:.1f} MiB, up to position {manifest.last_position}")
    for each in manifest.elsewhere:
        print(f"not in it: {each}")
    if manifest.elsewhere:
        raise typer.Exit(_INCOMPLETE)


def restore(
    folder: Annotated[Path, typer.Argument(help="What `anju backup` made.")],
    keep_telemetry: Annotated[
        bool, typer.Option("--keep-telemetry", help="Leave InfluxDB as it is: it has lost nothing.")
    ] = False,
    config: Config = None,
) -> None:
    """Bring a backup back into an installation that has no journal and no records. Stop every part of Anju first."""
    manifest = asyncio.run(backups.restore(load(config), folder, keep_telemetry=keep_telemetry))
    print(f"restored the backup of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC, made by Anju {manifest.version}")
    for each in manifest.elsewhere:
        print(f"not in it: {each}")


def doctor(config: Config = None) -> None:
    """Say what is wrong with this installation and what to type; exit with 1 when something is bad."""
    settings = load(config)
    found = asyncio.run(examine(settings, read_clock(settings.var)))
    for each in found:
        line = f"{_MARKS[each.grade]} {each.check}: {each.text}" + (
            f"\n       → {each.way_out}" if each.way_out else ""
        )
        print(f"{_COLOURS[each.grade]}{line}\x1b[0m" if sys.stdout.isatty() and _COLOURS[each.grade] else line)
    if any(each.grade is Grade.BAD for each in found):
        raise StartupError("something is bad, see above")
