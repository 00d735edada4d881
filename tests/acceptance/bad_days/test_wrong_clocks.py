"""Devices whose clocks are ahead or slow, on a real broker: a fire is an alert, a pressed button is a call."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.publish as mqtt_publish
import pytest

from core.clock import SystemClock
from tests.acceptance.running import wait_until
from tests.acceptance.test_emergency import LIFT, Estate, estate
from tests.servers.plugin import MakeMosquitto

SHED = "willow-court/thermal/shed"
# Far less than the 298 s for which an instant ahead could keep readings out.
FIRE_SECONDS = 60


@pytest.fixture
def here(tmp_path: Path, make_mosquitto: MakeMosquitto) -> Iterator[Estate]:
    with estate(tmp_path, make_mosquitto(save_every_change=False).port) as estate_of_one:
        yield estate_of_one


def say(here: Estate, device: str, channel: str, ahead: float, **fields: object) -> None:
    """Publish a message stamped ``ahead`` seconds from now, and return when the broker has it."""
    at = SystemClock().now() + timedelta(seconds=ahead)
    payload = json.dumps({"at": at.isoformat(), **fields})
    mqtt_publish.single(f"anju/v1/{device}/{channel}", payload, qos=1, port=here.broker, hostname="127.0.0.1")


def look(here: Estate, celsius: float, ahead: float) -> None:
    say(here, SHED, "telemetry", ahead, regions=[{"region": "row-a", "maximum_celsius": celsius}])


def firing(here: Estate) -> Sequence[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        here.staff.get("/alerts", params={"state": "firing"}).raise_for_status().json()["items"]
    )
    return found


def burns(here: Estate, began: datetime, ahead: float) -> bool:
    """Let the camera look once more at a fire that grows by 1 °C/s; tell whether the alarm is raised."""
    look(here, 40.0 + (SystemClock().now() - began).total_seconds(), ahead)
    return any(alert["rule"] == "thermal-alarm" for alert in firing(here))


CLOCKS = {"one instant 298 s ahead": (298.0, 0.0), "6 min slow": (-360.0, -360.0)}


@pytest.mark.parametrize(("first", "then"), CLOCKS.values(), ids=CLOCKS)
def test_a_fire_is_an_alert_whatever_the_camera_s_clock_shows(here: Estate, first: float, then: float) -> None:
    look(here, 20.0, first)
    began = SystemClock().now()
    wait_until(lambda: burns(here, began, then), lambda: f"{firing(here)}\n{here.alerts.tail()}", FIRE_SECONDS)
    (alert,) = [each for each in firing(here) if each["rule"] == "thermal-alarm"]
    steps = here.staff.get(f"/alerts/{alert['id']}").raise_for_status().text
    assert ("6 min slow" in steps) is (then < 0)


def test_a_button_of_a_lift_whose_clock_is_a_day_slow_is_a_call(here: Estate) -> None:
    say(here, LIFT, "event", -86_400.0, type="alarm_pressed")
    call = here.call()
    assert (call["source"], call["place"]["lift"]) == ("car_button", LIFT)
    here.paged(("guard", "call", False), ("manager", "call", False))
    # The end of the alarm counts by its arrival as well: else the call could never be closed.
    say(here, LIFT, "event", -86_390.0, type="alarm_reset")
    wait_until(lambda: here.call()["stamps"]["alarm_ended"] is not None, here.alerts.tail)


def test_heat_stored_during_an_absence_is_told_once_as_past_and_kept(here: Estate) -> None:
    for ahead in (-1_800.0, -1_700.0, -1_600.0, -1_500.0):
        look(here, 150.0, ahead)
    look(here, 20.0, 0.0)
    device = f"/devices/{SHED}"
    wait_until(lambda: here.staff.get(device).status_code == 200, here.alerts.tail)
    look(here, 21.0, 0.0)
    now = SystemClock().now()
    span = {"since": (now - timedelta(hours=1)).isoformat(), "until": (now + timedelta(hours=1)).isoformat()}
    signals = {"signals": "maximum_celsius", **span}

    def kept() -> int:
        found = here.staff.get(f"{device}/telemetry", params=signals).raise_for_status().json()["series"]
        return sum(len(each["samples"]) for each in found)

    wait_until(lambda: kept() == 6, here.alerts.tail)
    wait_until(lambda: firing(here) != [], here.alerts.tail)
    (alert,) = firing(here)
    assert alert["rule"] == "thermal-runaway"
    assert "received just now" in alert["reason"]["en"]
