"""Invented names through the real journal, decoder, engine and records: what is forgotten leaves no row behind."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zlib import crc32

import msgspec
import pytest

from alerts.engine import Engine
from alerts.inventory import DeviceFacts
from alerts.packs import builtin_rules
from alerts.service import AlertService
from alerts.unknown_devices import UnknownLimits
from core.clock import ManualClock
from core.devices import Channel, DeviceKey, DeviceKind
from core.observations import Incoming
from core.wire import topics
from core.wire.payloads import Body, ElevatorEvent, ElevatorEventType, ElevatorTelemetry
from ingest.decoders.native import NativeDecoder
from storage.journal.sqlite import SqliteJournal
from storage.records import AlertRecordsAdapter, RecordsDatabase, RegistryAdapter, upgrade

START = datetime(2026, 8, 14, tzinfo=UTC)
NAMES = 20_000
LIMITS = UnknownLimits(500, 800)
KNOWN = [DeviceKey("jinxiu", DeviceKind.ELEVATOR, f"known-{number}") for number in range(20)]
pytestmark = pytest.mark.timeout(300)


def said(device: DeviceKey, at: datetime, body: Body) -> Incoming:
    channel = Channel.EVENT if isinstance(body, ElevatorEvent) else Channel.TELEMETRY
    topic, payload = topics.build(device, channel), msgspec.json.encode(body)
    return Incoming(topic, payload, len(payload), at, crc32(topic.encode() + payload))


def invented(numbers: Iterable[int], begin: datetime) -> Iterator[Incoming]:
    """Yield readings of lifts that nobody told of: half of them in a known community, half each in one of its own."""
    for number in numbers:
        at = begin + timedelta(milliseconds=number)
        community = "jinxiu" if number % 2 else f"invented-{number}"
        yield said(DeviceKey(community, DeviceKind.ELEVATOR, f"x-{number}"), at, ElevatorTelemetry(at=at))


class Installation:
    """A journal and records in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.clock = ManualClock(START)
        self.journal = SqliteJournal(folder / "journal.sqlite")
        self.database = RecordsDatabase(f"sqlite+aiosqlite:///{folder / 'records.sqlite'}")

    def append(self, messages: Iterable[Incoming]) -> None:
        self.journal.append(list(messages))

    @asynccontextmanager
    async def decided(self) -> AsyncIterator[AlertService]:
        """Run the service on what is committed, until all of the journal is decided."""
        done, last = asyncio.Event(), self.journal.last_position()

        async def wait(position: int, _seconds: float) -> None:
            if position >= last:
                done.set()
                await asyncio.Event().wait()

        service = AlertService(
            self.journal,
            NativeDecoder(b"k" * 16),
            AlertRecordsAdapter(self.database, self.clock),
            Engine(builtin_rules(), LIMITS),
            self.clock,
            wait=wait,
            registry=RegistryAdapter(self.database),
        )
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(service.run())
            await done.wait()
            yield service
            running.cancel()

    def rows(self, select: str) -> list[str]:
        with closing(sqlite3.connect(self._folder / "records.sqlite")) as connection:
            return [row[0] for row in connection.execute(select)]

    def devices(self) -> set[str]:
        return set(self.rows("SELECT path FROM devices"))

    def states(self) -> set[str]:
        return set(self.rows("SELECT path FROM engine_states"))


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    await upgrade(f"sqlite+aiosqlite:///{tmp_path / 'records.sqlite'}")
    here = Installation(tmp_path)
    here.journal.open(appending=True)
    await here.database.open()
    registry = RegistryAdapter(here.database)
    for device in KNOWN:
        await registry.put_facts(device, DeviceFacts(), "test", START)
    yield here
    await here.database.close()
    here.journal.close()


async def test_names_without_end_leave_as_many_rows_as_the_bounds_allow(installation: Installation) -> None:
    installation.append(said(device, START, ElevatorTelemetry(at=START, floor="7")) for device in KNOWN)
    known = {device.path for device in KNOWN}
    forgotten = 0
    for part in range(4):
        numbers = range(part * NAMES // 4, (part + 1) * NAMES // 4)
        installation.append(invented(numbers, START + timedelta(seconds=1)))
        async with installation.decided() as service:
            pass
        forgotten += service.stats.forgotten
        devices = installation.devices()
        assert known <= devices
        assert installation.states() == devices | {f"live:{path}" for path in devices}
        here = {path for path in devices - known if path.startswith("jinxiu/")}
        assert (len(here), len(devices - known - here)) == (LIMITS.per_community, LIMITS.unregistered_communities)
    assert forgotten == NAMES - LIMITS.per_community - LIMITS.unregistered_communities


async def test_a_button_at_an_unknown_lift_is_told_among_invented_ones_that_press_as_well(
    installation: Installation,
) -> None:
    def pressed(device: DeviceKey, at: datetime) -> Incoming:
        return said(device, at, ElevatorEvent(at=at, type=ElevatorEventType.ALARM_PRESSED))

    real = DeviceKey("jinxiu", DeviceKind.ELEVATOR, "real")
    lifts = [DeviceKey("jinxiu", DeviceKind.ELEVATOR, f"x-{number}") for number in range(2 * LIMITS.per_community)]
    lifts.insert(LIMITS.per_community + 100, real)
    installation.append(pressed(lift, START + timedelta(milliseconds=n)) for n, lift in enumerate(lifts))
    async with installation.decided():
        pass
    raised = "SELECT device FROM alerts WHERE rule = 'car-alarm-button'"
    assert "real" in installation.rows(raised)
    assert len(installation.rows(raised)) == len(lifts)
    assert len(installation.rows(f"{raised} AND resolved_at IS NULL")) == LIMITS.per_community
    ended = "SELECT reason_code FROM transitions WHERE kind = 'resolved' AND rule = 'car-alarm-button'"
    assert set(installation.rows(ended)) == {"unknown_device_forgotten"}
