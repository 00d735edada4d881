"""Devices: which there are, how they do, what went wrong with one."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException

from alerts.history import AlertFilter, AlertRow, DeviceRow
from alerts.inventory import DeviceFacts, Inventory
from alerts.model import AlertState
from api.dependencies import Given
from api.models import Alert, Device, DeviceWithAlerts, Fault
from api.pagination import DEFAULT_LIMIT, MAXIMUM_LIMIT, Cursor, Limit, Page, page, read_cursor, read_number_cursor
from api.parameters import Community, FaultsOfDevice, Kind, NamedDevice
from api.responses import NOT_FOUND
from core.devices import DeviceKey

router = APIRouter(prefix="/devices", tags=["devices"])
_OPEN_ALERTS_SHOWN = 100
_Label = Annotated[str | None, Query(pattern=r"^[^\x00-\x1f\x7f,]{1,64}$")]


@router.get("", summary="List devices")
async def list_devices(
    given: Given,
    *,
    community: Community = None,
    kind: Kind = None,
    building: Annotated[_Label, Query(description="Only devices of this building.")] = None,
    tag: Annotated[_Label, Query(description="Only devices with this tag.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[Device]:
    """Devices in order of their path, each with its facts and the newest value of every signal."""
    inventory = await given.registry.inventory()
    rows: list[DeviceRow] = []
    after = read_cursor("devices", cursor)
    batch = limit + 1 if building is None and tag is None else MAXIMUM_LIMIT
    # What people tell stands apart from what was heard, so the rows are narrowed here.
    while len(rows) <= limit:
        some = await given.records.devices(community, kind and kind.value, after, batch)
        rows += [row for row in some if _is_wanted(inventory.of(row.device), building, tag)]
        if len(some) < batch:
            break
        after = some[-1].device.path
    return page("devices", rows[: limit + 1], limit, lambda row: row.device.path, lambda row: _shown(row, inventory))


@router.get("/{community}/{kind}/{device}", summary="Show one device", responses=NOT_FOUND)
async def get_device(given: Given, named: NamedDevice) -> DeviceWithAlerts:
    """One device with its facts, the newest value of every signal and its alerts that fire now."""
    row = await known_device(given, named)
    firing = await given.records.alerts(_firing(named), None, _OPEN_ALERTS_SHOWN)
    return _with_alerts(_shown(row, await given.registry.inventory()), firing)


@router.get("/{community}/{kind}/{device}/faults", summary="Fault history of one device", responses=NOT_FOUND)
async def list_device_faults(
    given: Given, named: NamedDevice, matching: FaultsOfDevice, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[Fault]:
    """Fault episodes of one device, newest first."""
    before = read_number_cursor("faults", cursor)
    await known_device(given, named)
    rows = await given.records.faults(matching, before, limit + 1)
    return page("faults", rows, limit, lambda row: row.number, Fault.of)


async def known_device(given: Given, named: DeviceKey) -> DeviceRow:
    """Return what is known of a device; answers 404 when nothing is."""
    row = await given.records.device(named)
    if row is None:
        raise HTTPException(404, f"no device {named.path}: it has never been heard")
    return row


def _is_wanted(facts: DeviceFacts, building: str | None, tag: str | None) -> bool:
    return building in (None, facts.building) and (tag is None or tag in facts.tags)


def _firing(named: DeviceKey) -> AlertFilter:
    return AlertFilter(
        state=AlertState.FIRING.value, community=named.community, kind=named.kind.value, device=named.device
    )


def _shown(row: DeviceRow, inventory: Inventory) -> Device:
    return Device.of(row, inventory.of(row.device))


def _with_alerts(shown: Device, firing: list[AlertRow]) -> DeviceWithAlerts:
    return DeviceWithAlerts(**dict(shown), alerts=[Alert.of(alert) for alert in firing])
