"""The lock on an installation: shared by everything that uses its files, exclusive for a command that replaces them.

It is a ``flock`` on the folders themselves, so no lock file can be left behind or deleted, and the kernel releases it
even at ``kill -9``. A file system without such locks (some network ones) does not keep a part from starting; there the
heartbeats are all that a command goes by, as they are for parts of an Anju that knew no lock yet.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

from app import heartbeat
from app.metrics import PARTS
from app.settings import Settings
from core.errors import StartupError

# A part that runs writes its heartbeat every second, also into a folder that was moved away from under it.
_WATCH_SECONDS = 3 * heartbeat.EVERY_SECONDS


@contextmanager
def in_use(settings: Settings) -> Iterator[None]:
    """Hold the shared lock on all folders of ``settings``. Raises `StartupError` while a command replaces files."""
    paths = (settings.journal_path, settings.telemetry_path, settings.records_path)
    folders = {settings.var, *(path.parent for path in paths if path is not None)}
    with _locked(folders, fcntl.LOCK_SH, "a command replaces files in {}: wait until it is done"):
        yield


@asynccontextmanager
async def replacing(*folders: Path) -> AsyncIterator[None]:
    """Hold the exclusive lock on ``folders``. Raises `StartupError` where a part or another command works there."""
    await asyncio.gather(*map(_require_stopped, {folder.resolve() for folder in folders}))
    with _locked(folders, fcntl.LOCK_EX, "a part or another command of Anju works on {}: stop every part first"):
        yield


@contextmanager
def _locked(folders: Iterable[Path], mode: int, refusal: str) -> Iterator[None]:
    with ExitStack() as stack:
        for folder in {each.resolve() for each in folders if each.is_dir()}:
            opened = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, opened)
            try:
                fcntl.flock(opened, mode | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StartupError(refusal.format(folder)) from None
            except OSError:
                continue  # This file system has no such locks.
        yield


async def _require_stopped(var: Path) -> None:
    """Return once no part has written its heartbeat for some seconds. Raises `StartupError` when one does.

    Heartbeats are compared with each other and not with a clock: the clock's anchor may have been moved away too.
    """
    before = _beats(var)
    deadline = asyncio.get_running_loop().time() + _WATCH_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(heartbeat.EVERY_SECONDS / 4)
        if running := [part for part, beat in _beats(var).items() if beat != before.get(part)]:
            raise StartupError(f"{', '.join(running)} runs on {var}: stop every part first")


def _beats(var: Path) -> dict[str, int]:
    """Return when each part that ever ran on ``var`` wrote its heartbeat, by the file system."""
    beats = dict[str, int]()
    for part in PARTS:
        with suppress(FileNotFoundError):  # Or it is being replaced.
            beats[part] = heartbeat.path_of(var, part).stat().st_mtime_ns
    return beats
