"""What every telemetry store promises: `ingest.ports.TelemetryWriter` and `api.ports.TelemetryReader` in one."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.ports import TelemetryReader
from core.clock import SystemClock, to_microseconds
from core.devices import DeviceKey, DeviceKind
from core.errors import MalformedPoints, PermanentError
from core.telemetry import Aggregate, Point, Sample, Series, Value
from ingest.ports import TelemetryWriter
from storage.memory.telemetry import MemoryTelemetry
from storage.telemetry.embedded import EmbeddedTelemetry
from storage.telemetry.influx import InfluxTelemetry
from tests.servers.influx import InfluxApi

LIFT = DeviceKey("riverside", DeviceKind.ELEVATOR, "lift-1")
TWIN_NAMED_GATE = DeviceKey("riverside", DeviceKind.GATE, "lift-1")
CAMERA = DeviceKey("riverside", DeviceKind.THERMAL, "shed-1")
# A whole hour, recent enough for every store to look back to it.
START = SystemClock().now().replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
START_NS = to_microseconds(START) * 1_000
MINUTE = timedelta(minutes=1)
MINUTE_NS = 60 * 10**9
LATER = START + timedelta(days=1)


class Store(TelemetryWriter, TelemetryReader, Protocol):
    """Both ports at once, as every adapter has them."""


@pytest.fixture(params=["memory", "embedded", "influx"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made = make(request, tmp_path)
    await made.prepare()
    yield made
    await made.close()


def make(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "memory":
        return MemoryTelemetry()
    if request.param == "embedded":
        return EmbeddedTelemetry(tmp_path / "telemetry.sqlite")
    server: InfluxApi = request.getfixturevalue("influx")
    bucket: str = request.getfixturevalue("influx_bucket")
    return InfluxTelemetry(url=server.url, token=server.token, org=server.org, bucket=bucket, retention=None)


def lift(offset_ns: int, **values: Value) -> Point:
    return Point("elevator", LIFT, "", START_NS + offset_ns, values, position=1)


def region(part: str, offset_ns: int, **values: Value) -> Point:
    return Point("thermal", CAMERA, part, START_NS + offset_ns, values, position=1)


def series(signal: str, *samples: tuple[int, Value], family: str = "elevator", part: str = "") -> Series:
    return Series(family, part, signal, [Sample(START_NS + offset, value) for offset, value in samples])


async def read(store: Store, *signals: str, limit: int = 1_000) -> list[Series]:
    return await store.range(LIFT, "elevator", signals, since=START, until=LATER, limit=limit)


async def test_every_type_comes_back_as_it_was(store: Store) -> None:
    await store.write([lift(0, speed_mps=1.5, trip_count=2**53, main_power=True, door_zone=False, floor="B1")])
    found = await read(store, "speed_mps", "trip_count", "main_power", "door_zone", "floor")
    assert found == [
        series("door_zone", (0, False)),
        series("floor", (0, "B1")),
        series("main_power", (0, True)),
        series("speed_mps", (0, 1.5)),
        series("trip_count", (0, 2**53)),
    ]
    assert [type(one.samples[0].value) for one in found] == [bool, str, bool, float, int]


async def test_writing_twice_changes_nothing(store: Store) -> None:
    points = [lift(offset, trip_count=offset) for offset in range(5)]
    await store.write(points)
    await store.write(points[2:] + points[:3])
    assert await read(store, "trip_count") == [series("trip_count", *((offset, offset) for offset in range(5)))]


async def test_nanoseconds_keep_two_messages_of_one_microsecond_apart(store: Store) -> None:
    await store.write([lift(1_001, trip_count=1), lift(1_999, trip_count=2), lift(2_000, trip_count=3)])
    assert await read(store, "trip_count") == [series("trip_count", (1_001, 1), (1_999, 2), (2_000, 3))]


async def test_parts_are_kept_apart(store: Store) -> None:
    await store.write([region("north", 0, maximum_celsius=20.0), region("south", 0, maximum_celsius=30.0)])
    await store.write([region("", 0, ambient_celsius=15.0)])
    found = await store.range(
        CAMERA, "thermal", ["maximum_celsius", "ambient_celsius"], since=START, until=LATER, limit=10
    )
    assert found == [
        series("ambient_celsius", (0, 15.0), family="thermal"),
        series("maximum_celsius", (0, 20.0), family="thermal", part="north"),
        series("maximum_celsius", (0, 30.0), family="thermal", part="south"),
    ]


async def test_devices_of_one_name_and_different_kinds_are_kept_apart(store: Store) -> None:
    online = {"status": "online"}
    offline = {"status": "offline"}
    await store.write(
        [
            Point("presence", LIFT, "", START_NS, {**online}, 1),
            Point("presence", TWIN_NAMED_GATE, "", START_NS, {**offline}, 2),
        ]
    )
    assert await store.latest(LIFT) == [series("status", (0, "online"), family="presence")]
    assert await store.latest(TWIN_NAMED_GATE) == [series("status", (0, "offline"), family="presence")]


async def test_latest_is_the_newest_of_every_signal_whatever_was_written_last(store: Store) -> None:
    await store.write([lift(0, floor="1", main_power=True), lift(20, floor="3", speed_mps=0.5), lift(30, floor="4")])
    await store.write([lift(10, floor="2", speed_mps=1.0)])
    await store.write([Point("elevator_event", LIFT, "", START_NS + 5, {"type": "alarm_pressed"}, 9)])
    assert await store.latest(LIFT) == [
        series("floor", (30, "4")),
        series("main_power", (0, True)),
        series("speed_mps", (20, 0.5)),
        series("type", (5, "alarm_pressed"), family="elevator_event"),
    ]


async def test_latest_of_parts(store: Store) -> None:
    await store.write([region("a", 0, maximum_celsius=20.0), region("a", 9, maximum_celsius=21.0)])
    await store.write([region("b", 3, maximum_celsius=30.0)])
    assert await store.latest(CAMERA) == [
        series("maximum_celsius", (9, 21.0), family="thermal", part="a"),
        series("maximum_celsius", (3, 30.0), family="thermal", part="b"),
    ]


async def test_a_range_begins_at_since_and_ends_before_until(store: Store) -> None:
    await store.write([lift(minute * MINUTE_NS, trip_count=minute) for minute in range(5)])
    found = await store.range(
        LIFT, "elevator", ["trip_count"], since=START + MINUTE, until=START + 3 * MINUTE, limit=10
    )
    assert found == [series("trip_count", (MINUTE_NS, 1), (2 * MINUTE_NS, 2))]


async def test_the_limit_keeps_the_oldest_points_over_all_parts_and_signals(store: Store) -> None:
    await store.write([lift(0, floor="1"), lift(1, trip_count=1, floor="2"), lift(2, trip_count=2), lift(3, floor="4")])
    found = await read(store, "trip_count", "floor", limit=3)
    assert found == [series("floor", (0, "1"), (1, "2")), series("trip_count", (1, 1), (2, 2))]
    assert await read(store, "trip_count", limit=1) == [series("trip_count", (1, 1))]
    assert await read(store, "trip_count", limit=0) == []


async def test_the_limit_counts_a_point_of_two_parts_twice(store: Store) -> None:
    await store.write([region(part, offset, maximum_celsius=1.0) for part in ("a", "b") for offset in range(3)])
    found = await store.range(CAMERA, "thermal", ["maximum_celsius"], since=START, until=LATER, limit=3)
    assert [(one.part, len(one.samples)) for one in found] == [("a", 2), ("b", 1)]


WINDOWS: dict[Aggregate, list[tuple[int, Value]]] = {
    Aggregate.MEAN: [(0, 2.0), (2 * MINUTE_NS, 5.0)],
    Aggregate.MINIMUM: [(0, 1.0), (2 * MINUTE_NS, 5.0)],
    Aggregate.MAXIMUM: [(0, 3.0), (2 * MINUTE_NS, 5.0)],
    Aggregate.LAST: [(0, 2.0), (2 * MINUTE_NS, 5.0)],
    Aggregate.COUNT: [(0, 3), (2 * MINUTE_NS, 1)],
}


async def aggregated(store: Store, signals: Sequence[str], aggregate: Aggregate) -> list[Series]:
    return await store.windows(LIFT, "elevator", signals, since=START, until=LATER, every=MINUTE, aggregate=aggregate)


@pytest.mark.parametrize("aggregate", Aggregate)
async def test_windows_of_numbers(store: Store, aggregate: Aggregate) -> None:
    await store.write([lift(0, speed_mps=1.0), lift(1, speed_mps=3.0), lift(MINUTE_NS - 1, speed_mps=2.0)])
    await store.write([lift(2 * MINUTE_NS, speed_mps=5.0), lift(MINUTE_NS, floor="no number here")])
    found = await aggregated(store, ["speed_mps"], aggregate)
    assert found == [series("speed_mps", *WINDOWS[aggregate])]
    assert {type(sample.value) for sample in found[0].samples} == {int if aggregate is Aggregate.COUNT else float}


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        pytest.param(Aggregate.MEAN, 0.75, id="mean"),
        pytest.param(Aggregate.MINIMUM, 0, id="min"),
        pytest.param(Aggregate.MAXIMUM, 1, id="max"),
        pytest.param(Aggregate.LAST, False, id="last"),
        pytest.param(Aggregate.COUNT, 4, id="count"),
    ],
)
async def test_windows_of_booleans(store: Store, aggregate: Aggregate, expected: Value) -> None:
    await store.write([lift(0, main_power=True), lift(1, main_power=True), lift(2, main_power=True)])
    await store.write([lift(3, main_power=False)])
    found = await aggregated(store, ["main_power"], aggregate)
    assert found == [series("main_power", (0, expected))]
    assert type(found[0].samples[0].value) is type(expected)


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [(Aggregate.MINIMUM, 1), (Aggregate.MAXIMUM, 3), (Aggregate.LAST, 2), (Aggregate.MEAN, 2.0)],
)
async def test_windows_of_integers_keep_their_type(store: Store, aggregate: Aggregate, expected: Value) -> None:
    await store.write([lift(0, trip_count=3), lift(1, trip_count=1), lift(2, trip_count=2)])
    found = await aggregated(store, ["trip_count"], aggregate)
    assert found == [series("trip_count", (0, expected))]
    assert type(found[0].samples[0].value) is type(expected)


async def test_windows_of_text_and_numbers_together(store: Store) -> None:
    await store.write([lift(0, floor="1", trip_count=1), lift(1, floor="B1"), lift(MINUTE_NS, floor="2")])
    assert await aggregated(store, ["floor", "trip_count"], Aggregate.LAST) == [
        series("floor", (0, "B1"), (MINUTE_NS, "2")),
        series("trip_count", (0, 1)),
    ]
    assert await aggregated(store, ["floor"], Aggregate.COUNT) == [series("floor", (0, 2), (MINUTE_NS, 1))]


@pytest.mark.parametrize("aggregate", [Aggregate.MEAN, Aggregate.MINIMUM, Aggregate.MAXIMUM])
async def test_text_has_no_mean(store: Store, aggregate: Aggregate) -> None:
    with pytest.raises(PermanentError, match="floor"):
        await aggregated(store, ["floor"], aggregate)


async def test_windows_are_aligned_to_1970_and_hold_only_what_was_asked_for(store: Store) -> None:
    await store.write([lift(offset * MINUTE_NS, trip_count=1) for offset in range(60)])
    found = await store.windows(
        LIFT,
        "elevator",
        ["trip_count"],
        since=START + 10 * MINUTE,
        until=START + 50 * MINUTE,
        every=timedelta(minutes=30),
        aggregate=Aggregate.COUNT,
    )
    assert found == [series("trip_count", (0, 20), (30 * MINUTE_NS, 20))]


async def test_windows_by_part(store: Store) -> None:
    await store.write([region(part, 0, maximum_celsius=float(part)) for part in ("1", "2")])
    found = await store.windows(
        CAMERA, "thermal", ["maximum_celsius"], since=START, until=LATER, every=MINUTE, aggregate=Aggregate.MEAN
    )
    assert [(one.part, one.samples[0].value) for one in found] == [("1", 1.0), ("2", 2.0)]


async def test_nothing_is_not_an_error(store: Store) -> None:
    await store.ping()
    await store.write([])
    assert await store.latest(LIFT) == []
    assert await read(store, "floor") == []
    assert await read(store) == []
    assert await aggregated(store, ["floor"], Aggregate.LAST) == []
    await store.write([lift(0, floor="1")])
    assert await read(store, "trip_count") == []
    assert await store.range(LIFT, "elevator", ["floor"], since=LATER, until=START, limit=1) == []
    assert await store.latest(CAMERA) == []


async def test_all_of_time_may_be_asked_for(store: Store) -> None:
    await store.write([lift(0, floor="1")])
    beginning, end = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    found = await store.range(LIFT, "elevator", ["floor"], since=beginning, until=end, limit=10)
    assert found == [series("floor", (0, "1"))]


async def test_a_point_without_values_holds_nothing(store: Store) -> None:
    await store.write([lift(0), lift(1, floor="1")])
    assert await store.latest(LIFT) == [series("floor", (1, "1"))]


async def test_unknown_families_and_signals_are_refused(store: Store) -> None:
    with pytest.raises(PermanentError, match="escalator"):
        await store.range(LIFT, "escalator", ["floor"], since=START, until=LATER, limit=1)
    with pytest.raises(PermanentError, match="colour"):
        await read(store, "colour")
    with pytest.raises(PermanentError, match="colour"):
        await aggregated(store, ["colour"], Aggregate.LAST)
    with pytest.raises(MalformedPoints, match="colour"):
        await store.write([lift(0, colour="red")])
    with pytest.raises(MalformedPoints, match="escalator"):
        await store.write([Point("escalator", LIFT, "", START_NS, {"floor": "1"}, 1)])


ODD = [
    "",
    " ",
    '"',
    "\\",
    'a\\"b\\',
    "a,b=c d",
    "line\nfeed",
    "carriage\rreturn\r\n",
    "tab\tnul\x00 escape\x1b",
    "楼层 Ü é 🛗",
    "#comment",
    "'; DROP TABLE elevator; --",
    '${1} |> drop() "r"',
    "\ufeff\u2028",
    "true",
    "12",
]


async def test_odd_text_comes_back_as_it_was(store: Store) -> None:
    await store.write([lift(offset, floor=text) for offset, text in enumerate(ODD)])
    assert await read(store, "floor") == [series("floor", *enumerate(ODD))]
    assert await store.latest(LIFT) == [series("floor", (len(ODD) - 1, ODD[-1]))]
    last = await aggregated(store, ["floor"], Aggregate.LAST)
    assert last == [series("floor", (0, ODD[-1]))]


async def test_odd_parts_come_back_as_they_were(store: Store) -> None:
    parts = [odd for odd in ODD if odd and "\n" not in odd and "\r" not in odd and not odd.endswith("\\")]
    await store.write([region(part, 0, maximum_celsius=1.0) for part in parts])
    assert [one.part for one in await store.latest(CAMERA)] == sorted(parts)


async def test_a_hostile_device_name_finds_only_itself(store: Store) -> None:
    hostile = DeviceKey('x" or true or "', DeviceKind.ELEVATOR, 'y${r.device}\\" or "1" == "1')
    await store.write([lift(0, floor="1"), Point("elevator", hostile, "", START_NS, {"floor": "2"}, 1)])
    assert await store.latest(hostile) == [series("floor", (0, "2"))]
    assert await store.latest(LIFT) == [series("floor", (0, "1"))]


@pytest.mark.parametrize("store", ["embedded", "influx"], indirect=True)  # Dictionaries hold any text.
async def test_text_that_is_not_unicode_is_malformed(store: Store) -> None:
    with pytest.raises(MalformedPoints):
        await store.write([lift(0, floor="\ud800")])
    assert await store.latest(LIFT) == []


async def test_a_large_batch_arrives_whole(store: Store) -> None:
    count = 5_000
    await store.write([lift(offset * 1_000, trip_count=offset, floor=str(offset % 7)) for offset in range(count)])
    (found,) = await read(store, "trip_count", limit=count)
    assert [sample.value for sample in found.samples] == list(range(count))


@pytest.mark.parametrize("store", ["memory", "embedded"], indirect=True)  # InfluxDB deletes in its own time.
async def test_expiry_deletes_what_is_older(store: Store) -> None:
    await store.write([lift(minute * MINUTE_NS, trip_count=minute) for minute in range(10)])
    await store.write([region("a", 0, maximum_celsius=1.0)])
    await store.expire(timedelta(minutes=5), START + 10 * MINUTE)
    assert await read(store, "trip_count") == [series("trip_count", *((m * MINUTE_NS, m) for m in range(5, 10)))]
    assert await store.latest(CAMERA) == []
    await store.write([region("a", 0, maximum_celsius=2.0)])
    assert await store.latest(CAMERA) == [series("maximum_celsius", (0, 2.0), family="thermal", part="a")]


@given(st.integers(1, 200), st.lists(st.integers(0, 10_000), unique=True, min_size=1, max_size=40))
async def test_windows_hold_every_value_once(width_us: int, offsets: list[int]) -> None:
    """Whatever the width: windows begin at multiples of it, and their counts add up (here the twin's)."""
    store = MemoryTelemetry()
    await store.write([lift(offset * 1_000, trip_count=offset) for offset in offsets])
    width = timedelta(microseconds=width_us)
    (found,) = await store.windows(
        LIFT, "elevator", ["trip_count"], since=START, until=LATER, every=width, aggregate=Aggregate.COUNT
    )
    assert all(sample.at_nanoseconds % (width_us * 1_000) == 0 for sample in found.samples)
    assert sum(int(sample.value) for sample in found.samples) == len(offsets)


async def test_closing_twice_is_harmless(store: Store) -> None:
    await store.close()
    await store.close()
