"""One step of one rule on one device: from a message, or from time alone, to the next state and what it means."""

import hashlib
from collections.abc import Iterable

from alerts.memory import Device, Leaf, Microseconds, OpenAlert, Phase, RuleState
from alerts.model import Reason, Transition, TransitionKind
from alerts.trees import CompiledRule, Leaves
from alerts.watch import Reading
from alerts.words import lasting_names, part_names
from core.clock import from_microseconds
from core.devices import Channel
from core.observations import Observation
from core.wire.payloads import GateEvent, ThermalEvent, ThermalTelemetry

# A message names 64 regions at most; names beyond that come from cameras set up anew, and the oldest go.
_PARTS_AT_MOST = 64
_NEVER = 0
_WHOLE = ("",)


def begin(rule: CompiledRule) -> RuleState:
    """Return the state of ``rule`` on a device that has not been heard yet."""
    parts = {} if rule.by_part else {"": rule.begin()}
    return RuleState(shape=rule.shape, parts=parts)


def step(
    rule: CompiledRule, state: RuleState, observation: Observation | None, now: Microseconds, device: Device
) -> tuple[RuleState, Transition | None]:
    """Take ``observation`` (``None``: time alone) at ``now``, and return the next state and what it means for people.

    ``state`` is used up: the returned one takes its place. What was due before ``now`` must have been stepped through
    at its own instant (`due` says which). A transition to *firing* stands for *pending* since ``pending_since`` too.
    """
    if observation is None:
        _expire(rule, state, now, device)
    else:
        _observe(rule, state, observation, now, device)
    return state, _judge(rule, state, now, device, by_message=observation is not None)


def due(rule: CompiledRule, state: RuleState, device: Device) -> Microseconds:
    """Return when the next step with no message is needed, 0 for never."""
    instants = []
    if rule.timed:
        heard = device.state.heard
        for leaves in state.parts.values():
            for index in rule.timed:
                instant = rule.watches[index].due(leaves[index], heard)
                if instant:
                    instants.append(instant)
    if state.phase is Phase.PENDING:
        instants.append(state.since + rule.lasting)
    elif state.phase is Phase.FIRING and state.over_since:
        instants.append(state.over_since + rule.hold)
    return min(instants) if instants else _NEVER


def alert_id(rule: str, path: str, since: Microseconds, position: int) -> str:
    """Return the alert's name, the same however often the journal is read (decision 0005)."""
    # A backlog arrives at one instant, with several alarms of one device in it: the position tells them apart.
    return hashlib.blake2b(f"{rule}|{path}|{since}|{position}".encode(), digest_size=8).hexdigest()


def removed(rule: str, state: RuleState, now: Microseconds, device: Device) -> Transition | None:
    """Return how the open alert of a rule that is gone ends, ``None`` where there is none."""
    if state.alert is None:
        return None
    reason = Reason("rule_removed", "规则已删除，告警随之关闭", "the rule was removed, and the alert with it")
    return _transition(rule, state, state.alert, TransitionKind.RESOLVED, now, reason, device)


def _observe(rule: CompiledRule, state: RuleState, observation: Observation, now: Microseconds, device: Device) -> None:
    heard = device.state.heard
    interested = rule.by_channel[observation.channel]
    for name, reading in _readings(rule, state, observation):
        leaves = state.parts.get(name)
        if leaves is None:
            leaves = _new_part(rule, state, name)
        for index in interested:
            rule.watches[index].observe(leaves[index], observation, reading, now, heard)
    if rule.silences and rule.by_part:
        for leaves in state.parts.values():
            for index in rule.silences:
                rule.watches[index].observe(leaves[index], observation, observation.body, now, heard)


def _readings(rule: CompiledRule, state: RuleState, observation: Observation) -> Iterable[tuple[str, Reading]]:
    body = observation.body
    if not rule.by_part:
        return (("", body),)
    match body:
        case ThermalTelemetry():
            return [(region.region, region) for region in body.regions]
        case ThermalEvent():
            return ((body.region, body),)
        case GateEvent():
            return ((body.door, body),)
    return [(name, body) for name in state.parts]


def _new_part(rule: CompiledRule, state: RuleState, name: str) -> Leaves:
    if len(state.parts) >= _PARTS_AT_MOST:
        idle = (known for known, leaves in state.parts.items() if known != state.part and not rule.active(leaves))
        state.parts.pop(next(idle, next(iter(state.parts))))
    leaves = state.parts[name] = rule.begin()
    return leaves


def _expire(rule: CompiledRule, state: RuleState, now: Microseconds, device: Device) -> None:
    heard = device.state.heard
    for leaves in state.parts.values():
        for index in rule.timed:
            rule.watches[index].expire(leaves[index], now, heard)


