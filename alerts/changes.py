"""Which devices' states have changed since the last commit, and which devices are forgotten."""

from alerts.sites import Site
from core.devices import DeviceKey


class Changes:
    """Changed states are encoded when they are taken, not with every message."""

    def __init__(self) -> None:
        self._dirty: dict[str, Site] = {}
        self._deleted: set[str] = set()
        self._forgotten: list[DeviceKey] = []

    def mark_dirty(self, site: Site) -> None:
        """Note that the state of ``site`` has changed."""
        if not site.dirty:
            site.dirty = True
            self._dirty[site.device.path] = site

    def forget(self, site: Site) -> None:
        """Note that ``site`` is forgotten; nothing can mark it dirty afterwards."""
        self._dirty.pop(site.device.path, None)
        site.dirty = True
        self._deleted.add(site.device.path)
        self._forgotten.append(site.device.key)

    def take_states(self) -> dict[str, bytes | None]:
        """Return the states that changed since the last call, by device path; ``None`` deletes."""
        changed: dict[str, bytes | None] = dict.fromkeys(self._deleted)
        for path, site in self._dirty.items():
            site.dirty = False
            changed[path] = site.encode()
        self._dirty, self._deleted = {}, set()
        return changed

    def take_forgotten(self) -> list[DeviceKey]:
        """Return the devices forgotten since the last call; some may have been heard anew since."""
        forgotten, self._forgotten = self._forgotten, []
        return forgotten
