"""The plan read again while running: what is broken changes nothing and says why."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerts.dispatch.defaults import default_plan
from alerts.rules import RuleError
from app.channels import Channels
from app.plan_source import PlanSource
from app.settings import Settings
from core.clock import ManualClock
from tests.unit.app.test_channels import ENVIRONMENT, TEXT


def source(path: Path | None) -> PlanSource:
    return PlanSource(path, Channels(Settings(), ManualClock(datetime(2026, 3, 1, tzinfo=UTC)), ENVIRONMENT))


async def test_without_a_file_the_built_in_plan_is_in_force_for_good() -> None:
    built_in = source(None)
    assert await built_in.load() == default_plan()
    assert set(built_in.receivers) == {receiver.name for receiver in default_plan().receivers}
    assert await built_in.changed() is None


async def test_a_changed_file_is_taken_with_its_channels(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(TEXT)
    read = source(path)
    before = await read.load()
    assert await read.changed() is None
    path.write_text(TEXT.replace("wall", "board"))
    after = await read.changed()
    assert after is not None
    assert (after, read.plan) != (before, before)
    assert "board" in read.receivers
    assert "wall" not in read.receivers


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        pytest.param(TEXT + "more: 1\n", "unknown field `more`", id="unknown key"),
        pytest.param(TEXT.replace("HOOK_SECRET", "NOT_SET"), "NOT_SET is not set", id="secret not set"),
        pytest.param("version: [", "not YAML", id="not yaml"),
        pytest.param(None, "No such file", id="gone"),
    ],
)
async def test_a_broken_file_leaves_the_plan_in_force(tmp_path: Path, broken: str | None, problem: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(TEXT)
    read = source(path)
    before, receivers = await read.load(), dict(read.receivers)
    path.unlink()
    if broken is not None:
        path.write_text(broken)
    assert await read.changed() is None
    assert problem in read.problem
    assert (read.plan, read.receivers) == (before, receivers)
    path.write_text(TEXT.replace("wall", "board"))
    assert await read.changed() is not None
    assert read.problem == ""


@pytest.mark.parametrize("text", [None, "version: 2\n"], ids=["missing", "wrong version"])
async def test_a_start_refuses_what_it_cannot_read(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "plan.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(RuleError, match=r"plan\.yaml"):
        await source(path).load()
