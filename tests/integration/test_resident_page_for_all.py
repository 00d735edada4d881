"""The resident's page for everybody: light, in both languages, for eyes, ears and keyboards of all sorts."""

import re
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.browser.plugin import IN_SESSION_LOOP, NewContext
from tests.integration.api_server import Running
from tests.integration.resident_world import House, answered, kept_for_offline, seen, tap
from tests.unit.api.walls import ENTRANCE, FORMER, TOKEN

pytestmark = IN_SESSION_LOOP
WEIGHT_BYTES = 30 * 1024


async def test_all_of_it_weighs_little(page: Page, home: House, address: str) -> None:
    await page.goto(address)
    await kept_for_offline(page)
    await tap(page)
    await answered(page)
    sent = home.sent
    # Once each: keeping the page for offline asks for nothing twice.
    assert [path for path, _ in sent[:2]] == [f"/c/{TOKEN}", "/c/sw.js"]
    assert [path for path, _ in sent].count(f"/c/{TOKEN}") == 1
    assert 5_000 < sum(size for _, size in sent[:3]) < WEIGHT_BYTES / 2


async def test_it_weighs_little_without_compression(address: str) -> None:
    async with httpx.AsyncClient(headers={"Accept-Encoding": "identity"}) as client:
        parts = [await client.get(each) for each in (address, address.replace(TOKEN, "sw.js"))]
    assert 10_000 < sum(len(part.content) for part in parts) <= WEIGHT_BYTES


async def test_both_languages_stand_in_one_page(new_context: NewContext, home: House, address: str) -> None:
    page = await (await new_context(locale="en-GB")).new_page()
    await page.goto(address)
    await seen(page, "Trapped, or in need of help?")
    assert await page.evaluate("document.documentElement.lang") == "en"
    await page.get_by_text("中文", exact=True).click()
    await seen(page, "被困或需要救援？")
    await expect(page.locator("body")).not_to_contain_text("Trapped", use_inner_text=True)
    await page.goto(address)
    await seen(page, "被困或需要救援？")
    await page.get_by_text("English", exact=True).click()
    await tap(page)
    await seen(page, "Your call is out")
    assert "lang=en" in page.url


async def test_english_without_scripts_is_a_link(new_context: NewContext, address: str) -> None:
    page = await (await new_context(java_script_enabled=False)).new_page()
    await page.goto(address)
    await page.get_by_text("English", exact=True).click()
    await page.locator("#tap").click()
    await expect(page.locator("h1 [data-when=ringing] span[lang=en]")).to_be_visible()


@pytest.mark.parametrize("token", [FORMER, ENTRANCE, "nobody"], ids=["former", "entrance", "unknown"])
async def test_other_codes_lead_to_something_useful(page: Page, home: House, house_server: Running, token: str) -> None:
    await page.goto(f"{house_server.url}/c/{token}")
    await expect(page.locator("a[href='tel:96333']")).to_be_visible()
    if token == "nobody":
        await expect(page.locator("#tap")).to_be_hidden()
        return
    await tap(page)
    await answered(page)


RATIO = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
VIEWS = ["idle", "ringing", "unsent"]


async def _in_view(page: Page, address: str, view: str) -> None:
    await page.goto(address)
    if view != "idle":
        await page.context.set_offline(view == "unsent")
        await tap(page)
        await page.locator(f"h1 [data-when={view}]").wait_for()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_stands_out_from_its_ground(new_context: NewContext, address: str, view: str, scheme: str) -> None:
    page = await (await new_context(color_scheme=scheme)).new_page()
    await _in_view(page, address, view)
    found = await page.evaluate(RATIO)
    assert len(found) > 10
    assert [each for each in found if each["ratio"] < 4.5] == []
    [button] = [each for each in found if each["text"] == "一键呼叫"] if view != "ringing" else [found[0]]
    assert button["ratio"] >= (6 if view != "ringing" else 4.5)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("width", [320, 180], ids=["a small phone", "twice as large on a phone"])
async def test_nothing_is_cut_off(new_context: NewContext, address: str, view: str, width: int) -> None:
    page = await (await new_context(viewport={"width": width, "height": 568}, locale="en-GB")).new_page()
    await _in_view(page, address, view)
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


