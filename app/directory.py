"""Who stands behind a target of the emergency plan, now: the notification plan's people, and who is on duty."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from alerts.dispatch.plan import Plan
from alerts.dispatch.rota import on_duty
from alerts.history import RotaOverrideRow
from emergency.ports import Recipient

# Many calls at once ask for the same; who stands in for whom may be a second old.
_REMEMBERED = timedelta(seconds=1)


class Overrides(Protocol):
    """Who stands in for whom."""

    async def overrides(self, since: datetime) -> Sequence[RotaOverrideRow]: ...


class PlanDirectory:
    """`emergency.ports.Directory` over the notification plan in force."""

    def __init__(self, plan: Callable[[], Plan], overrides: Overrides) -> None:
        self._plan = plan
        self._overrides = overrides
        self._known: Sequence[RotaOverrideRow] = ()
        self._known_until: datetime | None = None

    async def resolve(self, targets: Sequence[str], now: datetime, *, rota_only: bool) -> Sequence[Recipient]:
        """Return the receivers of ``targets`` at ``now``, each once; unknown names are left out."""
        plan, found = self._plan(), dict[str, Recipient]()
        people = {person.name: person.receivers for person in plan.people}
        receivers = {receiver.name for receiver in plan.receivers}
        for target in targets:
            what, _, name = target.partition(":")
            if what == "rota":
                named = await self._on_duty(plan, name, now)
            elif rota_only:
                continue
            else:
                named = [name] if what == "person" else []
            if what == "receiver" and name in receivers:
                found.setdefault(name, Recipient(name))
            for person in named:
                for receiver in people.get(person, ()):
                    found.setdefault(receiver, Recipient(receiver, person))
        return tuple(found.values())

    async def _on_duty(self, plan: Plan, name: str, now: datetime) -> list[str]:
        rota = next((each for each in plan.rotas if each.name == name), None)
        if rota is None:
            return []
        if self._known_until is None or not self._known_until - _REMEMBERED <= now < self._known_until:
            self._known, self._known_until = await self._overrides.overrides(now), now + _REMEMBERED
        return on_duty(rota, now, self._known, plan.zone)
