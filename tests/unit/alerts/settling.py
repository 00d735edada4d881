"""A service in a test that runs until it waits for more, and then stands still until it is let go on."""

import asyncio


class Settling:
    """Run the service as ``task`` and give it `_wait` and `_pause` to wait by; ``pauses`` holds each, in seconds."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.task: asyncio.Task[None]
        self._idle = asyncio.Event()
        self._go = asyncio.Event()

    async def settle(self) -> None:
        """Let the service take everything there is, as of the clock, and wait for it to have done so."""
        await self._until_idle()
        self._idle.clear()
        self._go.set()
        await self._until_idle()

    async def _wait(self, *_until: float) -> None:
        self._idle.set()
        await self._go.wait()
        self._go.clear()

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    async def _until_idle(self) -> None:
        idle = asyncio.create_task(self._idle.wait())
        await asyncio.wait({idle, self.task}, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        if self.task.done():
            self.task.result()