# The lines of each heading and button, as they stand on the screen, with the characters of the last one.
_ORPHANS = """
(width) => [...document.querySelectorAll('h1 [data-when], h2, #talk [data-when], p, ul li')].flatMap((one) => {
  document.querySelectorAll('#said, #live').forEach((each) => { each.hidden = false; });
  const was = one.hidden, found = [];
  one.hidden = false;
  for (const span of one.querySelectorAll('span[lang=zh-CN]')) {
    const tops = [], text = document.createTreeWalker(span, NodeFilter.SHOW_TEXT);
    while (text.nextNode()) for (let at = 0; at < text.currentNode.length; at += 1) {
      const range = document.createRange();
      range.setStart(text.currentNode, at);
      range.setEnd(text.currentNode, at + 1);
      const box = range.getBoundingClientRect();
      if (box.height) tops.push(Math.round(box.top));
    }
    const last = tops.filter((top) => Math.abs(top - tops[tops.length - 1]) < 3).length;
    if (tops.length > 2 && last < 3 && last < tops.length) found.push(width + ': ' + span.textContent);
  }
  one.hidden = was;
  return found;
})
"""


async def test_no_heading_leaves_one_character_alone(new_context: NewContext, address: str) -> None:
    page = await (await new_context(viewport={"width": 320, "height": 568})).new_page()
    await page.goto(address)
    alone: list[str] = []
    for width in range(320, 431, 5):
        await page.set_viewport_size({"width": width, "height": 800})
        alone += await page.evaluate(_ORPHANS, width)
    assert alone == []


@pytest.mark.parametrize("view", VIEWS)
async def test_a_screen_reader_finds_its_way(page: Page, address: str, view: str) -> None:
    await _in_view(page, address, view)
    problems = await page.evaluate(
        """() => {
          const shown = (one) => one.checkVisibility(), found = [];
          for (const one of document.querySelectorAll('a, button, summary')) {
            if (!shown(one)) continue;
            if (!one.innerText.trim()) found.push('no name: ' + one.outerHTML);
            if (one.tabIndex !== 0) found.push('out of order: ' + one.outerHTML);
            const {width, height} = one.getBoundingClientRect();
            if (height < 40 || width < 40) found.push('small: ' + one.outerHTML);
          }
          for (const one of document.querySelectorAll('[aria-labelledby]'))
            if (!document.getElementById(one.getAttribute('aria-labelledby'))) found.push('no label: ' + one.outerHTML);
          const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
          if (new Set(ids).size !== ids.length) found.push('ids twice');
          if (document.querySelectorAll('h1').length !== 1 || !document.querySelector('main')) found.push('outline');
          return found;
        }"""
    )
    assert problems == []
    assert await page.locator("[role=status][aria-live=assertive] h1").count() == 1


async def test_the_first_stops_of_the_keyboard_are_language_and_button(page: Page, home: House, address: str) -> None:
    await page.goto(address)
    stops = []
    for _ in range(3):
        await page.keyboard.press("Tab")
        stops.append(await page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert stops[:2] == ["English", "tap"]
    await page.locator("#tap").focus()
    await page.keyboard.press("Enter")
    await answered(page)


@pytest.mark.parametrize(("motion", "moves"), [("reduce", False), ("no-preference", True)])
async def test_nothing_moves_for_those_who_want_rest(
    new_context: NewContext, address: str, motion: str, moves: bool
) -> None:
    page = await (await new_context(reduced_motion=motion)).new_page()
    await page.goto(address)
    await page.route("**/calls", lambda route: None)
    await tap(page)
    await page.locator("h1 [data-when=sending]").wait_for()
    name = await page.evaluate("getComputedStyle(document.getElementById('tap')).animationName")
    assert (name != "none") is moves


async def test_no_page_complains(page: Page, home: House, address: str) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    await page.goto(address)
    await kept_for_offline(page)
    await tap(page)
    await answered(page)
    await page.reload()
    await answered(page)
    assert said == []
    assert re.search(r"call=\w+", page.url)
