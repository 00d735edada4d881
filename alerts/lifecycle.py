"""One step of one rule on one device: from a message, or from time alone, to the next state and what it means."""

from collections.abc import Iterable, Sequence

import msgspec

from alerts import joining, steps
from alerts.memory import Device, Leaf, Microseconds, Phase, RuleState
from alerts.model import Reason, Transition
from alerts.parts import Parts, part_of
from alerts.policy import worse
from alerts.trees import CompiledRule, Leaves
from alerts.watches.happenings import EventWatch
from alerts.watches.silence import AbsenceWatch, SilenceWatch
from alerts.watches.watch import Reading
from alerts.watches.windows import standing
from core.observations import Observation
from core.wire.payloads import GateEvent, Region, ThermalEvent, ThermalTelemetry

_NEVER = 0


def begin(rule: CompiledRule) -> RuleState:
    """Return the state of ``rule`` on a device that has not been heard yet."""
    parts = {} if rule.by_part else {"": rule.begin()}
    return RuleState(shape=rule.shape, parts=parts)


def keep_past(rule: CompiledRule, parts: dict[str, Leaves], before: dict[str, Leaves]) -> None:
    """Take over into the new ``parts`` what is known of the days ``before``, where the rule compares with the same."""
    for name, leaves in before.items():
        known = {leaf.past.of: leaf.past for leaf in leaves if leaf.past is not None}
        if not known:
            continue
        for leaf in parts.setdefault(name, rule.begin()):
            if leaf.past is not None and leaf.past.of in known:
                # Of its own: two comparisons with the same past would count each sample twice in one of both.
                leaf.past = msgspec.structs.replace(known[leaf.past.of])


def keep_events(rule: CompiledRule, parts: dict[str, Leaves], before: dict[str, Leaves]) -> None:
    """Take over into the new ``parts`` the events that stand in the parts ``before``, where the rule asks for them."""
    watches = [(index, watch) for index, watch in enumerate(rule.watches) if isinstance(watch, EventWatch)]
    for name, leaves in before.items():
        open_leaves = [leaf for leaf in leaves if leaf.opened]
        if not (watches and open_leaves):
            continue
        new = parts.setdefault(name, rule.begin())
        for index, watch in watches:
            for leaf in open_leaves:
                watch.take_over(new[index], leaf)


def waits(rule: CompiledRule, state: RuleState) -> Iterable[tuple[AbsenceWatch, Leaf]]:
    """Yield what waits for events that do not come, with its memory."""
    for index in rule.absences:
        watch = rule.watches[index]
        for leaves in state.parts.values():
            if isinstance(watch, AbsenceWatch):
                yield watch, leaves[index]


def silences(rule: CompiledRule, state: RuleState | None) -> Iterable[tuple[SilenceWatch, Leaf]]:
    """Yield what waits for silence, with its memory; a rule at rest has none."""
    for index in rule.silences:
        watch = rule.watches[index]
        for leaves in () if state is None else state.parts.values():
            if isinstance(watch, SilenceWatch):
                yield watch, leaves[index]


def keep_waits(rule: CompiledRule, state: RuleState, before: dict[str, Leaves]) -> None:
    """Take over into ``state`` when the events that are waited for came last, where the rule waits for the same."""
    for watch, leaf in waits(rule, state):
        for leaves in before.values():
            for known in leaves:
                watch.take_over(leaf, known)


def step(
    rule: CompiledRule,
    state: RuleState,
    observation: Observation | None,
    now: Microseconds,
    device: Device,
    affected: Sequence[int] | None = None,
) -> tuple[RuleState, Transition | None]:
    """Take ``observation`` (``None``: time alone) at ``now``, and return the next state and what it means for people.

    ``state`` is used up: the returned one takes its place. What was due before ``now`` must have been stepped through
    at its own instant (`due` says which). A transition to *firing* stands for *pending* since ``pending_since`` too.
    ``affected`` are the only watches that the message can affect, where that is known.
    """
    if observation is None:
        _expire(rule, state, now, device)
    else:
        _observe(rule, state, observation, now, device, affected)
    steps.forget_rises(state, now - rule.policy.chatter_within)
    again = _take_repeat(rule, state) if rule.repeats and observation is not None else None
    said = _judge(rule, state, now, device, by_message=observation is not None)
    if said is None and again is not None and state.phase is Phase.FIRING:
        said = steps.repeat(rule, state, *again, now, device)
    if rule.has_parts and state.phase is not Phase.IDLE:
        said = joining.join(rule, state, said, now, device)
    return state, said


def _take_repeat(rule: CompiledRule, state: RuleState) -> tuple[Leaves, list[int]] | None:
    """Return what the message tells as happening again; asked a second time there is nothing."""
    found = None
    told = standing(state.told) if rule.is_late and rule.has_parts else state.parts
    for name, leaves in state.parts.items():
        for index, watch in rule.repeats:
            if watch.take_repeat(leaves[index]) and name in told:
                found = found or (leaves, [index])
    return found


