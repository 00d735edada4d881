"""Which incidents an alert belongs to: by its routes, and by what they group by."""

import hashlib
from collections.abc import Iterator

from alerts.dispatch.holds import gateway_of
from alerts.dispatch.memory import Alert, Incident, IncidentMemory
from alerts.dispatch.plan import GroupBy, Plan, Route
from alerts.dispatch.rota import in_schedule
from alerts.dispatch.shelf import Shelf
from alerts.matchers import Matcher, all_match
from alerts.memory import Microseconds
from core.durations import microseconds

_Group = tuple[str, ...]


class Router:
    """Opens incidents and lets alerts join them, by the routes of a plan."""

    def __init__(self, shelf: Shelf, plan: Plan) -> None:
        self._shelf = shelf
        self.set_plan(plan)

    def set_plan(self, plan: Plan) -> None:
        """Go by the routes of ``plan`` from now on; open incidents stay."""
        self._zone = plan.zone
        self._routes: list[tuple[str, tuple[Matcher, ...], Route]] = [
            (route.name or f"route {number}", route.matchers(), route) for number, route in enumerate(plan.routes, 1)
        ]

    def join(self, alert: Alert, now: Microseconds) -> list[Incident]:
        """Put ``alert`` into every incident it belongs to at ``now``; return those that it was not in before."""
        joined = []
        for group, route in self._groups(alert, now):
            incident = self._shelf.open_groups.get(group) or self._open(group, route, alert)
            if incident.memory.id not in alert.memory.incidents:
                alert.memory.incidents.append(incident.memory.id)
                incident.place(alert)
                joined.append(incident)
        self._shelf.touch(alert)
        return joined

    def leaving(self, alert: Alert, now: Microseconds) -> list[Incident]:
        """Return the incidents of ``alert`` in which it does not belong any more, as it stands at ``now``."""
        groups = {group for group, _ in self._groups(alert, now)}
        incidents = [self._shelf.incidents[its_id] for its_id in alert.memory.incidents]
        return [incident for incident in incidents if tuple(incident.memory.key) not in groups]

    def _groups(self, alert: Alert, now: Microseconds) -> Iterator[tuple[_Group, Route]]:
        at = self._shelf.wall(now)
        for name, matchers, route in self._routes:
            if all_match(matchers, alert.labels) and in_schedule(route.schedule, at, self._zone):
                values = (_value(by, alert) for by in route.group_by)
                # Never over several communities: their people are not the same. Nor over several ladders: where a new
                # plan sends the route by another one, an incident that is open goes on by the old one.
                yield (name, route.policy, alert.device.community, *values), route
                if not route.go_on:
                    return

    def _open(self, group: _Group, route: Route, alert: Alert) -> Incident:
        cause = "|".join((*group, alert.memory.id, str(self._shelf.number_incident())))
        memory = IncidentMemory(
            id=hashlib.blake2b(cause.encode(), digest_size=8).hexdigest(),
            key=list(group),
            policy=route.policy,
            community=alert.device.community,
            group_wait=microseconds(route.group_wait),
            group_interval=microseconds(route.group_interval),
        )
        incident = Incident(memory)
        self._shelf.incidents[memory.id] = self._shelf.open_groups[group] = incident
        self._shelf.touch(incident)
        return incident


def _value(by: GroupBy, alert: Alert) -> str:
    match by:
        case "gateway":
            return gateway_of(alert)
        case "device":
            return alert.device.path
        case "rule":
            return alert.memory.rule
        case _:
            return alert.labels[by]
