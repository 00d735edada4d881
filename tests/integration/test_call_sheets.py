"""Sheets as a browser prints them: A6, one to a page, nothing cut off, numbers that can be read across a lift."""

import re

import pytest
from playwright.async_api import Page, expect

from api.resident_page import Phone
from api.sheets import Sheet, printed
from emergency.model import Place
from tests.browser.plugin import IN_SESSION_LOOP, NewContext
from tests.integration.api_server import Running
from tests.unit.api.world import RIGHT

pytestmark = IN_SESSION_LOOP
POINTS_PER_MILLIMETRE = 72 / 25.4
LONG = Sheet(
    Place(
        "xingfu",
        "xingfu/elevator/lift-1",
        name_zh="幸福里小区第十二号楼东单元消防电梯（地下车库入口）",
        name_en="Fire lift of the eastern stairwell of block twelve, by the entrance of the car park",
        rescue_code="330106",
    ),
    "https://anju.happiness-estate.example:8443/c/W8t2qkP0mJ5r_xYz-AbC12",
    Phone("物业值班室", "Property duty room", "+86 571 8888 0001"),
)


async def test_sheets_fill_a_page_of_a6_each(new_context: NewContext, house_server: Running) -> None:
    page = await (await new_context(extra_http_headers=RIGHT)).new_page()
    await page.goto(f"{house_server.url}/api/v1/call-sheets?community=xingfu")
    pages = re.findall(rb"/MediaBox *\[0 0 ([\d.]+) ([\d.]+)\]", await page.pdf(prefer_css_page_size=True))
    assert len(pages) == 2
    for width, height in pages:
        assert float(width) == pytest.approx(105 * POINTS_PER_MILLIMETRE, abs=1)
        assert float(height) == pytest.approx(148 * POINTS_PER_MILLIMETRE, abs=1)


async def test_the_warning_is_on_the_screen_and_not_on_paper(new_context: NewContext, house_server: Running) -> None:
    page = await (await new_context(extra_http_headers=RIGHT)).new_page()
    await page.goto(f"{house_server.url}/api/v1/call-sheets?community=xingfu")
    warning = page.get_by_role("alert")
    await expect(warning).to_be_visible()
    await expect(warning).to_have_css("background-color", "rgb(179, 18, 29)")
    await page.emulate_media(media="print")
    await expect(warning).to_be_hidden()


@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_long_names_and_numbers_fit(page: Page, lang: str) -> None:
    await page.set_content(printed([LONG], lang).html)
    fits = await page.evaluate(
        """() => {
          const sheet = document.querySelector('.sheet'), edge = sheet.getBoundingClientRect();
          const inside = (one) => {
            const {left, right, bottom} = one.getBoundingClientRect();
            return left >= edge.left - 1 && right <= edge.right + 1 && bottom <= edge.bottom + 1;
          };
          return [sheet.scrollHeight <= sheet.clientHeight, [...sheet.querySelectorAll('*')].every(inside)];
        }"""
    )
    assert fits == [True, True]
    millimetres = "one => parseFloat(getComputedStyle(one).fontSize) / 96 * 25.4"
    sizes = [await page.locator(".figure b").nth(number).evaluate(millimetres) for number in (0, 1)]
    assert sizes == [pytest.approx(11, abs=0.1), pytest.approx(7.6, abs=0.1)]
    width = await page.locator(".code svg").evaluate("one => one.getBoundingClientRect().width / 96 * 25.4")
    assert width >= 50
