"""Calls for help over HTTP: raised once, found again, answered to the end, by whoever the token names."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from core.telemetry import Sample
from emergency.model import CallPoint
from tests.unit.api.calling import CALLED
from tests.unit.api.twins import START
from tests.unit.api.world import World

CALLS = "/api/v1/emergency-calls"
LIFT_CALL: dict[str, Any] = {"lift": CALLED, "people": 2, "caller": {"name": "小李", "phone": "138 0000 0000"}}


async def raise_call(lan: httpx.AsyncClient, key: str = "tap-1", **body: Any) -> httpx.Response:
    return await lan.post(CALLS, json={**LIFT_CALL, **body}, headers={"Idempotency-Key": key})


async def done(lan: httpx.AsyncClient, call_id: str, act: str, body: object = None) -> dict[str, Any]:
    answer = await lan.post(f"{CALLS}/{call_id}/{act}", json=body)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def test_a_call_is_raised_with_all_that_is_known_of_the_place(lan: httpx.AsyncClient) -> None:
    answer = await raise_call(lan)
    assert answer.status_code == 201
    call = answer.json()
    assert (call["number"], call["version"], call["source"], call["state"], call["open"]) == (
        1, 1, "app", "ringing", True,
    )  # fmt: skip
    assert call["place"] == {
        "community": "xingfu", "lift": CALLED, "point": "", "building": "3", "name_zh": "3 号楼电梯",
        "name_en": "lift of block 3", "rescue_code": "330106", "contractor": "kone",
        "latest": {"floor": "B1", "door_state": "closed"},
    }  # fmt: skip
    assert (call["people"], call["caller"]["name"], call["drill"], call["cause"]) == (2, "小李", False, None)
    assert call["rescue"] == {
        "by": "2026-08-14T07:32:26Z", "half_at": "2026-08-14T07:17:26Z", "state": "running",
    }  # fmt: skip
    ladder = call["ladder"]
    assert (ladder["name"], ladder["told"], ladder["climb_at"]) == ("lift", 1, "2026-08-14T07:02:56Z")
    assert [(step["name"], step["told"], step["wait_seconds"]) for step in ladder["steps"]] == [
        ("property", True, 30.0),
        ("maintainer", False, 60.0),
        ("hotline", False, 60.0),
    ]
    assert ladder["steps"][1]["contacts"] == [
        {
            "name": "kone",
            "title_zh": "维保",
            "title_en": "Maintainer",
            "phone": "0571 2",
            "contractor": True,
            "told_by_system": False,
            "declined": False,
        }
    ]
    assert [one["name"] for one in call["nearby"]] == ["shop"]


async def test_the_first_people_are_told_with_the_call(lan: httpx.AsyncClient) -> None:
    call = (await raise_call(lan)).json()
    assert (await lan.get(f"{CALLS}/{call['id']}")).json()["pages"] == [
        {
            "receiver": "wall",
            "person": "",
            "to_person": False,
            "kind": "call",
            "step": 0,
            "status": "waiting",
            "at": "2026-08-14T07:02:26Z",
            "finished_at": None,
            "detail": "",
        }
    ]


async def test_the_same_key_again_is_the_same_call_whatever_has_become_of_it(lan: httpx.AsyncClient) -> None:
    first = (await raise_call(lan)).json()
    await done(lan, first["id"], "answer")
    await done(lan, first["id"], "close", {"cause": "false_alarm"})
    again = await raise_call(lan)
    assert (again.status_code, again.json()["id"], again.json()["state"]) == (200, first["id"], "closed")


async def test_another_key_at_the_same_place_joins_the_open_call(lan: httpx.AsyncClient) -> None:
    first = (await raise_call(lan)).json()
    again = await raise_call(lan, "tap-2", people=3)
    assert (again.status_code, again.json()["id"], again.json()["people"]) == (200, first["id"], 3)
    assert len((await lan.get(CALLS)).json()["items"]) == 1


async def test_an_app_that_sends_one_key_for_ever_still_reaches_somebody_elsewhere(lan: httpx.AsyncClient) -> None:
    first = (await raise_call(lan)).json()
    other = await raise_call(lan, lift="xingfu/elevator/lift-2")
    assert other.status_code == 201
    assert other.json()["id"] != first["id"]


async def test_a_key_is_of_one_token(lan: httpx.AsyncClient, stranger: httpx.AsyncClient, world: World) -> None:
    world.tokens.known["token-of-app"] = "app"
    first = (await raise_call(lan)).json()
    await done(lan, first["id"], "answer")
    await done(lan, first["id"], "close", {"cause": "other"})
    headers = {"Authorization": "Bearer token-of-app", "Idempotency-Key": "tap-1"}
    assert (await stranger.post(CALLS, json=LIFT_CALL, headers=headers)).status_code == 201


async def test_staff_need_no_key(lan: httpx.AsyncClient) -> None:
    answer = await lan.post(CALLS, json={"community": "xingfu", "source": "staff"})
    assert (answer.status_code, answer.json()["source"]) == (201, "staff")


POINTS = {
    "at a lift": (CallPoint("p1", "xingfu", "轿厢", "car", CALLED), (CALLED, "3 号楼电梯", "3", "330106")),
    "at a lift nobody told of": (
        CallPoint("p1", "xingfu", "轿厢", "car", "xingfu/elevator/lift-9", "5"),
        ("xingfu/elevator/lift-9", "轿厢", "5", ""),
    ),
    "at an entrance": (CallPoint("p1", "xingfu", "北门", "north gate", "", "1"), ("", "北门", "1", "")),
}


@pytest.mark.parametrize(("point", "expected"), POINTS.values(), ids=POINTS)
async def test_a_call_point_leads_to_its_place(
    lan: httpx.AsyncClient, world: World, point: CallPoint, expected: tuple[str, ...]
) -> None:
    await world.calling.points.put(point, "lan", START)
    place = (await raise_call(lan, lift=None, point="p1")).json()["place"]
    assert (place["lift"], place["name_zh"], place["building"], place["rescue_code"]) == expected
    assert (place["point"], place["community"]) == ("p1", "xingfu")


async def test_an_unknown_point_does_not_stand_in_the_way_of_a_known_lift(lan: httpx.AsyncClient) -> None:
    assert (await raise_call(lan, point="gone")).json()["place"]["lift"] == CALLED


REFUSED: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "no key": ({"lift": CALLED}, {}, "header.Idempotency-Key"),
    "blank key": ({"lift": CALLED}, {"Idempotency-Key": " "}, "header.Idempotency-Key"),
    "no place": ({}, {"Idempotency-Key": "x"}, "body.lift"),
    "a gate": ({"lift": "xingfu/gate/gate-1"}, {"Idempotency-Key": "x"}, "body.lift"),
    "only an unknown point": ({"point": "gone"}, {"Idempotency-Key": "x"}, "body.point"),
    "a source of machines": ({"lift": CALLED, "source": "car_button"}, {"Idempotency-Key": "x"}, "body.source"),
    "a body that says who acts": ({"lift": CALLED, "actor": "wang"}, {"Idempotency-Key": "x"}, "body.actor"),
    "people below none": ({"lift": CALLED, "people": -1}, {"Idempotency-Key": "x"}, "body.people"),
    "no number to dial": (
        {"lift": CALLED, "caller": {"phone": "javascript:"}}, {"Idempotency-Key": "x"}, "body.caller.phone",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "headers", "place"), REFUSED.values(), ids=REFUSED)
async def test_no_call_is_raised(
    lan: httpx.AsyncClient, world: World, body: dict[str, Any], headers: dict[str, str], place: str
) -> None:
    answer = await lan.post(CALLS, json=body, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["location"]) == (422, place)
    assert world.calling.records.commits == []


async def test_a_call_goes_its_way_and_every_step_says_who(lan: httpx.AsyncClient, world: World) -> None:
    call_id = (await raise_call(lan)).json()["id"]
    assert (await done(lan, call_id, "answer"))["answered_by"] == "lan"
    dispatched = await done(lan, call_id, "dispatch", {"name": "王工", "phone": "139 0000 0000", "step": "maintainer"})
    assert dispatched["responder"] == {
        "name": "王工", "phone": "139 0000 0000", "arrives_at": None, "contractor": "kone",
        "asked_at": "2026-08-14T07:02:26Z", "on_the_way_at": None,
    }  # fmt: skip
    assert dispatched["ladder"]["told"] == 2
    coming = await done(lan, call_id, "on-the-way", {"name": "王工", "arrives_in": "10m"})
    assert (coming["responder"]["arrives_at"], coming["responder"]["contractor"]) == ("2026-08-14T07:12:26Z", "kone")
    world.clock.advance(timedelta(minutes=9))
    assert (await done(lan, call_id, "on-site"))["rescue"]["state"] == "on_time"
    assert (await done(lan, call_id, "freed", {"people": 2}))["stamps"]["freed"] == "2026-08-14T07:11:26Z"
    await done(lan, call_id, "note", {"text": "all well"})
    closed = await done(lan, call_id, "close", {"cause": "door_system", "text": "rubbish in the door"})
    assert (closed["state"], closed["cause"], closed["open"]) == ("closed", "door_system", False)
    events = (await lan.get(f"{CALLS}/{call_id}/events")).json()["items"]
    assert [(event["kind"], event["actor"]) for event in events] == [
        ("raised", "lan"),
        ("step_told", "ladder"),
        ("answered", "lan"),
        ("dispatched", "lan"),
        ("on_the_way", "lan"),
        ("on_site", "lan"),
        ("freed", "lan"),
        ("noted", "lan"),
        ("closed", "lan"),
    ]
    assert [event["number"] for event in events] == list(range(1, 10))
    assert events[4]["facts"]["name"] == "王工"


async def test_cannot_come_hands_on_at_once(lan: httpx.AsyncClient) -> None:
    call_id = (await raise_call(lan)).json()["id"]
    handed = await done(lan, call_id, "cannot-come", {"name": "duty", "reason": "alone at the gate"})
    assert (handed["state"], handed["ladder"]["told"], handed["responder"]) == ("ringing", 2, None)


async def test_a_number_is_dialled_by_hand_and_never_told(lan: httpx.AsyncClient, world: World) -> None:
    call_id = (await raise_call(lan)).json()["id"]
    world.clock.advance(timedelta(seconds=90))
    await world.calling.switchboard.tick()
    by_hand = (await lan.get(f"{CALLS}/{call_id}")).json()["ladder"]["steps"][2]
    facts = ("dial", "reach", "due", "told", "dialled")
    assert [by_hand[name] for name in facts] == [True, "dial", True, False, None]
    done_so = await done(lan, call_id, "dialled", {"step": "hotline", "answer": "十分钟到"})
    dialled = done_so["ladder"]["steps"][2]["dialled"]
    assert (dialled["by"], dialled["answer"]) == ("lan", "十分钟到")
    assert done_so["ladder"]["steps"][2]["told"] is False
    events = (await lan.get(f"{CALLS}/{call_id}/events")).json()["items"]
    assert [(event["kind"], event["actor"]) for event in events[3:]] == [
        ("to_be_dialled", "ladder"),
        ("dialled", "lan"),
    ]
    assert done_so["state"] == "ringing"


async def test_a_step_says_whom_it_reaches(lan: httpx.AsyncClient) -> None:
    steps = (await raise_call(lan)).json()["ladder"]["steps"]
    assert [step["reach"] for step in steps] == ["machines", "machines", "dial"]
    unreached = (await lan.get("/api/v1/emergency-plan")).json()["unreached"]
    assert unreached == [{"community": "*", "lift": "", "step": "property", "title": {"zh": "物业", "en": "Property"}}]


async def test_a_dispatch_that_reaches_nobody_is_a_problem_of_its_own(lan: httpx.AsyncClient, world: World) -> None:
    call_id = (await raise_call(lan)).json()["id"]
    world.calling.directory.away = {"kone"}
    answer = await lan.post(f"{CALLS}/{call_id}/dispatch", json={"name": "kone", "step": "maintainer"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:anju:problem:nobody-to-tell")
    assert (await lan.get(f"{CALLS}/{call_id}")).json()["state"] == "ringing"


async def test_the_caller_takes_it_back(lan: httpx.AsyncClient) -> None:
    call_id = (await raise_call(lan)).json()["id"]
    taken_back = await done(lan, call_id, "abandon")
    assert (taken_back["state"], taken_back["open"], taken_back["rescue"]["state"]) == ("abandoned", True, "none")


CONFLICTS: dict[str, tuple[list[str], str, Any]] = {
    "closing what rings": ([], "close", {"cause": "other"}),
    "closing a call as a drill": (["answer"], "close", {"cause": "drill"}),
    "dispatching to where all are out": (["freed"], "dispatch", {"name": "wang"}),
    "setting out to where all are out": (["freed"], "on-the-way", {"name": "wang"}),
    "leaving where nobody is": (["answer"], "not-on-site", None),
    "not coming to where somebody is": (["on-site"], "cannot-come", {"name": "wang"}),
}


@pytest.mark.parametrize(("before", "act", "body"), CONFLICTS.values(), ids=CONFLICTS)
async def test_what_cannot_be_done_now_is_a_conflict(
    lan: httpx.AsyncClient, before: list[str], act: str, body: object
) -> None:
    call_id = (await raise_call(lan)).json()["id"]
    for each in before:
        await done(lan, call_id, each)
    answer = await lan.post(f"{CALLS}/{call_id}/{act}", json=body)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:anju:problem:conflict")
    assert call_id in answer.json()["detail"]


ACTS: dict[str, Any] = {
    "answer": None,
    "dispatch": {"name": "wang", "step": "property"},
    "on-the-way": {"name": "wang"},
    "cannot-come": {"name": "wang"},
    "on-site": None,
    "freed": None,
    "abandon": None,
    "note": {"text": "x"},
    "dialled": {"step": "hotline"},
    "close": {"cause": "other"},
}


@pytest.mark.parametrize(("act", "body"), ACTS.items(), ids=ACTS)
async def test_nothing_is_done_to_what_is_not_there(lan: httpx.AsyncClient, act: str, body: object) -> None:
    answer = await lan.post(f"{CALLS}/nowhere/{act}", json=body)
    assert (answer.status_code, answer.json()["detail"]) == (404, "no emergency call nowhere")


WRONG_ACTS: dict[str, tuple[str, Any, str]] = {
    "dispatching nobody": ("dispatch", {}, "body.name"),
    "dispatching by an unknown step": ("dispatch", {"name": "x", "step": "army"}, "body.step"),
    "acting for another": ("note", {"text": "x", "actor": "wang"}, "body.actor"),
    "dispatching through a step that has to be dialled": ("dispatch", {"name": "x", "step": "hotline"}, "body.step"),
    "dialling an unknown step": ("dialled", {"step": "army"}, "body.step"),
    "dialling a step without a number to dial": ("dialled", {"step": "property"}, "body.step"),
    "arriving twice over": (
        "on-the-way", {"name": "x", "arrives_in": "5m", "arrives_at": "2026-08-14T08:00:00Z"}, "body.arrives_in",
    ),
    "arriving at no instant": ("on-the-way", {"name": "x", "arrives_at": "2026-08-14T08:00:00"}, "body.arrives_at"),
    "a note without words": ("note", {"text": " "}, "body.text"),
    "closing for no cause": ("close", {"cause": "boredom"}, "body.cause"),
}  # fmt: skip


@pytest.mark.parametrize(("act", "body", "place"), WRONG_ACTS.values(), ids=WRONG_ACTS)
async def test_acts_that_make_no_sense(
    lan: httpx.AsyncClient, world: World, act: str, body: object, place: str
) -> None:
    call_id = (await raise_call(lan)).json()["id"]
    answer = await lan.post(f"{CALLS}/{call_id}/{act}", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["location"]) == (422, place)
    assert [one.call.version for one in world.calling.records.commits] == [1]


FILTERS: dict[str, tuple[str, list[int]]] = {
    "all": ("", [3, 2, 1]),
    "open": ("open=true", [3, 2]),
    "closed": ("open=false", [1]),
    "state": ("state=ringing", [3, 2]),
    "community": ("community=anyang", [3]),
    "lift": (f"lift={CALLED}", [1]),
    "contractor": ("contractor=kone", [1]),
    "source": ("source=staff", [3]),
    "no drill": ("drill=false", [3, 2, 1]),
    "drills": ("drill=true", []),
    "since": ("since=2026-08-14T07:03:00Z", [3, 2]),
    "until": ("until=2026-08-14T07:03:00Z", [1]),
}


@pytest.mark.parametrize(("query", "numbers"), FILTERS.values(), ids=FILTERS)
async def test_calls_are_found(lan: httpx.AsyncClient, world: World, query: str, numbers: list[int]) -> None:
    first = (await raise_call(lan)).json()["id"]
    await done(lan, first, "answer")
    await done(lan, first, "close", {"cause": "other"})
    world.clock.advance(timedelta(minutes=1))
    await raise_call(lan, lift="xingfu/elevator/lift-2")
    await lan.post(CALLS, json={"community": "anyang", "source": "staff"})
    items = (await lan.get(f"{CALLS}?{query}")).json()["items"]
    assert [call["number"] for call in items] == numbers


async def test_calls_come_in_pages(lan: httpx.AsyncClient) -> None:
    for number in range(3):
        await raise_call(lan, lift=f"xingfu/elevator/lift-{number}")
    first = (await lan.get(f"{CALLS}?limit=2")).json()
    second = (await lan.get(CALLS, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [[call["number"] for call in one["items"]] for one in (first, second)] == [[3, 2], [1]]
    assert second["next_cursor"] is None


async def test_the_signals_around_a_call(lan: httpx.AsyncClient, world: World) -> None:
    begin = int(START.timestamp())
    for family, signal, value in (("elevator", "speed_mps", 0.0), ("elevator_event", "code", "90")):
        samples = [Sample((begin + second) * 1_000_000_000, value) for second in (-61, -60, -1, 1, 30)]
        world.telemetry.stored[CALLED, family, "", signal] = samples
    call_id = (await raise_call(lan)).json()["id"]
    world.clock.advance(timedelta(seconds=20))
    answer = (await lan.get(f"{CALLS}/{call_id}/signals")).json()
    assert (answer["lift"], answer["since"], answer["until"], answer["complete"]) == (
        CALLED, "2026-08-14T07:01:26Z", "2026-08-14T07:02:46Z", True,
    )  # fmt: skip
    assert [(one["family"], one["signal"], len(one["samples"])) for one in answer["series"]] == [
        ("elevator", "speed_mps", 3),
        ("elevator_event", "code", 3),
    ]


async def test_signals_end_with_the_call_and_a_call_of_no_lift_has_none(lan: httpx.AsyncClient, world: World) -> None:
    call_id = (await lan.post(CALLS, json={"community": "xingfu", "source": "staff"})).json()["id"]
    await done(lan, call_id, "answer")
    await done(lan, call_id, "close", {"cause": "other"})
    world.clock.advance(timedelta(hours=1))
    answer = (await lan.get(f"{CALLS}/{call_id}/signals")).json()
    assert (answer["until"], answer["series"], answer["lift"]) == ("2026-08-14T07:02:26Z", [], "")


async def test_a_telemetry_store_that_is_away_takes_nothing_but_the_signals(
    lan: httpx.AsyncClient, world: World
) -> None:
    world.telemetry.away = True
    call_id = (await raise_call(lan)).json()["id"]
    assert (await lan.get(f"{CALLS}/{call_id}")).status_code == 200
    assert (await lan.get(f"{CALLS}/{call_id}/signals")).status_code == 503


@pytest.mark.parametrize("of", ["", "/events", "/signals"])
async def test_an_unknown_call(lan: httpx.AsyncClient, of: str) -> None:
    assert (await lan.get(f"{CALLS}/nowhere{of}")).status_code == 404
