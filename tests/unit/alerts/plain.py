"""The engine as plainly as it can be written: every rule remembers everything everywhere and is always asked."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from alerts import clocks, lifecycle, steps
from alerts.assignments import Assignments
from alerts.clocks import Verdict
from alerts.late import LateRule
from alerts.memory import Device, DeviceState, Heard, Phase, RuleState
from alerts.model import Transition, TransitionKind
from alerts.posts import REORDERED
from alerts.rules import Rule
from alerts.trees import CompiledRule
from alerts.watches.events import event_of
from core.clock import to_microseconds
from core.devices import Channel, DeviceKey
from core.observations import Observation
from core.wire.payloads import Presence, PresenceStatus

_encode = msgspec.msgpack.encode


class PlainEngine:
    """No digests, no heap, nothing at rest: what the real one has to agree with."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._assignments = Assignments(rules)
        self._devices: dict[DeviceKey, tuple[Device, dict[CompiledRule, RuleState]]] = {}

    def observe(self, observation: Observation) -> list[Transition]:
        received = to_microseconds(observation.received_at)
        said = self._expire(received)
        device, states = self._devices.get(observation.device) or self._meet(observation.device, received)
        own = device.state
        own.clock, own.position = max(received, own.clock), observation.position
        self._hear(observation, own)
        channel, newest = observation.channel, f"newest_{observation.channel.value}"
        if channel is Channel.PRESENCE:
            self._hear_presence(observation, own, received)
            verdict = Verdict.LIVE
        else:
            verdict = clocks.judge(own, observation, getattr(own, newest), received)
        self._take_back(own, states)
        if verdict is not Verdict.LIVE:
            self._take_aside(observation, verdict, device, states, said)
            return said
        for rule in [rule for rule in states if rule.by_channel[channel]]:
            self._step(rule, device, states, observation, said)
        if channel is not Channel.PRESENCE:
            setattr(own, newest, clocks.moved(getattr(own, newest), observation.at, observation.received_at))
            self._tell_watchers(observation, own.clock, said)
        return said

    def advance(self, now: datetime) -> list[Transition]:
        return self._expire(to_microseconds(now))

    def _meet(self, key: DeviceKey, now: int) -> tuple[Device, dict[CompiledRule, RuleState]]:
        device = Device(key, key.path, DeviceState(now, 0, Heard(now, now, now, now)))
        rules = [post.rule for post in self._assignments.roster_of(key).posts.values()]
        self._devices[key] = device, {rule: lifecycle.begin(rule) for rule in rules}
        for rule, state in self._devices[key][1].items():
            for watch, leaf in lifecycle.waits(rule, state):
                watch.wait_from(leaf, now)
        return self._devices[key]

    def _tell_watchers(self, observation: Observation, now: int, said: list[Transition]) -> None:
        peer = observation.device
        for device, states in sorted(self._devices.values(), key=lambda known: known[0].path):
            beside = (device.key.community, device.key.kind) == (peer.community, peer.kind) and device.key != peer
            rules = [rule for rule in states if peer.device in rule.peers] if beside else []
            if rules:
                device.state.clock, device.state.position = max(device.state.clock, now), observation.position
            for rule in rules:
                step = lifecycle.step_by_peer(rule, states[rule], observation, device.state.clock, device)
                self._note(rule, device, states, *step, said)

    def _hear(self, observation: Observation, own: DeviceState) -> None:
        body = observation.body
        if not isinstance(body, Presence) or body.status is not PresenceStatus.OFFLINE:
            setattr(own.heard, observation.channel.value, own.clock)
            own.heard.anything = own.clock

    def _hear_presence(self, observation: Observation, own: DeviceState, received: int) -> None:
        body = observation.body
        if isinstance(body, Presence) and body.status is PresenceStatus.OFFLINE:
            clocks.hear_will(own, received)
        else:
            clocks.hear_birth(own, observation, received)

    def _take_back(self, own: DeviceState, states: dict[CompiledRule, RuleState]) -> None:
        before = clocks.take_before(own)
        for rule in states:
            known = before.get(rule.key)
            if known is not None and states[rule].phase is not Phase.FIRING:
                states[rule] = known

    def _take_aside(
        self,
        observation: Observation,
        verdict: Verdict,
        device: Device,
        states: dict[CompiledRule, RuleState],
        said: list[Transition],
    ) -> None:
        """Take a message that is late or was overtaken: silence hears it, some count it as said now, some as late."""
        own, counts = device.state, verdict is Verdict.ARRIVAL
        now_said = msgspec.structs.replace(observation, at=observation.received_at, late=False)
        listening = [rule for rule in states if rule.by_channel[observation.channel]]
        plain = [rule for rule in listening if not isinstance(rule, LateRule)]
        known = own.track is not None and own.track.wrong != 0
        counted = [rule for rule in plain if counts and (rule.counts_by_arrival or (known and _counts(rule)))]
        counted = [rule for rule in counted if not _is_known(rule, observation, own, states)]
        age = own.clock - to_microseconds(observation.at)
        reordered = counts and not observation.late and observation.channel is Channel.EVENT
        as_late = msgspec.structs.replace(observation, late=True, reordered=reordered and age <= REORDERED)
        twins = {rule.id: rule for rule in listening if isinstance(rule, LateRule)}
        live = [rule for rule in plain if reordered and rule not in counted and rule.policy.tells_late is not None]
        live = [
            rule
            for rule in live
            if not any(twins[rule.id].knows_end(each, observation) for each in states[twins[rule.id]].parts.values())
        ]
        late = [
            rule
            for rule in plain
            if rule not in counted and rule not in live
            if _takes_late(rule, observation, age) or (reordered and age <= REORDERED and _only_events(rule))
        ]
        if counts and own.track is not None and own.track.doubted_at and own.arrived <= own.returned_until:
            for rule in [rule for rule in counted if not _takes_late(rule, observation, age)]:
                own.track.before.setdefault(rule.key, msgspec.msgpack.decode(_encode(states[rule]), type=RuleState))
        for rule in [rule for rule in states if rule.only_silence]:
            self._step(rule, device, states, now_said if counts else observation, said)
        for rule in counted:
            events_only = not (rule.counts_by_arrival or _waits(rule))
            message = msgspec.structs.replace(now_said, reordered=events_only)
            self._step(rule, device, states, message, said)
        for rule in live:
            self._step(rule, device, states, msgspec.structs.replace(observation, reordered=True), said)
        for rule in late:
            self._step(rule, device, states, as_late, said)
        told = {rule.id for rule in (*counted, *live)}
        read = observation.late and to_microseconds(observation.at) > own.gap_from
        for twin in sorted(twins.values(), key=lambda twin: twin.id not in told):
            if age <= (twin.policy.max_late or 0) and (observation.channel is Channel.EVENT or (twin.reads and read)):
                message = msgspec.structs.replace(observation, late=False) if twin.id in told else as_late
                self._step(twin, device, states, message, said)

    def _expire(self, until: int) -> list[Transition]:
        said: list[Transition] = []
        while True:
            waiting = [
                (due, device.path, rule.key, rule)
                for device, states in self._devices.values()
                for rule, state in states.items()
                if 0 < (due := lifecycle.due(rule, state, device)) <= until
            ]
            if not waiting:
                return said
            due, path, _, _ = min(waiting, key=lambda timer: timer[:3])
            device, states = self._devices[DeviceKey.from_path(path)]
            # All of the device at that instant together: what is due next hangs on how far its time has come.
            rules = sorted((timer[2], timer[3]) for timer in waiting if timer[:2] == (due, path))
            device.state.clock = max(device.state.clock, due)
            for _, rule in rules:
                self._step(rule, device, states, None, said)

    def _step(
        self,
        rule: CompiledRule,
        device: Device,
        states: dict[CompiledRule, RuleState],
        observation: Observation | None,
        said: list[Transition],
    ) -> None:
        now = device.state.clock
        self._note(rule, device, states, *lifecycle.step(rule, states[rule], observation, now, device), said)

    def _note(
        self,
        rule: CompiledRule,
        device: Device,
        states: dict[CompiledRule, RuleState],
        state: RuleState,
        transition: Transition | None,
        said: list[Transition],
    ) -> None:
        states[rule] = state
        if transition is not None:
            by_arrival = rule.counts_by_arrival or rule.policy.tells_late is not None
            transition = clocks.remarked(transition, device.state, by_arrival=by_arrival)
            if transition.kind is TransitionKind.FIRING:
                said.append(steps.pending_before(transition, state.since_position))
            said.append(transition)


