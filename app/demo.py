"""What people of the demo community would have told of its devices, and the codes they would have put on its walls."""

from datetime import datetime

import msgspec

from alerts.inventory import DeviceFacts
from core.devices import DeviceKey, DeviceKind
from emergency.model import CallPoint
from emergency.tokens import PointTokens
from simulators.facts import facts_of
from simulators.spec import CommunitySpec
from storage.records import CallPointsAdapter, RegistryAdapter

ACTOR = "demo"


async def tell_facts(registry: RegistryAdapter, community: CommunitySpec, now: datetime) -> None:
    """Keep the facts of each device that nobody has told of yet. Raises `TemporaryError`."""
    known = await registry.inventory()
    for path, facts in facts_of(community).items():
        device = DeviceKey.from_path(path)
        if known.of(device) == DeviceFacts():
            await registry.put_facts(device, msgspec.convert(facts, DeviceFacts), ACTOR, now)


async def put_codes(points: CallPointsAdapter, tokens: PointTokens, community: CommunitySpec, now: datetime) -> str:
    """Keep a call point at each lift without one; return the path of the first page. Raises `TemporaryError`."""
    known = {point.lift: point for point in await points.points(community.community)}
    lifts = [DeviceKey(community.community, DeviceKind.ELEVATOR, each.device).path for each in community.lifts]
    for lift in lifts:
        if lift not in known:
            known[lift] = CallPoint(f"demo-{lift.rpartition('/')[2]}", community.community, "", "", lift)
            await points.put(msgspec.structs.replace(known[lift], created_at=now), ACTOR, now)
    return f"/c/{tokens.of(known[lifts[0]])}" if lifts else ""
