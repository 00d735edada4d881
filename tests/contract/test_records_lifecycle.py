"""Severity that changes, alerts that latch, and acknowledgements that cover what was seen. On both databases."""

import pytest
from msgspec.structs import replace

from alerts.history import AlertFilter, AlertRow
from alerts.model import Reason, Severity, Transition, TransitionKind
from core.errors import Conflict
from storage.records import AlertActsAdapter, AlertRecordsAdapter, RecordsAdapter, RecordsDatabase
from tests.contract.records_cases import GATE, OTHER_LIFT, START, after, commit, fired, resolved, step

pytestmark = pytest.mark.timeout(60)

MINOR, MAJOR, CRITICAL = Severity.MINOR, Severity.MAJOR, Severity.CRITICAL


def graded(severity: Severity, before: Severity, seconds: float = 20) -> Transition:
    changed = step("a1", TransitionKind.SEVERITY_CHANGED, after(seconds), severity=severity)
    return replace(changed, reason=Reason("step", "级别变化", "severity changed", {"from": before.value}))


def latching(transitions: list[Transition]) -> list[Transition]:
    return [replace(each, latching=True) for each in transitions]


async def _alert(api: RecordsAdapter, alert_id: str = "a1") -> AlertRow:
    found = await api.alert(alert_id)
    assert found is not None
    return found[0]


GRADES = [
    ("up voids the acknowledgement", [graded(CRITICAL, MAJOR)], "critical", None),
    ("down keeps it", [graded(MINOR, MAJOR)], "minor", "li"),
    ("the same again keeps it", [graded(MAJOR, MAJOR)], "major", "li"),
    ("up and down again voids it", [graded(CRITICAL, MAJOR), graded(MAJOR, CRITICAL)], "major", None),
    ("down and up again voids it", [graded(MINOR, MAJOR), graded(MAJOR, MINOR)], "major", None),
    ("again voids it", [step("a1", TransitionKind.REPEATED, after(20), severity=MAJOR)], "major", None),
    ("after its end nothing changes", [resolved("a1", after(15)), graded(CRITICAL, MAJOR)], "major", "li"),
]


@pytest.mark.parametrize("batched", [True, False], ids=["one commit", "a commit for each"])
@pytest.mark.parametrize(("steps", "severity", "seen_by"), [row[1:] for row in GRADES], ids=[row[0] for row in GRADES])
async def test_an_acknowledgement_covers_the_severity_that_was_there(
    engine_records: AlertRecordsAdapter,
    api_records: RecordsAdapter,
    *,
    steps: list[Transition],
    severity: str,
    seen_by: str | None,
    batched: bool,
) -> None:
    await engine_records.commit(commit(1, transitions=fired("a1", severity=MAJOR)))
    await api_records.acknowledge("a1", "li", None, after(10))
    for position, part in enumerate([steps] if batched else [[each] for each in steps], 2):
        await engine_records.commit(commit(position, transitions=part))
    alert = await _alert(api_records)
    assert (alert.severity, alert.acknowledged_by) == (severity, seen_by)
    assert alert.acknowledged_at == (None if seen_by is None else after(10))
    kinds = [each.kind for each in await api_records.transitions(2, 10)]
    assert kinds == ["acknowledged", *(each.kind.value for each in steps)]


