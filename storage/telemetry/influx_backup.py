"""Backup and return of one bucket of InfluxDB 2.x, by the interface that `influx backup` uses.

A backup is the bucket's description and its shards, each as InfluxDB packs it: exact, and as fast as the disk. The rest
of the server (users, tokens, other buckets) stays as it is, on both sides: a whole restore would replace the token with
which Anju asks for it. InfluxDB wants an operator token for all of this.

A return writes into a bucket of another name, which takes the wanted one once it is complete. InfluxDB takes a damaged
shard without a word: compare the files with their digests before.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from core.errors import AnjuError, Conflict, PermanentError, TemporaryError
from ingest.backoff import Backoff

DESCRIPTION = "influx-bucket.json"
_SHARD = "influx-shard-{}.tar"
# A snapshot of a busy shard writes its cache to disk before the first byte comes.
_TIMEOUT = httpx.Timeout(300, connect=10)
_CHUNK_BYTES = 1 << 20
_UNFINISHED = "{}-restoring"
# InfluxDB 2.7 answers 500 while a shard is compacted or series are deleted from it: a fraction of a second, as a rule.
_SHARD_BACKOFF = Backoff(timedelta(milliseconds=200), timedelta(seconds=5))
_SHARD_ATTEMPTS = 8
_Bucket = dict[str, Any]


class InfluxBackup:
    """Copies the bucket ``bucket`` of ``org`` at ``url``, and brings it back; ``token`` is an operator token.

    Everything raises `TemporaryError` when the server does not answer, and `PermanentError` when it refuses.
    """

    def __init__(self, *, url: str, token: str, org: str, bucket: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Token {token}"}
        self._org = org
        self._bucket = bucket

    async def save(self, folder: Path) -> None:
        """Write the bucket's description and shards into ``folder``; raises `Conflict` where there is no bucket."""
        async with self._client() as client:
            bucket = await self._described(client, self._bucket)
            if bucket is None:
                raise Conflict(f"InfluxDB has no bucket {self._bucket!r} of {self._org!r}")
            saved = {shard for shard in _shards(bucket) if await self._save_shard_patiently(client, shard, folder)}
        _keep_shards(bucket, saved)
        path = folder / DESCRIPTION
        await asyncio.to_thread(path.write_text, json.dumps(bucket), encoding="utf-8")
        for file in (path, *(folder / _SHARD.format(shard) for shard in saved)):
            file.chmod(0o600)

    async def bring_back(self, folder: Path) -> None:
        """Bring the bucket back; raises `Conflict`, and changes nothing, where one of its name holds points."""
        bucket: _Bucket = json.loads(await asyncio.to_thread((folder / DESCRIPTION).read_text, encoding="utf-8"))
        async with self._client() as client:
            there = await self._described(client, self._bucket)
            if there is not None and list(_shards(there)):
                raise Conflict(f"InfluxDB's bucket {self._bucket!r} holds points already")
            unfinished = _UNFINISHED.format(self._bucket)
            if (left := await self._described(client, unfinished)) is not None:
                await self._ask(client, "DELETE", f"buckets/{left['bucketID']}")
            made = await self._filled(client, bucket | {"bucketName": unfinished}, folder)
            if there is not None:
                await self._ask(client, "DELETE", f"buckets/{there['bucketID']}")
            await self._ask(client, "PATCH", f"buckets/{made}", json={"name": self._bucket})

    async def _filled(self, client: httpx.AsyncClient, bucket: _Bucket, folder: Path) -> str:
        """Make a bucket with the shards of ``folder``; return its id."""
        organisations = (await self._ask(client, "GET", "orgs", params={"org": self._org})).json()["orgs"]
        here = {"organizationID": organisations[0]["id"], "organizationName": self._org}
        made = (await self._ask(client, "POST", "restore/bucketMetadata", json=bucket | here)).json()
        for mapping in made["shardMappings"]:
            content = _read(folder / _SHARD.format(mapping["oldId"]))
            await self._ask(client, "POST", f"restore/shards/{mapping['newId']}", content=content)
        return str(made["id"])

    async def _described(self, client: httpx.AsyncClient, name: str) -> _Bucket | None:
        """Return how InfluxDB describes a bucket, with its shards; ``None`` where there is none of this name."""
        answer = await self._ask(client, "GET", "backup/metadata")
        for bucket in json.loads(_part(answer, "buckets")):
            if (bucket["organizationName"], bucket["bucketName"]) == (self._org, name):
                return dict(bucket)
        return None

    async def _save_shard_patiently(self, client: httpx.AsyncClient, shard: int, folder: Path) -> bool:
        """Write one shard as `_save_shard` does; a `TemporaryError` is raised only after the last attempt."""
        waits = _SHARD_BACKOFF.waits(random.random)
        for _ in range(_SHARD_ATTEMPTS - 1):
            try:
                return await self._save_shard(client, shard, folder)
            except TemporaryError:
                await asyncio.sleep(next(waits))
        return await self._save_shard(client, shard, folder)

    async def _save_shard(self, client: httpx.AsyncClient, shard: int, folder: Path) -> bool:
        """Write one shard; return whether there still is one: InfluxDB drops those that are past the retention."""
        path = folder / _SHARD.format(shard)
        try:
            async with client.stream("GET", f"/api/v2/backup/shards/{shard}") as answer:
                if answer.status_code == httpx.codes.NOT_FOUND:
                    return False
                await _require_success(answer)
                with path.open("wb") as file:
                    async for chunk in answer.aiter_bytes(_CHUNK_BYTES):
                        await asyncio.to_thread(file.write, chunk)
        except httpx.HTTPError as error:
            raise self._away(error) from error
        return True

    async def _ask(self, client: httpx.AsyncClient, method: str, path: str, **parts: Any) -> httpx.Response:
        try:
            answer = await client.request(method, f"/api/v2/{path}", **parts)
        except httpx.HTTPError as error:
            raise self._away(error) from error
        await _require_success(answer)
        return answer

    def _away(self, error: httpx.HTTPError) -> TemporaryError:
        return TemporaryError(f"InfluxDB at {self._url}: {error or type(error).__name__}")

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self._url, headers=self._headers, timeout=_TIMEOUT, trust_env=False)


