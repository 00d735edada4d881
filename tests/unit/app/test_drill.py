"""`anju drill` against the API itself: what it says as the drill goes on, and what when it cannot."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest

from app.drill import Drill, DrillRefused, lift_path
from app.settings import load
from core.errors import StartupError, TemporaryError
from emergency import acts
from emergency.model import Call, CallFilter, Cause
from tests.unit.api.calling import CALLED
from tests.unit.api.world import RIGHT, WRONG, World, application, empty_world

Step = Callable[[], Awaitable[object]]


class Line(httpx.AsyncBaseTransport):
    """The way to the API, which can be cut."""

    def __init__(self, world: World) -> None:
        self._inner = httpx.ASGITransport(application(world))
        self.cut = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.cut:
            raise httpx.ConnectError("connection refused")
        return await self._inner.handle_async_request(request)


class Scene:
    """A world in which a drill is followed; each wait of it plays one of ``steps``, the last one ends the following."""

    def __init__(self) -> None:
        self.world = empty_world()
        self.line = Line(self.world)
        self.said: list[str] = []
        self.steps: list[Step] = []

    async def run(self, headers: dict[str, str] = RIGHT, lift: str = CALLED) -> None:
        async with httpx.AsyncClient(transport=self.line, base_url="http://anju", headers=headers) as client:
            await Drill(client, lift, self.said.append, self._pause).run()

    async def _pause(self, _seconds: float) -> None:
        if not self.steps:
            raise asyncio.CancelledError
        await self.steps.pop(0)()

    def act(self, after: float, act: acts.Act) -> Step:
        async def acted() -> None:
            self.world.clock.advance(timedelta(seconds=after))
            (call,) = await self.open_calls()
            await self.world.calling.switchboard.act(call.id, act, "wang")

        return acted

    async def open_calls(self) -> list[Call]:
        return await self.world.calling.records.calls(CallFilter(open=True), None, 10)

    def later(self, seconds: float) -> Step:
        async def passed() -> None:
            self.world.clock.advance(timedelta(seconds=seconds))
            await self.world.calling.switchboard.tick()

        return passed

    def cut(self, *, cut: bool) -> Step:
        async def changed() -> None:
            self.line.cut = cut

        return changed


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_a_whole_drill_step_by_step_and_its_times(scene: Scene) -> None:
    scene.steps = [
        scene.later(31),
        scene.act(9, acts.Answer()),
        scene.act(20, acts.OnTheWay("zhang")),
        scene.act(600, acts.OnSite("zhang")),
        scene.act(60, acts.Close(Cause.DRILL)),
    ]
    await scene.run()
    assert scene.said[0].startswith("演练开始 / drill begun: 3 号楼电梯 / lift of block 3 (")
    told = [line for line in scene.said if "已通知 told" in line]
    assert told[0].split()[0] == "0:00.0"
    assert "物业 / Property (ladder)" in told[0]
    end = next(number for number, line in enumerate(scene.said) if line.startswith("用时"))
    assert [line.split()[:3] for line in scene.said[3:end] if line not in told] == [
        ["0:00.0", "已发起", "raised"],
        ["0:00.0", "演练不拨打", "not"],
        ["0:40.0", "已接听", "answered"],
        ["1:00.0", "已出发", "on"],
        ["11:00.0", "已到场", "on"],
        ["12:00.0", "已结束", "closed"],
    ]
    assert "zhang (wang)" in next(line for line in scene.said if "已出发" in line)
    assert scene.said[end] == "用时 / measured，已结束 / closed:"
    answered, on_site = (next(line for line in scene.said[end:] if word in line) for word in ("已接听", "已到场"))
    assert answered.split(maxsplit=2)[2] == "0:40.0  目标 / wanted 0:30.0 ✗ 超时 / late"
    assert on_site.endswith("11:00.0  目标 / wanted 30:00.0 ✓")


async def test_whoever_stops_following_is_told_how_it_stands_and_the_drill_goes_on(scene: Scene) -> None:
    scene.steps = [scene.act(5, acts.Answer())]
    with pytest.raises(asyncio.CancelledError):
        await scene.run()
    assert "to be closed with the cause `drill`" in scene.said[-1]
    assert [line for line in scene.said if "已接听" in line][-1].endswith("✓")
    assert len(await scene.open_calls()) == 1


async def test_a_drill_that_is_open_there_is_followed_from_its_beginning(scene: Scene) -> None:
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            await scene.run()
    again = scene.said[len(scene.said) // 2 :]
    assert again[0].startswith("该处演练正在进行 / a drill is open here already: ")
    assert again[3:5] == scene.said[3:5]


async def test_an_api_that_is_away_meanwhile_is_said_once_and_nothing_is_missed(scene: Scene) -> None:
    scene.steps = [
        scene.cut(cut=True),
        scene.act(5, acts.Answer()),
        scene.later(1),
        scene.cut(cut=False),
        scene.act(5, acts.Close(Cause.DRILL)),
    ]
    await scene.run()
    assert sum("connection refused" in line for line in scene.said) == 1
    end = next(number for number, line in enumerate(scene.said) if line.startswith("用时"))
    words = ("已发起", "refused", "已接听", "已结束")
    assert [word for line in scene.said[3:end] for word in words if word in line] == list(words)


async def test_what_cannot_begin_says_why(scene: Scene) -> None:
    with pytest.raises(DrillRefused, match="401 the token is unknown"):
        await scene.run(headers=WRONG)
    with pytest.raises(DrillRefused, match=r"422 .*lift"):
        await scene.run(lift="nonsense")
    scene.line.cut = True
    with pytest.raises(TemporaryError, match="connection refused"):
        await scene.run()
    assert scene.said == []


@pytest.mark.parametrize(
    ("lift", "community", "path"),
    [
        ("demo/elevator/lift-1", None, "demo/elevator/lift-1"),
        ("lift-1", "demo", "demo/elevator/lift-1"),
        ("demo/elevator/lift-1", "demo", "demo/elevator/lift-1"),
    ],
)
def test_a_lift_by_its_path_or_its_name(lift: str, community: str | None, path: str) -> None:
    assert lift_path(lift, community) == path


@pytest.mark.parametrize(
    ("lift", "community"),
    [("lift-1", None), ("demo/gate/gate-1", None), ("demo/elevator", None), ("demo/elevator/lift-1", "other")],
)
def test_what_is_no_lift(lift: str, community: str | None) -> None:
    with pytest.raises(StartupError, match="expected community/elevator/device"):
        lift_path(lift, community)


def test_the_token_in_the_environment_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANJU_TOKEN", "x")
    assert load().api.port == 8000
