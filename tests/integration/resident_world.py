"""A house with a lift, whoever is on duty in it, and what a resident does with the page."""

import asyncio
from dataclasses import dataclass, field

from fastapi import FastAPI
from playwright.async_api import Page, expect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emergency import acts
from emergency.model import Call
from tests.unit.api.walls import Points, calls_of, hang_up_codes
from tests.unit.api.world import World, application, empty_world

# Records every number that is dialled, as a phone would open its dialler with it.
DIALLED = """
window.dialled = [];
document.addEventListener('click', (event) => {
  const link = event.target.closest('a[href^="tel:"]');
  if (link) { window.dialled.push(link.getAttribute('href')); event.preventDefault(); }
}, true);
"""


@dataclass
class House:
    """The world of a house with one lift: ``app`` serves it."""

    world: World
    points: Points
    app: FastAPI
    sent: list[tuple[str, int]] = field(default_factory=list)
    """What browsers were sent of pages: path and bytes of the body, in order."""
    between: int | None = None
    """The status with which something between browser and server answers instead of it."""

    def calls(self) -> list[Call]:
        """Return all calls, the oldest first."""
        return calls_of(self.world)

    async def messenger_had(self, *, failed: bool = False) -> None:
        """Have the receiver of the ladder confirm the newest page, or fail for good."""
        outbox, now = self.world.calling.records.desk.outbox, self.world.clock.steady()
        ending = outbox.give_up if failed else outbox.delivered
        await ending(outbox.entries[-1].number, now, "")

    async def act(self, call_id: str, what: acts.Act) -> None:
        """Do something on duty."""
        assert await self.world.calling.switchboard.act(call_id, what, "li") is not None


async def house() -> House:
    """Return a house where nobody has called yet."""
    world = empty_world()
    points = await hang_up_codes(world)
    home = House(world, points, application(world))
    home.app.add_middleware(_Weighing, sent=home.sent)
    home.app.add_middleware(_Between, home=home)
    return home


class _Weighing:
    """Notes what is sent."""

    def __init__(self, app: ASGIApp, sent: list[tuple[str, int]]) -> None:
        self._app = app
        self._sent = sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_weighed(message: Message) -> None:
            if message["type"] == "http.response.body":
                self._sent.append((scope["path"], len(message["body"])))
            await send(message)

        await self._app(scope, receive, send_weighed)


class _Between:
    """A proxy that may have lost the server."""

    def __init__(self, app: ASGIApp, home: House) -> None:
        self._app = app
        self._home = home

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = self._home.between
        answer = Response("nothing here", status, media_type="text/html") if status else self._app
        await answer(scope, receive, send)


async def tap(page: Page) -> None:
    await page.locator("#tap").click(no_wait_after=True)


async def tap_again(page: Page) -> None:
    """Call again after the end."""
    await page.locator("#again").click(no_wait_after=True)


async def seen(page: Page, text: str) -> None:
    await expect(page.locator("body")).to_contain_text(text, use_inner_text=True)


async def answered(page: Page) -> None:
    """Wait until the page says that its call has arrived."""
    await seen(page, "呼叫已发出")


async def kept_for_offline(page: Page) -> None:
    """Wait until the page has been kept on this phone."""
    kept = "caches.open('anju pages 1').then(cache => cache.match(location.pathname)).then(page => !!page)"
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    while not await page.evaluate(kept):
        await asyncio.sleep(0.05)
