"""A day on which everything goes wrong at once: what was acknowledged is stored once, told once, climbed as scheduled.

Acts are drawn by a seed (`chaos/acts.py`) while devices, residents and staff go on (`chaos/load.py`).
`ANJU_TEST_CHAOS_MINUTES` says for how long, and `ANJU_TEST_SEED` repeats the acts; the machine's own pace makes every
run another one all the same. The broker is stopped and frozen, but never killed: Mosquitto itself loses then what it
acknowledged within the last seconds, which Anju has never seen (`tests/acceptance/test_kill_nine.py` kills it).
"""

import asyncio
import os
import random
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from core.observations import Rejection
from emergency.model import Call, CallEvent, CallFilter, CallState, EventKind, PageKind
from storage.journal.sealing import Seal
from storage.journal.sqlite import SqliteJournal
from storage.records import CallRecordsAdapter, RecordsDatabase
from tests.acceptance import outcome
from tests.acceptance.bad_days.chaos.acts import JUMP_SECONDS, kill_parts, run_schedule, schedule
from tests.acceptance.bad_days.chaos.installation import (
    RULES,
    STEPS,
    WAIT_SECONDS,
    Installation,
    descriptors,
    installation,
    processes_on,
)
from tests.acceptance.bad_days.chaos.load import Devices, Residents, Staff, devices
from tests.kills import kills

KILLS_PER_MINUTE = 10
MINUTES = float(os.environ.get("ANJU_TEST_CHAOS_MINUTES", "0")) or kills("day of chaos") / KILLS_PER_MINUTE
KILLS = round(KILLS_PER_MINUTE * MINUTES)
SEED = int(os.environ.get("ANJU_TEST_SEED", "0")) or time.time_ns() % 1_000_000
CATCH_UP_SECONDS = 180.0
# Measured: some 40 at rest; with what a pool of connections and clients that wait may add.
MOST_DESCRIPTORS = 100


@pytest.mark.timeout(1_200 + 90 * MINUTES)
def test_a_day_of_chaos(tmp_path: Path) -> None:
    on_postgres = SEED % 2 == 1
    records = "PostgreSQL" if on_postgres else "SQLite"
    print(f"{MINUTES:g} minutes, seed {SEED} (ANJU_TEST_SEED repeats it), records on {records}")
    with installation(tmp_path, on_postgres=on_postgres) as here, devices(here, random.Random(SEED)) as load:
        residents, staff = Residents(here, load), Staff(here, random.Random(SEED))
        _run_the_day(here, load, residents, staff)
        _wait_until_quiet(here, load)
        _assert_messages(here, load)
        _assert_alerts(here, load)
        _assert_calls(here, load, residents, staff)
        _assert_commands_succeeded(here)
        _assert_nothing_is_left(here)


def _run_the_day(here: Installation, load: Devices, residents: Residents, staff: Staff) -> None:
    seconds, chance = 60 * MINUTES, random.Random(SEED)
    scheduled, ending, staff_ending = schedule(here, chance, seconds), threading.Event(), threading.Event()
    with ThreadPoolExecutor(4) as pool:
        begun = [pool.submit(run, ending) for run in (load.run, residents.run)]
        begun.append(pool.submit(kill_parts, here, load, chance, KILLS, seconds, ending))
        begun.append(pool.submit(staff.run, staff_ending))
        try:
            done = run_schedule(here, load, scheduled, seconds)
            begun[2].result()
        finally:
            here.clock.jump(-here.clock.ahead)
            ending.set()
            staff_ending.set()
        for each in begun:
            each.result()
    assert here.supervisor.kills == KILLS
    print(f"{len(done)} of {len(scheduled)} acts: {dict(Counter(done))}; {here.supervisor.kills} kills")


