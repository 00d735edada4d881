"""Supervision: which failures end the process, and which services are started again (decision 0009).

A service that returns by itself has failed, which a TaskGroup alone would not notice.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from core.errors import AnjuError
from ingest.backoff import Backoff

SERVICE = "service/"
"""Prefix of the component name under which a failing service is reported."""
_BACKOFF = Backoff(first=timedelta(seconds=1), most=timedelta(minutes=1))
# A restarted service that runs for this long counts as recovered: most mistakes that repeat show within seconds.
RECOVERED_AFTER_SECONDS = 30.0
# One line of a heartbeat, an alert and `/readyz`, whatever a library says; the log has all of it.
_TEXT_CHARACTERS = 300
_log = structlog.get_logger()


@dataclass(frozen=True)
class Service:
    """Something that runs until it is cancelled. ``run`` may be called again after it failed.

    The failure of a ``vital`` service ends the process: without it the others would act on a picture that no longer
    changes.
    """

    run: Callable[[], Awaitable[None]]
    vital: bool = False


class ServiceEnded(AnjuError):
    """A service returned although nobody asked it to."""


@dataclass
class _Failure:
    text: str
    count: int = 0
    restarted_at: float | None = None
    """Monotonic seconds; ``None`` while the service waits for its restart."""


class Supervisor:
    """Runs services, restarts those that are not vital, and knows which of them fail.

    ``pause`` waits between restarts and ``monotonic`` reads seconds; tests replace both.
    """

    def __init__(
        self,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pause = pause
        self._monotonic = monotonic
        self._failures: dict[str, _Failure] = {}
        self.restarts = 0
        """Restarts of all services since the start of the process."""

    def problems(self) -> dict[str, str]:
        """Return the failing services as *component → error*; a restarted one until it has run for 30 s."""
        return {SERVICE + name: failure.text for name, failure in self._failures.items() if self._is_open(failure)}

    async def run(self, stopping: asyncio.Event, services: Mapping[str, Service]) -> None:
        """Run ``services`` until ``stopping`` is set or a vital one fails; then cancel all and wait for them.

        The failure of a vital service is raised by itself, without the group around it.
        """
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._supervise(name, each), name=name) for name, each in services.items()]
                await stopping.wait()
                for task in tasks:
                    task.cancel()
        except BaseExceptionGroup as failures:
            raise _first(failures) from None

    async def _supervise(self, name: str, service: Service) -> None:
        waits = _BACKOFF.waits(random.random)
        while True:
            began = self._monotonic()
            try:
                await _until_failure(name, service.run)
            except Exception as error:
                # A task's border: whatever a service failed of must not end the services beside it.
                if service.vital:
                    raise
                if self._monotonic() - began > _BACKOFF.most.total_seconds():
                    waits = _BACKOFF.waits(random.random)
                self._note(name, error)
            await self._pause(next(waits))
            self._failures[name].restarted_at = self._monotonic()
            self.restarts += 1

    def _note(self, name: str, error: Exception) -> None:
        text = " ".join(f"{type(error).__name__}: {error}".rstrip(": ").split())[:_TEXT_CHARACTERS]
        known = self._failures.get(name)
        failure = self._failures[name] = _Failure(text, (known.count if known and self._is_open(known) else 0) + 1)
        if known is None or known.text != text or failure.count == 1:
            _log.error("service.failed", service=name, reason=text, exc_info=error)

    def _is_open(self, failure: _Failure) -> bool:
        restarted_at = failure.restarted_at
        return restarted_at is None or self._monotonic() - restarted_at < RECOVERED_AFTER_SECONDS


async def serve(
    stopping: asyncio.Event, opened: AbstractAsyncContextManager[Mapping[str, Service]], supervisor: Supervisor
) -> None:
    """Open, run the services until ``stopping`` is set, and close.

    A start may wait for a database or a broker: ``stopping`` cancels it then, and that is no failure.
    """
    starting = asyncio.current_task()
    assert starting is not None  # noqa: S101 - a coroutine runs in a task

    async def cancel() -> None:
        await stopping.wait()
        starting.cancel()

    cancelling = asyncio.create_task(cancel(), name="stop while starting")
    try:
        async with opened as services:
            cancelling.cancel()
            await supervisor.run(stopping, services)
    except asyncio.CancelledError:
        if not cancelling.done() or cancelling.cancelled():
            raise
        starting.uncancel()
    finally:
        cancelling.cancel()


async def _until_failure(name: str, run: Callable[[], Awaitable[None]]) -> None:
    try:
        await run()
    except asyncio.CancelledError:
        # A TaskGroup takes a cancelled child for one that it cancelled: a service whose own inner task was cancelled
        # (a pool that shut down, a timeout that leaked) would be gone without a word, a vital one too.
        if (task := asyncio.current_task()) is None or task.cancelling():
            raise
        raise ServiceEnded(f"{name} was cancelled by something of its own") from None
    raise ServiceEnded(f"{name} ended by itself")


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    failure: BaseException = failures
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
