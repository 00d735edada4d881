"""The MQTT session against a real Mosquitto: acknowledged means stored."""

from datetime import timedelta
from itertools import count

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from core.clock import SystemClock
from core.errors import CorruptJournal, TemporaryError
from core.observations import PAYLOAD_LIMIT_BYTES
from ingest.session import MqttSession, SessionStatus
from tests.integration.session_driving import DEADLINE_SECONDS, TestJournal, publish, session, settings, until
from tests.servers.plugin import MakeMosquitto

TOPIC = "anju/v1/demo/elevator/lift-1/telemetry"
_ids = count()


def numbered(how_many: int) -> list[bytes]:
    return [b'{"seq":%d}' % number for number in range(how_many)]


@pytest.fixture
def journal() -> TestJournal:
    return TestJournal()


@pytest.fixture(params=["3.1.1", "5"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client_id() -> str:
    return f"anju-test-{next(_ids)}"


def test_everything_arrives_in_order_and_is_acknowledged(
    make_mosquitto: MakeMosquitto, journal: TestJournal, client_id: str, protocol: str
) -> None:
    port = make_mosquitto(save_every_change=False).port
    with session(settings(port, client_id, protocol=protocol), journal) as running:
        assert running.wait_ready(DEADLINE_SECONDS).status is SessionStatus.CONNECTED
        publish(port, numbered(1_500), TOPIC)
        until(lambda: running.stats.acked == 1_500, "1,500 acknowledgements")
    assert journal.payloads() == numbered(1_500)
    assert max(journal.batches) <= 500
    assert running.state.status is SessionStatus.STOPPED


def test_nothing_is_acknowledged_before_the_journal_has_it(
    make_mosquitto: MakeMosquitto, journal: TestJournal, client_id: str, protocol: str
) -> None:
    broker = make_mosquitto(save_every_change=False)
    wanted = settings(broker.port, client_id, protocol=protocol)
    journal.open.clear()
    blocked = TestJournal()
    blocked.open.clear()
    with session(wanted, blocked) as first:
        first.wait_ready(DEADLINE_SECONDS)
        publish(broker.port, numbered(700), TOPIC)
        until(lambda: blocked.tries, "the first append")
        assert first.stats.acked == 0
        journal.open.set()
        # The second session takes over: to the broker the first is gone, like a process that was killed.
        with session(wanted, journal) as second:
            until(lambda: set(journal.payloads()) >= set(numbered(700)), "everything again")
            assert second.stats.acked >= 700
            second.stop(DEADLINE_SECONDS)
    assert journal.payloads()[:700] == numbered(700)


@pytest.mark.parametrize("failure", [TemporaryError("disk full"), CorruptJournal("rescue it")], ids=["full", "damaged"])
def test_a_journal_that_takes_nothing_is_waited_for(
    make_mosquitto: MakeMosquitto, journal: TestJournal, client_id: str, failure: Exception
) -> None:
    journal.failure = failure
    port = make_mosquitto(save_every_change=False).port
    # Paho would ping after 2 s, and hang up 2 s later for want of the answer that nobody reads; the broker hangs up
    # after 3 s without a ping. Seven failures take 3.2 s at least.
    with session(settings(port, client_id, keepalive_seconds=2), journal) as running:
        running.wait_ready(DEADLINE_SECONDS)
        journal.failing = True
        publish(port, numbered(50), TOPIC)
        until(lambda: running.stats.append_failures >= 7, "seven failures")
        blocked = running.state
        assert (blocked.status, blocked.detail) == (SessionStatus.BLOCKED, str(failure))
        assert running.stats.acked == 0
        journal.failing = False
        until(lambda: running.stats.acked == 50, "acknowledgements")
        assert running.state.status is SessionStatus.CONNECTED
        assert running.stats.reconnects == 0
    assert journal.payloads() == numbered(50)


def test_a_connection_lost_while_the_journal_is_full_drops_nothing(
    make_mosquitto: MakeMosquitto, journal: TestJournal, client_id: str
) -> None:
    broker = make_mosquitto(save_every_change=False)
    with session(settings(broker.port, client_id), journal) as running:
        running.wait_ready(DEADLINE_SECONDS)
        journal.failing = True
        publish(broker.port, numbered(30), TOPIC)
        until(lambda: running.stats.append_failures, "a failure")
        broker.stop()
        # Noticed at once, although nothing is read.
        until(lambda: running.state.status is SessionStatus.UNREACHABLE, "the loss")
        broker.start()
        until(lambda: running.stats.reconnects, "the reconnection")
        journal.failing = False
        until(lambda: running.stats.acked == 30, "acknowledgements on the new connection")
    assert journal.payloads() == numbered(30)


def test_a_broker_that_forgot_the_session_is_subscribed_to_again(
    make_mosquitto: MakeMosquitto, journal: TestJournal, client_id: str, protocol: str
) -> None:
    broker = make_mosquitto(save_every_change=False)
    with session(settings(broker.port, client_id, protocol=protocol), journal) as running:
        running.wait_ready(DEADLINE_SECONDS)
        broker.kill()
        until(lambda: running.state.status is SessionStatus.UNREACHABLE, "the loss")
        broker.store.unlink(missing_ok=True)
        broker.start()
        until(lambda: running.stats.reconnects == 1, "the reconnection")
        publish(broker.port, numbered(3), TOPIC)
        until(lambda: len(journal.messages) == 3, "messages after the restart")


def test_what_was_queued_while_away_comes(
    make_mosquitto: MakeMosquitto, journal: TestJournal, client_id: str, protocol: str
) -> None:
    port = make_mosquitto(save_every_change=False).port
    wanted = settings(port, client_id, protocol=protocol)
    with session(wanted, journal) as running:
        running.wait_ready(DEADLINE_SECONDS)
    publish(port, numbered(1_700), TOPIC)
    with session(wanted, journal) as running:
        until(lambda: running.stats.acked == 1_700, "the backlog")
        # The broker sends the backlog before it answers the subscription, and only then the connection counts.
        running.wait_ready(DEADLINE_SECONDS)
        assert running.stats.connections == 1
    assert journal.payloads() == numbered(1_700)


@pytest.mark.parametrize(("receive_maximum", "sent"), [(10, 10), (1_000, 100)])
def test_mqtt_5_receive_maximum_reaches_the_broker(
    make_mosquitto: MakeMosquitto, journal: TestJournal, client_id: str, receive_maximum: int, sent: int
) -> None:
    # Only until the first acknowledgement: from then on Mosquitto 2.0.11 sends up to a whole window for each PUBACK
    # (seen with a bare socket: maximum 10, ten PUBACKs, 90 unacknowledged). What is in hand we bound ourselves.
    broker = make_mosquitto(["log_type all"], save_every_change=False)
    wanted = settings(broker.port, client_id, protocol="5", receive_maximum=receive_maximum)
    with session(wanted, journal) as running:
        running.wait_ready(DEADLINE_SECONDS)
        journal.open.clear()
        publish(broker.port, numbered(100), TOPIC)
        until(lambda: journal.tries, "the first append")
        sending = f"Sending PUBLISH to {client_id} "
        until(lambda: broker.log.read_text().count(sending) >= sent, "the broker's side")
        assert broker.log.read_text().count(sending) == sent
        journal.open.set()
        until(lambda: running.stats.acked == 100, "acknowledgements")
    assert journal.payloads() == numbered(100)


def test_an_oversized_payload_is_cut_and_its_size_kept(
    make_mosquitto: MakeMosquitto, journal: TestJournal, client_id: str
) -> None:
    port = make_mosquitto(save_every_change=False).port
    huge = [b"a" * 300_000 + end for end in (b"1", b"2")]
    with session(settings(port, client_id), journal) as running:
        running.wait_ready(DEADLINE_SECONDS)
        publish(port, [*huge, b"small"], TOPIC)
        until(lambda: running.stats.acked == 3, "acknowledgements")
    first, second, small = journal.messages
    assert (len(first.payload), first.size) == (PAYLOAD_LIMIT_BYTES, 300_001)
    assert first.payload == second.payload
    assert first.digest != second.digest, "the digest covers what was cut"
    assert (small.payload, small.size) == (b"small", 5)


def test_silence_makes_it_connect_again(make_mosquitto: MakeMosquitto, journal: TestJournal, client_id: str) -> None:
    port = make_mosquitto(save_every_change=False).port
    wanted = settings(port, client_id, silence_limit=timedelta(milliseconds=300))
    with session(wanted, journal) as running:
        until(lambda: running.stats.silences and running.stats.reconnects, "the watchdog")
        publish(port, numbered(2), TOPIC)
        until(lambda: running.stats.acked == 2, "messages after it")


def test_stopping_stores_what_is_in_hand(make_mosquitto: MakeMosquitto, journal: TestJournal, client_id: str) -> None:
    port = make_mosquitto(save_every_change=False).port
    wanted = settings(port, client_id, linger=timedelta(seconds=60))
    with session(wanted, journal) as running:
        running.wait_ready(DEADLINE_SECONDS)
        publish(port, numbered(5), TOPIC)
        until(lambda: running.stats.received, "something in hand")
        assert journal.messages == []
        assert running.stop(DEADLINE_SECONDS)
        assert running.stop(DEADLINE_SECONDS), "stopping twice is harmless"
        assert running.stats.acked == len(journal.messages) > 0
        kept = len(journal.messages)
    with session(settings(port, client_id), journal) as again:
        until(lambda: len(journal.messages) >= 5, "the rest")
        assert again.stats.received == 5 - kept, "what was acknowledged does not come again"


def test_what_the_journal_refuses_for_good_reaches_the_app(make_mosquitto: MakeMosquitto, client_id: str) -> None:
    def broken(_messages: object) -> int:
        raise ValueError("no such table")

    port = make_mosquitto(save_every_change=False).port
    running = MqttSession(settings(port, client_id), broken, SystemClock())
    running.start()
    running.wait_ready(DEADLINE_SECONDS)
    publish(port, numbered(1), TOPIC)
    with pytest.raises(ValueError, match="no such table"):
        running.failure.result(DEADLINE_SECONDS)
    assert running.state.status is SessionStatus.FAILED
    assert running.stop()


def test_messages_of_qos_2_left_by_another_program_are_taken_over(
    make_mosquitto: MakeMosquitto, journal: TestJournal, client_id: str
) -> None:
    port = make_mosquitto(save_every_change=False).port
    other = paho.Client(CallbackAPIVersion.VERSION2, client_id, clean_session=False)
    subscribed: list[int] = []
    other.on_subscribe = lambda *_: subscribed.append(1)
    other.connect("127.0.0.1", port)
    other.loop_start()
    until(other.is_connected, "the other program's connection")
    other.subscribe("anju/v1/#", 2)
    until(lambda: subscribed, "the other program's subscription")
    other.disconnect()
    other.loop_stop()
    publish(port, numbered(20), TOPIC, qos=2)
    with session(settings(port, client_id), journal) as running:
        until(lambda: running.stats.acked == 20, "acknowledgements")
    assert journal.payloads() == numbered(20)
