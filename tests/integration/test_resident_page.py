"""The resident's page in a real browser: the first tap, broken scripts, the call as it goes on, a voice."""

from datetime import timedelta

import pytest
from playwright.async_api import Page, Route, expect

from emergency import acts
from emergency.model import CallState, Cause
from tests.browser.plugin import IN_SESSION_LOOP, NewContext
from tests.integration.resident_world import DIALLED, House, answered, seen, tap, tap_again
from tests.unit.api.walls import TOKEN, tell_by_messenger

pytestmark = IN_SESSION_LOOP
# What stands in for a voice: it does as the page's address says, and remembers that it was stopped.
VOICE = """
window.AnjuVoice = {start(options) {
  window.wanted = options;
  options.onstate('connecting', {});
  return {stop() { window.voiceStopped = true; }};
}};
"""


# ---- the first tap


async def test_a_tap_without_scripts(new_context: NewContext, home: House, address: str) -> None:
    page = await (await new_context(java_script_enabled=False)).new_page()
    await page.goto(address)
    await page.locator("#tap").click()
    await page.wait_for_url("**/*call=*")
    await expect(page.locator("h1 [data-when=ringing]")).to_be_visible()
    await home.act(home.calls()[0].id, acts.Answer())
    # Without scripts the page comes again by itself.
    await page.locator("h1 [data-when=answered]").wait_for()
    await page.locator("#undo summary").click()
    await page.locator("#back button").click()
    await page.locator("h1 [data-when=abandoned]").wait_for()
    assert [call.state for call in home.calls()] == [CallState.ABANDONED]


BROKEN = {
    "an error before": "throw new Error('of another script')",
    "no fetch": "window.fetch = undefined",
    "fetch throws": "window.fetch = () => { throw new Error('broken') }",
    "no storage": "Object.defineProperty(window, 'localStorage', {get() { throw new Error('denied') }})",
    "no promises": "window.Promise = undefined",
    "no JSON": "JSON.parse = () => { throw new Error('broken') }",
    "no workers": "Object.defineProperty(Navigator.prototype, 'serviceWorker', {get() { throw new Error('denied') }})",
    "no history": "history.replaceState = () => { throw new Error('denied') }",
    "no listeners": "Element.prototype.addEventListener = EventTarget.prototype.addEventListener = null",
}


# Waits of a script are a quarter as long.
HURRY = "const wait = window.setTimeout; window.setTimeout = (what, waited) => wait(what, waited / 4);"


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
async def test_a_tap_with_scripts_that_fail(page: Page, home: House, address: str, broken: str) -> None:
    await page.add_init_script(f"{HURRY}\n{broken}")
    await page.goto(address)
    await tap(page)
    await answered(page)
    assert len(home.calls()) == 1
    await home.act(home.calls()[0].id, acts.Answer())
    await seen(page, "值班人员已接听，正在安排救援")


async def test_a_script_that_does_not_run_at_all_leaves_a_page_that_goes_on(
    page: Page, home: House, address: str
) -> None:
    async def spoilt(route: Route) -> None:
        answer = await route.fetch(max_redirects=0)
        body = (await answer.text()).replace("'use strict'", "'use strict' nonsense(", 1)
        await route.fulfill(response=answer, body=body)

    await page.add_init_script(HURRY)
    await page.context.request.post(f"{address}/calls")
    [call] = home.calls()
    await page.route(f"{address}*", spoilt)
    await page.goto(f"{address}?call={call.id}")
    await answered(page)
    await home.act(call.id, acts.Answer())
    await seen(page, "值班人员已接听，正在安排救援")


async def test_a_page_without_fetch_keeps_the_language_that_was_chosen(page: Page, home: House, address: str) -> None:
    await page.add_init_script(f"{HURRY}\n{BROKEN['no fetch']}")
    await page.goto(address)
    await tap(page)
    await answered(page)
    await page.get_by_text("English", exact=True).click()
    await home.act(home.calls()[0].id, acts.Answer())
    await seen(page, "Answered. Help is being arranged")


