"""Three floods as messages: a camera with new regions, a button pressed again and again, readings without end."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

from core.devices import Channel, DeviceKey, DeviceKind
from core.wire import topics

COMMUNITY = "willow-court"
REGIONS = 64
_FAULT = {"source": "gbt24476-2017", "code": "2"}
Message = tuple[str, bytes]
"""Topic and payload."""


def lift(name: str) -> DeviceKey:
    """Return a lift of the community."""
    return DeviceKey(COMMUNITY, DeviceKind.ELEVATOR, name)


CAMERA = DeviceKey(COMMUNITY, DeviceKind.THERMAL, "camera")
BUTTON = lift("button")
CHATTY = lift("chatty")


def camera(count: int, start: datetime) -> Iterator[Message]:
    """Yield looks of a camera at `REGIONS` regions that it never named before."""
    for number in range(count):
        regions = [{"region": f"r{number}-{region}", "maximum_celsius": 25.0} for region in range(REGIONS)]
        yield _telemetry(CAMERA, start, number, regions=regions)


def presses(count: int, start: datetime) -> Iterator[Message]:
    """Yield presses of one button, each with its release."""
    for number in range(count):
        yield event(BUTTON, start, 2 * number, type="alarm_pressed")
        yield event(BUTTON, start, 2 * number + 1, type="alarm_released")


def readings(count: int, start: datetime) -> Iterator[Message]:
    """Yield readings of one lift, and at last a fault of it."""
    for number in range(count):
        yield _telemetry(CHATTY, start, number, floor=str(number % 20), direction="up")
    yield event(CHATTY, start, count, type="fault_raised", **_FAULT)


def event(device: DeviceKey, start: datetime, number: int, **content: object) -> Message:
    """Return an event, ``number`` microseconds after ``start``."""
    return _message(device, Channel.EVENT, start, number, content)


def _telemetry(device: DeviceKey, start: datetime, number: int, **content: object) -> Message:
    return _message(device, Channel.TELEMETRY, start, number, content)


def _message(device: DeviceKey, channel: Channel, start: datetime, number: int, content: dict[str, object]) -> Message:
    at = start + timedelta(microseconds=number)
    return topics.build(device, channel), json.dumps({"at": at.isoformat(), "seq": number, **content}).encode()