async def _require_success(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    said = (await answer.aread()).decode(errors="replace").strip()
    refused = answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
    hint = " (a backup of InfluxDB needs an operator token)" if refused else ""
    kind: Callable[[str], AnjuError] = TemporaryError if answer.is_server_error else PermanentError
    raise kind(f"InfluxDB: {answer.request.url.path}: {answer.status_code} {said}{hint}")


def _part(answer: httpx.Response, name: str) -> bytes:
    """Return a part of a multipart answer. Raises `TemporaryError` where there is none of this name."""
    boundary = answer.headers.get("content-type", "").partition("boundary=")[2].strip('"')
    for part in answer.content.split(f"--{boundary}".encode()) if boundary else ():
        head, _, body = part.partition(b"\r\n\r\n")
        if f'name="{name}"'.encode() in head:
            return body
    raise TemporaryError(f"InfluxDB: {answer.request.url.path}: expected a part {name!r}")


async def _read(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk


def _groups(bucket: _Bucket) -> list[dict[str, Any]]:
    return [group for policy in bucket["retentionPolicies"] for group in policy["shardGroups"] or []]


def _shards(bucket: _Bucket) -> list[int]:
    return [int(shard["id"]) for group in _groups(bucket) for shard in group["shards"] or []]


def _keep_shards(bucket: _Bucket, saved: set[int]) -> None:
    """Take shards out of the description that have gone meanwhile, and groups that have none left."""
    for group in _groups(bucket):
        group["shards"] = [shard for shard in group["shards"] or [] if shard["id"] in saved]
    for policy in bucket["retentionPolicies"]:
        policy["shardGroups"] = [group for group in policy["shardGroups"] or [] if group["shards"]]
