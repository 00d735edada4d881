"""The steady clock of an installation: one for all processes that share the folder ``var``, over every restart.

A steady instant is the machine's time since it was booted, suspended time included, added to an *anchor*. The anchor is
chosen once for each boot and kept in a file, with an id of the boot, so that all processes read the same clock:

- the first time it makes both clocks agree: deadlines that an older version has kept stay what they are;
- after a reboot it makes the steady clock go on as far ahead of, or behind, the wall clock as it was: how long the
  machine was off is known from the wall clock alone. But it never goes back behind an instant that was reached.

What was reached is written every few seconds into a second file, which holds the anchor as well: where one of the two
is damaged or gone, the other one serves. Where both are, this is a first time.
"""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import structlog

from core.clock import Clock, SystemClock, since_boot, wall_ahead

COMPONENT = "clock"
ANCHOR, REACHED = "clock.json", "clock-reached.json"
LOOK_SECONDS = 1.0
KEEP_EVERY = timedelta(seconds=10)
# A leap second is one second, and NTP steps a clock for less than that only at a start.
JUMP = timedelta(seconds=2)
TOLD_FOR = timedelta(minutes=10)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# The two readings that are compared are taken by different processes.
_SLACK = timedelta(milliseconds=10)
# Three hundred years: where a file says that the wall clock is ahead by more, the file is wrong.
_LONGEST_SECONDS = 1e10
_log = structlog.get_logger()
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Kept(msgspec.Struct, frozen=True):
    """What a file holds: ``anchor`` in the boot ``boot``, and how far the wall clock was ahead at ``reached``."""

    boot: str
    anchor: _Instant
    reached: _Instant
    wall_ahead_seconds: Annotated[float, msgspec.Meta(ge=-_LONGEST_SECONDS, le=_LONGEST_SECONDS)] = 0.0

    @property
    def wall_ahead(self) -> timedelta:
        return timedelta(seconds=self.wall_ahead_seconds)


def boot_id() -> str:
    """Return a name of this boot; empty where the system has none."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def open_clock(var: Path) -> SystemClock:
    """Return the clocks for a process of the installation in ``var``; keeps the anchor where it is a new one."""
    with _one_at_a_time(var):
        clock, kept = _chosen(var)
        if kept is None or kept.anchor != clock.anchor:
            chosen = Kept(boot_id(), clock.anchor, clock.steady(), wall_ahead(clock).total_seconds())
            try:
                _write(var / ANCHOR, chosen)
            except OSError as error:
                _log.warning("clock.unwritten", file=ANCHOR, reason=str(error))
        return clock


def read_clock(var: Path) -> SystemClock:
    """Return the clocks as `open_clock` does, for a command that only looks: nothing is written."""
    return _chosen(var)[0]


def _chosen(var: Path) -> tuple[SystemClock, Kept | None]:
    """Return the clocks, and what was kept in the anchor's own file."""
    own, reached = _read(var / ANCHOR), _read(var / REACHED)
    known = [kept for kept in (own, reached) if kept is not None]
    if not known:
        return SystemClock(), None
    boot, passed = boot_id(), since_boot()
    for kept in known:
        if kept.boot == boot and kept.reached <= kept.anchor + passed + _SLACK:
            return SystemClock(kept.anchor), own
    newest = max(known, key=lambda kept: kept.reached)
    begun = SystemClock()
    return SystemClock(max(begun.now() - newest.wall_ahead, newest.reached) - passed), own


@contextmanager
def _one_at_a_time(var: Path) -> Iterator[None]:
    """Let parts that start together choose one anchor; where the lock cannot be had, the start does not fail for it."""
    try:
        file = (var / "clock.lock").open("ab")
    except OSError as error:
        _log.warning("clock.unlocked", reason=str(error))
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> Kept | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        _log.warning("clock.unreadable", file=path.name, reason=str(error))
        return None


def _write(path: Path, kept: Kept) -> None:
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_bytes(msgspec.json.encode(kept))
    draft.replace(path)


class ClockWatch:
    """Tells when the wall clock jumps, also over a restart; keeps how far the steady clock has come."""

    def __init__(self, clock: Clock, var: Path) -> None:
        self._clock = clock
        self._file = var / REACHED
        self._boot = boot_id()
        self._anchor = clock.steady() - since_boot()
        before = _read(self._file) or _read(var / ANCHOR)
        self._ahead = timedelta(0) if before is None else before.wall_ahead
        self._kept_at: datetime | None = None
        self._told_until: datetime | None = None
        self._told = ""
        self._unwritten = ""
        self.jumps = 0
        """Jumps seen since the start."""

    async def run(self) -> None:
        """Look every second, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Compare the clocks with how they were the last time."""
        ahead, steady = wall_ahead(self._clock), self._clock.steady()
        jumped = ahead - self._ahead
        self._ahead = ahead
        if abs(jumped) > JUMP:
            self._note(jumped, steady)
        if self._kept_at is None or abs(jumped) > JUMP or steady - self._kept_at >= KEEP_EVERY:
            self._keep(steady)

    def problems(self) -> dict[str, str]:
        """Return the newest jump as *component → what was seen*, for ten minutes."""
        if self._told_until is None or self._clock.steady() >= self._told_until:
            return {}
        return {COMPONENT: self._told}

    def _note(self, jumped: timedelta, steady: datetime) -> None:
        self.jumps += 1
        seconds, now = jumped.total_seconds(), self._clock.now()
        zh, en = ("前", "forward") if seconds > 0 else ("后", "back")
        before, after = (instant.isoformat(timespec="seconds") for instant in (now - jumped, now))
        self._told = (
            f"向{zh}拨动 {abs(seconds):.0f} 秒，从 {before} 到 {after} / "
            f"set {en} by {abs(seconds):.0f} s, from {before} to {after}"
        )
        self._told_until = steady + TOLD_FOR
        _log.warning("clock.jumped", seconds=round(seconds, 2), now=now.isoformat())

    def _keep(self, steady: datetime) -> None:
        self._kept_at = steady
        try:
            _write(self._file, Kept(self._boot, self._anchor, steady, self._ahead.total_seconds()))
        except OSError as error:
            if self._unwritten != str(error):
                _log.warning("clock.unwritten", file=REACHED, reason=str(error))
            self._unwritten = str(error)
        else:
            self._unwritten = ""
