"""Who is to be told: policies, rotas and people of the plan, at the instant of telling."""

from collections.abc import Iterable, Sequence
from itertools import islice

from alerts.dispatch.briefs import LISTED_AT_MOST
from alerts.dispatch.memory import Incident
from alerts.dispatch.plan import Plan, Policy
from alerts.dispatch.rota import on_duty
from alerts.dispatch.system_rules import NOTIFICATION_FAILED, receiver_of
from alerts.history import RotaOverrideRow
from alerts.memory import Microseconds
from core.clock import from_microseconds

Audience = dict[str, str]
"""Receivers in the order of the plan, with the person meant, "" where a receiver was named itself."""


class Audiences:
    """Answers by ``plan``; a receiver is never told of its own failure."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.overrides: Sequence[RotaOverrideRow] = ()
        self.wall_ahead: Microseconds = 0
        """How far the wall clock, by which shifts change, is ahead of ``now``."""
        self._policies = {policy.name: policy for policy in plan.policies}
        self._receivers = {person.name: person.receivers for person in plan.people}
        self._names = {receiver.name for receiver in plan.receivers}
        self._rotas = {rota.name: rota for rota in plan.rotas}

    def policy(self, incident: Incident) -> Policy:
        """Return its ladder; where a new plan has it no longer, that of the route for everything."""
        return self._policies.get(incident.memory.policy) or self._policies[self.plan.routes[-1].policy]

    def of_steps(self, incident: Incident, steps: Iterable[int], now: Microseconds) -> Audience:
        """Return whom ``steps`` of the incident's ladder reach at ``now``."""
        policy, audience = self.policy(incident), Audience()
        for target in (target for step in steps for target in policy.steps[step].notify):
            what, _, name = target.partition(":")
            if what == "receiver":
                audience.setdefault(name, "")
            for person in self._people(what, name, now):
                for receiver in self.receivers_of(person):
                    audience.setdefault(receiver, person)
        return _without_failed(incident, audience)

    def reached(self, incident: Incident, now: Microseconds) -> Audience:
        """Return whom the steps taken so far reach now: after a change of shifts, those who are on duty since."""
        taken = range(min(incident.memory.step, len(self.policy(incident).steps)))
        return self.of_steps(incident, taken, now) or self.elsewhere(incident) or dict(incident.memory.told)

    def knows_any(self, receivers: Iterable[str]) -> bool:
        """Tell whether one of ``receivers`` is in the plan."""
        return any(receiver in self._names for receiver in receivers)

    def receivers_of(self, person: str) -> Sequence[str]:
        """Return how ``person`` is reached; not at all when the plan knows no such person."""
        return self._receivers.get(person, ())

    def elsewhere(self, incident: Incident) -> Audience:
        """Return one receiver for the failure of another that is all its own ladder leads to; empty for the rest."""
        if not _failed(incident):
            return {}
        others = _without_failed(incident, dict.fromkeys((each.name for each in self.plan.receivers), ""))
        return dict(islice(others.items(), 1))

    def _people(self, what: str, name: str, now: Microseconds) -> list[str]:
        if what == "rota":
            return on_duty(self._rotas[name], from_microseconds(now + self.wall_ahead), self.overrides, self.plan.zone)
        return [name] if what == "person" else []


def _failed(incident: Incident) -> set[str]:
    """Return the receivers whose failure this incident is about."""
    alerts = islice(incident.alerts.values(), LISTED_AT_MOST)
    return {receiver_of(each.device) for each in alerts if each.memory.rule == NOTIFICATION_FAILED}


def _without_failed(incident: Incident, audience: Audience) -> Audience:
    failed = _failed(incident)
    return {receiver: person for receiver, person in audience.items() if receiver not in failed}
