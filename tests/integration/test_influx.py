"""InfluxDB in trouble: killed, refusing, misconfigured; and what `prepare` leaves behind."""

import logging
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from core.clock import SystemClock, to_microseconds
from core.devices import DeviceKey, DeviceKind
from core.errors import MalformedPoints, PermanentError, TemporaryError
from core.telemetry import Point, Sample, Series, Value
from storage.telemetry.influx import InfluxTelemetry
from tests.servers.influx import InfluxApi, request
from tests.servers.plugin import MakeInflux
from tests.servers.running import free_port

LIFT = DeviceKey("riverside", DeviceKind.ELEVATOR, "lift-1")
START_NS = to_microseconds(SystemClock().now()) * 1_000


def lift(offset_ns: int, **values: Value) -> Point:
    return Point("elevator", LIFT, "", START_NS + offset_ns, values, position=1)


def retention_seconds(server: InfluxApi, bucket: str) -> int:
    found = request(f"{server.url}/api/v2/buckets?{urlencode({'name': bucket})}", token=server.token)
    rules = found["buckets"][0]["retentionRules"]
    return int(rules[0]["everySeconds"]) if rules else 0


@asynccontextmanager
async def open_store(server: InfluxApi, bucket: str, **changes: Any) -> AsyncIterator[InfluxTelemetry]:
    wanted = {"url": server.url, "token": server.token, "org": server.org, "bucket": bucket, "retention": None}
    store = InfluxTelemetry(**(wanted | changes))
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def bucketed(influx: InfluxApi, influx_bucket: str) -> AsyncIterator[InfluxTelemetry]:
    async with open_store(influx, influx_bucket) as store:
        yield store


async def test_a_killed_server_is_temporary_and_the_same_write_succeeds_later(make_influx: MakeInflux) -> None:
    server = make_influx()
    points = [lift(offset, trip_count=offset) for offset in range(3)]
    async with open_store(InfluxApi(server.address), server.bucket) as opened:
        await opened.prepare()
        await opened.write(points[:1])
        server.kill()
        for call in (opened.write(points), opened.latest(LIFT), opened.ping(), opened.prepare()):
            with pytest.raises(TemporaryError):
                await call
        server.start()
        await opened.write(points)
        assert await opened.latest(LIFT) == [Series("elevator", "", "trip_count", [Sample(START_NS + 2, 2)])]


async def test_a_server_that_does_not_answer_is_temporary(influx: InfluxApi) -> None:
    async with open_store(influx, "any", url=f"http://127.0.0.1:{free_port()}") as opened:
        with pytest.raises(TemporaryError, match="write"):
            await opened.write([lift(0, floor="1")])


async def test_a_type_conflict_is_malformed_and_the_rest_is_stored(
    influx: InfluxApi, influx_bucket: str, bucketed: InfluxTelemetry
) -> None:
    query = urlencode({"org": influx.org, "bucket": influx_bucket, "precision": "ns"})
    tags = "community=riverside,device=lift-1,kind=elevator"
    write_line(influx, f"/api/v2/write?{query}", f'elevator,{tags} speed_mps="fast" {START_NS}')
    with pytest.raises(MalformedPoints, match="type conflict"):
        await bucketed.write([lift(1, speed_mps=1.0), lift(2, floor="2")])
    assert Series("elevator", "", "floor", [Sample(START_NS + 2, "2")]) in await bucketed.latest(LIFT)


def write_line(server: InfluxApi, path: str, line: str) -> None:
    call = urllib.request.Request(f"{server.url}{path}", data=line.encode(), method="POST")
    call.add_header("Authorization", f"Token {server.token}")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(call, timeout=20) as answer:
        assert answer.status == 204


async def test_a_number_too_large_for_the_server_is_malformed(bucketed: InfluxTelemetry) -> None:
    with pytest.raises(MalformedPoints, match="out of range"):
        await bucketed.write([lift(0, trip_count=2**63)])


async def test_a_wrong_token_is_temporary_says_so_and_is_never_shown(
    influx: InfluxApi, influx_bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_store(influx, influx_bucket, token="not-the-token") as opened:
        for call in (opened.write([lift(0, floor="1")]), opened.ping(), opened.prepare(), opened.latest(LIFT)):
            with pytest.raises(TemporaryError, match="401 the token is not valid") as refused:
                await call
            assert "not-the-token" not in f"{refused.value} {refused.value.__cause__}"
    assert "not-the-token" not in caplog.text


async def test_a_missing_bucket_is_temporary(influx: InfluxApi) -> None:
    async with open_store(influx, "never-made") as opened:
        for call in (opened.write([lift(0, floor="1")]), opened.ping(), opened.latest(LIFT)):
            with pytest.raises(TemporaryError, match="never-made"):
                await call


async def test_a_missing_organisation_is_temporary(influx: InfluxApi) -> None:
    async with open_store(influx, "any", org="nobody") as opened:
        with pytest.raises(TemporaryError, match="nobody"):
            await opened.prepare()


async def test_prepare_makes_the_bucket_and_keeps_its_retention_as_set(influx: InfluxApi, influx_bucket: str) -> None:
    influx.delete_bucket(influx_bucket)
    for retention, expected in ((timedelta(days=30), 2_592_000), (timedelta(days=1), 86_400), (None, 0)):
        async with open_store(influx, influx_bucket, retention=retention) as opened:
            await opened.prepare()
            await opened.prepare()
            await opened.ping()
        assert retention_seconds(influx, influx_bucket) == expected


async def test_a_retention_below_the_servers_minimum_is_permanent(influx: InfluxApi, influx_bucket: str) -> None:
    async with open_store(influx, influx_bucket, retention=timedelta(minutes=1)) as opened:
        with pytest.raises(PermanentError, match="retention"):
            await opened.prepare()


async def test_a_point_past_the_retention_counts_as_stored_and_expired(influx: InfluxApi, influx_bucket: str) -> None:
    async with open_store(influx, influx_bucket, retention=timedelta(days=1)) as opened:
        await opened.prepare()
        await opened.write([lift(-3 * 86_400 * 10**9, floor="1"), lift(0, floor="2")])
        assert await opened.latest(LIFT) == [Series("elevator", "", "floor", [Sample(START_NS, "2")])]
