"""Weekly tests of people over HTTP: who owes an answer, and the page behind the link."""

import re
from datetime import timedelta

import httpx
import pytest

from alerts.history import PersonTestRow
from tests.unit.api.twins import START
from tests.unit.api.world import LINKS, World

DAY = timedelta(hours=24)
SECOND = timedelta(seconds=1)
PEOPLE = "/api/v1/people"


def sent(world: World, person: str, ago: timedelta, *, acknowledged: bool = False) -> PersonTestRow:
    """Let ``person`` have been sent a test that long ago."""
    at = world.clock.now() - ago
    row = PersonTestRow(person, at, at + SECOND, person) if acknowledged else PersonTestRow(person, at)
    world.people.tests.rows[person] = row
    return row


async def shown(lan: httpx.AsyncClient, person: str) -> dict[str, object]:
    items: list[dict[str, object]] = (await lan.get(PEOPLE)).json()["items"]
    return next(item for item in items if item["name"] == person)


async def test_people_stand_in_the_order_of_the_plan_with_their_last_test(lan: httpx.AsyncClient, world: World) -> None:
    sent(world, "wang", 2 * DAY)
    assert (await lan.get(PEOPLE)).json() == {
        "items": [
            {
                "name": "lan",
                "receivers": ["duty-room"],
                "weekly_test": None,
                "last_test": None,
                "overdue": False,
            },
            {
                "name": "wang",
                "receivers": ["duty-room", "siren"],
                "weekly_test": None,
                "last_test": {"sent_at": "2026-08-12T07:02:26Z", "acknowledged_at": None, "acknowledged_by": None},
                "overdue": True,
            },
        ]
    }


@pytest.mark.parametrize(
    ("ago", "acknowledged", "overdue"),
    [
        pytest.param(DAY, False, False, id="a day to the second"),
        pytest.param(DAY + SECOND, False, True, id="a second more"),
        pytest.param(6 * DAY, True, False, id="acknowledged"),
    ],
)
async def test_who_owes_an_answer(
    lan: httpx.AsyncClient, world: World, ago: timedelta, acknowledged: bool, overdue: bool
) -> None:
    sent(world, "wang", ago, acknowledged=acknowledged)
    assert (await shown(lan, "wang"))["overdue"] is overdue
    owing = (await lan.get(PEOPLE, params={"overdue": "true"})).json()["items"]
    assert [person["name"] for person in owing] == (["wang"] if overdue else [])


async def test_staff_acknowledge_for_a_person_and_the_first_word_stays(lan: httpx.AsyncClient, world: World) -> None:
    sent(world, "wang", 2 * DAY)
    first = (await lan.post(f"{PEOPLE}/wang/test-acknowledgement")).json()
    world.clock.advance(DAY)
    again = (await lan.post(f"{PEOPLE}/wang/test-acknowledgement")).json()
    assert first == again
    assert (first["overdue"], first["last_test"]["acknowledged_by"]) == (False, "lan")
    assert first["last_test"]["acknowledged_at"] == "2026-08-14T07:02:26Z"


async def test_nobody_and_nothing_to_acknowledge(lan: httpx.AsyncClient) -> None:
    unknown = await lan.post(f"{PEOPLE}/nobody/test-acknowledgement")
    assert (unknown.status_code, "lan, wang" in unknown.json()["detail"]) == (404, True)
    untested = await lan.post(f"{PEOPLE}/wang/test-acknowledgement")
    assert (untested.status_code, "not sent a weekly test" in untested.json()["detail"]) == (409, True)


async def test_following_the_link_changes_nothing_and_the_button_does(
    stranger: httpx.AsyncClient, lan: httpx.AsyncClient, world: World
) -> None:
    row = sent(world, "wang", 2 * DAY)
    page = f"/t/{LINKS.token('wang', row.sent_at)}"
    for _ in range(3):
        asked = await stranger.get(page)
        assert (asked.status_code, '<form method="post"><button' in asked.text) == (200, True)
    assert (await shown(lan, "wang"))["overdue"] is True
    done = await stranger.post(page)
    assert (done.status_code, "已确认" in done.text) == (200, True)
    assert (await shown(lan, "wang"))["last_test"] == {
        "sent_at": "2026-08-12T07:02:26Z",
        "acknowledged_at": "2026-08-14T07:02:26Z",
        "acknowledged_by": "wang",
    }
    after = await stranger.get(page)
    assert ("<button" in after.text, "已确认" in after.text) == (False, True)


async def test_a_link_of_last_week_does_not_acknowledge_this_weeks_test(
    stranger: httpx.AsyncClient, lan: httpx.AsyncClient, world: World
) -> None:
    sent(world, "wang", 2 * DAY)
    assert (await stranger.post(f"/t/{LINKS.token('wang', START - 9 * DAY)}")).status_code == 200
    assert (await shown(lan, "wang"))["overdue"] is True


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_that_is_none_of_ours(stranger: httpx.AsyncClient, world: World, method: str) -> None:
    row = sent(world, "wang", 2 * DAY)
    right = LINKS.token("wang", row.sent_at)
    for token in ("x", "wang.", right.replace("wang", "lan"), right[:-1] + ("A" if right[-1] != "A" else "B"), "%00."):
        answer = await stranger.request(method, f"/t/{token}")
        assert (answer.status_code, "链接无效" in answer.text) == (404, True)
    assert world.people.tests.rows["wang"].acknowledged_at is None


async def test_the_page_is_small_runs_no_script_and_leaks_nothing(stranger: httpx.AsyncClient, world: World) -> None:
    row = sent(world, "wang", DAY)
    answer = await stranger.get(f"/t/{LINKS.token('wang', row.sent_at)}")
    assert len(answer.content) < 2_000
    assert not re.search(r"<script|https?:|style=| on\w+=", answer.text)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert (answer.headers["referrer-policy"], answer.headers["cache-control"]) == ("no-referrer", "no-store")
    assert answer.text.index("请按下按钮") < answer.text.index("press the button")
