"""The unit for systemd is one that systemd takes, runs a command of Anju and lets it do no more than it needs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.descriptors import RESERVE
from app.settings import Settings
from tests.servers.plugin import required_program

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "anju.service"
INSTALLED = "/opt/anju/"
LINES = [line.split("=", 1) for line in UNIT.read_text(encoding="utf-8").splitlines() if re.match(r"\w+=", line)]
OPTIONS = dict(reversed(LINES))
"""The first value of each option."""
# Of 100, as `systemd-analyze security` counts; what is left is mostly that it may use the network.
MOST_EXPOSURE = 20


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as it is installed, with the command and the page of this checkout."""
    path = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    venv = Path(sys.executable).parent.parent
    path.write_text(text.replace(f"{INSTALLED}.venv", str(venv)).replace(INSTALLED, f"{ROOT}/"), encoding="utf-8")
    return path


def analyze(*arguments: str | Path) -> str:
    """Return what systemd-analyze says; fails when it finds something."""
    command = [required_program("systemd"), *arguments]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stderr


def test_systemd_finds_nothing_wrong_with_it(unit: Path) -> None:
    assert analyze("verify", "--man=no", unit) == ""


def test_little_of_the_machine_is_exposed_to_it(unit: Path) -> None:
    analyze("security", "--no-pager", "--offline=true", f"--threshold={MOST_EXPOSURE}", unit)


@pytest.mark.parametrize(
    ("option", "value"),
    {
        "User": "anju",
        "Type": "exec",
        "Restart": "on-failure",
        "StartLimitIntervalSec": "0",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
        "StateDirectory": "anju",
        "StateDirectoryMode": "0700",
        "UMask": "0077",
    }.items(),
)
def test_it_is_started_again_and_may_do_little(option: str, value: str) -> None:
    assert OPTIONS[option] == value


def test_what_it_runs_is_a_command_of_anju() -> None:
    program, *arguments = OPTIONS["ExecStart"].split()
    assert program == f"{INSTALLED}.venv/bin/anju"
    command = [sys.executable, "-c", "from app.cli import main; main()", *arguments, "--help"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False).returncode == 0


def test_it_keeps_its_state_where_systemd_makes_the_folder() -> None:
    variables = dict(each.split("=", 1) for each in OPTIONS["Environment"].split())
    assert variables["ANJU_VAR"] == f"/var/lib/{OPTIONS['StateDirectory']}" == OPTIONS["WorkingDirectory"]


def test_it_may_open_all_that_the_settings_ask_for() -> None:
    assert int(OPTIONS["LimitNOFILE"]) >= Settings().api.max_connections + RESERVE


def test_the_boot_id_can_be_read_or_the_steady_clock_would_begin_anew_with_each_start() -> None:
    assert "ProcSubset" not in OPTIONS


def test_its_page_is_there() -> None:
    assert OPTIONS["Documentation"].startswith(f"file:{INSTALLED}")
    assert (ROOT / OPTIONS["Documentation"].removeprefix(f"file:{INSTALLED}")).is_file()
