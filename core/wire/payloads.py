"""Native payloads as msgspec structs: decoding one checks types and ranges, once, at the border.

Every signal is optional: a gateway sends what its controller knows. Units stand in the names. Bounds are the limits of
the physically possible, not of the healthy: beyond them a value is a broken reading and its message is rejected.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

Word = Annotated[str, Meta(min_length=1, max_length=64)]
Counter = Annotated[int, Meta(ge=0, le=2**53)]
# Fastest lift in service: 20.5 m/s (CTF Finance Centre, Guangzhou); ours run at 1.0-1.75 m/s.
Speed = Annotated[float, Meta(ge=-25.0, le=25.0)]
Metres = Annotated[float, Meta(ge=-200.0, le=1_000.0)]
Kilograms = Annotated[float, Meta(ge=0.0, le=20_000.0)]
# Radiometric cameras measure -40 to 2,000 °C at the widest.
Celsius = Annotated[float, Meta(ge=-60.0, le=2_000.0)]
Floor = Annotated[str, Meta(min_length=1, max_length=16)]
"""A floor as it is called at the lift; sorted by the device's own list, never as a number."""
# Without control characters, which the decoder refuses in other texts: a pattern costs nothing where there is no list.
_PrintableFloor = Annotated[
    str, Meta(min_length=1, max_length=16, pattern=r"^(?![\s\S]*[\x00-\x1f\x7f-\x9f\u2028\u2029])")
]
Floors = Annotated[list[_PrintableFloor], Meta(max_length=128)]
# Ours: half a storey; a car that stands further off is between floors, and its position says where.
LevellingMetres = Annotated[float, Meta(ge=-2.0, le=2.0)]
# Ours: windings of the highest common insulation class (H) end at 180 °C; twice that is a broken sensor.
MotorCelsius = Annotated[float, Meta(ge=-60.0, le=400.0)]
# Ours: a shed's feeder carries some hundred amperes at the most.
Amperes = Annotated[float, Meta(ge=0.0, le=1_000.0)]
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]


class ServiceMode(StrEnum):
    """Service_Mode of GB/T 24476-2017, in its order 0 to 7."""

    STOPPED = "stopped"
    NORMAL = "normal"
    INSPECTION = "inspection"
    FIRE_RECALL = "fire_recall"
    FIREFIGHTER = "firefighter"
    EMERGENCY_POWER = "emergency_power"
    EARTHQUAKE = "earthquake"
    UNKNOWN = "unknown"


class Direction(StrEnum):
    STOPPED = "stopped"
    UP = "up"
    DOWN = "down"


class DoorState(StrEnum):
    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"


class Payload(Struct, kw_only=True, repr_omit_defaults=True):
    """What every payload carries: the device's own instant and, optionally, its running number."""

    at: datetime
    seq: Counter | None = None


class ElevatorTelemetry(Payload):
    """One reading of a lift. ``floor`` is free text ("B1", "G", "-1"); counters count since commissioning.

    ``direction`` is the arrow that passengers see, ``motion`` how the car really moves: an arrow may point up while the
    car stands. ``car_calls`` are the floors chosen in the car, ``landing_doors_open`` those whose landing door is open;
    an empty list says that there are none. ``levelling_error_metres`` is the sill's distance from the landing, positive
    above it; ``door_position_fraction`` is 0 for closed and 1 for fully open.
    """

    service_mode: ServiceMode | None = None
    direction: Direction | None = None
    floor: Floor | None = None
    position_metres: Metres | None = None
    speed_mps: Speed | None = None
    door_state: DoorState | None = None
    door_zone: bool | None = None
    passenger_present: bool | None = None
    load_kilograms: Kilograms | None = None
    trip_count: Counter | None = None
    door_cycle_count: Counter | None = None
    running_seconds: Counter | None = None
    main_power: bool | None = None
    # Behind those that every lift sends: msgspec looks for the next key from the field of the last one onwards.
    motion: Direction | None = None
    car_calls: Floors | None = None
    levelling_error_metres: LevellingMetres | None = None
    door_position_fraction: Fraction | None = None
    light_curtain_interrupted: bool | None = None
    landing_doors_open: Floors | None = None
    motor_celsius: MotorCelsius | None = None


