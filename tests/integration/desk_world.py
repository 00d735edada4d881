"""The whole API with its desk on a real server, calls in memory, and a lift that has spoken."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from fastapi import FastAPI
from playwright.async_api import Browser, Page

from alerts.history import DeviceRow
from core.clock import ManualClock, SystemClock
from core.devices import DeviceKey
from core.telemetry import Aggregate, Sample, Series
from emergency.acts import Act
from emergency.ladder import LadderStep
from emergency.model import Call, Caller, CallPoint, PageKind, Place, Source, Words
from emergency.plan import EmergencyPlan
from emergency.steps import CallRequest
from emergency.switchboard import Switchboard
from storage.memory.calls import MemoryCallPoints
from tests.integration.pages import opened
from tests.unit.api.calling import DirectoryTwin
from tests.unit.api.twins import TelemetryTwin
from tests.unit.api.walls import tell_by_messenger
from tests.unit.api.world import TOKEN, World, application, empty_world

CONTROLLER_CODE = "471147"
LIFT = "xingfu/elevator/lift-3"
_LATEST: dict[str, str | float | int | bool | None] = {
    "floor": "7",
    "door_state": "closed",
    "direction": "stopped",
    "passenger_present": True,
    "door_zone": False,
    "main_power": False,
    "service_mode": "normal",
    "load_kilograms": 152.0,
    "position_metres": 17.2,
}
PLACE = Place(
    "xingfu",
    LIFT,
    "block-3",
    "3 号楼",
    "幸福里 3 号楼 2 单元电梯",
    "Xingfuli, block 3, lift of unit 2",
    "330106",
    "kone",
    _LATEST,
)
GARAGE = Place("xingfu", "xingfu/elevator/lift-9", "", "地库", "地下车库货梯", "Goods lift, garage", "330109")
CALLER = Caller("陈女士", "138 0000 0001", "门打不开，里面有老人")
_POINT = CallPoint("block-3", "xingfu", PLACE.name_zh, PLACE.name_en, LIFT)
WALL = MemoryCallPoints().tokens.of(_POINT)
_FLOORS = ("B1", "1", "2", "3", "4", "5A", "6", "7", "8", "9", "10")


def _contact(name: str, zh: str, en: str, phone: str, **more: Any) -> dict[str, Any]:
    return {"tell": [f"receiver:{name}"], "name": name, "title": {"zh": zh, "en": en}, "phone": phone, **more}


def _step(name: str, zh: str, en: str, role: str, wait: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "title": {"zh": zh, "en": en}, "roles": [role], "wait": wait, **more}


PLAN = msgspec.convert(
    {
        "version": 1,
        "contacts": [
            _contact("duty", "值班手机", "Duty phone", "0571 8888 0001"),
            _contact("second", "王强", "Wang Qiang", "139 0000 0002"),
            _contact("kone", "通力维保 24 小时", "Kone maintenance, 24 h", "400 800 0003", contractor=True),
            _contact("hotline", "电梯应急热线", "Lift rescue hotline", "96333", tell=[]),
            _contact("fire", "消防救援", "Fire and rescue", "119", tell=[]),
            _contact("shop", "楼下小店 李姐", "Li, shop downstairs", "137 0000 0004"),
        ],
        "ladders": [
            {
                "name": "lift",
                "steps": [
                    _step("property", "物业值班", "Property on duty", "duty", "30s"),
                    _step("second-person", "第二值班人", "Second person on duty", "second", "30s"),
                    _step("maintainer", "维保单位", "Maintenance contractor", "kone", "60s"),
                    _step("station", "就近救援站", "Nearest rescue station", "hotline", "60s", dial=True),
                    _step("fire-service", "消防 119", "Fire service 119", "fire", "60s", dial=True),
                ],
            }
        ],
        "communities": [{"community": "*", "ladder": "lift", "roles": {}, "nearby": ["shop"]}],
    },
    EmergencyPlan,
)


class _Telemetry(TelemetryTwin):
    async def windows(
        self,
        device: DeviceKey,
        family: str,
        signals: Sequence[str],
        *,
        since: datetime,
        until: datetime,
        every: timedelta,
        aggregate: Aggregate,
    ) -> list[Series]:
        """Windows as wide as one sample: words have no mean."""
        return await self.range(device, family, signals, since=since, until=until, limit=10_000)


def _words(call: Call, kind: PageKind, step: LadderStep | None, _: Sequence[LadderStep]) -> tuple[Words, Words]:
    words = Words(kind.value, kind.value, kind.value)
    return words, words


class DeskWorld:
    """What stands behind the desk. Its clock goes only when a test moves it, and begins at the real time."""

    def __init__(self) -> None:
        clock = ManualClock(SystemClock().now().replace(microsecond=0))
        self.world: World = empty_world()
        self.world.clock = self.clock = clock
        self.world.telemetry = _Telemetry()
        tell_by_messenger(self.world, "duty", "second", "kone", "shop")
        calling = self.world.calling
        self.directory = DirectoryTwin()
        calling.switchboard = Switchboard(calling.records, self.directory, clock, lambda: PLAN, _words)
        self.calls = calling.switchboard
        self.world.records.device_rows[LIFT] = DeviceRow(
            DeviceKey.from_path(LIFT), clock.now(), clock.now(), True, None, {}, 0
        )
        self.lift_spoke()

    async def begin(self) -> None:
        """Hang the code on the wall, and keep the code of the lift's controller."""
        await self.world.calling.points.put(_POINT, "wei", self.clock.now())
        await self.world.calling.codes.set_code(LIFT, CONTROLLER_CODE, "wei", self.clock.now())

    def application(self) -> FastAPI:
        """The API over it."""
        return application(self.world)

    def lift_spoke(self) -> None:
        """Let the lift have gone through all of its floors, and stop at the seventh."""
        now = self.clock.now()
        rides = [(now - timedelta(hours=2, minutes=-index), name, 3.0 * index) for index, name in enumerate(_FLOORS)]
        for at, floor, metres in rides:
            self.lift_says(at, {"floor": floor, "position_metres": metres})
        self.lift_says(now - timedelta(seconds=20), _LATEST)

    def lift_says(self, at: datetime, signals: dict[str, Any]) -> None:
        """Store one message of the lift."""
        nanoseconds = int(at.timestamp()) * 1_000_000_000
        for signal, value in signals.items():
            key = (LIFT, "elevator", "", signal)
            self.world.telemetry.stored.setdefault(key, []).append(Sample(nanoseconds, value))

    async def rings(self, place: Place = PLACE, source: Source = Source.RESIDENT, **more: Any) -> Call:
        """Raise a call."""
        call, _ = await self.calls.raise_call(CallRequest(source, place, **more), "caller")
        return call

    async def does(self, call: Call, *acts: Act, by: str = "wei") -> Call:
        """Have a colleague do something to it."""
        for act in acts:
            done = await self.calls.act(call.id, act, by)
            assert done is not None
            call = done
        return call

    async def messenger_had(self, *, failed: bool = False) -> None:
        """Have its receiver confirm the newest page, or fail for good."""
        outbox, now = self.world.calling.records.desk.outbox, self.clock.steady()
        ending = outbox.give_up if failed else outbox.delivered
        await ending(outbox.entries[-1].number, now, "")

    async def told(self, call_id: str, kind: str) -> list[str]:
        """Return the receivers of the pages of one kind."""
        return [page.receiver for page in await self.world.calling.records.pages(call_id) if page.kind == kind]


@contextlib.asynccontextmanager
async def desk_page(within: Browser, host: str, *, language: str = "zh", **context: Any) -> AsyncIterator[Page]:
    """The desk, signed in as Lan."""
    async with opened(within, f"http://{host}/desk", **context) as page:
        if language == "en":
            await page.get_by_role("button", name="English").click()
        await page.locator("#token").fill(TOKEN)
        await page.locator("#sign-in").click()
        await page.locator(".link.up").wait_for()
        yield page
