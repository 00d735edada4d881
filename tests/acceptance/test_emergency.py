"""From the button in the car to the end of the call: every part a process of its own, one of them killed on the way."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.publish as mqtt_publish

from core.clock import SystemClock
from storage.records import RecordsDatabase, TokensAdapter, upgrade
from tests.acceptance.call_centre import call_centre
from tests.acceptance.running import Anju, wait_until
from tests.integration.webhook_receiver import SECRET, WebhookReceiver
from tests.servers.plugin import MakeMosquitto
from tests.servers.running import free_port

_NOTHING: Mapping[str, object] = {}
LIFT = "willow-court/elevator/lift-3"
NOTIFY = """\
version: 1
receivers:
  - {{name: guard, webhook: {{url: "{url}", secret: "${{CALL_SECRET}}"}}}}
  - {{name: manager, webhook: {{url: "{url}", secret: "${{CALL_SECRET}}"}}}}
people: [{{name: li, receivers: [guard]}}]
rotas: [{{name: duty, layers: [{{start: 2026-01-05, people: [li]}}]}}]
policies: [{{name: nobody, steps: [{{after: 1h, notify: [receiver:manager]}}]}}]
routes: [{{policy: nobody}}]
"""
EMERGENCY = """\
version: 1
contacts:
  - {name: guard, title: {zh: 门岗, en: Guard}, tell: ["rota:duty"], phone: "100"}
  - {name: manager, title: {zh: 经理, en: Manager}, tell: ["receiver:manager"]}
ladders:
  - name: lift
    steps:
      - {name: guard, title: {zh: 门岗, en: Guard}, roles: [guard], wait: 4s}
      - {name: manager, title: {zh: 经理, en: Manager}, roles: [manager], wait: 10m}