def _counts(rule: CompiledRule) -> bool:
    """Tell whether ``rule`` takes what a clock known to be wrong has stamped as said now."""
    return _waits(rule) or rule.policy.tells_late is not None


def _waits(rule: CompiledRule) -> bool:
    return rule.only_absence and bool(rule.absences)


def _is_known(
    rule: CompiledRule, observation: Observation, own: DeviceState, states: dict[CompiledRule, RuleState]
) -> bool:
    if rule.policy.tells_late is None or observation.channel is not Channel.EVENT:
        return False
    newest = [each for each in (own.newest_event, own.newest_telemetry) if each is not None]
    if not (own.track is not None and own.track.right) and not any(each > observation.at for each in newest):
        return False
    (twin,) = [each for each in states if isinstance(each, LateRule) and each.id == rule.id]
    return any(twin.knows(leaves, observation) for leaves in states[twin].parts.values())


def _only_events(rule: CompiledRule) -> bool:
    return 0 < len(rule.watches) == len(rule.events)


def _takes_late(rule: CompiledRule, observation: Observation, age: int) -> bool:
    if rule.policy.tells_late is not None:
        event = event_of(observation.body)
        ends = event is not None and any(event.type in watch.clears_on for _, watch in rule.events)
        return ends and age <= rule.policy.tells_late
    limit = rule.policy.max_late
    return _waits(rule) or (limit is not None and age <= limit)