def _wait_until_quiet(here: Installation, load: Devices) -> None:
    def acknowledged() -> bool:
        return load.publisher.acknowledged == load.sent

    here.wait(acknowledged, lambda: f"{load.publisher.acknowledged} of {load.sent} acknowledged", CATCH_UP_SECONDS)

    def written() -> bool:
        row = outcome.ledger(here.var)
        return row.received - row.duplicate >= load.sent and row.in_flight == 0

    here.wait(written, lambda: f"{load.sent} sent, {outcome.ledger(here.var)}", CATCH_UP_SECONDS)
    end = outcome.last_position(here.var)
    # What floods left behind is decided last: on a busy machine that is minutes of work.
    here.wait(lambda: here.records.position() >= end, lambda: f"decided to {here.records.position()} of {end}", 600)
    here.wait(lambda: _is_climbed(here, load), lambda: "calls have not climbed", 60)
    here.wait(lambda: not here.records.waiting(), lambda: f"waiting: {here.records.waiting()[:5]}", CATCH_UP_SECONDS)


def _is_climbed(here: Installation, load: Devices) -> bool:
    calls = [call for call, _ in _calls(here)]
    ringing = [call for call in calls if call.state is CallState.RINGING]
    return {call.place.lift for call in calls} >= load.pressed and all(call.told == len(STEPS) for call in ringing)


def _assert_messages(here: Installation, load: Devices) -> None:
    for row in outcome.ledger_rows(here.var):
        assert row.received == row.stored + row.duplicate + row.rejected, row
    total = outcome.ledger(here.var)
    print(f"{load.sent} messages: {total}")
    assert total.rejected == len(load.rejected)
    assert total.stored == load.sent - len(load.rejected)
    quarantine = _quarantine(here.var)
    assert Counter(each.topic for each in quarantine) == Counter(load.rejected)
    assert all(each.reason and each.detail for each in quarantine)
    since = load.began - timedelta(seconds=2 * JUMP_SECONDS)
    for family in sorted({family for _, family in load.stored}):
        wanted = {device: sorted(numbers) for (device, of), numbers in load.stored.items() if of == family}
        found = outcome.numbers_in_influx(here.servers.influx, wanted, family, since)
        assert {device: sorted(numbers) for device, numbers in found.items()} == wanted, family


def _quarantine(var: Path) -> list[Rejection]:
    journal = SqliteJournal(var / "journal.sqlite", seal=Seal((var / "journal.key").read_bytes()))
    journal.open(appending=False)
    try:
        return journal.quarantine(None, 100_000)
    finally:
        journal.close()


def _assert_alerts(here: Installation, load: Devices) -> None:
    transitions = here.records.transitions()
    firing = [step for step in transitions if step.kind == "firing" and step.rule in RULES]
    assert Counter((step.rule, step.device.path) for step in firing) == load.causes
    assert [step.sequence for step in transitions] == list(range(1, len(transitions) + 1))
    alerts = {step.alert_id for step in firing}
    requests, outbox = list(here.webhooks.requests), here.records.outbox()
    told = Counter(alert.id for entry in outbox for alert in entry.intent.alerts if alert.id in alerts)
    assert told == Counter(alerts)
    bodies = defaultdict(set)
    for request in requests:
        assert request.is_signed()
        bodies[request.id].add(request.body)
    # The wire may carry a notification twice, and then it is the same.
    assert {len(same) for same in bodies.values()} == {1}
    assert set(bodies) <= {entry.intent.id for entry in outbox}
    # Anju's own alerts go on: of them something may be under way at any time.
    ours = [entry.intent for entry in outbox if entry.intent.call or alerts & {each.id for each in entry.intent.alerts}]
    assert {intent.id for intent in ours} <= set(bodies)
    print(f"{len(alerts)} alerts; {len(requests)} requests for {len(bodies)} notifications")


def _assert_calls(here: Installation, load: Devices, residents: Residents, staff: Staff) -> None:
    calls = _calls(here)
    by_lift = Counter(call.place.lift for call, _ in calls)
    assert set(by_lift.values()) == {1}
    assert load.pressed <= set(by_lift)
    assert residents.answered.items() <= {call.id: call.place.lift for call, _ in calls}.items()
    pages = _pages(here)
    for call, events in calls:
        told = [event for event in events if event.kind is EventKind.STEP_TOLD]
        steps = [event.facts.get("step") for event in told]
        assert steps == list(range(1, len(steps) + 1)), f"{call.id}: {steps}"
        assert sorted(pages[call.id]) == list(enumerate(STEPS[: len(steps)]))
        if call.id in staff.done:
            _assert_done(events, staff.done[call.id])
            continue
        assert (call.state, len(steps)) == (CallState.RINGING, len(STEPS))
        _assert_waits(told)
    taps, taken = len(residents.answered), len(staff.done)
    print(f"{len(calls)} calls, {taps} of them taps, {taken} taken; {sum(map(len, pages.values()))} pages of steps")


