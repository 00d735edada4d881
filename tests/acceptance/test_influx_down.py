"""InfluxDB away for the whole run: alerts are raised, recorded and shown as ever, and later nothing is missing."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from core.clock import SystemClock
from core.devices import Channel, DeviceKey
from core.wire import topics
from tests.acceptance import outcome
from tests.acceptance.lifts import LIFTS, RULE_SETTINGS
from tests.acceptance.running import Anju, influx_settings, wait_until
from tests.servers.influx import Influx
from tests.servers.mosquitto import Mosquitto
from tests.servers.plugin import MakeInflux, MakeMosquitto
from tests.servers.running import free_port

RULE = "car-alarm-button"
READINGS_BEFORE_EACH_ALARM = 20
CATCH_UP_SECONDS = 60.0


class Duty:
    """Publishes for lifts and watches the live stream, as a duty room would."""

    def __init__(self, broker: Mosquitto, api: httpx.Client) -> None:
        self.api = api
        self.published: dict[tuple[DeviceKey, str], list[int]] = {}
        self.started_at = SystemClock().now()
        self._number = 0
        self._address = broker.host, broker.port
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="duty")

    def tell(self, lift: DeviceKey, channel: Channel, content: dict[str, object]) -> None:
        """Publish one message and return once it is acknowledged."""
        self._number += 1
        family = "elevator" if channel is Channel.TELEMETRY else "elevator_event"
        self.published.setdefault((lift, family), []).append(self._number)
        payload = {"at": SystemClock().now().isoformat(), "seq": self._number, **content}
        self._client.publish(topics.build(lift, channel), json.dumps(payload), qos=1).wait_for_publish(10)

    def press(self, lift: DeviceKey) -> float:
        """Send readings and an alarm; return the seconds from its publication to the alert in the live stream."""
        for turn in range(READINGS_BEFORE_EACH_ALARM):
            self.tell(lift, Channel.TELEMETRY, {"direction": "up", "floor": str(turn), "trip_count": turn})
        with self.api.stream("GET", "/stream") as stream:
            lines = stream.iter_lines()
            next(lines)  # The stream has begun: what happens from now on is in it.
            began = time.monotonic()
            self.tell(lift, Channel.EVENT, {"type": "alarm_pressed"})
            for line in lines:
                if _is_firing(line, lift):
                    return time.monotonic() - began
        raise AssertionError("the stream ended before the alert fired")

    def __enter__(self) -> "Duty":
        self._client.connect(*self._address)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def _is_firing(line: str, lift: DeviceKey) -> bool:
    if not line.startswith("data:"):
        return False
    step: dict[str, Any] = json.loads(line.removeprefix("data:"))
    return step["kind"] == "firing" and step["rule"] == RULE and lift.device in line


@contextmanager
def _on_duty(var: Path, broker: Mosquitto, influx: Influx) -> Iterator[Duty]:
    port = free_port()
    settings: dict[str, object] = {
        "ANJU_MQTT__PORT": broker.port,
        "ANJU_API__PORT": port,
        **RULE_SETTINGS,
        **influx_settings(influx),
    }
    with ExitStack() as stack:
        parts = {name: stack.enter_context(Anju(name, var, settings)) for name in ("api", "ingest", "alerts")}
        for part in parts.values():
            part.wait_ready()
        token = parts["api"].output().split("shown only now): ")[1].split()[0]
        api = httpx.Client(
            base_url=f"http://127.0.0.1:{port}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            trust_env=False,
        )
        yield stack.enter_context(Duty(broker, stack.enter_context(api)))


def _delays(duty: Duty, lifts: tuple[DeviceKey, ...], name: str) -> None:
    delays = [duty.press(lift) * 1_000 for lift in lifts]
    middle, most = median(delays), max(delays)
    print(f"{name}: publish to live stream, {len(delays)} alarms: median {middle:.0f} ms, {most:.0f} ms at most")


def _telemetry_is(duty: Duty, status: str) -> bool:
    url = f"{duty.api.base_url}".replace("/api/v1/", "/readyz")
    answer = httpx.get(url, timeout=10, trust_env=False)
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["components"]["telemetry"]["status"] == status)


@pytest.mark.timeout(300)
def test_alerts_do_not_need_influx(tmp_path: Path, make_mosquitto: MakeMosquitto, make_influx: MakeInflux) -> None:
    broker, influx = make_mosquitto(save_every_change=False), make_influx()
    influx.stop()
    with _on_duty(tmp_path / "var", broker, influx) as duty:
        assert _telemetry_is(duty, "down")
        _delays(duty, LIFTS[:10], "without InfluxDB")
        firing = duty.api.get("/alerts", params={"state": "firing"}).raise_for_status().json()["items"]
        assert {alert["rule"] for alert in firing} == {RULE}
        assert len(firing) == 10
        assert outcome.Records(tmp_path / "var").firing() == {(RULE, lift.path) for lift in LIFTS[:10]}
        row = outcome.ledger(tmp_path / "var")
        assert (row.stored, row.in_flight) == (0, sum(map(len, duty.published.values())))
        influx.start()
        wait_until(lambda: _telemetry_is(duty, "up"), lambda: "the API does not see InfluxDB")
        _delays(duty, LIFTS[10:], "with InfluxDB   ")
        _assert_nothing_missing(tmp_path / "var", duty, influx)


def _assert_nothing_missing(var: Path, duty: Duty, influx: Influx) -> None:
    wait_until(lambda: outcome.ledger(var).in_flight == 0, lambda: str(outcome.ledger(var)), CATCH_UP_SECONDS)
    row = outcome.ledger(var)
    assert (row.stored, row.rejected) == (sum(map(len, duty.published.values())), 0)
    for family in ("elevator", "elevator_event"):
        wanted = {lift: numbers for (lift, of), numbers in duty.published.items() if of == family}
        assert outcome.numbers_in_influx(influx, wanted, family, duty.started_at) == wanted
