"""A call that somebody on duty raises by hand at the desk."""

import asyncio
from datetime import timedelta

import pytest
from playwright.async_api import Browser, Route, expect

from alerts.history import DeviceRow
from alerts.inventory import DeviceFacts
from core.devices import DeviceKey
from emergency.acts import Answer
from emergency.model import Caller, CallFilter, Source
from tests.browser.plugin import IN_SESSION_LOOP
from tests.integration.desk_world import GARAGE, LIFT, DeskWorld, desk_page
from tests.unit.api.world import TOKEN

pytestmark = IN_SESSION_LOOP

_OTHER, _RETIRED = "lakeside/elevator/lift-1", "xingfu/elevator/lift-0"


async def _registered(world: DeskWorld) -> None:
    """Let there be lifts in two communities, one of them out of service."""
    now = world.clock.now()
    facts = {
        LIFT: DeviceFacts(name_zh="3 号楼电梯", name_en="Lift of block 3", building="3 号楼"),
        _OTHER: DeviceFacts(name_zh="湖滨电梯", name_en="Lakeside lift"),
        _RETIRED: DeviceFacts(name_zh="旧梯", retired=True),
    }
    for path, told in facts.items():
        device = DeviceKey.from_path(path)
        world.world.records.device_rows[path] = DeviceRow(device, now, now, True, None, {}, 0)
        await world.world.people.registry.put_facts(device, told, "wei", now)


async def _calls(world: DeskWorld) -> list[tuple[Source, str, str, Caller, int | None]]:
    kept = await world.world.calling.records.calls(CallFilter(), None, 10)
    return [(one.source, one.place.community, one.place.lift, one.caller, one.people) for one in kept]


@pytest.mark.parametrize("button", ["#raise-open", "#raise-idle"])
async def test_staff_raise_a_call_for_a_lift(browser: Browser, host: str, world: DeskWorld, button: str) -> None:
    await _registered(world)
    async with desk_page(browser, host) as page:
        await page.locator(button).click()
        await page.locator("#raise-community").select_option("xingfu")
        await expect(page.locator("#raise-lift option")).to_have_text(
            ["不在电梯，或不清楚是哪部", "3 号楼电梯 · 3 号楼"]
        )
        await page.locator("#raise-lift").select_option(LIFT)
        await page.locator("#raise-name").fill("陈女士")
        await page.locator("#raise-phone").fill("138 0000 0001")
        await page.locator("#raise-people").fill("2")
        await page.locator("#raise-text").fill("门打不开")
        await page.locator("#raise-send").click()
        await page.locator(".call.state-ringing").wait_for()
        await expect(page.locator(".head .state")).to_contain_text("值班人员登记")
        await expect(page.locator("#raise form")).to_have_count(0)
    assert await _calls(world) == [(Source.STAFF, "xingfu", LIFT, Caller("陈女士", "138 0000 0001", "门打不开"), 2)]


