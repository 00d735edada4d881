"""The steps of an alert's life as they are written down: each with its reason, in words and in facts."""

import hashlib
from struct import Struct

import msgspec

from alerts.memory import Device, Leaf, Microseconds, OpenAlert, Phase, RuleState
from alerts.model import Reason, Severity, Transition, TransitionKind
from alerts.trees import CompiledRule, Leaves, rule_of
from alerts.watches.happenings import EventWatch
from alerts.watches.windows import standing
from alerts.words import floor_names, lasting_names, part_names, severity_names
from core.clock import from_microseconds
from core.devices import DeviceKind

_NEVER = 0
# Ours: a message to a phone names three parts, and says of how many more it is true.
_NAMED_AT_MOST = 3
_RISE = Struct("<qb")
_FIRED = -1
_LEVELS = list(Severity)

RULE_REMOVED = Reason("rule_removed", "规则已删除，告警随之关闭", "the rule was removed, and the alert with it")
OUT_OF_SCOPE = Reason(
    "out_of_scope", "设备已不在规则的适用范围内", "the device is no longer among those that the rule applies to"
)
RETIRED = Reason("retired", "设备已停用，不再要求其上报", "the device is retired, and need not be heard any more")
OUT_OF_SCHEDULE = Reason("out_of_schedule", "规则的生效时段已结束", "the hours in which the rule is in force are over")
CONDITION_OVER = Reason("condition_over", "触发条件已不成立", "what raised it is over")
TIMED_OUT = Reason("timed_out", "超过时限未再发生，自动关闭", "it has not happened again within its time")


def alert_id(rule: str, path: str, since: Microseconds, position: int) -> str:
    """Return the alert's name, the same however often the journal is read (decision 0005)."""
    # A backlog arrives at one instant, with several alarms of one device in it: the position tells them apart.
    return hashlib.blake2b(f"{rule}|{path}|{since}|{position}".encode(), digest_size=8).hexdigest()


def fire(rule: CompiledRule, state: RuleState, now: Microseconds, device: Device) -> Transition:
    """Open the alert of what is pending, with the severity that the levels give it."""
    severity, of_level = rule.severity(state.parts)
    its_id = alert_id(rule.key, device.path, state.since, state.since_position)
    state.alert = opened(rule, its_id, severity)
    state.phase = Phase.FIRING
    state.chattering = _rise(rule, state, _FIRED, now)
    leaves = state.parts[state.part]
    indexes = rule.because(leaves)
    zh, en = _said(rule, leaves, indexes)
    part_zh, part_en = _place(rule, state.part, device)
    lasting_zh, lasting_en = _lasting(rule, now - state.since)
    code = rule.watches[indexes[0]].code
    facts = _facts(rule, leaves, indexes) | {
        "next_step_zh": rule.rule.next_step.zh,
        "next_step_en": rule.rule.next_step.en,
    }
    if of_level is not None:
        facts |= _facts(rule, *of_level)
    if state.part:
        facts["part"] = state.part
    zh, en = f"{part_zh}{zh}{lasting_zh}", f"{part_en}{en}{lasting_en}"
    reason = _chattering(rule, zh, en, facts) if state.chattering else Reason(code, zh, en, facts)
    return transition(rule.id, state, state.alert, TransitionKind.FIRING, now, reason, device)


def opened(rule: CompiledRule, its_id: str, severity: Severity) -> OpenAlert:
    """Return what is remembered of an alert of ``rule``."""
    title, of = rule.rule.title, rule.rule
    return OpenAlert(its_id, severity, title.zh, title.en, of.latch, of.protected, of.maintenance)


def pending_before(firing: Transition, position: int) -> Transition:
    """Return the step before ``firing``; it is only told now, because most of what is pending goes away untold."""
    reason = Reason(firing.reason.code, firing.reason.zh, firing.reason.en)
    return msgspec.structs.replace(
        firing, kind=TransitionKind.PENDING, at=firing.pending_since, reason=reason, position=position
    )


def step_up(
    rule: CompiledRule,
    state: RuleState,
    severity: Severity,
    because: tuple[Leaves, list[int]] | None,
    now: Microseconds,
    device: Device,
) -> Transition:
    """Make an open alert worse; too often within a while, and it stays so until it is quiet."""
    chattering = _rise(rule, state, _LEVELS.index(severity), now)
    state.chattering = state.chattering or chattering
    said = ("", "") if because is None else _said(rule, *because)
    facts = {} if because is None else _facts(rule, *because)
    reason = _severity_reason("level_reached", _open(rule, state, device).severity, severity, said, facts)
    if chattering:
        reason = _chattering(rule, reason.zh, reason.en, reason.facts)
    return _change(rule, state, severity, reason, now, device)


def repeat(
    rule: CompiledRule, state: RuleState, leaves: Leaves, indexes: list[int], now: Microseconds, device: Device
) -> Transition:
    """Say of an open alert that what raised it has happened again."""
    zh, en = _said(rule, leaves, indexes)
    reason = Reason("repeated", f"再次发生：{zh}", f"again: {en}", _facts(rule, leaves, indexes))
    return transition(rule.id, state, _open(rule, state, device), TransitionKind.REPEATED, now, reason, device)