class ElevatorEventType(StrEnum):
    FAULT_RAISED = "fault_raised"
    FAULT_CLEARED = "fault_cleared"
    FAULTS_CLEARED = "faults_cleared"
    """No fault of the list ``source`` stands any more."""
    ALARM_PRESSED = "alarm_pressed"
    ALARM_RELEASED = "alarm_released"
    """The button was let go."""
    ALARM_RESET = "alarm_reset"
    """The end of the alarm, set at the installation by a competent person (EN 81-28 / GB/T 24475-2023)."""
    ALARM_TESTED = "alarm_tested"
    """The alarm's automatic test call came through; due at least every 3 days (EN 81-28 / GB/T 24475-2023)."""
    ALARM_TEST_FAILED = "alarm_test_failed"
    """The alarm tried its test call, and the lift's own equipment found it failed."""
    MODE_CHANGED = "mode_changed"
    MAIN_POWER_CHANGED = "main_power_changed"
    EBIKE_DETECTED = "ebike_detected"
    EBIKE_CLEARED = "ebike_cleared"


_FAULTS = (ElevatorEventType.FAULT_RAISED, ElevatorEventType.FAULT_CLEARED)


class ElevatorEvent(Payload):
    """Something that happened at a lift.

    A fault carries ``source`` (which code list: the same number means different things in different feeds) and the raw
    ``code``; ``faults_cleared`` the ``source``; ``mode_changed`` the ``service_mode``; ``main_power_changed`` the
    ``main_power``.
    """

    type: ElevatorEventType
    source: Word | None = None
    code: Word | Annotated[int, Meta(ge=0, le=2**31)] | None = None
    service_mode: ServiceMode | None = None
    main_power: bool | None = None
    floor: Floor | None = None

    def __post_init__(self) -> None:
        if self.type in _FAULTS and (self.source is None or self.code is None):
            raise ValueError(f"{self.type.value} needs `source` and `code`")
        if self.type is ElevatorEventType.MODE_CHANGED and self.service_mode is None:
            raise ValueError("mode_changed needs `service_mode`")
        if self.type is ElevatorEventType.MAIN_POWER_CHANGED and self.main_power is None:
            raise ValueError("main_power_changed needs `main_power`")
        if self.type is ElevatorEventType.FAULTS_CLEARED and self.source is None:
            raise ValueError("faults_cleared needs `source`")
        if isinstance(self.code, int):
            self.code = str(self.code)


class GateEventType(StrEnum):
    GRANTED = "granted"
    DENIED = "denied"
    FORCED_OPEN = "forced_open"
    HELD_OPEN = "held_open"
    TAMPER = "tamper"
    TAMPER_CLEARED = "tamper_cleared"
    DURESS = "duress"
    DOOR_OPENED = "door_opened"
    DOOR_CLOSED = "door_closed"
    EXIT_BUTTON = "exit_button"
    TAILGATING = "tailgating"
    READER_FAULT = "reader_fault"
    """The card reader or keypad of the door does not work."""
    READER_FAULT_CLEARED = "reader_fault_cleared"
    SCHEDULED_UNLOCK_STARTED = "scheduled_unlock_started"
    """The controller holds the door unlocked by its timetable: opening it without a credential is as planned."""
    SCHEDULED_UNLOCK_ENDED = "scheduled_unlock_ended"


class DenialReason(StrEnum):
    UNKNOWN_CREDENTIAL = "unknown_credential"
    EXPIRED = "expired"
    BLACKLISTED = "blacklisted"
    OUTSIDE_PERMITTED_TIME = "outside_permitted_time"
    ANTI_PASSBACK = "anti_passback"
    OTHER = "other"


