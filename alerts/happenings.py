"""Conditions on events: what began, and has not ended yet."""

from typing import Any

from alerts.memory import Heard, Leaf, Microseconds
from alerts.rules.durations import microseconds
from alerts.rules.model import EventSeen
from alerts.watch import Reading, Sentence
from alerts.words import FAULT_SEPARATOR, event_names
from core.clock import to_microseconds
from core.devices import Channel
from core.faults import FaultMeaning, meaning_of
from core.observations import Observation
from core.wire.payloads import ElevatorEvent, GateEvent, GatewayEvent, ThermalEvent

# A device that reports endless different faults must not eat memory; the first 64 keep the alert open just as well.
_OPEN_AT_MOST = 64
_NEVER = 0
_Event = ElevatorEvent | GateEvent | ThermalEvent | GatewayEvent


class EventWatch:
    """Holds while at least one event it was told of has neither been cleared nor run out."""

    code = "event"
    channels = frozenset({Channel.EVENT})

    def __init__(self, condition: EventSeen) -> None:
        self._types = frozenset(condition.types)
        self._clears_on = frozenset(condition.clears_on)
        self._resolve_after = microseconds(condition.resolve_after)
        self.timed = self._resolve_after > 0
        self._severities = frozenset(condition.severities)
        self._kinds = frozenset(condition.kinds)
        self._not_kinds = frozenset(condition.not_kinds)
        self._where = tuple(condition.where.items())

    def begin(self) -> Leaf:
        return Leaf()

    def observe(
        self, leaf: Leaf, observation: Observation, _reading: Reading, now: Microseconds, _heard: Heard
    ) -> None:
        event = observation.body
        if not isinstance(event, _Event):
            return
        begins = event.type in self._types and self._matches(event)
        if not begins and event.type not in self._clears_on:
            return
        at = to_microseconds(observation.at)
        if at < leaf.changed_at:
            return  # Only late ones get here: a newer event has told more since.
        leaf.changed_at = at
        if begins:
            self._begin(leaf, event, now)
        else:
            self._clear(leaf, event)
        leaf.truth = bool(leaf.opened)

    def due(self, leaf: Leaf, _heard: Heard) -> Microseconds:
        if not self._resolve_after or not leaf.opened:
            return _NEVER
        return min(leaf.opened.values())

    def expire(self, leaf: Leaf, now: Microseconds, _heard: Heard) -> None:
        if self._resolve_after and leaf.opened:
            leaf.opened = {identity: ends for identity, ends in leaf.opened.items() if ends > now}
            leaf.truth = bool(leaf.opened)

    def tell(self, leaf: Leaf) -> Sentence:
        named = [event_names(str(leaf.value), identity) for identity in list(leaf.opened)[-3:]]
        named = named or [event_names(str(leaf.value), "")]
        return "、".join(zh for zh, _ in named), ", ".join(en for _, en in named)

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        facts: dict[str, str | float | int | bool] = {"event": str(leaf.value)}
        for identity in list(leaf.opened)[-1:]:
            source, separator, code = identity.partition(FAULT_SEPARATOR)
            if separator:
                facts |= {"source": source, "code": code, "fault": meaning_of(source, code).kind.value}
            elif identity:
                facts["controller" if str(leaf.value).startswith("controller_") else "episode"] = identity
        return facts

    def _begin(self, leaf: Leaf, event: _Event, now: Microseconds) -> None:
        identity = _identity(event)
        if identity in leaf.opened or len(leaf.opened) < _OPEN_AT_MOST:
            leaf.opened[identity] = now + self._resolve_after if self._resolve_after else _NEVER
            leaf.value = event.type.value

    def _clear(self, leaf: Leaf, event: _Event) -> None:
        identity = _identity(event)
        if identity:
            leaf.opened.pop(identity, None)
        else:
            leaf.opened.clear()

    def _matches(self, event: Any) -> bool:
        if any(getattr(event, field) != value for field, value in self._where):
            return False
        if not (self._severities or self._kinds or self._not_kinds):
            return True
        return self._wanted(meaning_of(event.source, event.code))

    def _wanted(self, meaning: FaultMeaning) -> bool:
        if self._severities and meaning.severity not in self._severities:
            return False
        if self._kinds and meaning.kind not in self._kinds:
            return False
        return meaning.kind not in self._not_kinds


def _identity(event: _Event) -> str:
    """Return what tells this happening from others of its kind; empty where there can only be one."""
    match event:
        case ThermalEvent():
            return event.episode
        case GatewayEvent():
            return event.controller or ""
        case ElevatorEvent(source=str() as source, code=str() as code) if event.type.value.startswith("fault_"):
            return f"{source}{FAULT_SEPARATOR}{code}"
    return ""
