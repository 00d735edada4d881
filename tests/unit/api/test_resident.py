"""The page behind a QR code, without a browser: what a tap does, what is shown, what goes wrong and still helps."""

import base64
import gzip
import hashlib
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from msgspec.structs import replace
from structlog.testing import capture_logs

from api.resident_page import ALWAYS, STEPS, Phone, both, filled, phones_of
from emergency import acts
from emergency.model import CallState, Cause, Source, Stamps
from emergency.steps import CallRequest
from tests.unit.api.calling import CALLED, KNOWN, WHO_HELPS
from tests.unit.api.reading import seen
from tests.unit.api.walls import ENTRANCE, FORMER, TOKEN, Points, calls_of, hang_up_codes, tell_by_messenger
from tests.unit.api.world import World, application

JSON = {"Accept": "application/json"}
PAGE = {"Accept": "text/html", "Accept-Language": "zh-CN"}


@pytest.fixture
async def points(world: World) -> Points:
    """The codes on the walls."""
    return await hang_up_codes(world)


@pytest.fixture
def app(world: World, points: Points) -> FastAPI:
    """The application, with them."""
    return application(world)


async def tap(stranger: httpx.AsyncClient, token: str = TOKEN, **headers: str) -> dict[str, Any]:
    answer = await stranger.post(f"/c/{token}/calls", headers=JSON | headers)
    assert answer.status_code in (200, 201), answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_form_calls_and_leads_to_the_page_of_its_call(stranger: httpx.AsyncClient, world: World) -> None:
    answer = await stranger.post(f"/c/{TOKEN}/calls", headers=PAGE)
    [call] = calls_of(world)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/c/{TOKEN}?call={call.id}&lang=zh")
    assert (call.source, call.place.lift, call.place.point, call.drill) == (Source.RESIDENT, CALLED, "p1", False)
    page = await stranger.get(answer.headers["location"], headers=PAGE)
    assert "呼叫已发出" in seen(page.text)
    assert '<noscript><meta http-equiv="refresh"' in page.text


async def test_a_tap_is_told_how_the_call_stands(stranger: httpx.AsyncClient, world: World) -> None:
    told = await tap(stranger)
    assert told == {
        "id": calls_of(world)[0].id,
        "state": "ringing",
        "open": True,
        "drill": False,
        "shows": ["call", "ringing", "telling", "running"],
        "steps": {"raised": {"at": "15:02", "by": ""}},
        "rescue": {"by": "15:32", "left_seconds": 1800},
        "arrives_at": "",
    }


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"Idempotency-Key": "k1"}, {"Idempotency-Key": "k1"}),
        ({"Idempotency-Key": "k1"}, {"Idempotency-Key": "k2"}),
        ({}, {}),
        ({"Idempotency-Key": "k" * 5_000}, {"Idempotency-Key": "not a key"}),
    ],
    ids=["the same tap again", "another tap", "no keys", "keys that are none"],
)
async def test_a_second_tap_is_the_same_call(
    stranger: httpx.AsyncClient, world: World, first: dict[str, str], second: dict[str, str]
) -> None:
    assert (await tap(stranger, **first))["id"] == (await tap(stranger, **second))["id"]
    assert len(calls_of(world)) == 1


async def test_a_key_counts_in_a_form_as_in_a_header(stranger: httpx.AsyncClient, world: World) -> None:
    for _ in range(2):
        await stranger.post(f"/c/{TOKEN}/calls", data={"key": "k1", "lang": "en"}, headers=PAGE)
    assert [row.event.kind.value for row in world.calling.records.rows].count("joined") == 0


@pytest.mark.parametrize(
    ("ends", "same"),
    [
        ([acts.Abandon()], True),
        ([acts.Answer(), acts.OnSite(), acts.Freed()], True),
        ([acts.Answer(), acts.Freed(), acts.Close(Cause.OTHER)], False),
    ],
    ids=["taken back", "freed", "closed"],
)
@pytest.mark.parametrize("key", ["k1", ""], ids=["with the key of before", "without a key"])
async def test_a_tap_after_the_end_reaches_people_again(
    stranger: httpx.AsyncClient, world: World, ends: list[acts.Act], same: bool, key: str
) -> None:
    headers = {"Idempotency-Key": key} if key else {}
    first = await tap(stranger, **headers)
    for what in ends:
        await world.calling.switchboard.act(first["id"], what, "li")
    again = [await tap(stranger, **headers) for _ in range(3)]
    assert {each["state"] for each in again} == {"ringing"}
    assert len({each["id"] for each in again}) == 1
    assert (again[0]["id"] == first["id"]) is same


