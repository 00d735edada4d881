"""How each part says that it lives: a small file, rewritten every second, that any other process may read."""

import asyncio
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from core.clock import Clock

EVERY_SECONDS = 1.0
STALE_AFTER = timedelta(seconds=10)


class Heartbeat(msgspec.Struct, frozen=True):
    """One sign of life. ``status`` is ``up``, ``degraded`` or ``down``; ``figures`` are counters and gauges by name."""

    at: datetime
    status: str
    detail: str
    figures: dict[str, float] = {}


class Pulse(msgspec.Struct, frozen=True):
    """What a part says of itself when asked."""

    status: str
    detail: str
    figures: dict[str, float]


def path_of(folder: Path, part: str) -> Path:
    """Return the file in which ``part`` says that it lives."""
    return folder / "health" / f"{part}.json"


async def beat(folder: Path, part: str, clock: Clock, pulse: Callable[[], Pulse]) -> None:
    """Write the heartbeat of ``part`` every second, for ever."""
    target = path_of(folder, part)
    target.parent.mkdir(parents=True, exist_ok=True)
    while True:
        said = pulse()
        write(target, Heartbeat(clock.now(), said.status, said.detail, said.figures))
        await asyncio.sleep(EVERY_SECONDS)


def write(target: Path, heartbeat: Heartbeat) -> None:
    """Replace the file in one step: a reader sees the old one or the new one."""
    draft = target.with_suffix(f".{os.getpid()}")
    draft.write_bytes(msgspec.json.encode(heartbeat))
    draft.replace(target)


def read(folder: Path, part: str, now: datetime) -> Heartbeat:
    """Return the last heartbeat of ``part``; one that is missing or stale reads as *down*, with the reason."""
    try:
        heartbeat = msgspec.json.decode(path_of(folder, part).read_bytes(), type=Heartbeat)
    except FileNotFoundError:
        return Heartbeat(now, "down", f"{part} has never run on this folder")
    except msgspec.DecodeError as error:
        return Heartbeat(now, "down", f"{part}: unreadable heartbeat: {error}")
    if now - heartbeat.at > STALE_AFTER:
        return msgspec.structs.replace(heartbeat, status="down", detail=f"{part} was last heard at {heartbeat.at}")
    return heartbeat
