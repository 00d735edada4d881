"""Two real pages talk: audio packets are counted on both sides."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from fastapi import FastAPI, Response
from playwright.async_api import Browser, Page

from api.voice import WAITING_LIMIT
from tests.browser.plugin import IN_SESSION_LOOP
from tests.integration.pages import opened
from tests.integration.voice_world import RESIDENT, STAFF, PageSocket, VoiceWorld, page
from tests.integration.web_server import serving

pytestmark = IN_SESSION_LOOP

SCRIPT = (Path(__file__).parents[2] / "api" / "pages" / "voice.js").read_text(encoding="utf-8")
_PAGE = '<!doctype html><meta charset="utf-8"><title>voice</title><script src="voice.js"></script>'
_REFUSED = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))"
# Packets come every 20 ms.
_PACKETS = 25
_START = """([url, role, more]) => {
  window.seen = [];
  window.voice = AnjuVoice.start(Object.assign({url, role, onstate: (state, detail) => {
    window.seen.push([state, detail, performance.now()]); window.state = state; window.detail = detail; }}, more));
  window.began = performance.now();
}"""
_TALKS = f"voice.stats().then((now) => now.sent >= {_PACKETS} && now.received >= {_PACKETS})"


@pytest.fixture
def world() -> VoiceWorld:
    return VoiceWorld()


@pytest_asyncio.fixture(loop_scope="session")
async def site(world: VoiceWorld) -> AsyncIterator[str]:
    """The address of a site that has nothing but the voice."""
    app = world.application()
    _add_pages(app)
    async with serving(app) as host:
        yield f"http://{host}/"


def _add_pages(app: FastAPI) -> None:
    @app.get("/")
    async def page() -> Response:
        return Response(_PAGE, media_type="text/html")

    @app.get("/voice.js")
    async def script() -> Response:
        return Response(SCRIPT, media_type="text/javascript")


def _replaced(name: str, body: str) -> str:
    return f"() => {{ window.{name} = class extends {name} {{ {body} }}; }}"


async def _start(page: Page, path: str, role: str, **more: object) -> None:
    await page.evaluate(_START, [path, role, more])


async def _reaches(page: Page, state: str) -> None:
    await page.wait_for_function(f"window.state === '{state}'", timeout=20_000)


async def _packets_flow(page: Page) -> None:
    await page.wait_for_function(_TALKS, timeout=20_000)


async def _begin(resident: Page, staff: Page) -> None:
    await _start(staff, f"{STAFF}?as=lan", "staff")
    await _start(resident, RESIDENT, "resident")
    await _reaches(resident, "talking")
    await _reaches(staff, "talking")


@contextlib.asynccontextmanager
async def _another(host: str, client: str) -> AsyncIterator[PageSocket]:
    """Another resident's page, which has heard that it is in."""
    async with page(host, f"{RESIDENT}?client={client}") as one:
        assert (await one.hear())["type"] in ("hello", "wait")
        yield one


async def test_two_pages_talk_and_audio_flows_both_ways(browser: Browser, site: str) -> None:
    async with opened(browser, site) as resident, opened(browser, site) as staff:
        await _begin(resident, staff)
        for one in (resident, staff):
            await _packets_flow(one)
            assert await one.evaluate("detail.microphone + detail.other") == "grantedgranted"


async def test_staff_waits_for_a_resident_who_comes_later(browser: Browser, site: str) -> None:
    async with opened(browser, site) as resident, opened(browser, site) as staff:
        await _start(staff, f"{STAFF}?as=lan", "staff", deadline=500)
        await _reaches(staff, "waiting")
        await staff.wait_for_function("performance.now() > began + 600")
        await _start(resident, RESIDENT, "resident")
        await _packets_flow(staff)


async def test_nobody_answers_so_it_fails_after_five_seconds(browser: Browser, site: str) -> None:
    async with opened(browser, site) as resident:
        await _start(resident, RESIDENT, "resident")
        await _reaches(resident, "failed")
        assert await resident.evaluate("detail.reason") == "timeout"
        assert 4_900 <= await resident.evaluate("seen.at(-1)[2] - began") < 6_000


async def test_where_packets_find_no_way_the_resident_is_not_kept_waiting(browser: Browser, site: str) -> None:
    relayed = "constructor(given) { super(Object.assign(given, {iceTransportPolicy: 'relay'})); }"
    async with opened(browser, site) as resident, opened(browser, site) as staff:
        for page, path, role in ((staff, f"{STAFF}?as=lan", "staff"), (resident, RESIDENT, "resident")):
            await page.evaluate(_replaced("RTCPeerConnection", relayed))
            await _start(page, path, role, deadline=1_000)
        await _reaches(resident, "failed")
        await staff.wait_for_function("state === 'failed' || state === 'waiting'")


async def test_hanging_up_leaves_the_other_waiting_and_it_can_begin_again(browser: Browser, site: str) -> None:
    async with opened(browser, site) as resident, opened(browser, site) as staff:
        await _begin(resident, staff)
        await staff.evaluate("voice.stop()")
        await _reaches(staff, "ended")
        await _reaches(resident, "waiting")
        await _start(staff, f"{STAFF}?as=lan", "staff")
        await _packets_flow(staff)
        await _packets_flow(resident)


