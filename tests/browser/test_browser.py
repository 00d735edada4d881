"""The browser itself: it runs, people in it are strangers to each other, and they have a microphone."""

from playwright.async_api import Page

from tests.browser.plugin import IN_SESSION_LOOP, NewContext

pytestmark = IN_SESSION_LOOP
# A blank page of a secure origin, answered here: nothing is asked of any network.
ADDRESS = "http://localhost/"


async def _open(page: Page) -> None:
    await page.route(ADDRESS, lambda route: route.fulfill(body="<p>安居</p>", content_type="text/html; charset=utf-8"))
    await page.goto(ADDRESS)


async def test_contexts_keep_nothing_of_each_other(new_context: NewContext) -> None:
    first, second = [await (await new_context()).new_page() for _ in range(2)]
    await _open(first)
    await _open(second)
    await first.evaluate("localStorage.setItem('key', 'mine')")
    assert await second.evaluate("localStorage.getItem('key')") is None


async def test_there_is_a_microphone_and_nobody_has_to_allow_it(page: Page) -> None:
    await _open(page)
    tracks = "navigator.mediaDevices.getUserMedia({audio: true}).then(stream => stream.getAudioTracks().length)"
    assert await page.evaluate(tracks) == 1
