"""What the desk shows of a lift: old values with their age, an offline lift as one, and no stop that nobody knows."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, expect

from alerts.inventory import DeviceFacts
from core.devices import DeviceKey
from tests.browser.plugin import IN_SESSION_LOOP
from tests.integration.desk_world import LIFT, PLACE, DeskWorld, desk_page

pytestmark = IN_SESSION_LOOP

_NARROW = 12


def _last_heard(world: DeskWorld, ago: timedelta, *, online: bool = True, **signals: Any) -> None:
    """Let the lift have said nothing since ``signals``, so long ``ago``."""
    at = (world.clock.now() - ago).isoformat()
    world.world.telemetry.stored.clear()
    rows = world.world.records.device_rows
    latest = {"": {signal: {"value": value, "at": at} for signal, value in signals.items()}}
    rows[LIFT] = replace(rows[LIFT], latest=latest, online=online)


def _goes_through(world: DeskWorld, floors: int) -> None:
    """Let the lift have stopped at so many floors within the day, now at the fifth."""
    world.world.telemetry.stored.clear()
    for index in range(floors):
        at = world.clock.now() - timedelta(hours=2, minutes=-index)
        world.lift_says(at, {"floor": str(index + 1), "position_metres": 3.0 * index})
    world.lift_says(world.clock.now() - timedelta(seconds=5), {"floor": "5", "position_metres": 12.0})


async def test_old_values_are_grey_with_their_age_and_do_not_move(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    _last_heard(world, timedelta(minutes=3, seconds=20), floor="7", door_state="opening", direction="up")
    await world.rings(replace(PLACE, latest={}))
    async with desk_page(browser, host) as page:
        for place, said in ((".floor", "7 3 分钟前的数据"), (".door", "正在打开 3 分钟前的数据")):
            await expect(page.locator(f".position {place} .old")).to_have_text(said)
        await expect(page.locator("svg.shaft.old")).to_have_css("filter", "grayscale(1)")
        await expect(page.locator("svg .arrow")).to_have_count(0)
        await expect(page.locator("figcaption").first).to_have_text("3 分钟前的数据")
        assert await page.evaluate("document.querySelector('.where').getAnimations({subtree: true}).length") == 0
        world.clock.advance(timedelta(seconds=5))
        world.lift_says(
            world.clock.now() - timedelta(seconds=1), {"floor": "8", "door_state": "closed", "direction": "up"}
        )
        await expect(page.locator(".position .floor")).to_have_text("8")
        await expect(page.locator("svg .arrow")).to_have_count(1)


async def test_an_offline_lift_says_so_in_the_call(browser: Browser, host: str, world: DeskWorld) -> None:
    _last_heard(world, timedelta(seconds=80), online=False, floor="7", door_state="closed")
    await world.rings(replace(PLACE, latest={}))
    async with desk_page(browser, host) as page:
        await expect(page.locator(".position .offline")).to_contain_text("电梯已离线")
        await expect(page.locator(".position .floor .old")).to_have_text("7 1 分钟前的数据")
        rows = world.world.records.device_rows
        rows[LIFT] = replace(rows[LIFT], online=True)
        await expect(page.locator(".position .offline")).to_have_count(0)
        await expect(page.locator(".position .floor")).to_have_text("7")


async def test_a_floor_without_known_order_is_drawn_alone(browser: Browser, host: str, world: DeskWorld) -> None:
    _last_heard(world, timedelta(seconds=10), floor="7", door_state="closed")
    await world.rings()
    async with desk_page(browser, host) as page:
        await expect(page.locator("svg.shaft text")).to_have_text(["7"])
        await expect(page.locator("svg.shaft .slab")).to_have_count(1)
        await expect(page.locator(".stops")).to_have_text("楼层顺序未知")


@pytest.mark.parametrize(
    ("stops", "said"),
    [
        pytest.param(None, "只画出一天内到过的楼层", id="nobody told how many"),
        pytest.param(40.0, "共 40 层，只知道 33 层", id="some are not known"),
        pytest.param(33.0, "", id="all of them"),
    ],
)
async def test_every_stop_is_drawn_in_order_and_none_is_invented(
    browser: Browser, host: str, world: DeskWorld, stops: float | None, said: str
) -> None:
    _goes_through(world, 33)
    facts = DeviceFacts(numbers={} if stops is None else {"stops": stops})
    await world.world.people.registry.put_facts(DeviceKey.from_path(LIFT), facts, "wei", world.clock.now())
    await world.rings()
    async with desk_page(browser, host) as page:
        await expect(page.locator("svg.shaft .slab")).to_have_count(33)
        await expect(page.locator(".stops")).to_have_text(said)
        names = await page.locator("svg.shaft text").all_text_contents()
        assert names == sorted(names, key=int, reverse=True)
        assert "5" in names
        heights = await page.locator("svg.shaft text").evaluate_all(
            "(all) => all.map((one) => one.getBoundingClientRect()).map((box) => box.y + box.height / 2)"
        )
        gaps = [below - above for above, below in pairwise(heights)]
        assert min(gaps) >= _NARROW