async def test_a_call_is_seen_as_it_goes_on(stranger: httpx.AsyncClient, world: World) -> None:
    told = await tap(stranger)
    coming = acts.OnTheWay("王师傅", world.clock.now() + timedelta(minutes=9), contractor="通力")
    for what in (acts.Answer(), coming):
        world.clock.advance(timedelta(minutes=1))
        await world.calling.switchboard.act(told["id"], what, "li")
    world.clock.advance(timedelta(minutes=15))
    now = (await stranger.get(f"/c/{TOKEN}/calls/{told['id']}", headers=JSON)).json()
    assert now["steps"]["answered"] == {"at": "15:03", "by": "li"}
    assert list(now["steps"]) == ["raised", "answered", "on_the_way"]
    assert now["steps"]["on_the_way"] == {"at": "15:04", "by": "王师傅 · 通力"}
    assert (now["arrives_at"], now["rescue"]["left_seconds"]) == ("15:11", 13 * 60)
    assert now["shows"] == ["call", "on_the_way", "half_time", "eta", "past"]


async def test_what_is_delivered_is_told_without_whom_and_how(stranger: httpx.AsyncClient, world: World) -> None:
    tell_by_messenger(world)
    told = await tap(stranger)
    outbox = world.calling.records.desk.outbox
    world.clock.advance(timedelta(minutes=2))
    await outbox.delivered(outbox.entries[0].number, world.clock.steady(), "sent to lan")
    answer = await stranger.get(f"/c/{TOKEN}/calls/{told['id']}", headers=JSON)
    assert answer.json()["shows"] == ["call", "ringing", "delivered", "running", "past"]
    assert answer.json()["steps"]["rang"] == {"at": "15:04", "by": ""}
    assert not re.search("wall|lan|sent", answer.text)
    page = await stranger.get(f"/c/{TOKEN}?call={told['id']}", headers=PAGE)
    assert "已送达值班人员，等待接听" in seen(page.text)


async def test_a_call_raised_anew_is_not_delivered_by_what_was_before(
    stranger: httpx.AsyncClient, world: World
) -> None:
    tell_by_messenger(world)
    told = await tap(stranger)
    outbox, path = world.calling.records.desk.outbox, f"/c/{TOKEN}/calls/{told['id']}"
    await outbox.delivered(outbox.entries[0].number, world.clock.steady(), "")
    world.clock.advance(timedelta(seconds=1))
    await stranger.post(f"{path}/abandon", headers=JSON)
    world.clock.advance(timedelta(seconds=1))
    await tap(stranger)
    now = (await stranger.get(path, headers=JSON)).json()
    assert now["shows"][:3] == ["call", "ringing", "telling"]


async def test_steps_of_which_somebody_turned_back_are_no_longer_shown_as_done(
    stranger: httpx.AsyncClient, world: World
) -> None:
    told = await tap(stranger)
    for what in (acts.Answer(), acts.Dispatch("王师傅"), acts.CannotCome("王师傅")):
        await world.calling.switchboard.act(told["id"], what, "li")
    now = (await stranger.get(f"/c/{TOKEN}/calls/{told['id']}", headers=JSON)).json()
    assert list(now["steps"]) == ["raised"]


async def test_a_call_is_taken_back(stranger: httpx.AsyncClient, world: World) -> None:
    told = await tap(stranger)
    back = f"/c/{TOKEN}/calls/{told['id']}/abandon"
    for _ in range(2):
        assert (await stranger.post(back, headers=JSON)).json()["state"] == "abandoned"
    form = await stranger.post(back, data={"lang": "en"}, headers=PAGE)
    assert form.headers["location"] == f"/c/{TOKEN}?call={told['id']}&lang=en"
    await world.calling.switchboard.act(told["id"], acts.Close(Cause.FALSE_ALARM), "li")
    assert (await stranger.post(back, headers=JSON)).json()["state"] == "closed"


