"""Headless Chromium with a microphone that hums, for pages that talk."""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

CHROMIUM = os.environ.get("ANJU_TEST_CHROMIUM") or shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH: `make test-servers`")
_FLAGS = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-dev-shm-usage",
]


@contextlib.asynccontextmanager
async def browser(*, microphone: bool = True) -> AsyncIterator[Browser]:
    """A browser whose microphone hums without asking; or one in which it is refused."""
    flags = _FLAGS if microphone else [flag for flag in _FLAGS if "ui" not in flag] + ["--deny-permission-prompts"]
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        try:
            yield started
        finally:
            await started.close()


@contextlib.asynccontextmanager
async def opened(within: Browser, url: str, **context: Any) -> AsyncIterator[Page]:
    """A page in a context of its own; an error in its scripts fails the test."""
    own = await within.new_context(**context)
    page = await own.new_page()
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    try:
        await page.goto(url)
        yield page
    finally:
        await own.close()
    assert broken == []
