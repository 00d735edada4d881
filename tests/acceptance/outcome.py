"""What became of messages: read from the journal, the records and InfluxDB, past all of Anju's own processes."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from alerts.dispatch.model import OutboxEntry, OutboxStatus
from alerts.history import AlertFilter, TransitionRow
from core.clock import SystemClock
from core.devices import DeviceKey
from ingest.ports import LedgerRow
from storage.journal.sqlite import SqliteJournal
from storage.records import OutboxAdapter, RecordsAdapter, RecordsDatabase
from storage.telemetry.influx import InfluxTelemetry
from tests.acceptance.lifts import Alert
from tests.servers.influx import Influx

PAGE = 500
MOST_POINTS = 1_000_000
_Answer = TypeVar("_Answer")


def ledger(var: Path) -> LedgerRow:
    """The sum of the whole ledger; all zero before the journal exists."""
    rows = ledger_rows(var)
    return LedgerRow(
        date.min,
        "",
        sum(row.received for row in rows),
        sum(row.stored for row in rows),
        sum(row.duplicate for row in rows),
        sum(row.rejected for row in rows),
    )


def ledger_rows(var: Path) -> list[LedgerRow]:
    """The whole ledger, by day and community."""
    journal = SqliteJournal(var / "journal.sqlite")
    journal.open(appending=False)
    try:
        return journal.ledger(date(2000, 1, 1))
    finally:
        journal.close()


def last_position(var: Path) -> int:
    """The newest position of the journal."""
    journal = SqliteJournal(var / "journal.sqlite")
    journal.open(appending=False)
    try:
        return journal.last_position()
    finally:
        journal.close()


class Records:
    """The alerts' records in ``var``, or at ``url``; opened anew for every question."""

    def __init__(self, var: Path, url: str | None = None) -> None:
        self.url = url or f"sqlite+aiosqlite:///{var / 'records.sqlite'}"

    def position(self) -> int:
        """Up to where the alert engine has decided."""

        async def ask(records: RecordsAdapter) -> int:
            return await records.alert_position()

        return asyncio.run(self._ask(ask))

    def transitions(self) -> list[TransitionRow]:
        """Every transition, in order."""
        return asyncio.run(self._ask(_all_transitions))

    def firing(self) -> set[tuple[str, str]]:
        """Rule and device of every alert that fires now."""

        async def ask(records: RecordsAdapter) -> set[tuple[str, str]]:
            found = await records.alerts(AlertFilter(state="firing"), None, PAGE)
            return {(alert.rule, alert.device.path) for alert in found}

        return asyncio.run(self._ask(ask))

    def outbox(self) -> list[OutboxEntry]:
        """Everything that was to be told, newest first."""
        return self._entries(None)

    def waiting(self) -> list[OutboxEntry]:
        """What is still to be delivered."""
        return self._entries(OutboxStatus.WAITING.value)

    def _entries(self, status: str | None) -> list[OutboxEntry]:
        async def ask(database: RecordsDatabase) -> list[OutboxEntry]:
            outbox, found = OutboxAdapter(database), list[OutboxEntry]()
            while True:
                before = found[-1].number if found else None
                page = await outbox.outbox(status=status, receiver=None, alert_id=None, before=before, limit=PAGE)
                found += page
                if len(page) < PAGE:
                    return found

        return asyncio.run(self._with_database(ask))

    async def _ask(self, ask: Callable[[RecordsAdapter], Awaitable[_Answer]]) -> _Answer:
        return await self._with_database(lambda database: ask(RecordsAdapter(database)))

    async def _with_database(self, ask: Callable[[RecordsDatabase], Awaitable[_Answer]]) -> _Answer:
        database = RecordsDatabase(self.url)
        await database.open()
        try:
            return await ask(database)
        finally:
            await database.close()


async def _all_transitions(records: RecordsAdapter) -> list[TransitionRow]:
    found: list[TransitionRow] = []
    while page := await records.transitions(found[-1].sequence if found else 0, PAGE):
        found += page
    return found


def counted(transitions: Iterable[TransitionRow]) -> Counter[Alert]:
    """How often each rule fired and resolved on each device."""
    wanted = ("firing", "resolved")
    return Counter((step.rule, step.device.path, step.kind) for step in transitions if step.kind in wanted)


def numbers_in_influx(
    influx: Influx, devices: Iterable[DeviceKey], family: str, since: datetime, until: datetime | None = None
) -> dict[DeviceKey, list[int]]:
    """The sequence numbers of every raw point of ``family``, by device, as often as they are there; until now."""
    return asyncio.run(_numbers_in_influx(influx, devices, family, since, until or SystemClock().now()))


async def _numbers_in_influx(
    influx: Influx, devices: Iterable[DeviceKey], family: str, since: datetime, until: datetime
) -> dict[DeviceKey, list[int]]:
    store = InfluxTelemetry(
        url=influx.url, token=influx.token, org=influx.org, bucket=influx.bucket, retention=None, timeout_seconds=60
    )
    try:
        return {
            device: [
                int(sample.value)
                for series in await store.range(
                    device, family, ["seq"], since=since, until=until + timedelta(minutes=1), limit=MOST_POINTS
                )
                for sample in series.samples
            ]
            for device in devices
        }
    finally:
        await store.close()
