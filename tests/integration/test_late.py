"""What arrives late through the real journal, decoder and records: told once, across a restart and a redelivery."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zlib import crc32

import msgspec
import pytest

from alerts.engine import Engine
from alerts.history import AlertFilter
from alerts.packs import builtin_rules
from alerts.service import AlertService
from core.clock import ManualClock
from core.devices import Channel, DeviceKey, DeviceKind
from core.observations import Incoming
from core.wire import topics
from emergency.watch import RULES
from ingest.decoders.native import NativeDecoder
from storage.journal.sqlite import SqliteJournal
from storage.records import AlertRecordsAdapter, AlertStepsAdapter, RecordsAdapter, RecordsDatabase, upgrade

START = datetime(2026, 8, 14, 6, 0, tzinfo=UTC)
GATE = DeviceKey("jinxiu", DeviceKind.GATE, "east")
LIFT = DeviceKey("jinxiu", DeviceKind.ELEVATOR, "lift-1")
BACK, HAPPENED = 1_800, 720
"""Seconds after the start; both happened at 14:12 in Shanghai and came at 14:30."""


def said(seconds: float, device: DeviceKey, channel: Channel, at: float, **fields: object) -> Incoming:
    payload = msgspec.json.encode({"at": START + timedelta(seconds=at), **fields})
    topic = topics.build(device, channel)
    digest = crc32(topic.encode() + payload)
    return Incoming(topic, payload, len(payload), START + timedelta(seconds=seconds), digest)


def gap(device: DeviceKey) -> list[Incoming]:
    """Return the presence of a device that is away for 29 minutes."""
    states = ((0, "online"), (60, "offline"), (BACK, "online"))
    return [said(at, device, Channel.PRESENCE, at, status=status) for at, status in states]


def late(seconds: float, **more: object) -> list[Incoming]:
    """Return what was stored meanwhile, as it is sent at ``seconds``."""
    return [
        said(seconds, GATE, Channel.EVENT, HAPPENED, type="forced_open", **more),
        said(seconds, LIFT, Channel.EVENT, HAPPENED, type="alarm_pressed", **more),
    ]


class Installation:
    """A journal and records in a folder."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(START)
        self.journal = SqliteJournal(folder / "journal.sqlite")
        self.database = RecordsDatabase(f"sqlite+aiosqlite:///{folder / 'records.sqlite'}")

    async def decide(self, *messages: Incoming) -> None:
        """Start the service on what is committed, let it decide all of the journal and ten seconds more, stop it."""
        self.journal.append(sorted(messages, key=lambda each: each.received_at))
        self.clock.advance(max(each.received_at for each in messages) + timedelta(seconds=10) - self.clock.now())
        last, turns, done = self.journal.last_position(), 0, asyncio.Event()

        async def wait(position: int, _seconds: float) -> None:
            nonlocal turns
            turns += position >= last
            if turns > 1:
                done.set()
                await asyncio.Event().wait()

        service = AlertService(
            self.journal,
            NativeDecoder(b"k" * 16),
            AlertRecordsAdapter(self.database, self.clock),
            Engine(builtin_rules()),
            self.clock,
            wait=wait,
        )
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(service.run())
            await done.wait()
            running.cancel()

    async def alerts(self) -> list[tuple[str, str, str, str]]:
        found = await RecordsAdapter(self.database).alerts(AlertFilter(), None, 50)
        return sorted(
            (each.rule, each.severity, each.state, each.reason_zh) for each in found if "off" not in each.rule
        )


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    await upgrade(f"sqlite+aiosqlite:///{tmp_path / 'records.sqlite'}")
    here = Installation(tmp_path)
    here.journal.open(appending=True)
    await here.database.open()
    yield here
    await here.database.close()
    here.journal.close()


async def test_what_was_stored_is_told_once_across_a_restart_and_a_redelivery(installation: Installation) -> None:
    await installation.decide(*gap(GATE), *gap(LIFT))
    # Stopped while it is gathered: the restart tells it all the same.
    await installation.decide(*late(BACK + 1))
    expected = [
        ("car-alarm-button", "critical", "firing", "轿厢报警按钮被按下，发生于 14:12，刚刚收到"),
        ("gate-forced-open", "major", "firing", "门 1：强行开门，发生于 14:12，刚刚收到"),
    ]
    assert await installation.alerts() == expected
    # The same bytes again, then the same events with another running number, as a gateway replays its history.
    await installation.decide(*late(BACK + 30))
    await installation.decide(*late(BACK + 60, seq=7))
    assert await installation.alerts() == expected
    (press,) = await AlertStepsAdapter(installation.database, sorted(RULES)).steps(0, 10)
    assert press.late == (
        "轿厢报警按钮被按下，发生于 14:12，刚刚收到 / car alarm button pressed, happened at 14:12, received just now"
    )


async def test_its_end_that_comes_after_a_restart_makes_it_past(installation: Installation) -> None:
    await installation.decide(*gap(GATE), late(BACK + 1)[0])
    await installation.decide(said(BACK + 60, GATE, Channel.EVENT, BACK + 60, type="door_closed"))
    assert [each[:3] for each in await installation.alerts()] == [("gate-forced-open", "minor", "firing")]
    told = await RecordsAdapter(installation.database).transitions(0, 50)
    assert "发生于 14:12，已于 14:31 结束" in told[-1].reason_zh
    await installation.decide(said(BACK + 700, GATE, Channel.EVENT, BACK + 700, type="granted"))
    assert [each[:3] for each in await installation.alerts()] == [("gate-forced-open", "minor", "resolved")]
