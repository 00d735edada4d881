"""Every broken rule file by the command line; and none of them reaches the rules in force."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.rule_source import RuleSource
from tests.unit.alerts.test_rule_book import one
from tests.unit.alerts.test_rules_broken import CASES, NAMES, expected_of, text_of
from tests.unit.app.test_rule_source import names, write
from tests.unit.app.test_rules_cli import anju

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", NAMES)
def test_the_command_tells_file_line_and_what_was_expected(name: str) -> None:
    path = CASES / name / "rule.yaml"
    result = anju("rules", "check", path)
    assert (result.exit_code, result.stdout) == (1, "")
    told = result.stderr.splitlines()
    assert len(told) == len(expected_of(name))
    for line, (number, text) in zip(told, expected_of(name), strict=True):
        assert line.startswith(f"{path}:{number}: ")
        assert text in line


def test_a_real_process_ends_with_1_and_one_line_for_each_mistake() -> None:
    chosen = ["yaml-tab", "signal-in-the-wrong-unit", "many-mistakes-at-once"]
    paths = [str(CASES / name / "rule.yaml") for name in chosen]
    finished = subprocess.run(
        [sys.executable, "-c", "from app.cli import main; main()", "rules", "check", *paths],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert finished.returncode == 1
    told = [line.split(":")[:2] for line in finished.stderr.splitlines()]
    assert told == [
        [path, str(number)] for path, name in zip(paths, chosen, strict=True) for number, _ in expected_of(name)
    ]


async def test_the_rules_in_force_stay_whatever_takes_the_place_of_their_file(tmp_path: Path) -> None:
    path = write(tmp_path / "site.yaml", one("a"), one("b"))
    source = RuleSource(builtin=False, paths=[path])
    before = await source.load()
    assert names(before) == ["a:major", "b:major"]
    for name in NAMES:
        draft = tmp_path / "draft"
        draft.write_text(text_of(name), encoding="utf-8")
        draft.replace(path)
        problem = source.problem
        with capture_logs() as logs:
            assert await source.changed() is None, name
            assert await source.changed() is None, name
        # Two files with the same mistake in the same line are refused for the same reason: one entry of the log.
        told = {"rules.refused"} if source.problem != problem else set()
        assert {entry["event"] for entry in logs} == told, name
        line, text = expected_of(name)[0]
        assert source.problem.startswith(f"{path}:{line}: "), name
        assert text in source.problem, name
        assert source.rules() == before, name
    write(path, one("b", "info"))
    assert names(await source.changed()) == ["b:info"]
    assert source.problem == ""