def _judge(
    rule: CompiledRule, state: RuleState, now: Microseconds, device: Device, *, by_message: bool
) -> Transition | None:
    if state.phase is Phase.FIRING:
        return _judge_open(rule, state, now, device, by_message=by_message)
    part = _active_part(rule, state)
    if part is None:
        state.phase, state.since = Phase.IDLE, _NEVER
        return None
    if state.phase is Phase.IDLE:
        state.phase, state.since, state.since_position = Phase.PENDING, now, device.state.position
    state.part = part
    if now >= state.since + rule.lasting or rule.urgent(state.parts[part]):
        return _fire(rule, state, now, device)
    return None


def _active_part(rule: CompiledRule, state: RuleState) -> str | None:
    """Return the part for which the alert should be open: an urgent one, else the one chosen before, else the first."""
    active = [name for name, leaves in state.parts.items() if rule.active(leaves) and not rule.cleared(leaves)]
    if len(active) < 2:
        return active[0] if active else None
    urgent = next((name for name in active if rule.urgent(state.parts[name])), None)
    return urgent if urgent is not None else state.part if state.part in active else active[0]


def _judge_open(
    rule: CompiledRule, state: RuleState, now: Microseconds, device: Device, *, by_message: bool
) -> Transition | None:
    if rule.clears_when is not None:
        cleared = next((leaves for leaves in state.parts.values() if rule.cleared(leaves)), None)
        return None if cleared is None else _clear(rule, state, cleared, now, device)
    if any(rule.active(leaves) for leaves in state.parts.values()):
        state.over_since = _NEVER
        return None
    if rule.hold:
        state.over_since = state.over_since or now
        if now < state.over_since + rule.hold:
            return None
    if by_message or rule.hold:
        reason = Reason("condition_over", "触发条件已不成立", "what raised it is over")
    else:
        reason = Reason("timed_out", "超过时限未再发生，自动关闭", "it has not happened again within its time")
    return _resolve(rule, state, reason, now, device)


def _fire(rule: CompiledRule, state: RuleState, now: Microseconds, device: Device) -> Transition:
    texts = rule.rule.title
    its_id = alert_id(rule.id, device.path, state.since, state.since_position)
    state.alert = OpenAlert(its_id, rule.rule.severity, texts.zh, texts.en)
    state.phase = Phase.FIRING
    leaves = state.parts[state.part]
    indexes = rule.because(leaves)
    zh, en = _said(rule, leaves, indexes)
    part_zh, part_en = part_names(rule.rule.kind.value, state.part)
    lasting_zh, lasting_en = lasting_names(now - state.since)
    facts = _facts(rule, leaves, indexes) | {
        "next_step_zh": rule.rule.next_step.zh,
        "next_step_en": rule.rule.next_step.en,
    }
    if state.part:
        facts["part"] = state.part
    reason = Reason(rule.watches[indexes[0]].code, f"{part_zh}{zh}{lasting_zh}", f"{part_en}{en}{lasting_en}", facts)
    return _transition(rule.id, state, state.alert, TransitionKind.FIRING, now, reason, device)


def _clear(rule: CompiledRule, state: RuleState, leaves: Leaves, now: Microseconds, device: Device) -> Transition:
    indexes = [] if rule.clears_when is None else rule.clears_when.because(leaves)
    zh, en = _said(rule, leaves, indexes)
    reason = Reason("cleared", f"已解除：{zh}", f"cleared: {en}", _facts(rule, leaves, indexes))
    # The end of a fault is often never told; without this it would raise the alert again as soon as the door closes.
    for part in state.parts.values():
        for index in rule.by_channel[Channel.EVENT]:
            _forget_events(part[index])
    return _resolve(rule, state, reason, now, device)


def _forget_events(leaf: Leaf) -> None:
    if leaf.opened:
        leaf.opened.clear()
        leaf.truth = False


def _resolve(rule: CompiledRule, state: RuleState, reason: Reason, now: Microseconds, device: Device) -> Transition:
    if state.alert is None:
        raise ValueError(f"rule {rule.id} on {device.path} is firing without an alert")
    ended = _transition(rule.id, state, state.alert, TransitionKind.RESOLVED, now, reason, device)
    state.phase, state.since, state.over_since, state.alert, state.part = Phase.IDLE, _NEVER, _NEVER, None, ""
    return ended


def _said(rule: CompiledRule, leaves: Leaves, indexes: list[int]) -> tuple[str, str]:
    said = [rule.watches[index].tell(leaves[index]) for index in indexes]
    return "，".join(zh for zh, _ in said), ", ".join(en for _, en in said)


def _facts(rule: CompiledRule, leaves: Leaves, indexes: list[int]) -> dict[str, str | float | int | bool]:
    facts: dict[str, str | float | int | bool] = {}
    for index in indexes:
        facts |= rule.watches[index].facts(leaves[index])
    return facts


def _transition(
    rule: str,
    state: RuleState,
    alert: OpenAlert,
    kind: TransitionKind,
    now: Microseconds,
    reason: Reason,
    device: Device,
) -> Transition:
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
    )
