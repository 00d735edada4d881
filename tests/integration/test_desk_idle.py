"""The desk while nobody calls: what is to be mended before somebody does."""

import pytest
from playwright.async_api import Browser, expect

from emergency.acts import Close, Freed
from emergency.model import Cause
from tests.browser.plugin import IN_SESSION_LOOP
from tests.integration.desk_world import DeskWorld, desk_page
from tests.unit.api.walls import tell_by_messenger

pytestmark = IN_SESSION_LOOP


@pytest.mark.parametrize(
    ("language", "words"),
    [
        pytest.param("zh", ["没有人会收到通知", "第二值班人 所有小区", "维保单位 所有小区"], id="Chinese"),
        pytest.param(
            "en",
            ["nobody is notified", "Second person on duty all communities", "Maintenance contractor all communities"],
            id="English",
        ),
    ],
)
async def test_steps_that_reach_nobody_are_named_before_they_are_needed(
    browser: Browser, host: str, world: DeskWorld, language: str, words: list[str]
) -> None:
    tell_by_messenger(world.world, "duty")
    async with desk_page(browser, host, language=language, viewport={"width": 1440, "height": 900}) as page:
        gaps = page.locator("#gaps")
        await expect(gaps.locator("li")).to_have_count(2)
        await expect(gaps).to_be_in_viewport(ratio=1)
        for said in words:
            await expect(gaps).to_contain_text(said)
        call = await world.rings()
        await page.locator(".call.state-ringing").wait_for()
        await expect(gaps).to_have_count(0)
        tell_by_messenger(world.world, "duty", "second", "kone")
        await world.does(call, Freed(), Close(Cause.OTHER))
        await page.locator("#back").click()
        await page.locator(".quiet").wait_for()
        await expect(gaps).to_have_count(0)


async def test_where_every_step_reaches_somebody_nothing_is_said(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page, page.expect_response("**/emergency-plan") as answer:
        await page.reload()
        await answer.value
        await page.locator(".recent").wait_for()
        await expect(page.locator("#gaps")).to_have_count(0)
