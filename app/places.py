"""What is known of a lift when help is called to it: what people told of it, and what it last said itself."""

from collections.abc import Collection

import structlog

from alerts.history import DeviceRow
from alerts.inventory import DeviceFacts
from api.ports import RegistryStore
from core.devices import DeviceKey
from core.errors import TemporaryError
from emergency.model import Place, Value
from emergency.ports import Standing
from storage.records import RecordsAdapter

_log = structlog.get_logger()
_SHOWN = (
    "floor",
    "door_state",
    "door_zone",
    "direction",
    "passenger_present",
    "load_kilograms",
    "position_metres",
    "speed_mps",
    "service_mode",
    "main_power",
)


class KnownPlaces:
    """`emergency.ports.KnownLifts` over the records."""

    def __init__(self, records: RecordsAdapter, registry: RegistryStore) -> None:
        self._records = records
        self._registry = registry

    async def standing(self, paths: Collection[str]) -> Standing:
        """Return how well lifts are known; nothing, where the records cannot be asked."""
        try:
            inventory = await self._registry.inventory()
            heard = await self._records.first_heard(sorted(paths))
        except TemporaryError as error:
            _log.warning("place.unknown", lifts=len(paths), reason=str(error))
            return Standing()
        return Standing({path for path in paths if inventory.has(DeviceKey.from_path(path))}, heard)

    async def of_lift(self, path: str) -> Place:
        """Return the place of a lift; with what there is, where the records cannot be asked."""
        device = DeviceKey.from_path(path)
        try:
            row = await self._records.device(device)
            facts = (await self._registry.inventory()).of(device)
        except TemporaryError as error:
            _log.warning("place.unknown", lift=path, reason=str(error))
            row, facts = None, DeviceFacts()
        return Place(
            community=device.community,
            lift=path,
            building=facts.building,
            name_zh=facts.name_zh,
            name_en=facts.name_en,
            rescue_code=facts.rescue_code,
            contractor=facts.contractor,
            latest={} if row is None else latest_of(row),
        )


def latest_of(row: DeviceRow) -> dict[str, Value]:
    """Return what a lift last said, signal by signal, of what matters to rescuers."""
    said: dict[str, Value] = {}
    for signals in row.latest.values():
        for name in _SHOWN:
            value = signals.get(name, {}).get("value")
            if isinstance(value, str | int | float | bool):
                said[name] = value
    return said