def joined(
    rule: CompiledRule, state: RuleState, parts: dict[str, Microseconds], now: Microseconds, device: Device
) -> Transition:
    """Say of an open alert that ``parts`` of the device have joined it, each with since when it lasts."""
    said = [_said_of_part(rule, state, name, now - since) for name, since in parts.items()]
    zh = "；".join(zh for zh, _ in said[:_NAMED_AT_MOST]) + (f"；等 {len(said)} 处" if said[_NAMED_AT_MOST:] else "")
    more = len(said) - _NAMED_AT_MOST
    en = "; ".join(en for _, en in said[:_NAMED_AT_MOST]) + (f"; and {more} more" if more > 0 else "")
    facts = _facts_of_part(rule, state, next(iter(parts)))
    if len(parts) > 1:
        facts["parts"] = len(parts)
    reason = Reason("another_part", f"又有一处：{zh}", f"another part as well: {en}", facts)
    return transition(rule.id, state, _open(rule, state, device), TransitionKind.REPEATED, now, reason, device)


def step_down(
    rule: CompiledRule, state: RuleState, severity: Severity, now: Microseconds, device: Device
) -> Transition:
    """Make an open alert less severe."""
    before, said = _open(rule, state, device).severity, ("", "")
    if rule.is_late:
        said = _said(rule, state.parts[state.part], rule.because(state.parts[state.part]))
    return _change(rule, state, severity, _severity_reason("level_over", before, severity, said, {}), now, device)


def cleared_reason(rule: CompiledRule, leaves: Leaves) -> Reason:
    """Return the reason of what ends because ``leaves`` say so."""
    indexes = [] if rule.clears_when is None else rule.clears_when.because(leaves)
    zh, en = _said(rule, leaves, indexes)
    return Reason("cleared", f"已解除：{zh}", f"cleared: {en}", _facts(rule, leaves, indexes))


def resolve(rule: CompiledRule, state: RuleState, reason: Reason, now: Microseconds, device: Device) -> Transition:
    """End the alert for ``reason``; ``state`` is idle afterwards."""
    ended = transition(rule.id, state, _open(rule, state, device), TransitionKind.RESOLVED, now, reason, device)
    rest(state)
    return ended


def rest(state: RuleState) -> None:
    """Make ``state`` idle; what it has seen of the conditions, and how often it fired, stays."""
    state.phase, state.alert, state.part, state.chattering = Phase.IDLE, None, "", False
    state.told = state.joining = b""
    state.since = state.since_position = state.over_since = state.lower_since = _NEVER


def first_rise(state: RuleState) -> Microseconds:
    """Return when the first of ``state.rises`` was, of which there must be one."""
    instant: Microseconds = _RISE.unpack_from(state.rises)[0]
    return instant


def forget_rises(state: RuleState, until: Microseconds) -> None:
    """Forget those of ``state.rises`` that were at ``until`` or before."""
    while state.rises and first_rise(state) <= until:
        state.rises = state.rises[_RISE.size :]


def ended(rule: str, state: RuleState, reason: Reason, now: Microseconds, device: Device) -> Transition | None:
    """Return how the open alert under the key ``rule`` ends, where that watches ``device`` no more."""
    if state.alert is None:
        return None
    return transition(rule_of(rule), state, state.alert, TransitionKind.RESOLVED, now, reason, device)


def gap_reason(silent: Microseconds) -> Reason:
    """Return the reason of what ends because nothing was heard for ``silent``."""
    seconds = silent / 1_000_000
    return Reason(
        "gap",
        f"设备已 {seconds:g} 秒无消息，此前的情况不再作数",
        f"nothing heard for {seconds:g} s: what was known before counts no more",
        {"silent_seconds": seconds},
    )


def quiet_reason(quiet: Microseconds) -> Reason:
    """Return the reason of what ends because it has been quiet for ``quiet`` after too many firings."""
    seconds = quiet / 1_000_000
    return Reason("quiet", f"已平静 {seconds:g} 秒", f"quiet for {seconds:g} s", {"quiet_seconds": seconds})


def transition(
    rule: str,
    state: RuleState,
    alert: OpenAlert,
    kind: TransitionKind,
    now: Microseconds,
    reason: Reason,
    device: Device,
) -> Transition:
    """Return one step of ``alert``."""
    return Transition(
        alert_id=alert.id,
        rule=rule,
        severity=alert.severity,
        device=device.key,
        kind=kind,
        at=from_microseconds(now),
        pending_since=from_microseconds(state.since),
        reason=reason,
        position=device.state.position,
        title_zh=alert.title_zh,
        title_en=alert.title_en,
        latching=alert.latching,
        protected=alert.protected,
        maintenance=alert.maintenance,
    )


