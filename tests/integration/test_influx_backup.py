"""A bucket of a real InfluxDB: backed up, lost, brought back, with the same points; and what is refused."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from core.clock import to_microseconds
from core.devices import DeviceKey, DeviceKind
from core.errors import Conflict, PermanentError, TemporaryError
from core.telemetry import Point, Series
from storage.telemetry.influx import InfluxTelemetry
from storage.telemetry.influx_backup import DESCRIPTION, InfluxBackup
from tests.servers.influx import InfluxApi, request
from tests.servers.plugin import MakeInflux
from tests.servers.running import free_port

LIFT = DeviceKey("riverside", DeviceKind.ELEVATOR, "lift-1")
START = datetime(2026, 5, 1, tzinfo=UTC)
# Of several weeks, and so of several shards.
WEEKS = 5


async def written(server: InfluxApi, bucket: str, weeks: range = range(WEEKS)) -> None:
    points = [
        Point(
            "elevator",
            LIFT,
            "",
            to_microseconds(START + timedelta(weeks=week)) * 1_000,
            {"speed_mps": 100.0 + week},
            position=1,
        )
        for week in weeks
    ]
    store = opened(server, bucket)
    await store.prepare()
    await store.write(points)
    await store.close()


async def read(server: InfluxApi, bucket: str) -> list[Series]:
    store = opened(server, bucket)
    until = START + timedelta(weeks=2 * WEEKS)
    try:
        return await store.range(LIFT, "elevator", ["speed_mps"], since=START, until=until, limit=100)
    finally:
        await store.close()


def opened(server: InfluxApi, bucket: str) -> InfluxTelemetry:
    return InfluxTelemetry(url=server.url, token=server.token, org=server.org, bucket=bucket, retention=None)


def backup_of(server: InfluxApi, bucket: str, token: str | None = None) -> InfluxBackup:
    return InfluxBackup(url=server.url, token=token or server.token, org=server.org, bucket=bucket)


def buckets(server: InfluxApi) -> set[str]:
    found = request(f"{server.url}/api/v2/buckets?limit=100", token=server.token)
    return {bucket["name"] for bucket in found["buckets"]}


@pytest.fixture
async def saved(influx: InfluxApi, influx_bucket: str, tmp_path: Path) -> Path:
    """The backup of a bucket with points, of which the newest are still in the cache of the server."""
    await written(influx, influx_bucket)
    await backup_of(influx, influx_bucket).save(tmp_path)
    assert len(list(tmp_path.glob("influx-shard-*.tar"))) == WEEKS
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    return tmp_path


@pytest.mark.parametrize("there", ["nothing", "an empty bucket", "what an interrupted restore left"])
async def test_a_bucket_that_was_lost_comes_back_with_the_same_points(
    influx: InfluxApi, influx_bucket: str, saved: Path, there: str
) -> None:
    before = await read(influx, influx_bucket)
    assert [len(series.samples) for series in before] == [WEEKS]
    influx.delete_bucket(influx_bucket)
    if there == "an empty bucket":
        await written(influx, influx_bucket, range(0))
    elif there == "what an interrupted restore left":
        await written(influx, f"{influx_bucket}-restoring", range(WEEKS, WEEKS + 1))
    await backup_of(influx, influx_bucket).bring_back(saved)
    assert await read(influx, influx_bucket) == before
    assert f"{influx_bucket}-restoring" not in buckets(influx)
    # It is a bucket like any other.
    await written(influx, influx_bucket, range(WEEKS, WEEKS + 1))
    assert [len(series.samples) for series in await read(influx, influx_bucket)] == [WEEKS + 1]


@pytest.mark.timeout(300)
async def test_it_comes_back_on_another_server(
    influx: InfluxApi, influx_bucket: str, saved: Path, make_influx: MakeInflux
) -> None:
    elsewhere = InfluxApi(make_influx().address)
    await backup_of(elsewhere, "another-name").bring_back(saved)
    assert await read(elsewhere, "another-name") == await read(influx, influx_bucket)


async def test_a_bucket_with_points_is_not_overwritten(influx: InfluxApi, influx_bucket: str, saved: Path) -> None:
    await written(influx, influx_bucket, range(WEEKS, WEEKS + 1))
    before = await read(influx, influx_bucket)
    with pytest.raises(Conflict, match="holds points already"):
        await backup_of(influx, influx_bucket).bring_back(saved)
    assert await read(influx, influx_bucket) == before


async def test_a_token_for_the_bucket_alone_is_told_what_is_missing(
    influx: InfluxApi, influx_bucket: str, tmp_path: Path
) -> None:
    org = request(f"{influx.url}/api/v2/orgs?org={influx.org}", token=influx.token)["orgs"][0]["id"]
    permissions = [{"action": each, "resource": {"type": "buckets"}} for each in ("read", "write")]
    wanted = {"orgID": org, "permissions": permissions}
    narrow = request(f"{influx.url}/api/v2/authorizations", token=influx.token, body=wanted)["token"]
    with pytest.raises(PermanentError, match="needs an operator token"):
        await backup_of(influx, influx_bucket, narrow).save(tmp_path)


async def test_what_is_not_there_is_said(influx: InfluxApi, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="has no bucket 'nowhere'"):
        await backup_of(influx, "nowhere").save(tmp_path)
    away = InfluxBackup(url=f"http://127.0.0.1:{free_port()}", token="x", org="anju", bucket="anju")
    with pytest.raises(TemporaryError, match="InfluxDB at http"):
        await away.save(tmp_path)
    assert not (tmp_path / DESCRIPTION).exists()


async def test_a_shard_that_is_compacted_just_now_is_asked_for_again(
    influx: InfluxApi, influx_bucket: str, tmp_path: Path
) -> None:
    """InfluxDB answers 500 meanwhile; a proxy does so for it, as nobody can tell when it compacts."""
    await written(influx, influx_bucket)
    async with busy_shards(influx, refusals=2) as (url, asked):
        backup = InfluxBackup(url=url, token=influx.token, org=influx.org, bucket=influx_bucket)
        await backup.save(tmp_path)
    assert set(asked.values()) == {3}
    influx.delete_bucket(influx_bucket)
    await backup_of(influx, influx_bucket).bring_back(tmp_path)
    assert [len(series.samples) for series in await read(influx, influx_bucket)] == [WEEKS]


@asynccontextmanager
async def busy_shards(server: InfluxApi, refusals: int) -> AsyncIterator[tuple[str, Counter[str]]]:
    """Put a proxy before ``server`` that refuses each shard ``refusals`` times; yield its URL and requests by shard."""
    asked: Counter[str] = Counter()

    async def forward(request: web.Request) -> web.Response:
        if "/backup/shards/" in request.path:
            asked[request.path] += 1
            if asked[request.path] <= refusals:
                return web.json_response({"code": "internal error"}, status=500)
        headers = {"Authorization": request.headers["Authorization"]}
        async with aiohttp.ClientSession() as client, client.get(server.url + request.path, headers=headers) as answer:
            kept = {"Content-Type": answer.headers["Content-Type"]}
            return web.Response(body=await answer.read(), status=answer.status, headers=kept)

    app = web.Application()
    app.router.add_get("/{path:.*}", forward)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{port}", asked
    finally:
        await runner.cleanup()
