"""The commands of `docs/how-to/back-up-and-upgrade.md`, cut out of the page and run on an installation."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.publish as publish
import pytest
from sqlalchemy import create_engine, text

from core.clock import SystemClock
from tests.acceptance import outcome
from tests.acceptance.running import ROOT, environment, wait_until
from tests.servers.plugin import required_program
from tests.servers.running import free_port

GUIDE = (ROOT / "docs" / "how-to" / "back-up-and-upgrade.md").read_text(encoding="utf-8")
DOCTOR, BACK_UP, RESTORE, UPGRADE, GO_BACK = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
# What stands in for the machine: its service manager, and the folder with the version that is installed.
ANJU = """\
#!/bin/sh
cd {root} && exec {python} -c 'from app.cli import main; main()' "$@"
"""
SYSTEMCTL = """\
#!/bin/sh -e
cd {folder}
case "$1 $2" in
"start anju")
    rm -f log
    nohup anju run --no-demo > log 2>&1 &
    echo $! > pid
    until grep -q "is running; Ctrl-C stops it" log 2> /dev/null; do kill -0 "$(cat pid)" && sleep 0.1; done ;;
"stop anju")
    kill -INT "$(cat pid)" 2> /dev/null || exit 0
    while kill -0 "$(cat pid)" 2> /dev/null; do sleep 0.1; done ;;
*) exit 64 ;;
esac
"""
VERSION = """\
#!/bin/sh
echo "{program} $*" >> {folder}/versions
"""
PLAN = """\
version: 1
zone: Asia/Shanghai
receivers: [{name: duty-group, apprise: {url: "${DUTY_GROUP_URL}"}}]
policies: [{name: all, steps: [{after: 0s, notify: [receiver:duty-group]}]}]
routes: [{policy: all}]
"""


class Machine:
    """A machine on which the guide's commands are run, its folders below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.var = folder, folder / "lib" / "anju"
        (folder / "lib").mkdir()
        (folder / "plan.yaml").write_text(PLAN, encoding="utf-8")
        self.mqtt_port = free_port()
        settings = {
            "ANJU_MQTT__PORT": self.mqtt_port,
            "ANJU_BROKER__EMBEDDED": "mosquitto",
            "ANJU_API__PORT": free_port(),
            "ANJU_NOTIFY__PLAN": folder / "plan.yaml",
            "DUTY_GROUP_URL": "json://127.0.0.1:9/",
        }
        self._environment = environment(self.var, settings)
        self._put("anju", ANJU.format(root=ROOT, python=sys.executable))
        self._put("systemctl", SYSTEMCTL.format(folder=folder))
        for program in ("git", "make"):
            self._put(program, VERSION.format(program=program, folder=folder))
        broker = required_program("mosquitto").parent
        self._environment["PATH"] = f"{folder / 'bin'}:{self._environment['PATH']}:{broker}"

    def _put(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(script, encoding="utf-8")
        path.chmod(0o700)

    def run(self, commands: str) -> str:
        """Run commands as the guide shows them, each of which has to succeed; return what they print."""
        done = self.attempt(commands)
        assert done.returncode == 0, f"{commands}{done.stdout}{done.stderr}{self.log}"
        return done.stdout

    def attempt(self, commands: str) -> subprocess.CompletedProcess[str]:
        places = {"/var/lib/": f"{self.folder}/lib/", "/backups": f"{self.folder}/backups", "-o anju -g anju ": ""}
        for place, ours in places.items():
            commands = commands.replace(place, ours)
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", commands],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=150,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def say(self, count: int) -> None:
        """Have a lift send ``count`` messages, and return when all is stored."""
        before = outcome.ledger(self.var).stored
        for _ in range(count):
            payload = f'{{"at": "{SystemClock().now().isoformat()}", "floor": "1", "position_metres": 3.0}}'
            topic = "anju/v1/riverside/elevator/lift-1/telemetry"
            publish.single(topic, payload, qos=1, hostname="127.0.0.1", port=self.mqtt_port)
        wait_until(
            lambda: outcome.ledger(self.var).stored >= before + count, lambda: f"{outcome.ledger(self.var)}{self.log}"
        )


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    pid = tmp_path / "pid"
    if pid.exists() and Path(f"/proc/{pid.read_text().strip()}").exists():
        made.attempt("systemctl stop anju")


@pytest.mark.timeout(600)
def test_an_installation_is_backed_up_lost_brought_back_upgraded_and_taken_back(machine: Machine) -> None:
    machine.run("systemctl start anju\nanju token add li\n")
    machine.say(3)
    assert "BAD" not in machine.run(DOCTOR)
    machine.run(BACK_UP)
    machine.say(2)

    restored = machine.run(RESTORE)
    assert "restored the backup of" in restored
    assert outcome.ledger(machine.var).stored == 3
    assert "li" in machine.run("anju token list").split()
    assert (machine.var.with_name("anju-broken") / "journal.sqlite").is_file()

    machine.say(4)
    machine.run(UPGRADE)
    assert outcome.ledger(machine.var).stored == 7
    machine.run("systemctl stop anju")
    made_newer(machine.var / "records.sqlite")
    refused = machine.attempt("anju alerts")
    assert (refused.returncode, "newer" in refused.stderr) == (1, True), refused.stderr
    machine.run(GO_BACK)
    assert outcome.ledger(machine.var).stored == 7
    versions = (machine.folder / "versions").read_text(encoding="utf-8").splitlines()
    machine.run("systemctl stop anju")
    (in_volume,) = re.findall(r"--entrypoint sh alerts -c '(.+)'$", GUIDE, re.MULTILINE)
    machine.run(in_volume)
    machine.run("anju restore /backups/before-upgrade")
    assert outcome.ledger(machine.var).stored == 7
    brought = [["git", "pull"], ["make", ".venv/.runtime"], ["git", "checkout"], ["make", ".venv/.runtime"]]
    assert [line.split()[:4:3] for line in versions] == brought


def made_newer(records: Path) -> None:
    """Leave the schema as a version to come would."""
    engine = create_engine(f"sqlite:///{records}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'of-a-version-to-come'"))
    engine.dispose()


def test_the_doctor_says_which_secret_of_a_receiver_is_not_at_hand(machine: Machine) -> None:
    done = machine.attempt("unset DUTY_GROUP_URL; anju doctor")
    assert done.returncode == 1
    assert re.search(r"^BAD  plans: .*DUTY_GROUP_URL", done.stdout, re.MULTILINE), done.stdout
