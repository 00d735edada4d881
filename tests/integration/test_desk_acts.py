"""What the desk offers at each stage of a call: the next step big, the impossible not at all, dangers in a menu."""

import pytest
from playwright.async_api import Browser, Page, expect

from emergency.acts import Abandon, Act, Answer, Dispatch, EndAlarm, Freed, OnSite, OnTheWay
from emergency.model import Source
from tests.browser.plugin import IN_SESSION_LOOP
from tests.integration.desk_world import DeskWorld, desk_page

pytestmark = IN_SESSION_LOOP

_SENT = (Answer(), Dispatch("王强"))
_THERE = (*_SENT, OnSite("王强"))


async def _offers(page: Page, place: str) -> list[str]:
    """Return the acts at one place of the page, in order."""
    acts: list[str] = await page.locator(f"{place} button").evaluate_all("(all) => all.map((one) => one.id.slice(4))")
    return acts


@pytest.mark.parametrize(
    ("source", "acts", "big", "small", "menu"),
    [
        pytest.param(
            Source.RESIDENT,
            (),
            "answer dispatch",
            "on_the_way on_site freed note",
            "cannot_come abandon",
            id="ringing",
        ),
        pytest.param(
            Source.RESIDENT,
            (Answer(),),
            "dispatch on_the_way",
            "on_site freed note",
            "cannot_come abandon close",
            id="answered",
        ),
        pytest.param(
            Source.RESIDENT,
            _SENT,
            "on_the_way cannot_come on_site",
            "dispatch freed note",
            "abandon close",
            id="dispatched",
        ),
        pytest.param(
            Source.RESIDENT,
            (*_SENT, OnTheWay("王强")),
            "on_site cannot_come",
            "answer dispatch on_the_way freed note",
            "abandon close",
            id="on the way",
        ),
        pytest.param(
            Source.RESIDENT,
            _THERE,
            "freed",
            "answer dispatch on_the_way note",
            "not_on_site close",
            id="on site",
        ),
        pytest.param(Source.RESIDENT, (*_THERE, Freed()), "close", "note", "", id="freed"),
        pytest.param(
            Source.CAR_BUTTON, (*_THERE, Freed()), "end_of_alarm", "note", "", id="freed, the car's alarm goes on"
        ),
        pytest.param(
            Source.CAR_BUTTON, (*_THERE, Freed(), EndAlarm("code")), "close", "note", "", id="freed, the alarm ended"
        ),
        pytest.param(
            Source.RESIDENT, (Abandon(),), "close dispatch", "answer on_the_way on_site freed note", "", id="taken back"
        ),
    ],
)
async def test_acts_stand_by_stage(
    browser: Browser,
    host: str,
    world: DeskWorld,
    source: Source,
    acts: tuple[Act, ...],
    big: str,
    small: str,
    menu: str,
) -> None:
    call = await world.does(await world.rings(source=source), *acts)
    async with desk_page(browser, host) as page:
        await page.locator(f".call.state-{call.state.value}").wait_for()
        assert await _offers(page, ".buttons") == big.split()
        assert await _offers(page, ".others") == small.split()
        assert await _offers(page, ".menu") == menu.split()
        for act in menu.split():
            await expect(page.locator(f"#act-{act}")).to_be_hidden()


async def test_the_menu_opens_by_the_keyboard_and_closes_with_escape(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    async with desk_page(browser, host) as page:
        await world.does(await world.rings(), Answer())
        await page.locator("#menu").focus()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await expect(page.locator("#act-cannot_come")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.locator("#act-cannot_come")).to_be_hidden()
        await page.keyboard.press("Enter")
        await page.locator("#act-close").focus()
        await page.keyboard.press("Enter")
        await page.locator("#field-cause").select_option("human")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.locator(".call.state-closed").wait_for()
