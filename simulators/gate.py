"""A gate for people on foot: cards to come in, a button to go out, a door that opens and falls shut."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from core.devices import Channel, DeviceKey
from core.wire.payloads import DenialReason, GateEvent, GateEventType
from simulators.model import Input, Message, UnknownInputError
from simulators.rhythm import local, next_arrival
from simulators.spec import GateSpec

# Shares of a day's passages by hour, our own estimate: out in the morning, in from school and work, few at night.
IN_WEIGHTS = (3, 1, 1, 0, 1, 2, 5, 8, 8, 10, 12, 14, 12, 8, 8, 10, 16, 24, 26, 20, 16, 12, 9, 6)
OUT_WEIGHTS = (1, 1, 0, 1, 2, 6, 14, 28, 22, 14, 11, 9, 9, 10, 10, 9, 9, 9, 12, 14, 8, 4, 2, 1)
_BOTH = tuple(sum(hour) for hour in zip(IN_WEIGHTS, OUT_WEIGHTS, strict=True))
_DENIALS = {DenialReason.UNKNOWN_CREDENTIAL: 6, DenialReason.EXPIRED: 3, DenialReason.OUTSIDE_PERMITTED_TIME: 1}
# The lock lets go at once; a person needs about a second to push. Typical value.
PUSH_SECONDS = 1.2
_LONG = timedelta(days=36_500)


class ForceOpen(Input, frozen=True):
    """Somebody pulls the door open without a card; it stays open until `CloseGate`."""


class CloseGate(Input, frozen=True):
    """Somebody closes the forced door."""


class Gate:
    """The gate ``key``."""

    def __init__(
        self, key: DeviceKey, spec: GateSpec, *, start: datetime, utc_offset_hours: float, chance: random.Random
    ) -> None:
        self._key = key
        self._spec = spec
        self._utc_offset_hours = utc_offset_hours
        self._chance = chance
        self._open = False
        self._forced = False
        self._opens_at = start + _LONG
        self._closes_at = start + _LONG
        self._next_person_at = self._after(start)
        self._said: list[Message] = []

    @property
    def key(self) -> DeviceKey:
        return self._key

    @property
    def next_at(self) -> datetime:
        return min(self._opens_at, self._closes_at, self._next_person_at)

    def step(self, now: datetime, inputs: Sequence[Input] = ()) -> list[Message]:
        """Advance to ``now``; see `simulators.model.DeviceModel`."""
        self._said = []
        while self.next_at <= now:
            self._happen(self.next_at)
        for given in inputs:
            self._take(given, now)
        return self._said

    def _happen(self, at: datetime) -> None:
        if self._opens_at <= at:
            self._opens_at = at + _LONG
            self._open_door(at)
        elif self._closes_at <= at:
            self._close_door(at)
        else:
            self._person(at)
            self._next_person_at = self._after(at)

    def _take(self, given: Input, now: datetime) -> None:
        match given:
            case ForceOpen():
                self._forced = True
                self._tell(now, GateEventType.FORCED_OPEN)
                self._open, self._closes_at = True, now + _LONG
            case CloseGate():
                self._forced = False
                if self._open:
                    self._close_door(now)
            case _:
                raise UnknownInputError(self._key, given)

    def _person(self, at: datetime) -> None:
        hour = local(at, self._utc_offset_hours).hour
        inwards = self._chance.random() * _BOTH[hour] < IN_WEIGHTS[hour]
        if inwards and self._chance.random() < self._spec.denied_share:
            (reason,) = self._chance.choices(list(_DENIALS), list(_DENIALS.values()))
            self._tell(at, GateEventType.DENIED, reason=reason, credential=self._credential(reason))
            return
        if inwards:
            self._tell(at, GateEventType.GRANTED, credential=self._credential(None))
        else:
            self._tell(at, GateEventType.EXIT_BUTTON)
        if not self._forced and self._opens_at > at + timedelta(seconds=PUSH_SECONDS):
            self._opens_at = at + timedelta(seconds=PUSH_SECONDS)

    def _open_door(self, at: datetime) -> None:
        if self._forced:
            return
        if not self._open:
            self._open = True
            self._tell(at, GateEventType.DOOR_OPENED)
        self._closes_at = at + timedelta(seconds=self._spec.closing_seconds * self._chance.uniform(0.7, 1.6))

    def _close_door(self, at: datetime) -> None:
        self._open, self._closes_at = False, at + _LONG
        self._tell(at, GateEventType.DOOR_CLOSED)

    def _credential(self, denied: DenialReason | None) -> str:
        if denied is DenialReason.UNKNOWN_CREDENTIAL:
            return f"card-x{self._chance.randrange(10_000):04}"
        return f"card-{self._chance.randrange(self._spec.credentials):05}"

    def _after(self, at: datetime) -> datetime:
        return next_arrival(
            at,
            per_day=self._spec.passages_per_day,
            hourly_weights=_BOTH,
            utc_offset_hours=self._utc_offset_hours,
            chance=self._chance,
        )

    def _tell(
        self, at: datetime, kind: GateEventType, *, reason: DenialReason | None = None, credential: str | None = None
    ) -> None:
        self._said.append(Message(Channel.EVENT, GateEvent(at=at, type=kind, reason=reason, credential=credential)))
