"""`kill -9` of a process in the middle of its commits: what is stored agrees with itself and with what was promised."""

import subprocess
import sys
from pathlib import Path

from alerts.history import AlertFilter, FaultFilter
from storage.records import AlertRecordsAdapter, RecordsAdapter, RecordsDatabase, upgrade

ROOT = Path(__file__).parents[2]
KILL_AFTER = (3, 17, 40)
"""Commits seen before each kill; the next is under way by then, at an instant that differs from run to run."""


def _commit_and_kill(url: str, commits: int) -> int:
    """Let a child commit, kill it, and return the last position whose commit it saw succeed."""
    command = [sys.executable, "-m", "tests.integration.records_committer", url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        promised = [int(child.stdout.readline()) for _ in range(commits)]
        child.kill()
        promised += [int(line) for line in child.stdout.read().splitlines() if line]
    return promised[-1]


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


async def test_killed_in_the_middle_of_its_commits(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'records.db'}"
    await upgrade(url)
    for commits in KILL_AFTER:
        await _assert_consistent(url, _commit_and_kill(url, commits))