def step_by_peer(
    rule: CompiledRule, state: RuleState, observation: Observation, now: Microseconds, device: Device
) -> tuple[RuleState, Transition | None]:
    """Do as `step` does, with a message of another device that the rule compares this one with."""
    for leaves in state.parts.values():
        for watch, leaf in zip(rule.watches, leaves, strict=True):
            if observation.device.device in watch.peers:
                watch.observe_peer(leaf, observation, now)
    steps.forget_rises(state, now - rule.policy.chatter_within)
    said = _judge(rule, state, now, device, by_message=True)
    if rule.has_parts and state.phase is not Phase.IDLE:
        said = joining.join(rule, state, said, now, device)
    return state, said


def due(rule: CompiledRule, state: RuleState, device: Device) -> Microseconds:
    """Return when the next step with no message is needed, 0 for never."""
    if state.phase is Phase.IDLE and not (rule.timed or state.rises or rule.policy.calendar):
        return _NEVER
    return min(_instants(rule, state, device), default=_NEVER)


def _instants(rule: CompiledRule, state: RuleState, device: Device) -> Iterable[Microseconds]:
    heard, policy = device.state.heard, rule.policy
    if rule.timed:
        for leaves in state.parts.values():
            for index in rule.flipping:
                if instant := leaves[index].flips_at:
                    yield instant
            for index in rule.timed_otherwise:
                if instant := rule.watches[index].due(leaves[index], heard):
                    yield instant
    if state.phase is Phase.PENDING:
        yield state.since + policy.lasting
    elif state.phase is Phase.FIRING:
        wait = _quiet_for(rule, state)
        yield from (since + wait for since in (state.over_since, state.lower_since) if since)
        if joins := joining.due(rule, state):
            yield joins
    if state.rises:
        yield steps.first_rise(state) + policy.chatter_within
    if policy.gap_after and state.phase is not Phase.IDLE:
        yield heard.anything + policy.gap_after
    if policy.calendar is not None and (state.phase is not Phase.IDLE or holds(rule, state)):
        yield policy.calendar.next_change(device.state.clock + device.wall_ahead) - device.wall_ahead


def holds(rule: CompiledRule, state: RuleState) -> bool:
    """Tell whether the conditions alone would have an alert open."""
    return any(rule.opens(leaves) for leaves in state.parts.values())


def _observe(
    rule: CompiledRule,
    state: RuleState,
    observation: Observation,
    now: Microseconds,
    device: Device,
    affected: Sequence[int] | None,
) -> None:
    heard, watches = device.state.heard, rule.watches
    old = observation.late or observation.reordered
    interested = (rule.by_late_channel if old else rule.by_channel)[observation.channel]
    if not rule.by_part:
        whole = state.parts[""]
        for index in interested if affected is None else affected:
            watches[index].observe(whole[index], observation, observation.body, now, heard)
        return
    parts = Parts(rule, state)
    for name, reading in parts.named(_readings(state, observation)):
        leaves = parts.leaves(name)
        for index in interested:
            watches[index].observe(leaves[index], observation, reading, now, heard)
    if rule.silences:
        for leaves in state.parts.values():
            for index in rule.silences:
                rule.watches[index].observe(leaves[index], observation, observation.body, now, heard)


def _readings(state: RuleState, observation: Observation) -> Iterable[tuple[str, Reading]]:
    """Return what a message says of the parts of a device that has some."""
    body = observation.body
    match body:
        case ThermalTelemetry(shutter_closed=True):
            return [(region.region, _unseen(region)) for region in body.regions]
        case ThermalTelemetry():
            return [(region.region, region) for region in body.regions]
        case ThermalEvent() | GateEvent():
            return ((part_of(body), body),)
    return [(name, body) for name in state.parts]


def _unseen(region: Region) -> Region:
    """Return ``region`` without temperatures: those of a look at the camera's own shutter are not the shed's."""
    return msgspec.structs.replace(region, maximum_celsius=None, minimum_celsius=None, average_celsius=None)


def _expire(rule: CompiledRule, state: RuleState, now: Microseconds, device: Device) -> None:
    heard = device.state.heard
    for leaves in state.parts.values():
        for index in rule.timed:
            rule.watches[index].expire(leaves[index], now, heard)


