"""How values, signals and events are called when an alert says why it fired, in both languages."""

from collections.abc import Iterable
from datetime import datetime, tzinfo

from core.clock import from_microseconds
from core.code_lists import meaning_of

FAULT_SEPARATOR = "\x1f"
"""Parts source and code in the identity of a fault; no code list contains it."""

_SIGNALS = {
    "service_mode": ("服务模式", "service mode", ""),
    "direction": ("轿厢方向", "car direction", ""),
    "motion": ("轿厢运动", "car motion", ""),
    "floor": ("楼层", "floor", ""),
    "car_calls": ("轿内登记楼层", "car calls", ""),
    "position_metres": ("轿厢位置", "car position", " m"),
    "speed_mps": ("轿厢速度", "car speed", " m/s"),
    "levelling_error_metres": ("平层误差", "levelling error", " m"),
    "door_state": ("轿门", "car door", ""),
    "door_position_fraction": ("轿门开度", "door position", ""),
    "light_curtain_interrupted": ("光幕被遮挡", "light curtain interrupted", ""),
    "landing_doors_open": ("打开的层门", "landing doors open", ""),
    "door_zone": ("在开锁区", "in the door zone", ""),
    "passenger_present": ("轿厢有人", "someone in the car", ""),
    "load_kilograms": ("载重", "load", " kg"),
    "trip_count": ("运行次数", "trip count", ""),
    "door_cycle_count": ("开门次数", "door cycles", ""),
    "running_seconds": ("运行时间", "running time", " s"),
    "main_power": ("主电源", "mains power", ""),
    "motor_celsius": ("电动机温度", "motor temperature", " °C"),
    "maximum_celsius": ("最高温度", "maximum temperature", " °C"),
    "minimum_celsius": ("最低温度", "minimum temperature", " °C"),
    "average_celsius": ("平均温度", "average temperature", " °C"),
    "charger_current_amperes": ("充电电流", "charger current", " A"),
    "ambient_celsius": ("环境温度", "ambient temperature", " °C"),
    "shutter_closed": ("热像仪快门关闭", "camera shutter closed", ""),
    "smoke_detected": ("检测到烟雾", "smoke detected", ""),
}
_VALUES = {
    "stopped": "停止",
    "normal": "正常",
    "inspection": "检修",
    "fire_recall": "消防返回",
    "firefighter": "消防员运行",
    "emergency_power": "应急电源",
    "earthquake": "地震",
    "unknown": "未知",
    "up": "上行",
    "down": "下行",
    "closed": "关闭",
    "opening": "正在打开",
    "open": "打开",
    "closing": "正在关闭",
}
# What a guard would say of a value; all others are told as a name with its value.
_SAID: dict[tuple[str, object], tuple[str, str]] = {
    ("passenger_present", True): ("轿厢内有人", "someone is in the car"),
    ("passenger_present", False): ("未感应到轿厢内有人", "nobody is sensed in the car"),
    ("door_zone", True): ("轿厢在平层位置", "the car is at a landing"),
    ("door_zone", False): ("轿厢不在平层位置", "the car is not at a landing"),
    ("door_state", "closed"): ("轿门关闭", "the car door is closed"),
    ("door_state", "open"): ("轿门打开", "the car door is open"),
    ("door_state", "opening"): ("轿门未开到位", "the car door is opening"),
    ("door_state", "closing"): ("轿门未关到位", "the car door is closing"),
    ("direction", "stopped"): ("轿厢静止", "the car stands still"),
    ("direction", "up"): ("轿厢上行", "the car goes up"),
    ("direction", "down"): ("轿厢下行", "the car goes down"),
    ("motion", "stopped"): ("轿厢静止", "the car stands still"),
    ("motion", "up"): ("轿厢上行", "the car goes up"),
    ("motion", "down"): ("轿厢下行", "the car goes down"),
    ("main_power", True): ("主电源正常", "mains power is on"),
    ("main_power", False): ("主电源断电", "mains power is off"),
    ("service_mode", "stopped"): ("电梯停止服务", "the lift is out of service"),
    ("service_mode", "normal"): ("电梯处于正常服务模式", "the lift is in normal service"),
    ("service_mode", "inspection"): ("电梯处于检修状态", "the lift is in inspection"),
    ("service_mode", "fire_recall"): ("电梯处于消防返回状态", "the lift is in fire recall"),
    ("service_mode", "firefighter"): ("电梯由消防员操作", "firefighters operate the lift"),
    ("service_mode", "emergency_power"): ("电梯由应急电源供电", "the lift runs on emergency power"),
    ("service_mode", "earthquake"): ("电梯处于地震管制状态", "the lift is in earthquake mode"),
    ("service_mode", "unknown"): ("电梯服务模式未知", "the lift's service mode is unknown"),
}
_EVENTS = {
    "fault_raised": ("发生故障", "fault raised"),
    "fault_cleared": ("故障解除", "fault cleared"),
    "faults_cleared": ("故障全部解除", "all faults cleared"),
    "main_power_changed": ("主电源状态改变", "mains power changed"),
    "alarm_released": ("轿厢报警按钮复位", "car alarm button released"),
    "alarm_reset": ("现场已解除轿厢报警", "end of the car alarm set at the lift"),
    "alarm_tested": ("轿厢报警装置自检通过", "car alarm tested"),
    "alarm_test_failed": ("轿厢报警装置自检失败", "test of the car alarm failed"),
    "ebike_cleared": ("电动自行车离开轿厢", "e-bike out of the car"),
    "tamper_cleared": ("防拆报警解除", "tamper contact closed"),
    "alarm_pressed": ("轿厢报警按钮被按下", "car alarm button pressed"),
    "mode_changed": ("服务模式改变", "service mode changed"),
    "ebike_detected": ("电动自行车进入轿厢", "e-bike in the car"),
    "granted": ("允许通行", "access granted"),
    "denied": ("拒绝通行", "access denied"),
    "forced_open": ("强行开门", "door forced open"),
    "held_open": ("开门超时", "door held open"),
    "tamper": ("防拆报警", "tamper contact open"),
    "duress": ("胁迫报警", "opened under duress"),
    "door_opened": ("门打开", "door opened"),
    "door_closed": ("门关闭", "door closed"),
    "exit_button": ("出门按钮", "exit button pressed"),
    "tailgating": ("尾随通行", "tailgating"),
    "reader_fault": ("读卡器故障", "reader does not work"),
    "reader_fault_cleared": ("读卡器恢复", "reader works again"),
    "scheduled_unlock_started": ("定时常开开始", "scheduled unlocking began"),
    "scheduled_unlock_ended": ("定时常开结束", "scheduled unlocking ended"),
    "power_lost": ("外部供电中断，改由电池供电", "mains power lost, running on battery"),
    "power_restored": ("外部供电恢复", "mains power is back"),
    "battery_low": ("电池电量低", "battery low"),
    "battery_ok": ("电池电量恢复", "battery charged again"),
    "controller_lost": ("控制器失联", "controller lost"),
    "controller_restored": ("控制器恢复", "controller back"),
    "episode_started": ("热像仪报警开始", "the camera's own alarm began"),
    "episode_updated": ("热像仪报警持续", "the camera's own alarm goes on"),
    "episode_ended": ("热像仪报警结束", "the camera's own alarm ended"),
}

