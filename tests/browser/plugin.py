"""Pytest fixtures for pages: one Chromium per session, one context per test.

Playwright's objects belong to the event loop they were made in, and this browser lives as long as the session. So tests
that use it, and servers they start, run in the session's loop: mark the module with `IN_SESSION_LOOP`, and fixtures
with `pytest_asyncio.fixture(loop_scope="session")`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.servers.plugin import required_program

IN_SESSION_LOOP = pytest.mark.asyncio(loop_scope="session")
ARGUMENTS = (
    "--no-sandbox",  # CI is root, as whom Chromium refuses its sandbox; it is shown our own pages only.
    "--disable-dev-shm-usage",  # Containers give it 64 MB there.
    "--use-fake-device-for-media-stream",  # A microphone that beeps,
    "--use-fake-ui-for-media-stream",  # and somebody who allows it at once.
    "--autoplay-policy=no-user-gesture-required",
    "--disable-features=WebRtcHideLocalIpsWithMdns",  # No multicast DNS in containers.
)
DEADLINE_MILLISECONDS = 20_000
PHONE = {"width": 360, "height": 640}
NewContext = Callable[..., Awaitable[BrowserContext]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, skipped where it is missing; downloads nothing. Not to be closed by a test."""
    program = required_program("chromium")
    expect.set_options(timeout=DEADLINE_MILLISECONDS)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, headless=True, args=ARGUMENTS)
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def new_context(browser: Browser) -> AsyncIterator[NewContext]:
    """Make contexts (people with a browser of their own) as `Browser.new_context` does; a Chinese phone by default."""
    opened: list[BrowserContext] = []

    async def make(**options: Any) -> BrowserContext:
        context = await browser.new_context(**{"viewport": PHONE, "locale": "zh-CN", **options})
        context.set_default_timeout(DEADLINE_MILLISECONDS)
        opened.append(context)
        return context

    yield make
    for context in opened:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(new_context: NewContext) -> Page:
    """A page in a context of its own."""
    return await (await new_context()).new_page()
