"""The newest transitions, read from the records once per process however many clients listen.

Sequences rise without gaps, so a bounded window of the newest frames serves every client from the place it has come to.
A client that falls behind the window reads from the records itself: slow clients cost no memory and lose nothing.
"""

import asyncio
import random
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import NamedTuple

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


class Frame(NamedTuple):
    """One transition, ready to send; community and kind stand beside it for filters."""

    sequence: int
    community: str
    kind: str
    encoded: bytes


def frame_of(row: TransitionRow) -> Frame:
    """Return ``row`` as a server-sent event whose id is its sequence."""
    body = Transition.of(row).model_dump_json()
    encoded = f"id: {row.sequence}\nevent: transition\ndata: {body}\n\n".encode()
    return Frame(row.sequence, row.device.community, row.device.kind.value, encoded)


def backoff_seconds(failures: int) -> float:
    """Return how long to wait after ``failures`` in a row: doubling, capped, between half and all of it."""
    longest = min(_BACKOFF_LIMIT_SECONDS, _BACKOFF_FIRST_SECONDS * float(1 << min(failures, 10)))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards no secret


class Feed:
    """Follows the records while somebody listens. `run` must be running; `close` ends every stream, for good."""

    def __init__(
        self,
        records: Records,
        *,
        poll_seconds: float = POLL_SECONDS,
        window: int = WINDOW,
        clients: int = CLIENTS_LIMIT,
    ) -> None:
        self._records = records
        self._poll_seconds = poll_seconds
        self._clients_limit = clients
        self._clients = 0
        self._frames: deque[Frame] = deque(maxlen=window)
        self._last: int | None = None
        self._wanted = asyncio.Event()
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def clients(self) -> int:
        """How many streams are open."""
        return self._clients

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
        self._announce()

    def check_room(self) -> None:
        """Raise `TemporaryError` when no further stream can be served."""
        if self._closed:
            raise TemporaryError("the live stream is stopping")
        if self._clients >= self._clients_limit:
            raise TemporaryError(f"{self._clients} streams are open: expected at most {self._clients_limit}")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count one client, so that the records are followed."""
        self._clients += 1
        self._wanted.set()
        try:
            yield
        finally:
            self._clients -= 1
            if self._clients == 0:
                self._wanted.clear()

    async def start(self, after: int | None) -> int:
        """Return the sequence a new client begins behind: ``after``, or now for ``None`` or what is yet to come."""
        newest = await self._records.last_sequence()
        return newest if after is None else min(after, newest)

    async def since(self, sequence: int) -> Sequence[Frame]:
        """Return the frames after ``sequence`` in order, empty when there are none yet. Raises `TemporaryError`."""
        if self._last is None or sequence >= self._last:
            return ()
        if self._frames and self._frames[0].sequence <= sequence + 1:
            fresh = list(takewhile(lambda frame: frame.sequence > sequence, reversed(self._frames)))
            return fresh[::-1]
        return [frame_of(row) for row in await self._records.transitions(sequence, BATCH)]

    async def run(self) -> None:
        """Follow the records until cancelled. If it ever fails, streams end, so that clients notice."""
        failures = 0
        try:
            while True:
                await self._wait_until_wanted()
                try:
                    full = await self._advance()
                    failures = 0
                except TemporaryError:
                    failures += 1
                    full = False
                await asyncio.sleep(backoff_seconds(failures) if failures else 0 if full else self._poll_seconds)
        finally:
            self.close()

    async def _wait_until_wanted(self) -> None:
        if not self._wanted.is_set():
            # What happens from here on is not followed: begin anew at the newest when somebody comes.
            self._frames.clear()
            self._last = None
            await self._wanted.wait()

    async def _advance(self) -> bool:
        """Take in what is new; tell whether there may be more at once."""
        if self._last is None:
            self._last = await self._records.last_sequence()
            self._announce()
            return True
        rows = await self._records.transitions(self._last, BATCH)
        if rows:
            self._frames.extend(frame_of(row) for row in rows)
            self._last = rows[-1].sequence
            self._announce()
        return len(rows) == BATCH

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
