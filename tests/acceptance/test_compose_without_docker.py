"""The shipped deployment works: the services of docker-compose.yml, started as it says, carry a message to its ends."""

import asyncio
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
import psycopg
import pytest

from core.clock import SystemClock
from tests.acceptance.compose import COMPOSE, ComposedMosquitto, ComposedService, World, load_services
from tests.servers.influx import BUCKET, ORG, Influx
from tests.servers.plugin import required_program
from tests.servers.postgres import Postgres
from tests.servers.running import free_port

pytestmark = pytest.mark.timeout(300)
DEADLINE_SECONDS = 30.0
POLL_SECONDS = 0.1
LIFT = "anju/v1/jinxiu/elevator/block-9-lift"
CONFIG = COMPOSE.parent / "deploy" / "anju" / "config"


@dataclass(frozen=True)
class Deployment:
    """What runs, and how to reach it."""

    services: dict[str, ComposedService]
    ports: dict[str, int]
    demo_password: str
    influx: Influx
    postgres_url: str
    api: httpx.Client

    def publish(self, topic: str, payload: dict[str, object]) -> None:
        """Publish as the community `jinxiu`; returns once the broker has acknowledged."""
        asyncio.run(_publish(self.ports["mosquitto"], self.demo_password, topic, json.dumps(payload)))

    def get(self, path: str, **query: str) -> Any:
        answer = self.api.get(path, params=query)
        assert answer.is_success, self.services["api"].with_log(f"answered {answer.status_code} {answer.text}")
        return answer.json()

    def flux(self, script: str) -> str:
        """Ask InfluxDB itself; returns CSV."""
        answer = httpx.post(
            f"{self.influx.url}/api/v2/query",
            params={"org": ORG},
            headers={"Authorization": f"Token {self.influx.token}", "Content-Type": "application/vnd.flux"},
            content=script,
            trust_env=False,
        )
        answer.raise_for_status()
        return answer.text


async def _publish(port: int, password: str | None, topic: str, payload: str) -> None:
    account = "jinxiu" if password else None
    async with aiomqtt.Client("127.0.0.1", port, username=account, password=password) as client:
        await client.publish(topic, payload, qos=1)


