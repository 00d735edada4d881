"""Which machines there are, and how one is named."""

from enum import StrEnum
from typing import Self

import msgspec


class DeviceKind(StrEnum):
    """The families of machines Anju watches."""

    ELEVATOR = "elevator"
    GATE = "gate"
    THERMAL = "thermal"
    GATEWAY = "gateway"
    """A box between the broker and the devices that hang on it: what it cannot tell, they cannot either."""
    SYSTEM = "system"
    """A part of Anju itself, so that alerts can be about it. Nothing speaks for it over MQTT, and no rule is for it."""


class Channel(StrEnum):
    """The streams a device speaks on."""

    TELEMETRY = "telemetry"
    EVENT = "event"
    PRESENCE = "presence"


class DeviceKey(msgspec.Struct, frozen=True, order=True):
    """Names one device; all three parts are lower-case topic words (``[a-z0-9-]``, 1 to 64 characters)."""

    community: str
    kind: DeviceKind
    device: str

    def __hash__(self) -> int:
        # The generated hash walks every field; two strings tell devices apart well enough and cost half.
        return hash((self.community, self.device))

    @property
    def path(self) -> str:
        """``community/kind/device``, the form used in logs, in URLs and as a database key."""
        return f"{self.community}/{self.kind.value}/{self.device}"

    @classmethod
    def from_path(cls, path: str) -> Self:
        """Undo `path`; raises `ValueError` when ``path`` has not three parts or names an unknown kind."""
        community, kind, device = path.split("/")
        return cls(community, DeviceKind(kind), device)
