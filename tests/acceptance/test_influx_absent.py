"""InfluxDB away for a whole day of a fleet, where `ANJU_TEST_INFLUX_ABSENT_HOURS` says for how many simulated hours.

The wall clock of Anju and of the devices is set forward by one step at a time, and each step brings the messages of its
time: they arrive on time, and their instants fill the day. The journal's bound is far below what it has to keep until
InfluxDB is back.
"""

import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app import heartbeat
from core.clock import SystemClock
from core.devices import Channel, DeviceKey
from core.wire import topics
from storage.journal.sqlite import SqliteJournal
from tests.acceptance import outcome
from tests.acceptance.bad_days.chaos.load import Publisher
from tests.acceptance.lifts import LIFTS, RULE_SETTINGS, Alert
from tests.acceptance.running import Anju, influx_settings, wait_until
from tests.servers.faketime import WallClock
from tests.servers.influx import Influx
from tests.servers.plugin import MakeInflux, MakeMosquitto

HOURS = float(os.environ.get("ANJU_TEST_INFLUX_ABSENT_HOURS", "0"))
ALARM = "car-alarm-button"
MIB = 1024 * 1024
# Shorter than five minutes, beyond which a message is late.
STEP = timedelta(minutes=4)
EVERY = timedelta(seconds=10)
STEPS_PER_ALARM = 15
STEPS_PER_RESTART = 90
"""A start tidies the journal at once."""
SETTLE_SECONDS = 300.0