communities: [{community: "*", ladder: lift, roles: {}}]
"""


@dataclass
class Estate:
    """The running parts, whoever is called, and staff at the API."""

    alerts: Anju
    broker: int
    receiver: WebhookReceiver
    staff: httpx.Client

    def lift_says(self, event: str) -> None:
        """Publish an event of the lift."""
        payload = json.dumps({"at": SystemClock().now().isoformat(), "type": event})
        mqtt_publish.single(f"anju/v1/{LIFT}/event", payload, qos=1, port=self.broker, hostname="127.0.0.1")

    def call(self) -> dict[str, Any]:
        """Return the newest call there is, once there is one."""
        wait_until(lambda: len(self._calls()) > 0, self.alerts.tail)
        newest: dict[str, Any] = self._calls()[0]
        return newest

    def documents(self) -> list[dict[str, Any]]:
        """Return every page that arrived, in order; what was sent again after a kill, under the same id, is one."""
        arrived = {str(request.document["id"]): request.document for request in self.receiver.requests}
        return [document for document in arrived.values() if document.get("call")]

    def pages(self) -> list[tuple[str, str, bool]]:
        """Return receiver, kind and whether it is a drill of every page that arrived, in order."""
        calls = [(document["receiver"], document["call"]) for document in self.documents()]
        return [(receiver, call["kind"], call["drill"]) for receiver, call in calls]

    def paged(self, *expected: tuple[str, str, bool]) -> None:
        """Return once exactly ``expected`` have arrived."""
        wait_until(lambda: len(self.pages()) >= len(expected), lambda: f"{self.pages()}\n{self.alerts.tail()}")
        assert self.pages() == list(expected)

    def does(self, call: str, act: str, **body: object) -> httpx.Response:
        """Do something to the call as staff."""
        return self.staff.post(f"/emergency-calls/{call}/{act}", json=body)

    def _calls(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.staff.get("/emergency-calls").raise_for_status().json()["items"]
        return items


@contextmanager
def estate(tmp_path: Path, broker: int, surroundings: Mapping[str, object] = _NOTHING) -> Iterator[Estate]:
    var = tmp_path / "var"
    token = asyncio.run(_token(var))
    with call_centre() as receiver:
        (tmp_path / "notify.yaml").write_text(NOTIFY.format(url=receiver.url), encoding="utf-8")
        (tmp_path / "emergency.yaml").write_text(EMERGENCY, encoding="utf-8")
        port = free_port()
        settings = {
            "ANJU_MQTT__PORT": broker,
            "ANJU_BROKER__EMBEDDED": "none",
            "ANJU_NOTIFY__PLAN": tmp_path / "notify.yaml",
            "ANJU_EMERGENCY__PLAN": tmp_path / "emergency.yaml",
            "ANJU_API__PORT": port,
            "CALL_SECRET": SECRET,
            **surroundings,
        }
        headers = {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{port}/api/v1"
        with (
            Anju("ingest", var, settings) as ingest,
            Anju("alerts", var, settings) as alerts,
            Anju("api", var, settings) as api,
            httpx.Client(base_url=url, headers=headers, timeout=10, trust_env=False) as staff,
        ):
            for part in (ingest, alerts, api):
                part.wait_ready()
            yield Estate(alerts, broker, receiver, staff)


async def _token(var: Path) -> str:
    var.mkdir()
    url = f"sqlite+aiosqlite:///{var / 'records.sqlite'}"
    await upgrade(url)
    database = RecordsDatabase(url)
    await database.open()
    token = await TokensAdapter(database).add("li", SystemClock().now())
    await database.close()
    return token


def test_a_pressed_button_is_a_call_until_its_alarm_is_ended_at_the_lift(
    tmp_path: Path, make_mosquitto: MakeMosquitto
) -> None:
    with estate(tmp_path, make_mosquitto(save_every_change=False).port) as here:
        here.lift_says("alarm_pressed")
        call = here.call()
        assert (call["source"], call["state"], call["place"]["lift"]) == ("car_button", "ringing", LIFT)
        here.paged(("guard", "call", False))
        # Killed while it waits for the guard: the next step is told after the start, and the first one not again.
        here.alerts.kill()
        here.alerts.start()
        here.alerts.wait_ready()
        here.paged(("guard", "call", False), ("manager", "call", False))
        number = call["id"]
        _a_tap_joins(here, number)
        here.does(number, "answer").raise_for_status()
        here.does(number, "dispatch", name="zhang", contractor="lift-service").raise_for_status()
        here.does(number, "on-site").raise_for_status()
        here.does(number, "freed").raise_for_status()
        assert here.does(number, "close", cause="door_system").status_code == 409
        here.lift_says("alarm_reset")
        wait_until(lambda: here.call()["stamps"]["alarm_ended"] is not None, here.alerts.tail)
        closed = here.does(number, "close", cause="door_system").raise_for_status().json()
        assert (closed["state"], closed["cause"], closed["rescue"]["state"]) == ("closed", "door_system", "on_time")
        told = [page for page in here.pages() if page[1] == "call"]
        assert told == [("guard", "call", False), ("manager", "call", False)]


def _a_tap_joins(here: Estate, number: str) -> None:
    """The page behind the lift's code leads into the same call; the form is what a page without scripts sends."""
    point = here.staff.post("/call-points", json={"lift": LIFT}).raise_for_status().json()
    host = str(here.staff.base_url.copy_with(path="/"))
    with httpx.Client(base_url=host, timeout=10, trust_env=False) as resident:
        page = resident.get(point["path"])
        assert "text/html" in page.headers["content-type"]
        tapped = resident.post(f"{point['path']}/calls")
        assert tapped.status_code == 303
        assert "<form" in resident.get(tapped.headers["location"]).text
    assert here.call()["id"] == number
    events = here.staff.get(f"/emergency-calls/{number}/events").raise_for_status().json()["items"]
    assert "resident" in [event["facts"].get("source") for event in events if event["kind"] == "joined"]


def test_a_drill_pages_the_rota_alone_and_is_a_drill_everywhere(tmp_path: Path, make_mosquitto: MakeMosquitto) -> None:
    with estate(tmp_path, make_mosquitto(save_every_change=False).port) as here:
        drill = here.staff.post("/drills", json={"lift": LIFT}).raise_for_status().json()["call"]
        here.paged(("guard", "call", True))
        here.lift_says("alarm_pressed")
        wait_until(lambda: here.call()["id"] != drill["id"], here.alerts.tail)
        # The real call beside it tells everybody; the drill's second step has nobody of a rota.
        wait_until(lambda: ("manager", "call", False) in here.pages(), here.alerts.tail)
        assert ("manager", "call", True) not in here.pages()
        titles = [str(document["words"]) for document in here.documents()]
        assert ["演练" in title for title in titles] == [drill for _, _, drill in here.pages()]
        here.does(drill["id"], "answer").raise_for_status()
        assert here.does(drill["id"], "close", cause="human").status_code == 409
        closed = here.does(drill["id"], "close", cause="drill").raise_for_status().json()
        assert closed["drill"] is True