async def test_who_called_may_leave_name_phone_and_head_count(stranger: httpx.AsyncClient, world: World) -> None:
    told = await tap(stranger)
    path = f"/c/{TOKEN}/calls/{told['id']}/details"
    left = {"name": " 张\u202e三\0 " + "x" * 100, "phone": "tel:138-0000 <b>", "people": "3"}
    for _ in range(2):
        answer = await stranger.post(path, data=left, headers=JSON)
        assert (answer.status_code, "138" in answer.text, "张" in answer.text) == (200, False, False)
    [call] = calls_of(world)
    assert (call.caller.name, call.caller.phone, call.people) == ("张三 " + "x" * 37, "138-0000", 3)
    kinds = [row.event.kind.value for row in world.calling.records.rows]
    assert kinds.count("details") == 1
    form = await stranger.post(path, data={"people": "3", "lang": "en"}, headers=PAGE)
    assert form.headers["location"] == f"/c/{TOKEN}?call={told['id']}&lang=en"
    for nothing in ({"people": "-1"}, {"phone": "微信"}, {"name": " "}, {}):
        assert (await stranger.post(path, data=nothing, headers=JSON)).status_code == 422
    assert calls_of(world)[0].people == 3
    for what in (acts.Answer(), acts.Close(Cause.OTHER)):
        await world.calling.switchboard.act(told["id"], what, "li")
    assert (await stranger.post(path, data={"name": "late"}, headers=JSON)).status_code == 422
    assert (await stranger.post(path.replace(TOKEN, ENTRANCE), data=left, headers=JSON)).status_code == 404


async def test_rescuers_who_were_sent_come_all_the_same(stranger: httpx.AsyncClient, world: World) -> None:
    told = await tap(stranger)
    for what in (acts.Answer(), acts.Dispatch("王师傅")):
        await world.calling.switchboard.act(told["id"], what, "li")
    now = (await stranger.post(f"/c/{TOKEN}/calls/{told['id']}/abandon", headers=JSON)).json()
    assert (now["state"], "taken_back" in now["shows"]) == ("dispatched", True)


async def test_nobody_takes_back_what_another_calls_for(stranger: httpx.AsyncClient, world: World) -> None:
    trapped = await tap(stranger, **{"Idempotency-Key": "trapped"})
    passing = await tap(stranger, **{"Idempotency-Key": "passing"})
    now = (await stranger.post(f"/c/{TOKEN}/calls/{passing['id']}/abandon", headers=JSON)).json()
    assert (trapped["id"], now["state"], "taken_back" in now["shows"]) == (passing["id"], "ringing", True)


async def test_a_former_code_says_so_and_still_calls(stranger: httpx.AsyncClient, world: World) -> None:
    page = await stranger.get(f"/c/{FORMER}", headers=PAGE)
    assert "这张二维码已经更换" in seen(page.text)
    assert (await tap(stranger, FORMER))["id"] == (await tap(stranger))["id"]


async def test_a_revoked_code_shows_numbers_and_raises_nothing(
    stranger: httpx.AsyncClient, world: World, points: Points
) -> None:
    point = await points.point("p1")
    assert point is not None
    await points.put(point, "lan", world.clock.now(), former_until=world.clock.now())
    answers = [
        await stranger.get(f"/c/{FORMER}", headers=PAGE),
        await stranger.post(f"/c/{FORMER}/calls", headers=PAGE),
    ]
    for answer in answers:
        assert (answer.status_code, answer.headers["anju-page"]) == (410, "ended")
        assert "这张二维码已经停用" in seen(answer.text)
        assert "这张二维码已经更换" not in seen(answer.text)
        assert "一键呼叫" not in seen(answer.text)
        assert re.findall(r'href="tel:(\d+)"', answer.text) == ["05711", "96333", "119"]
    asked = await stranger.post(f"/c/{FORMER}/calls", headers=JSON)
    assert (asked.status_code, "Duty room 0571 1" in asked.json()["detail"]) == (410, True)
    assert calls_of(world) == []
    assert (await tap(stranger))["state"] == "ringing"


