"""Pictures of the desk for the documentation: ``python -m tests.integration.desk_pictures docs/images``."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace
from playwright.async_api import Browser, Page, async_playwright

from emergency.acts import Answer, Dispatch
from emergency.model import Source
from tests.browser.plugin import ARGUMENTS
from tests.integration.desk_world import CALLER, GARAGE, PLACE, DeskWorld, desk_page
from tests.integration.web_server import serving
from tests.servers.plugin import required_program

SIZES = {"desk": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
_STILL = "*, *::before { animation: none !important; caret-color: transparent !important; }"


async def _afternoon(world: DeskWorld) -> None:
    """Two rescues that began a while ago: one past half of its time, one overdue."""
    gate = replace(GARAGE, lift="", point="east", rescue_code="", name_zh="东门", name_en="East gate", building="")
    for minutes, place, source in ((34, gate, Source.RESIDENT), (17, GARAGE, Source.CAR_BUTTON)):
        world.clock.advance(-timedelta(minutes=minutes))
        call = await world.rings(place, source)
        world.clock.advance(timedelta(minutes=minutes))
        await world.calls.tick()
        await world.does(call, Answer(), Dispatch("张师傅", "138 1234 5678"))


async def _shows(page: Page, world: DeskWorld, picture: Path) -> None:
    """Show a call that comes in while others are looked after, and a drill beside them."""
    await _afternoon(world)
    await world.rings(PLACE, Source.DRILL, drill=True)
    call = await world.rings(caller=CALLER, people=2)
    await page.locator(f"#tab-{call.id}").click()
    await page.locator(".call.state-ringing .history li").first.wait_for()
    await page.locator(".shaft text", has_text="10").wait_for()
    await page.screenshot(path=picture, style=_STILL)


async def _take(browser: Browser, folder: Path, language: str, size: str) -> None:
    world = DeskWorld()
    await world.begin()
    async with (
        serving(world.application()) as host,
        desk_page(browser, host, language=language, viewport=SIZES[size]) as page,
    ):
        await _shows(page, world, folder / f"desk-{language}-{size}.png")


async def main(folder: Path) -> None:
    """Take all of them into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=required_program("chromium"), args=ARGUMENTS)
        for language in ("zh", "en"):
            for size in SIZES:
                await _take(browser, folder, language, size)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
