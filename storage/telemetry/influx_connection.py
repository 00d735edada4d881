"""One connection to InfluxDB 2.x: what is said over HTTP, through influxdb-client's async API."""

import asyncio
import gzip
from datetime import timedelta

import aiohttp
from influxdb_client import (
    BucketRetentionRules,
    BucketsService,
    Dialect,
    OrganizationsService,
    PatchBucketRequest,
    PatchRetentionRule,
    PostBucketRequest,
    WriteService,
)
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.domain.bucket import Bucket

from core.errors import TemporaryError
from storage.telemetry.influx_errors import Absent, library_errors

# The library compresses at level 9: 57 ms for 5,000 lines (to 10 % of their size), against 10 ms at level 1 (to 14 %).
_GZIP_LEVEL = 1
_DAY_SECONDS = 86_400
_DIALECT = Dialect(
    header=True, delimiter=",", annotations=["datatype"], comment_prefix="#", date_time_format="RFC3339Nano"
)


class InfluxConnection:
    """Speaks to one bucket; connects when first used, inside the running loop."""

    def __init__(self, *, url: str, token: str, org: str, bucket: str, timeout_seconds: float) -> None:
        self._url = url
        self._token = token
        self._org = org
        self._bucket = bucket
        self._timeout_seconds = timeout_seconds
        self._client: InfluxDBClientAsync | None = None

    async def write(self, lines: bytes) -> None:
        """Store line protocol with nanosecond times. Raises `TemporaryError` or `MalformedPoints`."""
        # In a thread, because compressing is a pause the event loop would feel; zlib lets go of the interpreter.
        body = await asyncio.to_thread(gzip.compress, lines, _GZIP_LEVEL)
        with library_errors("write"):
            await WriteService(self._opened().api_client).post_write_async(
                org=self._org,
                bucket=self._bucket,
                body=body,
                precision="ns",
                content_encoding="gzip",
                content_type="text/plain; charset=utf-8",
            )

    async def query(self, flux: str) -> str:
        """Return the answer to ``flux`` as annotated CSV. Raises `TemporaryError` or `PermanentError`."""
        with library_errors("query"):
            return str(await self._opened().query_api().query_raw(flux, dialect=_DIALECT))

    async def find_bucket(self) -> Bucket | None:
        """Return the bucket, ``None`` when it does not exist (or the token may not see it)."""
        try:
            with library_errors(f"look for bucket {self._bucket!r}"):
                service = BucketsService(self._opened().api_client)
                found = await service.get_buckets_async(name=self._bucket, org=self._org)
        except Absent:
            return None
        return next((bucket for bucket in found.buckets or [] if bucket.name == self._bucket), None)

    async def create_bucket(self, retention: timedelta | None) -> None:
        """Create the bucket; ``None`` keeps for ever."""
        organisation = await self._find_organisation()
        rules = [BucketRetentionRules(type="expire", every_seconds=_seconds(retention))]
        wanted = PostBucketRequest(org_id=organisation, name=self._bucket, retention_rules=rules)
        with library_errors(f"create bucket {self._bucket!r}"):
            await BucketsService(self._opened().api_client).post_buckets_async(wanted)

    async def keep_for(self, bucket: Bucket, retention: timedelta | None) -> None:
        """Make the bucket keep its points for ``retention`` where it does not do so yet."""
        current = bucket.retention_rules[0].every_seconds if bucket.retention_rules else 0
        if current == _seconds(retention):
            return
        seconds = _seconds(retention)
        # A shard longer than the retention is refused, and would outlive it.
        rule = PatchRetentionRule(
            type="expire", every_seconds=seconds, shard_group_duration_seconds=_shard_seconds(retention)
        )
        with library_errors(f"change retention of bucket {self._bucket!r} from {current} s to {seconds} s"):
            service = BucketsService(self._opened().api_client)
            await service.patch_buckets_id_async(bucket.id, PatchBucketRequest(retention_rules=[rule]))

    async def close(self) -> None:
        """Close the HTTP session; calling it again does nothing."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _find_organisation(self) -> str:
        with library_errors(f"look for organisation {self._org!r}"):
            found = await OrganizationsService(self._opened().api_client).get_orgs_async(org=self._org)
        for organisation in found.orgs or []:
            return str(organisation.id)
        raise TemporaryError(f"InfluxDB: organisation {self._org!r} does not exist, or the token may not see it")

    def _opened(self) -> InfluxDBClientAsync:
        if self._client is None:
            timeout = aiohttp.ClientTimeout(total=self._timeout_seconds)
            self._client = InfluxDBClientAsync(self._url, token=self._token, org=self._org, timeout=timeout)
        return self._client


def _seconds(retention: timedelta | None) -> int:
    """InfluxDB's number for a retention; 0 is for ever."""
    return 0 if retention is None else retention // timedelta(seconds=1)


def _shard_seconds(retention: timedelta | None) -> int:
    """InfluxDB's own defaults (InfluxDB v2 reference, "Shard group duration"), which it applies only on creation."""
    if retention is None or retention > timedelta(days=180):
        return _DAY_SECONDS * 7
    return _DAY_SECONDS if retention >= timedelta(days=2) else 3_600
