"""The state machine of a call: what follows from being raised, from an act, and from time that passes. Pure.

While a call is open somebody is responsible for it, until an instant (`model.Responsible`). `Change.entrust` alone says
who and until when; `emergency.timing` alone acts when that instant has come: it notifies the next step of the ladder,
which makes the people told so far responsible, or reminds people where the ladder has stopped. The rescue clock only
stamps, and at its end brings that instant forward. It has passed before any act is decided. Nobody holds a call for
longer than five minutes behind the end of the rescue clock, whatever arrival they promised.

The same call, act and instant always give the same decision. Time is cut as one likes: a call that nobody looked at for
five minutes comes to stand exactly as one that was looked at every second. ``now`` is an instant of the steady clock;
the wall clock, which is ``ahead`` of it, stamps. So setting the wall clock moves nothing that is waited for.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from core.errors import Conflict
from emergency import acts
from emergency.changes import LATE_AGAIN, Change
from emergency.joining import CALLERS_KEPT, UNNAMED, join, leave_details
from emergency.ladder import Rules
from emergency.model import (
    STAFF_SAYS,
    STOPPED,
    Call,
    Caller,
    CallState,
    Cause,
    Decision,
    Dialled,
    EventKind,
    PageKind,
    Party,
    Place,
    Responder,
    Source,
    Stamps,
    TakenBack,
)
from emergency.own_rules import DAMAGED, OVERDUE, UNANSWERED
from emergency.timing import LEFT_OPEN, clock_due, pass_time

CALLER = "caller"
_LEVEL = timedelta(0)
# Ours: nobody is waited for longer than some minutes behind the rescue clock; an arrival beyond this is a slip.
LONGEST_WAY = timedelta(days=1)
RECORDS = "records"
_ALARMS = (Source.CAR_BUTTON, Source.ALERT)


class CallRequest(Struct, frozen=True):
    """Somebody, or something, asks for help. ``ref`` names the asking (an alert's step), joined into a call once.

    Of a resident it names their page; ``shared`` as in `emergency.acts.Join`.
    """

    source: Source
    place: Place
    caller: Caller = Caller()
    people: int | None = None
    drill: bool = False
    ref: str = ""
    shared: bool = False
    taken_back: TakenBack = TakenBack()


def raised(
    request: CallRequest, call_id: str, actor: str, now: datetime, rules: Rules, *, ahead: timedelta = _LEVEL
) -> Decision:
    """Return the new call, its first step told."""
    resident, before = request.source is Source.RESIDENT, request.taken_back
    call = Call(
        id=call_id,
        source=request.source,
        place=request.place,
        stamps=Stamps(raised=now + ahead),
        drill=request.drill,
        caller=request.caller,
        ladder=rules.ladder,
        rescue_by=now + rules.rescue,
        alarm=request.source is Source.CAR_BUTTON,
        joined=(request.ref,) if request.ref and not resident else (),
        callers=(request.ref or UNNAMED,) if resident else (),
        taken_back_before=before,
        people=request.people,
        clock_from=now,
        timed=Stamps(raised=now),
    )
    change = Change(call, rules, now, ahead)
    facts = {"people": request.people, "taken_back_before": before.code or None}
    change.note(EventKind.RAISED, now, actor, request.caller.text, source=request.source.value, **facts)
    change.climb(now)
    return change.decided()


def act(
    call: Call, what: acts.Act, actor: str, now: datetime, rules: Rules, *, ahead: timedelta = _LEVEL
) -> Decision | None:
    """Return what follows from ``what``; ``None`` where it was so before. Raises `Conflict` where it cannot be."""
    if not call.open:
        if isinstance(what, acts.Close) and what.cause is call.cause:
            return None
        raise Conflict(f"call {call.id} is closed: expected an open one")
    change = Change(call, rules, now, ahead)
    # Who takes a call, or takes it back, decides about its ladder, whatever of it has come due.
    ending = isinstance(what, _ENDING) or (isinstance(what, acts.Abandon) and _stops(call, what))
    taking = isinstance(what, _TAKING) and call.state not in STOPPED
    pass_time(change, now, climbing=not (ending or taking))
    before = change.call
    refused, why = _REFUSED.get(type(what), ((), ""))
    if before.state in refused:
        raise Conflict(f"call {call.id} is {before.state.value}: {why}")
    if before.state is CallState.ABANDONED and isinstance(what, _RESUMING):
        change.set(state=CallState.RINGING)
        change.run_clock(now)
    if ending:
        change.hush()
    resumed = change.call
    _ACTS[type(what)](change, _under_known_name(change, what), actor, now)
    # Of an act that was done before, nothing is kept, not even what has come due: `tick` does that as well.
    return None if change.call is resumed else change.decided()


def _under_known_name(change: Change, what: acts.Act) -> acts.Act:
    """Return ``what`` of the name under which the call knows the person: sent by a title, they answer by their own."""
    if not isinstance(what, acts.Dispatch | acts.OnTheWay | acts.CannotCome | acts.OnSite):
        return what
    call = change.call
    known = [each.name for each in (call.responder, call.responsible) if each is not None]
    return msgspec.structs.replace(what, name=change.rules.known_as(what.name, [*known, *call.further, *call.declined]))


def tick(call: Call, now: datetime, rules: Rules, *, ahead: timedelta = _LEVEL) -> Decision | None:
    """Return what has come due by ``now``, in its order and at its instants; ``None`` where nothing has."""
    change = Change(call, rules, now, ahead)
    before = change.call
    pass_time(change, now, climbing=True)
    return None if change.call is before else change.decided()


def climbed(call: Call, now: datetime, rules: Rules, *, ahead: timedelta = _LEVEL) -> Decision:
    """Return what follows from notifying the next step without waiting for it."""
    change = Change(call, rules, now, ahead)
    change.climb(now)
    return change.decided()


def needs_repair(call: Call) -> bool:
    """Tell whether ``call`` was rebuilt from a damaged record and `repaired` has not been decided yet."""
    unreported = not call.drill and DAMAGED not in call.alerts
    return call.open and bool(call.damaged) and (call.rescue_by is None or unreported)


def repaired(call: Call, place: Place, now: datetime, rules: Rules, *, ahead: timedelta = _LEVEL) -> Decision | None:
    """Give a rebuilt call what only the plan and the registry know, and alert about it; ``None`` where that is done."""
    if not needs_repair(call):
        return None
    change = Change(call, rules, now, ahead)
    began = call.clock_from or change.timed(call.rescue_from or call.stamps.raised)
    change.set(place=place, ladder=rules.ladder, clock_from=began)
    stamped = {name: change.timed(at) for name, at in msgspec.structs.asdict(call.stamps).items() if at is not None}
    timed = call.timed or msgspec.structs.replace(call.stamps, **stamped)
    change.set(rescue_by=call.rescue_by or began + rules.rescue, timed=timed)
    zh = f"呼叫 {call.id}（{call.stamps.raised.isoformat()} 收到）的记录已损坏，已按残存数据重建：{call.damaged}"
    en = f"the record of call {call.id}, raised {call.stamps.raised.isoformat()}, is damaged and was rebuilt: "
    change.note(EventKind.NOTED, now, RECORDS, f"{zh} / {en}{call.damaged}")
    change.raise_alert(DAMAGED, now, zh, en + call.damaged)
    return change.decided()


def _answer(change: Change, _what: acts.Answer, actor: str, now: datetime) -> None:
    """Who answers holds the call for a while; who is on the way or on site goes on holding it."""
    call, who, held = change.call, change.call.responsible, _is_held(change.call, now)
    if held and call.answered_by == actor:
        return
    if who is not None and held and who.party is Party.STAFF and who.name != actor:
        raise Conflict(f"call {call.id} was taken by {who.name}: it is {call.state.value}")
    change.set(answered_by="")
    _taken(change, actor, now)
    if not held:
        change.entrust(Party.STAFF, now, now + change.rules.answered_wait, actor)
    if call.told > 1 and call.state is not CallState.ON_SITE:
        change.tell_those_told(PageKind.UPDATE)


def _taken(change: Change, actor: str, now: datetime) -> None:
    """Whatever anybody does about a call that rings, they have taken it; who had said that they cannot come can now."""
    _undecline(change, actor)
    if not change.call.answered_by:
        change.stamp("answered", now)
        change.set(answered_by=actor)
        change.note(EventKind.ANSWERED, now, actor)
    change.end_alert(UNANSWERED, now, "已有人接手", "somebody has taken it")


def _dispatch(change: Change, what: acts.Dispatch, actor: str, now: datetime) -> None:
    """Who asks somebody to go holds the call until they say so; beside who goes already, one more was asked."""
    call, known = change.call, change.call.responder
    if what.step is not None and not _can_tell(change.rules, what.step):
        raise Conflict(f"step {what.step} of call {call.id} is not one whose people Anju can tell")
    held, goes = _is_held(call, now), known is not None and known.on_the_way_at is not None
    same = known if known is not None and known.name == what.name else None
    corrected = _corrected(same or Responder(what.name), what)
    # Beside nobody, as after whoever went cannot come, one more is the one who was asked.
    further = what.name in call.further and (known is not None or call.state is CallState.ON_SITE)
    if what.step is None and held and (further or corrected == same):
        return
    _taken(change, actor, now)
    change.stamp("dispatched", now)
    beside = call.state is CallState.ON_SITE or (goes and held)
    if same is not None and (goes or beside):
        change.set(responder=corrected)
    elif beside:
        change.set(further=tuple(dict.fromkeys((*call.further, what.name)))[-CALLERS_KEPT:])
    else:
        _replace_responder(change, msgspec.structs.replace(corrected, arrives_at=None, asked_at=change.wall(now)))
    if not beside:
        change.entrust(Party.STAFF, now, now + change.rules.dispatch_wait, actor)
    _undecline(change, what.name)
    change.note(EventKind.DISPATCHED, now, actor, name=what.name, phone=what.phone, contractor=what.contractor)
    if what.step is not None:
        skipped = {*call.passed, *range(call.told, what.step)} - {what.step}
        change.set(told=max(call.told, what.step + 1), passed=tuple(sorted(skipped)))
        change.tell(PageKind.DISPATCH, range(what.step, what.step + 1))


def _corrected(known: Responder, what: acts.Dispatch | acts.OnTheWay) -> Responder:
    """Return ``known`` with the number and the contractor that are said now; a blank one changes nothing."""
    phone, contractor = what.phone or known.phone, what.contractor or known.contractor
    return msgspec.structs.replace(known, phone=phone, contractor=contractor)


def _can_tell(rules: Rules, step: int) -> bool:
    return 0 <= step < len(rules.steps) and bool(rules.steps[step].targets)


def _is_held(call: Call, now: datetime) -> bool:
    """Tell whether somebody has taken the call, and not left it."""
    who = call.responsible
    return who is not None and who.party is not Party.LADDER and who.until > now


def _undecline(change: Change, name: str) -> None:
    if name in change.call.declined:
        change.set(declined=_without(change.call.declined, name))


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(each for each in names if each != name)


def _on_the_way(change: Change, what: acts.OnTheWay, actor: str, now: datetime) -> None:
    """Who goes holds the call until they said they would be there, as far as the clock allows."""
    arrives_at = what.arrives_at and change.timed(what.arrives_at)
    if arrives_at is not None and arrives_at > now + LONGEST_WAY:
        raise Conflict(f"arrival {what.arrives_at}: expected within {LONGEST_WAY}")
    known = change.call.responder
    same = known if known is not None and known.name == what.name else Responder(what.name)
    goes = msgspec.structs.replace(
        _corrected(same, what), arrives_at=arrives_at, on_the_way_at=same.on_the_way_at or change.wall(now)
    )
    there, call = change.call.state is CallState.ON_SITE, change.call
    if (goes == known and _is_held(call, now)) or (there and what.name in call.coming):
        return
    _taken(change, actor, now)
    change.stamp("on_the_way", now)
    if there and same is not known:
        further, coming = (*_without(call.further, what.name), what.name), (*call.coming, what.name)
        change.set(further=further[-CALLERS_KEPT:], coming=coming[-CALLERS_KEPT:])
    elif there:
        change.set(responder=goes)
    else:
        _replace_responder(change, goes)
        until = None if arrives_at is None else max(arrives_at, now) + LATE_AGAIN
        change.entrust(Party.RESPONDER, now, until, what.name)
    _undecline(change, what.name)
    arrives = what.arrives_at.isoformat() if what.arrives_at else None
    change.note(EventKind.ON_THE_WAY, now, actor, name=what.name, arrives_at=arrives, contractor=what.contractor)


def _replace_responder(change: Change, responder: Responder | None) -> None:
    """Make ``responder`` the one who goes; whoever was asked before them still is, or still comes."""
    call, known, name = change.call, change.call.responder, "" if responder is None else responder.name
    further, coming = _without(call.further, name), _without(call.coming, name)
    if known is not None and known.name != name:
        further = (*further, known.name)
        coming = (*coming, known.name) if responder is not None and known.on_the_way_at else coming
    change.set(responder=responder, further=further[-CALLERS_KEPT:], coming=coming[-CALLERS_KEPT:])


def _cannot_come(change: Change, what: acts.CannotCome, actor: str, now: datetime) -> None:
    """The call is handed on at once: the next step is told without waiting for anything.

    Of another one than who holds it, or was asked to go, it changes nothing; nor does it when said a second time.
    """
    call, who = change.call, change.call.responsible
    if what.name in call.declined:
        return
    further, coming = _without(call.further, what.name), _without(call.coming, what.name)
    change.set(declined=(*call.declined, what.name)[-CALLERS_KEPT:], further=further, coming=coming)
    change.note(EventKind.CANNOT_COME, now, actor, what.reason, name=what.name)
    goes = call.responder is not None and call.responder.name == what.name
    if goes:
        change.set(responder=None)
    if goes or not _is_held(call, now) or (who is not None and what.name == who.name):
        change.note(EventKind.HANDED_ON, now, actor, name=what.name)
        change.climb(now)


def _stop(change: Change, state: CallState, party: Party, now: datetime, name: str = "") -> None:
    change.stamp(state.value, now)
    change.set(state=state)
    change.entrust(party, now, now + LEFT_OPEN, name)


def _on_site(change: Change, what: acts.OnSite, actor: str, now: datetime) -> None:
    if change.call.state is CallState.ON_SITE:
        return
    _taken(change, actor, now)
    name = what.name or (change.call.responder.name if change.call.responder else "")
    _stop(change, CallState.ON_SITE, Party.RESPONDER, now, name)
    change.note(EventKind.ON_SITE, now, actor, name=name)
    change.end_alert(OVERDUE, now, "救援人员已到场", "somebody is on site")


def _not_on_site(change: Change, what: acts.NotOnSite, actor: str, now: datetime) -> None:
    """The rescue clock goes on as if nobody had been there, and the next step is told at once."""
    _replace_responder(change, None)
    change.set(state=CallState.RINGING)
    change.unstamp("on_site", "overdue")
    change.note(EventKind.NOT_ON_SITE, now, actor, what.reason)
    for at, stamp in clock_due(change.call):
        if at <= now:
            stamp(change, now, now)
    change.climb(now)


def _freed(change: Change, what: acts.Freed, actor: str, now: datetime) -> None:
    if change.call.state is CallState.FREED:
        return
    _taken(change, actor, now)
    _stop(change, CallState.FREED, Party.STAFF, now, actor)
    change.note(EventKind.FREED, now, actor, people=what.people)
    change.end_alert(OVERDUE, now, "被困人员已救出", "everybody is out")
    change.tell_those_told(PageKind.UPDATE)


def _end_alarm(change: Change, what: acts.EndAlarm, actor: str, now: datetime) -> None:
    if not change.call.alarm:
        raise Conflict(f"call {change.call.id} has no alarm button: there is no alarm to be ended")
    if change.call.stamps.alarm_ended is None:
        change.stamp("alarm_ended", now)
        change.note(EventKind.ALARM_ENDED, now, actor, how=what.how)


def _abandon(change: Change, what: acts.Abandon, actor: str, now: datetime) -> None:
    """Where a machine or anybody else calls too, one's word does not stop the ladder: another may be trapped there.

    What does not stop it is written once, whoever says it and however often.
    """
    call, stops = change.call, _stops(change.call, what)
    if call.state is CallState.ABANDONED or (not stops and call.withdrawn):
        return
    if not stops:
        change.set(withdrawn=(what.caller or STAFF_SAYS,))
        change.note(EventKind.ABANDONED, now, actor)
        return
    change.set(answered_by="")
    _stop(change, CallState.ABANDONED, Party.LADDER, now)
    change.note(EventKind.ABANDONED, now, actor, stopped=True)
    for rule in (UNANSWERED, OVERDUE):
        change.end_alert(rule, now, "求助人已取消", "the caller took it back")
    change.tell_those_told(PageKind.UPDATE)


def _stops(call: Call, what: acts.Abandon) -> bool:
    """Tell whether nobody else calls and nobody was asked to go: whoever goes has a look all the same."""
    nobody_goes = call.responder is None and not call.further and call.state in (CallState.RINGING, CallState.ANSWERED)
    return nobody_goes and not _others_call(call, what.caller)


def _others_call(call: Call, caller: str) -> bool:
    """Whether anybody but ``caller`` calls, who raised it among them; but any two where only staff say it for them."""
    if call.alarm or call.source in _ALARMS or call.joined:
        return True
    elsewhere = call.source is not Source.RESIDENT
    if not caller:
        return len(call.callers) + elsewhere > 1
    return elsewhere or any(each != caller for each in call.callers)


def _dial(change: Change, what: acts.Dial, actor: str, now: datetime) -> None:
    """A number was dialled: that is written down, and takes the call for nobody."""
    step = next((each for each in change.rules.steps if each.name == what.step), None)
    if step is None or not step.dial:
        raise Conflict(f"the ladder of call {change.call.id} has no step {what.step} with a number to dial")
    last = next((each for each in reversed(change.call.dialled) if each.step == what.step), None)
    if last is not None and (last.by, last.answer) == (actor, what.answer):
        return
    dialled = Dialled(what.step, change.wall(now), actor, what.answer)
    change.set(dialled=(*change.call.dialled, dialled)[-CALLERS_KEPT:])
    facts = {"name": step.name, "zh": step.title_zh, "en": step.title_en}
    change.note(EventKind.DIALLED, now, actor, what.answer, **facts)


def _note(change: Change, what: acts.Note, actor: str, now: datetime) -> None:
    said = f"{actor}\0{what.text}".encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(said, digest_size=8).hexdigest()
    if change.call.noted == digest:
        return
    change.note(EventKind.NOTED, now, actor, what.text)
    change.set(noted=digest)


def _close(change: Change, what: acts.Close, actor: str, now: datetime) -> None:
    call = change.call
    if call.state is CallState.RINGING and call.stamps.answered is None and not call.drill:
        raise Conflict(f"call {call.id} rings: somebody has to answer it before it can be closed")
    if call.alarm and call.stamps.alarm_ended is None and not call.drill:
        raise Conflict(f"call {call.id}: the end of alarm has to be set at the lift first, by its code or its reset")
    if call.drill is not (what.cause is Cause.DRILL):
        raise Conflict(f"call {call.id} is {'a' if call.drill else 'no'} drill: not to be closed as {what.cause.value}")
    _taken(change, actor, now)
    change.stamp("closed", now)
    change.set(state=CallState.CLOSED, responsible=None, cause=what.cause)
    change.note(EventKind.CLOSED, now, actor, what.text, cause=what.cause.value)
    for rule in (OVERDUE, DAMAGED):
        change.end_alert(rule, now, "求助已结束", "the call is closed")
    told_already = call.state in (CallState.FREED, CallState.ABANDONED)
    if not told_already and (call.told > 1 or call.responder is not None or call.further):
        # Whoever was asked to go, or may have set out, need not.
        change.tell_those_told(PageKind.UPDATE)


# Whoever does one of these has taken the call.
_TAKING = (acts.Answer, acts.Dispatch, acts.OnTheWay, acts.OnSite, acts.Freed, acts.Close)
# Who does one of these to a call that was taken back looks after it all the same.
_RESUMING = (acts.Answer, acts.Dispatch, acts.OnTheWay, acts.OnSite)
_ENDING = (acts.OnSite, acts.Freed, acts.Close)
# Where an act is refused, and why; docs/reference/emergency-call-states.md shows what follows where it is not.
_REFUSED: dict[type, tuple[set[CallState], str]] = {
    acts.Answer: ({CallState.FREED}, "everybody is out"),
    acts.Dispatch: ({CallState.FREED}, "too late to dispatch"),
    acts.OnTheWay: ({CallState.FREED}, "too late to set out"),
    acts.CannotCome: ({CallState.ON_SITE, CallState.FREED, CallState.ABANDONED}, "nobody has to come"),
    acts.OnSite: ({CallState.FREED}, "too late to arrive"),
    acts.NotOnSite: (set(CallState) - {CallState.ON_SITE}, "nobody is on site"),
}
_ACTS: dict[type, Callable[[Change, Any, str, datetime], None]] = {
    acts.Join: join,
    acts.Dial: _dial,
    acts.Answer: _answer,
    acts.Dispatch: _dispatch,
    acts.OnTheWay: _on_the_way,
    acts.CannotCome: _cannot_come,
    acts.OnSite: _on_site,
    acts.NotOnSite: _not_on_site,
    acts.Freed: _freed,
    acts.EndAlarm: _end_alarm,
    acts.Abandon: _abandon,
    acts.Note: _note,
    acts.Close: _close,
    acts.Details: leave_details,
}