async def test_the_call_that_was_raised_is_shown_while_another_one_is_worked_on(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    await _registered(world)
    async with desk_page(browser, host) as page:
        await world.does(await world.rings(), Answer(), by="lan")
        await page.locator(".call.state-answered").wait_for()
        await page.locator("#raise-open").click()
        await page.locator("#raise-community").select_option("lakeside")
        await page.locator("#raise-send").click()
        await page.locator(".call.state-ringing").wait_for()
        await expect(page.locator(".head .state")).to_contain_text("值班人员登记")


async def test_an_answer_that_was_lost_raises_no_second_call(browser: Browser, host: str, world: DeskWorld) -> None:
    await _registered(world)
    async with desk_page(browser, host) as page:

        async def lost(route: Route) -> None:
            if route.request.method != "POST":
                await route.continue_()
                return
            await route.fetch()
            await route.abort()

        await page.locator("#raise-open").click()
        await page.locator("#raise-community").select_option("lakeside")
        await page.route("**/emergency-calls", lost)
        await page.locator("#raise-send").click()
        await expect(page.locator("#raise .problem")).to_have_text("没有成功：连不上服务器。")
        await page.unroute("**/emergency-calls")
        await page.locator("#raise-send").click()
        await expect(page.locator("#raise form")).to_have_count(0)
    assert await _calls(world) == [(Source.STAFF, "lakeside", "", Caller(), None)]


async def test_what_cannot_be_used_is_said_and_what_was_written_stays(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    await _registered(world)
    async with desk_page(browser, host) as page:
        await page.locator("#raise-open").click()
        await page.locator("#raise-community").select_option("xingfu")
        await page.locator("#raise-phone").fill("没有")
        await page.locator("#raise-send").click()
        await expect(page.locator("#raise .problem")).to_have_text("没有成功：请检查“电话”。")
        await expect(page.locator("#raise-phone")).to_have_value("没有")


async def test_the_form_opens_at_once_and_its_lists_come_later(browser: Browser, host: str, world: DeskWorld) -> None:
    await _registered(world)
    listed = asyncio.Event()

    async def slow(route: Route) -> None:
        await listed.wait()
        await route.continue_()

    async with desk_page(browser, host) as page:
        await page.route("**/devices?*", slow)
        await page.locator("#raise-open").click()
        await expect(page.locator("#raise-community")).to_be_focused()
        await expect(page.locator("#raise-community option")).to_have_text(["正在读取…"])
        await page.locator("#raise-name").fill("陈女士")
        listed.set()
        await expect(page.locator("#raise-community option")).to_have_text(["—", "lakeside", "xingfu"])
        await expect(page.locator("#raise-name")).to_be_focused()
        await expect(page.locator("#raise-name")).to_have_value("陈女士")
        await page.locator("#raise-community").select_option("lakeside")
        await page.locator("#raise-send").click()
        await page.locator(".call.state-ringing").wait_for()
    assert await _calls(world) == [(Source.STAFF, "lakeside", "", Caller("陈女士"), None)]


async def test_who_signs_in_next_sees_no_lifts_of_the_one_before(browser: Browser, host: str, world: DeskWorld) -> None:
    await _registered(world)
    async with desk_page(browser, host) as page:
        await page.locator("#raise-open").click()
        await expect(page.locator("#raise-community option")).to_have_text(["—", "lakeside", "xingfu"])
        await page.locator("#sign-out").click()
        await page.locator("#token").fill(TOKEN)
        await page.locator("#sign-in").click()
        await page.route("**/devices?*", lambda route: route.abort())
        await page.locator("#raise-open").click()
        await expect(page.locator("input#raise-community")).to_be_focused()


async def test_without_a_list_of_lifts_the_community_is_written(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        await page.route("**/devices?*", lambda route: route.abort())
        await page.locator("#raise-open").click()
        await expect(page.locator("input#raise-community")).to_be_focused()
        await page.locator("#raise-community").fill("xingfu")
        await page.locator("#raise-send").click()
        await page.locator(".call.state-ringing").wait_for()
    assert await _calls(world) == [(Source.STAFF, "xingfu", "", Caller(), None)]


async def test_what_was_entered_stays_when_the_language_is_switched(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    await _registered(world)
    async with desk_page(browser, host) as page:
        await page.locator("#raise-open").click()
        await page.locator("#raise-community").select_option("xingfu")
        await page.locator("#raise-lift").select_option(LIFT)
        await page.locator("#raise-name").fill("陈女士")
        await page.locator("#language").click()
        await expect(page.locator("#raise-send")).to_have_text("Call for help")
        await expect(page.locator("#raise-name")).to_have_value("陈女士")
        await expect(page.locator("#raise-lift option:checked")).to_have_text("Lift of block 3 · 3 号楼")


async def test_the_form_stays_while_calls_come_in_and_opens_beside_one(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    await _registered(world)
    async with desk_page(browser, host, language="en") as page:
        await world.does(await world.rings(), Answer(), by="lan")
        await page.locator(".call.state-answered").wait_for()
        await page.locator("#raise-open").click()
        await page.locator("#raise-name").fill("Chen")
        world.clock.advance(timedelta(seconds=2))
        other = await world.rings(GARAGE)
        await page.locator(f"#tab-{other.id}").wait_for()
        await expect(page.locator("#raise-name")).to_have_value("Chen")
        await page.locator("#raise-cancel").click()
        await expect(page.locator("#raise form")).to_have_count(0)
        await expect(page.locator("#raise-open")).to_be_focused()
