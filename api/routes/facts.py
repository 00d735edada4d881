"""What people tell of a device: its name, where it stands, what it hangs on, what it is rated for."""

from fastapi import APIRouter

from alerts.inventory import DeviceFacts
from api.auth import CurrentActor
from api.dependencies import Given
from api.facts import Facts
from api.parameters import NamedDevice
from api.problems import InvalidRequest
from api.responses import NOT_FOUND, TOO_LARGE
from api.routes.devices import known_device
from core.devices import DeviceKind

router = APIRouter(prefix="/devices/{community}/{kind}/{device}/facts", tags=["devices"])


@router.get("", summary="What people told of one device", responses=NOT_FOUND)
async def get_facts(given: Given, named: NamedDevice) -> Facts:
    """The standing facts of a device that was heard of or told of."""
    facts = (await given.registry.inventory()).of(named)
    if facts == DeviceFacts():
        await known_device(given, named)
    return Facts.of(facts)


@router.put("", summary="Tell the facts of one device", responses=TOO_LARGE)
async def put_facts(given: Given, actor: CurrentActor, named: NamedDevice, told: Facts) -> Facts:
    """Replace what was told before, all of it; a device may be told of before it is heard."""
    if told.gateway and named.kind is DeviceKind.GATEWAY and told.gateway == named.device:
        raise InvalidRequest("body.gateway", f"{named.path} would hang on itself", "another gateway, or none")
    facts = told.told()
    await given.registry.put_facts(named, facts, actor.name, given.clock.now())
    return Facts.of(facts)
