"""Everything the desk remembers, by key: with its timers, and with what changed since it was last stored."""

from collections.abc import Mapping
from datetime import datetime
from heapq import heappop, heappush
from typing import TypeVar

import msgspec

from alerts.dispatch.memory import (
    Alert,
    AlertMemory,
    ChannelTest,
    DeskMemory,
    Flood,
    FloodMemory,
    Incident,
    IncidentMemory,
    Kept,
    TestMemory,
    by_age,
)
from alerts.memory import Microseconds
from alerts.restoring import restored
from core.clock import from_microseconds

_NEVER = 0
_CLOCK = "desk"
_KINDS = ("alert/", "incident/", "flood/", "test/")
_Thing = TypeVar("_Thing", bound=Kept)


class Shelf:
    """Alerts, incidents, floods and tests. Whoever changes one of them calls `touch` with it afterwards."""

    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.incidents: dict[str, Incident] = {}
        self.open_groups: dict[tuple[str, ...], Incident] = {}
        self.floods: dict[str, Flood] = {}
        self.tests: dict[str, ChannelTest] = {}
        self.bereft: set[str] = set()
        """Alerts that were in an incident whose stored state could not be read: people are told of them anew."""
        self.wall_ahead: Microseconds = 0
        """How far the wall clock is ahead of the steady one, by which the desk works; negative when behind."""
        self._clock = DeskMemory()
        self._things: dict[str, Kept] = {}
        self._timers: list[tuple[Microseconds, str]] = []
        self._changed: dict[str, Kept | None] = {}
        self._clock_moved = False

    @property
    def clock(self) -> Microseconds:
        """The instant up to which everything has been decided; never runs backwards."""
        return self._clock.clock

    def wall(self, now: Microseconds) -> datetime:
        """Return what the wall clock shows at ``now``: schedules, shifts and what people are shown go by it."""
        return from_microseconds(now + self.wall_ahead)

    def move_clock(self, now: Microseconds) -> Microseconds:
        """Let it be ``now``, unless it is later already; return what it is."""
        if now > self._clock.clock:
            self._clock.clock = now
            self._clock_moved = True
        return self._clock.clock

    def number_incident(self) -> int:
        """Return the number of a new incident: the same alert may open one again, after it was held back."""
        self._clock.incidents += 1
        self._clock_moved = True
        return self._clock.incidents

    def touch(self, thing: Kept) -> None:
        """Remember that ``thing`` is new or has changed, and when it is due now."""
        self._things[thing.key] = thing
        self._changed[thing.key] = thing
        due = thing.due()
        if due and (not thing.armed or due < thing.armed):
            thing.armed = due
            heappush(self._timers, (due, thing.key))

    def drop(self, thing: Kept) -> None:
        """Forget ``thing``."""
        self._things.pop(thing.key, None)
        self._changed[thing.key] = None

    def pop_due(self, until: Microseconds) -> tuple[Microseconds, Kept] | None:
        """Return what is due first, until ``until`` at the latest, with its instant; equal instants go by key."""
        while self._timers and self._timers[0][0] <= until:
            instant, key = heappop(self._timers)
            thing = self._things.get(key)
            if thing is None or thing.armed != instant:
                continue
            thing.armed = _NEVER
            due = thing.due()
            if due and due <= instant:
                return instant, thing
            if due:
                thing.armed = due
                heappush(self._timers, (due, key))
        return None

    def next_due(self) -> Microseconds:
        """Return an instant before which nothing is due, 0 for never."""
        return self._timers[0][0] if self._timers else _NEVER

    def changes(self) -> dict[str, bytes | None]:
        """Return what changed since the last call, by key; ``None`` deletes."""
        changed = {key: None if thing is None else thing.encoded() for key, thing in self._changed.items()}
        self._changed = {}
        if self._clock_moved:
            changed[_CLOCK] = msgspec.msgpack.encode(self._clock)
            self._clock_moved = False
        return changed

    def restore(self, states: Mapping[str, bytes]) -> dict[str, str]:
        """Take over what `changes` gave out before, whatever else there may be.

        Returns the states that cannot be read, with the reason; an alert is told anew where its incident is lost.
        """
        known = {key: states[key] for key in sorted(states) if key == _CLOCK or key.startswith(_KINDS)}
        refused = restored(known, self._restore_one)
        self._changed = {}
        for alert in by_age(self.alerts.values()):
            self._leave_lost(alert)
            for its_id in alert.memory.incidents:
                self.incidents[its_id].place(alert)
            for its_id in alert.memory.fresh:
                self.incidents[its_id].fresh[alert.memory.id] = alert
        for incident in self.incidents.values():
            self._await_digest(incident)
        return refused

    def _restore_one(self, key: str, state: bytes) -> None:
        kind, _, name = key.partition("/")
        match kind:
            case "alert":
                self.alerts[name] = self._touched(Alert(_decoded(state, AlertMemory)))
            case "incident":
                incident = self.incidents[name] = self._touched(Incident(_decoded(state, IncidentMemory)))
                if not incident.memory.closed:
                    self.open_groups[tuple(incident.memory.key)] = incident
            case "flood":
                self.floods[name] = self._touched(Flood(name, _decoded(state, FloodMemory)))
            case "test":
                self.tests[name] = self._touched(ChannelTest(name, _decoded(state, TestMemory)))
            case _:
                self._clock = _decoded(state, DeskMemory)

    def _touched(self, thing: _Thing) -> _Thing:
        self.touch(thing)
        return thing

    def _leave_lost(self, alert: Alert) -> None:
        memory = alert.memory
        if any(its_id not in self.incidents for its_id in memory.incidents):
            memory.incidents = [its_id for its_id in memory.incidents if its_id in self.incidents]
            memory.fresh = [its_id for its_id in memory.fresh if its_id in self.incidents]
            self.bereft.add(memory.id)
            self.touch(alert)

    def flood(self, community: str) -> Flood:
        """Return the one of ``community``."""
        if community not in self.floods:
            self.floods[community] = Flood(community, FloodMemory())
        return self.floods[community]

    def _await_digest(self, incident: Incident) -> None:
        for receiver in incident.memory.digest:
            self.flood(incident.memory.community).waiting.setdefault(receiver, {})[incident.memory.id] = incident


_Memory = TypeVar("_Memory")


def _decoded(raw: bytes, memory: type[_Memory]) -> _Memory:
    return msgspec.msgpack.decode(raw, type=memory)
