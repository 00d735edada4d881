"""What the desk writes into timelines, in words: told, not told, and why."""

from collections.abc import Mapping

from alerts.dispatch.holds import INHIBITED, Hold
from alerts.dispatch.model import Purpose, SuppressionKind, TimelineNote
from alerts.memory import Microseconds
from alerts.model import Reason, TransitionKind
from core.clock import from_microseconds

_HELD: dict[str, tuple[str, str]] = {
    SuppressionKind.SILENCE: ("在静默范围内，不通知", "silenced: nobody is told"),
    SuppressionKind.MAINTENANCE: ("设备维护中，不通知", "the device is in maintenance: nobody is told"),
    SuppressionKind.SHELVED: ("已搁置，不通知", "shelved: nobody is told"),
    INHIBITED: ("由另一条告警引起，只通知该告警", "another alert is the cause: people are told of that one"),
}
_TOLD: dict[Purpose, tuple[str, str]] = {
    Purpose.FIRING: ("已通知", "told"),
    Purpose.UPDATE: ("已通知变化", "told of changes:"),
    Purpose.ESCALATION: ("无人确认，升级通知", "nobody has acknowledged; told"),
    Purpose.REMINDER: ("无人确认，再次提醒", "nobody has acknowledged; reminded"),
    Purpose.UNATTENDED: ("确认后无人处理，重新通知", "acknowledged and left alone; told"),
    Purpose.RESOLVED: ("已通知恢复", "told that it is over:"),
    Purpose.DIGEST: ("已合并通知", "told in a digest:"),
    Purpose.TEST: ("已发送测试", "tested"),
}


def held(alert_id: str, hold: Hold, now: Microseconds) -> TimelineNote:
    """People are not told of the alert; ``by`` in the facts names the suppression or alert behind it."""
    zh, en = _HELD[hold.code]
    return _note(alert_id, TransitionKind.SUPPRESSED, now, Reason(hold.code, zh, en, {"by": hold.by}))


def released(alert_id: str, now: Microseconds) -> TimelineNote:
    """What held the alert is over, and nobody needs to be told, since somebody has it."""
    reason = Reason("released", "不再抑制通知；已有人确认", "no longer held back; somebody has acknowledged it")
    return _note(alert_id, TransitionKind.NOTIFIED, now, reason)


def told(
    alert_id: str, purpose: Purpose, audience: Mapping[str, str], incident: str, step: int, now: Microseconds
) -> TimelineNote:
    """``audience`` (receivers, with the person meant or "") is told."""
    zh, en = _TOLD[purpose]
    names = [f"{person} ({receiver})" if person else receiver for receiver, person in audience.items()]
    facts: dict[str, str | float | int | bool] = {"incident": incident, "receivers": ",".join(audience), "step": step}
    reason = Reason(purpose.value, f"{zh}：{'、'.join(names)}", f"{en} {', '.join(names)}", facts)
    return _note(alert_id, TransitionKind.NOTIFIED, now, reason)


def flooded(alert_id: str, now: Microseconds) -> TimelineNote:
    """The alert comes in the next digest."""
    reason = Reason("flood", "告警洪泛，将合并通知", "a flood of alerts: people are told in the next digest")
    return _note(alert_id, TransitionKind.SUPPRESSED, now, reason)


def flood_began(alert_id: str, over: int, now: Microseconds) -> TimelineNote:
    """This alert was one too many."""
    zh, en = f"超过 {over} 起事件，进入洪泛模式", f"more than {over} incidents: a flood, told in digests"
    return _note(alert_id, TransitionKind.SUPPRESSED, now, Reason("flood_began", zh, en, {"over": over}))


def flood_ended(alert_id: str, now: Microseconds) -> TimelineNote:
    """The flood that this alert began is over."""
    reason = Reason("flood_ended", "洪泛结束，恢复逐条通知", "the flood is over: incidents are told one by one again")
    return _note(alert_id, TransitionKind.NOTIFIED, now, reason)


def nobody(alert_id: str, step: int, now: Microseconds) -> TimelineNote:
    """A step of the ladder reaches no one; the next one follows at once."""
    reason = Reason(
        "nobody_on_duty",
        f"响应阶梯第 {step + 1} 级无人值班，立即进入下一级",
        f"nobody is on duty for step {step + 1} of the ladder: the next one follows at once",
        {"step": step},
    )
    return _note(alert_id, TransitionKind.SUPPRESSED, now, reason)


def _note(alert_id: str, kind: TransitionKind, now: Microseconds, reason: Reason) -> TimelineNote:
    return TimelineNote(alert_id, kind, from_microseconds(now), reason)
