"""What happens, read from the records once per process however many clients listen.

Sequences rise without gaps, so a bounded window of the newest frames serves every client from the place it has come to.
A client that falls behind the window reads from the records itself: slow clients cost no memory and lose nothing.
"""

import asyncio
import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import NamedTuple, Protocol

import structlog

from alerts.history import TransitionRow
from api.models import Transition
from api.ports import Records
from core.errors import TemporaryError

# Half the pause is what a transition waits for on average, within the 50 ms from publishing to the stream.
POLL_SECONDS = 0.010
BATCH = 500
WINDOW = 1_000  # Frames of about 700 bytes: below 1 MB for all clients together.
CLIENTS_LIMIT = 200
_BACKOFF_FIRST_SECONDS = 0.1
_BACKOFF_LIMIT_SECONDS = 5.0

_log = structlog.get_logger()


class Frame(NamedTuple):
    """One thing that happened, ready to send; what filters look at stands beside it by name."""

    sequence: int
    encoded: bytes
    labels: Mapping[str, str]


class FrameSource(Protocol):
    """Where frames are read from. Sequences rise without gaps and never appear late. Raises `TemporaryError`."""

    async def newest(self) -> int:
        """Return the newest sequence, 0 when there is none."""
        ...

    async def frames(self, after: int, limit: int) -> Sequence[Frame]:
        """Return frames with sequences above ``after``, in order."""
        ...


class TransitionFrames:
    """The transitions of all alerts."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def newest(self) -> int:
        return await self._records.last_sequence()

    async def frames(self, after: int, limit: int) -> Sequence[Frame]:
        return [frame_of(row) for row in await self._records.transitions(after, limit)]


def frame_of(row: TransitionRow) -> Frame:
    """Return ``row`` as a server-sent event whose id is its sequence."""
    encoded = event_of(row.sequence, "transition", Transition.of(row).model_dump_json())
    return Frame(row.sequence, encoded, {"community": row.device.community, "kind": row.device.kind.value})


def event_of(sequence: int, name: str, body: str) -> bytes:
    """Return one server-sent event."""
    return f"id: {sequence}\nevent: {name}\ndata: {body}\n\n".encode()


def backoff_seconds(failures: int) -> float:
    """Return how long to wait after ``failures`` in a row: doubling, capped, between half and all of it."""
    longest = min(_BACKOFF_LIMIT_SECONDS, _BACKOFF_FIRST_SECONDS * float(1 << min(failures, 10)))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards no secret


async def comes(event: asyncio.Event, seconds: float) -> bool:
    """Wait for ``event``, ``seconds`` at most; tell whether it came."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


class Feed:
    """Follows ``source`` while somebody listens; `close` ends every stream, for good."""

    def __init__(
        self,
        source: FrameSource,
        *,
        poll_seconds: float = POLL_SECONDS,
        window: int = WINDOW,
        clients: int = CLIENTS_LIMIT,
    ) -> None:
        self._source = source
        self._poll_seconds = poll_seconds
        self._clients_limit = clients
        self._clients = 0
        self._frames: deque[Frame] = deque(maxlen=window)
        self._last: int | None = None
        self._failures = 0
        self._following: asyncio.Task[None] | None = None
        self._deserted = asyncio.Event()
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def source(self) -> FrameSource:
        """Where its frames come from."""
        return self._source

    @property
    def clients(self) -> int:
        """How many streams are open."""
        return self._clients

    @property
    def reached(self) -> int | None:
        """The newest sequence taken in, ``None`` while the records are not followed."""
        return self._last

    @property
    def closed(self) -> bool:
        """Whether streams have to end."""
        return self._closed

    @property
    def changed(self) -> asyncio.Event:
        """Set at the next change. Take it *before* looking at the frames, so that no change falls in between."""
        return self._changed

    def close(self) -> None:
        """End every stream and refuse new ones; calling it again does nothing."""
        self._closed = True
        self._deserted.set()
        self._announce()

    def check_room(self) -> None:
        """Raise `TemporaryError` when no further stream can be served."""
        if self._closed:
            raise TemporaryError("the live stream is stopping")
        if self._clients >= self._clients_limit:
            raise TemporaryError(f"{self._clients} streams are open: expected at most {self._clients_limit}")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count one client. The first one starts the following of the records, which ends by itself after the last."""
        self._clients += 1
        if not self._closed:
            self._deserted.clear()
        if self._following is None:
            self._following = asyncio.create_task(self._follow(), name="api.feed")
        try:
            yield
        finally:
            self._clients -= 1
            if self._clients == 0:
                self._deserted.set()

    async def start(self, after: int | None) -> int:
        """Return the sequence a new client begins behind: ``after``, or now for ``None`` or what is yet to come."""
        newest = await self._source.newest()
        return newest if after is None else min(after, newest)

    async def since(self, sequence: int) -> Sequence[Frame]:
        """Return the frames after ``sequence`` in order, empty when there are none yet. Raises `TemporaryError`."""
        if self._last is None or sequence >= self._last:
            return ()
        if self._frames and self._frames[0].sequence <= sequence + 1:
            fresh = list(takewhile(lambda frame: frame.sequence > sequence, reversed(self._frames)))
            return fresh[::-1]
        return await self._source.frames(sequence, BATCH)

    async def _follow(self) -> None:
        try:
            while not self._deserted.is_set():
                await comes(self._deserted, await self._advance_or_back_off())
        finally:
            # What happens from here on is not followed: the next client begins anew at the newest.
            self._frames.clear()
            self._last = self._following = None

    async def _advance_or_back_off(self) -> float:
        """Take in what is new, and return how many seconds to rest."""
        try:
            full = await self._advance()
        except Exception as error:  # noqa: BLE001 - the task's border: if it died, streams would silently fall quiet
            self._note_failure(error)
        else:
            self._failures = 0
            return 0.0 if full else self._poll_seconds
        return backoff_seconds(self._failures)

    def _note_failure(self, error: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            _log.warning("feed.failed", error=type(error).__name__, reason=str(error))

    async def _advance(self) -> bool:
        """Take in what is new; tell whether there may be more at once."""
        if self._last is None:
            self._last = await self._source.newest()
            self._announce()
            return True
        fresh = await self._source.frames(self._last, BATCH)
        if fresh:
            self._frames.extend(fresh)
            self._last = fresh[-1].sequence
            self._announce()
        return len(fresh) == BATCH

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