def _open(rule: CompiledRule, state: RuleState, device: Device) -> OpenAlert:
    if state.alert is None:
        raise ValueError(f"rule {rule.id} on {device.path} is firing without an alert")
    return state.alert


def _rise(rule: CompiledRule, state: RuleState, to: int, now: Microseconds) -> bool:
    """Remember that it fired, or stepped up to a level; tell whether that was once too often."""
    count = rule.policy.chatter_count
    if not count:
        return False
    state.rises += _RISE.pack(now, to)
    return [kind for _, kind in _RISE.iter_unpack(state.rises)].count(to) >= count


def _change(
    rule: CompiledRule, state: RuleState, severity: Severity, reason: Reason, now: Microseconds, device: Device
) -> Transition:
    state.alert = msgspec.structs.replace(_open(rule, state, device), severity=severity)
    state.lower_since = _NEVER
    return transition(rule.id, state, state.alert, TransitionKind.SEVERITY_CHANGED, now, reason, device)


def _severity_reason(
    code: str,
    before: Severity,
    after: Severity,
    said: tuple[str, str],
    facts: dict[str, str | float | int | bool],
) -> Reason:
    before_zh, before_en = severity_names(before.value)
    after_zh, after_en = severity_names(after.value)
    zh, en = said
    return Reason(
        code,
        f"级别由{before_zh}变为{after_zh}" + (f"：{zh}" if zh else ""),
        f"from {before_en} to {after_en}" + (f": {en}" if en else ""),
        {**facts, "from": before.value},
    )


def _chattering(rule: CompiledRule, zh: str, en: str, facts: dict[str, str | float | int | bool]) -> Reason:
    count, seconds = rule.policy.chatter_count, rule.policy.chatter_within / 1_000_000
    return Reason(
        "chattering",
        f"反复触发（{seconds:g} 秒内第 {count} 次）：{zh}",
        f"chattering ({count} times within {seconds:g} s): {en}",
        {**facts, "count": count, "within_seconds": seconds},
    )


def _said(rule: CompiledRule, leaves: Leaves, indexes: list[int]) -> tuple[str, str]:
    # What holds only because it was never sent says nothing beside anything else.
    known = [index for index in indexes if not rule.watches[index].begin().truth or _is_seen(leaves[index])]
    # A state of now and the same one that has lasted read alike.
    said = dict.fromkeys(rule.watches[index].tell(leaves[index]) for index in known or indexes)
    return "，".join(zh for zh, _ in said), ", ".join(en for _, en in said)


def _is_seen(leaf: Leaf) -> bool:
    return leaf.value is not None or any(map(_is_seen, leaf.inner))


def _place(rule: CompiledRule, part: str, device: Device) -> tuple[str, str]:
    """Return the beginning of the reason: the region or door, of a lift the floor that its car is at or near."""
    if rule.rule.kind is not DeviceKind.ELEVATOR:
        return part_names(rule.rule.kind.value, part)
    if rule.only_silence or rule.is_late:
        return "", ""  # Where the car is now is not where it was; a silent lift is at no floor that is known.
    latest = device.state.latest
    return floor_names(latest.get("floor"), at_landing=latest.get("door_zone") is not False)


def _lasting(rule: CompiledRule, lasting: Microseconds) -> tuple[str, str]:
    # How long late messages were gathered says nothing of what they tell.
    return ("", "") if rule.is_late else lasting_names(lasting)


def _said_of_part(rule: CompiledRule, state: RuleState, part: str, lasting: Microseconds) -> tuple[str, str]:
    lasting_zh, lasting_en = _lasting(rule, lasting)
    if rule.by_part:
        part_zh, part_en = part_names(rule.rule.kind.value, part)
        zh, en = _said(rule, state.parts[part], rule.because(state.parts[part]))
        return f"{part_zh}{zh}{lasting_zh}", f"{part_en}{en}{lasting_en}"
    watch, leaf = _watch_of(rule, state, part)
    zh, en = watch.name(leaf, part)
    return f"{zh}{lasting_zh}", f"{en}{lasting_en}"


def _facts_of_part(rule: CompiledRule, state: RuleState, part: str) -> dict[str, str | float | int | bool]:
    if rule.by_part:
        return _facts(rule, state.parts[part], rule.because(state.parts[part])) | {"part": part}
    watch, leaf = _watch_of(rule, state, part)
    return watch.facts_of(leaf, part)


def _watch_of(rule: CompiledRule, state: RuleState, event: str) -> tuple[EventWatch, Leaf]:
    """Return what watches the ``event`` that stands, and its memory."""
    leaves = state.parts[""]
    return next((watch, leaves[index]) for index, watch in rule.events if event in standing(leaves[index].opened))


def _facts(rule: CompiledRule, leaves: Leaves, indexes: list[int]) -> dict[str, str | float | int | bool]:
    facts: dict[str, str | float | int | bool] = {}
    for index in indexes:
        facts |= rule.watches[index].facts(leaves[index])
    return facts