async def test_a_former_code_calls_until_its_grace_has_passed(
    stranger: httpx.AsyncClient, world: World, points: Points
) -> None:
    point = await points.point("p1")
    assert point is not None
    await points.put(point, "lan", world.clock.now(), former_until=world.clock.now() + timedelta(days=1))
    told = await tap(stranger, FORMER)
    world.clock.advance(timedelta(days=1))
    assert (await stranger.post(f"/c/{FORMER}/calls", headers=JSON)).status_code == 410
    # Who called before is followed to the end.
    for answer in (
        await stranger.get(f"/c/{FORMER}/calls/{told['id']}", headers=JSON),
        await stranger.get(f"/c/{FORMER}?call={told['id']}", headers=PAGE),
        await stranger.post(f"/c/{FORMER}/calls/{told['id']}/abandon", headers=JSON),
    ):
        assert answer.status_code == 200


async def test_an_entrance_has_a_call_of_its_own(stranger: httpx.AsyncClient, world: World) -> None:
    assert (await tap(stranger, ENTRANCE))["id"] != (await tap(stranger))["id"]
    assert {call.place.key for call in calls_of(world)} == {CALLED, "xingfu/point/p2"}
    page = await stranger.get(f"/c/{ENTRANCE}", headers=PAGE)
    assert "&lt;North&gt; gate" in page.text
    assert ("留在安全的地方" in seen(page.text), "不要强行扒门，不要倚靠" in seen(page.text)) == (True, False)


@pytest.mark.parametrize("token", ["nobody", "a" * 5_000, "%00", "a.b"])
async def test_an_unknown_code_leads_to_numbers(stranger: httpx.AsyncClient, token: str) -> None:
    for answer in (
        await stranger.get(f"/c/{token}", headers=PAGE),
        await stranger.post(f"/c/{token}/calls", headers=PAGE),
    ):
        assert answer.status_code == 404
        assert "系统不认识这个二维码" in seen(answer.text)
        assert "一键呼叫" not in seen(answer.text)
        assert "This code is not known" in answer.text
        assert {'href="tel:96333"', 'href="tel:119"'} <= set(re.findall(r'href="tel:\d+"', answer.text))
    told = await stranger.post(f"/c/{token}/calls", headers=JSON)
    assert (told.status_code, "96333" in told.json()["detail"]) == (404, True)


async def test_a_call_elsewhere_is_not_shown(stranger: httpx.AsyncClient, world: World) -> None:
    told = await tap(stranger)
    for token, call_id in ((ENTRANCE, told["id"]), (TOKEN, "nobody"), ("nobody", told["id"])):
        path = f"/c/{token}/calls/{call_id}"
        assert (await stranger.get(path, headers=JSON)).status_code == 404
        assert (await stranger.post(f"{path}/abandon", headers=JSON)).status_code == 404
        for form in (
            await stranger.get(path, headers=PAGE | {"Accept-Language": "en"}),
            await stranger.post(f"{path}/abandon", data={"lang": "en"}, headers=PAGE),
        ):
            assert (form.status_code, form.headers["location"]) == (303, f"/c/{token}?lang=en")
    page = await stranger.get(f"/c/{ENTRANCE}?call={told['id']}", headers=PAGE)
    assert (page.status_code, "呼叫已发出" in seen(page.text)) == (200, False)
    assert calls_of(world)[0].state is CallState.RINGING


async def test_a_drill_is_marked_as_one(stranger: httpx.AsyncClient, world: World) -> None:
    drill, _ = await world.calling.switchboard.raise_call(CallRequest(Source.DRILL, KNOWN, drill=True), "li")
    page = await stranger.get(f"/c/{TOKEN}?call={drill.id}", headers=PAGE)
    assert "演练：这不是真实的呼叫" in seen(page.text)
    assert (await tap(stranger))["id"] != drill.id


async def test_without_records_the_page_has_numbers_and_tries(stranger: httpx.AsyncClient, points: Points) -> None:
    points.away = True
    page = await stranger.get(f"/c/{TOKEN}", headers=PAGE)
    form = await stranger.post(f"/c/{TOKEN}/calls", headers=PAGE)
    asked = await stranger.post(f"/c/{TOKEN}/calls", headers=JSON)
    assert [answer.status_code for answer in (page, form, asked)] == [503] * 3
    assert "一键呼叫" in seen(page.text)
    assert NOT_SENT in seen(form.text)
    # A page without scripts does not go on by itself.
    assert "本页仍在继续呼叫" not in seen(form.text)
    back = await stranger.post(f"/c/{TOKEN}/calls/c1/abandon", headers=PAGE)
    assert (back.status_code, "现在无法处理" in seen(back.text)) == (503, True)
    assert all("96333" in answer.text for answer in (page, form, asked))


