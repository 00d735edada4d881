"""The record of an open call is damaged while another one rings: both climb on, and people are told of the damage."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import paho.mqtt.publish as mqtt_publish

from core.clock import SystemClock
from tests.acceptance.running import wait_until
from tests.acceptance.test_emergency import Estate, estate
from tests.servers.plugin import MakeMosquitto

LIFTS = ("willow-court/elevator/lift-3", "willow-court/elevator/lift-4")


def press(here: Estate, lift: str) -> None:
    payload = json.dumps({"at": SystemClock().now().isoformat(), "type": "alarm_pressed"})
    mqtt_publish.single(f"anju/v1/{lift}/event", payload, qos=1, port=here.broker, hostname="127.0.0.1")


def items(here: Estate, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = here.staff.get(path).raise_for_status().json()["items"]
    return found


def damage(var: Path, call: str) -> None:
    """What a power cut leaves of a page that was being written: its beginning, and NULs."""
    with closing(sqlite3.connect(var / "records.sqlite", timeout=10)) as connection:
        changed = connection.execute(
            "UPDATE calls SET call = CAST(substr(call, 1, 40) || zeroblob(200) AS TEXT) WHERE id = ?", (call,)
        )
        assert changed.rowcount == 1
        connection.commit()


def test_a_damaged_call_and_another_one_climb_on(tmp_path: Path, make_mosquitto: MakeMosquitto) -> None:
    with estate(tmp_path, make_mosquitto(save_every_change=False).port) as here:
        press(here, LIFTS[0])
        damaged = here.call()["id"]
        damage(tmp_path / "var", damaged)
        press(here, LIFTS[1])
        wait_until(lambda: len(items(here, "/emergency-calls")) == 2, here.alerts.tail)
        _both_reach_the_second_step(here)
        firing = "/alerts?rule=call-record-damaged&state=firing"
        wait_until(lambda: len(items(here, firing)) == 1, here.alerts.tail)
        (alert,) = items(here, firing)
        assert (alert["device"]["device"], alert["severity"]) == ("lift-3", "critical")
        shown = {call["id"]: call["damaged"] for call in items(here, "/emergency-calls")}
        assert shown.pop(damaged)
        assert list(shown.values()) == [""]
        _it_is_told(here)
        here.does(damaged, "answer").raise_for_status()
        here.does(damaged, "freed").raise_for_status()


def _both_reach_the_second_step(here: Estate) -> None:
    def managers() -> set[str]:
        return {page["call"]["id"] for page in here.documents() if page["receiver"] == "manager"}

    wait_until(lambda: len(managers()) == 2, lambda: f"{here.documents()}\n{here.alerts.tail()}")


def _it_is_told(here: Estate) -> None:
    url = str(here.staff.base_url.copy_with(path="/readyz"))

    def readyz() -> str:
        return here.staff.get(url).text

    wait_until(lambda: "1 row of calls cannot be read" in readyz(), lambda: f"{readyz()}\n{here.alerts.tail()}")
