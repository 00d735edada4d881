"""A disk that fills up under all that Anju keeps: people are told before, calls go on, nothing is lost, all goes on."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.publish as mqtt_publish
import pytest

from core.clock import SystemClock
from core.devices import Channel
from core.wire import topics
from storage.records import RecordsDatabase, TokensAdapter, upgrade
from storage.telemetry.embedded import EmbeddedTelemetry
from tests.acceptance import outcome
from tests.acceptance.call_centre import call_centre
from tests.acceptance.lifts import LIFTS, Day, LiftPublisher
from tests.acceptance.running import Anju, wait_until
from tests.integration.webhook_receiver import SECRET, WebhookReceiver
from tests.servers.plugin import MakeMosquitto
from tests.servers.running import free_port
from tests.servers.small_disk import SmallDisk, small_disk

MIB = 1024 * 1024
# Of 128 MiB, by the shipped settings: told of below 12.8, full below 6.4.
NEARLY_FULL = 10
QUOTA = 128 * 1024
OTHER_LIFT = "willow-court/elevator/lift-99"
NOTIFY = """\
version: 1
receivers: [{{name: guard, webhook: {{url: "{url}", secret: "${{CALL_SECRET}}"}}}}]
policies: [{{name: all, steps: [{{after: 0s, notify: [receiver:guard]}}]}}]
routes: [{{policy: all, group_wait: 0s}}]
"""
EMERGENCY = """\
version: 1
contacts: [{name: guard, title: {zh: 门岗, en: Guard}, tell: ["receiver:guard"], phone: "100"}]
ladders: [{name: lift, steps: [{name: guard, title: {zh: 门岗, en: Guard}, roles: [guard], wait: 10m}]}]
communities: [{community: "*", ladder: lift, roles: {}}]
"""


class PlainDay(Day):
    """Readings alone: the one who presses a button is not among them."""

    def message(self, number: int) -> tuple[str, bytes]:
        lift = LIFTS[number % len(LIFTS)]
        self.expected.note(lift, "telemetry", number)
        payload = {"at": self._next_at().isoformat(), "seq": number, "floor": "1", "speed_mps": 0.5}
        return topics.build(lift, Channel.TELEMETRY), json.dumps(payload).encode()


@dataclass
class Estate:
    """The whole app, with whoever is told, staff, and lifts that never rest."""

    app: Anju
    broker: int
    told: WebhookReceiver
    staff: httpx.Client
    lifts: LiftPublisher

    def send(self, count: int) -> None:
        """Let the lifts say ``count`` more things and wait until the broker has them."""
        self.lifts.allow(self.lifts.sent + count)
        wait_until(lambda: self.lifts.sent >= self.lifts.allowed and self.lifts.all_acknowledged, self.app.tail)

    def alerts(self, state: str) -> set[str]:
        """Return the rules of Anju's own alerts in ``state``."""
        params = {"state": state, "community": "anju"}
        items: list[dict[str, Any]] = self.staff.get("/alerts", params=params).raise_for_status().json()["items"]
        return {item["rule"] for item in items}

    def wait_for(self, rule: str, state: str) -> None:
        """Return once Anju's own alert is in ``state``."""
        wait_until(lambda: rule in self.alerts(state), lambda: f"{rule} not {state}; {self.app.tail()}", 90)

    def press(self, lift: str) -> None:
        """Press the button in the car."""
        payload = json.dumps({"at": SystemClock().now().isoformat(), "type": "alarm_pressed"})
        mqtt_publish.single(f"anju/v1/{lift}/event", payload, qos=1, port=self.broker, hostname="127.0.0.1")

    def paged(self) -> list[str]:
        """Return the lifts of all pages of calls that have arrived."""
        documents = [request.document for request in self.told.requests]
        return [str(document["call"]["facts"]["lift"]) for document in documents if document.get("call")]

    def wait_paged(self, lift: str) -> None:
        """Return once somebody was paged for ``lift``."""
        wait_until(lambda: lift in self.paged(), lambda: f"{self.paged()}; {self.app.tail()}", 30)


@contextmanager
def small_estate(tmp_path: Path, broker: int) -> Iterator[tuple[Estate, SmallDisk]]:
    """Run everything on a file system of 128 MiB."""
    with small_disk(tmp_path / "disk", "128m") as disk, estate(tmp_path, broker) as here:
        yield here, disk


@contextmanager
def estate(tmp_path: Path, broker: int) -> Iterator[Estate]:
    """Run everything in the folder ``disk``, on the shipped settings."""
    var = tmp_path / "disk" / "var"
    with (
        call_centre() as told,
        LiftPublisher("127.0.0.1", broker) as lifts,
    ):
        lifts.day = PlainDay()
        var.mkdir(parents=True)
        token = asyncio.run(_token(var))
        port = free_port()
        settings = {
            "ANJU_MQTT__PORT": broker,
            "ANJU_BROKER__EMBEDDED": "none",
            "ANJU_NOTIFY__PLAN": _write(tmp_path / "notify.yaml", NOTIFY.format(url=told.url)),
            "ANJU_EMERGENCY__PLAN": _write(tmp_path / "emergency.yaml", EMERGENCY),
            "ANJU_API__PORT": port,
            "CALL_SECRET": SECRET,
        }
        with (
            Anju("run", var, settings, "--no-demo", log=tmp_path / "app.log") as app,
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}/api/v1",
                headers={"Authorization": f"Bearer {token}"},
                timeout=10,
                trust_env=False,
            ) as staff,
        ):
            wait_until(lambda: "Ctrl-C stops it" in app.output() or not app.running, app.tail)
            assert app.running, app.tail()
            yield Estate(app, broker, told, staff, lifts)


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