NOT_SENT = "呼叫没有发出，请再按一次，或拨打电话。"


async def test_a_form_that_was_not_kept_is_to_be_sent_again_and_keeps_its_place_and_phones(
    stranger: httpx.AsyncClient, world: World
) -> None:
    world.calling.records.fail(times=1)
    form = await stranger.post(f"/c/{TOKEN}/calls", headers=PAGE)
    assert form.status_code == 503
    assert [each for each in (NOT_SENT, "3 号楼电梯", "一键呼叫") if each not in seen(form.text)] == []
    assert re.findall(r'href="tel:(\d+)"', form.text) == ["05711", "96333", "119"]
    again = await stranger.post(f"/c/{TOKEN}/calls", headers=PAGE)
    assert (again.status_code, len(calls_of(world))) == (303, 1)


async def test_an_address_of_a_form_leads_to_its_page(stranger: httpx.AsyncClient, points: Points) -> None:
    points.away = True
    for path, expected in (("calls", "?lang=en"), ("calls/c1/abandon", "?call=c1&lang=en")):
        form = await stranger.post(f"/c/{TOKEN}/{path}", data={"lang": "en"}, headers=PAGE)
        links = re.findall(r'href="([^"]*lang=[^"]*)"', form.text)
        assert [link.partition("?")[0] for link in links] == [f"/c/{TOKEN}"] * 2
        reload = await stranger.get(f"/c/{TOKEN}/{path}", headers={"Accept-Language": "en"})
        assert (reload.status_code, reload.headers["location"]) == (303, f"/c/{TOKEN}{expected}")


async def test_what_could_not_be_taken_back_can_be_tried_again(stranger: httpx.AsyncClient, world: World) -> None:
    told = await tap(stranger)
    back = f"/c/{TOKEN}/calls/{told['id']}/abandon"
    world.calling.records.fail(times=1)
    form = await stranger.post(back, headers=PAGE)
    assert (form.status_code, f'action="{back}"' in form.text) == (503, True)
    expected = ("现在无法处理，请稍后再试或拨打电话。", "是的，取消呼叫", "3 号楼电梯")
    assert [each for each in expected if each not in seen(form.text)] == []
    assert f'href="/c/{TOKEN}?lang=en&amp;call={told["id"]}"' in form.text


@pytest.mark.parametrize("fault", ["away", "broken"])
async def test_a_fault_is_answered_with_numbers_and_does_not_tell_of_the_records(
    stranger: httpx.AsyncClient, points: Points, fault: str
) -> None:
    setattr(points, fault, True)
    with capture_logs() as logs:
        answers = [
            await stranger.get(f"/c/{TOKEN}", headers=PAGE),
            await stranger.post(f"/c/{TOKEN}/calls", headers=PAGE),
            await stranger.post(f"/c/{TOKEN}/calls/c1/abandon", headers=PAGE),
            await stranger.post(f"/c/{TOKEN}/calls", headers=JSON),
            await stranger.post(f"/c/{TOKEN}/calls/c1/abandon", headers=JSON),
        ]
        progress = await stranger.get(f"/c/{TOKEN}/calls/c1", headers=JSON)
    assert [each.status_code for each in (*answers, progress)] == [503] * 6
    assert all("96333" in each.text for each in answers)
    assert not [each.text for each in (*answers, progress) if re.search("records|LookupError|secret", each.text)]
    expected = {("call_page.failed", "LookupError('records: password secret')")} if fault == "broken" else set()
    assert {(each["event"], repr(each["exc_info"])) for each in logs} == expected


@pytest.mark.parametrize(
    ("query", "languages", "expected"),
    [
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("", "en-GB,en;q=0.9,zh;q=0.5", "en"),
        ("", "de-DE,de;q=0.9", "en"),
        ("", "de,zh;q=0.5", "zh-CN"),
        ("", "", "zh-CN"),
        ("?lang=en", "zh", "en"),
        ("?lang=zh", "en", "zh-CN"),
        ("?lang=x", "en", "en"),
    ],
    ids=["Chinese", "English", "neither", "Chinese before none", "silent", "English chosen", "Chinese chosen", "wrong"],
)
async def test_the_language_of_the_page(
    stranger: httpx.AsyncClient, world: World, query: str, languages: str, expected: str
) -> None:
    page = await stranger.get(f"/c/{TOKEN}{query}", headers={"Accept-Language": languages})
    assert f'<html lang="{expected}">' in page.text


