"""Where the engine keeps what belongs together: a device, its roster, and the rules that are not at rest there."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from alerts import lifecycle, steps
from alerts.memory import Device, DeviceState, Heard, Microseconds, Phase, RuleState, share
from alerts.model import Reason, Transition
from alerts.posts import Drawn, Latest, Post, Roster
from core.devices import DeviceKey
from core.errors import PermanentError
from core.wire.payloads import ElevatorEvent

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(DeviceState).decode
_NEVER = 0


class Site:
    """One device. ``drawn`` are the values of the last telemetry, ``armed`` is its timer in the heap, or 0.

    ``drawn`` is ``None`` where the next telemetry must be looked at, even if it says the same.
    """

    __slots__ = ("armed", "device", "dirty", "drawn", "roster")

    def __init__(self, device: Device, roster: Roster) -> None:
        self.device = device
        self.roster = roster
        self.drawn: Drawn | None = None
        self.armed: Microseconds = _NEVER
        self.dirty = False

    def encode(self) -> bytes:
        """Return the state as bytes, for `restored_site`."""
        return _encode(self.device.state)

    def awake(self, post: Post) -> RuleState:
        """Return what ``post`` remembers here, made anew where it was at rest."""
        states = self.device.state.rules
        state = states.get(post.id)
        if state is None:
            state = states[post.id] = post.wake(self.device.state.latest)
        return state

    def settle(self, post: Post) -> Microseconds:
        """Forget what need not be remembered of ``post``; return when it is due next, 0 for never."""
        own = self.device.state
        state = own.rules.get(post.id)
        if state is not None and post.rests(state, own.latest, own.clock):
            del own.rules[post.id]
            state = None
        return post.due(state, self.device)

    def due(self, post: Post) -> Microseconds:
        """Return when ``post`` must be stepped without a message, 0 for never."""
        return post.due(self.device.state.rules.get(post.id), self.device)

    def next_due(self) -> Microseconds:
        """Return when the first of all posts is due, 0 for never."""
        return min((due for post in self._awaited() if (due := self.due(post))), default=_NEVER)

    def due_at(self, instant: Microseconds) -> list[Post]:
        """Return the posts that are due at ``instant``, in the order of their steps."""
        return [post for post in self._awaited() if 0 < self.due(post) <= instant]

    def _awaited(self) -> Iterable[Post]:
        """Return the posts that may be due."""
        states = self.device.state.rules
        return [post for post in self.roster.in_order if post.waits or post.id in states]

    def learn_telemetry(self, drawn: Drawn) -> None:
        """Keep the newest values, after the posts have seen them."""
        self.drawn = drawn
        latest = self.device.state.latest
        for name, value in zip(self.roster.signals, drawn, strict=True):
            if value is not None:
                latest[name] = value

    def learn_event(self, event: object) -> None:
        """Keep what an event says of signals, after the posts have seen it."""
        if isinstance(event, ElevatorEvent):
            for name in self.roster.told_by_events:
                if (value := getattr(event, name)) is not None:
                    self.device.state.latest[name] = value

    def assign(self, roster: Roster) -> None:
        """Take over other rules: those that are the same go on, changed ones keep their open alert."""
        own, before = self.device.state, self.roster.posts
        # Values of signals that nobody looks at any more would grow old unnoticed.
        own.latest = {name: value for name, value in own.latest.items() if name in roster.signals}
        for post in roster.in_order:
            known = own.rules.get(post.id)
            if known is not None and before.get(post.id) is not post:
                own.rules[post.id] = _renewed(post, known, own.latest)
        self.roster, self.drawn = roster, None

    def begin_waits(self) -> bool:
        """Let what waits for events, and never did here, wait from now on; tell whether there was any.

        So it is with what learns for how long the device is usually silent: it begins with the first message.
        """
        begun = any(post.id not in self.device.state.rules for post in self.roster.learning)
        for post in self.roster.learning:
            self.awake(post)
        for post in self.roster.waiting:
            for watch, leaf in lifecycle.waits(post.rule, self.awake(post)):
                begun = watch.wait_from(leaf, self.device.state.clock) or begun
            self.settle(post)  # What waits only once it was heard has nothing to remember yet.
        return begun

    def wait_longer(self, by: Microseconds, now: Microseconds) -> None:
        """Let what waits for events wait longer: for some time none could be heard, or was expected."""
        for post in self.roster.waiting:
            for watch, leaf in lifecycle.waits(post.rule, self.awake(post)):
                watch.wait_longer(leaf, by, now)
            self.settle(post)

    def doubt_offline(self, now: Microseconds) -> bool:
        """Let an *offline* that has raised nothing yet stand from ``now`` on; tell whether there was any."""
        doubted = False
        for post in self.roster.silences:
            for watch, leaf in lifecycle.silences(post.rule, self.device.state.rules.get(post.id)):
                doubted = watch.doubt_offline(leaf, now) or doubted
        return doubted

    def counting_by_arrival(self, posts: Iterable[Post]) -> list[Post]:
        """Return those that take a message by its arrival: of a clock known to be wrong, more of them."""
        track = self.device.state.track
        known = track is not None and track.wrong
        return [post for post in posts if post.rule.counts_by_arrival or (known and (post.absence or post.tells_late))]

    def end_alerts(self, reason: Reason, now: Microseconds) -> list[Transition]:
        """Forget what all rules remember here; return how their open alerts end."""
        own = self.device.state
        own.clock = max(own.clock, now)
        endings = (steps.ended(rule, state, reason, own.clock, self.device) for rule, state in own.rules.items())
        ended = [ending for ending in endings if ending is not None]
        own.rules = {}
        return ended

    def peers(self) -> Iterator[DeviceKey]:
        """Yield the other devices that this one is compared with."""
        key = self.device.key
        for name in {name for post in self.roster.comparing for name in post.rule.peers} - {key.device}:
            yield DeviceKey(key.community, key.kind, name)

    def orphans(self) -> Iterator[tuple[str, RuleState]]:
        """Yield the rules that remember something here, but are not on watch any more."""
        for rule, state in self.device.state.rules.items():
            if rule not in self.roster.posts:
                yield rule, state


def new_site(key: DeviceKey, now: Microseconds, roster: Roster) -> Site:
    """Return a device heard for the first time at ``now``; silence is measured from here on every channel."""
    state = DeviceState(clock=now, position=0, heard=Heard(now, now, now, now))
    return Site(Device(key, key.path, state), roster)


def restored_site(path: str, state: bytes, roster_of: Callable[[DeviceKey], Roster]) -> Site:
    """Return the device that `Site.encode` wrote down, under the rules that are on watch there now.

    Raises `PermanentError` for bytes that it did not write.
    """
    key = DeviceKey.from_path(path)
    try:
        known = _decode(state)
    except msgspec.DecodeError as error:
        raise PermanentError(f"engine state of {path}: {error}: was it written by another version of Anju?") from None
    for each in known.rules.values():
        share(each)
    site = Site(Device(key, path, known), _NOBODY)
    site.assign(roster_of(key))
    return site


_NOBODY = Roster([])


def _renewed(post: Post, known: RuleState, latest: Latest) -> RuleState:
    """Return ``known`` where its conditions are the rule's; else begin anew, but keep an open alert and what stands.

    A rule that was changed decides about it with the next message.
    """
    if known.shape == post.rule.shape:
        return known
    state = post.wake(latest)
    lifecycle.keep_past(post.rule, state.parts, known.parts)
    lifecycle.keep_events(post.rule, state.parts, known.parts)
    lifecycle.keep_waits(post.rule, state, known.parts)
    if known.alert is not None:
        state.phase, state.since, state.since_position = Phase.FIRING, known.since, known.since_position
        state.told, state.joining = known.told, known.joining
        state.alert = steps.opened(post.rule, known.alert.id, known.alert.severity)
    return state


def with_wrong_clocks(sites: Iterable[Site]) -> list[Site]:
    """Return the devices whose clocks are steadily wrong, in the order in which that was noticed."""
    wrong = [site for site in sites if (track := site.device.state.track) is not None and track.wrong]
    return sorted(wrong, key=_wrong_since)


def _wrong_since(site: Site) -> tuple[Microseconds, str]:
    track = site.device.state.track
    return (0 if track is None else track.measured_since, site.device.path)
