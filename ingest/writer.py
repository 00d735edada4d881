"""The telemetry writer: one reader of the journal, which never gives up and never skips."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from core.clock import Clock
from core.errors import MalformedPoints
from core.observations import Entry, Rejection, RejectionReason
from core.telemetry import Point
from ingest.decoded import Batch, Decode, Message, decoded
from ingest.decoders.native import rejection_of
from ingest.patience import Patience
from ingest.ports import Journal, TelemetryWriter
from ingest.writer_state import WriterSettings, WriterState, WriterStats

READER = "telemetry"

Answer = TypeVar("Answer")


class TelemetryWriterService:
    """Carries the journal into a telemetry store and settles what became of every entry.

    The order is: store, then settle. Stopped in between, it writes the same batch again next time, which changes
    nothing in the store, and counts it once. ``wait_for_more(position, seconds)`` returns when the journal has grown
    past ``position``, or after ``seconds``; returning too early costs one look into the journal.
    """

    def __init__(
        self,
        journal: Journal,
        decode: Decode,
        store: TelemetryWriter,
        clock: Clock,
        *,
        wait_for_more: Callable[[int, float], Awaitable[None]],
        settings: WriterSettings | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._journal = journal
        self._decode = decode
        self._store = store
        self._clock = clock
        self._wait_for_more = wait_for_more
        self._settings = settings or WriterSettings()
        self._patience = patience or Patience(self._settings.backoff)
        self._stats = WriterStats()

    @property
    def stats(self) -> WriterStats:
        """Return the counters with the present state; a live object."""
        stats, troubles = self._stats, self._patience.troubles
        stats.detail = "; ".join(f"{name}: {reason}" for name, reason in troubles.items())
        stats.retries = self._patience.retries
        if stats.state in (WriterState.RUNNING, WriterState.RETRYING):
            stats.state = WriterState.RETRYING if troubles else WriterState.RUNNING
        return stats

    async def run(self) -> None:
        """Write until cancelled; raises `PermanentError` (a damaged journal, a store of a newer Anju)."""
        try:
            await self._patience.until_done("telemetry", self._store.prepare)
            await self._write_on(await self._reading("register", partial(self._journal.register, READER)))
        except ExceptionGroup as group:
            # Of the two tasks of a step, the one that failed first has cancelled the other.
            raise group.exceptions[0] from None
        finally:
            self._stats.state = WriterState.STOPPED

    async def _write_on(self, position: int) -> None:
        self._stats.position, self._stats.state = position, WriterState.RUNNING
        batch = await self._next(position)
        while True:
            # While the store works on one batch, the next is read and decoded: at most two are in memory.
            async with asyncio.TaskGroup() as step:
                ahead = step.create_task(self._next(batch.position), name="telemetry read ahead")
                await self._keep(batch)
            batch = ahead.result()

    async def _next(self, position: int) -> Batch:
        """Return the entries above ``position``, decoded; waits for the first of them."""
        limit = self._settings.batch_limit
        while not (entries := await self._read(position, limit)):
            await self._wait_for_more(position, self._settings.idle_wait.total_seconds())
        fill_seconds = self._settings.fill_time.total_seconds()
        if fill_seconds and len(entries) < self._settings.fill_below:
            await asyncio.sleep(fill_seconds)
            entries += await self._read(entries[-1].position, limit - len(entries))
        return await decoded(entries, self._decode)

    async def _read(self, position: int, limit: int) -> list[Entry]:
        return await self._reading("read", partial(self._journal.read, position, limit))

    async def _reading(self, name: str, call: Callable[[], Answer]) -> Answer:
        return await self._patience.until_done(f"journal.{name}", partial(asyncio.to_thread, call))

    async def _keep(self, batch: Batch) -> None:
        stored: list[Message] = []
        refused: list[Rejection] = []
        await self._store_all(batch.messages, stored, refused)
        settle = partial(self._journal.settle, READER, batch.settlement(stored, refused))
        await self._patience.until_done("journal.settle", partial(_to_the_end, settle))
        stats = self._stats
        stats.position = batch.position
        stats.messages += len(stored)
        stats.points += sum(len(message.points) for message in stored)
        stats.rejected += len(batch.rejections) + len(refused)
        stats.batches += 1

    async def _store_all(self, messages: Sequence[Message], stored: list[Message], refused: list[Rejection]) -> None:
        """Store ``messages``; a batch that is refused is halved until the message to blame stands alone."""
        if not messages:
            return
        points = [point for message in messages for point in message.points]
        try:
            await self._patience.until_done("telemetry", lambda: self._timed_write(points))
        except MalformedPoints as error:
            if len(messages) == 1:
                refused.append(rejection_of(messages[0].entry, RejectionReason.REFUSED_BY_STORE, str(error)))
                return
            middle = len(messages) // 2
            await self._store_all(messages[:middle], stored, refused)
            await self._store_all(messages[middle:], stored, refused)
        else:
            stored.extend(messages)

    async def _timed_write(self, points: Sequence[Point]) -> None:
        began = self._clock.steady()
        try:
            await self._store.write(points)
        finally:
            self._stats.write_seconds += (self._clock.steady() - began).total_seconds()


async def _to_the_end(call: Callable[[], None]) -> None:
    """Run ``call`` in a thread and, when cancelled, wait for its end first.

    A thread cannot be stopped. Were it left alone, a successor could read the position before it is advanced, cut its
    batches elsewhere, and count the same entries again.
    """
    working = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        working.cancelled() or working.exception()  # Looked at: if it failed, the batch is written again next time.
        raise