async def test_a_dropped_connection_restarts_ice_within_the_round(browser: Browser, site: str) -> None:
    keep = _replaced(
        "RTCPeerConnection",
        "constructor(given) { super(given); window.pc = this; window.made = (window.made || 0) + 1; }",
    )
    async with opened(browser, site) as resident, opened(browser, site) as staff:
        await resident.evaluate(keep)
        await staff.evaluate(keep)
        await _begin(resident, staff)
        name = "pc.localDescription.sdp.match(/ice-ufrag:(.*)/)[1]"
        for page in (staff, resident):
            before = await resident.evaluate(name)
            await page.evaluate(
                "Object.defineProperty(pc, 'connectionState', {get: () => 'failed', configurable: true});"
                "pc.onconnectionstatechange(); delete pc.connectionState;"
            )
            await resident.wait_for_function(f"{name} !== '{before}'")
        assert await resident.evaluate("made") == 1
        await _packets_flow(resident)


async def test_a_socket_that_breaks_does_not_break_the_voice(browser: Browser, site: str) -> None:
    keep = _replaced("WebSocket", "constructor(at) { super(at); window.socket = this; }")
    async with opened(browser, site) as resident, opened(browser, site) as staff:
        await staff.evaluate(keep)
        await _begin(resident, staff)
        await staff.evaluate("window.first = socket; socket.close()")
        await staff.wait_for_function("socket !== first && socket.readyState === 1")
        await staff.evaluate("voice.stop()")
        await _reaches(resident, "waiting")
        assert await resident.evaluate("seen.filter(([state]) => state === 'talking').length") >= 1
        assert await resident.evaluate("seen.filter(([, detail]) => detail.reason === 'dropped').length") == 0


async def test_a_refused_microphone_still_lets_one_listen(browser: Browser, site: str) -> None:
    async with opened(browser, site, before=_REFUSED) as resident, opened(browser, site) as staff:
        await _begin(resident, staff)
        await staff.wait_for_function(f"voice.stats().then((now) => now.sent >= {_PACKETS})")
        await resident.wait_for_function(f"voice.stats().then((now) => now.received >= {_PACKETS})")
        assert await resident.evaluate("detail.microphone") == "refused"
        assert await staff.evaluate("detail.other") == "refused"


async def test_a_colleague_is_told_and_takes_over(browser: Browser, site: str) -> None:
    async with opened(browser, site) as resident, opened(browser, site) as lan, opened(browser, site) as wei:
        await _begin(resident, lan)
        await _start(wei, f"{STAFF}?as=wei", "staff")
        await _reaches(wei, "busy")
        assert await wei.evaluate("detail.by") == "lan"
        await _start(wei, f"{STAFF}?as=wei", "staff", takeOver=True)
        await _reaches(lan, "ended")
        assert await lan.evaluate("[detail.reason, detail.by]") == ["taken_over", "wei"]
        await _packets_flow(wei)


async def test_a_page_that_lost_its_waiting_place_comes_again(browser: Browser, site: str) -> None:
    host = site.removeprefix("http://").rstrip("/")
    async with opened(browser, site) as resident, contextlib.AsyncExitStack() as others:
        await others.enter_async_context(_another(host, "seat"))
        await _start(resident, RESIDENT, "resident")
        await _reaches(resident, "queued")
        first, *_ = [await others.enter_async_context(_another(host, f"other-{n}")) for n in range(WAITING_LIMIT)]
        assert await first.hear() == {"type": "bye", "reason": "displaced", "by": ""}  # The page came again.
        assert await resident.evaluate("state") == "queued"


async def test_a_page_that_loses_its_waiting_place_again_and_again_gives_up(
    browser: Browser, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.voice.WAITING_LIMIT", 1)
    host = site.removeprefix("http://").rstrip("/")
    async with opened(browser, site) as resident, _another(host, "seat"):
        await resident.evaluate(
            "(real => { window.setTimeout = (then, after) => real(then, after / 50); })(setTimeout)"
        )
        await _start(resident, RESIDENT, "resident", deadline=1_000_000)
        await _reaches(resident, "queued")
        for number in range(10):
            async with _another(host, f"other-{number}") as other:
                assert (await other.hear())["reason"] == "displaced"
        async with _another(host, "last"):
            await _reaches(resident, "busy")
        assert await resident.evaluate("seen.map(([state]) => state).filter((s, n, all) => s !== all[n - 1])") == [
            "connecting", "queued", "busy",
        ]  # fmt: skip


async def test_the_voice_ends_with_the_call(browser: Browser, site: str, world: VoiceWorld) -> None:
    async with opened(browser, site) as resident, opened(browser, site) as staff:
        await _begin(resident, staff)
        world.close()
        for one in (resident, staff):
            await _reaches(one, "ended")
            assert await one.evaluate("detail.reason") == "closed"
