"""Why people are not told of an alert: silences, maintenance, shelving, and alerts that are its cause."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from msgspec import Struct

from alerts.dispatch.memory import Alert, by_age
from alerts.dispatch.model import Suppression
from alerts.dispatch.plan import EqualLabel, Inhibition
from alerts.matchers import all_match
from alerts.memory import Microseconds
from core.clock import to_microseconds
from core.devices import DeviceKey, DeviceKind
from core.durations import microseconds

INHIBITED = "inhibited"
MAINTENANCE = "maintenance"
_Key = TypeVar("_Key", bound=Hashable)
_Groups = dict[tuple[str, ...], dict[str, Alert]]


class Hold(Struct, frozen=True):
    """Why people are not told: the code of the reason, and the suppression or alert behind it."""

    code: str
    by: str


class _Causes:
    """One inhibition, with the alerts that are its sources and those that are its targets, by what must be equal."""

    def __init__(self, inhibition: Inhibition) -> None:
        self.inhibition = inhibition
        self.grace = microseconds(inhibition.grace)
        self.sources: _Groups = {}
        self.targets: _Groups = {}

    def side(self, alert: Alert) -> "_Side | None":
        """Return where ``alert`` belongs: one that matches both is a cause; one without what must be equal nowhere."""
        cause = all_match(self.inhibition.source, alert.labels)
        if not cause and not all_match(self.inhibition.target, alert.labels):
            return None
        common = tuple(_equal_value(label, alert) for label in self.inhibition.equal)
        return _Side(self, cause, common) if all(common) else None

    def on(self, side: "_Side") -> _Groups:
        """Return the alerts on ``side``."""
        return self.sources if side.cause else self.targets


class _Side(NamedTuple):
    """Where an alert stands in an inhibition: a cause or a target, and with which others."""

    causes: _Causes
    cause: bool
    common: tuple[str, ...]


class Holds:
    """Knows every firing alert, and says which of them people are not told of. Protected alerts are never held."""

    def __init__(self) -> None:
        self._causes: list[_Causes] = []
        self._suppressions: Sequence[Suppression] = ()
        self._working_on: dict[DeviceKey, dict[str, Alert]] = {}
        self._by_device: dict[DeviceKey, dict[str, Alert]] = {}
        self._sides: dict[str, list[_Side]] = {}

    def set_inhibitions(self, inhibitions: Iterable[Inhibition]) -> None:
        """Go by ``inhibitions`` from now on; every alert must be added again."""
        self._causes = [_Causes(inhibition) for inhibition in inhibitions]
        self._working_on, self._by_device, self._sides = {}, {}, {}

    def set_suppressions(self, suppressions: Sequence[Suppression]) -> None:
        """Go by ``suppressions`` from now on."""
        self._suppressions = suppressions

    def add(self, alert: Alert) -> list[Alert]:
        """Take in a firing alert (again, with new labels); return those that may be held because of it."""
        self.remove(alert)
        its_id = alert.memory.id
        sides = self._sides[its_id] = []
        self._by_device.setdefault(alert.device, {})[its_id] = alert
        affected: dict[str, Alert] = {}
        if alert.memory.maintenance:
            self._working_on.setdefault(alert.device, {})[its_id] = alert
            affected |= self._by_device[alert.device]
        for causes in self._causes:
            side = causes.side(alert)
            if side is None:
                continue
            sides.append(side)
            causes.on(side).setdefault(side.common, {})[its_id] = alert
            if side.cause:
                affected |= causes.targets.get(side.common, {})
        affected.pop(its_id, None)
        return by_age(each for each in affected.values() if not each.memory.held or each.memory.grace_until)

    def remove(self, alert: Alert) -> None:
        """Forget an alert that fires no more."""
        its_id = alert.memory.id
        for side in self._sides.pop(its_id, []):
            _take_out(side.causes.on(side), side.common, its_id)
        _take_out(self._by_device, alert.device, its_id)
        _take_out(self._working_on, alert.device, its_id)

    def reason(self, alert: Alert, now: Microseconds) -> Hold | None:
        """Return why people are not told of ``alert`` at ``now``: the reason before, for as long as that holds."""
        if alert.memory.protected:
            return None
        first: Hold | None = None
        for hold in self._reasons(alert, now):
            if (hold.code, hold.by) == (alert.memory.held, alert.memory.held_by):
                return hold
            first = first or hold
        return first

    def _reasons(self, alert: Alert, now: Microseconds) -> Iterator[Hold]:
        """Yield the suppressions in force, and of each sort of cause the one there was before, or else the oldest."""
        for suppression in self._suppressions:
            if in_force(suppression, now) and all_match(suppression.matchers, alert.labels):
                yield Hold(suppression.kind.value, suppression.id)
        if not alert.memory.maintenance:
            worker = self._source(alert, self._working_on.get(alert.device, {}))
            if worker is not None:
                yield Hold(MAINTENANCE, worker)
        for side in self._sides[alert.memory.id]:
            sources = {} if side.cause else side.causes.sources.get(side.common, {})
            if (source := self._source(alert, sources)) is not None:
                yield Hold(INHIBITED, source)

    def _source(self, alert: Alert, sources: dict[str, Alert]) -> str | None:
        if alert.memory.held_by in sources and self._holds(sources[alert.memory.held_by], alert):
            return alert.memory.held_by
        if not sources:
            return None
        oldest = min(sources.values(), key=lambda source: source.memory.number)
        if self._holds(oldest, alert):
            return oldest.memory.id
        return next((each.memory.id for each in by_age(sources.values()) if self._holds(each, alert)), None)

    def _holds(self, source: Alert, alert: Alert) -> bool:
        # Two causes of each other would both be held, and nobody told: whichever came first is told.
        return source.memory.number < alert.memory.number or not self._is_source(alert, source)

    def _is_source(self, alert: Alert, other: Alert) -> bool:
        """Tell whether ``alert`` is a cause of ``other``."""
        if other.memory.protected:
            return False
        if alert.memory.maintenance and alert.device == other.device and not other.memory.maintenance:
            return True
        causes = [(side.causes, side.common) for side in self._sides[alert.memory.id] if side.cause]
        return any((side.causes, side.common) in causes for side in self._sides[other.memory.id] if not side.cause)

    def grace(self, alert: Alert) -> Microseconds:
        """Return for how long ``alert`` is still held after its cause."""
        return max((side.causes.grace for side in self._sides[alert.memory.id] if not side.cause), default=0)

    def next_boundary(self, after: Microseconds) -> Microseconds:
        """Return when the next suppression begins or ends after ``after``, 0 for never."""
        instants = (instant for each in self._suppressions for instant in _bounds(each) if instant > after)
        return min(instants, default=0)


def in_force(suppression: Suppression, now: Microseconds) -> bool:
    """Tell whether ``suppression`` holds at ``now``: from its start until before its end."""
    starts, ends = _bounds(suppression)
    return starts <= now < ends


def gateway_of(alert: Alert) -> str:
    """Return the gateway that ``alert`` belongs to: a gateway's own alert belongs to itself."""
    return alert.device.device if alert.device.kind is DeviceKind.GATEWAY else alert.labels["gateway"]


def _bounds(suppression: Suppression) -> tuple[Microseconds, Microseconds]:
    ends = suppression.ends_at if suppression.ended_at is None else min(suppression.ended_at, suppression.ends_at)
    return to_microseconds(suppression.starts_at), to_microseconds(ends)


def _equal_value(label: EqualLabel, alert: Alert) -> str:
    """Return the value that must be equal; names of gateways and buildings hold within their community."""
    if label == "community":
        return alert.device.community
    if label == "device":
        return alert.device.path
    value = gateway_of(alert) if label == "gateway" else alert.labels["building"]
    return f"{alert.device.community}/{value}" if value else ""


def _take_out(groups: dict[_Key, dict[str, Alert]], group: _Key, its_id: str) -> None:
    if (inside := groups.get(group)) is not None:
        inside.pop(its_id, None)
        if not inside:
            del groups[group]
