"""Which codes of lifts no list knows: from the fault episodes, where each is *other fault*."""

from typing import Any

from sqlalchemy import Row, func, select

from alerts.history import UnknownCodeRow
from core.code_lists import is_known
from core.faults import FaultKind
from storage.records.database import RecordsDatabase
from storage.records.statements import device_key
from storage.records.tables import faults

# Codes come from devices: one that invents them must not fill the memory of whoever asks.
_GROUPS_AT_MOST = 10_000
_CODE = (faults.c.source, faults.c.code, faults.c.community, faults.c.device_kind, faults.c.device)


class CodesAdapter:
    """The API's `UnknownCodes` port on the records database. Raises `TemporaryError` when it is away."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    async def unknown_codes(self, community: str | None, limit: int) -> list[UnknownCodeRow]:
        """Return the codes that no list in force knows, by device, the newest first; at most ``limit``."""
        newest = func.max(faults.c.raised_at).label("last_seen_at")
        counts = (func.count().label("episodes"), func.min(faults.c.raised_at).label("first_seen_at"), newest)
        wanted = select(*_CODE, *counts).where(faults.c.kind == FaultKind.OTHER.value)
        if community is not None:
            wanted = wanted.where(faults.c.community == community)
        wanted = wanted.group_by(*_CODE).order_by(newest.desc()).limit(_GROUPS_AT_MOST)
        async with self._database.reading() as connection:
            found = [row for row in await connection.execute(wanted) if not is_known(row.source, row.code)]
        return [_unknown_code(row) for row in found[:limit]]


def _unknown_code(row: Row[Any]) -> UnknownCodeRow:
    return UnknownCodeRow(
        device=device_key(row.community, row.device_kind, row.device),
        source=row.source,
        code=row.code,
        episodes=row.episodes,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
    )
