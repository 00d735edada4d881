"""How many messages a second go all the way, what each one costs, and whether any is lost."""

import time
import urllib.request
from dataclasses import dataclass, field

from tests.bench.fleet import VALUES_PER_MESSAGE
from tests.bench.running import ANJU_PARTS, Load, Plant, Positions, cpu_seconds, peak_megabytes, wait_until

_SETTLE_SECONDS = 180.0


@dataclass
class Throughput:
    """One run. CPU in microseconds per message, memory in MB at its peak, disk in bytes per message."""

    title: str
    messages: int
    published_seconds: float
    telemetry_seconds: float
    alerts_seconds: float
    backlog: Positions
    cpu: dict[str, float]
    memory: dict[str, float]
    disk: dict[str, float]
    missing: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the figures for people."""
        settled = max(self.telemetry_seconds, self.alerts_seconds)
        rate = self.messages / self.telemetry_seconds
        anju = sum(self.cpu[part] for part in ANJU_PARTS)
        behind = self.backlog
        return [
            f"{self.title}: {self.messages:,} messages of {VALUES_PER_MESSAGE} values",
            f"  end to end (last one in InfluxDB and settled)  {rate:9,.0f} messages/s",
            f"  published (last PUBACK of the broker)          {self.published_seconds:9.2f} s",
            f"  settled in InfluxDB                            {self.telemetry_seconds:9.2f} s",
            f"  decided, position committed (once a second)    {self.alerts_seconds:9.2f} s",
            f"  lag behind the last publish                    {settled - self.published_seconds:9.2f} s",
            f"  behind at the last publish: journal {self.messages - behind.last:,}, "
            f"telemetry {self.messages - behind.telemetry:,}, alerts {self.messages - behind.alerts:,} messages",
            f"  CPU per message: Anju {anju:.1f} µs   " + _listed(self.cpu, "{:.1f} µs"),
            "  memory at most:  " + _listed(self.memory, "{:.0f} MB"),
            "  on disk a message: " + _listed(self.disk, "{:.0f} B"),
            *(f"  LOST: {line}" for line in self.missing),
        ]


def measure(plant: Plant, title: str, *, count: int, rate: int, lifts: int) -> Throughput:
    """Publish ``count`` messages at ``rate`` a second (0: as fast as the broker takes them) and wait for the end."""
    load = Load(plant.broker, count=count, rate=rate, lifts=lifts)
    first = plant.positions()
    target = first.last + count
    disk, pids = plant.bytes_on_disk(), plant.pids()
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    began = load.begin()
    published = load.end()
    backlog = plant.positions()
    telemetry, alerts = _settled(plant, target)
    cpu = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
    cpu["publisher"] = published["cpu_seconds"]
    grown = {name: size - disk[name] for name, size in plant.bytes_on_disk().items()}
    return Throughput(
        title,
        count,
        published["seconds"],
        telemetry - began,
        alerts - began,
        Positions(backlog.last - first.last, backlog.telemetry - first.last, backlog.alerts - first.last),
        {name: seconds / count * 1e6 for name, seconds in cpu.items()},
        {name: peak_megabytes(pid) for name, pid in pids.items()},
        {name: size / count for name, size in grown.items()},
        _missing(plant, target, published),
    )


def _settled(plant: Plant, target: int) -> tuple[float, float]:
    """Return the instants at which telemetry and alerts have come to ``target``."""
    reached: dict[str, float] = {}

    def both() -> bool:
        now, positions = time.monotonic(), plant.positions()
        for name, position in (("telemetry", positions.telemetry), ("alerts", positions.alerts)):
            if position >= target:
                reached.setdefault(name, now)
        return len(reached) == 2

    wait_until(both, _SETTLE_SECONDS, f"position {target} to be settled")
    return reached["telemetry"], reached["alerts"]


def _missing(plant: Plant, target: int, published: dict[str, float]) -> list[str]:
    """Return what does not add up; empty when every message is where it belongs."""
    ledger, points = plant.ledger(), _points(plant)
    checks = {
        f"{published['sent']:.0f} sent, {published['acknowledged']:.0f} acknowledged by the broker": (
            published["sent"] == published["acknowledged"]
        ),
        f"the ledger does not add up: {ledger}": ledger["received"] == ledger["stored"] == target,
        f"InfluxDB holds {points:,} points, expected {target:,}": points == target,
    }
    return [line for line, holds in checks.items() if not holds]


def _points(plant: Plant) -> int:
    """Count the readings in InfluxDB itself."""
    influx = plant.influx
    script = (
        f'from(bucket: "{influx.bucket}") |> range(start: -1d, stop: 1d) '
        '|> filter(fn: (r) => r._field == "main_power") |> group() |> count()'
    )
    call = urllib.request.Request(f"{influx.url}/api/v2/query?org={influx.org}", data=script.encode())
    call.add_header("Authorization", f"Token {influx.token}")
    call.add_header("Content-Type", "application/vnd.flux")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(call, timeout=60) as answer:
        rows = answer.read().decode().strip().splitlines()
    return int(rows[-1].rpartition(",")[2]) if len(rows) > 1 else 0


def _listed(figures: dict[str, float], form: str) -> str:
    return ", ".join(f"{name} {form.format(figure)}" for name, figure in figures.items())


def caught_up(plant: Plant, seconds: float) -> list[str]:
    """Wait until InfluxDB, just started again, has everything; return how that went."""
    last, began = plant.positions().last, time.monotonic()
    try:
        ended = wait_until(lambda: plant.positions().telemetry >= last, seconds, "the writer to catch up")
    except TimeoutError as late:
        return [f"  LOST: {late}: {plant.positions()}"]
    ledger = plant.ledger()
    line = f"InfluxDB back: caught up after {ended - began:.1f} s, ledger {ledger}"
    return [line] if ledger["received"] == ledger["stored"] else [line, "  LOST: received is not stored"]
