"""Prometheus metrics: the figures of every part's heartbeat, and how far the journal's readers are."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app import heartbeat
from app.disk import space_of
from core.clock import Clock
from ingest.ports import LedgerRow

PARTS = ("ingest", "alerts", "api")


class _Journal(Protocol):
    def positions(self) -> dict[str, int]: ...
    def last_position(self) -> int: ...
    def ledger(self, since: date) -> Sequence[LedgerRow]: ...


class FiguresCollector(Collector):
    """Reads heartbeats and journal positions when scraped, so it is right for parts in other processes too."""

    def __init__(self, folder: Path, clock: Clock, journal: _Journal) -> None:
        self._folder = folder
        self._clock = clock
        self._journal = journal

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("anju_part_up", "1 while the part's heartbeat is fresh and not down", labels=["part"])
        degraded = GaugeMetricFamily("anju_part_degraded", "1 while the part says it is degraded", labels=["part"])
        wrong = GaugeMetricFamily(
            "anju_component_problem", "1 while something is wrong with a component of Anju", labels=["component"]
        )
        problems: set[str] = set()
        for part in PARTS:
            said = heartbeat.read(self._folder, part, self._clock.steady())
            up.add_metric([part], float(said.status != "down"))
            degraded.add_metric([part], float(said.status == "degraded"))
            for name, value in said.figures.items():
                yield _family(part, name, value)
            problems |= {_label_of(name) for name in said.problems}
        for name in sorted(problems):
            wrong.add_metric([name], 1.0)
        yield from (up, degraded, wrong)
        yield from self._positions()
        yield self._messages()
        yield from self._disk()

    def _positions(self) -> Iterator[Metric]:
        last = self._journal.last_position()
        yield GaugeMetricFamily("anju_journal_position", "Newest position of the journal", value=last)
        behind = GaugeMetricFamily("anju_journal_reader_lag", "Messages a reader has not settled", labels=["reader"])
        for reader, position in self._journal.positions().items():
            behind.add_metric([reader], max(0, last - position))
        yield behind

    def _messages(self) -> Metric:
        """The ledger of all days: it is never trimmed, so the sums only rise."""
        ended = CounterMetricFamily("anju_journal_messages", "Messages by how they ended", labels=["outcome"])
        rows = self._journal.ledger(date.min)
        for outcome in ("stored", "duplicate", "rejected"):
            ended.add_metric([outcome], sum(getattr(row, outcome) for row in rows))
        return ended

    def _disk(self) -> Iterator[Metric]:
        with suppress(OSError):
            space = space_of(self._folder)
            yield GaugeMetricFamily("anju_disk_free_bytes", "Free space of the disk of ANJU_VAR", value=space.free)
            yield GaugeMetricFamily("anju_disk_size_bytes", "Size of the disk of ANJU_VAR", value=space.total)


def _label_of(component: str) -> str:
    """Return the component's name, without the device or community that it is about: a label has few values."""
    kind = component.partition("/")[0]
    return kind if kind.startswith(heartbeat.ABOUT_MANY) else component


def _family(part: str, name: str, value: float) -> Metric:
    title = f"{name.removesuffix('_total').replace('_', ' ')} ({part})"
    if name.endswith("_total"):
        return CounterMetricFamily(f"anju_{part}_{name.removesuffix('_total')}", title, value=value)
    return GaugeMetricFamily(f"anju_{part}_{name}", title, value=value)
