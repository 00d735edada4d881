"""Fault kinds, and one mapping table per source: the same number means different things in different feeds."""

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
    HIT_BOTTOM = "hit_bottom"
    HIT_TOP = "hit_top"
    TRAPPED_AT_LEVEL = "trapped_at_level"
    TRAPPED_OFF_LEVEL = "trapped_off_level"
    OVERSPEED = "overspeed"
    MOVED_WITH_DOOR_OPEN = "moved_with_door_open"
    DOOR_OPENED_WHILE_RUNNING = "door_opened_while_running"
    REPEATED_DOOR_OPERATION = "repeated_door_operation"
    BRAKE = "brake"
    DOOR_LOCK_OPEN = "door_lock_open"
    OTHER = "other"


class FaultSeverity(StrEnum):
    """How bad a fault is for the people in and before the car."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"


class FaultMeaning(Struct, frozen=True):
    """A normalised kind with its severity and its names for people."""

    kind: FaultKind
    severity: FaultSeverity
    zh: str
    en: str


_CRITICAL, _MAJOR, _MINOR = FaultSeverity.CRITICAL, FaultSeverity.MAJOR, FaultSeverity.MINOR
_UNKNOWN = FaultMeaning(FaultKind.OTHER, _MAJOR, "其他故障", "other fault")

# GB/T 24476-2017 message codes, as two independent code bases implement them; 91-93 are the Chongqing platform's.
# Severities are ours: critical where a person can be hurt or is shut in, major where the lift is out of use.
_GBT_24476_2017 = {
    "1": FaultMeaning(FaultKind.SAFETY_CHAIN_OPEN, _CRITICAL, "运行时安全回路断路", "safety chain open while running"),
    "2": FaultMeaning(FaultKind.DOOR_CLOSE_FAILURE, _MAJOR, "关门故障", "door close failure"),
    "3": FaultMeaning(FaultKind.DOOR_OPEN_FAILURE, _MAJOR, "开门故障", "door open failure"),
    "4": FaultMeaning(
        FaultKind.STOPPED_OUTSIDE_DOOR_ZONE, _CRITICAL, "轿厢在开锁区域外停止", "car stopped outside unlocking zone"
    ),
    "5": FaultMeaning(FaultKind.UNINTENDED_MOVEMENT, _CRITICAL, "轿厢意外移动", "unintended car movement"),
    "6": FaultMeaning(
        FaultKind.MOTOR_RUN_TIME_LIMIT, _MAJOR, "电动机运转时间限制器动作", "motor run-time limiter tripped"
    ),
    "7": FaultMeaning(FaultKind.POSITION_LOST, _MAJOR, "楼层位置丢失", "floor position lost"),
    "8": FaultMeaning(FaultKind.RESTART_PREVENTED, _MAJOR, "防止电梯再运行故障", "other fault that prevents restart"),
    "41": FaultMeaning(FaultKind.MAIN_POWER_OFF, _MAJOR, "主电源断电", "main power off"),
    "91": FaultMeaning(FaultKind.HIT_BOTTOM, _CRITICAL, "蹲底", "hit bottom"),
    "92": FaultMeaning(FaultKind.HIT_TOP, _CRITICAL, "冲顶", "hit top"),
    "93": FaultMeaning(FaultKind.TRAPPED_AT_LEVEL, _CRITICAL, "平层关人", "trapped at level"),
}

_SOURCES = {"gbt24476-2017": _GBT_24476_2017}


def meaning_of(source: str, code: str) -> FaultMeaning:
    """Return what ``code`` means in the list ``source``; an unknown pair is *other fault*, major, never an error."""
    return _SOURCES.get(source, {}).get(code, _UNKNOWN)
