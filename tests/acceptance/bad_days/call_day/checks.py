"""What must hold of every call of the day, by what the API answered and showed, and by what arrived."""

from collections import Counter
from collections.abc import Iterator, Sequence

from tests.acceptance.bad_days.call_day.history import (
    BEHIND_SECONDS,
    HALF_AN_HOUR,
    MACHINES,
    RESCUE_SECONDS,
    Event,
    Story,
    closes_in_alarm,
    gaps,
    is_late,
)
from tests.acceptance.bad_days.call_day.plans import LAST_SECONDS, LONGEST, REPEAT_SECONDS, STAFF
from tests.acceptance.bad_days.call_day.records import BUSY_SECONDS, ROUNDED_SECONDS, Act, Day, Json, Said, Seen

_KINDS = {
    "answer": "answered",
    "dispatch": "dispatched",
    "on-the-way": "on_the_way",
    "cannot-come": "cannot_come",
    "on-site": "on_site",
    "not-on-site": "not_on_site",
    "freed": "freed",
    "abandon": "abandoned",
    "page abandon": "abandoned",
    "dialled": "dialled",
    "note": "noted",
    "close": "closed",
    "page details": "details",
}
_ASKING = {"tap": "resident", "app": "app", "staff": "staff", "drill": "drill"}
# A joined call keeps so many residents, and as many other sources; taps beyond are heard of no more, as documented
# beside `CALLERS_KEPT`.
_CALLERS_KEPT = 50
_ANSWER_TARGET_SECONDS = 30.0
_LEFT = ("step_told", "to_be_dialled")
"""Nobody holds the call any more."""
_TAKEN = {"answered", "dispatched", "on_the_way", "on_site"}
_UNDONE_BY = {
    "answered": _LEFT,
    "dispatched": (*_LEFT, "not_on_site"),
    "on_the_way": (*_LEFT, "not_on_site"),
    "on_site": ("not_on_site",),
    "freed": ("joined",),
}
"""After these an act that was done before is done anew."""
_MACHINE_SAYS = {"alarm_pressed": "car_button", "fault_raised": "alert"}


# --- somebody is responsible, every second ---------------------------------------------------------------------------


def left_alone(story: Story, day: Day) -> Iterator[str]:
    """Yield the times in which nothing followed for longer than people may be waited for."""
    for gap in gaps(story, day):
        if is_late(gap, day):
            late = f"{gap.after} at {gap.since:.2f} should have been followed by {gap.due:.2f}, and was at"
            yield f"{late} {gap.ended:.2f} by {gap.then}; {story.told_as()}"


def unwatched(seen: Seen, day: Day) -> Iterator[str]:
    """Yield what was wrong with ``responsible`` when the API was asked."""
    call, who = seen.call, seen.call["responsible"]
    if who is None:
        yield f"nobody is responsible for {call['id']} at {seen.ended:.2f}"
        return
    until = day.back(who["until"])
    if until < seen.began - day.slack(until, seen.began) - ROUNDED_SECONDS:
        yield f"{who} of {call['id']} was over {seen.began - until:.2f} s before"
    if until > seen.ended + _longest(call, day, seen.ended) + ROUNDED_SECONDS:
        yield f"{who} of {call['id']} ({call['state']}) is {until - seen.ended:.2f} s ahead"


def _longest(call: Json, day: Day, now: float) -> float:
    match call["state"]:
        case "ringing":
            return float(LAST_SECONDS)
        case "answered":
            return float(LONGEST.answered)
        case "dispatched":
            # Who answers after somebody was sent, and left by the ladder, has the time of who answers.
            return float(max(LONGEST.dispatched, LONGEST.answered))
        case "on_the_way":
            return min(RESCUE_SECONDS, max(day.back(call["rescue"]["by"]) - now, 0.0)) + BEHIND_SECONDS
    return max(HALF_AN_HOUR, now - day.began)


# --- what was answered is so -----------------------------------------------------------------------------------------


def undone(story: Story, day: Day) -> Iterator[str]:
    """Yield acts that were answered with 2xx and stand nowhere, and acts that were refused and stand there."""
    for act in story.acts:
        kind = _KINDS.get(act.name.removeprefix("link "))
        if kind is None:
            yield from _unasked(act, story)
            continue
        own = [each for each in story.events if each.kind == kind and act.covers(each.at) and _is_by(act, each)]
        if act.done and not own and not _is_repeat(act, kind, story):
            yield f"{act} stands nowhere; {story.told_as()}"
        # What one's own act just before or behind it wrote is not of the one that was refused.
        others = [each for each in story.acts if each.actor == act.actor and each.done]
        own = [each for each in own if not any(other.covers(each.at) for other in others)]
        if not act.done and own and not act.lost:
            yield f"{act} was refused, and changed something; {story.told_as()}"


def _is_by(act: Act, event: Event) -> bool:
    return event.actor == ("caller" if act.name.startswith("page ") else act.actor)