class GateEvent(Payload):
    """Something that happened at a gate; ``credential`` becomes a keyed pseudonym at decoding, names do not exist."""

    type: GateEventType
    door: Word = "1"
    reason: DenialReason | None = None
    credential: Word | None = None

    def __post_init__(self) -> None:
        if self.type is GateEventType.DENIED and self.reason is None:
            raise ValueError("denied needs `reason`")


class Region(Struct, kw_only=True, omit_defaults=True):
    """Temperatures of one measured region; ``hotspot`` is (x, y) of the maximum as fractions of width and height.

    ``charger_current_amperes`` is what the chargers of that region draw together.
    """

    region: Word
    maximum_celsius: Celsius
    minimum_celsius: Celsius | None = None
    average_celsius: Celsius | None = None
    hotspot: tuple[Fraction, Fraction] | None = None
    charger_current_amperes: Amperes | None = None


class ThermalTelemetry(Payload):
    """One look of a thermal camera: 1 to 64 regions and, where a sensor is there, the air's temperature and smoke.

    ``shutter_closed`` marks a look at the camera's own shutter: its temperatures are not those of the shed.
    """

    regions: Annotated[list[Region], Meta(min_length=1, max_length=64)]
    ambient_celsius: Celsius | None = None
    shutter_closed: bool | None = None
    smoke_detected: bool | None = None

    def __post_init__(self) -> None:
        if len({region.region for region in self.regions}) != len(self.regions):
            raise ValueError("`regions` names a region twice")


class ThermalEventType(StrEnum):
    EPISODE_STARTED = "episode_started"
    EPISODE_UPDATED = "episode_updated"
    EPISODE_ENDED = "episode_ended"


class ThermalLevel(StrEnum):
    PRE_ALARM = "pre_alarm"
    ALARM = "alarm"


class ThermalEvent(Payload):
    """A camera's own alarm as an episode: start, updates and end share one ``episode`` id."""

    type: ThermalEventType
    level: ThermalLevel
    region: Word
    episode: Word
    temperature_celsius: Celsius | None = None


class GatewayEventType(StrEnum):
    POWER_LOST = "power_lost"
    """The gateway runs on its battery."""
    POWER_RESTORED = "power_restored"
    BATTERY_LOW = "battery_low"
    BATTERY_OK = "battery_ok"
    CONTROLLER_LOST = "controller_lost"
    """The gateway is there, but a controller behind it no longer answers."""
    CONTROLLER_RESTORED = "controller_restored"


_CONTROLLERS = (GatewayEventType.CONTROLLER_LOST, GatewayEventType.CONTROLLER_RESTORED)


class GatewayEvent(Payload):
    """Something that happened at a gateway.

    ``controller`` names the device behind it, as in that device's own topic: the link between gateway and controller is
    another one than the link between gateway and broker.
    """

    type: GatewayEventType
    controller: Word | None = None

    def __post_init__(self) -> None:
        if self.type in _CONTROLLERS and self.controller is None:
            raise ValueError(f"{self.type.value} needs `controller`")


class PresenceStatus(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"


class Presence(Payload):
    """Birth (``online``) and last will (``offline``), both retained. A will's ``at`` is the instant of connecting."""

    status: PresenceStatus


Body = ElevatorTelemetry | ElevatorEvent | GateEvent | ThermalTelemetry | ThermalEvent | GatewayEvent | Presence

ADDED: dict[type[Struct], frozenset[str]] = {
    ElevatorTelemetry: frozenset(
        {"motion", "car_calls", "levelling_error_metres", "door_position_fraction", "light_curtain_interrupted"}
        | {"landing_doors_open", "motor_celsius"}
    ),
    ElevatorEvent: frozenset({"main_power"}),
    ThermalTelemetry: frozenset({"shutter_closed", "smoke_detected"}),
    Region: frozenset({"charger_current_amperes"}),
}
"""Optional fields that the contract gained after devices were connected. What a device already sent under such a name
in a shape of its own, stays an unknown field of its message."""
