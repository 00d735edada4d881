"""`kill -9` of the part that decides and tells, again and again, while alarms pour in: none lost, none doubled."""

import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from core.clock import SystemClock
from tests.acceptance import flood, outcome
from tests.acceptance.call_centre import call_centre
from tests.acceptance.running import Anju, wait_until
from tests.integration.session_driving import publish_all
from tests.integration.webhook_receiver import SECRET, Request, WebhookReceiver
from tests.kills import kills
from tests.servers.plugin import MakeMosquitto

KILLS = {"sqlite": kills("alarm flood on SQLite"), "postgres": kills("alarm flood on PostgreSQL")}
"""PostgreSQL is a server of its own, which the kills do not touch."""
ALARMS_PER_KILL = 50
SEED = int(os.environ.get("ANJU_TEST_SEED", "0")) or time.time_ns() % 1_000_000
MOST_SECONDS_ALIVE = 0.4
CATCH_UP_SECONDS = 180.0


@pytest.fixture
def records_url(database: str, request: pytest.FixtureRequest) -> str | None:
    """Where the records are; ``None`` for a file beside the journal."""
    return None if database == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.mark.parametrize(
    "database",
    [pytest.param(name, marks=pytest.mark.timeout(120 + 8 * count)) for name, count in KILLS.items()],
)
def test_a_flood_of_alarms_under_kills(
    database: str, records_url: str | None, tmp_path: Path, make_mosquitto: MakeMosquitto
) -> None:
    count = KILLS[database]
    print(f"{count * ALARMS_PER_KILL} alarms, {count} kills, {database}, seed {SEED} (ANJU_TEST_SEED repeats it)")
    broker, var, began = make_mosquitto(save_every_change=False), tmp_path / "var", time.monotonic()
    alarms = list(flood.alarms(count * ALARMS_PER_KILL, SystemClock().now()))
    records = outcome.Records(var, records_url)
    with call_centre() as receiver:
        settings = {
            "ANJU_MQTT__PORT": broker.port,
            "ANJU_BROKER__EMBEDDED": "none",
            "ANJU_RULES__BUILTIN": "false",
            "ANJU_RULES__FILES": f'["{flood.write_rules(tmp_path)}"]',
            "ANJU_NOTIFY__PLAN": flood.write_plan(tmp_path, receiver.url),
            flood.SECRET_VARIABLE: SECRET,
            **({"ANJU_RECORDS__URL": records_url} if records_url else {}),
        }
        with Anju("ingest", var, settings) as ingest, Anju("alerts", var, settings) as alerts:
            ingest.wait_ready()
            _kill_while_alarms_pour_in(broker.port, alarms, alerts)
            _wait_until_told(records, alerts, receiver, len(alarms))
    _assert_each_once(records, [cause for cause, *_ in alarms], receiver.requests)
    print(f"{database}: {time.monotonic() - began:.1f} s")


def _kill_while_alarms_pour_in(port: int, alarms: list[tuple[flood.Cause, str, bytes]], alerts: Anju) -> None:
    chance = random.Random(SEED)
    for begin in range(0, len(alarms), ALARMS_PER_KILL):
        alerts.wait_ready()
        publish_all(port, [alarm[1:] for alarm in alarms[begin : begin + ALARMS_PER_KILL]])
        time.sleep(chance.uniform(0, MOST_SECONDS_ALIVE))  # The instant of the kill is the test's input.
        alerts.kill()
        alerts.start()


def _wait_until_told(records: outcome.Records, alerts: Anju, receiver: WebhookReceiver, count: int) -> None:
    def told() -> bool:
        return len({request.id for request in receiver.requests}) >= count and not records.waiting()

    wait_until(told, lambda: f"{len(receiver.requests)} requests\n{alerts.tail()}", CATCH_UP_SECONDS)


def _assert_each_once(records: outcome.Records, causes: list[flood.Cause], requests: list[Request]) -> None:
    transitions = records.transitions()
    firing = [step for step in transitions if step.kind == "firing"]
    assert Counter((step.rule, step.device) for step in firing) == Counter(causes)
    assert [step.sequence for step in transitions] == list(range(1, len(transitions) + 1))
    alerts = {step.alert_id for step in firing}
    assert len(alerts) == len(causes)
    # One row of the outbox for each alert; the wire may carry a row twice, then under the same id.
    assert Counter(alert.id for entry in records.outbox() for alert in entry.intent.alerts) == Counter(alerts)
    by_id = {request.id: request for request in requests}
    assert set(by_id) == {entry.intent.id for entry in records.outbox()}
    assert all(request.is_signed() for request in by_id.values())
    print(f"{len(requests)} requests for {len(by_id)} notifications")
