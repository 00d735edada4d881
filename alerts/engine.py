"""The alert engine: all rules over all devices, in memory, driven by messages and by the time they arrived.

Before a message is applied, everything due until it arrived happens, each at its own instant. So what comes out
depends only on the messages and their order: not on batches, nor on calls of `Engine.advance` between, nor on restarts.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count

import msgspec

from alerts import lifecycle
from alerts.memory import Heard, Microseconds
from alerts.model import Reason, Transition, TransitionKind
from alerts.posts import UNSEEN, Post, Site, decode_site, new_site
from alerts.rules.model import Rule
from alerts.trees import CompiledRule
from core.clock import from_microseconds, to_microseconds
from core.devices import Channel, DeviceKey, DeviceKind
from core.observations import Observation
from core.wire.payloads import Presence, PresenceStatus

_TELEMETRY, _EVENT = Channel.TELEMETRY, Channel.EVENT
_NEVER = 0


class Engine:
    """Evaluates ``rules``. Not safe for threads; what it is told must come in journal order."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        compiled = [CompiledRule(rule) for rule in rules]
        self._rules: dict[DeviceKind, list[CompiledRule]] = {
            kind: [rule for rule in compiled if rule.rule.kind is kind] for kind in DeviceKind
        }
        self._sites: dict[DeviceKey, Site] = {}
        # (due, path, rule): equal instants happen in an order that does not hang on who was heard first. The same timer
        # may stand here twice; the one that is not `Post.armed` is void.
        self._timers: list[tuple[Microseconds, str, str, int, Post]] = []
        self._pushes = count()
        self._dirty: list[Site] = []
        self._orphaned: list[Site] = []
        self.evaluated = 0

    def restore(self, states: Mapping[str, bytes]) -> None:
        """Take over what `dirty` gave out before; raises `msgspec.ValidationError` for bytes that it did not write."""
        for path, state in states.items():
            site = decode_site(path, state, self._rules_for)
            self._sites[site.device.key] = site
            for post in site.posts:
                self._arm(post)
            if site.orphans:
                self._orphaned.append(site)

    def observe(self, observation: Observation) -> list[Transition]:
        """Let everything due until ``observation`` arrived happen, then apply it; return what follows, in order."""
        self.evaluated += 1
        now = to_microseconds(observation.received_at)
        timers = self._timers
        said = self._expire(now) if timers and timers[0][0] <= now else []
        site = self._sites.get(observation.device) or self._meet(observation.device, now)
        if not site.dirty:
            site.dirty = True
            self._dirty.append(site)
        state = site.device.state
        # Our clock may be set back; a device's own time in here never runs backwards.
        state.clock = now = max(now, state.clock)
        state.position = observation.position
        channel = observation.channel
        if channel is _TELEMETRY:
            state.heard.telemetry = state.heard.anything = now
            if observation.late or (state.newest_telemetry is not None and observation.at < state.newest_telemetry):
                self._observe_late(site, site.telemetry, observation, now, said)
                return said
            state.newest_telemetry = observation.at
            self._observe_telemetry(site, observation, now, said)
        elif channel is _EVENT:
            state.heard.event = state.heard.anything = now
            if observation.late or (state.newest_event is not None and observation.at < state.newest_event):
                self._observe_late(site, site.event, observation, now, said)
                return said
            state.newest_event = observation.at
            self._observe_all(site.event, observation, now, said)
        else:
            self._observe_presence(site, observation, now, said)
        return said

    def advance(self, now: datetime) -> list[Transition]:
        """Let everything due until ``now`` happen; nothing received before ``now`` may be told afterwards."""
        instant = to_microseconds(now)
        said = self._expire(instant)
        for site in self._orphaned:
            said += self._close_orphans(site, instant)
        self._orphaned = []
        return said

    def next_due(self) -> datetime | None:
        """Return an instant before which `advance` has nothing to do; calling it then may still bring nothing."""
        return from_microseconds(self._timers[0][0]) if self._timers else None

    def dirty(self) -> dict[str, bytes | None]:
        """Return the states that changed since the last call, by device path; ``None`` deletes."""
        changed: dict[str, bytes | None] = {}
        for site in self._dirty:
            site.dirty = False
            changed[site.device.path] = site.encode()
        self._dirty = []
        return changed

    def forgive_silence(self, now: datetime, unheard_for: timedelta) -> bool:
        """Measure all silence from ``now`` on, if nothing at all was heard for ``unheard_for``; tell whether.

        To be called once after a start: then it was most likely us who did not listen, and silence proves nothing.
        """
        newest = max((site.device.state.heard.anything for site in self._sites.values()), default=_NEVER)
        instant = to_microseconds(now)
        if not newest or instant - newest < unheard_for // timedelta(microseconds=1):
            return False
        for site in self._sites.values():
            site.device.state.heard = Heard(instant, instant, instant, instant)
            self._soil(site)
        return True

    def _observe_telemetry(
        self, site: Site, observation: Observation, now: Microseconds, said: list[Transition]
    ) -> None:
        body = observation.body
        for post in site.telemetry:
            if post.silence:
                if post.waking:
                    self._step(post, observation, now, said)
                continue
            digest = post.digest
            if digest is not None:
                seen = digest(body)
                if seen == post.seen:
                    continue
                self._step(post, observation, now, said)
                post.seen = seen
            else:
                self._step(post, observation, now, said)

    def _observe_all(
        self, posts: list[Post], observation: Observation, now: Microseconds, said: list[Transition]
    ) -> None:
        for post in posts:
            if not post.silence or post.waking:
                self._step(post, observation, now, said)

    def _observe_presence(
        self, site: Site, observation: Observation, now: Microseconds, said: list[Transition]
    ) -> None:
        # A will's `at` is the instant of connecting, older than the birth's: presence goes by arrival alone. And it is
        # the broker that speaks of an offline device, so the device was not heard.
        body = observation.body
        if not isinstance(body, Presence) or body.status is not PresenceStatus.OFFLINE:
            heard = site.device.state.heard
            heard.presence = heard.anything = now
        for post in site.presence:
            self._step(post, observation, now, said)

    def _observe_late(
        self, site: Site, posts: list[Post], observation: Observation, now: Microseconds, said: list[Transition]
    ) -> None:
        """What is late says nothing of now, but that somebody speaks; and rules that ask for it take it."""
        for post in site.silences:
            if post.silence and post.waking:
                self._step(post, observation, now, said)
        age = now - to_microseconds(observation.at)
        for post in posts:
            if post.rule.max_late is not None and age <= post.rule.max_late:
                self._step(post, observation, now, said)

    def _step(self, post: Post, observation: Observation | None, now: Microseconds, said: list[Transition]) -> None:
        site = post.site
        post.state, transition = lifecycle.step(post.rule, post.state, observation, now, site.device)
        post.seen = UNSEEN
        if post.silence:
            post.waking = any(leaf.truth or leaf.raw for leaves in post.state.parts.values() for leaf in leaves)
        self._arm(post)
        if transition is not None:
            if transition.kind is TransitionKind.FIRING:
                said.append(_pending(transition, post.state.since_position))
            said.append(transition)

    def _arm(self, post: Post) -> None:
        """Put the next timer of ``post`` into the heap, unless an earlier one stands there: that one will ask again."""
        due = lifecycle.due(post.rule, post.state, post.site.device)
        if due and (not post.armed or due < post.armed):
            post.armed = due
            heappush(self._timers, (due, post.site.device.path, post.rule.id, next(self._pushes), post))

    def _expire(self, until: Microseconds) -> list[Transition]:
        said: list[Transition] = []
        while self._timers and self._timers[0][0] <= until:
            instant, _, _, _, post = heappop(self._timers)
            if instant != post.armed:
                continue
            post.armed = _NEVER
            due = lifecycle.due(post.rule, post.state, post.site.device)
            if not due or due > instant:
                self._arm(post)
                continue
            state = post.site.device.state
            state.clock = max(state.clock, instant)
            self._soil(post.site)
            self._step(post, None, state.clock, said)
        return said

    def _meet(self, key: DeviceKey, now: Microseconds) -> Site:
        site = self._sites[key] = new_site(key, now, self._rules_for(key))
        for post in site.posts:
            self._arm(post)
        return site

    def _rules_for(self, key: DeviceKey) -> list[CompiledRule]:
        return self._rules[key.kind]

    def _soil(self, site: Site) -> None:
        if not site.dirty:
            site.dirty = True
            self._dirty.append(site)

    def _close_orphans(self, site: Site, now: Microseconds) -> list[Transition]:
        states = site.device.state.rules
        endings = [lifecycle.removed(rule, states.pop(rule), now, site.device) for rule in site.orphans]
        site.orphans = []
        self._soil(site)
        return [ending for ending in endings if ending is not None]


def _pending(firing: Transition, position: int) -> Transition:
    """Return the step before ``firing``; it is only told now, because most of what is pending goes away untold."""
    reason = Reason(firing.reason.code, firing.reason.zh, firing.reason.en)
    return msgspec.structs.replace(
        firing, kind=TransitionKind.PENDING, at=firing.pending_since, reason=reason, position=position
    )
