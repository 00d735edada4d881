"""The contract of `alerts.ports.AlertRecords`: what every implementation of it promises."""

import pytest

from alerts.model import FaultCleared, FaultRaised, Snapshot
from alerts.ports import AlertRecords
from core.errors import Fenced
from tests.contract.records_cases import LIFT, after, cleared, commit, fired, raised, resolved, seen


async def test_begins_at_position_zero_with_no_state(alert_records: AlertRecords) -> None:
    assert await alert_records.load() == Snapshot(position=0, states={})


async def test_loads_what_was_committed(alert_records: AlertRecords) -> None:
    await alert_records.commit(commit(7, previous=0, states={LIFT.path: b"\x00one", "b/gate/c": b""}))
    await alert_records.commit(commit(8, states={LIFT.path: b"two"}, sightings=[seen()]))
    assert await alert_records.load() == Snapshot(position=8, states={LIFT.path: b"two", "b/gate/c": b""})


async def test_none_deletes_a_state_also_one_never_kept(alert_records: AlertRecords) -> None:
    await alert_records.commit(commit(1, states={"a/gate/b": b"x", "a/gate/c": b"y"}))
    await alert_records.commit(commit(2, states={"a/gate/b": None, "never/gate/kept": None}))
    assert (await alert_records.load()).states == {"a/gate/c": b"y"}


async def test_takes_every_sort_of_decision_at_once(alert_records: AlertRecords) -> None:
    transitions = [*fired("a1"), resolved("a1", after(5))]
    faults: list[FaultRaised | FaultCleared] = [raised(after(1)), cleared(after(2))]
    decided = commit(3, previous=0, states={"p": b"s"}, transitions=transitions, faults=faults, sightings=[seen()])
    await alert_records.commit(decided)
    assert (await alert_records.load()).position == 3


async def test_a_repeat_of_the_last_commit_succeeds_and_changes_nothing(alert_records: AlertRecords) -> None:
    decided = commit(1, states={"p": b"s"}, transitions=fired("a1"))
    await alert_records.commit(decided)
    await alert_records.commit(decided)
    assert await alert_records.load() == Snapshot(position=1, states={"p": b"s"})


async def test_a_commit_that_moves_no_position_counts(alert_records: AlertRecords) -> None:
    """A timer ran out while no message came; then another did."""
    await alert_records.commit(commit(4, previous=0, states={"p": b"pending"}))
    await alert_records.commit(commit(4, previous=4, states={"p": b"firing"}, transitions=fired("a1")))
    await alert_records.commit(commit(4, previous=4, states={"p": b"calm"}, transitions=[resolved("a1", after(9))]))
    assert await alert_records.load() == Snapshot(position=4, states={"p": b"calm"})


@pytest.mark.parametrize("previous", [0, 4, 6])
async def test_another_position_than_expected_fences_and_changes_nothing(
    alert_records: AlertRecords, previous: int
) -> None:
    await alert_records.commit(commit(5, previous=0, states={"p": b"s"}))
    with pytest.raises(Fenced):
        await alert_records.commit(commit(9, previous=previous, states={"p": b"other"}))
    assert await alert_records.load() == Snapshot(position=5, states={"p": b"s"})
