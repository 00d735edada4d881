"""The timelines of alerts as the emergency service follows them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, select

from core.devices import DeviceKey, DeviceKind
from emergency.ports import AlertStep
from emergency.watch import late_words
from storage.records.call_tables import calls_progress
from storage.records.database import RecordsDatabase
from storage.records.tables import FOR_THE_DESK, transition_counter, transitions


class AlertStepsAdapter:
    """`emergency.ports.AlertSteps` on the records database, for the steps of ``rules``."""

    def __init__(self, database: RecordsDatabase, rules: Sequence[str]) -> None:
        self._database = database
        self._rules = sorted(rules)

    async def followed(self) -> int:
        """Return the sequence up to which they have been followed."""
        async with self._database.reading() as connection:
            return int((await connection.execute(select(calls_progress.c.followed))).scalar_one())

    async def steps(self, after: int, limit: int) -> list[AlertStep]:
        """Return steps above ``after``, in order, without *pending* and what the desk notes; empty at the end."""
        concerned = select(transitions).where(transitions.c.sequence > after, FOR_THE_DESK)
        wanted = concerned.where(transitions.c.rule.in_(self._rules))
        return await self._database.read_page(wanted, transitions, _step, by=transitions.c.sequence, limit=limit)

    async def last_sequence(self) -> int:
        """Return the newest step's sequence, whatever its rule."""
        async with self._database.reading() as connection:
            return int((await connection.execute(select(transition_counter.c.last_sequence))).scalar_one())


def _step(row: Row[Any]) -> AlertStep:
    device = DeviceKey(row.community, DeviceKind(row.device_kind), row.device)
    late = late_words(msgspec.json.decode(row.facts, type=dict[str, object]), row.reason_zh, row.reason_en)
    return AlertStep(row.sequence, row.alert_id, row.rule, device.path, row.kind, row.at, late)
