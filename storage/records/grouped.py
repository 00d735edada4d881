"""Doing together what is asked for together: while one group is at work, the next one gathers.

A transaction costs the same sync of the disk for one row as for two hundred, and a question the same round trip. Who
comes alone waits no longer than before; when many come at once, they share.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")

MOST = 256
"""How many share at most: others who write wait for as long as a group takes."""


class Grouped(Generic[_Item, _Answer]):
    """``work`` takes a group and returns an answer for each of it, in order; an exception is raised at who asked.

    What ``work`` raises itself is raised at everybody in the group. A group begins after all in it have asked.
    """

    def __init__(self, work: Callable[[Sequence[_Item]], Awaitable[Sequence[_Answer | Exception]]]) -> None:
        self._work = work
        self._waiting: list[tuple[_Item, asyncio.Future[_Answer]]] = []
        self._working: asyncio.Task[None] | None = None

    async def ask(self, item: _Item) -> _Answer:
        """Return the answer to ``item``; groups are worked on in the order of asking, at most `MOST` in each.

        Cancelled while it waits, the work is done all the same: where that matters, wrap the caller in `uninterrupted`.
        """
        answered: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answered))
        if self._working is None:
            self._working = asyncio.create_task(self._work_all(), name="grouped")
        return await answered

    async def _work_all(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                await self._work_on(group)
        finally:
            self._working = None

    async def _work_on(self, group: list[tuple[_Item, "asyncio.Future[_Answer]"]]) -> None:
        answers: Sequence[_Answer | Exception]
        try:
            answers = await self._work([item for item, _ in group])
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to those who wait for it
            answers = [error] * len(group)
        except BaseException:
            for _, answered in group:
                answered.cancel()
            raise
        for (_, answered), answer in zip(group, answers, strict=True):
            if answered.done():
                continue
            if isinstance(answer, Exception):
                answered.set_exception(answer)
            else:
                answered.set_result(answer)