_SPANS = (
    (86_400_000_000, "天", "d"),
    (3_600_000_000, "小时", "h"),
    (60_000_000, "分钟", "min"),
    (1_000_000, "秒", "s"),
)
_MINUTE, _HOUR = 60_000_000, 3_600_000_000

_SEVERITIES = {"critical": "紧急", "major": "重要", "minor": "一般", "info": "提示"}


def severity_names(severity: str) -> tuple[str, str]:
    """Return a severity in Chinese and in English."""
    return _SEVERITIES[severity], severity


def signal_names(signal: str) -> tuple[str, str, str]:
    """Return the Chinese name, the English name and the unit (with its space) of a signal."""
    return _SIGNALS.get(signal, (signal, signal, ""))


def value_names(value: object) -> tuple[str, str]:
    """Return a value in Chinese and in English."""
    if isinstance(value, bool):
        return ("是", "yes") if value else ("否", "no")
    if isinstance(value, float):
        return f"{value:.4g}", f"{value:.4g}"
    return _VALUES.get(str(value), str(value)), str(value)


def value_said(signal: str, value: object) -> tuple[str, str]:
    """Return what ``value`` of ``signal`` means in Chinese and in English; ``None``: the device never sent one."""
    zh, en, unit = signal_names(signal)
    if value is None:
        return f"{zh}未上报", f"{en} never sent"
    value_zh, value_en = value_names(value)
    return _SAID.get((signal, value), (f"{zh} {value_zh}{unit}", f"{en} {value_en}{unit}"))


