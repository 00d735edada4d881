"""Doors of a gate and the controllers that tell of them, some of all that happens, some of half of it."""

import math
from collections.abc import Callable, Iterator
from datetime import timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Protocol

from msgspec import Struct

from core.devices import Channel
from core.wire.payloads import GateEventType
from tests.quality.links import Emission
from tests.quality.model import Incident, Span

Signs = tuple[Incident, ...]
_TOLD = frozenset(GateEventType) - {GateEventType.TAILGATING}
_DOOR = {GateEventType.DOOR_OPENED, GateEventType.DOOR_CLOSED}
_EXIT, _HELD, _FORCED = GateEventType.EXIT_BUTTON, GateEventType.HELD_OPEN, GateEventType.FORCED_OPEN


class Make(Struct, frozen=True, kw_only=True):
    """Which events a controller tells of, and how."""

    name: str
    tells: frozenset[GateEventType] = _TOLD
    numbers: bool = False
    """Whether its messages carry a running number."""
    credentials: bool = True
    repeats_held_seconds: float = 0.0
    """How often it says again that a door is held open; 0: it says so once."""


MAKES = (
    Make(name="all-events", numbers=True),
    Make(name="no-door-events", tells=_TOLD - _DOOR),
    Make(name="no-door-closed", tells=_TOLD - {GateEventType.DOOR_CLOSED}, credentials=False),
    Make(name="all-events+tailgating-sensor", tells=_TOLD | {GateEventType.TAILGATING}, repeats_held_seconds=300),
    Make(name="no-forced-open", tells=_TOLD - {_FORCED}, numbers=True),
    Make(name="no-exit-button+no-held-open", tells=_TOLD - {_EXIT, _HELD}),
    Make(name="all-events+repeats-held-open", repeats_held_seconds=60),
)


class Door:
    """One door: it falls shut by itself, and what happens at an open door is no second opening.

    All times are seconds of the span. Calls come in order of time; `settle` does what was due until then.
    """

    def __init__(self, name: str, say: "Say", limit_seconds: float, repeat_seconds: float) -> None:
        self.name = name
        self._say = say
        self._limit, self._repeat = limit_seconds, repeat_seconds
        self._shuts_at: float | None = None
        self._held_at = 0.0
        self._held_signs: tuple[Incident, ...] = ()

    @property
    def is_open(self) -> bool:
        return self._shuts_at is not None

    def settle(self, t: float) -> None:
        """Say what was due until ``t``: that the door is held open, and that it fell shut."""
        if self._shuts_at is None:
            return
        while self._held_at <= min(t, self._shuts_at):
            self.say(self._held_at, GateEventType.HELD_OPEN, self._held_signs)
            self._held_at = self._held_at + self._repeat if self._repeat else math.inf
        if self._shuts_at <= t:
            self.say(self._shuts_at, GateEventType.DOOR_CLOSED)
            self._shuts_at, self._held_signs = None, ()

    def open(self, t: float, seconds: float, signs: Signs = (), held_signs: Signs = ()) -> None:
        """Have the door stand open until ``t + seconds`` at least."""
        if self._shuts_at is None:
            self.say(t, GateEventType.DOOR_OPENED, signs)
            self._shuts_at, self._held_at = t + seconds, t + self._limit
        self._shuts_at = max(self._shuts_at, t + seconds)
        self._held_signs = held_signs or self._held_signs

    def say(self, t: float, type_: GateEventType, signs: Signs = (), **fields: object) -> None:
        """Have the controller tell of an event at this door."""
        self._say(t, {"type": type_.value, "door": self.name, **fields}, signs)


class Say(Protocol):
    """Takes an event for telling: instant, JSON object without ``at``, the incidents it is a sign of."""

    def __call__(self, t: float, body: dict[str, object], signs: Signs) -> None: ...


Act = Callable[[Door, float], None]


class Controller:
    """A gate's controller: runs what people do at its doors and tells of what its make can tell."""

    def __init__(self, make: Make, span: Span, doors: int, limit_seconds: float) -> None:
        self.make, self.span = make, span
        self.length = span.length.total_seconds()
        self.doors = [
            Door(str(number + 1), self._say, limit_seconds, make.repeats_held_seconds) for number in range(doors)
        ]
        self._acts: list[tuple[float, int, Door, Act]] = []
        self._said: list[tuple[float, int, dict[str, object], Signs]] = []
        self._order = count()
        self._silent_until = 0.0

    def at(self, t: float, door: Door, act: Act) -> None:
        """Have ``act`` happen at ``door`` at ``t``."""
        if 0 <= t < self.length:
            self._acts.append((t, next(self._order), door, act))

    def clear(self, door: Door, since: float, until: float) -> None:
        """Take away everything that happens at ``door`` in ``[since, until)``, of what was added until now."""
        self._acts = [each for each in self._acts if each[2] is not door or not since <= each[0] < until]

    def restart(self, t: float, seconds: float) -> None:
        """Have the controller be away for ``seconds``; then it tells the state of its doors, as if it were news."""
        self.at(t, self.doors[0], lambda _door, t: setattr(self, "_silent_until", t + seconds))
        for door in self.doors:
            self.at(t + seconds + 0.1, door, _tell_state)

    def emissions(self) -> Iterator[Emission]:
        """Yield all that the controller tells, in order."""
        running = count(1)
        for t, _, door, act in sorted(self._acts, key=lambda each: each[:2]):
            yield from self._until(t, running)
            act(door, t)
        yield from self._until(self.length, running)

    def _until(self, t: float, running: Iterator[int]) -> Iterator[Emission]:
        for door in self.doors:
            door.settle(t)
        while self._said and self._said[0][0] < t:
            at, _, body, signs = heappop(self._said)
            if self.make.numbers:
                body["seq"] = next(running)
            yield Emission(self.span.since + timedelta(seconds=at), Channel.EVENT, body, signs)

    def _say(self, t: float, body: dict[str, object], signs: Signs) -> None:
        if body["type"] not in self.make.tells or t < self._silent_until:
            return
        if not self.make.credentials:
            body.pop("credential", None)
        heappush(self._said, (t, next(self._order), body, signs))


def _tell_state(door: Door, t: float) -> None:
    door.say(t, GateEventType.DOOR_OPENED if door.is_open else GateEventType.DOOR_CLOSED)
    if door.is_open:
        # The grant before the restart is forgotten.
        door.say(t, GateEventType.FORCED_OPEN)
