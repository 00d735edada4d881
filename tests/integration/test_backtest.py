"""Two days in the telemetry store and in the journal, and what rules would have raised of them."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zlib import crc32
from zoneinfo import ZoneInfo

import pytest

from alerts.backtest import BacktestReport
from alerts.history import DeviceRow
from alerts.inventory import Inventory
from alerts.rules import Rule
from app.backtest import Sources, Span, TakesTooLong, run_backtest
from app.replay import JournalHistory, TelemetryHistory
from core.clock import SystemClock
from core.devices import DeviceKey, DeviceKind
from core.errors import PermanentError
from core.observations import Entry, Incoming, Observation
from core.wire.payloads import ElevatorEvent
from ingest.points import points_of
from storage.journal.sqlite import SqliteJournal
from storage.memory.telemetry import MemoryTelemetry
from storage.telemetry.embedded import EmbeddedTelemetry
from storage.telemetry.influx import InfluxTelemetry
from tests.servers.influx import InfluxApi
from tests.unit.alerts.talk import rule
from tests.unit.ingest.entries import DECODER

Store = MemoryTelemetry | EmbeddedTelemetry | InfluxTelemetry
CAMERA = DeviceKey("demo", DeviceKind.THERMAL, "shed-1")
LIFT = DeviceKey("demo", DeviceKind.ELEVATOR, "lift-1")
FARTHER = DeviceKey("other", DeviceKind.ELEVATOR, "lift-1")
# Recent, because every store must still be willing to keep it.
MIDNIGHT = SystemClock().now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)
NOON = MIDNIGHT + timedelta(hours=12)
END = MIDNIGHT + timedelta(days=1)
EVERY = timedelta(seconds=30)
# Hour of the day: how hot, for ten minutes. The one at 11.95 lies across noon, where the journal begins.
SPELLS = {2.0: 48.0, 9.0: 55.0, 11.95: 55.0, 15.0: 48.0, 20.0: 60.0}
FAULTS = (5.0, 16.0)
HOT = rule("thermal", "{kind: threshold, signal: maximum_celsius, above: 50, clear: 45}", "for: 1m", "hot")
HOT_NOW = rule("thermal", "{kind: threshold, signal: maximum_celsius, above: 46, clear: 45}", "for: 1m", "hot")
FAULT = rule(
    "elevator",
    "{kind: event, types: [fault_raised], kinds: [door_close_failure], clears_on: [fault_cleared]}",
    "",
    "fault",
)


class Known:
    """The devices that the records would name."""

    async def devices(self, community: str | None, kind: str | None, after: str | None, limit: int) -> list[DeviceRow]:
        found = sorted(
            (key for key in (CAMERA, LIFT, FARTHER) if key.kind.value == kind and community in (None, key.community)),
            key=lambda key: key.path,
        )
        return [DeviceRow(key, MIDNIGHT, END, True, None, {}, 0) for key in found if after is None or key.path > after][
            :limit
        ]


def a_day() -> Iterator[Incoming]:
    """Yield what two lifts and a camera say in a day, in order."""
    at, number = MIDNIGHT, 0
    while at < END:
        hour = (at - MIDNIGHT) / timedelta(hours=1)
        celsius = next((heat for begin, heat in SPELLS.items() if begin <= hour < begin + 1 / 6), 25.0)
        regions = [{"region": name, "maximum_celsius": heat} for name, heat in (("a", celsius), ("b", 20.0))]
        yield said(CAMERA, "telemetry", at, number, regions=regions)
        for lift in (LIFT, FARTHER):
            for begin in FAULTS:
                if hour == begin:
                    yield said(lift, "event", at, number, type="fault_raised", source="gbt24476-2017", code="2")
                if hour == begin + 1:
                    yield said(lift, "event", at, number, type="fault_cleared", source="gbt24476-2017", code="2")
            yield said(lift, "telemetry", at, number, direction="up" if number % 2 else "stopped")
        at, number = at + EVERY, number + 1


def said(device: DeviceKey, channel: str, at: datetime, number: int, **fields: object) -> Incoming:
    payload = json.dumps({"at": at.isoformat(), "seq": number, **fields}).encode()
    topic = f"anju/v1/{device.path}/{channel}"
    return Incoming(topic, payload, len(payload), at, crc32(topic.encode() + payload))


@pytest.fixture(scope="module")
def day() -> list[Incoming]:
    return list(a_day())


@pytest.fixture(params=["memory", "embedded", "influx"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store
    if request.param == "memory":
        made = MemoryTelemetry()
    elif request.param == "embedded":
        made = EmbeddedTelemetry(tmp_path / "telemetry.sqlite")
    else:
        server: InfluxApi = request.getfixturevalue("influx")
        made = InfluxTelemetry(
            url=server.url,
            token=server.token,
            org=server.org,
            bucket=request.getfixturevalue("influx_bucket"),
            retention=None,
        )
    await made.prepare()
    yield made
    await made.close()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    opened = SqliteJournal(tmp_path / "journal.sqlite")
    opened.open()
    yield opened
    opened.close()


def observations(messages: list[Incoming]) -> list[Observation]:
    entries = [
        Entry(number, message.received_at, message.topic, message.payload, message.size)
        for number, message in enumerate(messages, 1)
    ]
    return [decoded for entry in entries if isinstance(decoded := DECODER(entry), Observation)]


async def keep(store: Store, messages: list[Incoming]) -> None:
    points = [point for observation in observations(messages) for point in points_of(observation)]
    for start in range(0, len(points), 5_000):
        await store.write(points[start : start + 5_000])


def append(journal: SqliteJournal, messages: list[Incoming]) -> None:
    for start in range(0, len(messages), 1_000):
        journal.append(messages[start : start + 1_000])


async def backtested(
    store: Store, journal: SqliteJournal | None, rules: list[Rule], present: list[Rule], span: Span | None = None
) -> BacktestReport:
    history = None if journal is None else JournalHistory(journal, DECODER)
    sources = Sources(history, store, Known(), ZoneInfo("UTC"), Inventory())
    return await run_backtest(rules, present, span or Span(MIDNIGHT, END), sources)


def hours(report: BacktestReport, name: str, community: str = "demo") -> list[tuple[float, float]]:
    """Return the span of each alert of a rule, in hours of the day."""
    return [
        (
            round((alert.since - MIDNIGHT) / timedelta(hours=1), 2),
            round(((alert.until or END) - MIDNIGHT) / timedelta(hours=1), 2),
        )
        for alert in report.alerts
        if alert.rule == name and alert.device.community == community
    ]


HOT_HOURS = [(9.02, 9.17), (11.97, 12.12), (20.02, 20.17)]
FAULT_HOURS = [(5.0, 6.0), (16.0, 17.0)]


async def test_the_store_tells_what_was_before_the_journal(
    store: Store, journal: SqliteJournal, day: list[Incoming]
) -> None:
    before = [message for message in day if message.received_at < NOON]
    await keep(store, before)
    append(journal, [message for message in day if message.received_at >= NOON])
    report = await backtested(store, journal, [HOT, FAULT], [HOT_NOW, FAULT])
    assert hours(report, "hot") == HOT_HOURS
    assert hours(report, "fault") == hours(report, "fault", "other") == FAULT_HOURS
    assert [(one.source, one.since, one.until, one.messages) for one in report.coverage] == [
        ("telemetry", MIDNIGHT, NOON, len(before)),
        ("journal", NOON, END, len(day) - len(before)),
    ]
    assert (report.total, report.per_day, report.messages) == (7, 7.0, len(day))
    assert report.comparison is not None
    assert (report.comparison.both, report.comparison.only_new, report.comparison.only_present) == (3, 0, 2)
    assert len(report.notes) == 1
    assert "not when they were heard" in report.notes[0]


async def test_the_journal_alone_and_the_store_alone_say_the_same(
    store: Store, journal: SqliteJournal, day: list[Incoming]
) -> None:
    await keep(store, day)
    append(journal, day)
    told = await backtested(MemoryTelemetry(), journal, [HOT, FAULT], [])
    stored = await backtested(store, None, [HOT, FAULT], [])
    assert [one.source for one in told.coverage + stored.coverage] == ["journal", "telemetry"]
    assert told.alerts == stored.alerts
    assert hours(told, "hot") == HOT_HOURS


@pytest.mark.parametrize("store", ["memory"], indirect=True)
async def test_a_community_and_a_part_of_the_day(store: Store, journal: SqliteJournal, day: list[Incoming]) -> None:
    append(journal, day)
    span = Span(MIDNIGHT + timedelta(hours=15), MIDNIGHT + timedelta(hours=16.5), "other")
    report = await backtested(store, journal, [FAULT], [], span)
    assert hours(report, "fault", "other") == [(16.0, 24.0)]
    assert hours(report, "fault") == []
    assert report.alerts[0].until is None
    assert (report.coverage[0].since, report.coverage[0].until) == (span.since, span.until)
    assert report.messages == 181


@pytest.mark.parametrize("store", ["memory", "embedded"], indirect=True)
async def test_nothing_to_replay_is_said_in_one_line(store: Store, journal: SqliteJournal) -> None:
    with pytest.raises(PermanentError, match=r"nothing to replay: neither the journal nor .* of kind elevator between"):
        await backtested(store, journal, [FAULT], [])
    with pytest.raises(PermanentError, match="expected an instant before"):
        await backtested(store, journal, [FAULT], [], Span(END, MIDNIGHT))


@pytest.mark.parametrize("store", ["memory"], indirect=True)
async def test_a_bound_on_its_time_is_kept(store: Store, journal: SqliteJournal, day: list[Incoming]) -> None:
    append(journal, day)
    with pytest.raises(TakesTooLong, match="took longer than 0 s"):
        await backtested(store, journal, [FAULT], [], Span(MIDNIGHT, END, seconds_at_most=0))


async def test_pages_lose_and_double_nothing_also_within_one_instant(store: Store) -> None:
    instants = [MIDNIGHT + timedelta(seconds=number // 3) for number in range(4_500)]
    messages = [
        said(LIFT, "event", at, number, type="mode_changed", service_mode="normal", floor=str(number))
        for number, at in enumerate(instants)
    ]
    await keep(store, messages)
    history = TelemetryHistory(store)
    found = [observation async for observation in history.observations([LIFT], MIDNIGHT, END)]
    assert all(earlier.at <= later.at for earlier, later in pairwise(found))
    assert sorted(int(one.body.floor or "") for one in found if isinstance(one.body, ElevatorEvent)) == list(
        range(len(messages))
    )
    assert history.unreadable == 0
