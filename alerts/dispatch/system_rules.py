"""The rules over Anju's own components: what is raised when one is reported as not healthy."""

import re
from contextlib import suppress

from msgspec import Struct

from alerts.memory import Microseconds
from alerts.model import Severity
from core.devices import DeviceKey, DeviceKind

COMMUNITY = "anju"
BROKER_AWAY = "broker-away"
INGEST_AWAY = "ingest-away"
NOTIFICATION_FAILED = "notification-failed"
RECEIVER = "receiver/"
DEVICE_CLOCK = "device-clock/"
DEVICE_FLOODS = "device-floods/"
COMMUNITY_FLOODS = "community-floods/"
UNKNOWN_DEVICES = "unknown-devices/"
_AT_ONCE: Microseconds = 0
# Ours: a broker that restarts is back within this time, and its clients with it.
_HALF_A_MINUTE: Microseconds = 30_000_000
_CRITICAL, _MAJOR, _MINOR = Severity.CRITICAL, Severity.MAJOR, Severity.MINOR
_ABOUT_DEVICES = (DEVICE_CLOCK, DEVICE_FLOODS)
_NO_WORD = re.compile(r"[^a-z0-9]+")


class SystemRule(Struct, frozen=True):
    """What is raised when a component has been reported as not healthy for ``lasting``."""

    id: str
    severity: Severity
    lasting: Microseconds
    title_zh: str
    title_en: str
    next_step_zh: str
    next_step_en: str
    error_zh: str = ""
    """Says in Chinese what an error text means that comes in English only."""


