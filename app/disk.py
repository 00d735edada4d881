"""Space on the disks under ``ANJU_VAR``: watched, told of, and kept for what must go on when there is none.

Three thresholds, from early to late. Below ``warn`` people are told (component ``disk``) while there is time to act.
Below the *floor* (component ``disk/full``) only the records may grow: telemetry waits, and the journal lives inside its
file. When almost nothing is left, the file ``reserve`` is deleted, which gives room for what lies beside the databases
(a write-ahead log at a start, a heartbeat); it is made again once there is room. What calls and their pages need is in
reach of nobody else all the time: see `storage.reserve`.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.settings import DiskSettings, Settings
from core.errors import StartupError, TemporaryError
from storage.reserve import MIB, Floor, keep_reserve

DISK = "disk"
DISK_FULL = "disk/full"
LOOK_SECONDS = 1.0
# How often the reserve inside the databases is looked at: 16 MiB of records or of a busy journal take longer.
TOP_UP_SECONDS = 30.0
# A disk at its limit must not raise and resolve an alert with every file that comes and goes.
_RESOLVED_ABOVE = 1.1
# A database can hardly be opened with less: its write-ahead log's index alone is 32 KiB, each for three files.
_LEAST_TO_START = MIB // 2
# Fewer free inodes than this, of a file system that counts them, and a new file may be refused.
_FEW_INODES = 1_000
_FEW_INODES_SHARE = 0.01
# Three places and two write-ahead logs take a quarter of a disk of 64 MiB.
_RESERVE_PART = 32
_log = structlog.get_logger()


@dataclass(frozen=True)
class Space:
    """How a disk stands; ``inodes`` is 0 where the file system does not count them."""

    total: int
    free: int
    inodes: int
    free_inodes: int

    @property
    def few_inodes(self) -> bool:
        return self.inodes > 0 and self.free_inodes < min(_FEW_INODES, self.inodes * _FEW_INODES_SHARE)


def space_of(folder: Path) -> Space:
    """Return how the disk of ``folder`` stands. Raises OSError."""
    said = os.statvfs(folder)
    return Space(said.f_blocks * said.f_frsize, said.f_bavail * said.f_frsize, said.f_files, said.f_favail)


def floor_of(folder: Path, settings: DiskSettings) -> Floor:
    """Return the floor of the disk of ``folder``."""
    return Floor(folder, settings.floor_mib * MIB, settings.floor_percent / 100)


def warn_below(space: Space, settings: DiskSettings) -> float:
    """Return the free bytes below which people are told; never fewer than the floor."""
    share = space.total * settings.warn_percent / 100
    return max(min(share, settings.warn_mib * MIB), floor_of(Path(), settings).bytes_of(space.total))


def reserve_bytes(space: Space, settings: DiskSettings) -> int:
    """Return how much is kept in each place; a small disk must have room for more than that."""
    return min(settings.reserve_mib * MIB, max(MIB, space.total // _RESERVE_PART))


class DiskWatch:
    """Watches the disks that a part writes to; the databases in ``reserved`` keep room inside themselves.

    ``problems`` is for the part's heartbeat. Several parts may share the folder, each with a watch of its own.
    """

    def __init__(self, settings: Settings, folders: Sequence[Path], reserved: Sequence[Path] = ()) -> None:
        self._settings = settings.disk
        self._var = settings.var
        self._folders = tuple(dict.fromkeys((settings.var, *folders)))
        self._reserved = reserved
        self._reserve = settings.var / "reserve"
        self._low: dict[Path, bool] = {}
        self._full: dict[Path, bool] = {}
        self._topped_up_at = -TOP_UP_SECONDS
        self._trouble = ""
        self._released = False
        self.problems: Mapping[str, str] = {}

    @property
    def full(self) -> bool:
        """Whether a disk is below the floor."""
        return DISK_FULL in self.problems

    async def run(self) -> None:
        """Look every second, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look once: bring the problems up to date, give the reserve file up or make it again, keep the reserves."""
        self._note()
        with suppress(OSError):
            await asyncio.to_thread(self._turn_reserve)
        now = asyncio.get_running_loop().time()
        if self._released:
            # What the file gave up becomes write-ahead logs before somebody else takes it.
            self._released = False
            await asyncio.to_thread(self._top_up)
        elif not self.full and now - self._topped_up_at >= TOP_UP_SECONDS:
            self._topped_up_at = now
            await asyncio.to_thread(self._top_up)

    def prepare(self) -> None:
        """Give the reserve up at a start on a full disk; raises `StartupError` where even that makes no room."""
        with suppress(OSError):
            self._turn_reserve()
            free = space_of(self._var).free
            if free < _LEAST_TO_START:
                raise StartupError(
                    f"the disk of {self._var} is full ({free // 1024} KiB free): delete or move something from it "
                    f"(`du -xsh {self._var.absolute()}/*` shows what is large; never delete *.sqlite* or *.key), "
                    f"then start again"
                )
        self._note()

    def _note(self) -> None:
        before, problems = self.problems, dict[str, str]()
        for folder in self._folders:
            with suppress(OSError):
                problems |= self._problems_of(folder, space_of(folder))
        self.problems = problems
        for name in problems.keys() - before.keys():
            _log.warning("disk.full" if name == DISK_FULL else "disk.low", detail=problems[name])
        for name in before.keys() - problems.keys():
            _log.info("disk.has_room" if name == DISK else "disk.above_floor")

    def _problems_of(self, folder: Path, space: Space) -> dict[str, str]:
        floor = floor_of(folder, self._settings).bytes_of(space.total)
        low = self._below(self._low, folder, space.free, warn_below(space, self._settings)) or space.few_inodes
        full = self._below(self._full, folder, space.free, floor)
        zh = f"{folder} 所在磁盘剩余 {space.free / MIB:.0f} MiB，共 {space.total / MIB:.0f} MiB"
        en = f"{space.free / MIB:.0f} of {space.total / MIB:.0f} MiB are free on the disk of {folder}"
        if space.few_inodes:
            zh += f"；inode 剩余 {space.free_inodes}，共 {space.inodes}"
            en += f", and {space.free_inodes} of {space.inodes} inodes"
        problems = {DISK: f"{zh} / {en}"} if low or full else {}
        if full:
            zh += "：测量历史暂停写入，消息日志不再增大，求助照常"
            problems[DISK_FULL] = f"{zh} / {en}: telemetry waits, the journal does not grow; calls go on"
        return problems

    @staticmethod
    def _below(known: dict[Path, bool], folder: Path, free: int, limit: float) -> bool:
        known[folder] = free < limit * (_RESOLVED_ABOVE if known.get(folder) else 1)
        return known[folder]

    def _turn_reserve(self) -> None:
        space = space_of(self._var)
        wanted = reserve_bytes(space, self._settings)
        if space.free < wanted // 2 and self._reserve.exists():
            self._reserve.unlink(missing_ok=True)
            self._released = True
            _log.warning("disk.reserve_released", mib=wanted // MIB)
        elif space.free > warn_below(space, self._settings) + wanted and not self._reserve.exists():
            _allocate(self._reserve, wanted)

    def _top_up(self) -> None:
        trouble = ""
        for path in self._reserved:
            try:
                keep_reserve(path, reserve_bytes(space_of(path.parent), self._settings))
            except (TemporaryError, OSError) as error:
                trouble = str(error)
        if trouble and trouble != self._trouble:
            _log.warning("disk.reserve_missing", reason=trouble)
        self._trouble = trouble


def _allocate(path: Path, size: int) -> None:
    """Make a file whose blocks are really taken, all of them or none. Raises OSError."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return  # Another part was first.
    try:
        os.posix_fallocate(file, 0, size)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)
