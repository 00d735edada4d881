"""InfluxDB 2 in a folder of its own, set up over HTTP; and buckets on any InfluxDB."""

import json
import secrets
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.servers.places import Address
from tests.servers.running import Server

ORG = "anju"
BUCKET = "anju"
REQUEST_DEADLINE_SECONDS = 20.0


class InfluxApi:
    """Buckets of one organisation; the token must be allowed to create and delete them."""

    def __init__(self, address: Address) -> None:
        self.address = address

    @property
    def url(self) -> str:
        return self.address.url

    @property
    def token(self) -> str:
        return self.address.token

    @property
    def org(self) -> str:
        return self.address.org

    def new_bucket(self, retention_seconds: int = 0) -> str:
        """Create a bucket with a name of its own and return the name; 0 keeps for ever, else at least 3600."""
        name = f"test-{secrets.token_hex(6)}"
        rules = [{"type": "expire", "everySeconds": retention_seconds}] if retention_seconds else []
        wanted = {"name": name, "orgID": self._org_id(), "retentionRules": rules}
        request(f"{self.url}/api/v2/buckets", token=self.token, body=wanted)
        return name

    def delete_bucket(self, name: str) -> None:
        """Delete the bucket; one that is gone already is not an error."""
        query = urllib.parse.urlencode({"name": name, "org": self.org})
        found = request(f"{self.url}/api/v2/buckets?{query}", token=self.token, missing_ok=True)
        for bucket in found.get("buckets", []):
            request(f"{self.url}/api/v2/buckets/{bucket['id']}", token=self.token, method="DELETE", missing_ok=True)

    def _org_id(self) -> str:
        query = urllib.parse.urlencode({"org": self.org})
        found = request(f"{self.url}/api/v2/orgs?{query}", token=self.token)
        return str(found["orgs"][0]["id"])


class Influx(Server):
    """An InfluxDB at `url` with one organisation, one bucket and a token that may do everything."""

    name = "influx"

    def __init__(self, program: Path) -> None:
        super().__init__(program)
        self.token = secrets.token_urlsafe(24)
        self.org = ORG
        self.bucket = BUCKET
        self._set_up = False

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def address(self) -> Address:
        return Address(self.url, self.token, self.org)

    def command(self) -> Sequence[str]:
        store = self.folder
        return [
            str(self.program),
            f"--bolt-path={store / 'influxd.bolt'}",
            f"--sqlite-path={store / 'influxd.sqlite'}",
            f"--engine-path={store / 'engine'}",
            f"--http-bind-address={self.host}:{self.port}",
            "--reporting-disabled",
        ]

    def answers(self) -> bool:
        try:
            return bool(request(f"{self.url}/health", deadline_seconds=1.0).get("status") == "pass")
        except (OSError, ValueError):
            return False

    def started(self) -> None:
        """The first time, create user, organisation, bucket and token."""
        if self._set_up:
            return
        wanted = {
            "username": "anju",
            "password": secrets.token_urlsafe(24),
            "org": self.org,
            "bucket": self.bucket,
            "token": self.token,
        }
        request(f"{self.url}/api/v2/setup", body=wanted)
        self._set_up = True

    def new_bucket(self, retention_seconds: int = 0) -> str:
        """As `InfluxApi.new_bucket`."""
        return InfluxApi(self.address).new_bucket(retention_seconds)


def request(
    url: str,
    *,
    token: str = "",
    body: object = None,
    method: str | None = None,
    missing_ok: bool = False,
    deadline_seconds: float = REQUEST_DEADLINE_SECONDS,
) -> dict[str, Any]:
    """One call of InfluxDB's JSON API; raises OSError (an HTTP status other than 2xx included), with its answer."""
    call = urllib.request.Request(url, method=method, data=None if body is None else json.dumps(body).encode())
    call.add_header("Content-Type", "application/json")
    if token:
        call.add_header("Authorization", f"Token {token}")
    # No proxy: the server is ours, and on loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(call, timeout=deadline_seconds) as answer:
            return dict(json.loads(answer.read() or b"{}"))
    except urllib.error.HTTPError as refused:
        with refused:
            if missing_ok and refused.code == 404:
                return {}
            text = refused.read().decode(errors="replace")
        raise OSError(f"{call.get_method()} {url}: {refused.code} {text}") from None
