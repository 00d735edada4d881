"""Pages in contexts of their own, as people have them; an error in a page's scripts fails the test."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from playwright.async_api import Browser, Page

from tests.browser.plugin import DEADLINE_MILLISECONDS


@contextlib.asynccontextmanager
async def opened(within: Browser, url: str, *, before: str = "", **context: Any) -> AsyncIterator[Page]:
    """Open ``url`` for somebody; the script ``before`` runs first of all."""
    own = await within.new_context(**{"locale": "zh-CN", **context})
    own.set_default_timeout(DEADLINE_MILLISECONDS)
    page = await own.new_page()
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    if before:
        await page.add_init_script(before)
    try:
        await page.goto(url)
        yield page
    finally:
        await own.close()
    assert broken == []