def _judge(
    rule: CompiledRule, state: RuleState, now: Microseconds, device: Device, *, by_message: bool
) -> Transition | None:
    policy = rule.policy
    if policy.gap_after and state.phase is not Phase.IDLE and device.state.heard.anything + policy.gap_after <= now:
        state.parts = _after_gap(rule, state)
        return _break_off(rule, state, steps.gap_reason(policy.gap_after), now, device)
    if policy.calendar is not None and not policy.calendar.active_at(now + device.wall_ahead):
        return _break_off(rule, state, steps.OUT_OF_SCHEDULE, now, device)
    if state.phase is Phase.FIRING:
        ending = _judge_open(rule, state, now, device, by_message=by_message)
        return ending or _weigh(rule, state, now, device)
    part = _active_part(rule, state)
    if part is None:
        if state.phase is Phase.PENDING:
            steps.rest(state)
        return None
    if state.phase is Phase.IDLE:
        if policy.gap_after and device.state.heard.anything + policy.gap_after <= now:
            # The schedule begins, of a device that was silent before: what it said then is not how it is now.
            state.parts = _after_gap(rule, state)
            return None
        state.phase, state.since, state.since_position = Phase.PENDING, now, device.state.position
    state.part = part
    if now >= state.since + policy.lasting or rule.urgent(state.parts[part]):
        return steps.fire(rule, state, now, device)
    return None


def _break_off(
    rule: CompiledRule, state: RuleState, reason: Reason, now: Microseconds, device: Device
) -> Transition | None:
    """End what is open or pending, whatever the conditions say."""
    if state.phase is Phase.FIRING:
        return steps.resolve(rule, state, reason, now, device)
    if state.phase is Phase.PENDING:
        steps.rest(state)
    return None


def _after_gap(rule: CompiledRule, state: RuleState) -> dict[str, Leaves]:
    """Return the memories after a gap: nothing of how it was then, but what the device is usually like."""
    for leaves in state.parts.values():
        for leaf in leaves:
            if leaf.past is not None:
                leaf.past.recent = b""
    parts = begin(rule).parts
    keep_past(rule, parts, state.parts)
    return parts


def _active_part(rule: CompiledRule, state: RuleState) -> str | None:
    """Return the part for which the alert should be open: an urgent one, else the one chosen before, else the first.

    The first is the first by name: which part was heard of first is not remembered of those at rest.
    """
    if not rule.by_part:
        leaves = state.parts[""]
        return "" if rule.opens(leaves) else None
    active = [name for name, leaves in state.parts.items() if rule.opens(leaves)]
    if len(active) < 2:
        return active[0] if active else None
    urgent = min((name for name in active if rule.urgent(state.parts[name])), default=None)
    return urgent if urgent is not None else state.part if state.part in active else min(active)


def _judge_open(
    rule: CompiledRule, state: RuleState, now: Microseconds, device: Device, *, by_message: bool
) -> Transition | None:
    cleared = None
    if rule.clears_when is None:
        over = not any(rule.active(leaves) for leaves in state.parts.values())
    else:
        cleared = _cleared(rule, state)
        over = cleared is not None or (state.over_since > 0 and not holds(rule, state))
    if not over:
        state.over_since = _NEVER
        return None
    wait = _quiet_for(rule, state)
    if wait:
        state.over_since = state.over_since or now
        if now < state.over_since + wait:
            return None
    if state.chattering:
        return steps.resolve(rule, state, steps.quiet_reason(wait), now, device)
    if cleared is not None:
        return steps.resolve(rule, state, cleared, now, device)
    reason = steps.CONDITION_OVER if by_message or wait else steps.TIMED_OUT
    return steps.resolve(rule, state, reason, now, device)


def _cleared(rule: CompiledRule, state: RuleState) -> Reason | None:
    """Return why it is over, if a part says so; what events have opened is over with it."""
    name = min((name for name, leaves in state.parts.items() if rule.cleared(leaves)), default=None)
    if name is None:
        return None
    reason = steps.cleared_reason(rule, state.parts[name])
    # The end of a fault is often never told; without this it would raise the alert again as soon as the door closes.
    for leaves in state.parts.values():
        for watch, leaf in zip(rule.watches, leaves, strict=True):
            watch.forget(leaf)
    return reason


def _quiet_for(rule: CompiledRule, state: RuleState) -> Microseconds:
    """Return how long it must be over, or less severe, before that is believed."""
    policy = rule.policy
    return max(policy.keep_firing_for, policy.chatter_within) if state.chattering else policy.keep_firing_for


def _weigh(rule: CompiledRule, state: RuleState, now: Microseconds, device: Device) -> Transition | None:
    """Bring the severity of an open alert to what its levels say."""
    if state.alert is None:
        return None
    severity, because = rule.severity(state.parts)
    if severity is state.alert.severity:
        state.lower_since = _NEVER
        return None
    if worse(severity, state.alert.severity):
        return steps.step_up(rule, state, severity, because, now, device)
    state.lower_since = state.lower_since or now
    if now < state.lower_since + _quiet_for(rule, state):
        return None
    return steps.step_down(rule, state, severity, now, device)
