"""`kill -9` of everything at random moments: acknowledged is stored exactly once, alerts are as if undisturbed."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance import outcome
from tests.acceptance.lifts import RULE_SETTINGS, LiftPublisher
from tests.acceptance.running import Anju, influx_settings, wait_until
from tests.kills import kills
from tests.servers.influx import Influx
from tests.servers.mosquitto import Mosquitto
from tests.servers.plugin import MakeInflux, MakeMosquitto

MESSAGES_PER_ROUND = 4_000
"""In every so many messages each of the four is killed once, in random order; in the first 2,000 as well."""
ROUNDS = max(1, kills("everything") // 4)
MESSAGES = int(os.environ.get("ANJU_TEST_MESSAGES", "0")) or max(2_000, (ROUNDS - 1) * MESSAGES_PER_ROUND)
SEED = int(os.environ.get("ANJU_TEST_SEED", "0")) or time.time_ns() % 1_000_000
CATCH_UP_SECONDS = 120.0


@dataclass
class Stage:
    """Everything that runs."""

    var: Path
    broker: Mosquitto
    influx: Influx
    parts: dict[str, Anju]
    publisher: LiftPublisher

    def tails(self) -> str:
        """The ends of the parts' logs, for messages."""
        return "\n".join(part.tail() for part in self.parts.values())


@pytest.fixture
def stage(tmp_path: Path, make_mosquitto: MakeMosquitto, make_influx: MakeInflux) -> Iterator[Stage]:
    broker, influx = make_mosquitto(save_every_change=False), make_influx()
    var = tmp_path / "var"
    settings = {
        "ANJU_MQTT__PORT": broker.port,
        "ANJU_BROKER__EMBEDDED": "none",
        **RULE_SETTINGS,
        **influx_settings(influx),
    }
    with ExitStack() as stack:
        parts = {name: stack.enter_context(Anju(name, var, settings)) for name in ("ingest", "alerts")}
        for part in parts.values():
            part.wait_ready()
        yield Stage(var, broker, influx, parts, stack.enter_context(LiftPublisher(broker.host, broker.port)))


def _kill_broker(stage: Stage) -> None:
    """Mosquitto acknowledges before it stores, and no setting of version 2.0 closes that window.

    So publishing pauses until all is acknowledged and saved; what Anju has acknowledged since the save is delivered
    again. It goes on once the publisher is back: paho lets a message that is published while it reconnects overtake
    those that wait, and an order that the sender has broken is not what this test is about.
    """
    allowed = stage.publisher.pause()
    wait_until(lambda: stage.publisher.all_acknowledged, lambda: "unacknowledged messages")
    stage.broker.save()
    stage.broker.kill()
    wait_until(lambda: not stage.publisher.connected, lambda: "the publisher has not noticed")
    stage.broker.start()
    wait_until(lambda: stage.publisher.connected, lambda: "the publisher is not back")
    stage.publisher.allow(allowed)


def _kill_influx(stage: Stage) -> None:
    stage.influx.kill()
    stage.influx.start()


def _kill_part(name: str) -> Callable[[Stage], None]:
    def kill(stage: Stage) -> None:
        stage.parts[name].kill()
        stage.parts[name].start()

    return kill


VICTIMS: dict[str, Callable[[Stage], None]] = {
    "ingest": _kill_part("ingest"),
    "alerts": _kill_part("alerts"),
    "broker": _kill_broker,
    "influxd": _kill_influx,
}


def _kill_all_the_time(stage: Stage, chance: random.Random) -> None:
    """Let the messages flow in as many stretches as there are kills, with one kill early in each."""
    order = [
        name for _ in range(max(ROUNDS, MESSAGES // MESSAGES_PER_ROUND)) for name in chance.sample(list(VICTIMS), 4)
    ]
    stretch = MESSAGES // (len(order) + 1)
    publisher = stage.publisher
    for index, name in enumerate(order):
        begin = index * stretch
        kill_at = begin + chance.randrange(1, stretch // 2)
        publisher.allow(begin + stretch)
        wait_until(lambda at=kill_at: publisher.sent >= at, lambda: f"{publisher.sent} sent")  # type: ignore[misc]
        print(f"kill -9 {name} after message {publisher.sent}")
        VICTIMS[name](stage)
    publisher.allow(MESSAGES)
    wait_until(lambda: publisher.sent == MESSAGES, lambda: f"{publisher.sent} sent", CATCH_UP_SECONDS)


def _wait_until_settled(stage: Stage) -> None:
    publisher = stage.publisher
    wait_until(lambda: publisher.all_acknowledged, lambda: f"{len(publisher.acknowledged)} acknowledged")

    def written() -> bool:
        row = outcome.ledger(stage.var)
        return row.received - row.duplicate >= MESSAGES and row.in_flight == 0

    wait_until(written, lambda: f"{outcome.ledger(stage.var)}\n{stage.tails()}", CATCH_UP_SECONDS)
    records = outcome.Records(stage.var)
    end = outcome.last_position(stage.var)
    wait_until(lambda: records.position() >= end, lambda: f"decided to {records.position()} of {end}\n{stage.tails()}")


@pytest.mark.timeout(900 if MESSAGES > MESSAGES_PER_ROUND else 300)
def test_nothing_is_lost_or_doubled(stage: Stage) -> None:
    print(f"{MESSAGES} messages, seed {SEED} (ANJU_TEST_SEED repeats it)")
    _kill_all_the_time(stage, random.Random(SEED))
    _wait_until_settled(stage)
    expected = stage.publisher.day.expected
    row = outcome.ledger(stage.var)
    print(f"ledger: {row}")
    assert stage.publisher.acknowledged == set(range(MESSAGES))
    _assert_stored_once(stage)
    assert row.received == row.stored + row.duplicate + row.rejected
    assert (row.stored, row.rejected) == (MESSAGES - len(expected.rejected), len(expected.rejected))
    records = outcome.Records(stage.var)
    transitions = records.transitions()
    assert outcome.counted(transitions) == expected.transitions
    # Every firing is an alert of its own, however many messages of a backlog arrived at the same instant.
    firings = [step.alert_id for step in transitions if step.kind == "firing"]
    assert len(set(firings)) == len(firings)
    assert records.firing() == expected.open


def _assert_stored_once(stage: Stage) -> None:
    day = stage.publisher.day
    for family in ("elevator", "elevator_event"):
        wanted = {lift: sorted(numbers) for (lift, of), numbers in day.expected.stored.items() if of == family}
        found = outcome.numbers_in_influx(stage.influx, wanted, family, day.first_at)
        assert {lift: sorted(numbers) for lift, numbers in found.items()} == wanted
