"""The contract of `emergency.ports.CallRecords` and `api.call_ports.CallReader`, for every implementation of both."""

import asyncio
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from alerts.dispatch.model import OutboxStatus, Purpose
from alerts.model import Severity, TransitionKind
from core.errors import Stale
from emergency.model import Call, CallFilter, CallState, EventKind, EventRow, PageRow, Source, Stamps
from emergency.ports import CallCommit, Followed
from storage.records.call_pages import own_alert_id
from tests.contract.records_call_cases import (
    LIFT_PATH,
    CallBench,
    KeptCalls,
    acting,
    call,
    closing,
    event,
    overdue,
    page,
    raising,
)
from tests.contract.records_cases import START, after

pytestmark = pytest.mark.timeout(60)


async def _kept(records: KeptCalls, call_id: str = "c1") -> Call:
    found = await records.call(call_id)
    assert found is not None
    return found


async def _everything(bench: CallBench) -> tuple[object, ...]:
    """All that a commit could leave behind."""
    records = bench.records
    return (
        await records.calls(CallFilter(), None, 100),
        await records.events_after(0, 1_000),
        await records.last_event(),
        await bench.desk.outbox.due(after(1_000), 100),
        await bench.desk.desk.told(0, 100),
        await bench.steps.followed(),
        await records.by_key("k2"),
    )


async def test_a_call_comes_back_as_it_was_decided_with_its_number(calls: CallBench) -> None:
    wanted = raising("c1", alarm=True, joined=("a1",), people=3)
    await calls.records.commit([wanted])
    await calls.records.commit([raising("c2", lift="garden/elevator/lift-2")])
    assert await calls.elsewhere.call("c1") == replace(wanted.call, number=1)
    assert (await _kept(calls.records, "c2")).number == 2
    assert await calls.records.call("nobody") is None


async def test_an_act_moves_the_call_and_its_history_grows(calls: CallBench) -> None:
    await calls.records.commit([raising()])
    await calls.records.commit([acting(await _kept(calls.records), state=CallState.ANSWERED, answered_by="li")])
    known = await _kept(calls.records)
    assert (known.version, known.state, known.answered_by, known.number) == (2, CallState.ANSWERED, "li", 1)
    assert await calls.records.events("c1") == [
        EventRow(1, "c1", event()),
        EventRow(2, "c1", event(EventKind.ANSWERED, after(5), "li")),
    ]


async def test_who_has_read_something_older_must_read_again(calls: CallBench) -> None:
    await calls.records.commit([raising()])
    read = await _kept(calls.records)
    await calls.elsewhere.commit([acting(read, answered_by="wang")])
    with pytest.raises(Stale, match="version 2"):
        await calls.records.commit([acting(read, answered_by="li")])
    with pytest.raises(Stale):
        await calls.records.commit([acting(call("nobody", version=4))])
    with pytest.raises(Stale):
        await calls.records.commit([raising()])
    assert (await _kept(calls.records)).answered_by == "wang"
    assert await calls.records.last_event() == 2


async def _answer(records: KeptCalls, name: str) -> int:
    """Take the call as often as it takes, and say how often somebody else was first."""
    beaten = 0
    while True:
        try:
            known = await _kept(records)
            await records.commit([acting(known, joined=(*known.joined, name))])
        except Stale:
            beaten += 1
            await asyncio.sleep(0)
        else:
            return beaten


async def test_of_two_committers_that_race_one_is_first_and_nothing_is_lost(calls: CallBench) -> None:
    await calls.records.commit([raising()])
    racing = [_answer(records, f"{side}{turn}") for turn in range(6) for side, records in _sides(calls)]
    await asyncio.gather(*racing)
    known = await _kept(calls.records)
    assert (known.version, len(set(known.joined))) == (13, 12)
    assert [row.number for row in await calls.records.events_after(0, 100)] == list(range(1, 14))


def _sides(calls: CallBench) -> list[tuple[str, KeptCalls]]:
    return [("here", calls.records), ("there", calls.elsewhere)]


