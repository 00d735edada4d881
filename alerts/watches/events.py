"""Which events a condition means, and what tells one happening from another of its kind."""

from collections.abc import Iterable
from typing import Any

from alerts.rules.conditions import Events, EventSeen
from alerts.words import FAULT_SEPARATOR
from core.code_lists import meaning_of
from core.faults import CodeMeaning
from core.wire.payloads import Body, ElevatorEvent, ElevatorEventType, GateEvent, GatewayEvent, ThermalEvent

Event = ElevatorEvent | GateEvent | ThermalEvent | GatewayEvent


class EventFilter:
    """Tells whether an event is one of those that a condition describes."""

    def __init__(self, events: Events | EventSeen) -> None:
        self.types = frozenset(events.types)
        self._severities = frozenset(events.severities)
        self._kinds = frozenset(events.kinds)
        self._not_kinds = frozenset(events.not_kinds)
        self._of_faults = bool(events.severities or events.kinds or events.not_kinds)
        self._where = tuple(events.where.items())

    def accepts(self, event: Any) -> bool:
        """Tell whether ``event`` is meant."""
        if event.type not in self.types:
            return False
        if any(getattr(event, field) != value for field, value in self._where):
            return False
        return not self._of_faults or self._wanted(meaning_of(event.source, event.code))

    def accepts_known(self, type_name: object, name: str) -> bool:
        """Tell whether an event of which only its type and its `identity` are known can be meant."""
        if type_name not in self.types:
            return False
        source, separator, code = name.partition(FAULT_SEPARATOR)
        return not (self._of_faults and separator) or self._wanted(meaning_of(source, code))

    def _wanted(self, meaning: CodeMeaning) -> bool:
        if self._severities and meaning.severity not in self._severities:
            return False
        if self._kinds and meaning.kind not in self._kinds:
            return False
        return meaning.kind not in self._not_kinds


def with_end_of_all(clears_on: Iterable[str]) -> frozenset[str]:
    """Return the types that end an event: what waits for the end of one fault also ends with the end of all."""
    types = frozenset(clears_on)
    return types | {ElevatorEventType.FAULTS_CLEARED} if ElevatorEventType.FAULT_CLEARED in types else types


def event_of(body: Body) -> Event | None:
    """Return ``body`` where it is an event."""
    return body if isinstance(body, Event) else None


def identity(event: Event) -> str:
    """Return what tells this happening from others of its kind; empty where there can only be one.

    The end of all faults of a source is called by the source alone: the beginning of the names of those faults.
    """
    match event:
        case ThermalEvent():
            return event.episode
        case GatewayEvent():
            return event.controller or ""
        case ElevatorEvent(source=str() as source, type=ElevatorEventType.FAULTS_CLEARED):
            return f"{source}{FAULT_SEPARATOR}"
        case ElevatorEvent(source=str() as source, code=str() as code) if event.type.value.startswith("fault_"):
            return f"{source}{FAULT_SEPARATOR}{code}"
    return ""


def enders(name: str) -> tuple[str, ...]:
    """Return how an end of ``name`` can be called: by that name, by nothing, or a fault's by its source alone."""
    source, separator, _ = name.partition(FAULT_SEPARATOR)
    return (name, "", source + separator) if separator else (name, "")
