"""What a guard sees of a call without scrolling: how far it is, who is responsible, and where the car stands."""

import re
from datetime import timedelta

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, FloatRect, Locator, expect

from emergency.acts import Abandon, Act, Answer, CannotCome, Dispatch, OnSite, OnTheWay
from tests.browser.plugin import IN_SESSION_LOOP
from tests.integration.desk_world import CALLER, PLACE, DeskWorld, desk_page

pytestmark = IN_SESSION_LOOP

_WIDE, _PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
_TIME = r"(\d+ 分 )?\d+ 秒"


async def _box(place: Locator) -> FloatRect:
    box = await place.bounding_box()
    assert box is not None
    return box


def _bottom(box: FloatRect) -> float:
    return box["y"] + box["height"]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("size", [_WIDE, _PHONE], ids=["desk", "phone"])
async def test_progress_stands_in_one_row_under_the_headline(
    browser: Browser, host: str, world: DeskWorld, size: dict[str, int], language: str
) -> None:
    await world.does(await world.rings(), Answer(), Dispatch("王强"))
    async with desk_page(browser, host, viewport=size, language=language) as page:
        steps = page.locator(".progress li")
        await expect(steps).to_have_count(8)
        boxes = [await _box(one) for one in await steps.all()]
        assert [box["x"] for box in boxes] == sorted({box["x"] for box in boxes})
        assert {box["y"] for box in boxes} == {boxes[0]["y"]}
        assert await page.locator(".progress").evaluate("(part) => part.scrollWidth <= part.clientWidth")
        row = await _box(page.locator(".progress"))
        assert _bottom(await _box(page.locator(".head"))) <= row["y"] < _bottom(row) <= size["height"]
        assert _bottom(row) <= (await _box(page.locator(".columns")))["y"]
        await expect(page.locator(".progress li[aria-current=step]")).to_contain_text(
            "派人" if language == "zh" else "Sent"
        )


async def test_on_a_phone_rescue_code_and_car_come_before_the_forms(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    await world.does(await world.rings(people=2), Answer())
    async with desk_page(browser, host, viewport=_PHONE) as page:
        await page.locator(".call.state-answered").wait_for()
        todo = await _box(page.locator(".todo"))
        for place, said in ((".code", "330106"), (".floor", "7"), (".door", "关闭")):
            shown = page.locator(f".position {place}")
            await expect(shown).to_have_text(said)
            assert _bottom(await _box(shown)) < min(todo["y"], _PHONE["height"])
        await expect(page.locator("#act-dispatch")).to_be_in_viewport()


@pytest.mark.parametrize(
    ("acts", "said"),
    [
        pytest.param((), rf"当前责任方：所有已通知的人，{_TIME}后继续通知", id="ringing"),
        pytest.param((Answer(),), r"当前责任方：值班员 li，[23] 分 \d+ 秒后自动转交", id="answered"),
        pytest.param(
            (Answer(), Dispatch("王强"), OnTheWay("王强")), rf"当前责任方：救援人员 王强，{_TIME}后自动转交", id="going"
        ),
        pytest.param((OnSite("王强"),), rf"当前责任方：救援人员 王强，{_TIME}后提醒", id="on site"),
        pytest.param((Abandon(),), rf"当前责任方：所有已通知的人，{_TIME}后提醒", id="taken back"),
    ],
)
async def test_who_is_responsible_and_until_when(
    browser: Browser, host: str, world: DeskWorld, acts: tuple[Act, ...], said: str
) -> None:
    await world.does(await world.rings(), *acts, by="li")
    async with desk_page(browser, host) as page:
        await expect(page.locator(".head .responsible")).to_have_text(re.compile(said))


async def test_who_was_sent_beside_the_responder_is_named(browser: Browser, host: str, world: DeskWorld) -> None:
    going = (Answer(), Dispatch("王强"), OnTheWay("王强"), Dispatch("张师傅"), Dispatch("刘工"))
    await world.does(await world.rings(), *going)
    async with desk_page(browser, host) as page:
        await expect(page.locator(".head .responder")).to_contain_text("王强")
        await expect(page.locator(".head .further")).to_have_text("另派：张师傅、刘工")


async def test_a_number_that_waits_to_be_dialled_stands_above_the_acts(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    async with desk_page(browser, host, viewport=_PHONE) as page:
        await world.rings()
        await page.locator(".call.state-ringing").wait_for()
        await expect(page.locator(".todo .dial")).to_be_empty()
        for seconds in (30, 30, 60):
            world.clock.advance(timedelta(seconds=seconds))
            await world.calls.tick()
        waiting = page.locator(".todo .dial")
        await expect(waiting.locator("h3")).to_have_text("现在请人工拨打电话")
        await expect(waiting.locator('a[href="tel:96333"]')).to_be_in_viewport()
        assert _bottom(await _box(waiting)) <= (await _box(page.locator("#act-answer")))["y"]
        await waiting.get_by_role("button", name="已拨打").click()
        await expect(page.locator("#field-step")).to_have_value("station")
        await page.locator("#confirm").click()
        await expect(waiting).to_be_empty()


async def test_a_step_is_told_once_a_messenger_of_a_person_has_confirmed(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    async with desk_page(browser, host) as page:
        await world.rings()
        marks = page.locator(".rung .mark")
        later = ["未通知", "轮到时需人工拨打", "轮到时需人工拨打"]
        await expect(marks).to_have_text(["正在通知", "未通知", *later])
        await expect(page.locator(".rung.now")).to_contain_text("物业值班当前")
        await world.messenger_had()
        await expect(marks).to_have_text(["已通知", "未通知", *later])
        world.clock.advance(timedelta(seconds=30))
        await world.calls.tick()
        await world.messenger_had(failed=True)
        await expect(marks).to_have_text(["已通知", "未送达", *later])


async def test_how_long_until_then_cannot_be_taken_for_a_time_of_day(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    async with desk_page(browser, host) as page:
        await world.does(await world.rings(), Answer())
        await expect(page.locator(".climb")).to_have_text(re.compile(r"^[23] 分 \d+ 秒后自动通知：第二值班人$"))
        await page.locator("#language").click()
        await expect(page.locator(".climb")).to_have_text(re.compile(r"^Notified automatically in [23] min \d+ s: "))


async def test_who_cannot_come_is_marked_where_they_would_be_phoned(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    async with desk_page(browser, host) as page:
        await world.does(await world.rings(), Answer(), CannotCome("通力维保 24 小时"))
        await expect(page.locator(".contact", has_text="400 800 0003")).to_contain_text("已表示无法前往")


async def test_a_number_is_large_enough_for_a_thumb(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host, viewport=_PHONE) as page:
        await world.rings(caller=CALLER)
        await page.locator(".call.state-ringing .history li").first.wait_for()
        for button in await page.locator(".call a.phone, .bar button").all():
            assert (await _box(button))["height"] >= 44, await button.text_content()


async def test_a_long_name_leaves_the_clock_at_its_side_and_is_told_apart_in_the_tabs(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    name = "幸福里花园二期（原纺织机械厂家属院）18 号楼 3 单元东侧无障碍客梯"
    async with desk_page(browser, host, viewport={"width": 1280, "height": 800}) as page:
        await world.rings(replace(PLACE, name_zh=name * 2))
        await page.locator(".call.state-ringing").wait_for()
        title, clock = await _box(page.locator(".head h1")), await _box(page.locator(".rescue"))
        assert clock["x"] >= title["x"] + title["width"]
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