async def test_at_one_place_one_call_is_open_and_a_drill_beside_it(calls: CallBench) -> None:
    await calls.records.commit([raising("c1")])
    for records in (calls.records, calls.elsewhere):
        with pytest.raises(Stale, match="c1 is open"):
            await records.commit([raising("c2")])
    await calls.records.commit([raising("d1", drill=True)])
    assert await calls.records.open_at(LIFT_PATH, drill=False) == await calls.records.call("c1")
    assert await calls.records.open_at(LIFT_PATH, drill=True) == await calls.records.call("d1")
    assert await calls.records.open_at("garden", drill=False) is None


async def test_when_it_is_closed_the_place_is_free_even_in_the_same_breath(calls: CallBench) -> None:
    await calls.records.commit([raising("c1")])
    await calls.records.commit([closing(await _kept(calls.records)), raising("c2")])
    found = await calls.records.open_at(LIFT_PATH, drill=False)
    assert found == await calls.records.call("c2")
    with pytest.raises(Stale):
        await calls.records.commit([acting(await _kept(calls.records), state=CallState.RINGING)])


async def test_of_many_that_raise_at_one_place_at_once_one_comes_through(calls: CallBench) -> None:
    raised = [records.commit([raising(f"{side}{turn}")]) for turn in range(5) for side, records in _sides(calls)]
    answers = await asyncio.gather(*raised, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType", *["Stale"] * 9]
    assert len(await calls.records.calls(CallFilter(open=True), None, 100)) == 1


async def test_an_idempotency_key_is_good_for_one_call(calls: CallBench) -> None:
    await calls.records.commit([raising("c1", key="k1")])
    await calls.records.commit([replace(acting(await _kept(calls.records), EventKind.JOINED), key="k2")])
    with pytest.raises(Stale, match="key"):
        await calls.elsewhere.commit([raising("c2", lift="garden/elevator/lift-2", key="k1")])
    await calls.records.commit([closing(await _kept(calls.records))])
    for key in ("k1", "k2"):
        found = await calls.elsewhere.by_key(key)
        assert found == await calls.records.call("c1")
    assert await calls.records.by_key("k3") is None
    assert await calls.records.by_key("") is None
    assert await calls.records.call("c2") is None


async def test_one_that_is_stale_leaves_nothing_of_what_came_with_it(calls: CallBench) -> None:
    await calls.records.commit([raising("c1")])
    before = await _everything(calls)
    fine = raising("c2", lift="garden/elevator/lift-2", pages=[page("p2", "c2")], key="k2", alerts=[overdue()])
    stale: list[tuple[Sequence[CallCommit], Followed | None]] = [
        ([fine, raising("c3")], None),
        ([fine, raising("c3", lift="garden/elevator/lift-3", key="k2")], None),
        ([fine], Followed(before=7, sequence=9)),
        ([fine, fine], None),
    ]
    for commits, followed in stale:
        with pytest.raises(Stale):
            await calls.records.commit(commits, followed)
        assert await _everything(calls) == before
    await calls.records.commit([fine], Followed(before=0, sequence=9))
    assert await calls.steps.followed() == 9


async def test_numbers_of_events_are_without_gaps_and_never_appear_late(calls: CallBench) -> None:
    """Many write and one follows: it sees every event once, in order."""
    seen: list[int] = []

    async def follow() -> None:
        while len(seen) < 60:
            seen.extend(row.number for row in await calls.elsewhere.events_after(seen[-1] if seen else 0, 7))
            await asyncio.sleep(0)

    async def write(records: KeptCalls, side: str) -> None:
        for turn in range(15):
            await records.commit([raising(f"{side}{turn}", lift=f"garden/elevator/{side}-{turn}")])
            known = await _kept(records, f"{side}{turn}")
            await records.commit([acting(known)])

    await asyncio.gather(follow(), *(write(records, side) for side, records in _sides(calls)))
    assert seen == list(range(1, 61))
    numbers = [one.number for one in await calls.records.calls(CallFilter(), None, 100)]
    assert numbers == list(range(30, 0, -1))


async def test_pages_are_in_the_outbox_once_and_tell_how_they_fare(calls: CallBench) -> None:
    first, second = page("p1"), page("p2", receiver="phone", drill=True)
    await calls.records.commit([raising(pages=[first, second])])
    await calls.records.commit([replace(acting(await _kept(calls.records)), pages=(first, page("p3")))])
    entries = await calls.desk.outbox.due(after(100), 10)
    assert [entry.intent.id for entry in entries] == ["p1", "p2"]
    intent = entries[0].intent
    assert (intent.purpose, intent.severity, intent.incident) == (Purpose.CALL, Severity.CRITICAL, "c1")
    assert (intent.alerts, intent.count, intent.person, intent.community) == ((), 0, "li", "garden")
    assert intent.call is not None
    assert (intent.call.kind, intent.call.drill, intent.call.zh.title) == ("call", False, "紧急呼叫")
    assert intent.call.facts == {"lift": LIFT_PATH, "people": 2, "phone": None}
    assert entries[1].intent.call is not None
    assert entries[1].intent.call.drill
    await calls.desk.outbox.delivered(entries[0].number, after(70), "200 OK")
    await calls.desk.outbox.give_up(entries[1].number, after(71), "gone")
    assert await calls.records.pages("c1") == [
        PageRow("duty", "li", "call", 0, OutboxStatus.DELIVERED.value, START, after(70), "200 OK"),
        PageRow("phone", "li", "call", 0, OutboxStatus.FAILED.value, START, after(71), "gone"),
        PageRow("duty", "li", "call", 0, OutboxStatus.WAITING.value, START),
    ]
    assert await calls.records.pages("c2") == []


async def _told(calls: CallBench) -> list[tuple[str, TransitionKind, str]]:
    told = await calls.desk.desk.told(0, 100)
    return [(step.rule, step.kind, step.alert_id) for step in told]


async def test_its_own_alerts_begin_and_end_once_in_the_timelines(calls: CallBench) -> None:
    await calls.records.commit([raising(alerts=[overdue()])])
    await calls.records.commit([replace(acting(await _kept(calls.records), EventKind.NOTED), alerts=(overdue(at=40),))])
    its_id = own_alert_id(overdue())
    begun = ("rescue-overdue", TransitionKind.FIRING, its_id)
    assert await _told(calls) == [begun]
    (step,) = await calls.desk.desk.told(0, 100)
    assert (step.title_zh, step.at, step.severity, step.protected) == ("救援超时", after(30), Severity.CRITICAL, True)
    assert (step.reason.en, step.device.path) == ("30 min overdue", LIFT_PATH)
    over = overdue(firing=False, at=50)
    for _ in range(2):
        await calls.records.commit([replace(acting(await _kept(calls.records), EventKind.NOTED), alerts=(over,))])
    assert await _told(calls) == [begun, ("rescue-overdue", TransitionKind.RESOLVED, its_id)]


async def test_an_alert_of_a_place_without_a_device_is_about_a_part_of_anju(calls: CallBench) -> None:
    said = [overdue(device="garden/point/gate-3"), replace(overdue(device=""), rule="call-unheard-of")]
    await calls.records.commit([raising(alerts=said)])
    told = await calls.desk.desk.told(0, 100)
    assert {(step.rule, step.device.path, step.title_en) for step in told} == {
        ("rescue-overdue", "garden/system/emergency-calls", "Rescue overdue"),
        ("call-unheard-of", "garden/system/emergency-calls", "call-unheard-of"),
    }


async def test_another_alert_of_the_rule_on_the_lift_is_neither_begun_twice_nor_ended(calls: CallBench) -> None:
    another = overdue(since=after(1))
    await calls.records.commit([raising(alerts=[overdue(), another, replace(another, firing=False)])])
    assert await _told(calls) == [("rescue-overdue", TransitionKind.FIRING, own_alert_id(overdue()))]


async def test_what_is_due_comes_longest_due_first_and_never_of_a_closed_call(calls: CallBench) -> None:
    due = {"c1": 30.0, "c2": 10.0, "c3": 20.0, "c4": 10.0}
    for number, (call_id, seconds) in enumerate(due.items()):
        await calls.records.commit([raising(call_id, lift=f"garden/elevator/{number}", next_at=after(seconds))])
    await calls.records.commit([raising("c5", lift="garden/elevator/5", next_at=None)])
    await calls.records.commit([acting(await _kept(calls.records, "c4"), state=CallState.CLOSED)])
    # An open call of an earlier version that waits for nothing is due at once.
    assert [one.id for one in await calls.records.due(after(20), 10)] == ["c5", "c2", "c3"]
    assert [one.id for one in await calls.records.due(after(30), 2)] == ["c5", "c2"]
    assert [one.id for one in await calls.records.due(after(9), 10)] == ["c5"]


async def test_nothing_is_due_while_there_are_no_calls(calls: CallBench) -> None:
    assert await calls.records.due(after(9), 9) == []
    assert (await calls.records.last_event(), await calls.records.events_after(0, 9)) == (0, [])


FILTERS = [
    ("everything", CallFilter(), None, 10, ["c4", "c3", "c2", "c1"]),
    ("open", CallFilter(open=True), None, 10, ["c4", "c3", "c2"]),
    ("closed", CallFilter(open=False), None, 10, ["c1"]),
    ("state", CallFilter(state=CallState.ANSWERED), None, 10, ["c2"]),
    ("community", CallFilter(community="lake"), None, 10, ["c3"]),
    ("lift", CallFilter(lift=LIFT_PATH), None, 10, ["c4", "c1"]),
    ("contractor", CallFilter(contractor="tonghui"), None, 10, ["c4", "c2", "c1"]),
    ("source", CallFilter(source=Source.APP), None, 10, ["c2"]),
    ("drill", CallFilter(drill=True), None, 10, ["c4"]),
    ("no drill", CallFilter(drill=False), None, 10, ["c3", "c2", "c1"]),
    ("since", CallFilter(since=after(20)), None, 10, ["c4", "c3"]),
    ("until", CallFilter(until=after(20)), None, 10, ["c2", "c1"]),
    ("before", CallFilter(), 3, 10, ["c2", "c1"]),
    ("limit", CallFilter(), None, 2, ["c4", "c3"]),
    ("all of them", CallFilter(open=True, drill=False, since=START, until=after(11)), 4, 5, ["c2"]),
]


async def test_calls_can_be_looked_through(calls: CallBench) -> None:
    lake = replace(call().place, community="lake", lift="lake/elevator/lift-1", contractor="other")
    await calls.records.commit([raising("c1")])
    await calls.records.commit([closing(await _kept(calls.records))])
    await calls.records.commit([raising("c2", lift="garden/elevator/2", at=after(10), source=Source.APP)])
    await calls.records.commit([acting(await _kept(calls.records, "c2"), state=CallState.ANSWERED)])
    await calls.records.commit([raising("c3", place=lake, stamps=Stamps(after(20)))])
    await calls.records.commit([raising("c4", drill=True, stamps=Stamps(after(30)))])
    expected, found = {}, {}
    for name, matching, before, limit, ids in FILTERS:
        expected[name] = ids
        found[name] = [one.id for one in await calls.records.calls(matching, before, limit)]
    assert found == expected


async def test_following_alone_moves_on_and_two_followers_do_not_pass_each_other(calls: CallBench) -> None:
    await calls.records.commit([], Followed(0, 5))
    with pytest.raises(Stale, match="up to 5"):
        await calls.elsewhere.commit([], Followed(0, 6))
    await calls.elsewhere.commit([], Followed(5, 6))
    assert await calls.steps.followed() == 6
