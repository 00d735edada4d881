"""The desk in a real browser: a call from ring to close, several at once, and what goes wrong meanwhile."""

import asyncio
import re
from datetime import timedelta

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, Page, Route, expect

from api.auth import REMEMBERED_FOR
from emergency.acts import Answer, Dispatch, EndAlarm, Freed, Note, OnSite, OnTheWay
from emergency.model import Caller, CallState, Cause, Source
from tests.browser.plugin import IN_SESSION_LOOP
from tests.integration.desk_world import CALLER, GARAGE, PLACE, WALL, DeskWorld, desk_page
from tests.integration.pages import opened
from tests.unit.api.world import TOKEN

pytestmark = IN_SESSION_LOOP

_CHINESE = re.compile(r"[\u4e00-\u9fff]+")
_WORDS = {
    "zh": (
        "呼叫中",
        "已接听",
        "派 通力维保 24 小时 前往",
        "通力维保 24 小时 已出发",
        "人员已救出",
        "结束：门系统",
        "当前没有求助",
    ),
    "en": (
        "Ringing",
        "Answered",
        "Kone maintenance, 24 h asked to go",
        "Kone maintenance, 24 h on the way",
        "Everybody is out",
        "Closed: Door system",
        "No calls for help",
    ),
}
_WIDE, _PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
_PACKETS = 25
_SIGNED_OUT = {
    "zh": ("登录已失效：此页不再响铃", "已退出登录"),
    "en": ("Signed out: this page does not ring", "Signed out"),
}
_COUNTS_TONES = (
    "let tones = 0; const make = BaseAudioContext.prototype.createOscillator;"
    " BaseAudioContext.prototype.createOscillator = function () {"
    " document.documentElement.dataset.tones = ++tones; return make.call(this); };"
)


async def _act(page: Page, act: str, *, confirm: bool = True) -> None:
    await page.locator(f"#act-{act}").click()
    if confirm:
        await page.locator("#confirm").click()


async def _stands(page: Page, state: str) -> None:
    await page.locator(f".call.state-{state}").wait_for()


