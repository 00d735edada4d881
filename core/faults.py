"""What a code of a lift can mean: the same number means different things in different feeds, so each source has a list.

A code of class *event*, and the alarm button, is no fault: `core.code_events` turns a message that carries one into
the event it stands for. The lists are data: `core.code_lists` reads and checks them.
"""

from enum import StrEnum

from msgspec import Struct


class FaultKind(StrEnum):
    """What is wrong, whatever number a feed gives it."""

    SAFETY_CHAIN_OPEN = "safety_chain_open"
    DOOR_CLOSE_FAILURE = "door_close_failure"
    DOOR_OPEN_FAILURE = "door_open_failure"
    STOPPED_OUTSIDE_DOOR_ZONE = "stopped_outside_door_zone"
    UNINTENDED_MOVEMENT = "unintended_movement"
    MOTOR_RUN_TIME_LIMIT = "motor_run_time_limit"
    POSITION_LOST = "position_lost"
    RESTART_PREVENTED = "restart_prevented"
    MAIN_POWER_OFF = "main_power_off"
    """Only of faults kept before codes of class *event* became events; now `main_power_changed` says it."""
    HIT_BOTTOM = "hit_bottom"
    HIT_TOP = "hit_top"
    TRAPPED = "trapped"
    """At level or not: the feed does not tell."""
    TRAPPED_AT_LEVEL = "trapped_at_level"
    TRAPPED_OFF_LEVEL = "trapped_off_level"
    OVERSPEED = "overspeed"
    MOVED_WITH_DOOR_OPEN = "moved_with_door_open"
    DOOR_OPENED_WHILE_RUNNING = "door_opened_while_running"
    REPEATED_DOOR_OPERATION = "repeated_door_operation"
    BRAKE = "brake"
    DOOR_LOCK_OPEN = "door_lock_open"
    DEVICE_OFFLINE = "device_offline"
    OTHER = "other"


class EventKind(StrEnum):
    """What a code says that is no fault."""

    NO_FAULT = "no_fault"
    BACK_TO_AUTOMATIC = "back_to_automatic"
    MAIN_POWER_OFF = "main_power_off"
    OUT_OF_SERVICE = "out_of_service"
    INSPECTION = "inspection"
    FIRE_RECALL = "fire_recall"
    FIREFIGHTER = "firefighter"
    EMERGENCY_POWER = "emergency_power"
    EARTHQUAKE = "earthquake"
    ALARM_BUTTON = "alarm_button"
    EBIKE_IN_CAR = "ebike_in_car"


class CodeClass(StrEnum):
    """How a list itself sorts its codes."""

    FAULT = "fault"
    EVENT = "event"
    ALARM = "alarm"


class FaultSeverity(StrEnum):
    """How bad a fault is for the people in and before the car."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"


class CodeMeaning(Struct, frozen=True):
    """A normalised kind with its names for people. ``severity`` is that of a fault; an event has none of its own."""

    code_class: CodeClass
    kind: FaultKind | EventKind
    severity: FaultSeverity | None
    zh: str
    en: str
