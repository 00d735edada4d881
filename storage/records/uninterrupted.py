"""Writing to the end: a transaction that is cancelled half-way can leave its lock behind."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

_Parameters = ParamSpec("_Parameters")
_Answer = TypeVar("_Answer")


def uninterrupted(
    write: Callable[_Parameters, Coroutine[Any, Any, _Answer]],
) -> Callable[_Parameters, Coroutine[Any, Any, _Answer]]:
    """Let ``write`` run to its end although its caller is cancelled; the caller learns of that afterwards.

    The SQLite driver works in a thread. Cancelled while that thread takes the write lock, nobody would be left to give
    it back, and every later writer would find the database locked.
    """

    @wraps(write)
    async def whole(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Answer:
        writing = asyncio.ensure_future(write(*args, **kwargs))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            await _ended(writing)
            raise

    return whole


async def _ended(writing: Awaitable[object]) -> None:
    (done, _) = await asyncio.wait([asyncio.ensure_future(writing)])
    for task in done:
        # Looked at, so that asyncio does not report it: a write that failed is repeated by whoever needs it.
        task.cancelled() or task.exception()
