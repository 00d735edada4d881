"""From a lift's button to the page while another device floods: three floods, each against separate processes."""

import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles

from core.clock import SystemClock
from core.devices import DeviceKey
from tests.acceptance import outcome
from tests.acceptance.bad_days import floods
from tests.acceptance.call_centre import call_centre
from tests.acceptance.running import Anju, wait_until
from tests.acceptance.test_emergency import EMERGENCY, NOTIFY
from tests.bench.running import BROKER
from tests.integration.session_driving import publish_all
from tests.integration.webhook_receiver import SECRET, WebhookReceiver
from tests.servers.mosquitto import Mosquitto
from tests.servers.places import find_program

BUTTONS = 24
WANTED_SECONDS = 1.0
_WAIT_SECONDS = 600.0
# The client queues 65,535 messages at most.
_PIECE = 50_000
_NO_BUDGET = {"ANJU_FLOODS__DEVICE_RATE": 100_000, "ANJU_FLOODS__DEVICE_BURST": 1_000_000}
_Flood = Callable[[datetime], Iterator[floods.Message]]
FLOODS: Mapping[str, _Flood] = {
    "calm": lambda _now: iter(()),
    "2,000 looks of a camera with 64 new regions each": lambda now: floods.camera(2_000, now),
    "1,000 presses of one button": lambda now: floods.presses(1_000, now),
    "200,000 readings of one lift": lambda now: floods.readings(200_000, now),
}


def measure() -> Iterator[list[str]]:
    """Yield the figures of every flood, with the budgets by default and without any."""
    for title, budget in (("budgets", {}), ("no budget", _NO_BUDGET)):
        for name, flood in FLOODS.items():
            with tempfile.TemporaryDirectory(prefix="anju-bench-") as folder:
                yield _measured(Path(folder), f"{name}, {title}", flood, budget)


def _measured(folder: Path, title: str, flood: _Flood, budget: Mapping[str, object]) -> list[str]:
    with _plant(folder, budget) as (port, receiver, var):
        messages = list(flood(SystemClock().now()))
        child = multiprocessing.get_context("spawn").Process(target=_publish, args=(port, messages))
        began = time.monotonic()
        child.start()
        took = sorted(_press(port, receiver, floods.lift(f"lift-{number}")) for number in range(BUTTONS))
        child.join()
        published = time.monotonic() - began
        wait_until(lambda: _is_decided(var, len(messages) + BUTTONS), lambda: title, _WAIT_SECONDS)
        ended = time.monotonic() - began
    p99 = quantiles(took, n=100, method="inclusive")[98]
    late = sum(each > WANTED_SECONDS for each in took)
    return [
        f"{title}: button to page median {median(took) * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms;"
        f" {late} of {BUTTONS} later than {WANTED_SECONDS:g} s",
        f"  flood published after {published:.1f} s, decided after {ended:.1f} s",
    ]


def _publish(port: int, messages: Sequence[floods.Message]) -> None:
    for start in range(0, len(messages), _PIECE):
        publish_all(port, messages[start : start + _PIECE])


@contextmanager
def _plant(folder: Path, budget: Mapping[str, object]) -> Iterator[tuple[int, WebhookReceiver, Path]]:
    program = find_program("mosquitto")
    assert program is not None, "Mosquitto is not installed"
    with Mosquitto(program, BROKER, save_every_change=False) as broker, call_centre() as receiver:
        (folder / "notify.yaml").write_text(NOTIFY.format(url=receiver.url), encoding="utf-8")
        (folder / "emergency.yaml").write_text(EMERGENCY, encoding="utf-8")
        settings = {
            "ANJU_MQTT__PORT": broker.port,
            "ANJU_BROKER__EMBEDDED": "none",
            "ANJU_NOTIFY__PLAN": folder / "notify.yaml",
            "ANJU_EMERGENCY__PLAN": folder / "emergency.yaml",
            "CALL_SECRET": SECRET,
            **budget,
        }
        var = folder / "var"
        with Anju("ingest", var, settings) as ingest, Anju("alerts", var, settings) as alerts:
            ingest.wait_ready()
            alerts.wait_ready()
            yield broker.port, receiver, var


def _press(port: int, receiver: WebhookReceiver, lift: DeviceKey) -> float:
    """Press a lift's button; return how long it took until the page was there."""
    seen, pressed = 0, floods.event(lift, SystemClock().now(), 0, type="alarm_pressed")
    began = time.monotonic()
    publish_all(port, [pressed])

    def paged() -> bool:
        nonlocal seen
        new = receiver.requests[seen:]
        seen += len(new)
        return any(lift.path in json.dumps(request.document.get("call", "")) for request in new)

    wait_until(paged, lambda: f"{lift.path} was not paged", _WAIT_SECONDS)
    return time.monotonic() - began


def _is_decided(var: Path, count: int) -> bool:
    last = outcome.last_position(var)
    return last >= count and outcome.Records(var).position() == last