def _is_repeat(act: Act, kind: str, story: Story) -> bool:
    """Tell whether it was so already: then nothing is written, as the reference says."""
    ended = min((each.at for each in story.events if each.kind == "closed"), default=None)
    if act.name == "page abandon" and ended is not None and ended <= act.ended + ROUNDED_SECONDS:
        return True  # It was closed meanwhile, and what has gone too far is not taken back.
    known = [each for each in story.events if each.at <= act.ended + ROUNDED_SECONDS]
    before = [each for each in known if _says_the_same(act, kind, each)]
    there = [each.kind for each in known if each.kind in ("on_site", "not_on_site")]
    held = [each.kind for each in known if each.kind in (*_LEFT, *_TAKEN)][-1:]
    if kind == "dispatched" and before and (there[-1:] == ["on_site"] or set(held) <= _TAKEN):
        # Who was asked is asked still, once somebody holds the call again; another who declines changes nothing of it.
        named = act.said.get("name")
        declined = (each for each in known if each.kind == "cannot_come" and each.facts.get("name") in (named, None))
        return not any(each.at > before[-1].at for each in declined)
    return bool(before) and not any(
        _undoes(act, kind, each) and before[-1].at < each.at < act.began - ROUNDED_SECONDS for each in story.events
    )


def _undoes(act: Act, kind: str, event: Event) -> bool:
    """Tell whether what was done before would be done anew after ``event``."""
    if kind == "cannot_come":
        return act.said.get("name", act.actor) in (event.actor, event.facts.get("name")) and event.kind != kind
    return event.kind in _UNDONE_BY.get(kind, ())


def _says_the_same(act: Act, kind: str, event: Event) -> bool:
    # Who goes already is not asked to go again.
    kinds = ("dispatched", "on_the_way") if kind == "dispatched" else (kind,)
    if event.kind not in kinds or (kind in ("answered", "noted") and event.actor != act.actor):
        return False
    named = act.said.get("name")
    return named is None or kind == "on_site" or event.facts.get("name") == named


def _unasked(act: Act, story: Story) -> Iterator[str]:
    """A call for help stands in the history of the call that it was answered with, once."""
    source = _ASKING[act.name]
    asked = [each for each in story.events if _asks(each, source)]
    sources = {"resident"} if source == "resident" else {"app", "staff", *MACHINES}
    kept = [each for each in story.events if any(_asks(each, known) for known in sources)]
    if any(act.covers(each.at) for each in asked) or len(kept) >= _CALLERS_KEPT:
        return
    earlier = [each for each in story.acts if each.name == act.name and each.ended <= act.ended and each is not act]
    if act.name == "drill" and earlier:
        return
    if not any(each.actor == act.actor for each in earlier):
        yield f"{act} stands nowhere; {story.told_as()}"


def _asks(event: Event, source: str) -> bool:
    return event.kind in ("raised", "joined") and event.facts.get("source") == source


def unheard(said: Said, stories: Sequence[Story], day: Day) -> Iterator[str]:
    """Yield a press, or a trapped passenger, that stands in no call of its lift."""
    source = _MACHINE_SAYS.get(said.kind)
    if source is None:
        return
    heard = [
        each.at
        for story in stories
        if story.call["place"]["lift"] == said.lift
        for each in story.events
        if _asks(each, source)
    ]
    after = [at for at in heard if at >= said.at - REPEAT_SECONDS - BUSY_SECONDS]
    if not any(at <= said.at + day.slack(said.at, at) + BUSY_SECONDS for at in after):
        yield f"{said} stands in no call"


def uninvited(story: Story) -> Iterator[str]:
    """Yield what stands in the history under the name of staff who did nothing then."""
    for event in story.events:
        acting = event.actor in STAFF and event.kind not in ("raised", "joined")
        if acting and not any(act.actor == event.actor and act.covers(event.at) for act in story.acts):
            yield f"{event.kind} by {event.actor} at {event.at:.2f} was done by nobody; {story.told_as()}"


# --- histories and figures -------------------------------------------------------------------------------------------


def misordered(story: Story) -> Iterator[str]:
    """Yield histories whose instants go back, that do not end, or that end with an alarm in the car."""
    for number, event in enumerate(story.events[1:], 1):
        if event.at < story.events[number - 1].at - ROUNDED_SECONDS:
            yield f"{event.kind} at {event.at:.2f} goes back; {story.told_as()}"
    if story.call["open"] or story.call["responsible"] or story.events[-1].kind not in ("closed", "alarm_ended"):
        yield f"call {story.id} is {story.call['state']} in the evening; {story.told_as()}"
    if not story.call["drill"] and closes_in_alarm(story.events):
        yield f"closed before the end of its alarm; {story.told_as()}"


def figures(stories: Sequence[Story], day: Day) -> Counter[str]:
    """Return what the figures of the day have to come to."""
    real = [story for story in stories if not story.call["drill"]]
    return Counter(
        calls=len(real),
        drills=len(stories) - len(real),
        taken_back=sum(is_taken_back(story, day) for story in real),
        overdue=sum(any(each.kind == "overdue" for each in story.events) for story in real),
        unfinished=0,
    )


def is_taken_back(story: Story, day: Day) -> bool:
    """Tell whether a person took it back within 30 s, before anybody answered, with nobody rescued or overdue."""
    stamps, call = story.call["stamps"], story.call
    late = any(each.kind == "overdue" for each in story.events)
    if stamps["abandoned"] is None or call["alarm"] or call["source"] in MACHINES or late:
        return False
    stopped = day.back(stamps["abandoned"])
    answered = stamps["answered"] is not None and day.back(stamps["answered"]) <= stopped
    in_time = stopped - day.back(stamps["rang"] or stamps["raised"]) <= _ANSWER_TARGET_SECONDS
    return in_time and not (answered or stamps["on_site"] or stamps["freed"])
