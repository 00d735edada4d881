"""Every broken plan by the command line; and none of them takes the place of the plan in force."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.unit.alerts.test_plans_broken import CASES, NAMES, expected_of, text_of
from tests.unit.app.test_channels import TEXT
from tests.unit.app.test_plan_source import source
from tests.unit.app.test_rules_cli import anju


def test_good_plans_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(TEXT, encoding="utf-8")
    result = anju("plan", "check", path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{path}: 3 receivers, 1 policies, 1 routes, all valid\n"


@pytest.mark.parametrize("name", NAMES)
def test_the_command_tells_file_line_and_what_was_expected(name: str) -> None:
    path = CASES / name / "plan.yaml"
    result = anju("plan", "check", path)
    assert (result.exit_code, result.stdout) == (1, "")
    for line, (number, text) in zip(result.stderr.splitlines(), expected_of(name), strict=True):
        assert line.startswith(f"{path}:{number}: ")
        assert text in line


def test_every_file_is_looked_at_and_one_broken_one_is_enough(tmp_path: Path) -> None:
    good = tmp_path / "plan.yaml"
    good.write_text(TEXT, encoding="utf-8")
    circle, twice = (CASES / name / "plan.yaml" for name in ("inhibitions-in-a-circle", "receiver-twice"))
    result = anju("plan", "check", circle, good, twice)
    assert result.exit_code == 1
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == [str(circle), str(twice)]
    assert result.stdout.startswith(f"{good}: ")


@pytest.mark.parametrize(("written", "told"), [(None, "No such file"), (b"\xff", "not UTF-8 at byte 0")])
def test_what_cannot_be_read_is_said(tmp_path: Path, written: bytes | None, told: str) -> None:
    path = tmp_path / "plan.yaml"
    if written is not None:
        path.write_bytes(written)
    result = anju("plan", "check", path)
    assert result.exit_code == 1
    assert f"{path}:1: {told}" in str(result.exception)


async def test_the_plan_in_force_stays_whatever_takes_the_place_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(TEXT, encoding="utf-8")
    read = source(path)
    before, receivers = await read.load(), read.receivers
    for name in NAMES:
        draft = tmp_path / "draft"
        draft.write_text(text_of(name), encoding="utf-8")
        draft.replace(path)
        with capture_logs() as logs:
            assert await read.changed() is None, name
            assert await read.changed() is None, name
        assert [entry["event"] for entry in logs] == ["plan.refused"], name
        line, text = expected_of(name)[0]
        assert read.problem.startswith(f"{path}:{line}: "), name
        assert text in read.problem, name
        assert (read.plan, read.receivers) == (before, receivers), name
