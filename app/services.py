"""One task group owns everything that runs; a service that ends by itself has failed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from core.errors import AnjuError

Service = Callable[[], Awaitable[None]]


class ServiceEnded(AnjuError):
    """A service returned although nobody asked it to; a TaskGroup alone would not notice."""


async def run_until(stopping: asyncio.Event, services: Mapping[str, Service]) -> None:
    """Run every service until ``stopping`` is set or one fails; then cancel all and wait for them.

    The first failure is raised by itself, without the group around it.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_guarded(name, run), name=name) for name, run in services.items()]
            await stopping.wait()
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as failures:
        raise _first(failures) from None


async def _guarded(name: str, run: Service) -> None:
    await run()
    raise ServiceEnded(f"{name} ended by itself")


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    failure: BaseException = failures
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
