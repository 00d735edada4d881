"""Where the engine keeps what belongs together: a device, and each rule on watch there."""

from collections.abc import Callable, Iterable

import msgspec

from alerts import lifecycle
from alerts.memory import Device, DeviceState, Heard, Microseconds, OpenAlert, Phase, RuleState
from alerts.trees import CompiledRule
from core.devices import Channel, DeviceKey

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(DeviceState).decode


UNSEEN = object()
"""A digest that equals no other: telemetry must be looked at."""


class Post:
    """One rule on one device. ``seen`` is the digest of the last telemetry; ``armed`` the timer in the heap, or 0."""

    __slots__ = ("armed", "digest", "rule", "seen", "silence", "site", "state", "waking")

    def __init__(self, rule: CompiledRule, state: RuleState, site: "Site") -> None:
        self.rule = rule
        self.state = state
        self.site = site
        self.digest: Callable[[object], object] | None = rule.digest
        self.seen: object = UNSEEN
        self.silence = rule.only_silence
        # Whether the next message of any kind can change the rule's mind (it said *missing*, or *offline* was told).
        self.waking = True
        self.armed: Microseconds = 0


class Site:
    """One device with its posts, sorted by the channel that concerns them."""

    __slots__ = ("device", "dirty", "event", "orphans", "posts", "presence", "silences", "telemetry")

    def __init__(self, device: Device, rules: Iterable[CompiledRule]) -> None:
        self.device = device
        self.posts = [Post(rule, self._state_of(rule), self) for rule in rules]
        self.telemetry = self._on(Channel.TELEMETRY)
        self.event = self._on(Channel.EVENT)
        self.presence = self._on(Channel.PRESENCE)
        self.silences = [post for post in self.posts if post.rule.silences]
        ours = {post.rule.id for post in self.posts}
        self.orphans = [rule for rule in device.state.rules if rule not in ours]
        self.dirty = False

    def encode(self) -> bytes:
        """Return the state as bytes, for `decode_site`."""
        return _encode(self.device.state)

    def _on(self, channel: Channel) -> list[Post]:
        return [post for post in self.posts if post.rule.by_channel[channel]]

    def _state_of(self, rule: CompiledRule) -> RuleState:
        known = self.device.state.rules.get(rule.id)
        state = known if known is not None and known.shape == rule.shape else _renewed(rule, known)
        self.device.state.rules[rule.id] = state
        return state


def new_site(key: DeviceKey, now: Microseconds, rules: Iterable[CompiledRule]) -> Site:
    """Return a device heard for the first time at ``now``; silence is measured from here on every channel."""
    state = DeviceState(clock=now, position=0, heard=Heard(now, now, now, now))
    return Site(Device(key, key.path, state), rules)


def decode_site(path: str, state: bytes, rules: Callable[[DeviceKey], Iterable[CompiledRule]]) -> Site:
    """Return the device that `Site.encode` wrote down."""
    key = DeviceKey.from_path(path)
    return Site(Device(key, path, _decode(state)), rules(key))


def _renewed(rule: CompiledRule, known: RuleState | None) -> RuleState:
    """Begin anew, but keep an open alert open: a rule that was changed decides about it with the next message."""
    state = lifecycle.begin(rule)
    if known is not None and known.alert is not None:
        texts = rule.rule.title
        state.phase, state.since, state.since_position = Phase.FIRING, known.since, known.since_position
        state.alert = OpenAlert(known.alert.id, rule.rule.severity, texts.zh, texts.en)
    return state
