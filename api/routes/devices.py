"""Devices: which there are, how they do, what went wrong with one."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException

from alerts.history import AlertFilter, AlertRow, DeviceRow
from alerts.model import AlertState
from api.dependencies import Given
from api.models import Alert, Device, DeviceWithAlerts, Fault
from api.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, page, read_cursor, read_number_cursor
from api.parameters import Community, FaultsOfDevice, Kind, NamedDevice
from api.responses import NOT_FOUND
from core.devices import DeviceKey

router = APIRouter(prefix="/devices", tags=["devices"])
_OPEN_ALERTS_SHOWN = 100


@router.get("", summary="List devices")
async def list_devices(
    given: Given, community: Community = None, kind: Kind = None, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[Device]:
    """Devices in order of their path, each with the newest value of every signal."""
    after = read_cursor("devices", cursor)
    rows = await given.records.devices(community, kind and kind.value, after, limit + 1)
    return page("devices", rows, limit, lambda row: row.device.path, Device.of)


@router.get("/{community}/{kind}/{device}", summary="Show one device", responses=NOT_FOUND)
async def get_device(given: Given, named: NamedDevice) -> DeviceWithAlerts:
    """One device with the newest value of every signal and its alerts that fire now."""
    row = await known_device(given, named)
    firing = await given.records.alerts(_firing(named), None, _OPEN_ALERTS_SHOWN)
    return _with_alerts(row, firing)


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


def _firing(named: DeviceKey) -> AlertFilter:
    return AlertFilter(
        state=AlertState.FIRING.value, community=named.community, kind=named.kind.value, device=named.device
    )


def _with_alerts(row: DeviceRow, firing: list[AlertRow]) -> DeviceWithAlerts:
    shown = Device.of(row)
    return DeviceWithAlerts(**dict(shown), alerts=[Alert.of(alert) for alert in firing])
