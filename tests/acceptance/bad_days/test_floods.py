"""Three devices flood: other lifts' buttons are heard first, every message is decided, and the same comes of each."""

import shutil
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.devices import DeviceKey
from tests.acceptance import outcome
from tests.acceptance.bad_days import floods
from tests.acceptance.call_centre import call_centre
from tests.acceptance.running import Anju, wait_until
from tests.acceptance.test_emergency import EMERGENCY, NOTIFY
from tests.integration.session_driving import publish_all
from tests.integration.webhook_receiver import SECRET, WebhookReceiver
from tests.servers.plugin import MakeMosquitto

LIFTS = [floods.lift(f"lift-{number:02}") for number in range(10)]
LOOKS, PRESSES, READINGS = 300, 500, 20_000
DECIDED_SECONDS = 180.0
_UNLIMITED = {
    "ANJU_FLOODS__DEVICE_RATE": 100_000,
    "ANJU_FLOODS__DEVICE_BURST": 1_000_000,
    "ANJU_FLOODS__COMMUNITY_RATE": 1_000_000,
    "ANJU_FLOODS__COMMUNITY_BURST": 10_000_000,
}
_OF_THE_ENGINE = ("pending", "firing", "repeated", "severity_changed", "resolved")
Steps = dict[str, list[tuple[object, ...]]]


@pytest.mark.timeout(480)
def test_other_lifts_are_heard_before_three_floods_are_decided(tmp_path: Path, make_mosquitto: MakeMosquitto) -> None:
    broker, var, plain = make_mosquitto(save_every_change=False), tmp_path / "var", tmp_path / "plain" / "var"
    with call_centre() as receiver:
        settings = _settings(tmp_path, broker.port, receiver.url)
        _keep(var, broker.port, settings)
        shutil.copytree(var, plain)
        records = outcome.Records(var)
        with Anju("alerts", var, settings) as alerts:
            wait_until(lambda: _paged(receiver) >= set(LIFTS), lambda: f"{_paged(receiver)}\n{alerts.tail()}")
            wait_until(lambda: _told(records) >= {floods.CHATTY, floods.BUTTON}, alerts.tail)
            alerts.kill()
            alerts.start()
            _wait_until_decided(records, var, alerts)
        with Anju("alerts", plain, {**settings, **_UNLIMITED}) as unlimited:
            _wait_until_decided(outcome.Records(plain), plain, unlimited)
    first = _first_firing(records)
    last_of_the_flood = first[floods.CHATTY.path]
    assert all(first[lift.path] < last_of_the_flood for lift in LIFTS)
    assert _steps(records) == _steps(outcome.Records(plain))


def _settings(folder: Path, port: int, url: str) -> dict[str, object]:
    (folder / "notify.yaml").write_text(NOTIFY.format(url=url), encoding="utf-8")
    (folder / "emergency.yaml").write_text(EMERGENCY, encoding="utf-8")
    return {
        "ANJU_MQTT__PORT": port,
        "ANJU_BROKER__EMBEDDED": "none",
        "ANJU_NOTIFY__PLAN": folder / "notify.yaml",
        "ANJU_EMERGENCY__PLAN": folder / "emergency.yaml",
        "CALL_SECRET": SECRET,
    }


def _keep(var: Path, port: int, settings: Mapping[str, object]) -> None:
    """Let the floods, and behind them a press at each lift, be in the journal; nobody decides yet."""
    now = SystemClock().now()
    messages = [
        *floods.camera(LOOKS, now),
        *floods.presses(PRESSES, now),
        *floods.readings(READINGS, now),
        *(floods.event(lift, now, 0, type="alarm_pressed") for lift in LIFTS),
    ]
    with Anju("ingest", var, settings) as ingest:
        ingest.wait_ready()
        publish_all(port, messages)

        def all_settled() -> bool:
            row = outcome.ledger(var)
            return row.received == row.stored + row.duplicate + row.rejected == len(messages)

        wait_until(all_settled, lambda: f"{outcome.ledger(var)}\n{ingest.tail()}", DECIDED_SECONDS)
        assert outcome.ledger(var).rejected == 0
        assert ingest.stop() == 0, ingest.tail()


def _wait_until_decided(records: outcome.Records, var: Path, alerts: Anju) -> None:
    alerts.wait_ready()
    last = outcome.last_position(var)
    wait_until(
        lambda: records.position() == last, lambda: f"{records.position()} of {last}\n{alerts.tail()}", DECIDED_SECONDS
    )


def _paged(receiver: WebhookReceiver) -> set[DeviceKey]:
    """Return the lifts that somebody was called for."""
    documents = [request.document for request in list(receiver.requests)]
    devices = [str(one["call"]["facts"]["lift"]) for one in documents if one.get("call")]
    return {DeviceKey.from_path(path) for path in devices}


def _told(records: outcome.Records) -> set[DeviceKey]:
    """Return the devices that people were told flood."""
    return {step.device for step in records.transitions() if step.rule == "device-floods"}


def _first_firing(records: outcome.Records) -> dict[str, int]:
    first: dict[str, int] = {}
    for step in records.transitions():
        if step.kind == "firing" and step.rule.startswith(("car-alarm", "fault")):
            first.setdefault(step.device.path, step.sequence)
    return first


def _steps(records: outcome.Records) -> Steps:
    """Return what the engine decided of each device, in order, but for what it says of Anju's own components."""
    steps: Steps = defaultdict(list)
    for step in records.transitions():
        if step.kind in _OF_THE_ENGINE and step.rule != "device-floods":
            steps[step.device.path].append((step.rule, step.kind, step.alert_id, step.at))
    return steps