def until(found: Callable[[], Any]) -> Any:
    """Return what ``found`` returns once it is true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (answer := found()):
        assert time.monotonic() < deadline, f"nothing within {DEADLINE_SECONDS} s"
        time.sleep(POLL_SECONDS)
    return answer


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    programs = {name: required_program(name) for name in ("mosquitto", "influx", "postgres")}
    with ExitStack() as running:
        influx = running.enter_context(Influx(programs["influx"]))
        postgres = running.enter_context(Postgres(programs["postgres"]))
        values = {
            "MQTT_PASSWORD": secrets.token_hex(12),
            "MQTT_DEMO_PASSWORD": secrets.token_hex(12),
            "MQTT_DEVICE_ACCOUNTS": f"rose-garden:{secrets.token_hex(12)},lake-view:{secrets.token_hex(12)}",
            "POSTGRES_PASSWORD": postgres.password,
            "INFLUX_PASSWORD": secrets.token_hex(12),
            "INFLUX_TOKEN": influx.token,
        }
        described = load_services(values)
        _prepare_databases(described, postgres)
        ports = {"influxdb": influx.port, "postgres": postgres.port, "mosquitto": free_port(), "api": free_port()}
        folders = _folders(tmp_path_factory.mktemp("volumes")) | {"/etc/anju": CONFIG}
        world = World(ports, folders)
        services: dict[str, ComposedService] = {}
        for name in ("mosquitto", "ingest", "alerts", "api", "simulators"):
            assert set(described[name].get("depends_on", {})) <= {"influxdb", "postgres", *services}
            service = (
                ComposedMosquitto(described[name], world, programs["mosquitto"])
                if name == "mosquitto"
                else ComposedService(name, described[name], world)
            )
            services[name] = running.enter_context(service)
        url = f"http://127.0.0.1:{ports['api']}"
        headers = {"Authorization": f"Bearer {_first_token(services['api'])}"}
        api = running.enter_context(httpx.Client(base_url=url, headers=headers, trust_env=False))
        yield Deployment(services, ports, values["MQTT_DEMO_PASSWORD"], influx, _database_url(postgres), api)


def _prepare_databases(described: dict[str, dict[str, Any]], postgres: Postgres) -> None:
    """Do what the images of InfluxDB and PostgreSQL do at their first start, from the same variables."""
    influx = described["influxdb"]["environment"]
    assert (influx["DOCKER_INFLUXDB_INIT_ORG"], influx["DOCKER_INFLUXDB_INIT_BUCKET"]) == (ORG, BUCKET)
    variables = described["postgres"]["environment"]
    assert (variables["POSTGRES_USER"], variables["POSTGRES_DB"]) == ("anju", "anju")
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE anju")


def _database_url(postgres: Postgres) -> str:
    return postgres.url.rsplit("/", 1)[0] + "/anju"


def _folders(volumes: Path) -> dict[str, Path]:
    folders = {
        "/var/lib/anju": volumes / "anju",
        "/mosquitto/config": volumes / "mosquitto-config",
        "/mosquitto/data": volumes / "mosquitto-store",
        "/mosquitto/run": volumes / "mosquitto-run",
    }
    for folder in folders.values():
        folder.mkdir()
    return folders


def _first_token(api: ComposedService) -> str:
    found = until(lambda: re.search(r"API token \(shown only now\): (\S+)", api.log.read_text()))
    return str(found[1])


def _now() -> str:
    return SystemClock().now().isoformat()


def test_a_message_ends_as_telemetry_in_influxdb(deployment: Deployment) -> None:
    deployment.publish(f"{LIFT}/telemetry", {"at": _now(), "floor": "B1", "speed_mps": 1.25})
    script = f'from(bucket: "{BUCKET}") |> range(start: -10m) |> filter(fn: (r) => r.device == "block-9-lift")'
    rows = until(lambda: deployment.flux(script).strip())
    assert "elevator" in rows
    assert "1.25" in rows
    path = "/api/v1/devices/jinxiu/elevator/block-9-lift/telemetry/latest"
    signals = {one["signal"]: one["samples"][0]["value"] for one in deployment.get(path)["series"]}
    assert signals == {"floor": "B1", "speed_mps": 1.25}


def test_an_event_ends_as_an_alert_in_the_api_and_in_postgresql(deployment: Deployment) -> None:
    deployment.publish(f"{LIFT}/event", {"at": _now(), "type": "alarm_pressed"})
    query = {"state": "firing", "device": "block-9-lift"}
    (alert,) = until(lambda: deployment.get("/api/v1/alerts", **query)["items"])
    assert (alert["rule"], alert["title"]["zh"]) == ("car-alarm-button", "轿厢报警按钮动作")
    latest = deployment.get("/api/v1/devices/jinxiu/elevator/block-9-lift")["latest"][""]
    assert latest["event"]["value"] == "alarm_pressed"
    with psycopg.connect(deployment.postgres_url) as connection:
        assert connection.execute("SELECT id FROM alerts WHERE device = 'block-9-lift'").fetchall() == [(alert["id"],)]


def test_people_are_told_on_the_topic_of_their_community(deployment: Deployment) -> None:
    told = asyncio.run(_told_of_a_press(deployment, "block-8-lift"))
    assert {one["severity"] for one in told.values()} == {"critical"}
    assert "轿厢报警按钮动作" in json.dumps(told["firing"], ensure_ascii=False)
    assert told["call"]["call"]["facts"]["lift"] == "jinxiu/elevator/block-8-lift"
    # The broker passes it on before Anju has written down that the broker has it.
    until(lambda: {one["id"] for one in told.values()} <= {one["id"] for one in _delivered(deployment)})


def _delivered(deployment: Deployment) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = deployment.get("/api/v1/notifications", status="delivered")["items"]
    return found


async def _told_of_a_press(deployment: Deployment, device: str) -> dict[str, dict[str, Any]]:
    """Press the alarm button of ``device``, and return what its community's account is told: of alert and call."""
    told: dict[str, dict[str, Any]] = {}
    port, password = deployment.ports["mosquitto"], deployment.demo_password
    async with aiomqtt.Client("127.0.0.1", port, username="jinxiu", password=password) as client:
        await client.subscribe("anju-notify/v1/jinxiu/#", qos=1)
        topic = f"anju/v1/jinxiu/elevator/{device}/event"
        await client.publish(topic, json.dumps({"at": _now(), "type": "alarm_pressed"}), qos=1)
        async with asyncio.timeout(DEADLINE_SECONDS):
            async for message in client.messages:
                if isinstance(message.payload, bytes) and device in message.payload.decode():
                    found: dict[str, Any] = json.loads(message.payload)
                    told[found["purpose"]] = found
                    if told.keys() >= {"firing", "call"}:
                        return told
    raise AssertionError("the broker ended the connection")


def test_a_simulated_incident_raises_an_alert(deployment: Deployment) -> None:
    query = {"device": "south-gate", "rule": "gate-forced-open"}
    found = until(lambda: deployment.get("/api/v1/alerts", **query)["items"])
    assert found[0]["device"]["community"] == "jinxiu"


def test_an_account_may_write_only_to_its_own_community(deployment: Deployment) -> None:
    elsewhere = "anju/v1/rose-garden/gate/east-gate/event"
    deployment.publish(elsewhere, {"at": _now(), "type": "forced_open"})
    # The broker keeps the order of one account, so once this one is through the other one would be, too.
    deployment.publish("anju/v1/jinxiu/gate/last-gate/event", {"at": _now(), "type": "granted"})
    path = "/api/v1/devices"
    until(lambda: "last-gate" in json.dumps(deployment.get(path, community="jinxiu")))
    assert deployment.get(path, community="rose-garden")["items"] == []


def test_the_broker_lets_nobody_in_without_a_password(deployment: Deployment) -> None:
    with pytest.raises(aiomqtt.MqttError):
        asyncio.run(_publish(deployment.ports["mosquitto"], None, f"{LIFT}/event", "{}"))


def test_passwords_are_kept_hashed(deployment: Deployment) -> None:
    kept = (deployment.services["mosquitto"].world.folders["/mosquitto/run"] / "passwords").read_text()
    names = [line.split(":")[0] for line in kept.splitlines()]
    assert names == ["anju", "jinxiu", "rose-garden", "lake-view"]
    assert all(line.split(":")[1].startswith("$7$") for line in kept.splitlines())
    assert deployment.demo_password not in kept


def test_everything_is_ready_and_every_message_accounted_for(deployment: Deployment) -> None:
    ready = deployment.get("/readyz")
    assert ready["status"] == "ready", ready
    (day,) = [one for one in deployment.get("/api/v1/ledger")["days"] if one["community"] == "jinxiu"][-1:]
    assert day["received"] == day["stored"] + day["duplicate"] + day["rejected"] + day["in_flight"]
    assert day["rejected"] == 0
