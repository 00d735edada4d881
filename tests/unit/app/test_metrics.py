"""What Prometheus is told: the figures of every part, and what is wrong with components, with few labels."""

from datetime import UTC, date, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from app import heartbeat
from app.metrics import FiguresCollector
from core.clock import ManualClock
from ingest.ports import LedgerRow

NOW = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)


class FiveMessages:
    def positions(self) -> dict[str, int]:
        return {"alerts": 3}

    def last_position(self) -> int:
        return 5

    def ledger(self, since: date) -> list[LedgerRow]:
        return [LedgerRow(date(2026, 5, day), "jinxiu", 10, 6, 3, 1) for day in (1, 2) if since.day <= day]


def told(folder: Path) -> list[str]:
    registry = CollectorRegistry()
    registry.register(FiguresCollector(folder, ManualClock(NOW), FiveMessages()))
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_figures_of_parts_and_readers(tmp_path: Path) -> None:
    beat = heartbeat.Heartbeat(NOW, "up", "", {"received_total": 5.0, "broker_connected": 1.0})
    heartbeat.write(heartbeat.path_of(tmp_path, "ingest"), beat)
    lines = told(tmp_path)
    assert "anju_ingest_received_total 5.0" in lines
    assert "anju_ingest_broker_connected 1.0" in lines
    assert 'anju_part_up{part="ingest"} 1.0' in lines
    assert 'anju_part_up{part="alerts"} 0.0' in lines
    assert 'anju_journal_reader_lag{reader="alerts"} 2.0' in lines
    assert not [line for line in lines if "problem" in line]


def test_a_part_that_is_degraded_is_up_and_says_so(tmp_path: Path) -> None:
    heartbeat.write(heartbeat.path_of(tmp_path, "alerts"), heartbeat.Heartbeat(NOW, "degraded", "", {}))
    lines = told(tmp_path)
    assert 'anju_part_up{part="alerts"} 1.0' in lines
    assert 'anju_part_degraded{part="alerts"} 1.0' in lines
    assert 'anju_part_degraded{part="api"} 0.0' in lines


def test_the_ledger_of_all_days_and_the_disk(tmp_path: Path) -> None:
    figures = dict(line.rsplit(" ", 1) for line in told(tmp_path))
    ended = {
        outcome: figures[f'anju_journal_messages_total{{outcome="{outcome}"}}']
        for outcome in LedgerRow.__struct_fields__[3:]
    }
    assert ended == {"stored": "12.0", "duplicate": "6.0", "rejected": "2.0"}
    assert 0 < float(figures["anju_disk_free_bytes"]) <= float(figures["anju_disk_size_bytes"])


def test_components_in_trouble_have_one_line_each_however_many_devices_there_are(tmp_path: Path) -> None:
    clocks = {f"device-clock/jinxiu/gate/gate-{number}": "6 min slow" for number in range(30)}
    unknown = {"unknown-devices/jinxiu": "2,000", "unknown-devices": "10,000"}
    problems = {"disk": "little room", "service/deliverer": "ValueError", **clocks, **unknown}
    for part in ("ingest", "alerts"):
        heartbeat.write(heartbeat.path_of(tmp_path, part), heartbeat.Heartbeat(NOW, "degraded", "", {}, problems))
    assert [line for line in told(tmp_path) if "problem" in line] == [
        'anju_component_problem{component="device-clock"} 1.0',
        'anju_component_problem{component="disk"} 1.0',
        'anju_component_problem{component="service/deliverer"} 1.0',
        'anju_component_problem{component="unknown-devices"} 1.0',
    ]
