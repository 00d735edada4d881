"""The forms of the desk: nothing is chosen for the guard that is not so, and nothing offered that cannot be done."""

import json

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, Page, Route, expect

from emergency.acts import Act, Answer, CannotCome, Close, Dispatch, Freed, OnSite
from emergency.model import Cause
from tests.browser.plugin import IN_SESSION_LOOP
from tests.integration.desk_world import PLACE, DeskWorld, desk_page

pytestmark = IN_SESSION_LOOP

_BY_PHONE = "系统无法通知此人：请打电话"


async def _sends(page: Page, act: str) -> dict[str, object]:
    """Confirm the open form; return what the page sends."""
    async with page.expect_request(f"**/{act}") as sent:
        await page.locator("#confirm").click()
    asked = await sent.value
    return dict(json.loads(asked.post_data or "{}"))


@pytest.mark.parametrize(
    ("contractor", "chosen"),
    [
        pytest.param("kone", ["通力维保 24 小时"], id="the lift's own"),
        pytest.param("", ["通力维保 24 小时"], id="the only one of the ladder"),
        pytest.param("otis", [], id="one whom the ladder does not know"),
    ],
)
async def test_a_dispatch_begins_with_the_lifts_maintainer_or_nobody(
    browser: Browser, host: str, world: DeskWorld, contractor: str, chosen: list[str]
) -> None:
    async with desk_page(browser, host) as page:
        await world.does(await world.rings(replace(PLACE, contractor=contractor)), Answer())
        await page.locator("#act-dispatch").click()
        names = page.locator("label:has(input[name=who]:checked) span")
        await expect(names).to_have_count(len(chosen))
        for name in chosen:
            await expect(names).to_contain_text(name)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        pytest.param("zh", "已表示无法前往", id="Chinese"),
        pytest.param("en", "said they cannot come", id="English"),
    ],
)
async def test_who_cannot_come_is_marked_and_not_chosen(
    browser: Browser, host: str, world: DeskWorld, language: str, said: str
) -> None:
    async with desk_page(browser, host, language=language) as page:
        call = await world.does(await world.rings(), Answer(), CannotCome("通力维保 24 小时"))
        await page.locator("#act-dispatch").click()
        choices = page.locator(".choice:has(input[name=who])")
        await expect(choices.filter(has_text="400 800 0003")).to_contain_text(said)
        await expect(page.locator(".choice .declined")).to_have_count(1)
        await expect(page.locator("input[name=who]:checked")).to_have_count(0)
        await choices.filter(has_text="400 800 0003").click()
        await page.locator("#confirm").click()
        await page.locator(".call.state-dispatched").wait_for()
    kept = await world.world.calling.records.call(call.id)
    assert kept is not None
    assert kept.responder is not None
    assert kept.responder.phone == "400 800 0003"