async def test_a_page_without_fetch_that_shows_no_call_stays(page: Page, home: House, address: str) -> None:
    await page.add_init_script(f"{HURRY}\n{BROKEN['no fetch']}")
    await page.goto(address)
    await tap(page)
    await answered(page)
    await page.goto(address)
    await expect(page.locator("h1 [data-when=idle]")).to_be_visible()
    loads = [path for path, _ in home.sent].count(f"/c/{TOKEN}")
    await page.wait_for_timeout(3_000)  # A second more than it takes a page that shows its call to load again.
    assert [path for path, _ in home.sent].count(f"/c/{TOKEN}") == loads


@pytest.mark.parametrize("scripts", [False, True], ids=["no scripts", "no fetch"])
async def test_a_form_that_was_not_kept_says_so_and_is_pressed_again(
    new_context: NewContext, home: House, address: str, scripts: bool
) -> None:
    page = await (await new_context(java_script_enabled=scripts)).new_page()
    await page.add_init_script(BROKEN["no fetch"])
    await page.goto(address)
    home.world.calling.records.fail(times=1)
    await tap(page)
    await page.locator("h1 [data-when=unkept]").wait_for()
    await expect(page.locator("a[href='tel:05711']")).to_be_visible()
    await expect(page.locator("h1 [data-when=unsent]")).to_be_hidden()
    await tap(page)
    await page.locator("h1 [data-when=ringing]").wait_for()
    assert len(home.calls()) == 1


async def test_the_answer_to_a_form_has_its_other_language_and_loads_again(
    new_context: NewContext, home: House, address: str
) -> None:
    page = await (await new_context(java_script_enabled=False)).new_page()
    for again in ("press a link", "load the address"):
        await page.goto(address)
        home.world.calling.records.fail(times=1)
        await tap(page)
        await page.locator("h1 [data-when=unkept]").wait_for()
        if again == "press a link":
            await page.get_by_text("English", exact=True).click()
        else:
            await page.goto(page.url)
        await page.locator("h1 [data-when=idle]").wait_for()
        assert page.url.partition("?")[0] == address


async def test_a_tap_is_felt_at_once_and_answered(page: Page, home: House, address: str) -> None:
    await page.goto(address)
    at_once = "(document.getElementById('tap').click(), document.querySelector('h1').innerText.trim())"
    assert await page.evaluate(at_once) == "正在呼叫…"
    await answered(page)
    assert await page.evaluate("document.activeElement.id") == "said"


async def test_taps_and_reloads_are_one_call(page: Page, home: House, address: str) -> None:
    await page.goto(address)
    await page.evaluate("for (const _ of [1, 2, 3]) document.getElementById('tap').click()")
    await answered(page)
    await page.reload()
    await answered(page)
    await page.goto(address)
    await answered(page)
    assert [len(call.callers) for call in home.calls()] == [1]


async def test_a_tap_whose_answer_was_lost_goes_on_after_a_reload_as_the_same(
    page: Page, home: House, address: str
) -> None:
    await page.goto(address)
    await page.route("**/calls", _answer_lost)
    await tap(page)
    await expect(page.locator("h1 [data-when=unsent]")).to_be_visible()
    assert len(home.calls()) == 1
    await page.unroute("**/calls")
    await page.reload()
    await answered(page)
    assert [len(call.callers) for call in home.calls()] == [1]


async def _answer_lost(route: Route) -> None:
    await route.fetch()
    await route.abort()


async def test_after_the_end_a_tap_is_another_call(page: Page, home: House, address: str) -> None:
    await page.goto(address)
    await tap(page)
    await answered(page)
    for what in (acts.Freed(), acts.Close(Cause.OTHER)):
        await home.act(home.calls()[0].id, what)
    await seen(page, "这次呼叫已结束")
    await tap_again(page)
    await answered(page)
    assert [call.open for call in home.calls()] == [False, True]
    await home.act(home.calls()[1].id, acts.Freed())
    await home.act(home.calls()[1].id, acts.Close(Cause.OTHER))
    await seen(page, "这次呼叫已结束")
    # Whoever comes later finds the button, and not what was.
    await page.goto(address)
    await expect(page.locator("h1 [data-when=idle]")).to_be_visible()


async def test_calling_again_after_the_end_is_calm(page: Page, home: House, address: str) -> None:
    await page.goto(address)
    colour = "(one) => getComputedStyle(one).backgroundColor"
    alarming = await page.locator("#tap").evaluate(colour)
    await tap(page)
    await answered(page)
    for what in (acts.Freed(), acts.Close(Cause.OTHER)):
        await home.act(home.calls()[0].id, what)
    await seen(page, "仍有人被困，或又需要帮助时，请再次呼叫。")
    await expect(page.locator("#tap")).to_be_hidden()
    assert await page.locator("#again").evaluate(colour) == "rgb(255, 255, 255)" != alarming


