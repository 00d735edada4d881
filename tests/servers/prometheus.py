"""Prometheus in a folder of its own, with a configuration that the test gives it."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.servers.running import Server


class Prometheus(Server):
    """A Prometheus at `url`, scraping and evaluating as ``configuration``, a file, says."""

    name = "prometheus"

    def __init__(self, program: Path, configuration: Path) -> None:
        super().__init__(program)
        self.configuration = configuration

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def command(self) -> Sequence[str]:
        return [
            str(self.program),
            f"--config.file={self.configuration}",
            f"--storage.tsdb.path={self.folder / 'tsdb'}",
            f"--web.listen-address={self.host}:{self.port}",
        ]

    def answers(self) -> bool:
        try:
            self._get("/-/ready", 1.0)
        except OSError:
            return False
        return True

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return what ``expression`` yields now: one entry for each series. Raises OSError with the reason."""
        return list(self.ask("query", query=expression)["result"])

    def ask(self, path: str, **parameters: str) -> dict[str, Any]:
        """Return the data that Prometheus's own API answers with."""
        answer = self._get(f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}", 20.0)
        return dict(json.loads(answer)["data"])

    def _get(self, path: str, seconds: float) -> bytes:
        # No proxy: the server is ours, and on loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.url}{path}", timeout=seconds) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                raise OSError(f"{path}: {refused.code} {refused.read().decode(errors='replace')}") from None
