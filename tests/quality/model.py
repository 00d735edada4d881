"""The parts of an estate of known truth: messages as they reach Anju, the incidents and disturbances behind them.

A world (lifts, sheds, gates) simulates people, machines, sensors and links from a seed. It shares nothing with
`simulators/` but the wire: a mistake in the product's own device models must not hide in the corpus that judges it.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from alerts.inventory import DeviceFacts
from core.devices import DeviceKey

COMMUNITY = "quality"


class Message(Struct, frozen=True, order=True):
    """One MQTT message at the instant at which Anju receives it."""

    received_at: datetime
    topic: str
    payload: bytes


class IncidentKind(StrEnum):
    """What an alert may truthfully be about."""

    ENTRAPMENT = "entrapment"
    FIRE = "fire"
    FORCED_ENTRY = "forced_entry"
    DURESS = "duress"
    TAMPER = "tamper"
    TAILGATING = "tailgating"
    HELD_OPEN = "held_open"
    LIFT_FAULT = "lift_fault"
    """A fault of the machine with nobody shut in; ``variant`` says which."""
    DOOR_WEAR = "door_wear"
    """A degradation over days that ends in a fault of the door."""
    LEVELLING_WEAR = "levelling_wear"
    BUTTON = "button"
    """The alarm button of a car was pressed by somebody who wanted help."""
    EBIKE_IN_CAR = "ebike_in_car"
    OVERLOAD = "overload"
    POWER_CUT = "power_cut"
    LINK_DOWN = "link_down"
    """A device or gateway that really cannot be heard."""
    SENSOR_FAULT = "sensor_fault"
    """A sensor that really is broken: a stuck people sensor, a camera that shows rubbish."""


class Incident(Struct, kw_only=True):
    """Something that really happened, which an alert should tell of (worlds fill ``first_sign`` as they go)."""

    kind: IncidentKind
    device: DeviceKey
    part: str = ""
    """The region or door; empty for the whole device."""
    began: datetime
    ended: datetime
    variant: str = ""
    """A short name of the course it took: "off-level", "jammed-ajar", "slow-fire-under-sun-patch"."""
    first_sign: datetime | None = None
    """When Anju received the first message that carries any sign of it; ``None``: none was received."""
    pressed: datetime | None = None
    """When Anju received the first press of the alarm button during it."""


class Disturbance(Struct, kw_only=True):
    """Something harmless that may set off an alert falsely; it names the cause of a false alert in the report."""

    cause: str
    """A short name: "stuck-people-sensor", "maintenance-visit", "sun-patch", "wind-on-contact"."""
    device: DeviceKey
    part: str = ""
    began: datetime
    ended: datetime


class Station(Struct, kw_only=True, frozen=True):
    """One device with its make: what the report groups by."""

    device: DeviceKey
    facts: DeviceFacts = DeviceFacts()
    make: str = ""
    """The controller or camera with the signals it lacks: "no-door-zone+no-people-sensor"."""
    pace: str = ""
    """How its gateway sends: "every-1s", "every-30s", "on-change", with "+weak-link" where it loses messages."""


class World(Struct, kw_only=True):
    """One device's life over a span: a lazy stream of messages ordered by ``received_at``, and the truth beside it.

    ``incidents`` and ``disturbances`` are complete only once ``messages`` is exhausted.
    """

    station: Station
    messages: Iterator[Message]
    incidents: list[Incident]
    disturbances: list[Disturbance]


class Span(Struct, frozen=True):
    """The simulated time: ``[since, since + length)``."""

    since: datetime
    length: timedelta

    @property
    def until(self) -> datetime:
        return self.since + self.length