# ---- the call as it goes on


async def test_who_comes_and_when_shows_live(page: Page, home: House, address: str) -> None:
    await page.goto(address)
    await tap(page)
    await answered(page)
    call = home.calls()[0]
    await seen(page, "规定到场时间 15:32")
    await home.act(call.id, acts.Answer())
    await seen(page, "值班人员已接听 li")
    coming = acts.OnTheWay("王师傅", home.world.clock.now() + timedelta(minutes=9), contractor="通力")
    await home.act(call.id, coming)
    await seen(page, "救援人员已出发 王师傅 · 通力")
    await seen(page, "预计到达 15:11")
    home.world.clock.advance(timedelta(minutes=31))
    await seen(page, "已超时，请拨打电话")
    await home.act(call.id, acts.OnSite())
    await seen(page, "救援人员已到现场")
    await home.act(call.id, acts.Freed())
    await seen(page, "再次呼叫")


async def test_past_steps_fold_and_the_present_one_is_large(page: Page, home: House, address: str) -> None:
    await page.goto(address)
    await tap(page)
    await answered(page)
    await home.act(home.calls()[0].id, acts.Answer())
    await home.act(home.calls()[0].id, acts.OnTheWay("王师傅"))
    await seen(page, "已完成 2 步")
    shown = "[...document.querySelectorAll('[data-step]')].filter((one) => one.checkVisibility())"
    steps = f"{shown}.map((one) => one.dataset.step)"
    assert await page.evaluate(steps) == ["on_the_way", "on_site", "freed"]
    size = f"{shown}.map((one) => parseFloat(getComputedStyle(one).fontSize))"
    present, *coming = await page.evaluate(size)
    assert present > 1.2 * max(coming)
    await page.locator(".past summary").click()
    assert await page.evaluate(steps) == ["raised", "answered", "on_the_way", "on_site", "freed"]
    # Somebody turned back: what was said before is not so any more.
    await home.act(home.calls()[0].id, acts.CannotCome("王师傅"))
    await expect(page.locator("[data-step=on_the_way]")).not_to_have_class("now")
    before = ["raised"] if home.calls()[0].state is CallState.RINGING else ["raised", "answered"]
    assert (await page.evaluate(steps))[: len(before)] == before


async def test_name_phone_and_head_count_are_asked_for_after_the_tap_only(
    page: Page, home: House, address: str
) -> None:
    await page.goto(address)
    await expect(page.locator("#leave")).to_be_hidden()
    await tap(page)
    await answered(page)
    await page.locator("#leave summary").click()
    await page.locator("[name=phone]").fill("138 0000 0000")
    home.world.clock.advance(timedelta(seconds=1))
    await home.act(home.calls()[0].id, acts.Answer())
    await seen(page, "值班人员已接听，正在安排救援")
    await page.locator("[name=name]").fill("张三")
    await page.locator("[name=people]").fill("2")
    await page.locator("#details button").click()
    await seen(page, "已记下，值班人员能看到。")
    [call] = home.calls()
    assert (call.caller.name, call.caller.phone, call.people) == ("张三", "138 0000 0000", 2)


async def test_taking_it_back_asks_first(page: Page, home: House, address: str) -> None:
    await page.goto(address)
    await tap(page)
    await answered(page)
    await expect(page.locator("#back button")).to_be_hidden()
    await page.locator("#undo summary").click()
    assert home.calls()[0].state is CallState.RINGING
    await page.locator("#back button").click()
    await seen(page, "呼叫已取消")
    assert home.calls()[0].state is CallState.ABANDONED
    await tap_again(page)
    await answered(page)
    assert [call.state for call in home.calls()] == [CallState.RINGING]


async def test_what_could_not_be_taken_back_is_not_forgotten(page: Page, home: House, address: str) -> None:
    await page.goto(address)
    await tap(page)
    await answered(page)
    await page.locator("#undo summary").click()
    home.world.calling.records.fail(times=2)
    await page.locator("#back button").click()
    await seen(page, "现在无法处理，请稍后再试或拨打电话。")
    await page.goto(address)
    await answered(page)
    await page.goto(f"{address}?call={home.calls()[0].id}")
    await page.locator("#undo summary").click()
    home.world.calling.records.fail(times=2)
    await page.locator("#back button").click()
    await seen(page, "现在无法处理，请稍后再试或拨打电话。")
    await page.locator("#undo summary").click()
    await page.locator("#back button").click()
    await seen(page, "呼叫已取消")


