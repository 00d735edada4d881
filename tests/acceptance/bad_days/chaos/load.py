"""The load of the day of chaos: devices, residents and staff, and a record of what must become of all they do."""

import json
import queue
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from core.clock import SystemClock
from core.devices import Channel, DeviceKey, DeviceKind
from core.wire import topics
from tests.acceptance.bad_days.chaos.installation import Installation

COMMUNITIES = tuple(f"court-{number}" for number in range(1, 9))
"""So many that within an hour none has more unregistered lifts than are remembered (decision 0016)."""
FAULTS = {"chain": "1", "door": "2", "zone": "4", "restart": "8"}
"""GB/T 24476-2017 message codes, one for each rule."""
PACE_SECONDS = 0.03
ALARM_EVERY, PRESS_EVERY, TAP_EVERY_SECONDS = 20, 130, 3.0
ANSWERED_SHARE = 0.5
_FAMILIES = {
    (DeviceKind.ELEVATOR, Channel.TELEMETRY): "elevator",
    (DeviceKind.ELEVATOR, Channel.EVENT): "elevator_event",
    (DeviceKind.GATE, Channel.EVENT): "gate_event",
    (DeviceKind.THERMAL, Channel.TELEMETRY): "thermal",
}
Content = dict[str, object]


def _keys(kind: DeviceKind, name: str, count: int) -> list[DeviceKey]:
    return [DeviceKey(COMMUNITIES[n % len(COMMUNITIES)], kind, f"{name}-{n:02}") for n in range(count)]


LIFTS = _keys(DeviceKind.ELEVATOR, "lift", 10)
GATES = _keys(DeviceKind.GATE, "gate", 6)
CAMERAS = _keys(DeviceKind.THERMAL, "shed", 2)