@pytest.mark.parametrize("size", [_WIDE, _PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_call_from_ring_to_close(
    browser: Browser, host: str, world: DeskWorld, language: str, size: dict[str, int]
) -> None:
    ringing, answered, sent, going, freed, closed, quiet = _WORDS[language]
    async with desk_page(browser, host, language=language, viewport=size) as page:
        history, state = page.locator(".history"), page.locator(".head .state")
        await expect(page.locator(".quiet")).to_contain_text(quiet)
        call = await world.rings(people=2)
        await expect(state).to_contain_text(ringing)
        await expect(page.locator(".position")).to_contain_text("330106")
        await _act(page, "answer", confirm=False)
        await expect(state).to_contain_text(answered)
        await page.locator("#act-dispatch").click()
        await page.locator("label", has_text="400 800 0003").click()
        await page.locator("#confirm").click()
        await expect(history).to_contain_text(sent)
        await page.locator("#act-on_the_way").click()
        await page.locator(".minutes label", has_text="10").click()
        await page.locator("#confirm").click()
        await expect(history).to_contain_text(going)
        await _act(page, "on_site")
        await _act(page, "freed")
        await expect(history).to_contain_text(freed)
        await page.locator("#act-close").click()
        await page.locator("#field-cause").select_option("door_system")
        await page.locator("#confirm").click()
        await expect(history).to_contain_text(closed)
        assert await page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        shown = await page.locator("body").inner_text()
        assert (_CHINESE.findall(shown.replace("中文", "").replace("号楼", "")) == []) is (language == "en")
        await page.locator("#back").click()
        await expect(page.locator(".quiet")).to_contain_text(quiet)
    kept = await world.world.calling.records.call(call.id)
    assert kept is not None
    assert (kept.state, kept.cause, kept.answered_by, kept.people) == (CallState.CLOSED, Cause.DOOR_SYSTEM, "lan", 2)
    assert kept.responder is not None
    assert (kept.responder.phone, kept.responder.contractor) == ("400 800 0003", "kone")
    assert kept.responder.arrives_at == world.clock.now() + timedelta(minutes=10)


async def test_the_desk_talks_with_a_residents_page(browser: Browser, host: str, world: DeskWorld) -> None:
    call = await world.rings()
    start = f"AnjuVoice.start({{url: '/c/{WALL}/calls/{call.id}/voice', role: 'resident'}})"
    flows = f"() => voice.stats().then((now) => now.sent >= {_PACKETS} && now.received >= {_PACKETS})"
    async with desk_page(browser, host) as desk, opened(browser, f"http://{host}/desk") as resident:
        await _act(desk, "answer", confirm=False)
        await resident.evaluate(f"() => {{ window.voice = {start}; }}")
        await resident.wait_for_function(flows)
        await expect(desk.locator(".voice-state")).to_contain_text("通话中")
        await desk.get_by_role("button", name="挂断").click()
        await expect(desk.locator(".voice-state")).to_contain_text("通话已结束")


async def test_calls_stand_in_tabs_the_oldest_unanswered_first(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        await world.does(await world.rings(), Answer())
        world.clock.advance(timedelta(seconds=5))
        second = await world.rings(GARAGE, Source.CAR_BUTTON)
        await world.rings(replace(GARAGE, lift="", point="east", name_zh="东门"), Source.DRILL, drill=True)
        world.clock.advance(timedelta(seconds=5))
        await world.rings(replace(GARAGE, lift="", point="west", name_zh="西门"))
        await expect(page.locator(".tab b")).to_have_text(["地下车库货梯", "西门", "东门", "幸福里 3 号楼 2 单元电梯"])
        await expect(page.locator(".tab .time").first).to_contain_text(re.compile(r"\d\d:\d\d"))
        await expect(page.locator(f"#tab-{second.id}")).to_have_attribute("aria-current", "true")


async def test_who_works_on_a_call_is_not_torn_away_by_the_next(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        await world.rings(source=Source.CAR_BUTTON)
        await _act(page, "answer", confirm=False)
        await page.locator("#act-note").click()
        await page.locator("#field-text").fill("半句")
        other = await world.rings(GARAGE)
        await page.locator(f"#tab-{other.id}").wait_for()
        await expect(page.locator("h1")).to_have_text(PLACE.name_zh)
        await expect(page.locator("#field-text")).to_have_value("半句")
        await expect(page.locator("#silence")).to_be_visible()


async def test_what_colleagues_do_is_seen_at_once_and_does_not_empty_a_form(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    async with desk_page(browser, host) as page:
        call = await world.rings()
        await page.locator("#act-note").click()
        await page.locator("#field-text").fill("正在写")
        await world.does(call, Answer(), Note("阿伟在说话"))
        await expect(page.locator(".history")).to_contain_text("阿伟在说话")
        await expect(page.locator(".head")).to_contain_text("wei 接听")
        await expect(page.locator("#field-text")).to_have_value("正在写")


async def test_a_conflict_is_said_clearly(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        call = await world.rings(source=Source.CAR_BUTTON)

        async def late(route: Route) -> None:
            await world.does(call, Answer())
            await route.continue_()

        await page.route("**/answer", late)
        await _act(page, "answer", confirm=False)
        await expect(page.locator(".todo p.problem")).to_contain_text("没有成功：情况已经变了。现在是“已接听”")
        await _stands(page, "answered")


async def test_each_call_has_its_own_acts_and_its_own_failures(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        first = await world.rings(source=Source.CAR_BUTTON)
        second = await world.rings(GARAGE, Source.CAR_BUTTON)
        asked, answered = asyncio.Event(), asyncio.Event()

        async def slow_and_in_vain(route: Route) -> None:
            asked.set()
            await answered.wait()
            await route.fulfill(status=503, json={"detail": "away"})

        await page.route(f"**/{first.id}/answer", slow_and_in_vain)
        await page.locator(f"#tab-{first.id}").click()
        await _act(page, "answer", confirm=False)
        await asked.wait()
        await page.locator(f"#tab-{second.id}").click()
        await expect(page.locator("#act-answer")).to_have_attribute("aria-disabled", "false", timeout=5_000)
        await _act(page, "answer", confirm=False)
        await _stands(page, "answered")
        await page.locator("#act-note").click()
        answered.set()
        await expect(page.locator(f"#tab-{first.id}")).to_contain_text("操作没有成功")
        await expect(page.locator("h1")).to_have_text(GARAGE.name_zh)
        await expect(page.locator(".todo p.problem")).to_have_count(0)
        await expect(page.locator("#field-text")).to_be_visible()
        await page.locator(f"#tab-{first.id}").click()
        await expect(page.locator(".todo p.problem")).to_contain_text("没有成功，请再试（503）")
        await expect(page.locator("#field-text")).to_have_count(0)


async def test_handing_on_asks_the_next_at_once(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        call = await world.rings(source=Source.CAR_BUTTON)
        await world.does(call, Answer(), Dispatch("王强"))
        await page.locator("#act-cannot_come").click()
        await page.locator("#field-reason").fill("堵车")
        await page.locator("#confirm").click()
        await expect(page.locator(".history")).to_contain_text("王强 无法前往")
        await expect(page.locator(".rung.now")).to_contain_text("第二值班人")


async def test_a_form_that_somebody_else_made_needless_goes_away(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        call = await world.rings(source=Source.CAR_BUTTON)
        await world.does(call, Answer(), OnSite("王强"), Freed())
        await page.locator("#act-end_of_alarm").click()
        await page.locator("#field-code").fill("12")
        await world.does(call, EndAlarm("device"))
        await expect(page.locator(".act-form")).to_have_count(0)
        await expect(page.locator(".todo p.problem")).to_contain_text("“解除报警”已无须填写")
        await expect(page.locator("#act-close")).to_be_visible()


@pytest.mark.parametrize(
    ("minutes", "state", "said"),
    [
        pytest.param(1, "running", "剩余", id="running"),
        pytest.param(16, "half_time", "已过半", id="half of it"),
        pytest.param(31, "overdue", "已超时", id="overdue"),
    ],
)
async def test_the_rescue_clock(
    browser: Browser, host: str, world: DeskWorld, minutes: int, state: str, said: str
) -> None:
    world.clock.advance(-timedelta(minutes=minutes))
    await world.rings()
    world.clock.advance(timedelta(minutes=minutes))
    async with desk_page(browser, host) as page:
        await expect(page.locator(".rescue")).to_have_attribute("data-state", state)
        await expect(page.locator(".rescue")).to_contain_text(said)


async def test_numbers_can_be_dialled_and_119_is_red(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        await world.rings(caller=CALLER)
        fire = page.locator('.rung.dial a[href="tel:119"]')
        await expect(fire).to_have_css("background-color", "rgb(179, 18, 29)")
        await expect(page.locator('a[href="tel:13800000001"]')).to_be_visible()
        await expect(page.locator('.rung.now a[href="tel:057188880001"]')).to_be_visible()


async def test_a_number_is_dialled_by_hand_and_never_told(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        call = await world.rings()
        for seconds in (30, 30):
            world.clock.advance(timedelta(seconds=seconds))
            await world.calls.tick()
        await expect(page.locator(".climb")).to_contain_text("后需人工拨打 96333（就近救援站）")
        await world.does(call, OnTheWay("王强"))
        await page.locator("#silence").wait_for(state="detached")
        world.clock.advance(timedelta(minutes=36))
        await world.calls.tick()
        station = page.locator(".rung.to_dial").first
        await expect(station.locator(".mark")).to_have_text("需人工拨打")
        await expect(page.locator(".history")).to_contain_text("需人工拨打：就近救援站")
        await expect(page.locator(".history")).not_to_contain_text("通知：就近救援站")
        await expect(page.locator("#silence")).to_be_visible()
        await expect(page).to_have_title(re.compile("请人工拨打电话"))
        world.clock.advance(timedelta(minutes=6))
        await world.calls.tick()
        await page.locator("#dialled-fire-service").click()
        await expect(page.locator("#field-step")).to_have_value("fire-service")
        await page.locator("#dialled-station").click()
        await expect(page.locator("#field-step")).to_have_value("station")
        await page.locator("#field-answer").fill("十五分钟到")
        await page.locator("#confirm").click()
        await expect(page.locator(".rung.dialled")).to_contain_text("已拨打十五分钟到")
        await expect(page.locator(".history")).to_contain_text("已拨打：就近救援站")


async def test_the_lift_is_drawn_at_its_floor_and_follows_its_signals(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    async with desk_page(browser, host) as page:
        await world.rings()
        drawing = page.locator("svg.shaft")
        await expect(drawing).to_have_attribute("aria-label", "轿厢在 7 楼，门关闭，停止")
        await expect(drawing.locator("text")).to_have_text(["10", "9", "8", "7", "6", "5A", "4", "3", "2", "1", "B1"])
        world.clock.advance(timedelta(seconds=5))
        world.lift_says(world.clock.now() - timedelta(seconds=1), {"floor": "6", "door_state": "open"})
        await expect(drawing).to_have_attribute("aria-label", "轿厢在 6 楼，门开着，停止")


async def test_a_drill_cannot_be_taken_for_a_call(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        await world.rings(source=Source.DRILL, drill=True)
        await expect(page.locator(".drill-banner")).to_contain_text("DRILL")
        await expect(page.locator(".tab em")).to_have_text("演练")
        await expect(page).to_have_title(re.compile("演练"))


async def test_nobody_is_asked_to_dial_in_a_drill(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        await world.rings(source=Source.DRILL, drill=True)
        for seconds in (30, 30, 60, 60):
            world.clock.advance(timedelta(seconds=seconds))
            await world.calls.tick()
        await expect(page.locator(".rung.not_dialled .mark").first).to_have_text("未拨打")
        await expect(page.locator(".history")).to_contain_text("演练不拨打")
        for words in ("需人工拨打", "请人工拨打"):
            await expect(page.locator("main")).not_to_contain_text(words)
        await expect(page.locator("#dialled-station")).to_have_count(0)


async def test_a_call_that_was_silenced_and_answered_is_heard_when_it_rings_again(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    async with desk_page(browser, host) as page:
        call = await world.rings()
        await page.locator("#silence").click()
        await expect(page.locator("#silence")).to_have_count(0)
        await world.does(call, Answer())
        await _stands(page, "answered")
        world.clock.advance(timedelta(minutes=4))
        await world.calls.tick()
        await _stands(page, "ringing")
        await expect(page.locator("#silence")).to_be_visible()


async def test_what_a_caller_writes_stays_text(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        await world.rings(caller=Caller("<b>x</b>", "1", "<img src=x onerror=\"document.title='broken'\">"))
        await expect(page.locator(".position q")).to_have_text("<img src=x onerror=\"document.title='broken'\">")
        assert await page.locator("main img").count() == 0


async def test_a_lost_connection_is_red_and_heals(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        await page.context.set_offline(True)
        await expect(page.locator("#lost")).to_be_visible(timeout=30_000)
        await world.rings()
        await page.context.set_offline(False)
        await _stands(page, "ringing")
        await expect(page.locator("#lost")).to_have_count(0, timeout=30_000)


async def test_sound_is_off_until_somebody_clicks_and_the_desk_says_so(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    mute = "AudioContext = class { state = 'suspended'; async resume() { if (window.may) this.state = 'running'; }"
    mute += " createOscillator() { throw new Error('sounds'); } }"
    async with desk_page(browser, host, before=mute) as page:
        await expect(page.locator("#sound-off")).to_be_visible()
        await page.evaluate("window.may = true")
        await page.locator("#sound-off").click()
        await expect(page.locator("#sound-off")).to_have_count(0)


async def test_the_keyboard_will_do(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        await world.rings(source=Source.CAR_BUTTON)
        await page.locator("#act-answer").focus()
        await page.keyboard.press("Enter")
        await _stands(page, "answered")
        await page.locator("#act-dispatch").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator(".act-form input:checked").first).to_be_focused()
        await page.keyboard.press("ArrowUp")
        await page.keyboard.press("Enter")
        await expect(page.locator(".history")).to_contain_text("派 王强 前往")


async def test_a_token_stays_when_the_language_is_switched(browser: Browser, host: str) -> None:
    async with opened(browser, f"http://{host}/desk") as page:
        await page.locator("#token").fill(TOKEN)
        await page.locator("#language").click()
        await expect(page.locator("#sign-in")).to_have_text("Sign in")
        await expect(page.locator("#token")).to_have_value(TOKEN)


async def test_signing_in_and_out(browser: Browser, host: str) -> None:
    async with opened(browser, f"http://{host}/desk") as page:
        await page.locator("#token").fill("nobody's")
        await page.locator("#sign-in").click()
        await expect(page.locator(".problem")).to_contain_text("令牌无效")
        await page.locator("#token").fill(TOKEN)
        await page.locator("#sign-in").click()
        await expect(page.locator(".me")).to_have_text("lan")
        assert await page.evaluate("document.cookie") == ""
        await page.reload()
        await expect(page.locator(".me")).to_have_text("lan")
        await page.locator("#sign-out").click()
        await expect(page.locator("#token")).to_be_visible()
        await expect(page.locator("#signed-out")).to_have_count(0)
        await expect(page).to_have_title("安居 · 值班台")


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_session_that_ends_by_itself_is_red_and_heard_until_somebody_signs_in(
    browser: Browser, host: str, world: DeskWorld, language: str
) -> None:
    bar, title = _SIGNED_OUT[language]
    async with desk_page(browser, host, language=language, before=_COUNTS_TONES) as page:
        await expect(page.locator("html")).not_to_have_attribute("data-tones", re.compile("."))
        world.world.tokens.known.clear()
        world.clock.advance(2 * REMEMBERED_FOR)
        await expect(page.locator("#signed-out")).to_contain_text(bar, timeout=30_000)
        await expect(page).to_have_title(re.compile(title))
        await expect(page.locator("html")).to_have_attribute("data-tones", re.compile(r"^([4-9]|\d\d)$"))
        await expect(page.locator("#silence")).to_have_count(0)
        world.world.tokens.known[TOKEN] = "lan"
        await page.locator("#token").fill(TOKEN)
        await page.locator("#sign-in").click()
        await expect(page.locator(".link.up")).to_be_visible()
        await expect(page.locator("#signed-out")).to_have_count(0)
        await expect(page).not_to_have_title(re.compile(title))
