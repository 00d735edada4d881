"""From the tap to the voice: the resident's page and the desk, two real browsers and the server between them."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.plugin import IN_SESSION_LOOP, PHONE
from tests.integration.desk_world import WALL, DeskWorld, desk_page
from tests.integration.pages import opened
from tests.integration.resident_world import answered, seen, tap
from tests.integration.web_server import serving

pytestmark = IN_SESSION_LOOP
# Keeps what the page's voice is, so that its packets can be counted. They come every 20 ms.
_KEPT = """
let real;
Object.defineProperty(window, 'AnjuVoice', {
  get() { return real; },
  set(given) { real = {start(options) { return window.voice = given.start(options); }}; },
});
"""
_SOUNDS = """
window.tones = 0;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (at) { window.tones += 1; return start.call(this, at); };
"""
# A function: an expression would be looked at once only, as the page's policy forbids scripts made of text.
_FLOWS = "() => voice.stats().then((now) => now.sent >= 25 && now.received >= 25)"


@pytest_asyncio.fixture(loop_scope="session")
async def host() -> AsyncIterator[str]:
    world = DeskWorld()
    await world.begin()
    async with serving(world.application()) as address:
        yield address


async def _tapped(page: Page) -> None:
    await tap(page)
    await answered(page)


async def _tapped_again(page: Page) -> None:
    """Tap at a place where a call may be open already."""
    await tap(page)
    await page.locator("#talk").wait_for()


async def test_who_taps_can_talk_to_the_desk_that_answers(browser: Browser, host: str) -> None:
    page, before = f"http://{host}/c/{WALL}", _KEPT + _SOUNDS
    async with desk_page(browser, host) as desk, opened(browser, page, before=before, viewport=PHONE) as resident:
        await _tapped(resident)
        await desk.locator("#act-answer").click()
        await seen(resident, "值班人员已接听 lan")
        bar = resident.locator("#live.bar #talk")
        await expect(bar).to_have_text("值班人员正在等您，点此通话", use_inner_text=True)
        assert await bar.evaluate("(one) => one.getBoundingClientRect().width") == PHONE["width"]
        await expect(bar).to_have_css("background-color", "rgb(10, 107, 44)")
        await resident.wait_for_function("() => window.tones > 0")
        await bar.click()
        await expect(resident.locator("#talk")).to_have_text("挂断", use_inner_text=True)
        await seen(resident, "正在通话")
        await resident.wait_for_function(_FLOWS)
        await expect(desk.locator(".voice-state")).to_contain_text("通话中")
        await resident.locator("#talk").click()
        await seen(resident, "通话已结束")


async def test_another_page_waits_until_the_desk_lets_it_in(browser: Browser, host: str) -> None:
    page = f"http://{host}/c/{WALL}"
    async with (
        desk_page(browser, host) as desk,
        opened(browser, page, before=_KEPT) as first,
        opened(browser, page, before=_KEPT) as second,
    ):
        for resident in (first, second):
            await _tapped_again(resident)
        await desk.locator("#act-answer, #voice_start").first.click()
        await first.locator("#talk").click()
        await seen(first, "正在通话")
        await second.locator("#talk").click()
        await seen(second, "有人正从这里与值班室通话")
        await expect(second.locator("#phones")).to_have_class("dial")
        await expect(desk.locator("#voice-line")).to_contain_text("另有 1 人想通话")
        await desk.locator("#voice_hand_on").click()
        await seen(second, "正在通话")
        await second.wait_for_function(_FLOWS)
        await seen(first, "有人正从这里与值班室通话")
        await second.locator("#talk").click()
        await seen(first, "正在通话")
        await expect(desk.locator("#voice-line")).to_have_count(0)


async def test_who_finds_nobody_to_talk_to_is_led_to_the_phone(browser: Browser, host: str) -> None:
    async with opened(browser, f"http://{host}/c/{WALL}") as resident:
        await _tapped(resident)
        await resident.locator("#talk").click()
        await seen(resident, "语音没有接通，请拨打电话")
        await expect(resident.locator("#phones.dial a[href='tel:057188880001']")).to_be_visible()
