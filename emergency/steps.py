"""The state machine of a call: what follows from being raised, from an act, and from time that passes. Pure.

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
from emergency.changes import CLOCK, LATE_AGAIN, Change
from emergency.ladder import Rules
from emergency.model import (
    AGAIN,
    Call,
    Caller,
    CallState,
    Cause,
    Decision,
    EventKind,
    PageKind,
    Place,
    Responder,
    Source,
    Stamps,
    TakenBack,
)
from emergency.own_rules import DAMAGED, OVERDUE, UNANSWERED
from emergency.rescue import STOPPED, half_at

CALLER = "caller"
_LEVEL = timedelta(0)
RECORDS = "records"
UNNAMED = "unnamed"
"""The page of a resident of whom nothing is known; a second one is somebody else."""
# A page of another person is believed to be one; these bounds are against somebody who makes up pages. The place is
# known by then, and somebody has taken the call: further callers there change little of what people do.
CALLERS_KEPT = 50
TAP_PAGES = 10
TAP_PAGES_APART = timedelta(minutes=1)
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
    change = Change(call, rules, ahead)
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
    change = Change(call, rules, ahead)
    if isinstance(what, _TAKING):
        _let_the_clock_run(change, now)
        if call.state is CallState.ABANDONED and not isinstance(what, acts.Close):
            change.run_clock(now)
    before = change.call
    _ACTS[type(what)](change, what, actor, now)
    # Of an act that was done before, nothing is kept, not even what the clock has passed: `tick` climbs as well.
    return None if change.call is before else change.decided()


def tick(call: Call, now: datetime, rules: Rules, *, ahead: timedelta = _LEVEL) -> Decision | None:
    """Return what has come due by ``now``, in its order and at its instants; ``None`` where nothing has."""
    change = Change(call, rules, ahead)
    while (due := _due(change.call, now)) is not None:
        due[1](change, due[0], now)
    decided = change.decided()
    return decided if decided.events else None


def needs_repair(call: Call) -> bool:
    """Tell whether ``call`` was rebuilt from a damaged record and `repaired` has not been decided yet."""
    unreported = not call.drill and DAMAGED not in call.alerts
    return call.open and bool(call.damaged) and (call.rescue_by is None or unreported)


def repaired(call: Call, place: Place, now: datetime, rules: Rules, *, ahead: timedelta = _LEVEL) -> Decision | None:
    """Give a rebuilt call what only the plan and the registry know, and alert about it; ``None`` where that is done."""
    if not needs_repair(call):
        return None
    change = Change(call, rules, ahead)
    began = call.clock_from or change.timed(call.rescue_from or call.stamps.raised)
    climb_at = now if call.climb_at is None and call.state not in STOPPED else call.climb_at
    change.set(place=place, ladder=rules.ladder, climb_at=climb_at, clock_from=began)
    stamped = {name: change.timed(at) for name, at in msgspec.structs.asdict(call.stamps).items() if at is not None}
    timed = call.timed or msgspec.structs.replace(call.stamps, **stamped)
    change.set(rescue_by=call.rescue_by or began + rules.rescue, timed=timed)
    zh = f"呼叫 {call.id}（{call.stamps.raised.isoformat()} 收到）的记录已损坏，已按残存数据重建：{call.damaged}"
    en = f"the record of call {call.id}, raised {call.stamps.raised.isoformat()}, is damaged and was rebuilt: "
    change.note(EventKind.NOTED, now, RECORDS, f"{zh} / {en}{call.damaged}")
    change.raise_alert(DAMAGED, now, zh, en + call.damaged)
    return change.decided()


Due = tuple[datetime, Callable[[Change, datetime, datetime], None]]


def _due(call: Call, now: datetime, *, climbing: bool = True) -> Due | None:
    """Return what is due next, if it is; of the clock alone unless ``climbing``."""
    coming: list[Due] = []
    if climbing and call.climb_at is not None:
        coming.append((call.climb_at, _climb))
    if call.state not in STOPPED:
        half = half_at(call)
        if half is not None and call.stamps.half_time is None:
            coming.append((half, _half_time))
        if call.rescue_by is not None and call.stamps.overdue is None:
            coming.append((call.rescue_by, _overdue if climbing else _passed))
    first = min(coming, key=lambda each: each[0], default=None)
    return first if first is not None and first[0] <= now else None


def _let_the_clock_run(change: Change, now: datetime) -> None:
    """What the clock has passed by ``now`` is so, whoever looked; the ladder is what the act that follows decides."""
    while (due := _due(change.call, now, climbing=False)) is not None:
        due[1](change, due[0], now)


def _climb(change: Change, at: datetime, now: datetime) -> None:
    if change.call.told >= len(change.rules.steps) and _has_ended(change):
        # Rounds that nobody looked at are one round: the newest of them.
        at += (now - at) // change.again_after * change.again_after
    _free(change)
    change.climb(at)


def _free(change: Change) -> None:
    """Whoever took it has not gone on with it: whoever is told now may take it."""
    if change.call.state in (CallState.ANSWERED, CallState.DISPATCHED):
        change.set(answered_by="")


def _has_ended(change: Change) -> bool:
    call = change.call
    return call.drill or UNANSWERED in call.alerts or call.state is CallState.ON_THE_WAY


def _half_time(change: Change, at: datetime, _now: datetime) -> None:
    change.stamp("half_time", at)
    change.note(EventKind.HALF_TIME, at, CLOCK)
    change.tell_those_told(PageKind.HALF_TIME)


def _passed(change: Change, at: datetime, _now: datetime) -> None:
    """Nobody is there in time: an alert, and everybody told so far hears of it."""
    change.stamp("overdue", at)
    change.note(EventKind.OVERDUE, at, CLOCK, contractor=_contractor(change.call))
    change.tell_those_told(PageKind.OVERDUE)
    change.raise_alert(OVERDUE, at, "救援人员未在规定时间内到场", "nobody was on site within the time for rescue")


def _overdue(change: Change, at: datetime, now: datetime) -> None:
    """From then on the ladder climbs until somebody is there, whoever may be on the way."""
    climbing = change.call.climb_at
    _passed(change, at, now)
    _free(change)
    change.climb(at)
    if climbing is not None and change.call.climb_at is not None:
        change.set(climb_at=max(climbing, change.call.climb_at))


def _contractor(call: Call) -> str:
    return (call.responder.contractor if call.responder else "") or call.place.contractor


def _join(change: Change, what: acts.Join, actor: str, now: datetime) -> None:
    call, caller = change.call, what.caller
    if what.source is Source.RESIDENT:
        _tap(change, what, actor, now)
        return
    over = _seemed_over(change, now)
    if what.ref in call.joined or (what.source is Source.APP and len(call.joined) >= CALLERS_KEPT and not over):
        return
    change.set(joined=(*call.joined, what.ref), people=call.people if what.people is None else what.people)
    if what.source is Source.CAR_BUTTON:
        # A press after its alarm was ended is another alarm.
        change.set(alarm=True)
        change.unstamp("alarm_ended")
    if call.caller == Caller():
        change.set(caller=caller)
    facts = {"source": what.source.value, "ref": what.ref, "name": caller.name, "phone": caller.phone}
    change.note(EventKind.JOINED, now, actor, what.text, **facts)
    if over:
        _ring_again(change, now)
    elif what.source is Source.APP:
        _page_for_a_tap(change, now)
    elif call.state is not CallState.RINGING:
        change.tell_those_told(PageKind.UPDATE)


def _tap(change: Change, what: acts.Join, actor: str, now: datetime) -> None:
    """One more tap. Of the same page it changes nothing, unless all seemed over; of another one people are told."""
    call, over = change.call, _seemed_over(change, now)
    name = what.ref
    if name in call.callers and (what.shared or over):
        # Who took it back and asks again, or may be somebody else: one's word does not stop it any more.
        name = f"{name}{AGAIN}"
    fresh = name not in call.callers and len(call.callers) < CALLERS_KEPT
    if not fresh and not over:
        return
    if fresh:
        # Of a call of an earlier version nobody kept who raised it; it was somebody else.
        before = call.callers or ((UNNAMED,) if call.source is Source.RESIDENT else ())
        change.set(callers=(*before, name))
    change.note(EventKind.JOINED, now, actor, what.text, source=what.source.value)
    if over:
        _ring_again(change, now)
    else:
        _page_for_a_tap(change, now)


def _page_for_a_tap(change: Change, now: datetime) -> None:
    """Tell people again of a call that somebody has taken, within bounds: a tap in a page or an app costs nothing."""
    paged = change.call.tap_pages
    again = not paged or (len(paged) < TAP_PAGES and now - paged[-1] >= TAP_PAGES_APART)
    if change.call.state is not CallState.RINGING and again:
        change.set(tap_pages=(*paged, now))
        change.tell_those_told(PageKind.UPDATE)


def _seemed_over(change: Change, now: datetime) -> bool:
    """A rescue that takes longer on site than it may take to come is one that nobody wrote the end of."""
    call, arrived = change.call, change.call.measured.on_site
    forgotten = call.state is CallState.ON_SITE and arrived is not None and now - arrived > change.rules.rescue
    return forgotten or call.state in (CallState.ABANDONED, CallState.FREED)


def _ring_again(change: Change, now: datetime) -> None:
    """Somebody asks for help where all seemed over: everything from the beginning, clock and ladder."""
    for rule in (UNANSWERED, OVERDUE):
        change.end_alert(rule, now, "再次求助，重新开始", "help is asked for again")
    change.set(state=CallState.RINGING, told=0, responder=None, answered_by="")
    change.unstamp(*(field.name for field in msgspec.structs.fields(Stamps) if field.name not in _KEPT))
    change.run_clock(now)
    change.climb(now)


_KEPT = ("raised", "alarm_ended")
"""What stays so when a call rings again."""


def _answer(change: Change, _what: acts.Answer, actor: str, now: datetime) -> None:
    call = change.call
    if call.state not in (CallState.RINGING, CallState.ABANDONED) and (call.answered_by or call.state in STOPPED):
        if call.answered_by == actor:
            return
        raise Conflict(f"call {call.id} was taken by {call.answered_by}: it is {call.state.value}")
    if call.state is CallState.ABANDONED:
        change.set(answered_by="")
    _taken(change, actor, now)
    change.set(state=CallState.ANSWERED, climb_at=now + change.rules.answered_wait)
    if call.told > 1:
        change.tell_those_told(PageKind.UPDATE)


def _taken(change: Change, actor: str, now: datetime) -> None:
    """Whatever anybody does about a call that rings, they have taken it."""
    if not change.call.answered_by:
        change.stamp("answered", now)
        change.set(answered_by=actor)
        change.note(EventKind.ANSWERED, now, actor)
    change.end_alert(UNANSWERED, now, "已有人接手", "somebody has taken it")


def _dispatch(change: Change, what: acts.Dispatch, actor: str, now: datetime) -> None:
    _require_before(change.call, CallState.ON_SITE, "dispatch")
    if what.step is not None and not 0 <= what.step < len(change.rules.steps):
        raise Conflict(f"the ladder of call {change.call.id} has {len(change.rules.steps)} steps, not one {what.step}")
    responder = Responder(what.name, what.phone, None, what.contractor)
    if what.step is None and change.call.answered_by and _goes(change.call, CallState.DISPATCHED, responder):
        return
    _taken(change, actor, now)
    change.stamp("dispatched", now)
    change.set(state=CallState.DISPATCHED, responder=responder, climb_at=now + change.rules.dispatch_wait)
    change.note(EventKind.DISPATCHED, now, actor, name=what.name, phone=what.phone, contractor=what.contractor)
    if what.step is not None:
        change.set(told=max(change.call.told, what.step + 1))
        change.tell(PageKind.DISPATCH, range(what.step, what.step + 1))


def _on_the_way(change: Change, what: acts.OnTheWay, actor: str, now: datetime) -> None:
    _require_before(change.call, CallState.ON_SITE, "set out")
    known = change.call.responder
    contractor = what.contractor or (known.contractor if known and known.name == what.name else "")
    phone = what.phone or (known.phone if known and known.name == what.name else "")
    arrives_at = what.arrives_at and change.timed(what.arrives_at)
    responder = Responder(what.name, phone, arrives_at, contractor)
    if change.call.answered_by and _goes(change.call, CallState.ON_THE_WAY, responder):
        return
    _taken(change, actor, now)
    change.stamp("on_the_way", now)
    change.set(state=CallState.ON_THE_WAY, responder=responder, climb_at=_waited_for(change.call, arrives_at, now))
    arrives = what.arrives_at.isoformat() if what.arrives_at else None
    change.note(EventKind.ON_THE_WAY, now, actor, name=what.name, arrives_at=arrives, contractor=contractor)


def _goes(call: Call, state: CallState, responder: Responder) -> bool:
    """Whether all that is said of who goes was said before: it is written once, and puts off no step of the ladder."""
    return call.state is state and call.responder == responder


def _waited_for(call: Call, arrives_at: datetime | None, now: datetime) -> datetime | None:
    """Return until when whoever goes is waited for; the rescue clock decides where they do not say."""
    if arrives_at is not None:
        return max(arrives_at, now) + LATE_AGAIN
    return None if call.stamps.overdue is None else now + LATE_AGAIN


def _cannot_come(change: Change, what: acts.CannotCome, actor: str, now: datetime) -> None:
    """The call is handed on at once: the next step is told without waiting for anything."""
    call = change.call
    _require_before(call, CallState.ON_SITE, "hand on")
    change.note(EventKind.CANNOT_COME, now, actor, what.reason, name=what.name)
    # Of another one who is asked as well it changes nothing that somebody else goes.
    if call.responder is None or call.responder.name == what.name:
        held = call.answered_by not in ("", what.name)
        change.set(state=CallState.ANSWERED if held else CallState.RINGING, responder=None)
        change.set(answered_by=call.answered_by if held else "")
    change.note(EventKind.HANDED_ON, now, actor, name=what.name)
    change.climb(now)


def _on_site(change: Change, what: acts.OnSite, actor: str, now: datetime) -> None:
    _require_before(change.call, CallState.FREED, "arrive")
    if change.call.state is CallState.ON_SITE:
        return
    _taken(change, actor, now)
    change.stamp("on_site", now)
    change.set(state=CallState.ON_SITE, climb_at=None)
    name = what.name or (change.call.responder.name if change.call.responder else "")
    change.note(EventKind.ON_SITE, now, actor, name=name)
    change.end_alert(OVERDUE, now, "救援人员已到场", "somebody is on site")


def _freed(change: Change, what: acts.Freed, actor: str, now: datetime) -> None:
    if change.call.state is CallState.FREED:
        return
    _taken(change, actor, now)
    change.stamp("freed", now)
    change.set(state=CallState.FREED, climb_at=None)
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
    call = change.call
    stops = not _others_call(call, what.caller) and call.state in (CallState.RINGING, CallState.ANSWERED)
    if call.state is CallState.ABANDONED or (not stops and call.stamps.abandoned is not None):
        return
    change.stamp("abandoned", now)
    change.note(EventKind.ABANDONED, now, actor)
    if not stops:
        return
    change.set(state=CallState.ABANDONED, climb_at=None)
    for rule in (UNANSWERED, OVERDUE):
        change.end_alert(rule, now, "求助人已取消", "the caller took it back")
    change.tell_those_told(PageKind.UPDATE)


def _others_call(call: Call, caller: str) -> bool:
    """Whether anybody but ``caller`` calls, who raised it among them; but any two where only staff say it for them."""
    if call.alarm or call.source in _ALARMS or call.joined:
        return True
    elsewhere = call.source is not Source.RESIDENT
    if not caller:
        return len(call.callers) + elsewhere > 1
    return elsewhere or any(each != caller for each in call.callers)


def _note(change: Change, what: acts.Note, actor: str, now: datetime) -> None:
    said = f"{actor}\0{what.text}".encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(said, digest_size=8).hexdigest()
    if change.call.noted == digest:
        return
    change.note(EventKind.NOTED, now, actor, what.text)
    change.set(noted=digest)


def _close(change: Change, what: acts.Close, actor: str, now: datetime) -> None:
    call = change.call
    if call.state is CallState.RINGING:
        raise Conflict(f"call {call.id} rings: somebody has to answer it before it can be closed")
    if call.alarm and call.stamps.alarm_ended is None and not call.drill:
        raise Conflict(f"call {call.id}: the end of alarm has to be set at the lift first, by its code or its reset")
    if call.drill is not (what.cause is Cause.DRILL):
        raise Conflict(f"call {call.id} is {'a' if call.drill else 'no'} drill: not to be closed as {what.cause.value}")
    _taken(change, actor, now)
    change.stamp("closed", now)
    change.set(state=CallState.CLOSED, climb_at=None, cause=what.cause)
    change.note(EventKind.CLOSED, now, actor, what.text, cause=what.cause.value)
    for rule in (OVERDUE, DAMAGED):
        change.end_alert(rule, now, "求助已结束", "the call is closed")


_ORDER = list(CallState)


def _require_before(call: Call, state: CallState, what: str) -> None:
    if call.state is not CallState.ABANDONED and _ORDER.index(call.state) >= _ORDER.index(state):
        raise Conflict(f"call {call.id} is {call.state.value}: too late to {what}")


# Whoever does one of these has taken the call.
_TAKING = (acts.Answer, acts.Dispatch, acts.OnTheWay, acts.OnSite, acts.Freed, acts.Close)
_ACTS: dict[type, Callable[[Change, Any, str, datetime], None]] = {
    acts.Join: _join,
    acts.Answer: _answer,
    acts.Dispatch: _dispatch,
    acts.OnTheWay: _on_the_way,
    acts.CannotCome: _cannot_come,
    acts.OnSite: _on_site,
    acts.Freed: _freed,
    acts.EndAlarm: _end_alarm,
    acts.Abandon: _abandon,
    acts.Note: _note,
    acts.Close: _close,
}
