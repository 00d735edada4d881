"""What people tell of the devices: where they stand, what they hang on, what they are rated for."""

from collections.abc import Mapping

from msgspec import Struct

from core.devices import DeviceKey


class DeviceFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """The standing data of one device; everything may be left out. Nothing in here is sent by the device itself."""

    name_zh: str = ""
    name_en: str = ""
    """What people call it and where it is: "3 号楼电梯", "lift of block 3"."""
    building: str = ""
    gateway: str = ""
    """The device (of kind ``gateway``, in the same community) through which it speaks; silent with it."""
    tags: frozenset[str] = frozenset()
    numbers: dict[str, float] = {}
    """Rated figures that rules may compare with, the unit in the name: ``rated_load_kilograms``, ``stops``."""
    retired: bool = False
    """It was taken out of service: that nothing is heard of it raises nothing any more, whatever it says still does."""
    rescue_code: str = ""
    """The six digits by which the city's hotline 96333 knows a lift."""
    contractor: str = ""
    """Who maintains it: the name of a contact of the emergency plan."""


_NOTHING = DeviceFacts()


class Inventory:
    """The facts of every device anybody has told of, at one version. Immutable."""

    def __init__(self, facts: Mapping[DeviceKey, DeviceFacts] | None = None, version: int = 0) -> None:
        self.version = version
        self._facts = dict(facts or {})
        self.communities = frozenset(device.community for device in self._facts)
        """Those of which anybody has told of a device."""

    def of(self, device: DeviceKey) -> DeviceFacts:
        """Return what is known of ``device``; empty facts where nothing is."""
        return self._facts.get(device, _NOTHING)

    def has(self, device: DeviceKey) -> bool:
        """Tell whether anybody has told of ``device``."""
        return device in self._facts