async def test_a_page_says_what_may_run_in_it_and_is_asked_for_each_time(
    stranger: httpx.AsyncClient, world: World
) -> None:
    page = await stranger.get(f"/c/{TOKEN}", headers=PAGE)
    policy = page.headers["content-security-policy"]
    assert ("default-src 'none'" in policy, "unsafe" in policy) == (True, False)
    assert page.headers["cache-control"] == "private, no-cache"
    assert not re.search(r"<[^>]+ (on\w+|style)=", page.text)


async def test_a_page_is_sent_packed_to_those_who_can_unpack_it(stranger: httpx.AsyncClient, world: World) -> None:
    plain = await stranger.get(f"/c/{TOKEN}", headers=PAGE | {"Accept-Encoding": "identity"})
    async with stranger.stream("GET", f"/c/{TOKEN}", headers=PAGE | {"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join([part async for part in packed.aiter_raw()])
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(raw).decode() == plain.text
    assert len(raw) < len(plain.content) / 2


@pytest.mark.parametrize(("name", "begins"), [("sw.js", "/* Keeps the page"), ("voice.js", "/* The voice between")])
async def test_scripts_beside_the_page(stranger: httpx.AsyncClient, name: str, begins: str) -> None:
    answer = await stranger.get(f"/c/{name}")
    assert answer.text.startswith(begins)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


async def test_scripts_use_nothing_newer_than_the_browsers_they_are_for(
    stranger: httpx.AsyncClient, world: World
) -> None:
    page = (await stranger.get(f"/c/{TOKEN}", headers=PAGE)).text
    [script] = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    newer = (
        r"\?\.|\?\?|catch *\{|\.finally\(|\.flat\(|replaceAll|import\b|export\b|\{ *\.\.\.|await *\(|\*\*=|#\w+ *[=;(]"
    )
    assert re.findall(newer, script) == []


async def test_what_guards_an_open_call_runs_in_any_browser(stranger: httpx.AsyncClient, world: World) -> None:
    told = await tap(stranger)
    page = await stranger.get(f"/c/{TOKEN}?call={told['id']}", headers=PAGE)
    guard, _ = re.findall(r"<script>(.*?)</script>", page.text, flags=re.DOTALL)
    assert "location.reload()" in guard
    assert re.findall(r"=>|`|\b(const|let|class|async|Promise|fetch|addEventListener)\b|\.\.\.", guard) == []
    digest = base64.b64encode(hashlib.sha256(guard.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page.headers["content-security-policy"]


async def test_every_slot_and_word_of_the_page_is_used(stranger: httpx.AsyncClient, world: World) -> None:
    page = (await stranger.get(f"/c/{TOKEN}", headers=PAGE)).text
    assert "{{" not in page
    assert "[[" not in page
    when = {word for words in re.findall(r'data-when="([^"]*)"', page) for word in words.split()}
    assert when >= {each.value for each in CallState}
    assert set(re.findall(r'data-step="(\w+)"', page)) == set(STEPS) <= set(Stamps.__struct_fields__)


def test_text_is_escaped_and_html_is_not() -> None:
    assert filled("{{a}} {{b}}", {"a": "<&\"'", "b": both("<", "&")}) == (
        "&lt;&amp;&quot;&#x27; <span lang=zh-CN>&lt;</span><span lang=en>&amp;</span>"
    )


def test_numbers_that_always_answer_can_be_dialled() -> None:
    own = Phone("值班室", "Duty room", "+86 (571) 8888-0001")
    assert [phone.href for phone in (own, *(Phone(*each) for each in ALWAYS))] == [
        "tel:+8657188880001",
        "tel:96333",
        "tel:119",
    ]


def test_a_number_is_shown_once_under_the_name_the_plan_gives_it() -> None:
    plan = replace(WHO_HELPS, contacts=[replace(each, phone="96 333") for each in WHO_HELPS.contacts])
    assert [(phone.title_en, phone.number) for phone in phones_of(plan, KNOWN)] == [
        ("Duty room", "96 333"),
        ("Fire and rescue", "119"),
    ]
