"""The alert engine: all rules over all devices, in memory, driven by messages and by the time they arrived.

Before a message is applied, everything due until it arrived happens, each at its own instant. So what comes out
depends only on the messages and their order: not on batches, nor on calls of `Engine.advance` between, nor on restarts.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo

import msgspec

from alerts import clocks, lifecycle, steps
from alerts.absences import OwnAbsences
from alerts.asides import asides
from alerts.assignments import Assignments
from alerts.changes import Changes
from alerts.clocks import Verdict
from alerts.inventory import Inventory
from alerts.late import ZONE
from alerts.memory import Heard, Microseconds, Phase, RuleState
from alerts.model import Reason, Transition, TransitionKind, stamped
from alerts.pausing import HOURS_MOVED, Pause, Pauses, set_wall_clock
from alerts.posts import Post
from alerts.restoring import restored
from alerts.rules.model import Rule
from alerts.sites import Site, new_site, restored_site, with_wrong_clocks
from alerts.timers import Timers
from alerts.unknown_devices import TOO_MANY, UNHEARD, UnknownDevices, UnknownLimits
from core.clock import from_microseconds, to_microseconds
from core.devices import Channel, DeviceKey
from core.observations import Observation
from core.wire.payloads import Presence, PresenceStatus

_TELEMETRY, _PRESENCE = Channel.TELEMETRY, Channel.PRESENCE
_LIVE = Verdict.LIVE


class Engine:
    """Evaluates ``rules``. Not safe for threads; what it is told must come in journal order.

    ``zone`` is that of the instants in sentences.
    """

    def __init__(self, rules: Iterable[Rule], limits: UnknownLimits | None = None, zone: tzinfo = ZONE) -> None:
        self._assignments = Assignments(rules, zone)
        self._sites: dict[DeviceKey, Site] = {}
        self.unknown = UnknownDevices(limits or UnknownLimits())
        self._timers = Timers()
        self._changes = Changes()
        self._orphaned: list[Site] = []
        self._returned: list[Site] = []
        """Those that are not retired any more, of which silence is not measured anew yet."""
        self._rescheduled: list[Site] = []
        """Those with rules that have hours, since the wall clock was set."""
        self._watchers: dict[DeviceKey, dict[str, Site]] = {}
        """By device: those that are compared with it, by path."""
        self._wrong_clocks: dict[DeviceKey, Microseconds] = {}
        self.pauses = Pauses(self._assignments, self._sites, self._run_timers, self._timers.arm)
        self.absences = OwnAbsences(self._sites, self.pauses, hear=self._hear, mark_dirty=self._changes.mark_dirty)
        self._wall_ahead: Microseconds = 0
        self.evaluated = 0
        self.judged: Observation | None = None
        """The newest observation, with the skew that its instant tells of."""

    @property
    def wrong_clocks(self) -> Mapping[DeviceKey, Microseconds]:
        """Return how far the clocks that are steadily wrong lag behind ours, in the order in which that was noticed."""
        return self._wrong_clocks

    @property
    def wall_ahead(self) -> timedelta:
        """How far the wall clock was ahead of the steady one when it was last heard of."""
        return timedelta(microseconds=self._wall_ahead)

    def restore(self, states: Mapping[str, bytes]) -> dict[str, str]:
        """Take over what `dirty` gave out before; return the states that cannot be read, with the reason.

        Their devices are as good as never heard. Raises `PermanentError` where another version wrote them.
        """
        refused = restored(states, self._restore_one)
        for site in with_wrong_clocks(self._sites.values()):
            self._note_clock(site)
        self.unknown.rebuild(self._assignments.inventory, self._sites.values())
        return refused

    def _restore_one(self, path: str, state: bytes) -> None:
        site = restored_site(path, state, self._assignments.roster_of)
        self._sites[site.device.key] = site
        self._note_retirement(site)
        self._take_stock(site)

    def replace_rules(self, rules: Iterable[Rule]) -> None:
        """Put other rules in force from the next message or `advance` on, which tells what follows from that.

        Rules that are equal to the ones before go on as if nothing had happened; a changed one keeps its open alert
        and decides about it with the next message; the alert of one that is gone is resolved.
        """
        self._assignments.replace_rules(rules)
        self._reassign()

    def set_inventory(self, inventory: Inventory) -> None:
        """Put other facts of devices in force; alerts of devices that leave the scope of a rule are resolved.

        Of a device that is retired the alerts of its silence are; when it is so no more, silence counts from then.
        """
        self._assignments.set_inventory(inventory)
        self._reassign()

    def decided(self, device: DeviceKey) -> int:
        """Return the position of the newest message of ``device`` that was applied, 0 for none."""
        site = self._sites.get(device)
        return 0 if site is None else site.device.state.heard_position

    def resume(self, queue: DeviceKey) -> list[Transition]:
        """Let a paused queue of which nothing waits go on like all others."""
        members, said = self.pauses.members(queue), self.pauses.end(queue)
        self._rescheduled += set_wall_clock(members, self._wall_ahead)
        return said

    def observe(self, observation: Observation) -> list[Transition]:
        """Let everything due until ``observation`` arrived happen, then apply it; return what follows, in order.

        Of devices of one queue it must come in journal order, of a paused queue also behind what is newer elsewhere.
        """
        ahead = observation.wall_ahead
        pause = self.pauses.of(observation.device)
        if pause is None and ahead != self._wall_ahead:
            self._set_wall_clock(ahead)
        if not ahead:
            return self._observe(observation, pause)
        span = timedelta(microseconds=ahead)
        at, received_at = observation.at - span, observation.received_at - span
        said = self._observe(msgspec.structs.replace(observation, at=at, received_at=received_at), pause)
        if self.judged is not None:
            self.judged = msgspec.structs.replace(observation, skew=self.judged.skew)
        return stamped(said, span)

    def _observe(self, observation: Observation, pause: Pause | None) -> list[Transition]:
        said = self._apply(observation, pause)
        if (site := self._sites[observation.device]).roster.has_parts:
            self._make_room(self.unknown.weigh(site), observation, site.device.state.clock, said)
        return said

    def _apply(self, observation: Observation, pause: Pause | None) -> list[Transition]:
        self.evaluated += 1
        now = to_microseconds(observation.received_at)
        changed = self._orphaned or self._returned or self._rescheduled or self.unknown.is_overfull
        if pause is not None:
            said = self.pauses.advance(pause, now)
        else:
            said = self._expire(now) if changed or 0 < self._timers.next_due() <= now else []
        site = self._sites.get(observation.device) or self._meet(observation, now, said)
        if pause is not None:
            for each in self.pauses.take_wall_clock(pause, observation.wall_ahead):
                self._keep_hours(each, max(now, each.device.state.clock), said)
        self.judged = observation
        if not site.dirty:
            self._changes.mark_dirty(site)
        state, received = site.device.state, now
        # A journal may come from another machine; a device's own time in here never runs backwards.
        state.clock = now = max(now, state.clock)
        state.position = state.heard_position = observation.position
        channel = observation.channel
        if channel is _PRESENCE:
            self._observe_presence(site, observation, received, now, said)
            return said
        telemetry = channel is _TELEMETRY
        newest, verdict = state.newest_telemetry if telemetry else state.newest_event, _LIVE
        if clocks.is_plain(state, observation, newest, received):
            newest = observation.at
        elif (verdict := self._judge(site, observation, newest, received)) is _LIVE:
            newest = clocks.moved(newest, observation.at, observation.received_at)
        if telemetry:
            state.heard.telemetry = state.heard.anything = now
            state.newest_telemetry = newest
        else:
            state.heard.event = state.heard.anything = now
            state.newest_event = newest
        if verdict is not _LIVE:
            self._observe_aside(site, observation, verdict, now, said)
            return said
        if telemetry:
            self._observe_telemetry(site, observation, now, said)
        else:
            posts = [post for post in site.roster.event if post.hears(observation, state.rules)]
            self._take(site, posts, observation, now, said)
        self._tell_watchers(site, observation, said)
        return said

    def advance(self, now: datetime, wall_ahead: timedelta = timedelta(0)) -> list[Transition]:
        """Let everything due until ``now`` of the steady clock happen; nothing received before may be told afterwards.

        ``wall_ahead`` is how far the wall clock is ahead of it.
        """
        self._set_wall_clock(wall_ahead // timedelta(microseconds=1))
        return stamped(self._expire(to_microseconds(now)), wall_ahead)

    def next_due(self) -> datetime | None:
        """Return an instant of the steady clock before which `advance` has nothing to do, and then perhaps neither."""
        due = self._timers.next_due()
        return from_microseconds(due) if due else None

    def dirty(self) -> dict[str, bytes | None]:
        """Return the states that changed since the last call, by device path; ``None`` deletes."""
        return self._changes.take_states()

    def take_forgotten(self) -> list[DeviceKey]:
        """Return the unknown devices forgotten since the last call; some may have been heard anew since."""
        return self._changes.take_forgotten()

    def _observe_telemetry(
        self, site: Site, observation: Observation, now: Microseconds, said: list[Transition]
    ) -> None:
        """Step the posts whose values changed: a lift that stands repeats itself, and one look then does for all."""
        roster, states, before = site.roster, site.device.state.rules, site.drawn
        body = observation.body
        drawn = roster.draw(body)
        moved = drawn != before
        asked = roster.concerned(before, drawn) if moved else roster.undrawn
        latest = site.device.state.latest
        posts = [
            (post, affected if post.id in states else None)
            for post, affected in asked
            if (post.id in states or not (post.dormant or post.stays_at_rest(latest, drawn, body)))
            and post.samples(body)
        ]
        for post, affected in posts:
            step = lifecycle.step(post.rule, site.awake(post), observation, now, site.device, affected)
            self._note(site, post, *step, said)
        if moved:
            site.learn_telemetry(drawn)
        for post, _ in posts:
            self._settle(site, post)

    def _tell_watchers(self, peer: Site, observation: Observation, said: list[Transition]) -> None:
        """Let the devices that are compared with this one look at what it said."""
        key = peer.device.key
        for path in sorted(self._watchers.get(key, ())):
            site = self._watchers[key][path]
            posts = [post for post in site.roster.comparing if key.device in post.rule.peers]
            state = site.device.state
            state.clock = max(state.clock, peer.device.state.clock)
            state.position = observation.position
            self._changes.mark_dirty(site)
            for post in posts:
                step = lifecycle.step_by_peer(post.rule, site.awake(post), observation, state.clock, site.device)
                self._note(site, post, *step, said)
                self._settle(site, post)

    def _observe_presence(
        self, site: Site, observation: Observation, received: Microseconds, now: Microseconds, said: list[Transition]
    ) -> None:
        # A will's `at` is the instant of connecting, older than the birth's: presence goes by arrival alone. And it is
        # the broker that speaks of an offline device, so the device was not heard.
        body, state = observation.body, site.device.state
        if not isinstance(body, Presence) or body.status is not PresenceStatus.OFFLINE:
            state.heard.presence = state.heard.anything = now
            clocks.hear_birth(state, observation, received)
            self._take_back(site)
        else:
            clocks.hear_will(state, received)
        self._take(site, site.roster.presence, observation, now, said)

    def _judge(self, site: Site, observation: Observation, newest: datetime | None, received: Microseconds) -> Verdict:
        state = site.device.state
        verdict = clocks.judge(state, observation, newest, received)
        if state.track is not None:
            self.judged = clocks.judged(observation, verdict, state)
            self._take_back(site)
            self._note_clock(site)
            if clocks.is_done(state):
                state.track = None
        return verdict

    def _note_clock(self, site: Site) -> None:
        track = site.device.state.track
        if track is not None and track.wrong:
            self._wrong_clocks[site.device.key] = track.wrong
        else:
            self._wrong_clocks.pop(site.device.key, None)

    def _take_back(self, site: Site) -> None:
        """Undo what messages did that are now proven to have been stored; what fires goes on."""
        state = site.device.state
        for rule, before in clocks.take_before(state).items():
            known, post = state.rules.get(rule), site.roster.posts.get(rule)
            if post is None or (known is not None and known.phase is Phase.FIRING):
                continue
            if before is None:
                state.rules.pop(rule, None)
            else:
                if before.phase is Phase.FIRING:
                    # They ended that alert, and people were told: what still holds raises another one.
                    steps.rest(before)
                state.rules[rule] = before
            site.drawn = None
            self._settle(site, post)

    def _observe_aside(
        self, site: Site, observation: Observation, verdict: Verdict, now: Microseconds, said: list[Transition]
    ) -> None:
        """Take a message whose instant does not say how things are now: by its arrival, as history, or as a sound."""
        taken = asides(site, observation, verdict, now)
        for posts, message in taken:
            self._step_all(site, posts, message, now, said)
        site.drawn = None
        for posts, _ in taken:
            for post in posts:
                self._settle(site, post)

    def _take(
        self, site: Site, posts: Sequence[Post], observation: Observation, now: Microseconds, said: list[Transition]
    ) -> None:
        """Let ``posts`` look at a message that is not telemetry."""
        self._step_all(site, posts, observation, now, said)
        site.learn_event(observation.body)
        site.drawn = None
        for post in posts:
            self._settle(site, post)

    def _step_all(
        self,
        site: Site,
        posts: Iterable[Post],
        observation: Observation | None,
        now: Microseconds,
        said: list[Transition],
    ) -> None:
        for post in posts:
            state, transition = lifecycle.step(post.rule, site.awake(post), observation, now, site.device)
            self._note(site, post, state, transition, said)

    def _note(
        self, site: Site, post: Post, state: RuleState, transition: Transition | None, said: list[Transition]
    ) -> None:
        site.device.state.rules[post.id] = state
        if transition is not None:
            by_arrival = post.tells_late or post.rule.counts_by_arrival
            transition = clocks.remarked(transition, site.device.state, by_arrival=by_arrival)
            if transition.kind is TransitionKind.FIRING:
                said.append(steps.pending_before(transition, state.since_position))
            elif transition.kind is TransitionKind.RESOLVED:
                self._may_be_forgotten(site)
            said.append(transition)

    def _settle(self, site: Site, post: Post) -> None:
        self._timers.arm(site, site.settle(post))

    def _arm_all(self, site: Site) -> None:
        self._timers.arm(site, site.next_due())
        self._timers.arm(site, self.unknown.forgotten_at(site))

    def _expire(self, until: Microseconds) -> list[Transition]:
        said: list[Transition] = []
        time_of = self.pauses.time_of
        for site in self._returned:
            # Before, nothing was expected of it; it may be retired again.
            if not self._assignments.is_retired(site.device.key):
                site.device.state.retired = False
                self._hear(site, time_of(site, until), time_of(site, until))
        said += self._run_timers(until)
        for site in self._rescheduled:
            self._keep_hours(site, time_of(site, until), said)
        for site in self._orphaned:
            self._close_orphans(site, time_of(site, until), said)
        self._returned, self._rescheduled, self._orphaned = [], [], []
        for site in self.unknown.excess() if self.unknown.is_overfull else ():
            self._forget(site, TOO_MANY, time_of(site, until), said)
        return said

    def _run_timers(self, until: Microseconds) -> list[Transition]:
        said: list[Transition] = []
        for instant, site in self._timers.due_until(until):
            if self._sites.get(site.device.key) is not site or (self.pauses and self.pauses.puts_aside(site, instant)):
                continue
            if 0 < self.unknown.forgotten_at(site) <= instant:
                self._forget(site, UNHEARD, instant, said)
            else:
                self._expire_site(site, instant, said)
                self._arm_all(site)
        return said

    def _expire_site(self, site: Site, instant: Microseconds, said: list[Transition]) -> None:
        posts = site.due_at(instant)
        if not posts:
            return
        state = site.device.state
        state.clock = max(state.clock, instant)
        self._changes.mark_dirty(site)
        self._step_all(site, posts, None, state.clock, said)
        site.drawn = None
        for post in posts:
            site.settle(post)

    def _set_wall_clock(self, ahead: Microseconds) -> None:
        """Let rules that have hours go by another wall clock from now on."""
        if abs(ahead - self._wall_ahead) < HOURS_MOVED:
            return
        self._wall_ahead = ahead
        self._rescheduled += set_wall_clock(self.pauses.running(), ahead)

    def _keep_hours(self, site: Site, now: Microseconds, said: list[Transition]) -> None:
        """After the wall clock was set: see which rules are in force now, and when that changes next."""
        state = site.device.state
        posts = [
            post for post in site.roster.in_order if post.rule.policy.calendar is not None and post.id in state.rules
        ]
        state.clock = now
        self._changes.mark_dirty(site)
        self._step_all(site, posts, None, now, said)
        site.drawn = None
        for post in posts:
            self._settle(site, post)

    def _meet(self, observation: Observation, now: Microseconds, said: list[Transition]) -> Site:
        key = observation.device
        self._make_room(self.unknown.in_the_way_of(key), observation, now, said)
        site = self._sites[key] = new_site(key, now, self._assignments.roster_of(key))
        self.unknown.add(site)
        site.device.wall_ahead = self._wall_ahead
        self._note_retirement(site)
        self._take_stock(site)
        return site

    def _make_room(self, others: Iterable[Site], by: Observation, now: Microseconds, said: list[Transition]) -> None:
        for site in others:
            site.device.state.position = by.position
            self._forget(site, TOO_MANY, now, said)

    def _forget(self, site: Site, reason: Reason, now: Microseconds, said: list[Transition]) -> None:
        """Forget an unknown device; its open alerts end for ``reason``."""
        said += site.end_alerts(reason, now)
        self.unknown.remove(site)
        self._unwatch(site)
        del self._sites[site.device.key]
        self._wrong_clocks.pop(site.device.key, None)
        self._changes.forget(site)
        self._timers.drop(site)

    def _unwatch(self, site: Site) -> None:
        for peer in site.peers():
            self._watchers[peer].pop(site.device.path, None)
            if not self._watchers[peer]:
                del self._watchers[peer]

    def _may_be_forgotten(self, site: Site) -> None:
        """Note that an alert of ``site`` has ended, which may have kept it from being forgotten."""
        self.unknown.requeue(site)
        self._timers.arm(site, self.unknown.forgotten_at(site))

    def _reassign(self) -> None:
        for site in self._sites.values():
            self._note_retirement(site)
            roster = self._assignments.roster_of(site.device.key)
            if roster is not site.roster:
                self._unwatch(site)
                site.assign(roster)
                self._take_stock(site)
        self.unknown.rebuild(self._assignments.inventory, self._sites.values())
        self._assignments.keep(site.roster for site in self._sites.values())

    def _note_retirement(self, site: Site) -> None:
        state, retired = site.device.state, self._assignments.is_retired(site.device.key)
        if retired and not state.retired:
            state.retired = True
            self._changes.mark_dirty(site)
        elif state.retired and not retired:
            self._returned.append(site)

    def _hear(self, site: Site, now: Microseconds, unheard: Microseconds) -> None:
        """Measure silence as if the device had spoken ``now`` on every channel; wait ``unheard`` longer for events.

        Likewise an *offline*: it is as if the broker had said it now.
        """
        site.device.state.heard = Heard(now, now, now, now)
        site.doubt_offline(now)
        site.wait_longer(unheard, now)
        self._changes.mark_dirty(site)

    def _take_stock(self, site: Site) -> None:
        """Set the timer of a device that is new or has other rules than before, and note what has to be ended there."""
        if site.begin_waits():
            self._changes.mark_dirty(site)
        self._arm_all(site)
        for peer in site.peers():
            self._watchers.setdefault(peer, {})[site.device.path] = site
        if any(site.orphans()):
            self._orphaned.append(site)

    def _close_orphans(self, site: Site, now: Microseconds, said: list[Transition]) -> None:
        for rule, state in list(site.orphans()):
            del site.device.state.rules[rule]
            reason = self._assignments.why_not(rule, site.device.key)
            ending = steps.ended(rule, state, reason, now, site.device)
            if ending is not None:
                said.append(ending)
                self._may_be_forgotten(site)
            self._changes.mark_dirty(site)
