"""What each stage costs by itself: the same messages through one stage after the other, in this process."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from alerts.engine import Engine
from alerts.live import LiveView
from alerts.packs import builtin_rules
from core.clock import SystemClock
from core.observations import Entry, Incoming, Observation
from ingest.batch import incoming
from ingest.decoded import decoded
from ingest.decoders.native import NativeDecoder
from ingest.packets import PacketSplitter, Publish
from ingest.points import points_of
from storage.journal.sqlite import SqliteJournal
from storage.telemetry.line_protocol import encode
from tests.bench.fleet import readings
from tests.bench.mqtt import publish_packet

COUNT = 40_000
_CHUNK_BYTES = 64 * 1024
_BATCH = 500
_READ = 2_000
_COMMIT_EVERY = 2_000

Answer = TypeVar("Answer")


class Table:
    """Collects CPU time per message, stage by stage."""

    def __init__(self) -> None:
        self.lines = [f"CPU by stage, in one process, {COUNT:,} messages:"]

    def time(self, stage: str, run: Callable[[], Answer]) -> Answer:
        """Run a stage over all messages and note what it took of this process's CPU and of the clock."""
        wall, cpu = time.perf_counter(), time.process_time()
        answer = run()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        self.lines.append(f"  {stage:42} {cpu / COUNT * 1e6:6.2f} µs CPU {wall / COUNT * 1e6:7.2f} µs on the clock")
        return answer


def measure(*, lifts: int) -> list[str]:
    """Return the lines of the table."""
    table = Table()
    clock = SystemClock()
    messages = readings(COUNT, lifts, clock.now(), timedelta(milliseconds=100))
    stream = b"".join(publish_packet(topic, payload, number) for number, (topic, payload) in enumerate(messages))
    decode = NativeDecoder(pseudonym_key=b"a key for the benchmark alone")
    with TemporaryDirectory(prefix="anju-bench-") as folder:
        journal = SqliteJournal(Path(folder) / "journal.sqlite")
        journal.open()
        entries = _ingest(table, journal, stream, clock)
        journal.close()
    observations = table.time("decode (paid twice: telemetry and alerts)", lambda: _observations(entries, decode))
    _telemetry(table, observations, entries, decode)
    _alerts(table, observations)
    return table.lines


def _ingest(table: Table, journal: SqliteJournal, stream: bytes, clock: SystemClock) -> list[Entry]:
    publishes = table.time("split MQTT packets", lambda: _split(stream))
    now = clock.now()
    taken = table.time("digest", lambda: [incoming(topic, payload, now) for topic, payload, _ in publishes])
    table.time(f"journal append, {_BATCH} a batch", lambda: _append(journal, taken))
    return table.time("journal read (paid twice)", lambda: _read(journal))


def _telemetry(table: Table, observations: Sequence[Observation], entries: list[Entry], decode: NativeDecoder) -> None:
    points = table.time("points", lambda: [point for one in observations for point in points_of(one)])
    table.time("line protocol", lambda: [encode(points[at : at + 5_000]) for at in range(0, len(points), 5_000)])
    table.time("decode and points as the writer does", lambda: asyncio.run(_batches(entries, decode)))


def _alerts(table: Table, observations: Sequence[Observation]) -> None:
    engine, live = Engine(builtin_rules()), LiveView()
    table.time("engine, built-in rules", lambda: _evaluate(engine, observations))
    table.time("live view", lambda: _view(live, observations))


def _split(stream: bytes) -> list[Publish]:
    splitter = PacketSplitter(version_5=False)
    return [
        publish
        for at in range(0, len(stream), _CHUNK_BYTES)
        for publish in splitter.feed(stream[at : at + _CHUNK_BYTES])[0]
    ]


def _append(journal: SqliteJournal, taken: Sequence[Incoming]) -> None:
    for at in range(0, len(taken), _BATCH):
        journal.append(taken[at : at + _BATCH])


def _read(journal: SqliteJournal) -> list[Entry]:
    entries: list[Entry] = []
    while more := journal.read(entries[-1].position if entries else 0, _READ):
        entries += more
    return entries


def _observations(entries: Sequence[Entry], decode: NativeDecoder) -> list[Observation]:
    outcomes = [decode(entry) for entry in entries]
    return [outcome for outcome in outcomes if isinstance(outcome, Observation)]


async def _batches(entries: list[Entry], decode: NativeDecoder) -> None:
    for at in range(0, len(entries), 5_000):
        await decoded(entries[at : at + 5_000], decode)


def _evaluate(engine: Engine, observations: Sequence[Observation]) -> None:
    for number, observation in enumerate(observations):
        engine.observe(observation)
        if number % _COMMIT_EVERY == 0:
            engine.dirty()


def _view(live: LiveView, observations: Sequence[Observation]) -> None:
    for observation in observations:
        live.observe(observation)
