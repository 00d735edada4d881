"""QR codes on the walls of a house with one lift, and the calls that came from them."""

from msgspec.structs import replace

from alerts.dispatch.plan import AppriseChannel, Receiver
from core.errors import TemporaryError
from emergency.model import Call, CallPoint, ScannedCode
from storage.memory.calls import MemoryCallPoints
from tests.unit.api.calling import CALLED
from tests.unit.api.people import PLAN
from tests.unit.api.twins import START
from tests.unit.api.world import World

_FIRST = CallPoint("p1", "xingfu", "", "", lift=CALLED)
_LIFT = CallPoint("p1", "xingfu", "", "", lift=CALLED, generation=2)
_GATE = CallPoint("p2", "xingfu", "北门", "<North> gate", building="5")
FORMER, TOKEN, ENTRANCE = (MemoryCallPoints().tokens.of(point) for point in (_FIRST, _LIFT, _GATE))


class Points(MemoryCallPoints):
    """Points whose records a test can take away."""

    away = False
    broken = False
    """Whether reading fails as nobody expects it."""

    async def by_token(self, token: str) -> ScannedCode | None:
        if self.away:
            raise TemporaryError("records: away")
        if self.broken:
            raise LookupError("records: password secret")
        return await super().by_token(token)


def tell_by_messenger(world: World, *names: str) -> None:
    """Make the receivers ``names``, by default that of the ladder, ones that a person reads."""
    messengers = [Receiver(name, apprise=AppriseChannel("${WALL}")) for name in names or ["wall"]]
    world.people.plan.plan = replace(PLAN, receivers=[*PLAN.receivers, *messengers])


async def hang_up_codes(world: World) -> Points:
    """Put a code at the lift, whose token was changed once, and one at an entrance."""
    points = Points()
    for point in (_FIRST, _LIFT, _GATE):
        await points.put(point, "lan", START)
    world.calling.points = points
    return points


def calls_of(world: World) -> list[Call]:
    """Return all calls as they stand, the oldest first."""
    return list({commit.call.id: commit.call for commit in world.calling.records.commits}.values())
