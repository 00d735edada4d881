"""What people tell of devices."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, select

from alerts.inventory import DeviceFacts, Inventory
from core.devices import DeviceKey
from storage.records.database import RecordsDatabase
from storage.records.kept_tables import device_facts
from storage.records.statements import device_key, device_parts, upsert_into
from storage.records.uninterrupted import uninterrupted
from storage.records.unreadable import decoded
from storage.records.versions import FACTS, next_version, version_of


class RegistryAdapter:
    """`alerts.ports.Registry` and the API's `RegistryStore` on the records database.

    Everything raises `TemporaryError` when the database is away.
    """

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database
        self._newest: Inventory | None = None

    async def inventory(self) -> Inventory:
        """Return the facts of all devices; ``version`` rises with every change.

        Cheap while nothing changes: one row is read, and the same inventory returned.
        """
        async with self._database.reading() as connection:
            # The version first: facts that change in between are read again when the next version is seen.
            version = await version_of(connection, FACTS)
            if self._newest is None or self._newest.version != version:
                told = await connection.execute(select(device_facts))
                facts = dict(decoded(told, device_facts, facts_of, self._database.unreadable))
                self._newest = Inventory(facts, version)
            return self._newest

    @uninterrupted
    async def put_facts(self, device: DeviceKey, facts: DeviceFacts, actor: str, now: datetime) -> None:
        """Keep what ``actor`` tells of ``device``, in place of what was told before; heard of yet or not."""
        said = {"facts": msgspec.json.encode(facts, order="deterministic").decode(), "author": actor, "at": now}
        async with self._database.writing() as connection:
            await next_version(connection, FACTS)
            insert = upsert_into(connection, device_facts)
            keeping = insert.on_conflict_do_update(
                index_elements=["path"], set_={name: insert.excluded[name] for name in said}
            )
            await connection.execute(keeping, {"path": device.path, **device_parts(device), **said})


def facts_of(row: Row[Any]) -> tuple[DeviceKey, DeviceFacts]:
    device = device_key(row.community, row.device_kind, row.device)
    return device, msgspec.json.decode(row.facts, type=DeviceFacts)
