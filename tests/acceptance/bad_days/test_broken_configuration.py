"""A power cut leaves NULs in rules and plans: nothing stops, a start goes on with what was good, and it is told."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.acceptance import outcome
from tests.acceptance.running import COMMAND, ROOT, Anju, environment, wait_until
from tests.acceptance.test_change_while_running import RULE
from tests.servers.plugin import MakeMosquitto
from tests.servers.running import free_port

SHIPPED = ROOT / "deploy" / "anju" / "config"
PLAN = """\
version: 1
receivers: [{name: wall, mqtt: {topic: anju-notify/wall}}]
policies: [{name: duty, steps: [{after: 0s, notify: [receiver:wall]}]}]
routes: [{policy: duty}]
"""
KINDS = ("rules", "plan", "emergency")
ALERTS = {("configuration-refused", f"anju/system/configuration-{kind}") for kind in KINDS}
# The alert waits for ten seconds, since an editor may save in two steps.
ALERT_SECONDS = 60.0


@dataclass
class House:
    """The whole of Anju in one process, with a file of each kind."""

    files: dict[str, Path]
    anju: Anju
    settings: dict[str, object]
    starts: int = 0

    def write(self, event: str) -> None:
        """Write all files anew, in place; ``event`` is what the one rule waits for."""
        texts = {
            "rules": RULE.format(name=f"gate-{event.replace('_', '-')}", event=event),
            "plan": PLAN,
            "emergency": (SHIPPED / "emergency.yaml").read_text(encoding="utf-8"),
        }
        for kind, path in self.files.items():
            path.write_text(texts[kind], encoding="utf-8")

    def cut_power(self) -> None:
        """Leave every file as long as it was, and full of NULs."""
        for path in self.files.values():
            path.write_bytes(b"\0" * path.stat().st_size)

    def start(self) -> None:
        """Start and wait until it has greeted."""
        self.anju.start()
        self.starts += 1
        wait_until(self._greeted, self.anju.tail)

    def _greeted(self) -> bool:
        assert self.anju.running, self.anju.tail()
        return self.anju.output().count("Ctrl-C stops it") == self.starts

    def ask(self, path: str) -> httpx.Response:
        found = re.search(r"token +(\S+)  \(shown only now\)", self.anju.output())
        assert found, self.anju.tail()
        url = f"http://127.0.0.1:{self.settings['ANJU_API__PORT']}{path}"
        return httpx.get(url, headers={"Authorization": f"Bearer {found[1]}"}, timeout=10, trust_env=False)

    def told_unready(self) -> list[str]:
        """The kinds of configuration of which ``/readyz`` says file and line."""
        said = self.ask("/readyz").text
        return [kind for kind in KINDS if f"configuration/{kind}: {self.files[kind]}:1: not YAML" in said]

    def rules(self) -> list[str]:
        return [rule["id"] for rule in self.ask("/api/v1/rules").json()["items"]]

    def firing(self) -> set[tuple[str, str]]:
        return {alert for alert in outcome.Records(self.anju.var).firing() if alert[0] == "configuration-refused"}


@pytest.fixture
def house(tmp_path: Path, make_mosquitto: MakeMosquitto) -> Iterator[House]:
    files = {kind: tmp_path / f"{kind}.yaml" for kind in KINDS}
    settings: dict[str, object] = {
        "ANJU_MQTT__PORT": make_mosquitto(save_every_change=False).port,
        "ANJU_API__PORT": free_port(),
        "ANJU_BROKER__EMBEDDED": "none",
        "ANJU_RULES__BUILTIN": "false",
        "ANJU_RULES__FILES": f'["{files["rules"]}"]',
        "ANJU_NOTIFY__PLAN": files["plan"],
        "ANJU_EMERGENCY__PLAN": files["emergency"],
    }
    there = House(files, Anju("run", tmp_path / "var", settings, "--no-demo"), settings)
    there.write("forced_open")
    try:
        yield there
    finally:
        there.anju.__exit__()


@pytest.mark.timeout(300)
def test_broken_files_stop_nothing_and_are_told_until_they_are_mended(house: House) -> None:
    house.start()
    house.write("tamper")
    wait_until(lambda: "rules.reloaded" in house.anju.output(), house.anju.tail)

    house.cut_power()
    wait_until(lambda: house.told_unready() == list(KINDS), lambda: house.ask("/readyz").text)
    wait_until(lambda: house.firing() == ALERTS, house.anju.tail, ALERT_SECONDS)

    house.anju.kill()
    house.start()
    wait_until(lambda: house.told_unready() == list(KINDS), lambda: house.ask("/readyz").text)
    assert house.firing() == ALERTS
    said = house.anju.output()
    for kind in KINDS:
        assert f"a configuration file is refused: configuration/{kind}: {house.files[kind]}:1: not YAML" in said
    assert "in force is the last good version, of 20" in said
    # The version taken last, not the one of the first start.
    assert house.rules() == ["gate-tamper"]
    assert house.ask("/api/v1/emergency-plan").json()["contacts"]

    house.write("forced_open")
    wait_until(lambda: house.firing() == set(), house.anju.tail, ALERT_SECONDS)
    # The API looks at the files by itself, up to a second later.
    wait_until(lambda: house.told_unready() == [], lambda: house.ask("/readyz").text)
    wait_until(lambda: house.rules() == ["gate-forced-open"], house.anju.tail)
    assert house.anju.stop() == 0, house.anju.tail()
    assert "Traceback" not in house.anju.output()


def test_a_first_start_with_a_broken_file_is_refused_in_one_line(house: House) -> None:
    house.cut_power()
    house.anju.start()
    assert house.anju.wait() == 1
    refusal = house.anju.output().splitlines()[-1]
    assert re.fullmatch(rf"anju: {house.files['plan']}:1: not YAML: the character U\+0000: expected .*", refusal)
    assert "Traceback" not in house.anju.output()


def test_the_check_of_the_configuration_fails_although_a_start_would_go_on(house: House) -> None:
    house.start()
    house.cut_power()
    checked = subprocess.run(
        [*COMMAND, "check-config"], cwd=ROOT, env=environment(house.anju.var, house.settings), capture_output=True
    )
    assert checked.returncode == 1
    assert checked.stderr.decode().startswith(f"anju: {house.files['rules']}:1: not YAML")
