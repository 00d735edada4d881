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


@pytest.mark.parametrize("fresh", ["a colleague's act", "another language"])
async def test_the_menu_stays_open_until_it_was_used(browser: Browser, host: str, world: DeskWorld, fresh: str) -> None:
    async with desk_page(browser, host) as page:
        call = await world.does(await world.rings(), Answer())
        await page.locator("#menu").click()
        if fresh == "another language":
            await page.locator("#language").click()
            await expect(page.locator("#menu")).to_have_text("More actions")
        else:
            await world.does(call, OnSite("王强"))
            await expect(page.locator(".menu button")).to_have_count(2)
        await expect(page.locator("#act-close")).to_be_visible()
        await page.locator("#act-close").click()
        await page.locator("#cancel").click()
        await expect(page.locator("#act-close")).to_be_visible()
        await page.locator("#menu").click()
        before = await page.locator("#menu").inner_text()
        await page.locator("#language").click()
        await expect(page.locator("#menu")).not_to_have_text(before)
        await expect(page.locator("#act-close")).to_be_hidden()


async def test_who_was_told_stays_unfolded(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        call = await world.rings()
        told = page.locator("#pages")
        await expect(told.locator("summary")).to_have_text("通知送达情况 (1)")
        await told.locator("summary").click()
        await world.does(call, Dispatch("通力维保 24 小时", step=2))
        await expect(told.locator("summary")).to_have_text("通知送达情况 (2)")
        await expect(told.locator("li").last).to_be_visible()


async def test_the_menu_folds_when_its_act_was_done(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        await world.does(await world.rings(), *_THERE)
        await page.locator("#menu").click()
        await page.locator("#act-not_on_site").click()
        await page.locator("#confirm").click()
        await page.locator(".call.state-ringing").wait_for()
        await expect(page.locator(".menu[open]")).to_have_count(0)


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