def event_names(event: str, identity: str) -> tuple[str, str]:
    """Return what happened in Chinese and in English; ``identity`` tells which fault or controller it was."""
    source, separator, code = identity.partition(FAULT_SEPARATOR)
    if separator:
        meaning = meaning_of(source, code)
        return f"故障：{meaning.zh}（{source} {code}）", f"fault: {meaning.en} ({source} {code})"
    zh, en = _EVENTS.get(event, (event, event))
    return (f"{zh}：{identity}", f"{en}: {identity}") if identity and event.startswith("controller_") else (zh, en)


def event_words(types: Iterable[str]) -> tuple[str, str]:
    """Return the names of several kinds of events, any of which is meant."""
    named = [_EVENTS.get(each, (each, each)) for each in sorted(types)]
    return "或".join(zh for zh, _ in named), " or ".join(en for _, en in named)


def span_names(microseconds: int) -> tuple[str, str]:
    """Return a span of time in Chinese and in English, in the largest unit that makes it a whole number."""
    for size, zh, en in _SPANS:
        if microseconds % size == 0:
            return f"{microseconds // size} {zh}", f"{microseconds // size} {en}"
    return f"{microseconds / 1_000_000:g} 秒", f"{microseconds / 1_000_000:g} s"


def happened_names(at: int, ended_at: int, heard_at: int, *, exact: bool, zone: tzinfo) -> tuple[str, str]:
    """Return when something happened of which was heard only now; ``ended_at`` is 0 where no end is known.

    Instants are microseconds; ``exact`` says whether the end is that, or only an instant by which it was over.
    """
    start, heard = (from_microseconds(each).astimezone(zone) for each in (at, heard_at))
    zh, en = f"发生于 {_clock(start, heard)}", f"happened at {_clock(start, heard)}"
    if ended_at:
        end = _clock(from_microseconds(ended_at).astimezone(zone), heard)
        zh += f"，已于 {end} 结束" if exact else f"，最迟于 {end} 已结束"
        en += f", ended at {end}" if exact else f", over by {end}"
    return f"{zh}，刚刚收到", f"{en}, received just now"


def _clock(instant: datetime, heard: datetime) -> str:
    """Return an instant to the minute, with its day where that is another than the one of hearing."""
    return instant.strftime("%H:%M" if instant.date() == heard.date() else "%m-%d %H:%M")


OTHERS = "*"
"""The part that stands for all those of a device that have no place of their own."""


def part_names(kind: str, part: str) -> tuple[str, str]:
    """Return the beginning of a sentence that names a camera's region or a gate's door, empty for the whole device."""
    if not part:
        return "", ""
    if part == OTHERS:
        return ("其他区域：", "another region: ") if kind == "thermal" else ("其他门：", "another door: ")
    return (f"区域 {part}：", f"region {part}: ") if kind == "thermal" else (f"门 {part}：", f"door {part}: ")


def floor_names(floor: object, *, at_landing: bool) -> tuple[str, str]:
    """Return the beginning of a sentence that says where a lift's car is; empty where its floor is not known."""
    if not isinstance(floor, str):
        return "", ""
    return (f"{floor} 层：", f"floor {floor}: ") if at_landing else (f"{floor} 层附近：", f"near floor {floor}: ")


def lasting_names(microseconds: int) -> tuple[str, str]:
    """Return "for so long" in Chinese and in English; empty for no time at all."""
    if not microseconds:
        return "", ""
    zh, en = duration_names(microseconds)
    return f"，已持续 {zh}", f", for {en}"


def duration_names(microseconds: int) -> tuple[str, str]:
    """Return a measured time in Chinese and in English, to the second below an hour, to the minute from there on."""
    if microseconds < _MINUTE:
        seconds = f"{microseconds / 1_000_000:g}"
        return f"{seconds} 秒", f"{seconds} s"
    sizes = _SPANS if microseconds < _HOUR else _SPANS[:-1]
    zh, en = [], []
    for size, name_zh, name_en in sizes:
        count, microseconds = divmod(microseconds, size)
        if count:
            zh.append(f"{count} {name_zh}")
            en.append(f"{count} {name_en}")
    return " ".join(zh), " ".join(en)
