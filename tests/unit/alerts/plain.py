"""The engine as plainly as it can be written: every rule remembers everything everywhere and is always asked."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from alerts import lifecycle
from alerts.assignments import Assignments
from alerts.engine import _pending
from alerts.memory import Device, DeviceState, Heard, RuleState
from alerts.model import Transition, TransitionKind
from alerts.rules import Rule
from alerts.trees import CompiledRule
from core.clock import to_microseconds
from core.devices import Channel, DeviceKey
from core.observations import Observation
from core.wire.payloads import Presence, PresenceStatus


class PlainEngine:
    """No digests, no heap, nothing at rest: what the real one has to agree with."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._assignments = Assignments(rules)
        self._devices: dict[DeviceKey, tuple[Device, dict[CompiledRule, RuleState]]] = {}

    def observe(self, observation: Observation) -> list[Transition]:
        now = to_microseconds(observation.received_at)
        said = self._expire(now)
        device, states = self._devices.get(observation.device) or self._meet(observation.device, now)
        own = device.state
        own.clock, own.position = max(now, own.clock), observation.position
        for rule in self._concerned(observation, own):
            if rule in states:
                self._step(rule, device, states, observation, said)
        tells_now = observation.channel is not Channel.PRESENCE and not observation.late
        if tells_now and getattr(own, f"newest_{observation.channel.value}") == observation.at:
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
                self._note(rule, states, *step, said)

    def _concerned(self, observation: Observation, own: DeviceState) -> list[CompiledRule]:
        """Take what the message says of the device, and return the rules that may look at it."""
        channel, body = observation.channel, observation.body
        _, states = self._devices[observation.device]
        listening = [rule for rule in states if rule.by_channel[channel]]
        if channel is Channel.PRESENCE:
            if not isinstance(body, Presence) or body.status is not PresenceStatus.OFFLINE:
                own.heard.presence = own.heard.anything = own.clock
            return listening
        setattr(own.heard, channel.value, own.clock)
        own.heard.anything = own.clock
        newest = f"newest_{channel.value}"
        before = getattr(own, newest)
        if observation.late or (before is not None and observation.at < before):
            age = timedelta(microseconds=own.clock) - timedelta(microseconds=to_microseconds(observation.at))
            silent = [rule for rule in states if rule.only_silence]
            limits = [(rule, rule.policy.max_late) for rule in listening]
            return silent + [
                rule
                for rule, limit in limits
                if (rule.only_absence and rule.absences) or (limit is not None and age <= timedelta(microseconds=limit))
            ]
        setattr(own, newest, observation.at)
        return listening

    def _expire(self, until: int) -> list[Transition]:
        said: list[Transition] = []
        while True:
            waiting = [
                (due, device.path, rule.id, rule)
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
        self._note(rule, states, *lifecycle.step(rule, states[rule], observation, now, device), said)

    def _note(
        self,
        rule: CompiledRule,
        states: dict[CompiledRule, RuleState],
        state: RuleState,
        transition: Transition | None,
        said: list[Transition],
    ) -> None:
        states[rule] = state
        if transition is not None:
            if transition.kind is TransitionKind.FIRING:
                said.append(_pending(transition, state.since_position))
            said.append(transition)