async def test_a_dispatch_to_nobody_is_not_sent(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        call = await world.does(await world.rings(replace(PLACE, contractor="otis")), Answer())
        await page.locator("#act-dispatch").click()
        await expect(page.locator("#field-tell_too")).to_be_disabled()
        await page.locator("#confirm").click()
        await page.locator("#who-other").check()
        await page.locator("#confirm").click()
        await expect(page.locator("#free_name")).to_be_focused()
        await page.locator("#free_name").fill("张师傅")
        assert await _sends(page, "dispatch") == {"name": "张师傅"}
        await expect(page.locator(".history")).to_contain_text("派 张师傅 前往")
    assert await world.told(call.id, "dispatch") == []


async def test_what_the_system_cannot_tell_cannot_be_ticked(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        call = await world.does(await world.rings(), Answer())
        await page.locator("#act-dispatch").click()
        tick = page.locator("#field-tell_too")
        await expect(tick).to_be_checked()
        await page.locator("label", has_text="119").click()
        await expect(tick).to_be_disabled()
        await expect(tick).not_to_be_checked()
        await expect(page.locator("label:has(#field-tell_too)")).to_have_text(_BY_PHONE)
        await page.locator("label", has_text="王强").click()
        await expect(tick).to_be_checked()
        await page.locator("label", has_text="119").click()
        assert await _sends(page, "dispatch") == {"name": "消防救援", "phone": "119"}
        await expect(page.locator(".history")).to_contain_text("派 消防救援 前往")
    assert await world.told(call.id, "dispatch") == []


async def test_no_arrival_is_promised_that_nobody_gave(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        await world.does(await world.rings(), Answer(), Dispatch("王强", "138 1"))
        await page.locator("#act-on_the_way").click()
        assert await _sends(page, "on-the-way") == {"name": "王强", "phone": "138 1"}
        await expect(page.locator(".history")).to_contain_text("王强 已出发")
        await expect(page.locator(".head")).not_to_contain_text("预计")


async def test_what_was_entered_stays_when_the_language_is_switched(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    async with desk_page(browser, host) as page:
        call = await world.does(await world.rings(), Answer())
        await page.locator("#act-dispatch").click()
        await page.locator("#who-other").check()
        await page.locator("#free_name").fill("张师傅")
        await page.locator("[name=free_phone]").fill("138 1")
        await _other_language(page, "Whom to send")
        assert await _sends(page, "dispatch") == {"name": "张师傅", "phone": "138 1"}
        await page.locator(".call.state-dispatched").wait_for()
        await page.locator("#act-dispatch").click()
        await page.locator("label", has_text="139 0000 0002").click()
        await page.locator("#field-tell_too").uncheck()
        await _other_language(page, "派谁去")
        await expect(page.locator("#field-tell_too")).not_to_be_checked()
        assert await _sends(page, "dispatch") == {"name": "王强", "phone": "139 0000 0002"}
        await page.locator("#act-note").click()
        await page.locator("#field-text").fill("半句")
        await page.locator("#act-close").evaluate("(button) => button.click()")
        await expect(page.locator("#field-text")).to_have_value("")
        await page.locator("#field-cause").select_option("human")
        await page.locator("#field-text").fill("误按")
        await _other_language(page, "Cause")
        assert await _sends(page, "close") == {"cause": "human", "text": "误按"}
    assert await world.told(call.id, "dispatch") == []


async def _other_language(page: Page, then: str) -> None:
    await page.locator("#language").click()
    await expect(page.locator(".act-form")).to_contain_text(then)


async def test_what_was_entered_stays_when_somebody_says_that_they_cannot_come(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    async with desk_page(browser, host) as page:
        call = await world.does(await world.rings(), Answer())
        await page.locator("#act-dispatch").click()
        await page.locator("#who-other").check()
        await page.locator("#free_name").fill("张师")
        await world.does(call, CannotCome("通力维保 24 小时"))
        await expect(page.locator(".choice .declined")).to_have_text("已表示无法前往")
        await page.locator("#free_name").press_sequentially("傅")
        assert await _sends(page, "dispatch") == {"name": "张师傅"}


@pytest.mark.parametrize(
    ("language", "label", "said", "named"),
    [
        pytest.param("zh", "王强", "王强 刚表示无法前往，已取消选择。请重新选择。", "王强", id="Chinese"),
        pytest.param(
            "en",
            "Wang Qiang",
            "Wang Qiang has just said they cannot come and is no longer chosen. Choose again.",
            "王强",
            id="English, declined under the Chinese name",
        ),
    ],
)
async def test_who_cannot_come_any_more_is_no_longer_chosen(
    browser: Browser, host: str, world: DeskWorld, language: str, label: str, said: str, named: str
) -> None:
    async with desk_page(browser, host, language=language) as page:
        call = await world.does(await world.rings(), Answer())
        await page.locator("#act-dispatch").click()
        await page.locator(".choice", has_text=label).click()
        await expect(page.locator("#field-tell_too")).to_be_checked()
        await world.does(call, CannotCome(named))
        await expect(page.locator(".choice .declined")).to_have_count(1)
        await expect(page.locator("input[name=who]:checked")).to_have_count(0)
        await expect(page.locator("#field-tell_too")).not_to_be_checked()
        await expect(page.locator(".unchosen")).to_have_text(said)
        await page.locator("#confirm").click()
        assert await page.locator(".act-form input[name=who]:invalid").count() > 0
        await _other_language(page, "no longer chosen" if language == "zh" else "已取消选择")
        await page.locator(".choice", has_text="400 800 0003").click()
        await expect(page.locator(".unchosen")).to_have_text("")
        assert (await _sends(page, "dispatch"))["phone"] == "400 800 0003"


@pytest.mark.parametrize(
    "act", [pytest.param("dispatch", id="to be sent again"), pytest.param("on_the_way", id="said to be going")]
)
async def test_who_was_sent_and_turned_back_is_no_longer_chosen(
    browser: Browser, host: str, world: DeskWorld, act: str
) -> None:
    async with desk_page(browser, host) as page:
        call = await world.does(await world.rings(), Answer(), Dispatch("张师傅", "138 1"))
        await page.locator(f"#act-{act}").click()
        await page.locator(".choice", has_text="138 1").first.click()
        await world.does(call, CannotCome("张师傅"))
        await expect(page.locator(".unchosen")).to_contain_text("张师傅 刚表示无法前往")
        await expect(page.locator("input[name=who]:checked")).to_have_count(0)


async def test_a_name_that_was_written_goes_where_its_bearer_cannot_come(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    async with desk_page(browser, host) as page:
        call = await world.does(await world.rings(), Answer())
        await page.locator("#act-dispatch").click()
        await page.locator("#who-other").check()
        await page.locator("#free_name").fill("张师傅")
        await world.does(call, CannotCome("张师傅"))
        await expect(page.locator(".unchosen")).to_contain_text("张师傅 刚表示无法前往")
        await expect(page.locator("input[name=who]:checked")).to_have_count(0)
        await expect(page.locator("#free_name")).to_have_value("张师傅")


async def test_who_is_asked_again_on_purpose_stays_chosen(browser: Browser, host: str, world: DeskWorld) -> None:
    async with desk_page(browser, host) as page:
        call = await world.does(await world.rings(), Answer(), CannotCome("王强"))
        await page.locator("#act-dispatch").click()
        await page.locator(".choice", has_text="139 0000 0002").click()
        await world.does(call, CannotCome("通力维保 24 小时"))
        await expect(page.locator(".choice .declined")).to_have_count(2)
        await _other_language(page, "Whom to send")
        await expect(page.locator(".unchosen")).to_have_text("")
        sent = await _sends(page, "dispatch")
        assert (sent["name"], sent["step"]) == ("Wang Qiang", "second-person")


async def test_who_was_asked_in_one_language_is_the_same_in_the_other(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    async with desk_page(browser, host, language="en") as page:
        await world.does(await world.rings(), Answer(), Dispatch("王强", "138 1"))
        await page.locator("#act-on_the_way").click()
        await expect(page.locator("input[name=who]")).to_have_count(6)
        assert await _sends(page, "on-the-way") == {"name": "王强", "phone": "138 1"}


@pytest.mark.parametrize(
    ("act", "colleague", "said"),
    [
        pytest.param("dispatch", Freed(), "“派人前往”已无须填写：人员已救出。", id="everybody is out"),
        pytest.param("cannot_come", OnSite("王强"), "“无法前往”已无须填写：已有人到场。", id="somebody is there"),
        pytest.param("note", Close(Cause.HUMAN), "“备注”已无须填写：求助已结束。", id="closed"),
    ],
)
async def test_a_form_that_has_become_stale_goes_away_and_says_why(
    browser: Browser, host: str, world: DeskWorld, act: str, colleague: Act, said: str
) -> None:
    async with desk_page(browser, host) as page:
        call = await world.does(await world.rings(), Answer(), Dispatch("王强"))
        await page.locator(f"#act-{act}").click()
        await page.locator(".act-form").wait_for()
        await world.does(call, colleague)
        await expect(page.locator(".act-form")).to_have_count(0)
        await expect(page.locator(".todo p.problem")).to_have_text(said)
        await page.get_by_role("button", name="English").click()
        await expect(page.locator(".todo p.problem")).to_contain_text("is no longer needed")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        pytest.param("zh", "没有成功：情况已经变了。现在是“已救出”：人员已救出", id="Chinese"),
        pytest.param("en", "Not done: things have changed. The call is now “Freed”: everybody is out", id="English"),
    ],
)
async def test_a_refusal_is_in_the_readers_language(
    browser: Browser, host: str, world: DeskWorld, language: str, said: str
) -> None:
    async with desk_page(browser, host, language=language) as page:
        call = await world.does(await world.rings(), Answer(), Dispatch("王强"))
        await page.locator("#act-on_site").click()
        await page.route("**/emergency-calls/stream*", lambda route: route.abort())

        async def late(route: Route) -> None:
            await world.does(call, Freed())
            await route.continue_()

        await page.route("**/on-site", late)
        await page.locator("#confirm").click()
        await expect(page.locator(".todo p.problem")).to_have_text(said)
        await expect(page.locator(".act-form")).to_have_count(0)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        pytest.param("zh", "派人未成功：系统现在通知不到这一级的任何人。请直接打电话", id="Chinese"),
        pytest.param("en", "Not dispatched: the system can notify nobody of that step now. Phone them", id="English"),
    ],
)
async def test_a_dispatch_that_reaches_nobody_says_what_to_do_instead(
    browser: Browser, host: str, world: DeskWorld, language: str, said: str
) -> None:
    async with desk_page(browser, host, language=language) as page:
        call = await world.does(await world.rings(), Answer())
        world.directory.away = {"kone"}
        await page.locator("#act-dispatch").click()
        await page.locator("#confirm").click()
        await expect(page.locator(".todo p.problem")).to_contain_text(said)
        await page.locator("#field-tell_too").uncheck()
        await page.locator("#confirm").click()
        await page.locator(".call.state-dispatched").wait_for()
        await expect(page.locator(".todo p.problem")).to_have_count(0)
    assert await world.told(call.id, "dispatch") == []


async def test_a_field_that_cannot_be_used_is_named_in_the_readers_language(
    browser: Browser, host: str, world: DeskWorld
) -> None:
    async with desk_page(browser, host) as page:
        await world.does(await world.rings(), Answer())
        await page.locator("#act-dispatch").click()
        await expect(page.locator(".act-form legend")).to_have_text("派谁去")
        await page.locator("#who-other").check()
        await page.locator("#free_name").fill("张师傅")
        await page.locator("[name=free_phone]").fill("没有")
        await page.locator("#confirm").click()
        await expect(page.locator(".todo p.problem")).to_have_text("没有成功：请检查“电话”。")
        await page.locator("[name=free_phone]").fill("138 1")
        await page.locator("#confirm").click()
        await expect(page.locator(".history")).to_contain_text("派 张师傅 前往")
