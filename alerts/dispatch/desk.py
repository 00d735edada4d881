"""The notification desk: follows the timelines of all alerts and decides who is told what, and when.

Before a step is applied, everything due until it was recorded happens, each at its own instant. So what comes out
depends only on the steps and their order: not on batches, nor on calls of `Desk.advance` between, nor on restarts.

All instants given to it are those of the steady clock (`core.clock`), so no ladder waits for a wall clock that was set
back. What people have set for a time of day goes by the wall clock, and so does what the desk writes for them to read.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from alerts.dispatch import notes
from alerts.dispatch.audiences import Audiences
from alerts.dispatch.briefs import happened_at
from alerts.dispatch.holds import INHIBITED, Hold, Holds
from alerts.dispatch.joining import Router
from alerts.dispatch.memory import RANK, Alert, AlertMemory, ChannelTest, Flood, Incident, TestMemory, by_age
from alerts.dispatch.model import Suppression, Told
from alerts.dispatch.plan import Plan, inhibitions_of
from alerts.dispatch.rota import next_weekly
from alerts.dispatch.shelf import Shelf
from alerts.dispatch.speaking import Decision, Speaker
from alerts.dispatch.telling import Teller
from alerts.history import RotaOverrideRow
from alerts.inventory import Inventory
from alerts.matchers import labels_of
from alerts.memory import Microseconds
from alerts.model import TransitionKind
from core.clock import from_microseconds, to_microseconds

_NEVER = 0
_MICROSECOND = timedelta(microseconds=1)


class Desk:
    """Decides by ``plan`` and ``inventory``. What it is told must come in the order of commits."""

    def __init__(self, plan: Plan, inventory: Inventory | None = None) -> None:
        self._shelf = Shelf()
        self._holds = Holds()
        self._hanging: dict[str, dict[str, Alert]] = {}
        self._speaker = Speaker(self._shelf, lambda its_id: self._hanging.get(its_id, {}))
        self._teller = Teller(self._shelf, self._speaker, Audiences(plan))
        self._router = Router(self._shelf, plan)
        self._inventory = inventory or Inventory()
        self._suppressions: Sequence[Suppression] = ()
        self._boundary: Microseconds = _NEVER
        self._passed: Microseconds = _NEVER
        self._stale = self._plan_is_new = True
        self.replace_plan(plan)
        self.set_inventory(self._inventory)

    # ---------------------------------------------------------------- what people have set

    def replace_plan(self, plan: Plan) -> None:
        """Go by ``plan`` from now on: incidents stay as they are, and climb its ladders.

        One of which it knows nobody who was told begins at the foot of its ladder.
        """
        before = self._teller.audiences
        self._teller.audiences = Audiences(plan)
        self._teller.audiences.overrides = before.overrides
        self._teller.audiences.wall_ahead = before.wall_ahead
        self._speaker.flood_rule = plan.flood
        self._router.set_plan(plan)
        self._holds.set_inhibitions(inhibitions_of(plan))
        self._plan_is_new = True
        self._place_all()

    def set_inventory(self, inventory: Inventory) -> None:
        """Go by ``inventory`` from now on."""
        self._inventory = self._speaker.inventory = inventory
        self._place_all()

    def set_suppressions(self, suppressions: Sequence[Suppression]) -> None:
        """Go by ``suppressions`` from now on."""
        if suppressions != self._suppressions:
            self._suppressions = suppressions
            self._holds.set_suppressions(suppressions)
            self._boundary = self._next_boundary(self._shelf.clock)
            self._stale = True

    def set_wall_clock(self, ahead: timedelta) -> None:
        """Take the wall clock as ``ahead`` of the steady one from now on."""
        moved = ahead // _MICROSECOND
        if moved == self._shelf.wall_ahead:
            return
        self._shelf.wall_ahead = self._teller.audiences.wall_ahead = moved
        for test in self._shelf.tests.values():
            test.wall_ahead = moved
            self._shelf.touch(test)
        self._boundary = self._next_boundary(self._shelf.clock)
        self._stale = True

    def _next_boundary(self, after: Microseconds) -> Microseconds:
        boundary = self._holds.next_boundary(after + self._shelf.wall_ahead)
        return boundary - self._shelf.wall_ahead if boundary else _NEVER

    def set_overrides(self, overrides: Sequence[RotaOverrideRow]) -> None:
        """Go by ``overrides`` of the rotas from now on."""
        self._teller.audiences.overrides = overrides

    def _place_all(self) -> None:
        for alert in self._shelf.alerts.values():
            self._label(alert)
            if alert.firing:
                self._holds.add(alert)
        self._stale = True

    def _label(self, alert: Alert) -> None:
        memory = alert.memory
        alert.labels = labels_of(memory.rule, memory.severity, alert.device, self._inventory.of(alert.device))

    # ---------------------------------------------------------------- memory

    def restore(self, states: Mapping[str, bytes]) -> dict[str, str]:
        """Take over what `dirty` gave out before; return the states that cannot be read, with the reason."""
        refused = self._shelf.restore(states)
        for alert in self._shelf.alerts.values():
            if alert.memory.held and alert.firing:
                self._hanging.setdefault(alert.memory.held_by, {})[alert.memory.id] = alert
        self._boundary = self._next_boundary(self._shelf.clock)
        self._place_all()
        return refused

    def dirty(self) -> dict[str, bytes | None]:
        """Return the states that changed since the last call, by key; ``None`` deletes."""
        return self._shelf.changes()

    # ---------------------------------------------------------------- time and steps

    def observe(self, told: Told) -> Decision:
        """Let everything due until ``told`` was recorded happen, then apply it; return what follows, in order."""
        now = to_microseconds(told.recorded_at)
        self._catch_up(now)
        now = self._shelf.move_clock(now)
        self._apply(told, now)
        self._pass_time(now)
        return self._taken()

    def advance(self, now: datetime) -> Decision:
        """Let everything due until ``now`` happen; nothing recorded before ``now`` may be told afterwards."""
        self._catch_up(to_microseconds(now))
        return self._taken()

    def next_due(self) -> datetime | None:
        """Return an instant before which `advance` has nothing to do; calling it then may still bring nothing."""
        instants = [instant for instant in (self._shelf.next_due(), self._boundary) if instant]
        if self._stale:
            instants.append(self._shelf.clock)
        return from_microseconds(min(instants)) if instants else None

    def _taken(self) -> Decision:
        said, self._speaker.said = self._speaker.said, Decision()
        return said.stamped(self._shelf.wall_ahead * _MICROSECOND)

    def _catch_up(self, until: Microseconds) -> None:
        """Let time pass; what people have set since the last call holds from then on, or after a start from now on."""
        if not self._passed:
            self._pass_time(until)
        if self._stale:
            self._stale = False
            now = self._shelf.move_clock(self._passed or until)
            self._arrange_tests(now)
            self._reconsider(now)
            self._reach_again(now)
        self._pass_time(until)
        self._passed = max(self._passed, until)

    def _pass_time(self, until: Microseconds) -> None:
        while True:
            boundary = self._boundary if _NEVER < self._boundary <= until else _NEVER
            found = self._shelf.pop_due(boundary - 1 if boundary else until)
            if found is not None:
                instant, thing = found
                self._happen(thing, self._shelf.move_clock(instant))
            elif boundary:
                now = self._shelf.move_clock(boundary)
                self._boundary = self._next_boundary(boundary)
                self._reconsider(now)
            else:
                return

    def _happen(self, thing: object, now: Microseconds) -> None:
        match thing:
            case Incident():
                self._teller.due(thing, now)
            case Alert():
                self._judge(thing, now)
            case Flood():
                self._teller.digest(thing, now)
            case ChannelTest():
                self._teller.test(thing, now)

    def _reconsider(self, now: Microseconds) -> None:
        """See of every firing alert whether people are told of it."""
        for alert in by_age(self._shelf.alerts.values()):
            self._judge(alert, now)

    def _reach_again(self, now: Microseconds) -> None:
        """After a new plan, and at a start, when it may be one: see that somebody in it knows of each incident."""
        if self._plan_is_new:
            self._plan_is_new = False
            for its_id in sorted(self._shelf.incidents):
                self._teller.reach_again(self._shelf.incidents[its_id], now)

    def _arrange_tests(self, now: Microseconds) -> None:
        plan = self._teller.audiences.plan
        wanted = {person.name: person.weekly_test for person in plan.people if person.weekly_test is not None}
        for name, test in list(self._shelf.tests.items()):
            if wanted.get(name) != test.memory.when:
                self._shelf.drop(self._shelf.tests.pop(name))
        for name, when in wanted.items():
            if name not in self._shelf.tests:
                first = to_microseconds(next_weekly(when, self._shelf.wall(now), plan.zone))
                self._shelf.tests[name] = ChannelTest(name, TestMemory(when, first), self._shelf.wall_ahead)
                self._shelf.touch(self._shelf.tests[name])

    # ---------------------------------------------------------------- steps of a timeline

    def _apply(self, told: Told, now: Microseconds) -> None:
        alert = self._shelf.alerts.get(told.alert_id)
        if alert is None:
            if told.kind is TransitionKind.FIRING:
                self._fire(told, now)
            return
        match told.kind:
            case TransitionKind.SEVERITY_CHANGED:
                self._change_severity(alert, told, now)
            case TransitionKind.REPEATED:
                self._repeat(alert, told, now)
            case TransitionKind.RESOLVED:
                self._resolve(alert, told, now)
            case TransitionKind.ACKNOWLEDGED:
                alert.memory.acknowledged, alert.memory.acknowledged_by = True, told.actor
                self._acted(alert, now)
            case TransitionKind.RESET:
                alert.memory.reset = True
                self._acted(alert, now)
            case TransitionKind.FIRING:
                if not alert.firing:
                    self._fire_again(alert, told, now)
            case _:
                self._acted(alert, now)

    def _fire(self, told: Told, now: Microseconds) -> None:
        alert = self._shelf.alerts[told.alert_id] = Alert(_memory_of(told))
        self._label(alert)
        affected = self._holds.add(alert)
        self._judge(alert, now)
        self._shelf.touch(alert)
        if not alert.memory.held:
            self._join(alert, now)
        for other in affected:
            self._judge(other, now)

    def _fire_again(self, alert: Alert, told: Told, now: Microseconds) -> None:
        """Take in one that ended and began again at one instant, and so under one name: nobody was told of that."""
        self._leave(alert, self._incidents(alert), now)
        self._fire(told, now)

    def _join(self, alert: Alert, now: Microseconds, *, at_once: bool = False) -> None:
        self._router.join(alert, now)
        for incident in self._incidents(alert):
            self._teller.announce(incident, alert, now, at_once=at_once)
            self._teller.settle(incident, now)

    def _leave(self, alert: Alert, incidents: Iterable[Incident], now: Microseconds) -> None:
        for incident in incidents:
            self._teller.leave(incident, alert)
            self._teller.settle(incident, now)

    def _change_severity(self, alert: Alert, told: Told, now: Microseconds) -> None:
        memory = alert.memory
        worse = RANK[told.severity] < RANK[memory.severity]
        memory.severity = told.severity
        memory.reason_zh, memory.reason_en = told.reason.zh, told.reason.en
        if worse:
            # An acknowledgement covers what existed then.
            memory.acknowledged, memory.acknowledged_by = False, None
        self._label(alert)
        affected = self._holds.add(alert) if alert.firing else []
        self._placed(alert)
        self._judge(alert, now)
        if worse and alert.firing and not memory.held:
            self._leave(alert, self._router.leaving(alert, now), now)
            self._join(alert, now)
        for incident in self._incidents(alert):
            self._teller.mention(incident, now)
            self._teller.settle(incident, now)
        for other in affected:
            self._judge(other, now)

    def _repeat(self, alert: Alert, told: Told, now: Microseconds) -> None:
        """It happened again: who acknowledged it is told; who is still waited for is reminded by the ladder anyway."""
        memory = alert.memory
        memory.reason_zh, memory.reason_en = told.reason.zh, told.reason.en
        seen, memory.acknowledged, memory.acknowledged_by = memory.acknowledged, False, None
        self._placed(alert)
        if seen and alert.firing and not memory.held:
            self._join(alert, now)

    def _resolve(self, alert: Alert, told: Told, now: Microseconds) -> None:
        memory = alert.memory
        if memory.resolved_at:
            return
        memory.resolved_at = to_microseconds(told.at)
        memory.grace_until = _NEVER
        self._holds.remove(alert)
        self._hang(alert, "")
        self._placed(alert)
        for incident in self._incidents(alert):
            self._teller.mention(incident, now)
            self._teller.settle(incident, now)
        for other in by_age(self._hanging.get(memory.id, {}).values()):
            self._judge(other, now)
        if not memory.incidents:
            self._shelf.alerts.pop(memory.id, None)
            self._shelf.drop(alert)

    def _acted(self, alert: Alert, now: Microseconds) -> None:
        self._placed(alert)
        for incident in self._incidents(alert):
            self._teller.settle(incident, now, acted=True)

    # ---------------------------------------------------------------- holding and letting go

    def _judge(self, alert: Alert, now: Microseconds) -> None:
        """Hold ``alert`` back, or let people be told of it, as the reasons for it stand at ``now``."""
        memory = alert.memory
        if not alert.firing:
            return
        before = Hold(memory.held, memory.held_by) if memory.held else None
        hold = self._holds.reason(alert, now + self._shelf.wall_ahead)
        if hold is not None:
            memory.grace_until = _NEVER
            if hold != before:
                self._hold(alert, hold, now)
            return
        if before is None:
            if memory.id in self._shelf.bereft:
                self._shelf.bereft.remove(memory.id)
                self._release(alert, now)
            return
        if before.code == INHIBITED and not memory.grace_until:
            memory.grace_until = now + self._holds.grace(alert)
            self._shelf.touch(alert)
        if memory.grace_until <= now:
            self._release(alert, now)

    def _hold(self, alert: Alert, hold: Hold, now: Microseconds) -> None:
        self._hang(alert, hold.by)
        alert.memory.held, alert.memory.held_by = hold.code, hold.by
        self._speaker.said.notes.append(notes.held(alert.memory.id, hold, now))
        self._placed(alert)
        if not alert.memory.told:
            # It was never part of what people know of this incident.
            self._leave(alert, self._incidents(alert), now)
        for incident in self._incidents(alert):
            self._teller.settle(incident, now)

    def _release(self, alert: Alert, now: Microseconds) -> None:
        memory = alert.memory
        self._hang(alert, "")
        memory.held, memory.held_by, memory.grace_until = "", "", _NEVER
        self._placed(alert)
        if memory.acknowledged:
            self._speaker.said.notes.append(notes.released(memory.id, now))
            self._router.join(alert, now)
            for incident in self._incidents(alert):
                self._teller.settle(incident, now)
        else:
            self._join(alert, now, at_once=True)

    def _hang(self, alert: Alert, cause: str) -> None:
        """Count ``alert`` among what ``cause`` stands for, and no longer among what another did."""
        its_id, before = alert.memory.id, alert.memory.held_by
        if before in self._hanging:
            self._hanging[before].pop(its_id, None)
            if not self._hanging[before]:
                del self._hanging[before]
        if cause:
            self._hanging.setdefault(cause, {})[its_id] = alert

    def _incidents(self, alert: Alert) -> list[Incident]:
        return [self._shelf.incidents[its_id] for its_id in alert.memory.incidents]

    def _placed(self, alert: Alert) -> None:
        self._shelf.touch(alert)
        for incident in self._incidents(alert):
            incident.place(alert)


def _memory_of(told: Told) -> AlertMemory:
    facts = told.reason.facts
    return AlertMemory(
        id=told.alert_id,
        rule=told.rule,
        severity=told.severity,
        path=told.device.path,
        title_zh=told.title_zh,
        title_en=told.title_en,
        reason_zh=told.reason.zh,
        reason_en=told.reason.en,
        next_step_zh=str(facts.get("next_step_zh", "")),
        next_step_en=str(facts.get("next_step_en", "")),
        fired_at=to_microseconds(told.fired_at),
        latching=told.latching,
        protected=told.protected,
        maintenance=told.maintenance,
        number=told.sequence,
        happened_at=happened_at(facts),
    )
