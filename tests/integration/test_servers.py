"""The test servers themselves: they start, keep their store over kill and restart, and are missed out loud."""

import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.servers import plugin
from tests.servers.influx import InfluxApi, request
from tests.servers.places import Address, find
from tests.servers.postgres import Postgres, libpq_url, ordinary_account
from tests.servers.running import ServerError, free_port

DEADLINE_SECONDS = 20.0
TOPIC = "test/servers"
SUBSCRIBER = "offline-subscriber"


def subscribe_and_leave(port: int) -> None:
    """Leave a persistent session behind that queues `TOPIC`."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=SUBSCRIBER, clean_session=False)
    client.connect("127.0.0.1", port)
    answered: list[object] = []

    def subscribe(client: mqtt.Client, *_: object) -> None:
        client.subscribe(TOPIC, qos=1)

    client.on_connect = subscribe
    client.on_subscribe = lambda *answer: answered.append(answer)
    while not answered:
        assert client.loop(timeout=DEADLINE_SECONDS) == mqtt.MQTT_ERR_SUCCESS
    client.disconnect()


def publish_acknowledged(port: int, payloads: list[bytes]) -> None:
    """Return once the broker has acknowledged every payload."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for payload in payloads:
        client.publish(TOPIC, payload, qos=1).wait_for_publish(DEADLINE_SECONDS)
    client.disconnect()
    client.loop_stop()