def _assert_done(events: list[CallEvent], acts: list[str]) -> None:
    """Each act stands in the history once, in order; the next act takes anew a call that was held for too long."""
    kinds = [event.kind.value for event in events if event.kind.value in {*_DONE, "step_told"}]
    done: list[str] = []
    for earlier, kind in pairwise(["", *kinds]):
        anew = kind == "answered" and earlier == "step_told" and "answered" in done
        done += [kind] if kind in _DONE and not anew else []
    assert done == [_DONE_BY[act] for act in acts]


def _pages(here: Installation) -> dict[str, list[tuple[int, str]]]:
    """Return step and receiver of each page of a step, by call."""
    found = defaultdict(list)
    for entry in here.records.outbox():
        page = entry.intent
        if page.call is not None and page.call.kind == PageKind.CALL:
            found[page.incident].append((page.step, page.receiver))
    return found


_DONE_BY = {"answer": "answered", "on-site": "on_site", "freed": "freed", "close": "closed"}
_DONE = frozenset(_DONE_BY.values())


def _assert_waits(told: list[CallEvent]) -> None:
    """Each step had its whole time, and no more: a clock that was set, or a part that was away, changes nothing."""
    for first, second in pairwise(told):
        apart = (second.at - first.at).total_seconds()
        beyond = (apart - WAIT_SECONDS + JUMP_SECONDS / 2) % JUMP_SECONDS - JUMP_SECONDS / 2
        assert abs(beyond) < 1, f"{first.at} to {second.at}"


def _calls(here: Installation) -> list[tuple[Call, list[CallEvent]]]:
    async def ask() -> list[tuple[Call, list[CallEvent]]]:
        database = RecordsDatabase(here.records.url)
        await database.open()
        try:
            records = CallRecordsAdapter(database)
            calls = await records.calls(CallFilter(), None, 100_000)
            return [(call, [row.event for row in await records.events(call.id)]) for call in calls]
        finally:
            await database.close()

    return asyncio.run(ask())


def _assert_commands_succeeded(here: Installation) -> None:
    """Commands that ran meanwhile succeeded, or said in one line why not."""
    for command in here.commands:
        if command.part != "ingest":
            code, said = command.wait(), command.output().rstrip().splitlines()
            print(f"anju {command.part}: {code}, {said[-1]}")
            # A backup may have found InfluxDB away, and then says so.
            assert code == 0 or said[-1].startswith({1: "anju: ", 2: "not in it: telemetry"}[code]), command.tail()
            assert "Traceback" not in command.output(), command.tail()


def _assert_nothing_is_left(here: Installation) -> None:
    """Nothing is open that nobody needs, nothing runs on after a stop, and a start afterwards is ready."""
    for name, part in here.parts.items():
        assert part.pid is not None
        open_now = descriptors(part.pid)
        print(f"{name}: {len(open_now)} descriptors, {sum(map(_is_socket, open_now))} of them sockets")
        assert len(open_now) <= MOST_DESCRIPTORS, f"{name}: {Counter(open_now)}"
    for ended in here.supervisor.ended:
        print(f"ended by itself: {ended}")
        assert ended.last_line.startswith("anju: "), ended
    here.supervisor.__exit__()
    for part in here.parts.values():
        assert part.stop() == 0, part.tail()
        assert "Traceback" not in part.output(), part.log
    assert processes_on(here.var) == []
    for part in here.parts.values():
        part.start()
    with here.staff() as client:
        here.wait(lambda: _ready(client) == "ready", lambda: _ready(client), CATCH_UP_SECONDS)


def _is_socket(target: str) -> bool:
    return target.startswith("socket:")


def _ready(client: httpx.Client) -> str:
    try:
        answer = client.get(str(client.base_url.copy_with(path="/readyz")))
    except httpx.TransportError as error:
        return str(error)
    return "ready" if answer.json()["status"] == "ready" else answer.text
