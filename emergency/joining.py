"""Who asks for help where a call is open already: a second tap, a button, an alert, an app. Pure.

Everybody is written down and heard, within bounds: a tap in a page costs nothing, and somebody may play with it.
"""

import hashlib
from datetime import datetime, timedelta

import msgspec

from emergency import acts
from emergency.changes import Change
from emergency.model import AGAIN, Caller, CallState, EventKind, PageKind, Source, Stamps
from emergency.own_rules import OVERDUE, UNANSWERED

UNNAMED = "unnamed"
"""The page of a resident of whom nothing is known; a second one is somebody else."""
# A page of another person is believed to be one; these bounds are against somebody who makes up pages. The place is
# known by then, and somebody has taken the call: further callers there change little of what people do.
CALLERS_KEPT = 50
DETAILS_KEPT = 20
TAP_PAGES = 10
TAP_PAGES_APART = timedelta(minutes=1)


def join(change: Change, what: acts.Join, actor: str, now: datetime) -> None:
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
        _call_again(change, now)


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


def leave_details(change: Change, what: acts.Details, actor: str, now: datetime) -> None:
    """Keep what a resident leaves: as the caller's where nobody, the same page or whoever raised it left what is there.

    What anybody else leaves stands in the history only: a page costs nothing, and staff should be able to call back.
    """
    call = change.call
    said = hashlib.blake2b(f"{what}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    first = call.callers[:1] if call.source is Source.RESIDENT else ()
    own = call.caller == Caller() or what.page in {call.caller.page, *first} - {""}
    before = call.caller
    # What two pages leave is never mixed: one's name beside another's number.
    kept = before if before.page in ("", what.page) else Caller(text=before.text)
    caller = Caller(what.name or kept.name, what.phone or kept.phone, kept.text, what.page) if own else before
    people = call.people if what.people is None or not (own or call.people is None) else what.people
    repeated = (caller, people) == (before, call.people) and (own or said in call.details)
    if repeated or not (what.name or what.phone or what.people) or len(call.details) >= DETAILS_KEPT:
        return
    change.set(caller=caller, people=people, details=(*call.details, said))
    text = " · ".join(filter(None, (what.name, what.phone)))
    change.note(EventKind.DETAILS, now, actor, text, name=what.name, phone=what.phone, people=what.people)


def _page_for_a_tap(change: Change, now: datetime) -> None:
    """Tell people again of a call that somebody has taken, within bounds: a tap in a page or an app costs nothing."""
    paged = change.call.tap_pages
    if change.call.state is CallState.RINGING or len(paged) >= TAP_PAGES:
        return
    if paged and now - paged[-1] < TAP_PAGES_APART:
        change.set(tap_owed_at=paged[-1] + TAP_PAGES_APART)
    else:
        change.set(tap_pages=(*paged, now), tap_owed_at=None)
        _call_again(change, now)


def tell_owed(change: Change, at: datetime, _now: datetime) -> None:
    """Tell people of a tap that came too soon after another, unless the call rings, or seems over, meanwhile."""
    change.set(tap_owed_at=None)
    if change.call.state not in (CallState.RINGING, CallState.FREED, CallState.ABANDONED):
        _page_for_a_tap(change, at)


def _call_again(change: Change, now: datetime) -> None:
    """Tell people of a further call, whoever has taken it: it may be somebody else, and *on site* a mistake."""
    change.tell_those_told(PageKind.AGAIN)
    who = change.call.responsible
    if change.call.state is CallState.ON_SITE and who is not None:
        change.entrust(who.party, now, min(who.until, now + change.rules.answered_wait), who.name)


def _seemed_over(change: Change, now: datetime) -> bool:
    """A rescue that takes longer on site than it may take to come is one that nobody wrote the end of."""
    call, arrived = change.call, change.call.measured.on_site
    forgotten = call.state is CallState.ON_SITE and arrived is not None and now - arrived > change.rules.rescue
    return forgotten or call.state in (CallState.ABANDONED, CallState.FREED)


def _ring_again(change: Change, now: datetime) -> None:
    """Somebody asks for help where all seemed over: everything from the beginning, clock and ladder."""
    for rule in (UNANSWERED, OVERDUE):
        change.end_alert(rule, now, "再次求助，重新开始", "help is asked for again")
    change.set(state=CallState.RINGING, told=0, responder=None)
    none = dict.fromkeys(("further", "coming", "withdrawn", "declined", "passed", "dialled"), ())
    change.set(**none, tap_owed_at=None)
    change.unstamp(*(field.name for field in msgspec.structs.fields(Stamps) if field.name not in _KEPT))
    change.run_clock(now)
    change.climb(now)


_KEPT = ("raised", "alarm_ended")
"""What stays so when a call rings again."""
