"""What invented device names cost: memory and rows of `anju run` while nothing but new names speak."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from app import heartbeat
from core.clock import SystemClock
from core.devices import Channel, DeviceKey, DeviceKind
from core.wire import topics
from core.wire.payloads import ElevatorTelemetry
from tests.bench.mqtt import Publisher, publish_packet
from tests.bench.running import peak_megabytes, wait_until
from tests.servers.mosquitto import Mosquitto
from tests.servers.places import find_program
from tests.servers.running import free_port

NAMES = (200_000, 1_000_000)
LIMIT_MEGABYTES = 500
_PIECE, _WINDOW = 200, 2_000
_SECONDS_A_NAME = 0.01
_START_SECONDS = 60.0
_CHECKOUT = Path(__file__).resolve().parents[2]


def measure(*, names: Sequence[int] = NAMES) -> Iterator[list[str]]:
    """Publish invented names up to each count of ``names`` in turn, and say what is resident and stored then."""
    program = find_program("mosquitto")
    if program is None:
        raise SystemExit("needs mosquitto: run `make test-servers`")
    with (
        TemporaryDirectory(prefix="anju-names-") as folder,
        Mosquitto(program, ("max_queued_messages 0",), save_every_change=False) as broker,
        _anju(Path(folder), broker.port) as pid,
    ):
        yield [f"invented names, all of Anju in one process: {peak_megabytes(pid):.0f} MB at the start"]
        done = 0
        for count in names:
            began = time.monotonic()
            _publish(broker.port, range(done, count))
            wait_until(lambda: _decided(Path(folder)) >= count, _SECONDS_A_NAME * count + 60, f"{count} names")  # noqa: B023
            yield [_figures(Path(folder), pid, count, (count - done) / (time.monotonic() - began))]
            done = count


def _figures(folder: Path, pid: int, count: int, rate: float) -> str:
    memory, devices = peak_megabytes(pid), _number(folder / "records.sqlite", "SELECT count(*) FROM devices")
    beyond = "" if memory < LIMIT_MEGABYTES else f"   LOST: more than {LIMIT_MEGABYTES} MB"
    ledger = _number(folder / "journal.sqlite", "SELECT count(*) FROM ledger")
    return (
        f"  {count:9,} names: {memory:.0f} MB at most, {rate:,.0f} names/s decided, {devices:,} rows of devices,"
        f" {ledger:,} of the ledger{beyond}"
    )


def _publish(port: int, numbers: range) -> None:
    publisher, begin = Publisher(port, f"bench-names-{numbers.start}"), SystemClock().now()
    payload = msgspec.json.encode(ElevatorTelemetry(at=begin, floor="7", speed_mps=1.0))
    for start in range(numbers.start, numbers.stop, _PIECE):
        piece = range(start, min(start + _PIECE, numbers.stop))
        publisher.send([publish_packet(_topic(number), payload, number) for number in piece])
        publisher.wait_for_room(_WINDOW)
    publisher.wait_for_room(0)
    publisher.close()


def _topic(number: int) -> bytes:
    """Half of the names in few communities, half in one of their own."""
    community = f"street-{number % 10}" if number % 2 else f"invented-{number}"
    return topics.build(DeviceKey(community, DeviceKind.ELEVATOR, f"x-{number}"), Channel.TELEMETRY).encode()


def _decided(folder: Path) -> int:
    return _number(folder / "records.sqlite", "SELECT coalesce(max(position), 0) FROM alert_progress")


def _number(path: Path, question: str) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10.0)) as connection:
        return int(connection.execute(question).fetchone()[0])


@contextmanager
def _anju(folder: Path, port: int) -> Iterator[int]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANJU_")}
    environment = kept | {
        "ANJU_VAR": str(folder),
        "ANJU_MQTT__PORT": str(port),
        "ANJU_BROKER__EMBEDDED": "none",
        "ANJU_API__PORT": str(free_port()),
        "ANJU_LOG__LEVEL": "error",
    }
    command = [sys.executable, "-c", "from app.cli import main; main()", "run", "--no-demo"]
    running = subprocess.Popen(command, cwd=_CHECKOUT, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: _is_up(folder), _START_SECONDS, "anju run to be up")
        yield running.pid
    finally:
        running.kill()
        running.wait()


def _is_up(folder: Path) -> bool:
    now = SystemClock().now()
    return all(heartbeat.read(folder, part, now).status == "up" for part in ("ingest", "alerts"))
