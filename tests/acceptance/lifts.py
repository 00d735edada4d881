"""A numbered day of twenty lifts, what must become of it, and a publisher that remembers what was acknowledged."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion

from core.clock import SystemClock
from core.devices import Channel, DeviceKey, DeviceKind
from core.wire import topics

LIFTS = tuple(DeviceKey("willow-court", DeviceKind.ELEVATOR, f"lift-{number:02}") for number in range(1, 21))
DOOR_FAULT = {"source": "gbt24476-2017", "code": "2"}  # Message code 2, door close failure: major.
PACE_SECONDS = 0.001
# What one lift does, over and over; each lift begins one step further than its neighbour.
ROUND = (
    "telemetry",
    "alarm_pressed",
    "telemetry",
    "fault_raised",
    "telemetry",
    "alarm_released",
    "telemetry",
    "broken",
    "fault_cleared",
    "telemetry",
    "telemetry",
)
RULES = {"alarm": "car-alarm-button", "fault": "fault-major"}
STEPS = {"pressed": "firing", "raised": "firing", "released": "resolved", "cleared": "resolved"}
RULE_SETTINGS = {
    "ANJU_RULES__BUILTIN": "false",
    "ANJU_RULES__FILES": json.dumps([str(Path(__file__).with_name("numbered_day.yaml"))]),
}
"""The settings that put these rules in force, and no others."""
Alert = tuple[str, str, str]
"""Rule, device, kind of transition."""


@dataclass
class Expectation:
    """What must be there in the end, gathered while messages are made."""

    stored: dict[tuple[DeviceKey, str], list[int]] = field(default_factory=dict)
    """Sequence numbers by lift and family."""
    rejected: set[int] = field(default_factory=set)
    transitions: Counter[Alert] = field(default_factory=Counter)
    open: set[tuple[str, str]] = field(default_factory=set)
    """Rule and device of the alerts that nothing has ended."""

    def note(self, lift: DeviceKey, step: str, number: int) -> None:
        """Take in message ``number``."""
        if step == "broken":
            self.rejected.add(number)
            return
        family = "elevator" if step == "telemetry" else "elevator_event"
        self.stored.setdefault((lift, family), []).append(number)
        if step != "telemetry":
            self._note_event(lift.path, *step.split("_"))

    def _note_event(self, lift: str, subject: str, happened: str) -> None:
        rule, kind = RULES[subject], STEPS[happened]
        if kind == "firing":
            self.open.add((rule, lift))
        elif (rule, lift) in self.open:
            self.open.remove((rule, lift))
        else:
            return  # The end of something that began before the first message ends nothing.
        self.transitions[(rule, lift, kind)] += 1


class Day:
    """Makes message after message; `at` rises by at least a microsecond each."""

    def __init__(self) -> None:
        self.expected = Expectation()
        self.first_at = self._at = SystemClock().now()

    def message(self, number: int) -> tuple[str, bytes]:
        """Return topic and payload of message ``number``; to be called once for each, in rising order."""
        lift = LIFTS[number % len(LIFTS)]
        turn = number // len(LIFTS)
        step = ROUND[(turn + number % len(LIFTS)) % len(ROUND)]
        self.expected.note(lift, step, number)
        channel = Channel.TELEMETRY if step in ("telemetry", "broken") else Channel.EVENT
        payload = {"at": self._next_at().isoformat(), "seq": number, **_content(step, turn)}
        return topics.build(lift, channel), json.dumps(payload).encode()

    def _next_at(self) -> datetime:
        self._at = max(SystemClock().now(), self._at + timedelta(microseconds=1))
        return self._at


def _content(step: str, turn: int) -> dict[str, object]:
    if step == "telemetry":
        up = turn % 2 == 0
        return {
            "service_mode": "normal",
            "direction": "up" if up else "down",
            "floor": str(turn % 7 + 1),
            "speed_mps": 1.0 if up else -1.0,
            "trip_count": turn,
        }
    if step == "broken":
        return {"speed_mps": 99.0}
    return {"type": step, **(DOOR_FAULT if step.startswith("fault") else {})}


class LiftPublisher:
    """Publishes a `Day` with QoS 1 over one persistent session, up to the number it is allowed, and counts PUBACKs.

    What was not acknowledged when a connection broke is sent again by the session, nothing else is.
    """

    def __init__(self, host: str, port: int) -> None:
        self.day = Day()
        self.sent = 0
        self._allowed = 0
        self._closing = False
        self._numbers: dict[int, int] = {}
        self._acknowledged: set[int] = set()
        self._may_go_on = threading.Condition()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="lifts", clean_session=False)
        self._client.on_publish = self._on_publish
        self._client.max_inflight_messages_set(200)
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        self._address = host, port
        self._thread = threading.Thread(target=self._publish, name="lifts")

    @property
    def acknowledged(self) -> set[int]:
        """The numbers of the messages whose PUBACK has come."""
        return {self._numbers[mid] for mid in tuple(self._acknowledged) if mid in self._numbers}

    @property
    def allowed(self) -> int:
        """The number below which it may publish."""
        return self._allowed

    @property
    def all_acknowledged(self) -> bool:
        return len(self.acknowledged) == self.sent

    @property
    def connected(self) -> bool:
        return self._client.is_connected()

    def allow(self, number: int) -> None:
        """Let it publish messages below ``number``."""
        with self._may_go_on:
            self._allowed = number
            self._may_go_on.notify()

    def pause(self) -> int:
        """Stop after the present message and return how many would have been allowed."""
        with self._may_go_on:
            allowed, self._allowed = self._allowed, 0
        return allowed

    def _on_publish(self, _client: Client, _userdata: Any, mid: int, *_: Any) -> None:
        self._acknowledged.add(mid)

    def _publish(self) -> None:
        while self._wait_for_leave():
            time.sleep(PACE_SECONDS)

    def _wait_for_leave(self) -> bool:
        """Send one message once that is allowed; False in the end."""
        with self._may_go_on:
            self._may_go_on.wait_for(lambda: self._closing or self.sent < self._allowed)
            if self._closing:
                return False
            topic, payload = self.day.message(self.sent)
            sending: MQTTMessageInfo = self._client.publish(topic, payload, qos=1)
            self._numbers[sending.mid] = self.sent
            self.sent += 1
            return True

    def __enter__(self) -> Self:
        self._client.connect(*self._address)
        self._client.loop_start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._may_go_on:
            self._closing = True
            self._may_go_on.notify()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()
