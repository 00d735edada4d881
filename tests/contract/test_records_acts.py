"""What people do to alerts: each act once, with its actor, in the timeline. On SQLite and PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from alerts.dispatch.model import Suppression, SuppressionKind
from alerts.matchers import Matcher
from core.errors import Conflict
from storage.records import (
    AlertActsAdapter,
    AlertRecordsAdapter,
    DeskRecordsAdapter,
    RecordsAdapter,
    RecordsDatabase,
    SuppressionsAdapter,
)
from tests.contract.records_cases import START, after, commit, fired, resolved

pytestmark = pytest.mark.timeout(60)
Act = Callable[[AlertActsAdapter], Awaitable[object]]


@pytest.fixture
async def acts(records_database: RecordsDatabase, engine_records: AlertRecordsAdapter) -> AlertActsAdapter:
    """With four alerts: *a1* fires, *protected* fires, *latching* fires, *latched* is over; 9 steps so far."""
    latching = [replace(step, latching=True) for step in fired("latching", rule="fire")]
    latched = [*fired("latched", rule="button"), resolved("latched", after(5), rule="button")]
    transitions = [
        *fired("a1"),
        *(replace(step, protected=True) for step in fired("protected", rule="smoke")),
        *latching,
        *(replace(step, latching=True) for step in latched),
    ]
    await engine_records.commit(commit(1, transitions=transitions))
    return AlertActsAdapter(records_database)


async def _said(api: RecordsAdapter) -> list[tuple[str, str, str | None, str]]:
    return [(step.alert_id, step.kind, step.actor, step.reason_en) for step in await api.transitions(9, 100)]


async def test_assigning_and_taking_it_back(acts: AlertActsAdapter, api_records: RecordsAdapter) -> None:
    given = await acts.assign("a1", "li", "wang", after(10))
    again = await acts.assign("a1", "zhao", "wang", after(11))
    assert given == again
    assert given is not None
    assert given.assigned_to == "wang"
    taken = await acts.assign("a1", "li", None, after(12))
    assert taken is not None
    assert taken.assigned_to is None
    assert await _said(api_records) == [
        ("a1", "assigned", "li", "li assigned it to wang"),
        ("a1", "assigned", "li", "li assigned it to nobody"),
    ]
    assert [step.facts for step in await api_records.transitions(9, 9)] == [{"assignee": "wang"}, {"assignee": ""}]


async def test_resetting_what_is_latched_once(acts: AlertActsAdapter, api_records: RecordsAdapter) -> None:
    first = await acts.reset("latched", "li", "checked on site", after(10))
    second = await acts.reset("latched", "wang", "me too", after(20))
    assert first == second
    assert first is not None
    assert (first.state, first.reset_at, first.reset_by) == ("resolved", after(10), "li")
    assert await _said(api_records) == [
        ("latched", "reset", "li", "reset by li"),
        ("latched", "commented", "li", "checked on site"),
        ("latched", "commented", "wang", "me too"),
    ]


async def test_marking_false_and_taking_it_back(acts: AlertActsAdapter, api_records: RecordsAdapter) -> None:
    for actor in ("li", "wang"):
        marked = await acts.mark_false("a1", actor, None, after(10), false=True)
        assert marked is not None
        assert marked.false_alarm_by == "li"
    back = await acts.mark_false("a1", "wang", "it was real", after(20), false=False)
    await acts.mark_false("a1", "wang", None, after(21), false=False)
    assert back is not None
    assert back.false_alarm_by is None
    assert await _said(api_records) == [
        ("a1", "marked_false", "li", "li marked it as a false alarm"),
        ("a1", "unmarked_false", "wang", "wang took the mark of a false alarm back"),
        ("a1", "commented", "wang", "it was real"),
    ]


async def test_shelving_is_a_suppression_of_its_rule_on_its_device(
    records_database: RecordsDatabase, acts: AlertActsAdapter, api_records: RecordsAdapter
) -> None:
    shelved = await acts.shelve("a1", "li", after(3600), "等配件", after(10))
    assert shelved is not None
    matchers = (Matcher("rule", "trapped"), Matcher("path", "garden/elevator/lift-1"))
    expected = Suppression(
        shelved.id, SuppressionKind.SHELVED, matchers, after(10), after(3600), "等配件", "li", after(10)
    )
    assert shelved == expected
    assert await DeskRecordsAdapter(records_database).suppressions(after(11)) == [expected]
    (step,) = await api_records.transitions(9, 9)
    assert (step.kind, step.actor, step.reason_zh) == ("shelved", "li", "li 搁置：等配件")
    assert step.facts == {"until": after(3600).isoformat(), "suppression": shelved.id, "reason": "等配件"}


async def test_shelved_again_the_newest_word_counts(
    records_database: RecordsDatabase, acts: AlertActsAdapter, api_records: RecordsAdapter
) -> None:
    first = await acts.shelve("a1", "li", after(3600), "one", after(10))
    second = await acts.shelve("a1", "wang", after(7200), "two", after(20))
    assert first is not None
    assert second is not None
    assert await DeskRecordsAdapter(records_database).suppressions(after(30)) == [second]
    ended = await SuppressionsAdapter(records_database).get(first.id)
    assert ended == replace(first, ended_at=after(20), ended_by="wang")
    assert [row[1] for row in await _said(api_records)] == ["shelved", "shelved"]


async def test_unshelving_ends_just_that(
    records_database: RecordsDatabase, acts: AlertActsAdapter, api_records: RecordsAdapter
) -> None:
    await acts.shelve("a1", "li", after(3600), "one", after(10))
    other = await acts.shelve("latching", "li", after(3600), "two", after(10))
    for seconds in (20, 21):
        assert await acts.unshelve("a1", "wang", after(seconds)) is not None
    assert await DeskRecordsAdapter(records_database).suppressions(after(30)) == [other]
    assert (await _said(api_records))[2:] == [("a1", "unshelved", "wang", "unshelved by wang")]


CONFLICTS: list[tuple[str, Act, str]] = [
    ("reset while it fires", lambda acts: acts.reset("latching", "li", "x", after(9)), "firing, expected latched"),
    ("reset where nothing latches", lambda acts: acts.reset("a1", "li", "x", after(9)), "does not latch"),
    ("shelve what is protected", lambda acts: acts.shelve("protected", "li", after(99), "x", after(9)), "protected"),
]


@pytest.mark.parametrize(("act", "message"), [row[1:] for row in CONFLICTS], ids=[row[0] for row in CONFLICTS])
async def test_an_act_that_the_alert_does_not_allow_changes_nothing(
    acts: AlertActsAdapter, api_records: RecordsAdapter, act: Act, message: str
) -> None:
    with pytest.raises(Conflict, match=message):
        await act(acts)
    assert await api_records.last_sequence() == 9


UNKNOWN: list[tuple[str, Act]] = [
    ("assign", lambda acts: acts.assign("no", "li", "wang", START)),
    ("reset", lambda acts: acts.reset("no", "li", None, START)),
    ("mark", lambda acts: acts.mark_false("no", "li", "x", START, false=True)),
    ("shelve", lambda acts: acts.shelve("no", "li", after(9), "x", START)),
    ("unshelve", lambda acts: acts.unshelve("\x00", "li", START)),
]


async def test_an_unknown_alert_is_none_and_takes_no_sequence(
    acts: AlertActsAdapter, api_records: RecordsAdapter
) -> None:
    assert {name: await act(acts) for name, act in UNKNOWN} == {name: None for name, _ in UNKNOWN}
    assert await api_records.last_sequence() == 9


async def test_what_people_do_reaches_the_desk(records_database: RecordsDatabase, acts: AlertActsAdapter) -> None:
    await acts.assign("a1", "li", "wang", after(10))
    await acts.shelve("a1", "li", after(3600), "x", after(11))
    await acts.reset("latched", "li", "done", after(12))
    told = await DeskRecordsAdapter(records_database).told(9, 10)
    assert [(step.alert_id, step.kind.value, step.actor) for step in told] == [
        ("a1", "assigned", "li"),
        ("a1", "shelved", "li"),
        ("latched", "reset", "li"),
        ("latched", "commented", "li"),
    ]
    assert told[2].latching


async def test_people_at_once_act_once_each(acts: AlertActsAdapter, api_records: RecordsAdapter) -> None:
    await asyncio.gather(*(acts.reset("latched", actor, None, after(10)) for actor in ("li", "wang", "zhao")))
    await asyncio.gather(*(acts.mark_false("a1", actor, None, after(10), false=True) for actor in ("li", "wang")))
    assert [row[1] for row in await _said(api_records)] == ["reset", "marked_false"]
