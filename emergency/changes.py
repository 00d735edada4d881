"""What is being decided of one call: gathered step by step, then given out as a `Decision`."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from emergency.ladder import Rules
from emergency.model import (
    STOPPED,
    Call,
    CallEvent,
    CallState,
    Decision,
    EventKind,
    OwnAlert,
    PageKind,
    Party,
    Responsible,
    Telling,
    Value,
)
from emergency.own_rules import DAMAGED, UNANSWERED, device_about
from emergency.rescue import half_at

LADDER = "ladder"
CLOCK = "clock"
# Ours: whoever is late is rung up again by those who wait for them, and not every minute. Behind the end of the rescue
# clock nobody holds a call for longer.
LATE_AGAIN = timedelta(minutes=5)


class Change:
    """One call on its way from one version to the next. ``rules`` are those of its place.

    Every instant given is one of the steady clock; what is kept for people to read is ``ahead`` of it.
    """

    def __init__(self, call: Call, rules: Rules, now: datetime, ahead: timedelta) -> None:
        self.call = adopted(call, now)
        self.rules = rules
        self._ahead = ahead
        self._before = call
        self._events: list[CallEvent] = []
        self._tellings: list[Telling] = []
        self._alerts: list[OwnAlert] = []

    def set(self, **fields: Any) -> None:
        """Change fields of the call."""
        self.call = msgspec.structs.replace(self.call, **fields)

    def stamp(self, name: str, at: datetime) -> None:
        """Remember that something happened, the first time it does."""
        if getattr(self.call.stamps, name) is None:
            stamps = msgspec.structs.replace(self.call.stamps, **{name: self.wall(at)})
            self.set(stamps=stamps, timed=msgspec.structs.replace(self.call.measured, **{name: at}))

    def unstamp(self, *names: str) -> None:
        """Forget that something happened."""
        none = dict.fromkeys(names)
        self.set(was_overdue=self.call.was_overdue or ("overdue" in names and self.call.stamps.overdue is not None))
        timed = self.call.timed and msgspec.structs.replace(self.call.timed, **none)
        self.set(stamps=msgspec.structs.replace(self.call.stamps, **none), timed=timed)

    def wall(self, at: datetime) -> datetime:
        """Return what the wall clock shows at ``at``."""
        return at + self._ahead

    def timed(self, shown: datetime) -> datetime:
        """Return the steady instant at which the wall clock, as it goes now, shows ``shown``."""
        return shown - self._ahead

    def note(self, kind: EventKind, at: datetime, actor: str, text: str = "", **facts: Value) -> None:
        """Write a step of its history."""
        self.set(noted="")
        known: dict[str, Value] = {name: value for name, value in facts.items() if value not in (None, "")}
        self._events.append(CallEvent(kind, self.wall(at), actor, known, text))

    def hush(self) -> None:
        """Forget whom the clock had told so far, and the alerts it raised: what follows makes them untrue."""
        self._tellings.clear()
        raised = {alert.rule for alert in self._alerts}
        self._alerts.clear()
        self.set(alerts=tuple(rule for rule in self.call.alerts if rule not in raised))

    def tell(self, kind: PageKind, steps: Iterable[int]) -> None:
        """Have the people of ``steps`` told."""
        if telling := tuple(steps):
            self._tellings.append(Telling(kind, telling))

    def tell_those_told(self, kind: PageKind) -> None:
        """Notify the steps that were told so far; where none is left, the first one, but for an update."""
        told = [step for step in self.call.due if step < len(self.rules.steps)]
        self.tell(kind, told if told or kind is PageKind.UPDATE else [0])

    def entrust(self, party: Party, at: datetime, until: datetime | None = None, name: str = "") -> None:
        """Make ``party`` responsible until ``until``; without it, and at most, for as long as the clock allows.

        That is until `LATE_AGAIN` after the end of the rescue clock, or after ``at`` where that is later.
        """
        call = self.call
        if call.state not in STOPPED:
            most = max(call.rescue_by or at, at) + LATE_AGAIN
            until = most if until is None else min(until, most)
        self.set(responsible=Responsible(party, until or at, name))
        self.set(state=self.call.settled)

    def climb(self, at: datetime) -> None:
        """Tell the next step; behind the last one everybody again, for an alarm repeats until somebody takes it.

        Whoever had taken the call has not gone on with it: anybody who was told may take it now.
        """
        told, steps = self.call.told, self.rules.steps
        self.set(answered_by="")
        self.entrust(Party.LADDER, at)
        if told < len(steps):
            step = steps[told]
            kind = EventKind.TO_BE_DIALLED if step.dial else EventKind.STEP_TOLD
            self.note(kind, at, LADDER, step=told + 1, name=step.name, zh=step.title_zh, en=step.title_en)
            self.tell(PageKind.CALL, range(told, told + 1))
            if step.dial and not self.call.drill:
                self.tell(PageKind.DIAL, self.call.due)
            if step.targets:
                self.stamp("rang", at)
            self.set(told=told + 1)
            self.entrust(Party.LADDER, at, at + step.wait)
            return
        if steps:
            # Steps that a dispatch had passed over are told as well.
            self.set(passed=())
            self.note(EventKind.STEP_TOLD, at, LADDER, again=True)
            self.tell(PageKind.CALL, range(len(steps)))
        if self.call.state is not CallState.ON_THE_WAY:
            zh, en = "阶梯已到尽头，仍无人接手求助", "the ladder has ended and nobody has taken the call"
            self.raise_alert(UNANSWERED, at, zh, en)
        self.entrust(Party.LADDER, at, at + self.again_after)

    @property
    def again_after(self) -> timedelta:
        """Return how long after the last step, or the last round, everybody is told again."""
        wait = self.rules.steps[-1].wait if self.rules.steps else self.rules.dispatch_wait
        if self.call.state is CallState.ON_THE_WAY:
            return LATE_AGAIN
        return wait if self.call.stamps.overdue is None else min(wait, LATE_AGAIN)

    def run_clock(self, now: datetime) -> None:
        """Begin the rescue clock anew."""
        self.unstamp("half_time", "overdue")
        self.set(rescue_from=self.wall(now), clock_from=now, rescue_by=now + self.rules.rescue)

    def raise_alert(self, rule: str, at: datetime, zh: str, en: str) -> None:
        """Raise an alert about this call; a drill raises none, and one that is raised already stays as it is."""
        if not self.call.drill and rule not in self.call.alerts:
            self.set(alerts=(*self.call.alerts, rule))
            self._alerts.append(self._alert(rule, at, zh, en, firing=True))

    def end_alert(self, rule: str, at: datetime, zh: str, en: str) -> None:
        """End it, where it was raised, or may have been: of a rebuilt call nobody knows."""
        known = rule in self.call.alerts
        if known:
            self.set(alerts=tuple(each for each in self.call.alerts if each != rule))
        if known or self.call.damaged:
            self._alerts.append(self._alert(rule, at, zh, en, firing=False))

    def _alert(self, rule: str, at: datetime, zh: str, en: str, *, firing: bool) -> OwnAlert:
        call = self.call
        # A rescue clock that begins anew ends the alerts of the one before, but not that of a damaged record.
        since = call.stamps.raised if rule == DAMAGED else call.rescue_from or call.stamps.raised
        return OwnAlert(rule, device_about(call.place), since, self.wall(at), firing, zh, en)

    def decided(self) -> Decision:
        """Return what was decided: the call with its next instant, one version further."""
        call = self.call
        self.set(version=self._before.version + 1, next_at=_next_at(call))
        return Decision(self.call, tuple(self._events), tuple(self._tellings), tuple(self._alerts))


def _next_at(call: Call) -> datetime | None:
    if call.responsible is None:
        return None
    clock: list[datetime | None] = []
    if call.state not in STOPPED:
        clock += [half_at(call)] if call.stamps.half_time is None else []
        clock += [call.rescue_by] if call.stamps.overdue is None else []
    return min(each for each in (call.responsible.until, call.tap_owed_at, *clock) if each is not None)


_PARTIES = {
    CallState.ANSWERED: Party.STAFF,
    CallState.DISPATCHED: Party.STAFF,
    CallState.ON_THE_WAY: Party.RESPONDER,
    CallState.ON_SITE: Party.RESPONDER,
    CallState.FREED: Party.STAFF,
}


def adopted(call: Call, now: datetime | None = None) -> Call:
    """Return an open call that names nobody responsible, as an earlier version kept it, with somebody who is.

    Where that version waited for nothing any more it is due ``now``; without ``now`` it stays as it is.
    """
    until = call.next_at or now
    if call.responsible is not None or not call.open or until is None:
        return call
    responder, party = call.responder, _PARTIES.get(call.state, Party.LADDER)
    if responder is not None and call.state is CallState.ON_THE_WAY and not call.damaged:
        responder = msgspec.structs.replace(responder, on_the_way_at=call.stamps.on_the_way or call.stamps.raised)
    name = responder.name if party is Party.RESPONDER and responder is not None else call.answered_by
    return msgspec.structs.replace(call, responder=responder, responsible=Responsible(party, until, name))
