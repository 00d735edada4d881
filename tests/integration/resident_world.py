"""A lift with a QR code, whoever is on duty, and the page served by a real server in the session's loop."""

from dataclasses import dataclass

import msgspec
from fastapi import FastAPI

from emergency import acts
from emergency.model import Call, CallPoint
from tests.unit.api.calling import CALLED
from tests.unit.api.world import World, application, empty_world

TOKEN = "W8t2qkP0mJ5r_xYz-AbC12"
FORMER = "former0000000000000000"
ENTRANCE = "entrance00000000000000"


@dataclass
class House:
    """The world of a house with one lift: ``app`` serves it."""

    world: World
    app: FastAPI

    def calls(self) -> list[Call]:
        """Return all calls, the oldest first."""
        return list(self.world.calling.records.rows.values())

    async def act(self, call_id: str, what: acts.Act) -> None:
        """Do something on duty."""
        assert await self.world.calling.switchboard.act(call_id, what, "li") is not None


def house() -> House:
    """Return a house where nobody has called yet."""
    world = empty_world()
    points = world.calling.points
    lift = CallPoint("p1", "xingfu", TOKEN, "", "", lift=CALLED, generation=2)
    entrance = CallPoint("p2", "xingfu", ENTRANCE, "北门", "North gate <1>", building="5")
    points.rows = {"p1": lift, "p2": entrance}
    points.tokens = {TOKEN: "p1", FORMER: "p1", ENTRANCE: "p2"}
    return House(world, application(world))


def json_of(call: Call) -> str:
    """Return a call as text, for messages of failed tests."""
    return msgspec.json.encode(call).decode()
