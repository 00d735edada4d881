"""What is hung on walls: the code leads to the page, and a sheet says what somebody in need has to know."""

import dataclasses
import re
from xml.etree import ElementTree

import httpx
import pytest
import segno
from fastapi import FastAPI
from msgspec.structs import replace

from api.app import create_app
from api.resident_page import Phone
from api.sheets import Sheet, code_svg, printed
from emergency.model import Place
from tests.unit.api.calling import KNOWN
from tests.unit.api.reading import seen
from tests.unit.api.walls import ENTRANCE, TOKEN, Points, hang_up_codes
from tests.unit.api.world import RIGHT, World, application, dependencies

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
async def points(world: World) -> Points:
    return await hang_up_codes(world)


@pytest.fixture
def app(world: World, points: Points) -> FastAPI:
    return application(world)


def modules(svg: str) -> set[tuple[int, int]]:
    """Return the dark modules of a code drawn as strokes, by column and row, its quiet zone taken off."""
    path = next(each for each in ElementTree.fromstring(svg).iter(f"{SVG}path") if "stroke" in each.attrib)
    dark, x, y = set(), 0.0, 0.0
    for command, numbers in re.findall(r"([Mmh])([-\d. ]+)", path.attrib["d"]):
        steps = [float(number) for number in re.findall(r"-?[\d.]+", numbers)]
        if command == "h":
            dark |= {(int(x) + step - 4, int(y) - 4) for step in range(int(steps[0]))}
            x += steps[0]
        else:
            x, y = (steps[0], steps[1]) if command == "M" else (x + steps[0], y + steps[1])
    return dark


def drawn(address: str) -> set[tuple[int, int]]:
    rows = segno.make(address, error="q", micro=False, boost_error=False).matrix
    return {(x, y) for y, row in enumerate(rows) for x, module in enumerate(row) if module & 1}


