"""What Anju asks of devices: ``anju-command/v1/{community}/{kind}/{device}``, apart from what they say themselves."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from msgspec import Struct

from core.devices import DeviceKey

ROOT = "anju-command/v1"


class ElevatorCommandType(StrEnum):
    ALARM_TEST = "alarm_test"
    """Make the test call of the car's alarm now, and say ``alarm_tested`` or ``alarm_test_failed``."""


class ElevatorCommand(Struct, kw_only=True, frozen=True):
    """Something asked of a lift. Whoever gets one older than an hour leaves it undone: it is asked again."""

    command: ElevatorCommandType
    at: datetime


# How long a command is worth doing: by then it has been asked again.
KEEPS = timedelta(hours=1)


def build(device: DeviceKey) -> str:
    """Return the topic on which ``device`` is asked."""
    return f"{ROOT}/{device.path}"


def device_of(topic: str) -> DeviceKey:
    """Return who is asked on ``topic``; raises `ValueError` where that is none of these topics."""
    root, _, path = topic.partition(f"{ROOT}/")
    if root or not path:
        raise ValueError(f"topic {topic[:200]!r}: expected {ROOT}/{{community}}/{{kind}}/{{device}}")
    return DeviceKey.from_path(path)


def encode(command: ElevatorCommand) -> bytes:
    """Return ``command`` as it crosses the wire."""
    return msgspec.json.encode(command)
