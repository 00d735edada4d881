"""The page behind a code that was revoked, in a real browser: numbers to dial, and no button that does nothing."""

import asyncio

import pytest
from playwright.async_api import Page, expect

from emergency import acts
from emergency.model import Cause
from tests.browser.plugin import IN_SESSION_LOOP, NewContext
from tests.integration.api_server import Running
from tests.integration.resident_world import House, answered, kept_for_offline, seen, tap, tap_again
from tests.unit.api.twins import START
from tests.unit.api.walls import FORMER, TOKEN

pytestmark = IN_SESSION_LOOP
ENDED = "这张二维码已经停用"


@pytest.fixture
def former(house_server: Running) -> str:
    """The address in a code that was replaced, and still calls."""
    return f"{house_server.url}/c/{FORMER}"


async def _revoke(home: House) -> None:
    point = await home.points.point("p1")
    assert point is not None
    await home.points.put(point, "lan", START, former_until=START)


async def _shows_numbers_only(page: Page) -> None:
    await seen(page, ENDED)
    await expect(page.locator("#tap")).to_be_hidden()
    await expect(page.locator("a[href='tel:05711']")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
async def test_it_shows_numbers_and_no_button(
    new_context: NewContext, home: House, former: str, *, scripts: bool
) -> None:
    await _revoke(home)
    page = await (await new_context(java_script_enabled=scripts)).new_page()
    await page.goto(former)
    await _shows_numbers_only(page)
    assert home.calls() == []


async def test_a_tap_on_a_page_that_was_open_before_ends_in_numbers(page: Page, home: House, former: str) -> None:
    await page.goto(former)
    await _revoke(home)
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.method))
    await tap(page)
    await _shows_numbers_only(page)
    await expect(page.locator("#phones")).to_have_class("dial")
    assert (posts.count("POST"), home.calls()) == (1, [])


async def test_a_form_that_is_sent_to_it_ends_in_numbers(new_context: NewContext, home: House, former: str) -> None:
    page = await (await new_context(java_script_enabled=False)).new_page()
    await page.goto(former)
    await _revoke(home)
    await page.locator("#tap").click()
    await _shows_numbers_only(page)
    assert home.calls() == []


async def test_a_call_of_before_is_followed_to_its_end(page: Page, home: House, former: str) -> None:
    await page.goto(former)
    await tap(page)
    await answered(page)
    await _revoke(home)
    [call] = home.calls()
    await home.act(call.id, acts.Answer())
    await seen(page, "值班人员已接听 li")
    await page.goto(former)  # Without the call in its address: the phone keeps it.
    await seen(page, "值班人员已接听 li")
    await home.act(call.id, acts.Freed())
    await home.act(call.id, acts.Close(Cause.OTHER))
    await seen(page, "这次呼叫已结束")
    await tap_again(page)
    await _shows_numbers_only(page)
    assert len(home.calls()) == 1


async def test_without_a_network_the_page_kept_has_no_button_any_more(page: Page, home: House, former: str) -> None:
    await page.goto(former)
    await kept_for_offline(page)
    await _revoke(home)
    await page.goto(former)
    await _shows_numbers_only(page)
    kept = "caches.open('anju pages 1').then(cache => cache.match(location.pathname)).then(page => page.status)"
    async with asyncio.timeout(10):
        while await page.evaluate(kept) != 410:
            await asyncio.sleep(0.05)
    await page.context.set_offline(True)
    await page.reload()
    await _shows_numbers_only(page)


async def test_the_present_code_of_the_lift_calls_as_before(page: Page, home: House, house_server: Running) -> None:
    await _revoke(home)
    await page.goto(f"{house_server.url}/c/{TOKEN}")
    await tap(page)
    await answered(page)
