"""`kill -9` at any point of a call: it goes on at the right step, no step is told twice and none is left out."""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from core.devices import DeviceKey
from emergency.model import CallFilter, CallState, EventKind
from emergency.ports import Followed
from emergency.watch import TRAPPED
from storage.records import (
    AlertRecordsAdapter,
    CallRecordsAdapter,
    OutboxAdapter,
    RecordsAdapter,
    RecordsDatabase,
    upgrade,
)
from tests.contract.records_cases import commit, fired
from tests.integration.call_climber import LIFTS
from tests.kills import rounds
from tests.unit.emergency.calls import NAMES

ROOT = Path(__file__).parents[2]
STEPS = list(range(1, len(NAMES) + 1))
ACTS = [
    EventKind.ANSWERED,
    EventKind.DISPATCHED,
    EventKind.ON_THE_WAY,
    EventKind.ON_SITE,
    EventKind.FREED,
    EventKind.CLOSED,
]


def _run(url: str, in_round: int, seconds: float) -> str:
    """Run a climber and kill it ``seconds`` after it began; return the last word it said."""
    command = [sys.executable, "-m", "tests.integration.call_climber", url, str(in_round)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(seconds)
        child.kill()
        said = child.stdout.read().splitlines()
    return said[-1] if said else "ready"


async def _survives(url: str, number: int, kills: int) -> None:
    await upgrade(url)
    await _trap(url)
    # Seeded, but the machine's own pace makes every run another one.
    instants = random.Random(81 + number)
    killed = days = 0
    while killed < kills:
        days += 1
        while _run(url, days, instants.uniform(0.0, 0.45)) != "done":
            killed += 1
    await _assert_told_once(url, days)


async def _trap(url: str) -> None:
    """Let an alert fire at each lift, and be followed: whoever answers the call there has seen it."""
    database = RecordsDatabase(url)
    await database.open()
    at = [DeviceKey.from_path(lift) for lift in LIFTS]
    steps = [step for device in at for step in fired(device.device, device=device, rule=TRAPPED)]
    await AlertRecordsAdapter(database).commit(commit(1, transitions=steps))
    await CallRecordsAdapter(database).commit([], Followed(0, len(steps)))
    await database.close()


async def _assert_told_once(url: str, days: int) -> None:
    database = RecordsDatabase(url)
    await database.open()
    records, outbox = CallRecordsAdapter(database), OutboxAdapter(database)
    calls = await records.calls(CallFilter(), None, 10_000)
    events = {call.id: [row.event for row in await records.events(call.id)] for call in calls}
    pages = await outbox.outbox(status=None, receiver=None, alert_id=None, before=None, limit=10_000)
    settled = [step for step in await RecordsAdapter(database).transitions(0, 10_000) if step.actor is not None]
    await database.close()
    said = Counter((step.alert_id, step.kind) for step in settled)
    names = [DeviceKey.from_path(lift).device for lift in LIFTS]
    assert said == {(name, kind): count for name in names for kind, count in (("acknowledged", 1), ("commented", days))}
    assert sorted(call.place.lift for call in calls) == sorted(LIFTS * days)
    for call in calls:
        assert call.state is CallState.CLOSED
        happened = events[call.id]
        told = [event.facts.get("step") for event in happened if event.kind is EventKind.STEP_TOLD]
        assert told == STEPS, f"{call.place.lift}: {told}"
        assert [event.kind for event in happened if event.kind in ACTS] == ACTS
        paged = [page.intent for page in pages if page.intent.incident == call.id]
        ringing = sorted(page.step for page in paged if page.call is not None and page.call.kind == "call")
        assert ringing == [step - 1 for step in STEPS], call.place.lift
        assert len({page.id for page in paged}) == len(paged)


@pytest.mark.parametrize(("number", "kills"), rounds("calls on SQLite", 8))
async def test_calls_survive_kills_on_sqlite(tmp_path: Path, number: int, kills: int) -> None:
    await _survives(f"sqlite+aiosqlite:///{tmp_path / 'records.db'}", number, kills)


@pytest.mark.parametrize(("number", "kills"), rounds("calls on PostgreSQL", 8))
async def test_calls_survive_kills_on_postgres(postgres_url: str, number: int, kills: int) -> None:
    await _survives(postgres_url, number, kills)
