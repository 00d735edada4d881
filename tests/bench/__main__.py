"""`python -m tests.bench`: prints the figures; ends with 1 when a message or an alert was lost, never for the clock."""

import argparse
import os
import sys
from collections.abc import Iterator

from tests.bench import calls, evaluations, floods, latency, names, stages, throughput
from tests.bench.running import plant

PACED_PER_SECOND = 8_000
PACED_SECONDS = 15
_CATCH_UP_SECONDS = 60.0


def main() -> int:
    """Run what was asked for, printing as it goes."""
    options = _options()
    loads = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    print(f"{os.cpu_count()} cores, load averages before: {loads}", flush=True)
    lost = False
    for lines in _figures(options):
        print("\n".join(lines), flush=True)
        lost = lost or any("LOST" in line for line in lines)
    return 1 if lost else 0


def _figures(options: argparse.Namespace) -> Iterator[list[str]]:
    if "stages" in options.only:
        yield stages.measure(lifts=options.lifts)
    if "evaluations" in options.only:
        yield evaluations.measure()
    if "calls" in options.only:
        yield from calls.measure(calls=options.calls)
    if "floods" in options.only:
        yield from floods.measure()
    if "names" in options.only:
        yield from names.measure(names=options.names)
    if "throughput" in options.only:
        yield from _throughput(options)
    if "latency" in options.only:
        yield from _latency(options)


def _throughput(options: argparse.Namespace) -> Iterator[list[str]]:
    with plant() as running:
        full = throughput.measure(running, "full speed", count=options.messages, rate=0, lifts=options.lifts)
        yield full.lines()
    with plant() as running:
        count, title = PACED_PER_SECOND * PACED_SECONDS, f"paced at {PACED_PER_SECOND:,}/s"
        yield throughput.measure(running, title, count=count, rate=PACED_PER_SECOND, lifts=options.lifts).lines()


def _latency(options: argparse.Namespace) -> Iterator[list[str]]:
    with plant() as running:
        alerts, lifts = options.alerts, options.lifts
        yield latency.measure(running, "separate processes", alerts=alerts, gates="up", lifts=lifts).lines()
        running.influx.stop()
        yield latency.measure(running, "InfluxDB stopped", alerts=alerts, gates="down", lifts=lifts).lines()
        running.influx.start()
        yield throughput.caught_up(running, _CATCH_UP_SECONDS)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "only", nargs="*", default=["stages", "evaluations", "calls", "floods", "names", "throughput", "latency"]
    )
    parser.add_argument("--messages", type=int, default=120_000, help="messages at full speed")
    parser.add_argument("--lifts", type=int, default=1_000, help="lifts that take turns")
    parser.add_argument("--alerts", type=int, default=200, help="alerts per latency run")
    parser.add_argument("--calls", type=int, default=calls.CALLS, help="emergency calls raised at once")
    parser.add_argument("--names", type=int, nargs="+", default=names.NAMES, help="invented names, rising counts")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
