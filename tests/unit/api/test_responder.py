"""The page of whoever was told of a call: what it shows, the three answers, links that are none of ours."""

import httpx
import pytest

from emergency import acts
from emergency.model import CallState, Cause
from tests.unit.api.test_emergency_calls import raise_call
from tests.unit.api.world import LINKS, World

FORM = {"content-type": "application/x-www-form-urlencoded"}


async def page_of(lan: httpx.AsyncClient, name: str = "wang") -> tuple[str, str]:
    """Raise a call; return its id, and the path of the page of ``name``."""
    call_id = (await raise_call(lan)).json()["id"]
    return call_id, f"/r/{LINKS.reply_token(call_id, name)}"


async def answered(who: httpx.AsyncClient, path: str, **form: str) -> str:
    answer = await who.post(path, data=form)
    assert answer.status_code == 303
    return (await who.get(answer.headers["location"])).text


async def test_following_the_link_changes_nothing(
    lan: httpx.AsyncClient, stranger: httpx.AsyncClient, world: World
) -> None:
    _, path = await page_of(lan)
    await stranger.get(path)
    page = await stranger.get(path)
    assert (page.status_code, page.text.count("<button")) == (200, 3)
    assert "<li>dispatch</li>" in page.text
    assert "script" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert len(world.calling.records.commits) == 1


@pytest.mark.parametrize(
    ("form", "state", "said"),
    [
        pytest.param({"answer": "on-the-way", "minutes": "15"}, CallState.ON_THE_WAY, "您已出发", id="on the way"),
        pytest.param(
            {"answer": "on-the-way"}, CallState.ON_THE_WAY, "您已出发", id="on the way, nobody knows for how long"
        ),
        pytest.param({"answer": "cannot-come"}, CallState.RINGING, "已通知下一位", id="cannot come"),
        pytest.param({"answer": "on-site"}, CallState.ON_SITE, "您已到场", id="on site"),
    ],
)
async def test_one_tap_is_an_answer(
    lan: httpx.AsyncClient, stranger: httpx.AsyncClient, world: World, form: dict[str, str], state: CallState, said: str
) -> None:
    call_id, path = await page_of(lan)
    assert said in await answered(stranger, path, **form)
    call = await world.calling.records.call(call_id)
    assert call is not None
    assert call.state is state
    last = (await world.calling.records.events(call_id))[-1 if state is not CallState.RINGING else -3].event
    assert (last.actor, last.facts.get("name")) == ("wang", "wang")
    assert call.responder is None or call.responder.arrives_at is None or form["minutes"] == "15"


async def test_what_cannot_be_any_more_is_said(
    lan: httpx.AsyncClient, stranger: httpx.AsyncClient, world: World
) -> None:
    call_id, path = await page_of(lan)
    await world.calling.switchboard.act(call_id, acts.Freed(), "li")
    page = await answered(stranger, path, answer="on-the-way")
    assert "没有记录" in page
    assert "<button" not in page
    await world.calling.switchboard.act(call_id, acts.Close(Cause.OTHER), "li")
    assert "求助已结束" in (await stranger.get(path)).text


@pytest.mark.parametrize("wrong", ["", "x", "a.b", "é", "{call}.li.{signature}", "{call}.wang.{signature}x", "." * 400])
async def test_a_link_of_somebody_else_is_none(lan: httpx.AsyncClient, stranger: httpx.AsyncClient, wrong: str) -> None:
    call_id, path = await page_of(lan)
    token = wrong.replace("{call}", call_id).replace("{signature}", path.rpartition(".")[2])
    for method in ("GET", "POST"):
        answer = await stranger.request(method, f"/r/{token}", data={"answer": "on-site"} if method == "POST" else None)
        assert answer.status_code == 404


async def test_an_answer_that_is_none_is_refused(lan: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    _, path = await page_of(lan)
    assert (await stranger.post(path, data={"answer": "close"})).status_code == 422


async def test_while_the_records_are_away_nobody_believes_that_it_was_kept(
    lan: httpx.AsyncClient, stranger: httpx.AsyncClient, world: World
) -> None:
    _, path = await page_of(lan)
    world.calling.records.fail(times=1)
    answer = await stranger.post(path, data={"answer": "on-site"})
    assert answer.headers["location"].endswith("said=away")
    assert "没有记录" in (await stranger.get(answer.headers["location"])).text
