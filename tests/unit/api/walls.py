"""QR codes on the walls of a house with one lift, and the calls that came from them."""

from core.errors import TemporaryError
from emergency.model import Call, CallPoint
from storage.memory.calls import MemoryCallPoints
from tests.unit.api.calling import CALLED
from tests.unit.api.twins import START
from tests.unit.api.world import World

TOKEN = "W8t2qkP0mJ5r_xYz-AbC12"
FORMER = "former0000000000000000"
ENTRANCE = "entrance00000000000000"


class Points(MemoryCallPoints):
    """Points whose records a test can take away."""

    away = False
    broken = False
    """Whether reading fails as nobody expects it."""

    async def by_token(self, token: str) -> tuple[CallPoint, bool] | None:
        if self.away:
            raise TemporaryError("records: away")
        if self.broken:
            raise LookupError("records: password secret")
        return await super().by_token(token)


async def hang_up_codes(world: World) -> Points:
    """Put a code at the lift, whose token was changed once, and one at an entrance."""
    points = Points()
    for point in (
        CallPoint("p1", "xingfu", FORMER, "", "", lift=CALLED),
        CallPoint("p1", "xingfu", TOKEN, "", "", lift=CALLED, generation=2),
        CallPoint("p2", "xingfu", ENTRANCE, "北门", "<North> gate", building="5"),
    ):
        await points.put(point, "lan", START)
    world.calling.points = points
    return points


def calls_of(world: World) -> list[Call]:
    """Return all calls as they stand, the oldest first."""
    return list({commit.call.id: commit.call for commit in world.calling.records.commits}.values())
