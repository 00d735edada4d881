"""Writing together what comes in together: while one group is being written, the next one gathers.

A transaction costs the same sync of the disk for one row as for two hundred. Whoever writes alone waits no longer than
before; when many come at once, they share it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

_Item = TypeVar("_Item")

Refusals = dict[int, Exception]
"""What is raised at whose caller, by the item's place; the others are stored."""


class GroupedWrites(Generic[_Item]):
    """``write`` stores a group in one transaction. What it raises is raised at everybody in the group."""

    def __init__(self, write: Callable[[Sequence[_Item]], Awaitable[Refusals]], most: int = 256) -> None:
        self._write = write
        self._most = most
        self._waiting: list[tuple[_Item, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def put(self, item: _Item) -> None:
        """Return when ``item`` is stored, in the order of calling. Cancelled while it waits, it is stored all the same.

        Wrap the caller in `uninterrupted`, so that it learns of that.
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all(), name="grouped writes")
        await written

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._write_group(group)
        finally:
            self._writer = None

    async def _write_group(self, group: list[tuple[_Item, asyncio.Future[None]]]) -> None:
        try:
            refusals = await self._write([item for item, _ in group])
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to those who wait for it
            refusals = dict.fromkeys(range(len(group)), error)
        except BaseException:
            for _, written in group:
                written.cancel()
            raise
        for place, (_, written) in enumerate(group):
            if written.done():
                continue
            if (refusal := refusals.get(place)) is None:
                written.set_result(None)
            else:
                written.set_exception(refusal)