async def _token(var: Path) -> str:
    url = f"sqlite+aiosqlite:///{var / 'records.sqlite'}"
    await upgrade(url)
    database = RecordsDatabase(url)
    await database.open()
    try:
        return await TokensAdapter(database).add("li", SystemClock().now())
    finally:
        await database.close()


@pytest.mark.timeout(400)
def test_the_disk_fills_up_and_is_cleared(tmp_path: Path, make_mosquitto: MakeMosquitto) -> None:
    with small_estate(tmp_path, make_mosquitto(save_every_change=False).port) as (here, disk):
        here.send(500)
        reserve = here.app.var / "reserve"
        wait_until(reserve.exists, here.app.tail)
        # Early: people are told while nothing is lost yet.
        disk.fill(leaving=NEARLY_FULL * MIB)
        here.wait_for("disk-nearly-full", "firing")
        assert "disk-full" not in here.alerts("firing")
        # To the last byte, and who fills it does not let go.
        disk.fill()
        here.send(500)
        here.wait_for("disk-full", "firing")
        wait_until(lambda: not reserve.exists(), here.app.tail)
        disk.fill()
        assert here.app.running, here.app.tail()
        assert "disk/full: " in here.staff.get(here.staff.base_url.copy_with(path="/readyz")).text
        here.press(OTHER_LIFT)
        here.wait_paged(OTHER_LIFT)
        here.staff.post("/emergency-calls", json={"lift": LIFTS[0].path, "source": "staff"}).raise_for_status()
        here.wait_paged(LIFTS[0].path)
        assert here.app.running, here.app.tail()
        # And back: everything goes on in the same process.
        disk.make_room()
        here.send(500)
        _all_is_stored_once(here)
        here.wait_for("disk-nearly-full", "resolved")
        here.wait_for("disk-full", "resolved")
        assert here.app.running, here.app.tail()


@pytest.mark.timeout(200)
def test_a_start_on_a_full_disk_serves_calls_from_the_reserve(tmp_path: Path, make_mosquitto: MakeMosquitto) -> None:
    with small_estate(tmp_path, make_mosquitto(save_every_change=False).port) as (here, disk):
        here.send(100)
        reserve = here.app.var / "reserve"
        wait_until(reserve.exists, here.app.tail)
        assert here.app.stop() == 0
        disk.fill()
        here.app.start()
        wait_until(lambda: here.app.output().count("Ctrl-C stops it") == 2 or not here.app.running, here.app.tail)
        assert here.app.running, here.app.tail()
        assert "disk.reserve_released" in here.app.output()
        here.press(OTHER_LIFT)
        here.wait_paged(OTHER_LIFT)
        # Without the reserve a start is refused, and says what to do.
        assert here.app.stop() == 0
        disk.fill()
        here.app.start()
        wait_until(lambda: not here.app.running, here.app.tail)
        assert "delete or move something" in here.app.output().splitlines()[-1]
        disk.make_room()
        here.app.start()
        wait_until(lambda: here.app.output().count("Ctrl-C stops it") == 3, here.app.tail)
        here.send(100)
        _all_is_stored_once(here)


@pytest.mark.timeout(200)
def test_under_a_quota_nothing_is_written_and_everything_goes_on_when_it_is_lifted(
    tmp_path: Path, make_mosquitto: MakeMosquitto
) -> None:
    """No file may grow, or be written beyond its first pages: what a quota does, and the same without root."""
    with estate(tmp_path, make_mosquitto(save_every_change=False).port) as here:
        here.send(200)
        _all_is_stored_once(here, pressed=0)
        _, most = here.app.limit_file_size(QUOTA)
        here.send(2_000)
        wait_until(lambda: "mqtt.blocked" in here.app.output(), here.app.tail)
        assert outcome.ledger(here.app.var).received < here.lifts.sent
        assert here.app.running, here.app.tail()
        here.app.limit_file_size(most)
        here.press(OTHER_LIFT)
        here.wait_paged(OTHER_LIFT)
        _all_is_stored_once(here)
        assert "Traceback" not in here.app.output()


def _all_is_stored_once(here: Estate, pressed: int = 1) -> None:
    expected = here.lifts.day.expected.stored

    def settled() -> bool:
        row = outcome.ledger(here.app.var)
        return row.received >= here.lifts.sent and row.in_flight == 0

    wait_until(settled, lambda: f"{outcome.ledger(here.app.var)}; {here.app.tail()}", 90)
    row = outcome.ledger(here.app.var)
    assert (row.stored, row.rejected) == (here.lifts.sent + pressed, 0)
    found = asyncio.run(_numbers(here.app.var, here.lifts.day))
    assert found == {lift.path: numbers for (lift, _), numbers in expected.items()}


async def _numbers(var: Path, day: Day) -> dict[str, list[int]]:
    store = EmbeddedTelemetry(var / "telemetry.sqlite")
    try:
        found = {}
        for lift in LIFTS:
            series = await store.range(
                lift, "elevator", ["seq"], since=day.first_at, until=SystemClock().now(), limit=100_000
            )
            found[lift.path] = [int(sample.value) for one in series for sample in one.samples]
        return found
    finally:
        await store.close()
