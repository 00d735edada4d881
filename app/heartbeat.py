"""How each part says that it lives: a small file, rewritten every second, that any other process may read."""

import asyncio
import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import structlog

from core.clock import Clock

EVERY_SECONDS = 1.0
ABOUT_MANY = ("device-", "community-", "unknown-devices")
"""How the components begin of which there may be thousands."""
STALE_AFTER = timedelta(seconds=10)
# Files are padded to whole blocks of the common file systems: overwriting one in place then needs no new block, which
# a full disk would not give.
_BLOCK_BYTES = 4_096
_log = structlog.get_logger()
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Heartbeat(msgspec.Struct, frozen=True):
    """One sign of life. ``status`` is ``up``, ``degraded`` or ``down``; ``figures`` are counters and gauges by name.

    ``problems`` says in one line what is wrong with a component, by the component's name (`alerts.dispatch.system`).
    """

    at: _Instant
    status: str
    detail: str
    figures: dict[str, float] = {}
    problems: dict[str, str] = {}
    steady: _Instant | None = None
    """``at`` by the steady clock (`core.clock`)."""


class Pulse(msgspec.Struct, frozen=True):
    """What a part says of itself when asked."""

    status: str
    detail: str
    figures: dict[str, float]
    problems: Mapping[str, str] = {}


def path_of(folder: Path, part: str) -> Path:
    """Return the file in which ``part`` says that it lives."""
    return folder / "health" / f"{part}.json"


async def beat(
    folder: Path, part: str, clock: Clock, pulse: Callable[[], Pulse], *, every_seconds: float = EVERY_SECONDS
) -> None:
    """Write the heartbeat of ``part`` until cancelled; a failure to write is logged when it changes."""
    target = path_of(folder, part)
    failed = ""
    while True:
        said = pulse()
        try:
            write(target, _of(said, clock))
        except OSError as error:
            if failed != str(error):
                _log.warning("heartbeat.unwritten", part=part, reason=str(error))
            failed = str(error)
        else:
            failed = ""
        await asyncio.sleep(every_seconds)


def _of(said: Pulse, clock: Clock) -> Heartbeat:
    return Heartbeat(clock.now(), said.status, said.detail, said.figures, dict(said.problems), clock.steady())


def write(target: Path, heartbeat: Heartbeat) -> None:
    """Replace the file in one step: a reader sees the old one or the new one.

    Where a draft cannot be written, for want of room, the file is overwritten in place, and a reader may meet half of
    either for an instant. Raises `OSError`.
    """
    text = msgspec.json.encode(heartbeat)
    text = text.ljust(-(-len(text) // _BLOCK_BYTES) * _BLOCK_BYTES)
    draft = target.with_suffix(f".{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(text)
        draft.replace(target)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        _overwrite(target, heartbeat)


def _overwrite(target: Path, heartbeat: Heartbeat) -> None:
    """Write as much as fits into the blocks of the file: a full disk would cut what is longer in the middle."""
    with target.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        for text in map(msgspec.json.encode, _shorter(heartbeat)):
            if len(text) <= size:
                file.write(text.ljust(size))
                return
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))


def _shorter(heartbeat: Heartbeat) -> Iterator[Heartbeat]:
    """Yield ``heartbeat`` with less and less in it, what is worth most last."""
    yield heartbeat
    yield (heartbeat := msgspec.structs.replace(heartbeat, figures={}))
    own = {name: wrong for name, wrong in heartbeat.problems.items() if not name.startswith(ABOUT_MANY)}
    yield msgspec.structs.replace(heartbeat, problems=own)
    yield msgspec.structs.replace(heartbeat, problems={})


def read(folder: Path, part: str, now: datetime) -> Heartbeat:
    """Return the last heartbeat of ``part``; one that is missing or stale reads as *down*, with the reason.

    ``now`` is an instant of the steady clock: a wall clock that is set makes no heartbeat stale, or fresh for hours.
    One that cannot be read for a reason of the reader's own (no file descriptor is left) reads as *degraded*: nothing
    is known of the part then.
    """
    try:
        heartbeat = msgspec.json.decode(path_of(folder, part).read_bytes(), type=Heartbeat)
    except FileNotFoundError:
        return Heartbeat(now, "down", f"{part} has never run on this folder")
    except OSError as error:
        return Heartbeat(now, "degraded", f"{part}: heartbeat cannot be read: {error.strerror}")
    except msgspec.DecodeError as error:
        return Heartbeat(now, "down", f"{part}: unreadable heartbeat: {error}")
    if abs(now - (heartbeat.steady or heartbeat.at)) > STALE_AFTER:
        return msgspec.structs.replace(
            heartbeat, status="down", detail=f"{part} was last heard at {heartbeat.at}", problems={}
        )
    return heartbeat