async def test_the_code_leads_to_the_page_under_the_address_of_the_request(lan: httpx.AsyncClient) -> None:
    answer = await lan.get("/api/v1/call-points/p1/qr.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert modules(answer.text) == drawn(f"http://anju/c/{TOKEN}")
    assert "http://anju/c/" in answer.text


async def test_the_code_leads_to_where_people_reach_anju(world: World, points: Points) -> None:
    given = dataclasses.replace(dependencies(world), base_url="https://anju.example/")
    transport = httpx.ASGITransport(create_app(given))
    async with httpx.AsyncClient(transport=transport, base_url="http://inside", headers=RIGHT) as lan:
        code = (await lan.get("/api/v1/call-points/p1/qr.svg")).text
        sheet = (await lan.get("/api/v1/call-points/p1/sheet")).text
    assert modules(code) == drawn(f"https://anju.example/c/{TOKEN}")
    assert f"https://anju.example/c/{TOKEN}" in sheet


WARNED: dict[str, tuple[str, str, bool]] = {
    "nobody said, plain HTTP": ("", "http://anju.example", True),
    "nobody said, this machine": ("", "https://localhost:8000", True),
    "nobody said, this machine by its number": ("", "https://127.0.0.1", True),
    "nobody said, this machine by its longer number": ("", "https://[::1]:8000", True),
    "nobody said, HTTPS": ("", "https://anju.example", False),
    "nobody said, HTTPS at an address": ("", "https://192.0.2.7", False),
    "said": ("https://anju.example", "http://127.0.0.1:8000", False),
}


@pytest.mark.parametrize(("said", "asked", "warned"), WARNED.values(), ids=WARNED)
async def test_an_address_that_no_phone_can_use_is_not_hung_up_unnoticed(
    world: World, points: Points, said: str, asked: str, warned: bool
) -> None:
    given = dataclasses.replace(dependencies(world), base_url=said)
    transport = httpx.ASGITransport(create_app(given))
    async with httpx.AsyncClient(transport=transport, base_url=asked, headers=RIGHT) as lan:
        for path in ("call-sheets", "call-points/p1/sheet", "call-sheets?lang=en"):
            text = seen((await lan.get(f"/api/v1/{path}")).text, other="")
            for part in ("请勿张贴", "Do not hang these up", "ANJU_NOTIFY__BASE_URL"):
                assert (part in text) is warned, path


async def test_a_sheet_says_what_somebody_in_need_has_to_know(lan: httpx.AsyncClient) -> None:
    answer = await lan.get("/api/v1/call-points/p1/sheet")
    text = seen(answer.text, other="")
    for part in (
        "一键呼叫 Call for help",
        "3 号楼电梯",
        "lift of block 3",
        "330106",
        "值班室",
        "0571 1",
        "96333",
        "119",
    ):
        assert part in text
    assert re.search(r'<b class="large">330106</b>', answer.text)
    assert re.search(r'<b class="large">0571 1</b>', answer.text)
    assert "@page{size:105mm 148mm" in answer.text
    assert "unsafe" not in answer.headers["content-security-policy"]


async def test_a_sheet_of_an_entrance_has_no_rescue_code(lan: httpx.AsyncClient) -> None:
    answer = await lan.get("/api/v1/call-points/p2/sheet")
    assert "救援识别码" not in answer.text
    assert "&lt;North&gt; gate" in answer.text


async def test_english_stands_first_where_it_is_asked_for(lan: httpx.AsyncClient) -> None:
    assert "Call for help 一键呼叫" in seen((await lan.get("/api/v1/call-points/p1/sheet?lang=en")).text, other="")
    assert (await lan.get("/api/v1/call-points/p1/sheet?lang=de")).status_code == 422


async def test_all_sheets_of_a_community(lan: httpx.AsyncClient) -> None:
    every = (await lan.get("/api/v1/call-sheets")).text
    assert [every.count(part) for part in ('<article class="sheet">', TOKEN, ENTRANCE)] == [2, 1, 1]
    assert (await lan.get("/api/v1/call-sheets?community=xingfu")).text == every
    assert "<article" not in (await lan.get("/api/v1/call-sheets?community=anyang")).text


async def test_points_that_were_removed_have_no_sheet(lan: httpx.AsyncClient) -> None:
    await lan.delete("/api/v1/call-points/p1")
    for path in ("qr.svg", "sheet"):
        assert (await lan.get(f"/api/v1/call-points/p1/{path}")).status_code == 404
    assert TOKEN not in (await lan.get("/api/v1/call-sheets")).text


@pytest.mark.parametrize(
    ("duty", "expected"),
    [
        (None, '<b class="large">96333</b>'),
        (Phone("值班", "Duty", "8888 0001"), '<b class="large">8888 0001</b>'),
        (Phone("值班", "Duty", "+86 571 8888 0001"), '<b class="long">+86 571 8888 0001</b>'),
    ],
    ids=["none: the hotline", "short", "long"],
)
def test_the_number_of_the_duty_room_is_large(duty: Phone | None, expected: str) -> None:
    html = printed([Sheet(KNOWN, "https://anju.example/c/x", duty)], "zh").html
    assert expected in html
    assert html.count(">96333<") == 1


def test_a_name_in_one_language_stands_once() -> None:
    html = printed([Sheet(replace(KNOWN, name_en=""), "https://anju.example/c/x")], "zh").html
    assert html.count("3 号楼电梯") == 1
    assert "xingfu" in printed([Sheet(Place("xingfu"), "https://anju.example/c/x")], "zh").html


def test_a_code_can_still_be_read_when_a_quarter_of_it_is_gone() -> None:
    code = segno.make("https://anju.example/c/W8t2qkP0mJ5r_xYz-AbC12", error="q", boost_error=False)
    assert code.error == "Q"
    assert f'viewBox="0 0 {code.symbol_size(border=4)[0]} ' in code_svg("https://anju.example/c/W8t2qkP0mJ5r_xYz-AbC12")