# ---- whether it has reached a person


async def test_the_page_promises_nothing_before_the_tap(page: Page, address: str) -> None:
    await page.goto(address)
    await expect(page.locator("body")).not_to_contain_text("马上收到", use_inner_text=True)


async def test_only_what_a_messenger_confirmed_is_called_delivered(page: Page, home: House, address: str) -> None:
    tell_by_messenger(home.world)
    await page.goto(address)
    await tap(page)
    await seen(page, "正在通知值班人员…")
    call = home.calls()[0]
    async with page.expect_response(f"**/calls/{call.id}") as answer:  # What the tap was told knows of no delivery.
        pass
    await (await answer.value).finished()
    rang = page.locator("[data-step=rang]")
    await expect(page.locator("#said")).not_to_contain_text("送达", use_inner_text=True)
    await expect(rang).to_have_class("")
    await home.messenger_had()
    await seen(page, "已送达值班人员，等待接听。")
    await expect(rang).to_have_class("now")
    await expect(page.locator("#phones.dial")).to_have_count(0)
    await home.act(call.id, acts.Answer())
    await seen(page, "值班人员已接听，正在安排救援")


@pytest.mark.parametrize("messenger", ["none", "fails", "confirms nothing for ten seconds"])
async def test_a_call_that_reaches_nobody_says_so_above_the_phones(
    page: Page, home: House, address: str, messenger: str
) -> None:
    if messenger != "none":
        tell_by_messenger(home.world)
    await page.goto(address)
    await tap(page)
    await answered(page)
    if messenger == "fails":
        await home.messenger_had(failed=True)
    home.world.clock.advance(timedelta(seconds=10 if messenger.startswith("confirms") else 0))
    await seen(page, "尚未送达任何人，请同时拨打下面的电话。")
    above = "document.querySelector('#phones').offsetTop < document.querySelector('#progress').parentNode.offsetTop"
    assert await page.evaluate(above)
    await expect(page.locator("[data-step=rang]")).to_have_class("")
    assert await page.locator("#phones.dial a").first.get_attribute("href") == "tel:05711"


# ---- a voice


async def _calling(page: Page, address: str, voice: str | None) -> None:
    await page.add_init_script(DIALLED)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    if voice is None:
        await page.route("**/c/voice.js", lambda route: route.abort())
    else:
        await page.route("**/c/voice.js", lambda route: route.fulfill(body=voice, content_type="text/javascript"))
    await page.goto(address)
    await tap(page)
    await answered(page)
    assert not [url for url in asked if url.endswith("voice.js")]
    await page.locator("#talk").click()


async def test_a_voice_is_loaded_when_somebody_wants_to_talk(page: Page, home: House, address: str) -> None:
    await _calling(page, address, VOICE)
    await seen(page, "正在接通…")
    await page.wait_for_function("() => window.wanted")
    own = f"/c/{TOKEN}/calls/{home.calls()[0].id}/voice"
    assert await page.evaluate("[wanted.url, wanted.role]") == [own, "resident"]
    await page.evaluate("wanted.onstate('talking', {muted: true})")
    await seen(page, "正在通话")
    await seen(page, "点一下屏幕就能听到声音")
    await page.locator("#talk").click()
    await seen(page, "通话已结束")
    assert await page.evaluate("[voiceStopped, dialled]") == [True, []]


FAILING = {
    "no script": None,
    "a broken script": "nonsense(",
    "said to have failed": VOICE.replace("'connecting'", "'failed'"),
    "silent for five seconds": VOICE,
}


@pytest.mark.parametrize("voice", FAILING.values(), ids=FAILING.keys())
async def test_without_a_voice_the_duty_room_is_dialled(page: Page, address: str, voice: str | None) -> None:
    await _calling(page, address, voice)
    await seen(page, "语音没有接通，请拨打电话")
    assert await page.evaluate("dialled") == ["tel:05711"]
    assert await page.locator("#phones.dial").count() == 1
