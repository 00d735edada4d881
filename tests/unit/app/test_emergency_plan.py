"""The emergency plan read again while running, and the command that checks it."""

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from alerts.dispatch.defaults import default_plan as default_notify
from alerts.dispatch.plan import targets_of
from app.cli import cli
from app.emergency_plan import EmergencyPlanSource, read_emergency_plan
from core.source import RuleError
from emergency.plan_loading import default_plan

SHIPPED = Path("deploy/anju/config/emergency.yaml")
TEXT = SHIPPED.read_text(encoding="utf-8")


def source(path: Path | None) -> EmergencyPlanSource:
    return EmergencyPlanSource(path, default_notify)


async def test_without_a_file_the_built_in_plan_is_in_force() -> None:
    built_in = source(None)
    assert await built_in.load() == default_plan()
    await built_in.look()
    assert built_in.plan == default_plan()


async def test_a_changed_file_is_taken_and_a_broken_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "emergency.yaml"
    path.write_text(TEXT, encoding="utf-8")
    read = source(path)
    await read.load()
    path.write_text(TEXT.replace("wait: 30s", "wait: 20s"), encoding="utf-8")
    await read.look()
    assert read.plan.ladders[0].steps[0].wait == "20s"
    path.write_text(TEXT.replace("wait: 30s", "wait: thirty"), encoding="utf-8")
    await read.look()
    assert read.plan.ladders[0].steps[0].wait == "20s"
    assert "expected a duration such as 30s or 5m" in read.problem
    path.write_text(TEXT, encoding="utf-8")
    await read.look()
    assert (read.plan.ladders[0].steps[0].wait, read.problem) == ("30s", "")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(None, "emergency.yaml:1: No such file", id="missing"),
        pytest.param(b"\xff\xfe", "emergency.yaml:1: not UTF-8 at byte 0", id="not UTF-8"),
        pytest.param(b"version: 1", "emergency.yaml:1: ", id="incomplete"),
    ],
)
async def test_a_start_with_a_broken_plan_says_what_is_wrong(tmp_path: Path, content: bytes | None, text: str) -> None:
    path = tmp_path / "emergency.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RuleError, match=text):
        await source(path).load()


async def test_a_start_with_somebody_unknown_calls_all_others_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "emergency.yaml"
    path.write_text(TEXT.replace('["receiver:wall"]', '["receiver:wall", "receiver:tower"]'), encoding="utf-8")
    read = source(path)
    plan = await read.load()
    assert plan.contacts[0].tell == ["receiver:wall", "receiver:tower"]
    assert "receiver:tower is not in the notification plan" in read.problem


async def test_the_two_plans_may_change_in_either_order(tmp_path: Path) -> None:
    path, notify = tmp_path / "emergency.yaml", default_notify()
    path.write_text(TEXT, encoding="utf-8")
    read = EmergencyPlanSource(path, lambda: notify)
    await read.load()
    path.write_text(TEXT.replace("receiver:wall", "receiver:tower"), encoding="utf-8")
    await read.look()
    assert (read.plan.contacts[0].tell, bool(read.problem)) == (["receiver:wall"], True)
    tower = msgspec.structs.replace(notify.receivers[0], name="tower")
    notify = msgspec.structs.replace(notify, receivers=[tower])
    await read.look()
    assert (read.plan.contacts[0].tell, read.problem) == (["receiver:tower"], "")
    notify = default_notify()
    await read.look()
    assert "receiver:tower is not in the notification plan" in read.problem


async def test_the_built_in_plan_tells_whom_the_notification_plan_tells_first() -> None:
    notify = default_notify()
    read = EmergencyPlanSource(None, lambda: notify)
    first = msgspec.structs.replace(notify.policies[0].steps[0], notify=["rota:duty"])
    policy = msgspec.structs.replace(notify.policies[0], steps=[first])
    notify = msgspec.structs.replace(notify, policies=[policy, *notify.policies[1:]])
    plan = await read.load()
    assert [each.tell for each in plan.contacts if each.tell] == [["rota:duty"]]


def test_the_shipped_plan_fits_the_shipped_notification_plan() -> None:
    result = CliRunner().invoke(cli, ["emergency", "check", str(SHIPPED)])
    assert result.exit_code == 0
    assert "4 contacts" not in result.output
    assert "3 contacts, 1 ladders, 1 communities, all valid" in result.output
    assert read_emergency_plan(SHIPPED, default_notify()).version == 1


def test_the_command_tells_every_mistake_and_fails(tmp_path: Path) -> None:
    path = tmp_path / "emergency.yaml"
    path.write_text(TEXT.replace("ladder: lift", "ladder: left").replace("receiver:wall", "receiver:tower"))
    result = CliRunner().invoke(cli, ["emergency", "check", str(path)])
    assert result.exit_code == 1
    assert "no ladder left" in result.stderr
    assert "receiver:tower is not in the notification plan" in result.stderr


def test_targets_are_the_names_of_the_notification_plan() -> None:
    assert targets_of(default_notify()) == {"receiver:wall"}