def receive(port: int, count: int) -> list[bytes]:
    """What the session left by `subscribe_and_leave` gets, once `count` messages are there."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=SUBSCRIBER, clean_session=False)
    received: list[bytes] = []
    client.on_message = lambda _client, _userdata, message: received.append(bytes(message.payload))
    client.connect("127.0.0.1", port)
    while len(received) < count:
        assert client.loop(timeout=DEADLINE_SECONDS) == mqtt.MQTT_ERR_SUCCESS
    client.disconnect()
    return received


def test_a_saved_queue_survives_a_killed_broker(make_mosquitto: plugin.MakeMosquitto) -> None:
    broker = make_mosquitto(save_every_change=False)
    subscribe_and_leave(broker.port)
    payloads = [b"%d" % number for number in range(50)]
    publish_acknowledged(broker.port, payloads)
    broker.save()
    broker.kill()
    assert not broker.running
    broker.start()
    assert receive(broker.port, len(payloads)) == payloads


def test_a_stopped_broker_keeps_its_queue_and_its_port(make_mosquitto: plugin.MakeMosquitto) -> None:
    broker = make_mosquitto()
    port, pid = broker.port, broker.pid
    subscribe_and_leave(port)
    publish_acknowledged(port, [b"one"])
    broker.restart()
    assert (broker.port, broker.pid == pid) == (port, False)
    assert receive(port, 1) == [b"one"]


def test_a_broker_takes_extra_configuration(make_mosquitto: plugin.MakeMosquitto) -> None:
    second = free_port()
    broker = make_mosquitto([f"listener {second} 127.0.0.1"])
    publish_acknowledged(second, [b"one"])
    assert broker.port != second


def test_a_broker_that_does_not_come_up_shows_its_log_and_leaves_no_folder(
    make_mosquitto: plugin.MakeMosquitto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(ServerError, match="no_such_option"):
        make_mosquitto(["no_such_option true"])
    assert list(tmp_path.iterdir()) == []


def test_a_killed_influx_keeps_its_points(make_influx: plugin.MakeInflux) -> None:
    server = make_influx()
    bucket = server.new_bucket(retention_seconds=3600)
    write(InfluxApi(server.address), bucket, "lift,device=a speed=1")
    server.kill()
    server.start()
    assert "lift" in query(InfluxApi(server.address), bucket)


def test_each_test_has_its_own_bucket(influx: InfluxApi, influx_bucket: str) -> None:
    other = influx.new_bucket()
    write(influx, other, "lift,device=a speed=1")
    assert "lift" not in query(influx, influx_bucket)
    influx.delete_bucket(other)
    influx.delete_bucket(other)


def test_a_refused_request_says_why(influx: InfluxApi) -> None:
    with pytest.raises(OSError, match="401"):
        request(f"{influx.url}/api/v2/buckets", token="wrong")


def write(api: InfluxApi, bucket: str, line: str) -> None:
    call = urllib.request.Request(f"{api.url}/api/v2/write?org={api.org}&bucket={bucket}", data=line.encode())
    call.add_header("Authorization", f"Token {api.token}")
    urllib.request.urlopen(call, timeout=DEADLINE_SECONDS).close()


def query(api: InfluxApi, bucket: str) -> str:
    flux = f'from(bucket: "{bucket}") |> range(start: -1h)'
    call = urllib.request.Request(f"{api.url}/api/v2/query?org={api.org}", data=flux.encode())
    call.add_header("Authorization", f"Token {api.token}")
    call.add_header("Content-Type", "application/vnd.flux")
    with urllib.request.urlopen(call, timeout=DEADLINE_SECONDS) as answer:
        return str(answer.read().decode())


def test_a_killed_postgres_keeps_what_was_committed(make_postgres: Callable[[], Postgres]) -> None:
    server = make_postgres()
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    server.kill()
    server.start()
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)


def test_postgres_wants_the_password(make_postgres: Callable[[], Postgres]) -> None:
    server = make_postgres()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.url.replace(server.password, "wrong")).close()


def test_each_test_has_its_own_database(postgres_url: str) -> None:
    assert postgres_url.startswith("postgresql+psycopg://")
    with psycopg.connect(libpq_url(postgres_url)) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert tables.fetchone() == (0,)


def test_postgres_never_runs_as_root() -> None:
    assert ordinary_account() != "root"


def test_close_removes_the_folder_and_may_be_repeated(make_mosquitto: plugin.MakeMosquitto) -> None:
    broker = make_mosquitto()
    folder = broker.folder
    broker.close()
    broker.close()
    assert not folder.exists()


def test_a_server_is_not_started_twice(make_mosquitto: plugin.MakeMosquitto) -> None:
    broker = make_mosquitto()
    with pytest.raises(ServerError, match="runs already"):
        broker.start()
    assert broker.running


@pytest.fixture
def nothing_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without addresses, without a PATH, with an empty cache."""
    for variable in ("ANJU_TEST_MQTT_URL", "ANJU_TEST_INFLUX_URL", "ANJU_TEST_POSTGRES_URL", "CI"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ANJU_TEST_CACHE", str(tmp_path))
    return monkeypatch


def test_an_address_in_the_environment_comes_first(nothing_found: pytest.MonkeyPatch) -> None:
    nothing_found.setenv("ANJU_TEST_INFLUX_URL", "http://influx.example:8086")
    nothing_found.setenv("ANJU_TEST_INFLUX_TOKEN", "secret")
    nothing_found.setenv("ANJU_TEST_INFLUX_ORG", "street")
    found = find("influx")
    assert found == Address("http://influx.example:8086", "secret", "street")
    assert isinstance(found, Address)
    assert (found.host, found.port) == ("influx.example", 8086)


def test_the_path_comes_before_the_cache(nothing_found: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cached = tmp_path / "influxd-2.7.12" / "influxd"
    cached.parent.mkdir()
    for program in (cached, tmp_path / "influxd"):
        program.touch(mode=0o755)
    assert find("influx") == tmp_path / "influxd"
    (tmp_path / "influxd").unlink()
    assert find("influx") == cached


@pytest.mark.usefixtures("nothing_found")
def test_a_missing_server_skips_with_one_line() -> None:
    assert find("influx") is None
    with pytest.raises(pytest.skip.Exception, match="needs influxd: run `make test-servers` or set ANJU_TEST_INFLUX"):
        plugin.absent("influx")


@pytest.mark.usefixtures("nothing_found")
def test_a_missing_browser_has_no_address_to_offer() -> None:
    assert find("chromium") is None
    with pytest.raises(pytest.skip.Exception, match=r"^needs chromium: run `make test-servers`$"):
        plugin.absent("chromium")


def test_a_missing_server_fails_in_ci(nothing_found: pytest.MonkeyPatch) -> None:
    nothing_found.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="needs influxd"):
        plugin.required_program("influx")
