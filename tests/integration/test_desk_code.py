"""The code of a lift's controller at the desk: set, checked, and which of the two is wrong where it does not do."""

import pytest
from playwright.async_api import Browser, Route, expect

from emergency.acts import Answer, Freed, OnSite
from emergency.model import Place, Source
from tests.browser.plugin import IN_SESSION_LOOP
from tests.integration.desk_world import CONTROLLER_CODE, DeskWorld, desk_page

pytestmark = IN_SESSION_LOOP


async def test_the_end_of_alarm_needs_the_code(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        call = await world.rings(source=Source.CAR_BUTTON)
        await world.does(call, Answer(), OnSite("王强"))
        await page.locator("#act-freed").click()
        await page.locator("#confirm").click()
        await page.locator("#act-end_of_alarm").click()
        await expect(page.locator("#code-kept")).to_contain_text("代码由 wei 于")
        await page.locator("#field-code").fill("000000")
        await page.locator("#code-check").click()
        await expect(page.locator("#code-kept.problem")).to_contain_text("代码不对")
        await page.locator("#confirm").click()
        await expect(page.locator(".todo p.problem")).to_contain_text("代码不对")
        await page.locator("#field-code").fill(CONTROLLER_CODE)
        await page.locator("#code-check").click()
        await expect(page.locator("#code-kept")).to_contain_text("代码正确")
        await page.locator("#confirm").click()
        await expect(page.locator(".progress")).to_contain_text("报警解除")
        await expect(page.locator("#act-close")).to_be_visible()


@pytest.mark.parametrize(
    ("language", "none", "done"), [("zh", "还没有登记代码", "代码已登记"), ("en", "No code is kept", "The code is set")]
)
async def test_where_no_code_is_kept_the_form_says_so_and_one_is_set_there(
    browser: Browser, host: str, world: DeskWorld, language: str, none: str, done: str
) -> None:
    lift = "xingfu/elevator/lift-9"
    async with desk_page(browser, host, language=language) as page:
        call = await world.rings(Place("xingfu", lift), Source.CAR_BUTTON)
        await world.does(call, Answer(), OnSite("王强"), Freed())
        await page.locator("#act-end_of_alarm").click()
        await expect(page.locator("#code-kept")).to_contain_text(none)
        await expect(page.locator("#confirm")).to_be_disabled()
        await page.locator("#field-code").fill("7341 88")
        await page.locator("#code-set").click()
        await expect(page.locator("#code-kept")).to_contain_text(done)
        assert await world.world.calling.codes.code_matches(lift, "734188")
        await page.locator("#confirm").click()
        await expect(page.locator("#act-close")).to_be_visible()


@pytest.mark.parametrize(
    ("language", "said"),
    [
        pytest.param("zh", "这台电梯还没有登记代码，无法核对", id="Chinese"),
        pytest.param("en", "No code is kept for this lift", id="English"),
    ],
)
async def test_a_code_that_nobody_kept_is_not_called_wrong(
    browser: Browser, host: str, world: DeskWorld, language: str, said: str
) -> None:
    async def lost_since(route: Route) -> None:
        await route.fulfill(json={"kept": True, "set_by": "wei", "set_at": world.clock.now().isoformat()})

    async with desk_page(browser, host, language=language) as page:
        await page.route("**/controller-code", lost_since)
        call = await world.rings(Place("xingfu", "xingfu/elevator/lift-9"), Source.CAR_BUTTON)
        await world.does(call, Answer(), OnSite("王强"), Freed())
        await page.locator("#act-end_of_alarm").click()
        await page.locator("#field-code").fill("734188")
        await page.locator("#code-check").click()
        await expect(page.locator("#code-kept.problem")).to_contain_text(said)
        await page.locator("#confirm").click()
        await expect(page.locator(".todo .problem[role=alert]")).to_contain_text(said)
