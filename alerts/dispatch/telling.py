"""When people are told of an incident: first words, changes, the ladder, reminders, the end."""

from collections.abc import Sequence

from alerts.dispatch import notes
from alerts.dispatch.audiences import Audience, Audiences
from alerts.dispatch.briefs import worst_first
from alerts.dispatch.memory import Alert, ChannelTest, Flood, Incident, Standing, by_age
from alerts.dispatch.model import Purpose
from alerts.dispatch.plan import Policy
from alerts.dispatch.rota import next_weekly
from alerts.dispatch.shelf import Shelf
from alerts.dispatch.speaking import Speaker
from alerts.memory import Microseconds
from core.clock import to_microseconds
from core.durations import microseconds

# Urgent alerts that join an incident within this time of its last notification are told together: messages that come
# milliseconds apart are one event, and a phone that rings twice a second is put away.
AT_ONCE_PAUSE = 1_000_000
# Nobody could be told: asked again after this time (ours), because a shift may have begun.
NOBODY_AGAIN = 300_000_000
# EN 81-28 has a pressed alarm button repeated until somebody acknowledges, so a ladder without reminders still has them
# for it; how often is ours.
ALARM_AGAIN = 300_000_000
_NEVER = 0


class Teller:
    """Moves incidents on. Whoever changes an alert places it in its incidents, and then calls `settle` with each."""

    def __init__(self, shelf: Shelf, speaker: Speaker, audiences: Audiences) -> None:
        self._shelf = shelf
        self._speaker = speaker
        self.audiences = audiences

    def announce(self, incident: Incident, alert: Alert, now: Microseconds, *, at_once: bool = False) -> None:
        """Let people be told of ``alert`` as it stands now, as soon as its incident may speak."""
        memory = incident.memory
        incident.fresh[alert.memory.id] = alert
        if memory.id not in alert.memory.fresh:
            alert.memory.fresh.append(memory.id)
            self._shelf.touch(alert)
        if alert.urgent:
            earliest = memory.said_at + AT_ONCE_PAUSE if memory.version else now
        elif at_once:
            earliest = now
        else:
            earliest = memory.said_at + memory.group_interval if memory.version else now + memory.group_wait
        self._flush_at(incident, max(now, earliest))

    def mention(self, incident: Incident, now: Microseconds) -> None:
        """Let those who are still waited for know that something left or became less, in good time."""
        memory = incident.memory
        memory.changed = True
        if memory.version:
            self._flush_at(incident, max(now, memory.said_at + memory.group_interval))

    def _flush_at(self, incident: Incident, instant: Microseconds) -> None:
        memory = incident.memory
        memory.flush_at = min(memory.flush_at, instant) if memory.flush_at else instant
        self._shelf.touch(incident)

    def settle(self, incident: Incident, now: Microseconds, *, acted: bool = False) -> None:
        """After an alert changed: stop the ladder, watch over what is acknowledged, or close.

        ``acted``: a person did something about it.
        """
        memory = incident.memory
        if incident.over:
            self._close(incident, now)
            return
        if acted:
            memory.resumed, memory.unattended_at = False, _NEVER
        if incident.count(Standing.WANTING):
            memory.unattended_at = _NEVER
        else:
            if memory.climbing and not memory.resumed:
                _stop(incident)
            self._watch_over(incident, now)
        self._shelf.touch(incident)

    def _watch_over(self, incident: Incident, now: Microseconds) -> None:
        """Nobody waits to be told: see when what is acknowledged counts as left alone."""
        memory, worst = incident.memory, incident.worst_attended
        patience = self.audiences.policy(incident).unattended.get(worst) if worst is not None else None
        if patience is None:
            memory.unattended_at = _NEVER
            _stop(incident)
        elif not memory.unattended_at and not memory.resumed:
            memory.unattended_at = now + microseconds(patience)

    def due(self, incident: Incident, now: Microseconds) -> None:
        """Say what is due of ``incident`` at ``now``."""
        memory = incident.memory
        if memory.flush_at and memory.flush_at <= now:
            memory.flush_at = _NEVER
            self._flush(incident, now)
        if memory.step_at and memory.step_at <= now:
            self._climb(incident, now)
        if memory.repeat_at and memory.repeat_at <= now:
            self._remind(incident, now)
        if memory.unattended_at and memory.unattended_at <= now:
            memory.unattended_at, memory.resumed = _NEVER, True
            self._begin(incident, now)
        self._shelf.touch(incident)

    def _flush(self, incident: Incident, now: Microseconds) -> None:
        memory = incident.memory
        fresh = [alert for alert in by_age(incident.fresh.values()) if alert.standing is Standing.WANTING]
        self._no_longer_fresh(incident)
        if fresh and not memory.climbing:
            self._begin(incident, now, fresh)
        elif memory.climbing and memory.said_in_round and (fresh or memory.changed):
            self._say(incident, Purpose.UPDATE, self.audiences.reached(incident, now), now, fresh)
        memory.changed = False

    def _no_longer_fresh(self, incident: Incident) -> None:
        for alert in incident.fresh.values():
            alert.memory.fresh.remove(incident.memory.id)
            self._shelf.touch(alert)
        incident.fresh.clear()

    def _begin(self, incident: Incident, now: Microseconds, fresh: Sequence[Alert] = ()) -> None:
        """Start at the foot of the ladder."""
        memory = incident.memory
        memory.climbing, memory.said_in_round = True, False
        memory.ladder_from, memory.step, memory.repeat_at = now, 0, _NEVER
        self._climb(incident, now, fresh)

    def _climb(self, incident: Incident, now: Microseconds, fresh: Sequence[Alert] = ()) -> None:
        """Take every step that is due, and see when the next one is."""
        memory, policy = incident.memory, self.audiences.policy(incident)
        memory.step_at = _NEVER
        while memory.step < len(policy.steps):
            due = memory.ladder_from + microseconds(policy.steps[memory.step].after)
            if due > now:
                memory.step_at = due
                return
            memory.step += 1
            audience = self.audiences.of_steps(incident, [memory.step - 1], now)
            if audience:
                self._say_first(incident, audience, now, fresh)
            else:
                self._skip(incident, policy, now)
        if not memory.said_in_round:
            self._say_first(incident, self.audiences.elsewhere(incident), now, fresh)
        if not memory.said_in_round:
            memory.repeat_at = now + NOBODY_AGAIN

    def _say_first(self, incident: Incident, audience: Audience, now: Microseconds, fresh: Sequence[Alert]) -> None:
        memory = incident.memory
        purpose = Purpose.UNATTENDED if memory.resumed else Purpose.FIRING
        self._say(incident, Purpose.ESCALATION if memory.said_in_round else purpose, audience, now, fresh)
        memory.said_in_round = memory.said_in_round or bool(audience)

    def _skip(self, incident: Incident, policy: Policy, now: Microseconds) -> None:
        """Nobody is there: the next step follows at once, and those after it as far behind it as ever."""
        memory = incident.memory
        for alert in worst_first(incident.alerts.values())[:1]:
            self._speaker.said.notes.append(notes.nobody(alert.memory.id, memory.step - 1, now))
        if memory.step < len(policy.steps):
            memory.ladder_from = now - microseconds(policy.steps[memory.step].after)

    def reach_again(self, incident: Incident, now: Microseconds) -> None:
        """Begin anew where somebody has yet to take it, and nobody who was told is in the plan any more."""
        memory = incident.memory
        if memory.told and incident.count(Standing.WANTING) and not self.audiences.knows_any(memory.told):
            self._begin(incident, now)
            self._shelf.touch(incident)

    def _remind(self, incident: Incident, now: Microseconds) -> None:
        memory = incident.memory
        memory.repeat_at = _NEVER
        if memory.said_in_round:
            self._say(incident, Purpose.REMINDER, self.audiences.reached(incident, now), now)
        else:
            self._begin(incident, now)

    def _say(
        self, incident: Incident, purpose: Purpose, audience: Audience, now: Microseconds, fresh: Sequence[Alert] = ()
    ) -> None:
        repeat = microseconds(self.audiences.policy(incident).repeat) or _alarm_again(incident)
        incident.memory.repeat_at = now + repeat if repeat else _NEVER
        self._speaker.say(incident, purpose, audience, now, fresh)
        if not incident.memory.digest:
            self._leave_behind(incident)

    def _leave_behind(self, incident: Incident) -> None:
        """What is over has been mentioned: it need not be carried on."""
        for alert in [each for each in incident.alerts.values() if each.standing is Standing.OVER]:
            self.leave(incident, alert)

    def _close(self, incident: Incident, now: Microseconds) -> None:
        memory = incident.memory
        self._no_longer_fresh(incident)
        _stop(incident)
        memory.flush_at = memory.unattended_at = _NEVER
        if memory.told and self.audiences.policy(incident).notify_resolved:
            self._speaker.say(incident, Purpose.RESOLVED, dict(memory.told), now, ())
        memory.closed = True
        group = tuple(memory.key)
        if self._shelf.open_groups.get(group) is incident:
            del self._shelf.open_groups[group]
        if memory.digest:
            self._shelf.touch(incident)
        else:
            self._forget(incident)

    def _forget(self, incident: Incident) -> None:
        for alert in list(incident.alerts.values()):
            self.leave(incident, alert)
        self._shelf.incidents.pop(incident.memory.id, None)
        self._shelf.drop(incident)

    def leave(self, incident: Incident, alert: Alert) -> None:
        """Take ``alert`` out of ``incident``; one that is over and nowhere else is forgotten."""
        incident.remove(alert)
        memory = alert.memory
        memory.incidents.remove(incident.memory.id)
        if incident.memory.id in memory.fresh:
            memory.fresh.remove(incident.memory.id)
        if memory.incidents or alert.firing:
            self._shelf.touch(alert)
        else:
            self._shelf.alerts.pop(memory.id, None)
            self._shelf.drop(alert)

    def digest(self, flood: Flood, now: Microseconds) -> None:
        """Say together what was held back in a flood."""
        for incident in self._speaker.digest(flood, now):
            incident.memory.digest = {}
            if incident.memory.closed:
                self._forget(incident)
            else:
                self._leave_behind(incident)
                self._shelf.touch(incident)

    def test(self, test: ChannelTest, now: Microseconds) -> None:
        """Send the weekly test to all receivers of a person."""
        self._speaker.test(test, self.audiences.receivers_of(test.person), now)
        following = next_weekly(test.memory.when, self._shelf.wall(now), self.audiences.plan.zone)
        test.memory.due = to_microseconds(following)
        self._shelf.touch(test)


def _alarm_again(incident: Incident) -> Microseconds:
    alarm = any(each.is_alarm and each.standing is Standing.WANTING for each in incident.alerts.values())
    return ALARM_AGAIN if alarm else _NEVER


def _stop(incident: Incident) -> None:
    memory = incident.memory
    memory.climbing = memory.resumed = False
    memory.step_at = memory.repeat_at = _NEVER
