"""A lift with a QR code, whoever is on duty, and the page served by a real server in the session's loop."""

from dataclasses import dataclass, field

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emergency import acts
from emergency.model import Call
from tests.unit.api.walls import Points, calls_of, hang_up_codes
from tests.unit.api.world import World, application, empty_world


@dataclass
class House:
    """The world of a house with one lift: ``app`` serves it."""

    world: World
    points: Points
    app: FastAPI
    sent: list[tuple[str, int]] = field(default_factory=list)
    """What browsers were sent of pages: path and bytes of the body, in order."""

    def calls(self) -> list[Call]:
        """Return all calls, the oldest first."""
        return calls_of(self.world)

    async def act(self, call_id: str, what: acts.Act) -> None:
        """Do something on duty."""
        assert await self.world.calling.switchboard.act(call_id, what, "li") is not None


async def house() -> House:
    """Return a house where nobody has called yet."""
    world = empty_world()
    points = await hang_up_codes(world)
    home = House(world, points, application(world))
    home.app.add_middleware(_Weighing, sent=home.sent)
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
