"""Why people are not told of an alert: silences, maintenance, shelving, and alerts that are its cause."""

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

from msgspec import Struct

from alerts.dispatch.memory import Alert
from alerts.dispatch.model import Suppression
from alerts.dispatch.plan import EqualLabel, Inhibition
from alerts.matchers import all_match
from alerts.memory import Microseconds
from alerts.rules.durations import microseconds
from core.clock import to_microseconds
from core.devices import DeviceKey, DeviceKind

INHIBITED = "inhibited"
MAINTENANCE = "maintenance"
_Key = TypeVar("_Key", bound=Hashable)


class Hold(Struct, frozen=True):
    """Why people are not told: the code of the reason, and the suppression or alert behind it."""

    code: str
    by: str


class _Causes:
    """One inhibition, with the alerts that are its sources and those that are its targets, by what must be equal."""

    def __init__(self, inhibition: Inhibition) -> None:
        self.inhibition = inhibition
        self.grace = microseconds(inhibition.grace)
        self.sources: dict[tuple[str, ...], dict[str, Alert]] = {}
        self.targets: dict[tuple[str, ...], dict[str, Alert]] = {}

    def side(self, alert: Alert) -> dict[tuple[str, ...], dict[str, Alert]] | None:
        """Return where ``alert`` belongs: one that matches both is a cause."""
        if all_match(self.inhibition.source, alert.labels):
            return self.sources
        return self.targets if all_match(self.inhibition.target, alert.labels) else None

    def common(self, alert: Alert) -> tuple[str, ...] | None:
        """Return what must be equal of ``alert``, ``None`` where some of it is not known."""
        values = tuple(_equal_value(label, alert) for label in self.inhibition.equal)
        return values if all(values) else None


class Holds:
    """Knows every firing alert, and says which of them people are not told of. Protected alerts are never held."""

    def __init__(self) -> None:
        self._causes: list[_Causes] = []
        self._suppressions: Sequence[Suppression] = ()
        self._working_on: dict[DeviceKey, dict[str, Alert]] = {}
        self._by_device: dict[DeviceKey, dict[str, Alert]] = {}
        self._alerts: dict[str, Alert] = {}
        self._places: dict[str, list[tuple[dict[tuple[str, ...], dict[str, Alert]], tuple[str, ...]]]] = {}

    def set_inhibitions(self, inhibitions: Iterable[Inhibition]) -> None:
        """Go by ``inhibitions`` from now on; every alert must be added again."""
        self._causes = [_Causes(inhibition) for inhibition in inhibitions]
        self._places, self._working_on, self._by_device, self._alerts = {}, {}, {}, {}

    def set_suppressions(self, suppressions: Sequence[Suppression]) -> None:
        """Go by ``suppressions`` from now on."""
        self._suppressions = suppressions

    def add(self, alert: Alert) -> list[Alert]:
        """Take in a firing alert (again, with new labels); return those that may be held because of it."""
        self.remove(alert)
        its_id = alert.memory.id
        places = self._places[its_id] = []
        self._alerts[its_id] = alert
        self._by_device.setdefault(alert.device, {})[its_id] = alert
        affected: dict[str, Alert] = {}
        if alert.memory.maintenance:
            self._working_on.setdefault(alert.device, {})[its_id] = alert
            affected |= self._by_device[alert.device]
        for causes in self._causes:
            side, common = causes.side(alert), causes.common(alert)
            if side is None or common is None:
                continue
            side.setdefault(common, {})[its_id] = alert
            places.append((side, common))
            if side is causes.sources and len(side[common]) == 1:
                affected |= causes.targets.get(common, {})
        affected.pop(its_id, None)
        return list(affected.values())

    def remove(self, alert: Alert) -> None:
        """Forget an alert that fires no more."""
        its_id = alert.memory.id
        self._alerts.pop(its_id, None)
        for side, common in self._places.pop(its_id, []):
            _take_out(side, common, its_id)
        _take_out(self._by_device, alert.device, its_id)
        _take_out(self._working_on, alert.device, its_id)

    def reason(self, alert: Alert, now: Microseconds) -> Hold | None:
        """Return why people are not told of ``alert`` at ``now``: the reason before, where it still holds."""
        if alert.memory.protected:
            return None
        for suppression in self._suppressions:
            if in_force(suppression, now) and all_match(suppression.matchers, alert.labels):
                return Hold(suppression.kind.value, suppression.id)
        working = self._working_on.get(alert.device)
        if working and not alert.memory.maintenance:
            return Hold(MAINTENANCE, alert.memory.held_by if alert.memory.held_by in working else next(iter(working)))
        return self._cause(alert)

    def _cause(self, alert: Alert) -> Hold | None:
        for causes in self._causes:
            common = causes.common(alert) if causes.side(alert) is causes.targets else None
            if common is not None and (source := self._free_source(alert, causes.sources.get(common, {}))) is not None:
                return Hold(INHIBITED, source)
        return None

    def _free_source(self, alert: Alert, sources: dict[str, Alert]) -> str | None:
        """Return the source it is held by already, or the first that is not itself held because of ``alert``."""
        if alert.memory.held_by in sources:
            return alert.memory.held_by
        return next((its_id for its_id, source in sources.items() if not self._hangs_on(source, alert)), None)

    def _hangs_on(self, source: Alert, alert: Alert) -> bool:
        # Two causes of each other would both be held, and nobody told: whoever came first is told.
        cause: Alert | None = source
        while cause is not None and cause is not alert:
            cause = self._alerts.get(cause.memory.held_by) if cause.memory.held else None
        return cause is alert

    def grace(self, alert: Alert) -> Microseconds:
        """Return for how long ``alert`` is still held after its cause."""
        return max((each.grace for each in self._causes if each.side(alert) is each.targets), default=0)

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
