"""Pictures of the resident's page and of a sheet: ``python -m tests.integration.resident_pictures docs/images``."""

import asyncio
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from playwright.async_api import Browser, async_playwright

from api.app import create_app
from emergency.acts import Answer, Dispatch, OnTheWay
from emergency.model import Place
from tests.browser.plugin import ARGUMENTS, PHONE
from tests.integration.desk_world import PLACE, WALL, DeskWorld
from tests.integration.pages import opened
from tests.integration.web_server import serving
from tests.servers.plugin import required_program
from tests.unit.api.world import RIGHT, dependencies

SIZES = {"phone": PHONE, "desk": {"width": 1280, "height": 800}}
LOCALES = {"zh": "zh-CN", "en": "en-GB"}


class _Places:
    async def of_lift(self, path: str) -> Place:
        return PLACE


def _application(world: DeskWorld) -> FastAPI:
    given = dependencies(world.world)
    parts = replace(given.emergency, places=_Places(), calls=world.calls)
    return create_app(replace(given, emergency=parts, base_url="https://anju.example"))


async def _page(browser: Browser, folder: Path, language: str, size: str) -> None:
    """The button, and a call while rescuers are on their way."""
    world = DeskWorld()
    await world.begin()
    context: dict[str, Any] = {"viewport": SIZES[size], "locale": LOCALES[language]}
    async with serving(_application(world)) as host, opened(browser, f"http://{host}/c/{WALL}", **context) as page:
        await page.screenshot(path=folder / f"resident-{language}-{size}.png")
        call = await world.rings(PLACE)
        world.clock.advance(timedelta(minutes=3))
        coming = OnTheWay("张师傅", world.clock.now() + timedelta(minutes=9), contractor="通力")
        await world.does(call, Answer(), Dispatch("张师傅"), coming, by="李")
        await page.goto(f"http://{host}/c/{WALL}?call={call.id}")
        await page.locator("#talk").wait_for()
        await page.screenshot(path=folder / f"resident-call-{language}-{size}.png", full_page=True)


async def _sheet(browser: Browser, folder: Path) -> None:
    world = DeskWorld()
    await world.begin()
    context: dict[str, Any] = {"viewport": {"width": 420, "height": 600}, "extra_http_headers": RIGHT}
    async with (
        serving(_application(world)) as host,
        opened(browser, f"http://{host}/api/v1/call-sheets", **context) as page,
    ):
        await page.locator(".sheet").screenshot(path=folder / "sheet.png")


async def main(folder: Path) -> None:
    """Take all of them into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=required_program("chromium"), args=ARGUMENTS)
        for language in LOCALES:
            for size in SIZES:
                await _page(browser, folder, language, size)
        await _sheet(browser, folder)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
