"""The whole of Anju as a benchmark runs it: real servers, each part a process of its own, and what each one costs."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from app import heartbeat
from core.clock import SystemClock
from tests.servers.influx import Influx
from tests.servers.mosquitto import Mosquitto
from tests.servers.places import find_program
from tests.servers.running import free_port

ANJU_PARTS = ("ingest", "alerts", "api")
BROKER = ("set_tcp_nodelay true", "max_inflight_messages 2000", "max_queued_messages 0")
_COMMAND = "from app.cli import main; main()"
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")
_CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Positions:
    """How far the readers of the journal have come."""

    last: int
    telemetry: int
    alerts: int


class Plant:
    """Servers and processes that run; `plant` makes one."""

    def __init__(self, folder: Path, broker: Mosquitto, influx: Influx) -> None:
        self.folder = folder
        self.broker = broker
        self.influx = influx
        self.api_port = free_port()
        self.token = ""
        self._parts: dict[str, subprocess.Popen[str]] = {}

    def start(self) -> None:
        """Start every part and return when each says that it is up."""
        for part in ANJU_PARTS:
            self._parts[part] = self._spawn(part)
        for part in ANJU_PARTS:
            self._wait_for(part)
        self.token = self._anju("token", "add", "bench").strip()

    def stop(self) -> None:
        """Stop every part in the orderly way."""
        for process in self._parts.values():
            process.terminate()
        for process in self._parts.values():
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def pids(self) -> dict[str, int]:
        """Return the process id of everything that runs, by name; InfluxDB is missing while it is stopped."""
        found = {part: process.pid for part, process in self._parts.items()}
        servers = {"mosquitto": self.broker.pid, "influxd": self.influx.pid}
        return found | {name: pid for name, pid in servers.items() if pid is not None}

    def positions(self) -> Positions:
        """Read how far everybody has come; the engine's own position is the one in its records."""
        with _reading(self.folder / "journal.sqlite") as journal:
            last = _number(journal, "SELECT coalesce(max(last_position), 0) FROM batches")
            telemetry = _number(journal, "SELECT coalesce(max(position), 0) FROM readers WHERE name = 'telemetry'")
        with _reading(self.folder / "records.sqlite") as records:
            return Positions(last, telemetry, _number(records, "SELECT coalesce(max(position), 0) FROM alert_progress"))

    def ledger(self) -> dict[str, int]:
        """Return the counters of the journal over all communities."""
        names = ("received", "stored", "duplicate", "rejected")
        with _reading(self.folder / "journal.sqlite") as journal:
            return {name: _number(journal, f"SELECT coalesce(sum({name}), 0) FROM ledger") for name in names}

    def bytes_on_disk(self) -> dict[str, int]:
        """Return what the journal, the records and InfluxDB take now."""
        return {
            "journal": _size(self.folder.glob("journal.sqlite*")),
            "records": _size(self.folder.glob("records.sqlite*")),
            "influxdb": _size(self.influx.folder.rglob("*")),
        }

    def _spawn(self, part: str) -> "subprocess.Popen[str]":
        log = (self.folder / f"{part}.log").open("w")
        with log:
            return subprocess.Popen(
                [sys.executable, "-c", _COMMAND, part],
                cwd=_CHECKOUT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def _anju(self, *arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", _COMMAND, *arguments],
            cwd=_CHECKOUT,
            env=self._environment(),
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANJU_")}
        return kept | {
            "ANJU_VAR": str(self.folder),
            "ANJU_MQTT__PORT": str(self.broker.port),
            "ANJUBROKER__EMBEDDED": "none",
            "ANJU_TELEMETRY__STORE": "influx",
            "ANJU_INFLUX__URL": self.influx.url,
            "ANJU_INFLUX__TOKEN": self.influx.token,
            "ANJU_INFLUX__ORG": self.influx.org,
            "ANJU_INFLUX__BUCKET": self.influx.bucket,
            "ANJU_API__PORT": str(self.api_port),
            "ANJU_LOG__LEVEL": "warning",
        }

    def _wait_for(self, part: str) -> None:
        def up() -> bool:
            if self._parts[part].poll() is not None:
                raise RuntimeError(f"anju {part} ended: {(self.folder / f'{part}.log').read_text()[-2_000:]}")
            return heartbeat.read(self.folder, part, SystemClock().now()).status == "up"

        wait_until(up, _START_SECONDS, f"anju {part} to be up")


@contextmanager
def plant() -> Iterator[Plant]:
    """Bring up Mosquitto, InfluxDB and all parts of Anju in folders of their own; take everything down at the end."""
    mosquitto, influxd = find_program("mosquitto"), find_program("influx")
    if mosquitto is None or influxd is None:
        raise SystemExit("needs mosquitto and influxd: run `make test-servers`")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="anju-bench-")))
        broker = stack.enter_context(Mosquitto(mosquitto, BROKER, save_every_change=False))
        running = Plant(folder, broker, stack.enter_context(Influx(influxd)))
        stack.callback(running.stop)
        running.start()
        yield running


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> float:
    """Return the monotonic instant at which ``true`` was seen; raises `TimeoutError` naming ``what``."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(_POLL_SECONDS)
    return time.monotonic()


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process so far (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_megabytes(pid: int) -> float:
    """Return the most memory a process has had resident (proc(5), VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


class Load:
    """The publisher's process: encoded and connected after `__init__`, publishing after `begin`."""

    def __init__(self, broker: Mosquitto, *, count: int, rate: int, lifts: int) -> None:
        arguments = [str(number) for number in (broker.port, count, rate, lifts)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.publisher", *arguments],
            cwd=_CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if self._said() != "ready":
            raise RuntimeError("the publisher did not start")

    def begin(self) -> float:
        """Let it publish; return the monotonic instant."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return time.monotonic()

    def end(self) -> dict[str, float]:
        """Wait until it is done and return its figures."""
        said = self._said()
        self._process.wait()
        if not said:
            raise RuntimeError("the publisher failed")
        return dict(json.loads(said))

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10.0)
    try:
        yield connection
    finally:
        connection.close()


def _number(connection: sqlite3.Connection, question: str) -> int:
    return int(connection.execute(question).fetchone()[0])


def _size(paths: Iterator[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file())
