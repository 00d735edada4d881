"""What people of the demo community would have told of its devices."""

from datetime import datetime

import msgspec

from alerts.inventory import DeviceFacts
from core.devices import DeviceKey
from simulators.facts import facts_of
from simulators.spec import CommunitySpec
from storage.records import RegistryAdapter

ACTOR = "demo"


async def tell_facts(registry: RegistryAdapter, community: CommunitySpec, now: datetime) -> None:
    """Keep the facts of each device that nobody has told of yet. Raises `TemporaryError`."""
    known = await registry.inventory()
    for path, facts in facts_of(community).items():
        device = DeviceKey.from_path(path)
        if known.of(device) == DeviceFacts():
            await registry.put_facts(device, msgspec.convert(facts, DeviceFacts), ACTOR, now)
