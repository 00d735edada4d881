"""History from two sources: wherever the journal begins, rules raise the same; and any instant of it is found."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.backtest import BacktestAlert
from alerts.history import DeviceRow
from alerts.inventory import Inventory
from app.backtest import Sources, Span, run_backtest
from app.replay import JournalHistory
from core.devices import DeviceKey, DeviceKind
from core.observations import Entry, Incoming, Observation
from ingest.points import points_of
from storage.memory.journal import MemoryJournal
from storage.memory.telemetry import MemoryTelemetry
from tests.unit.alerts.talk import START, rule
from tests.unit.ingest.entries import DECODER, message

CAMERAS = [DeviceKey("demo", DeviceKind.THERMAL, name) for name in ("shed-1", "shed-2")]
END = START + timedelta(hours=1)
HOT = rule("thermal", "{kind: threshold, signal: maximum_celsius, above: 46, clear: 43}", "for: 30s", "hot")
SILENT = rule("thermal", "{kind: missing, nothing_for: 5m}", "", "silent")
BESIDE = rule("thermal", "{kind: compare, signal: maximum_celsius, with: shed-2, above_by: 10}", "for: 1m", "beside")


class Known:
    """The two cameras."""

    async def devices(self, community: str | None, kind: str | None, after: str | None, limit: int) -> list[DeviceRow]:
        return [DeviceRow(key, START, END, True, None, {}, 0) for key in CAMERAS if after is None or key.path > after]


def an_hour() -> list[Incoming]:
    """Two cameras every 20 s: the first is hot for ten minutes twice, the second falls silent for ten."""
    said = []
    for second in range(0, 3_600, 20):
        hot = 600 <= second < 1_200 or 2_400 <= second < 3_000
        said.append(look(CAMERAS[0], second, 55.0 if hot else 20.0))
        if not 1_500 <= second < 2_100:
            said.append(look(CAMERAS[1], second, 21.0))
    return said


def look(device: DeviceKey, second: float, celsius: float) -> Incoming:
    at = START + timedelta(seconds=second)
    payload: dict[str, object] = {"at": at.isoformat(), "regions": [{"region": "a", "maximum_celsius": celsius}]}
    return message(f"anju/v1/{device.path}/telemetry", payload, received_at=at)


MESSAGES = an_hour()


async def raised(split: datetime) -> Sequence[BacktestAlert]:
    """Return what is raised where the telemetry store holds all before ``split``, and the journal the rest."""
    journal, store = MemoryJournal(), MemoryTelemetry()
    journal.append([said for said in MESSAGES if said.received_at >= split])
    for number, said in enumerate(MESSAGES):
        observation = DECODER(Entry(number, said.received_at, said.topic, said.payload, said.size))
        if said.received_at < split and isinstance(observation, Observation):
            await store.write(points_of(observation))
    sources = Sources(JournalHistory(journal, DECODER), store, Known(), ZoneInfo("UTC"), Inventory())
    return (await run_backtest([HOT, SILENT, BESIDE], [], Span(START, END), sources)).alerts


def spans(alerts: Sequence[BacktestAlert]) -> list[tuple[str, str, float, float | None]]:
    return [
        (
            alert.rule,
            alert.device.device,
            (alert.since - START).total_seconds(),
            None if alert.until is None else (alert.until - START).total_seconds(),
        )
        for alert in alerts
    ]


WHOLE = asyncio.run(raised(START))


def test_the_hour_holds_what_it_should() -> None:
    assert spans(WHOLE) == [
        ("hot", "shed-1", 630, 1_200),
        ("beside", "shed-1", 660, 1_200),
        ("silent", "shed-2", 1_780, 2_100),
        ("hot", "shed-1", 2_430, 3_000),
        ("beside", "shed-1", 2_460, 3_000),
    ]


@given(st.integers(0, 3_600))
def test_where_the_journal_begins_makes_no_difference(second: int) -> None:
    assert spans(asyncio.run(raised(START + timedelta(seconds=second)))) == spans(WHOLE)


@pytest.mark.parametrize("second", [0, 0.5, 20, 1_799, 3_580, 3_599])
def test_the_journal_is_read_from_the_instant_that_is_asked_for(second: float) -> None:
    journal = MemoryJournal()
    journal.append(MESSAGES)
    since = START + timedelta(seconds=second)
    history = JournalHistory(journal, DECODER)
    found = [
        one.received_at
        for stretch in history.stretches([DeviceKind.THERMAL], None, since, END - timedelta(seconds=10))
        for one in stretch
    ]
    expected = [said.received_at for said in MESSAGES if since <= said.received_at < END - timedelta(seconds=10)]
    assert found == expected
    assert history.begins() == START


def test_what_is_of_no_concern_is_not_decoded() -> None:
    journal = MemoryJournal()
    junk = message("anju/v1/demo/thermal/shed-1/telemetry", b"{", received_at=START)
    journal.append([*MESSAGES, *MESSAGES, junk, message("strange", b"{}", received_at=START)])
    decoded: list[Entry] = []

    def decode(entry: Entry) -> Observation:
        decoded.append(entry)
        said = DECODER(entry)
        assert isinstance(said, Observation)
        return said

    history = JournalHistory(journal, decode)
    assert not any(history.stretches([DeviceKind.ELEVATOR], None, START, END))
    assert not any(history.stretches([DeviceKind.THERMAL], "other", START, END))
    assert decoded == []
