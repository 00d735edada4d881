"""Anju is stopped and started again: what was silent only because nobody listened raises nothing."""

import re
import signal
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from core.clock import SystemClock
from tests.acceptance.running import Anju, wait_until
from tests.servers.running import free_port

# Longer than the rule below waits after an *offline*; the demo says one for each device as it stops.
AWAY = timedelta(seconds=12)
IMPATIENT = """
version: 1
rules:
  - id: impatient-offline
    kind: gate
    severity: major
    title: {zh: 门禁离线, en: Gate no longer heard}
    next_step: {zh: 检查电源和网络, en: Check power and network}
    condition: {kind: missing, offline_for: 10s}
"""


def _token(app: Anju) -> str:
    wait_until(lambda: "shown only now" in app.output(), app.tail)
    found = re.search(r"token +(\S+)  \(shown only now\)", app.output())
    assert found, app.tail()
    return found[1]


@pytest.mark.timeout(240)
def test_a_stop_that_outlasts_the_patience_with_an_offline_raises_nothing(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(IMPATIENT)
    settings = {
        "ANJU_API__PORT": free_port(),
        "ANJU_MQTT__PORT": free_port(),
        "ANJU_RULES__FILES": f'["{rules}"]',
    }
    url = f"http://127.0.0.1:{settings['ANJU_API__PORT']}/api/v1"
    with Anju("run", tmp_path / "var", settings) as app:
        headers = {"Authorization": f"Bearer {_token(app)}"}
        with httpx.Client(base_url=url, headers=headers, timeout=10, trust_env=False) as staff:

            def there() -> list[str]:
                devices = staff.get("/devices").raise_for_status().json()["items"]
                return sorted(each["device"]["path"] for each in devices if each["online"])

            wait_until(lambda: len(there()) >= 6, app.tail)
            before = there()
            assert app.stop(signal.SIGINT) == 0, app.tail()
            back_at = SystemClock().now() + AWAY
            wait_until(lambda: SystemClock().now() >= back_at, app.tail)
            app.start()
            wait_until(lambda: app.output().count("Ctrl-C stops it") == 2, app.tail)
            # The devices said *offline* before the stop: each that is online again has been decided on.
            wait_until(lambda: there() == before, app.tail)
            raised = [each["rule"] for each in staff.get("/alerts").raise_for_status().json()["items"]]
        assert [rule for rule in raised if rule.endswith("-offline")] == []