async def test_after_a_step_up_somebody_else_may_acknowledge(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    await engine_records.commit(commit(1, transitions=fired("a1", severity=MAJOR)))
    await api_records.acknowledge("a1", "li", None, after(10))
    await engine_records.commit(commit(2, transitions=[graded(CRITICAL, MAJOR)]))
    again = await api_records.acknowledge("a1", "wang", None, after(30))
    assert again is not None
    assert (again.acknowledged_by, again.acknowledged_at) == ("wang", after(30))
    steps = await api_records.transitions(0, 10)
    assert [each.actor for each in steps if each.kind == "acknowledged"] == ["li", "wang"]


async def test_fired_graded_and_ended_within_one_commit(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    steps = [*fired("a1", severity=MINOR), graded(MAJOR, MINOR), resolved("a1", after(30))]
    await engine_records.commit(commit(1, transitions=[*steps, *fired("a2", after(31), severity=MINOR)]))
    assert [(row.id, row.severity, row.state) for row in await api_records.alerts(AlertFilter(), None, 9)] == [
        ("a2", "minor", "firing"),
        ("a1", "major", "resolved"),
    ]


SEEN = [
    ("all of it", [graded(CRITICAL, MAJOR)], 3, None),
    ("up since", [graded(CRITICAL, MAJOR)], 2, "severity_changed"),
    ("down since", [graded(MINOR, MAJOR)], 2, None),
    ("again since", [step("a1", TransitionKind.REPEATED, after(20), severity=MAJOR)], 2, "repeated"),
    ("over since", [resolved("a1", after(20))], 2, None),
    ("only pending seen", [], 1, "firing"),
    ("more than there is", [], 99, None),
    ("nobody asks", [graded(CRITICAL, MAJOR)], None, None),
]


@pytest.mark.parametrize(("steps", "seen", "unseen"), [row[1:] for row in SEEN], ids=[row[0] for row in SEEN])
async def test_nobody_acknowledges_what_they_have_not_seen(
    engine_records: AlertRecordsAdapter,
    api_records: RecordsAdapter,
    steps: list[Transition],
    seen: int | None,
    unseen: str | None,
) -> None:
    await engine_records.commit(commit(1, transitions=[*fired("a1", severity=MAJOR), *steps]))
    await engine_records.commit(commit(2, transitions=fired("other", device=GATE)))
    before = await api_records.last_sequence()
    if unseen is None:
        acknowledged = await api_records.acknowledge("a1", "li", None, after(40), seen=seen)
        assert acknowledged is not None
        assert acknowledged.acknowledged_by == "li"
        return
    with pytest.raises(Conflict, match=unseen):
        await api_records.acknowledge("a1", "li", "on my way", after(40), seen=seen)
    assert (await _alert(api_records)).acknowledged_at is None
    assert await api_records.last_sequence() == before


async def test_a_latched_alert_waits_for_its_reset_and_may_be_acknowledged(
    records_database: RecordsDatabase, engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    await engine_records.commit(commit(1, transitions=latching(fired("a1"))))
    assert (await _alert(api_records)).latching
    await engine_records.commit(commit(2, transitions=[resolved("a1", after(20))]))
    latched = await api_records.acknowledge("a1", "li", None, after(30), seen=3)
    assert latched is not None
    assert (latched.state, latched.resolved_at, latched.acknowledged_by) == ("latched", after(20), "li")
    reset = await AlertActsAdapter(records_database).reset("a1", "wang", None, after(40))
    assert reset is not None
    assert (reset.state, reset.reset_at, reset.reset_by) == ("resolved", after(40), "wang")


async def test_a_latched_alert_does_not_keep_the_next_from_firing(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    steps = [*fired("a1"), resolved("a1", after(20)), *fired("a2", after(30))]
    await engine_records.commit(commit(1, transitions=latching(steps)))
    alerts = await api_records.alerts(AlertFilter(), None, 10)
    assert [(alert.id, alert.state) for alert in alerts] == [("a2", "firing"), ("a1", "latched")]


async def test_opened_again_nothing_of_before_covers_it(
    records_database: RecordsDatabase, engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    steps = latching([*fired("a1", severity=MAJOR), resolved("a1", START)])
    await engine_records.commit(commit(1, transitions=steps))
    await api_records.acknowledge("a1", "li", None, after(1))
    await AlertActsAdapter(records_database).reset("a1", "li", None, after(2))
    await engine_records.commit(commit(2, transitions=latching(fired("a1", severity=MINOR))))
    alert = await _alert(api_records)
    assert (alert.state, alert.severity) == ("firing", "minor")
    assert (alert.acknowledged_at, alert.acknowledged_by, alert.reset_at, alert.reset_by) == (None, None, None, None)


FILTERS = [
    ("firing", AlertFilter(state="firing"), ["plain"]),
    ("latched", AlertFilter(state="latched"), ["latched, seen", "latched"]),
    ("resolved", AlertFilter(state="resolved"), ["reset, seen", "reset", "over, seen", "over"]),
    ("open", AlertFilter(open=True), ["reset", "latched, seen", "latched", "over", "plain"]),
    ("not open", AlertFilter(open=False), ["reset, seen", "over, seen"]),
    ("assigned", AlertFilter(assigned_to="wang"), ["latched"]),
    ("assigned to nobody known", AlertFilter(assigned_to="zhao"), []),
    ("false", AlertFilter(false_alarm=True), ["over"]),
    ("not false", AlertFilter(false_alarm=False, state="resolved"), ["reset, seen", "reset", "over, seen"]),
    ("several", AlertFilter(open=True, acknowledged=True), ["latched, seen"]),
]


async def test_filters_of_the_lifecycle(
    records_database: RecordsDatabase, engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    acts = AlertActsAdapter(records_database)
    names = ["plain", "over", "over, seen", "latched", "latched, seen", "reset", "reset, seen"]
    for position, name in enumerate(names, 1):
        steps = fired(name, rule=name, device=OTHER_LIFT)
        steps += [] if name == "plain" else [resolved(name, after(10))]
        latches = name.startswith(("latched", "reset"))
        await engine_records.commit(commit(position, transitions=latching(steps) if latches else steps))
        if name.startswith("reset"):
            await acts.reset(name, "li", None, after(20))
        if name.endswith("seen"):
            await api_records.acknowledge(name, "li", None, after(20))
    await acts.assign("latched", "li", "wang", after(20))
    await acts.mark_false("over", "li", None, after(20), false=True)
    found = {row[0]: [alert.id for alert in await api_records.alerts(row[1], None, 10)] for row in FILTERS}
    assert found == {row[0]: row[2] for row in FILTERS}