_RULES = {
    "broker": SystemRule(
        BROKER_AWAY,
        _CRITICAL,
        _HALF_A_MINUTE,
        "消息服务器失联",
        "Message broker away",
        "检查消息服务器及其网络；恢复之前收不到任何设备的消息",
        "Check the broker and the network to it; until it is back no device can be heard",
        "连不上消息服务器，技术信息",
    ),
    "ingest": SystemRule(
        INGEST_AWAY,
        _CRITICAL,
        _HALF_A_MINUTE,
        "接收程序停止工作",
        "Ingest stands still",
        "检查 Anju 的接收程序；消息在消息服务器中等待",
        "Check Anju's ingest; messages are waiting in the broker",
        "接收程序没有心跳，技术信息",
    ),
    "disk": SystemRule(
        "disk-nearly-full",
        _MAJOR,
        _HALF_A_MINUTE,
        "磁盘空间将满",
        "Disk nearly full",
        "清理磁盘或扩容；写满之后新消息只能在消息服务器中等待",
        "Make room or enlarge the disk; once it is full, new messages can only wait in the broker",
    ),
    "disk/full": SystemRule(
        "disk-full",
        _CRITICAL,
        _AT_ONCE,
        "磁盘已满",
        "Disk full",
        "立即清理磁盘；求助和报警照常，测量历史暂停，设备消息可能在消息服务器中等待",
        "Make room now; calls and alerts go on, history waits, messages of devices may have to wait in the broker",
    ),
    "journal": SystemRule(
        "journal-damaged",
        _CRITICAL,
        _AT_ONCE,
        "消息日志损坏",
        "Message journal damaged",
        "求助照常，告警可能停止判断；停止 Anju 后按详情修复",
        "Calls for help go on, alerts may be decided no more; stop Anju and rescue the file as the details say",
    ),
    "clock": SystemRule(
        "clock-jumped",
        _MAJOR,
        _AT_ONCE,
        "系统时钟跳变",
        "System clock jumped",
        "检查本机的时间同步；计时不受影响，但跳变前后记录的时刻不可比",
        "Check the time synchronisation of this machine; timers go on, but instants before and after do not compare",
    ),
    "descriptors": SystemRule(
        "descriptors-low",
        _MAJOR,
        _AT_ONCE,
        "文件句柄将耗尽",
        "File descriptors nearly used up",
        "检查是否有人占用大量连接；必要时提高 nofile 上限",
        "Look for somebody who holds many connections; raise the limit on open files (nofile) where it is too low",
    ),
    "broker-floods": SystemRule(
        "broker-floods",
        _MAJOR,
        _AT_ONCE,
        "消息过多",
        "Too many messages",
        "查看是哪个账号大量发送；求助和火警仍先处理",
        "Find the account that sends so much; calls for help and fires still go first",
    ),
    RECEIVER: SystemRule(
        NOTIFICATION_FAILED,
        _MAJOR,
        # At once: the deliverer has tried for as long as the message made sense.
        _AT_ONCE,
        "通知无法送达",
        "Notifications cannot be delivered",
        "检查该接收方的地址和密钥；在此之前它收不到通知",
        "Check the receiver's address and secret; until then it is told nothing",
        "多次发送失败，技术信息",
    ),
    "service/": SystemRule(
        "service-failing",
        _MAJOR,
        _AT_ONCE,
        "内部服务出错",
        "A service of Anju fails",
        "查看日志并报告；该服务会自动重启，其余照常工作",
        "Look into the log and report it; the service is restarted, everything else goes on",
        "服务出错，正在自动重启，技术信息",
    ),
    "configuration/": SystemRule(
        "configuration-refused",
        _MAJOR,
        # Ours: an editor may save a file in two steps.
        10_000_000,
        "配置文件有误",
        "A configuration file is refused",
        "修正文件；在此之前沿用上一个有效版本",
        "Mend the file; until then the last good version is in force",
        "文件被拒绝，错误原文",
    ),
    "configuration/codes": SystemRule(
        "code-list-refused",
        _MAJOR,
        _AT_ONCE,
        "故障代码表有误",
        "A code list is refused",
        "修正文件并重启；在此之前该文件中的代码按“其他故障”处理",
        "Mend the file and restart; until then the codes of that file are *other fault*",
        "文件被拒绝，错误原文",
    ),
    "stored/": SystemRule(
        "unreadable-records",
        _MAJOR,
        _AT_ONCE,
        "存储的记录无法读取",
        "Stored records cannot be read",
        "查看详情；无法读取的记录已被跳过，其余照常工作",
        "Look at the details; what cannot be read was put aside, everything else goes on",
    ),
    DEVICE_CLOCK: SystemRule(
        "device-clock-wrong",
        _MINOR,
        _AT_ONCE,
        "设备时钟不准",
        "Device clock wrong",
        "校准设备时间或检查其时间同步；火警与求助按到达时间处理",
        "Set the device's clock or check its time synchronisation; fires and calls count by arrival",
    ),
    DEVICE_FLOODS: SystemRule(
        "device-floods",
        _MAJOR,
        _AT_ONCE,
        "设备消息过多",
        "Device sends too much",
        "检查设备或其账号是否被滥用；超出部分已保存，稍后处理",
        "Check whether the device or its account is abused; the excess is kept and decided later",
    ),
    COMMUNITY_FLOODS: SystemRule(
        "community-floods",
        _MAJOR,
        _AT_ONCE,
        "小区消息过多",
        "A community sends too much",
        "检查该小区的账号是否被滥用；超出部分已保存，稍后处理",
        "Check whether the community's account is abused; the excess is kept and decided later",
    ),
    UNKNOWN_DEVICES: SystemRule(
        "unknown-devices",
        _MAJOR,
        _AT_ONCE,
        "未登记设备过多",
        "Too many unregistered devices",
        "登记真实的设备；若名称是伪造的，更换该账号的密码或收紧其主题权限（ACL）",
        "Register the real devices; where names are invented, change that account's password or narrow its ACL",
    ),
}


def rule_of(component: str) -> SystemRule | None:
    """Return the rule over ``component``, by its name or by its prefix up to the first slash; ``None`` for none."""
    return _RULES.get(component) or _RULES.get(component.partition("/")[0] + "/")


def system_rule_ids() -> frozenset[str]:
    """Return the ids of all rules over components."""
    return frozenset(rule.id for rule in _RULES.values())


def device_of(component: str) -> DeviceKey:
    """Return the device an alert over ``component`` is about: the real one where it names one, else a part of Anju."""
    kind, slash, rest = component.partition("/")
    if kind + slash in _ABOUT_DEVICES:
        with suppress(ValueError):  # A component that names no device is a part of Anju like any other.
            return DeviceKey.from_path(rest)
    if kind + slash == COMMUNITY_FLOODS:
        return DeviceKey(rest, DeviceKind.SYSTEM, "floods")
    if kind + slash == UNKNOWN_DEVICES:
        return DeviceKey(rest, DeviceKind.SYSTEM, "unknown-devices")
    if kind + slash == RECEIVER:  # Receivers' names are words of a topic already, and `receiver_of` reads them back.
        return DeviceKey(COMMUNITY, DeviceKind.SYSTEM, component.replace("/", "-", 1))
    return DeviceKey(COMMUNITY, DeviceKind.SYSTEM, _NO_WORD.sub("-", component.lower()).strip("-"))


def receiver_of(device: DeviceKey) -> str:
    """Undo `device_of` for a receiver."""
    return device.device.removeprefix("receiver-")