class Fleet:
    """Twenty lifts that send a reading every ten seconds, and one alarm an hour; ``seq`` counts by lift."""

    def __init__(self, publisher: Publisher, clock: WallClock) -> None:
        self.numbers: dict[tuple[DeviceKey, str], list[int]] = defaultdict(list)
        self.alarms: Counter[Alert] = Counter()
        self.sent = 0
        self._publisher = publisher
        self._clock = clock
        self._last: Counter[DeviceKey] = Counter()

    def now(self) -> datetime:
        return SystemClock().now() + timedelta(seconds=self._clock.ahead)

    def send_step(self, step: int) -> None:
        """Send all messages of one step, which ends now."""
        now = self.now()
        for tick in range(STEP // EVERY):
            for lift in LIFTS:
                self._send(lift, Channel.TELEMETRY, now - STEP + (tick + 1) * EVERY, {"floor": "1", "speed_mps": 0.5})
        lift = LIFTS[step // STEPS_PER_ALARM % len(LIFTS)]
        if step % STEPS_PER_ALARM == 0:
            self._alarm(lift, "pressed", "firing")
        if step % STEPS_PER_ALARM == 1:
            self._alarm(lift, "released", "resolved")

    def _alarm(self, lift: DeviceKey, happened: str, kind: str) -> None:
        self.alarms[(ALARM, lift.path, kind)] += 1
        self._send(lift, Channel.EVENT, self.now(), {"type": f"alarm_{happened}"})

    def _send(self, lift: DeviceKey, channel: Channel, at: datetime, content: dict[str, object]) -> None:
        self._last[lift] += 1
        family = "elevator" if channel is Channel.TELEMETRY else "elevator_event"
        self.numbers[(lift, family)].append(self._last[lift])
        self.sent += 1
        payload = {"at": at.isoformat(), "seq": self._last[lift], **content}
        self._publisher.send(topics.build(lift, channel), json.dumps(payload).encode())


@dataclass(frozen=True)
class Installation:
    """What runs."""

    var: Path
    influx: Influx
    ingest: Anju
    alerts: Anju
    clock: WallClock
    fleet: Fleet

    def restart_ingest(self) -> None:
        assert self.ingest.stop() == 0
        self.ingest.start()

    def wait(self, condition: Callable[[], bool]) -> None:
        wait_until(condition, lambda: f"{outcome.ledger(self.var)}\n{self.ingest.tail()}", SETTLE_SECONDS)


@pytest.fixture
def installation(
    tmp_path: Path, make_mosquitto: MakeMosquitto, make_influx: MakeInflux, wall_clock: WallClock
) -> Iterator[Installation]:
    broker, influx, var = make_mosquitto(save_every_change=False), make_influx(), tmp_path / "var"
    settings = {
        "ANJU_MQTT__PORT": broker.port,
        "ANJU_BROKER__EMBEDDED": "none",
        "ANJU_JOURNAL__MAX_BYTES": MIB,
        **RULE_SETTINGS,
        **influx_settings(influx),
        **wall_clock.environment,
    }
    with ExitStack() as stack:
        ingest, alerts = (stack.enter_context(Anju(name, var, settings)) for name in ("ingest", "alerts"))
        for part in (ingest, alerts):
            part.wait_ready()
        publisher = stack.enter_context(Publisher(broker.host, broker.port))
        yield Installation(var, influx, ingest, alerts, wall_clock, Fleet(publisher, wall_clock))


@pytest.mark.skipif(not HOURS, reason="takes minutes: ANJU_TEST_INFLUX_ABSENT_HOURS=24 runs it")
@pytest.mark.timeout(600 + 120 * HOURS)
def test_a_day_without_influx_is_stored_once_when_it_is_back(installation: Installation) -> None:
    began, fleet = installation.fleet.now(), installation.fleet
    installation.influx.stop()
    _pass_the_day(installation)
    row, kept = outcome.ledger(installation.var), _journal_bytes(installation.var)
    print(f"{fleet.sent} messages in {HOURS:g} simulated hours: {row}; journal of {kept / MIB:.1f} MiB")
    assert (row.received - row.duplicate, row.stored, row.rejected) == (fleet.sent, 0, 0)
    assert kept > MIB
    returned = time.monotonic()
    installation.influx.start()
    installation.wait(lambda: outcome.ledger(installation.var).in_flight == 0)
    print(f"caught up {time.monotonic() - returned:.0f} s after InfluxDB was started")
    assert outcome.ledger(installation.var).stored == fleet.sent
    for family in ("elevator", "elevator_event"):
        wanted = {lift: numbers for (lift, of), numbers in fleet.numbers.items() if of == family}
        assert outcome.numbers_in_influx(installation.influx, wanted, family, began, until=fleet.now()) == wanted
    _assert_alarms(installation)
    # With nobody behind, the bound holds again.
    installation.restart_ingest()
    installation.wait(lambda: _journal_bytes(installation.var) <= MIB)


def _pass_the_day(installation: Installation) -> None:
    """Let the day pass, step by step."""
    for step in range(round(timedelta(hours=HOURS) / STEP)):
        installation.clock.jump(int(STEP.total_seconds()))
        installation.wait(lambda: _ahead(installation.var) >= installation.clock.ahead - 2)
        installation.fleet.send_step(step)
        installation.wait(lambda: outcome.last_position(installation.var) >= installation.fleet.sent)
        if (step + 1) % STEPS_PER_RESTART == 0:
            installation.restart_ingest()


def _assert_alarms(installation: Installation) -> None:
    records, end = outcome.Records(installation.var), outcome.last_position(installation.var)
    wait_until(lambda: records.position() >= end, installation.alerts.tail, SETTLE_SECONDS)
    counted = outcome.counted(step for step in records.transitions() if step.rule == ALARM)
    assert counted == installation.fleet.alarms


def _ahead(var: Path) -> float:
    """By how many seconds the wall clock of ingest is ahead of the steady one."""
    said = heartbeat.read(var, "ingest", SystemClock().now())
    return (said.at - said.steady).total_seconds() if said.steady else 0.0


def _journal_bytes(var: Path) -> int:
    journal = SqliteJournal(var / "journal.sqlite")
    journal.open(appending=False)
    try:
        return journal.size().bytes
    finally:
        journal.close()
