"""The words of notifications in each language: data only, so that a site can put its own in their place."""

from dataclasses import dataclass, fields
from string import Formatter

from alerts.dispatch.model import Purpose
from alerts.model import Severity


@dataclass(frozen=True, kw_only=True)
class Phrases:
    """One language. Texts in braces are filled in; `unknown_keys` tells of those that nothing fills."""

    openings: dict[Purpose, str]
    """The first words, by what the notification is for."""
    severities: dict[Severity, str]
    heading: str
    subject: str
    several: str
    cleared: str
    where: str
    what: str
    since: str
    lasted: str
    happened: str
    """Instead of ``since`` and ``lasted`` where it arrived late: ``start`` is when it happened, ``at`` when it came."""
    late_subject: str
    reason: str
    next_step: str
    acknowledged: str
    partly_acknowledged: str
    unacknowledged: str
    hanging: str
    and_more: str
    further: str
    further_line: str
    further_rest: str
    ladder: str
    person: str
    told: str
    link: str
    test: str
    confirm: str
    reply: str
    """Of a page of an emergency call."""
    short_confirm: str
    drill: str
    """Stands before everything that is said of a drill."""
    short: str
    short_since: str
    short_lasted: str
    short_happened: str
    short_next_step: str
    comma: str
    no_time: str
    minutes: str
    hours: str
    days: str


KEYS = frozenset(
    (
        "severity",
        "opening",
        "subject",
        "place",
        "what",
        "count",
        "start",
        "end",
        "lasting",
        "reason",
        "step",
        "names",
        "name",
        "at",
        "link",
        "version",
        "more",
    )
)
"""What may stand in braces."""


def unknown_keys(phrases: Phrases) -> set[str]:
    """Return the keys in ``phrases`` that nothing would fill."""
    texts = [getattr(phrases, field.name) for field in fields(phrases)]
    keys = {key for text in texts if isinstance(text, str) for _, key, _, _ in Formatter().parse(text) if key}
    return keys - KEYS


ZH = Phrases(
    openings={
        Purpose.FIRING: "新告警",
        Purpose.UPDATE: "告警更新",
        Purpose.ESCALATION: "告警升级，无人确认",
        Purpose.REMINDER: "再次提醒",
        Purpose.UNATTENDED: "已确认但无人跟进",
        Purpose.RESOLVED: "已恢复",
        Purpose.DIGEST: "告警汇总",
        Purpose.TEST: "测试消息",
        Purpose.CALL: "紧急呼叫",
    },
    severities={
        Severity.CRITICAL: "紧急",
        Severity.MAJOR: "重要",
        Severity.MINOR: "一般",
        Severity.INFO: "提示",
    },
    heading="【{severity}】{opening}：{subject}",
    subject="{place} {what}",
    several="{subject} 等 {count} 条",
    cleared="{subject}（已恢复）",
    where="地点：{place}",
    what="情况：{what}（{severity}）",
    since="开始：{start}，已持续 {lasting}",
    lasted="时间：{start} 至 {end}，历时 {lasting}",
    happened="发生：{start}，{at} 才收到",
    late_subject="{subject}（发生于 {start}，{at} 收到）",
    reason="原因：{reason}",
    next_step="处置：{step}",
    acknowledged="确认：{names} 已确认",
    partly_acknowledged="确认：{names} 已确认其中一部分",
    unacknowledged="确认：尚无人确认",
    hanging="影响：另有 {count} 台设备的告警由此引起：{names}",
    and_more="{names} 等",
    further="另有 {count} 条告警：",
    further_line="- 【{severity}】{subject}",
    further_rest="- 其余 {count} 条",
    ladder="升级：第 {step} 级",
    person="通知对象：{name}",
    told="本事件第 {version} 条通知",
    link="详情：{link}",
    test="这是一条测试消息。收到它，说明这个通知渠道可用。发出时间：{at}",
    confirm="请点此链接并按下确认，24 小时内未确认会列入未响应名单：{link}",
    reply="不用登录，点此回复“已出发”“无法前往”“已到场”：{link}",
    short_confirm="测试消息，请点此确认 {link}",
    drill="【演练】",
    short="【{severity}】{opening}：{subject}",
    short_since="，{start}起",
    short_lasted="，历时 {lasting}",
    short_happened="，{start}发生，{at}收到",
    short_next_step="。{step}",
    comma="、",
    no_time="不到 1 分钟",
    minutes="{count} 分钟",
    hours="{count} 小时",
    days="{count} 天",
)

EN = Phrases(
    openings={
        Purpose.FIRING: "New alert",
        Purpose.UPDATE: "Alert update",
        Purpose.ESCALATION: "Escalated, nobody has acknowledged",
        Purpose.REMINDER: "Reminder",
        Purpose.UNATTENDED: "Acknowledged, but nobody is attending",
        Purpose.RESOLVED: "Resolved",
        Purpose.DIGEST: "Alert digest",
        Purpose.TEST: "Test message",
        Purpose.CALL: "Emergency call",
    },
    severities={
        Severity.CRITICAL: "Critical",
        Severity.MAJOR: "Major",
        Severity.MINOR: "Minor",
        Severity.INFO: "Info",
    },
    heading="[{severity}] {opening}: {subject}",
    subject="{place}: {what}",
    several="{subject} and {more} more",
    cleared="{subject} (resolved)",
    where="Where: {place}",
    what="What: {what} ({severity})",
    since="Since: {start}, for {lasting}",
    lasted="When: {start} to {end}, {lasting}",
    happened="Happened: {start}, received only at {at}",
    late_subject="{subject} (happened {start}, received {at})",
    reason="Why: {reason}",
    next_step="Do first: {step}",
    acknowledged="Acknowledged by: {names}",
    partly_acknowledged="Acknowledged in part by: {names}",
    unacknowledged="Acknowledged by: nobody yet",
    hanging="Behind it: alerts of {count} more devices: {names}",
    and_more="{names}, …",
    further="Other alerts ({count}):",
    further_line="- [{severity}] {subject}",
    further_rest="- and {count} others",
    ladder="Ladder: step {step}",
    person="For: {name}",
    told="Notification {version} of this incident",
    link="Details: {link}",
    test="This is a test message. That you see it means that this channel works. Sent: {at}",
    confirm="Follow this link and press the button; who has not within 24 h is listed as unreached: {link}",
    reply="Answer without signing in (on my way, cannot come, on site): {link}",
    short_confirm="Test message, please confirm: {link}",
    drill="[DRILL] ",
    short="[{severity}] {opening}: {subject}",
    short_since=", since {start}",
    short_lasted=", after {lasting}",
    short_happened=", happened {start}, received {at}",
    short_next_step=". {step}",
    comma=", ",
    no_time="less than 1 min",
    minutes="{count} min",
    hours="{count} h",
    days="{count} d",
)
