"""The plan as the API shows it: the one in force, whatever takes the place of its file, and why it is refused."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from app import heartbeat
from app.heartbeat import Heartbeat
from app.plan_source import PlanSource
from app.plan_view import PlanView
from tests.unit.alerts.test_plans_broken import NAMES, expected_of, text_of
from tests.unit.api.twins import START
from tests.unit.api.world import RIGHT, World, dependencies, empty_world
from tests.unit.app.test_channels import TEXT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def world() -> World:
    return empty_world()


@pytest.fixture
async def source(path: Path) -> PlanSource:
    source = PlanSource(path)
    await source.load()
    return source


@pytest.fixture
async def lan(world: World, source: PlanSource, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    view = PlanView(source, tmp_path, world.clock)
    transport = httpx.ASGITransport(create_app(replace(dependencies(world), plan=view)))
    async with httpx.AsyncClient(transport=transport, base_url="http://anju", headers=RIGHT) as client:
        yield client


async def test_a_broken_file_is_refused_with_its_line_and_the_plan_in_force_stays(
    lan: httpx.AsyncClient, source: PlanSource, path: Path, tmp_path: Path
) -> None:
    before = (await lan.get("/api/v1/plan")).json()
    assert (before["source"], before["problem"]) == (str(path), None)
    for name in NAMES:
        draft = tmp_path / "draft"
        draft.write_text(text_of(name), encoding="utf-8")
        draft.replace(path)
        await source.changed()
        now = (await lan.get("/api/v1/plan")).json()
        line, text = expected_of(name)[0]
        assert now["problem"].startswith(f"{path}:{line}: "), name
        assert text in now["problem"], name
        assert now | {"problem": None} == before, name
    path.write_text(TEXT.replace("wall", "board"), encoding="utf-8")
    await source.changed()
    now = (await lan.get("/api/v1/plan")).json()
    assert (now["problem"], now["receivers"][-1]["name"]) == (None, "board")


async def test_the_plan_that_comes_with_anju_has_no_file(tmp_path: Path, world: World) -> None:
    source = PlanSource(None)
    view = PlanView(source, tmp_path, world.clock)
    loaded = await source.load()
    assert (view.source, view.current(), await view.problem()) == ("built-in", loaded, "")


SAID = {
    "the desk refuses it": ("degraded", "plan: receiver app: environment variable APP is not set", 0, True),
    "the desk has another problem": ("degraded", "records: away", 0, False),
    "the desk is gone": ("degraded", "plan: receiver app: environment variable APP is not set", 60, False),
}


@pytest.mark.parametrize(("status", "detail", "seconds", "told"), SAID.values(), ids=SAID)
async def test_what_only_the_desk_can_refuse_is_said_as_well(
    lan: httpx.AsyncClient, world: World, tmp_path: Path, status: str, detail: str, seconds: int, told: bool
) -> None:
    target = heartbeat.path_of(tmp_path, "alerts")
    target.parent.mkdir()
    heartbeat.write(target, Heartbeat(START, status, detail))
    world.clock.advance(timedelta(seconds=seconds))
    problem = (await lan.get("/api/v1/plan")).json()["problem"]
    assert problem == ("receiver app: environment variable APP is not set" if told else None)
