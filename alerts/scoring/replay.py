"""Messages through the decoder and the alert engine in virtual time: which alerts are raised, and when."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from alerts.engine import Engine
from alerts.inventory import Inventory
from alerts.model import Severity, Transition, TransitionKind
from alerts.ports import Decoder
from alerts.rules.model import Rule
from core.devices import DeviceKey
from core.observations import Entry, Observation

_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Replayed(Struct):
    """What came of messages: how many there were, and the transitions of all alerts but *pending*, by rising instant.

    Devices may be replayed apart from each other, where no rule compares them, and added.
    """

    transitions: list[Transition] = []
    messages: int = 0
    rejected: int = 0
    duplicates: int = 0

    def add(self, other: "Replayed") -> None:
        """Take in what came of the messages of other devices."""
        self.transitions = sorted([*self.transitions, *other.transitions], key=_order)
        self.messages += other.messages
        self.rejected += other.rejected
        self.duplicates += other.duplicates


class Rise(Struct, frozen=True):
    """An instant at which an alert asks for attention: it fired, got worse, or was repeated.

    ``part`` is empty where the alert names no single one.
    """

    at: datetime
    part: str


class RaisedAlert(Struct):
    """An alert with all its rises; ``severity`` is the worst it had, ``resolved_at`` is ``None`` while it stands."""

    id: str
    rule: str
    device: DeviceKey
    severity: Severity
    reason: str
    rises: list[Rise]
    resolved_at: datetime | None = None

    @property
    def fired_at(self) -> datetime:
        """When it was raised."""
        return self.rises[0].at


def replay(
    rules: Sequence[Rule], inventory: Inventory, entries: Iterable[Entry], decode: Decoder, until: datetime
) -> Replayed:
    """Fold ``entries``, in order of arrival, through an engine with ``rules``, and let time pass up to ``until``."""
    engine = Engine(rules)
    engine.set_inventory(inventory)
    replayed = Replayed()
    said = replayed.transitions
    for entry in entries:
        replayed.messages += 1
        if entry.duplicate:
            replayed.duplicates += 1
            continue
        observation = decode(entry)
        if not isinstance(observation, Observation):
            replayed.rejected += 1
        elif transitions := engine.observe(observation):
            said += [one for one in transitions if one.kind is not TransitionKind.PENDING]
    said += [one for one in engine.advance(until) if one.kind is not TransitionKind.PENDING]
    said.sort(key=_order)
    return replayed


def _order(said: Transition) -> tuple[datetime, str]:
    # Whether devices were replayed together or apart must not show.
    return said.at, said.device.path


def raised(transitions: Iterable[Transition]) -> list[RaisedAlert]:
    """Return the alerts that ``transitions``, by rising instant, tell of."""
    alerts: dict[str, RaisedAlert] = {}
    for one in transitions:
        known = alerts.get(one.alert_id)
        if known is None:
            if one.kind is TransitionKind.FIRING:
                alerts[one.alert_id] = RaisedAlert(
                    one.alert_id, one.rule, one.device, one.severity, one.reason.en, [_rise(one)]
                )
        elif one.kind is TransitionKind.RESOLVED:
            known.resolved_at = one.at
        else:
            worse = _RANKS[one.severity] < _RANKS[known.severity]
            if worse:
                known.severity = one.severity
            if worse or one.kind is not TransitionKind.SEVERITY_CHANGED:
                known.rises.append(_rise(one))
    return list(alerts.values())


def _rise(said: Transition) -> Rise:
    facts = said.reason.facts
    return Rise(said.at, "" if "parts" in facts else str(facts.get("part", "")))
