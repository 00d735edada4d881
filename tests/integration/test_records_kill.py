"""`kill -9` of a process in the middle of its commits: what is stored agrees with itself and with what was promised."""

import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerts.history import AlertFilter, FaultFilter
from storage.records import (
    AlertRecordsAdapter,
    DeskRecordsAdapter,
    OutboxAdapter,
    RecordsAdapter,
    RecordsDatabase,
    upgrade,
)
from tests.kills import rounds

ROOT = Path(__file__).parents[2]
MOST_COMMITS = 40
"""Commits seen before a kill, at most; the next is under way by then, at an instant that differs from run to run."""


def _commit_and_kill(committer: str, url: str, commits: int) -> int:
    """Let a child commit, kill it, and return the last number whose commit it saw succeed."""
    command = [sys.executable, "-m", f"tests.integration.{committer}", url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        promised = [int(child.stdout.readline()) for _ in range(commits)]
        child.kill()
        promised += [int(line) for line in child.stdout.read().splitlines() if line]
    return promised[-1]


def _kill_after(number: int, count: int) -> list[int]:
    chance = random.Random(number)
    return [chance.randint(1, MOST_COMMITS) for _ in range(count)]


async def _assert_consistent(url: str, promised: int) -> int:
    database = RecordsDatabase(url)
    await database.open()
    snapshot = await AlertRecordsAdapter(database).load()
    records = RecordsAdapter(database)
    position = snapshot.position
    alerts = await records.alerts(AlertFilter(), None, 1000)
    steps = await records.transitions(0, 10_000)
    faults = await records.faults(FaultFilter(), None, 1000)
    await database.close()
    assert position in (promised, promised + 1)  # The one under way may have been stored.
    assert snapshot.states == {"counter": str(position).encode()}
    assert [alert.id for alert in alerts] == [f"a{number}" for number in range(position, 0, -1)]
    assert [alert.state for alert in alerts] == ["firing", *["resolved"] * (position - 1)]
    assert [step.sequence for step in steps] == list(range(1, 3 * position))
    assert len(faults) == position
    return position


@pytest.mark.parametrize(("number", "count"), rounds("records", 10))
async def test_killed_in_the_middle_of_its_commits(tmp_path: Path, number: int, count: int) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'records.db'}"
    await upgrade(url)
    for commits in _kill_after(number, count):
        await _assert_consistent(url, _commit_and_kill("records_committer", url, commits))


async def _assert_desk_consistent(url: str, promised: int) -> None:
    database = RecordsDatabase(url)
    await database.open()
    snapshot = await DeskRecordsAdapter(database).load()
    records = RecordsAdapter(database)
    last = snapshot.sequence
    alerts = await records.alerts(AlertFilter(), None, 1000)
    steps = await records.transitions(0, 10_000)
    box = OutboxAdapter(database)
    entries = await box.outbox(status=None, receiver=None, alert_id=None, before=None, limit=10_000)
    due = await box.due(datetime.max.replace(tzinfo=UTC), 100)
    await database.close()
    assert last in (promised, promised + 1)
    assert snapshot.states == {"counter": str(last).encode()}
    assert [alert.id for alert in alerts] == [f"a{number}" for number in range(last, 0, -1)]
    assert [alert.state for alert in alerts] == ["firing", *["resolved"] * (last - 1)]
    assert [step.sequence for step in steps] == list(range(1, 4 * last))
    assert [step.alert_id for step in steps if step.kind == "notified"] == [f"a{n}" for n in range(1, last + 1)]
    expected = [f"n{number}-{receiver}" for number in range(1, last + 1) for receiver in ("duty", "li")]
    assert [entry.intent.id for entry in reversed(entries)] == expected
    assert [entry.intent.id for entry in due] == expected[:2]


@pytest.mark.parametrize(("number", "count"), rounds("desk", 10))
async def test_a_desk_killed_in_the_middle_of_its_commits(tmp_path: Path, number: int, count: int) -> None:
    """Each message to be sent is there once, with the sequence it follows from."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'records.db'}"
    await upgrade(url)
    for commits in _kill_after(number, count):
        await _assert_desk_consistent(url, _commit_and_kill("desk_committer", url, commits))
