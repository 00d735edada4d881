"""`kill -9` of a process that delivers: everything arrives, in order, and what comes twice is the same message."""

import asyncio
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from alerts.dispatch.model import DeskCommit, Intent, OutboxEntry, OutboxStatus
from alerts.notify.deliverer import Limits
from core.clock import SystemClock
from storage.records import DeskRecordsAdapter, OutboxAdapter, RecordsDatabase, upgrade
from tests.integration.webhook_receiver import Answer, WebhookReceiver, receiving
from tests.kills import rounds
from tests.unit.alerts.notify.intents import intent

ROOT = Path(__file__).parents[2]
LINES = 12
MESSAGES = 240
LAST_KILL = 220
"""Requests seen before a kill, at most; others are on their way by then."""


async def _put(database: RecordsDatabase, told: list[Intent]) -> None:
    await DeskRecordsAdapter(database, SystemClock()).commit(DeskCommit(1, 0, {}, told, [], []))


async def _entries(database: RecordsDatabase) -> list[OutboxEntry]:
    view = OutboxAdapter(database)
    return [*await view.outbox(status=None, receiver=None, alert_id=None, before=None, limit=1_000)]


async def _run(database_url: str, receiver: WebhookReceiver) -> asyncio.subprocess.Process:
    command = ["-m", "tests.integration.outbox_deliverer", database_url, receiver.url]
    return await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )


async def _kill(child: asyncio.subprocess.Process) -> None:
    child.kill()
    await child.wait()


@pytest.mark.parametrize(("number", "kills"), rounds("delivery", 8))
async def test_killed_while_it_delivers(tmp_path: Path, number: int, kills: int) -> None:
    kill_after = sorted(random.Random(number).choices(range(1, LAST_KILL + 1), k=kills))
    url = f"sqlite+aiosqlite:///{tmp_path / 'records.db'}"
    await upgrade(url)
    database = RecordsDatabase(url)
    await database.open()
    told = [intent(number, incident=f"i{number % LINES}", version=number) for number in range(1, MESSAGES + 1)]
    await _put(database, told)
    # An answer now and then is that it failed: what is sent again for that reason is also the same message.
    failures = iter([Answer(503)] * 3)
    async with receiving() as receiver:
        receiver.answer = lambda request: next(failures, Answer()) if request.id.endswith("5") else Answer()
        for count in kill_after:
            child = await _run(url, receiver)
            await receiver.until(count, seconds=30)
            await _kill(child)
        child = await _run(url, receiver)
        async with asyncio.timeout(60):
            while any(one.status is OutboxStatus.WAITING for one in await _entries(database)):
                await asyncio.sleep(0.05)
        await _kill(child)
        requests = list(receiver.requests)
    assert {one.status for one in await _entries(database)} == {OutboxStatus.DELIVERED}
    await database.close()

    times = Counter(request.id for request in requests)
    assert times.keys() == {one.id for one in told}
    # Twice comes only what was on its way when the process was killed, or what the receiver had failed to take.
    assert sum(times.values()) - len(times) <= len(kill_after) * Limits().per_receiver + 3
    bodies, arrivals = defaultdict(set), defaultdict(list)
    for request in requests:
        assert request.is_signed()
        bodies[request.id].add(request.body)
        arrivals[request.document["incident"]].append(request.document["version"])
    assert {len(same) for same in bodies.values()} == {1}
    assert all(versions == sorted(versions) for versions in arrivals.values())