class Publisher:
    """One persistent MQTT session that publishes with QoS 1 what `send` is given, until the broker has acknowledged it.

    What was not acknowledged when a connection broke is sent again by the session.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="chaos", clean_session=False)
        self._client.on_publish = self._on_publish
        self._client.max_inflight_messages_set(200)
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        self._waiting: queue.SimpleQueue[tuple[str, bytes] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._publish, name="publisher")
        self.acknowledged = 0
        """How many messages the broker has acknowledged."""

    def send(self, topic: str, payload: bytes) -> None:
        self._waiting.put((topic, payload))

    def _publish(self) -> None:
        while message := self._waiting.get():
            self._client.publish(*message, qos=1)

    def _on_publish(self, *_: object) -> None:
        self.acknowledged += 1

    def __enter__(self) -> Self:
        self._client.connect(*self._address)
        self._client.loop_start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.put(None)
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()


class Devices:
    """All devices: sends their messages, and records what must become of each."""

    def __init__(self, publisher: Publisher, chance: random.Random) -> None:
        self.publisher = publisher
        self.began = SystemClock().now()
        self.sent = 0
        self.stored: dict[tuple[DeviceKey, str], list[int]] = defaultdict(list)
        """Running numbers by device and family."""
        self.causes: Counter[tuple[str, str]] = Counter()
        """Rule and device of every alert."""
        self.pressed: set[str] = set()
        """Lifts whose button was pressed, once or more often."""
        self.rejected: set[str] = set()
        """Topics of messages that have to be rejected."""
        self._chance = chance
        self._numbers: Counter[DeviceKey] = Counter()
        self._names = 0
        self._lock = threading.Lock()

    def run(self, ending: threading.Event) -> None:
        """Send readings, faults and presses until ``ending`` is set."""
        turn = 0
        while not ending.wait(PACE_SECONDS):
            turn += 1
            self.send_reading()
            if turn % ALARM_EVERY == 0:
                self.raise_fault()
            if turn % PRESS_EVERY == 0:
                self.press_button(self.fresh_lift())

    def send_reading(self) -> None:
        """Send a reading, or the passage of a gate, of any device."""
        device = self._chance.choice([*LIFTS, *LIFTS, *GATES, *CAMERAS])
        if device.kind is DeviceKind.GATE:
            self.send(device, Channel.EVENT, {"type": "door_opened"})
        elif device.kind is DeviceKind.THERMAL:
            self.send_temperature(device, f"row-{self._chance.randrange(4)}")
        else:
            self.send(device, Channel.TELEMETRY, {"floor": "1", "speed_mps": 0.5, "service_mode": "normal"})

    def send_temperature(self, camera: DeviceKey, region: str) -> None:
        """Send a reading of ``region`` far below every threshold."""
        self.send(camera, Channel.TELEMETRY, {"regions": [{"region": region, "maximum_celsius": 20.0}]})

    def fresh_lift(self) -> DeviceKey:
        """Return a lift that has sent nothing yet."""
        with self._lock:
            self._names += 1
            return DeviceKey(COMMUNITIES[self._names % len(COMMUNITIES)], DeviceKind.ELEVATOR, f"car-{self._names:04}")

    def raise_fault(self) -> None:
        """Raise a fault at a fresh lift."""
        rule, lift = self._chance.choice(list(FAULTS)), self.fresh_lift()
        self.causes[(rule, lift.path)] += 1
        self.send(lift, Channel.EVENT, {"type": "fault_raised", "source": "gbt24476-2017", "code": FAULTS[rule]})

    def press_button(self, lift: DeviceKey) -> None:
        """Press the button in the car; pressed again it is the same alert, and the same call."""
        if lift.path not in self.pressed:
            self.pressed.add(lift.path)
            self.causes[("car-alarm-button", lift.path)] += 1
        self.send(lift, Channel.EVENT, {"type": "alarm_pressed"})

    def send(self, device: DeviceKey, channel: Channel, content: Content) -> None:
        """Publish a message that has to be stored; ``seq`` counts those of its device."""
        with self._lock:
            self._numbers[device] += 1
            number = self._numbers[device]
            self.stored[(device, _FAMILIES[(device.kind, channel)])].append(number)
            self.sent += 1
            payload = {"at": SystemClock().now().isoformat(), "seq": number, **content}
            self.publisher.send(topics.build(device, channel), json.dumps(payload).encode())

    def send_invalid(self, topic: str, payload: bytes) -> None:
        """Publish a message that has to be rejected, on a topic of its own: ``{number}`` in it is replaced."""
        with self._lock:
            self._names += 1
            name = topic.format(number=f"odd-{self._names}")
            self.rejected.add(name)
            self.sent += 1
            self.publisher.send(name, payload)


class Residents:
    """Raises calls by the app and by QR codes; a tap counts once it was answered with 2xx."""

    def __init__(self, installation: Installation, devices: Devices) -> None:
        self._installation = installation
        self._devices = devices
        self.answered: dict[str, str] = {}
        """Lifts by the call that a tap was answered with."""

    def run(self, ending: threading.Event) -> None:
        """Tap until ``ending`` is set; the last tap is waited for."""
        turn = 0
        with self._installation.staff() as client:
            while not ending.wait(TAP_EVERY_SECONDS):
                turn += 1
                lift = self._devices.fresh_lift().path
                call = self._tap_in_app(client, lift) if turn % 2 else self._tap_on_wall(client, lift)
                assert call not in self.answered, f"{lift} was answered with the call of {self.answered[call]}"
                self.answered[call] = lift

    def _tap_in_app(self, client: httpx.Client, lift: str) -> str:
        headers = {"Idempotency-Key": f"tap-{lift}"}
        return str(post_until_answered(client, "/emergency-calls", headers=headers, json={"lift": lift})["id"])

    def _tap_on_wall(self, client: httpx.Client, lift: str) -> str:
        path: str = post_until_answered(client, "/call-points", json={"lift": lift})["path"]
        url = str(client.base_url.copy_with(path=f"{path}/calls"))
        headers = {"Idempotency-Key": f"tap-{lift}", "Accept": "application/json"}
        return str(post_until_answered(client, url, headers=headers)["id"])


def post_until_answered(client: httpx.Client, url: str, **request: Any) -> dict[str, Any]:
    """Post until the answer is 2xx, and return it; meanwhile only 503 and lost connections are allowed."""
    while True:
        try:
            answer = client.post(url, **request)
        except httpx.TransportError:
            time.sleep(0.5)  # As an app does that has lost its connection.
            continue
        if answer.is_success:
            found: dict[str, Any] = answer.json()
            return found
        assert answer.status_code == 503, f"{url}: {answer.status_code} {answer.text}"
        time.sleep(0.5)  # The same.


class Staff:
    """Answers about half of the calls and closes those that taps raised; leaves the others to the ladder."""

    ACTS = ("answer", "on-site", "freed", "close")

    def __init__(self, installation: Installation, chance: random.Random) -> None:
        self._installation = installation
        self._chance = chance
        self._left: dict[str, list[str]] = {}
        self.seen: set[str] = set()
        self.done: dict[str, list[str]] = {}
        """What was done to each call that was taken."""

    def run(self, ending: threading.Event) -> None:
        """Work until ``ending`` is set and everything begun is done."""
        with self._installation.staff() as client:
            while not ending.wait(0.5) or self._left:
                try:
                    self._take_new_calls(client)
                except httpx.TransportError:
                    continue
                for call in self._chance.sample(list(self._left), k=len(self._left) // 2 or len(self._left)):
                    self._do_next_act(client, call)

    def _take_new_calls(self, client: httpx.Client) -> None:
        listed = client.get("/emergency-calls", params={"limit": 50})
        if listed.status_code == 503:
            return
        for call in listed.raise_for_status().json()["items"]:
            if call["id"] not in self.seen:
                self.seen.add(call["id"])
                if self._chance.random() < ANSWERED_SHARE:
                    # A call of a button can be closed only after the end of alarm was set at the lift.
                    acts = self.ACTS[:2] if call["source"] == "car_button" else self.ACTS
                    self._left[call["id"]] = list(acts)
                    self.done[call["id"]] = list(acts)

    def _do_next_act(self, client: httpx.Client, call: str) -> None:
        act, *more = self._left[call]
        body = {"cause": "other"} if act == "close" else None
        post_until_answered(client, f"/emergency-calls/{call}/{act}", json=body)
        if more:
            self._left[call] = more
        else:
            del self._left[call]


@contextmanager
def devices(installation: Installation, chance: random.Random) -> Iterator[Devices]:
    """Open the devices' session with the broker."""
    with Publisher(installation.servers.broker.host, installation.servers.broker.port) as publisher:
        yield Devices(publisher, chance)
