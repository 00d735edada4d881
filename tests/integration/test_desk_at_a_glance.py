"""What a guard sees of a call without scrolling: how far it is, who is responsible, and where the car stands."""

import re

import pytest
from playwright.async_api import Browser, FloatRect, Locator, expect

from emergency.acts import Abandon, Act, Answer, Dispatch, OnSite, OnTheWay
from tests.browser.plugin import IN_SESSION_LOOP
from tests.integration.desk_world import DeskWorld, desk_page

pytestmark = IN_SESSION_LOOP

_WIDE, _PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
_TIME = r"\d\d:\d\d"


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
        pytest.param((), rf"当前责任：所有已通知的人，{_TIME} 后继续通知", id="ringing"),
        pytest.param((Answer(),), r"当前责任：值班员 li，0[23]:\d\d 后自动转交", id="answered"),
        pytest.param(
            (Answer(), Dispatch("王强"), OnTheWay("王强")), rf"当前责任：救援人员 王强，{_TIME} 后自动转交", id="going"
        ),
        pytest.param((OnSite("王强"),), rf"当前责任：救援人员 王强，{_TIME} 后提醒", id="on site"),
        pytest.param((Abandon(),), rf"当前责任：所有已通知的人，{_TIME} 后提醒", id="taken back"),
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
