"""Who had to act, and until when, by the history of a call alone: written from the table of states in the reference.

`docs/reference/emergency-call-states.md` is what this goes by, and nothing of the product's own code is asked. After
each event there is an instant until which people are waited for; what follows must not come later than that, but for
the time in which the process was down. Waits are the longest of all plans of the day.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.acceptance.bad_days.call_day.plans import LAST_SECONDS, LONGEST
from tests.acceptance.bad_days.call_day.records import ROUNDED_SECONDS, Act, Day, Json

RESCUE_SECONDS = 1_800.0
HALF_AN_HOUR = 1_800.0
BEHIND_SECONDS = 300.0
"""Behind the end of the rescue clock, and behind a promised arrival, nobody is waited for longer."""
MACHINES = ("car_button", "alert")
_RESUMING = ("answered", "dispatched", "on_the_way", "on_site")


@dataclass(frozen=True)
class Event:
    """A step of a history, with its instant by the test's clock and how far the wall clock was ahead."""

    kind: str
    at: float
    ahead: float
    actor: str
    facts: Json
    number: int


@dataclass
class Story:
    """A call of the day as the API tells of it in the end."""

    call: Json
    events: list[Event]
    acts: list[Act]

    @property
    def id(self) -> str:
        return str(self.call["id"])

    def told_as(self) -> str:
        """The history in lines, for messages."""
        begin = self.events[0].at
        lines = (f"  {each.at - begin:8.2f} {each.kind} by {each.actor} {each.facts}" for each in self.events)
        return "\n".join([f"call {self.id}, {self.call['source']}, begun at {begin:.2f}", *lines])


@dataclass(frozen=True)
class Gap:
    """A time in which nothing followed: it should have ended at ``due``, and ended at ``ended`` with ``then``."""

    after: str
    since: float
    due: float
    ended: float
    then: str


@dataclass
class _Duty:
    """Who has to act: ``holder`` is ladder, staff, responder, or the state in which the ladder has stopped."""

    holder: str = "ladder"
    due: float = 0.0
    since: float = 0.0
    clock_ends: float = 0.0
    goes: str = ""
    asked: set[str] = field(default_factory=set)

    @property
    def stopped(self) -> bool:
        return self.holder in ("on_site", "freed", "abandoned")

    def held(self, at: float) -> bool:
        return self.stopped or (self.holder in ("staff", "responder") and self.due > at)

    def give(self, holder: str, at: float, seconds: float) -> None:
        most = max(self.clock_ends, at) + BEHIND_SECONDS
        stopped = holder in ("on_site", "freed", "abandoned")
        self.holder, self.since = holder, at
        self.due = at + seconds if stopped else min(at + seconds, most)

    def begin(self, at: float) -> None:
        """Everything from the beginning: the first step is told at once."""
        self.clock_ends = at + RESCUE_SECONDS
        self.goes = ""
        self.asked = set()
        self.give("ladder", at, 0.0)


def gaps(story: Story, day: Day) -> Iterator[Gap]:
    """Yield each time between two events."""
    duty, last = _Duty(), story.events[0]
    for event in story.events:
        if event is not last:
            yield Gap(last.kind, last.at, duty.due, event.at, event.kind)
        _follow(duty, event, story, day)
        last = event


def _follow(duty: _Duty, event: Event, story: Story, day: Day) -> None:
    at, name = event.at, str(event.facts.get("name", ""))
    if duty.holder == "abandoned" and event.kind in _RESUMING and not _ends(story.events, event):
        duty.begin(at)
    match event.kind:
        case "raised":
            duty.begin(at)
        case "joined":
            _joined(duty, event)
        case "step_told" | "to_be_dialled":
            again = bool(event.facts.get("again"))
            wait = LAST_SECONDS if again else LONGEST.steps[name]
            if not duty.stopped:
                duty.give("ladder", at, BEHIND_SECONDS if again and duty.goes else wait)
        case "answered" if duty.holder == "staff" or not duty.held(at):
            # By staff it was held for less than the longest wait, perhaps: whoever answers may have found it left.
            duty.give("staff", at, LONGEST.answered)
        case "dispatched":
            _dispatched(duty, at, name)
        case "on_the_way" if duty.holder != "on_site":
            _on_the_way(duty, event, name)
        case "cannot_come":
            duty.asked.discard(name)
            duty.goes = "" if duty.goes == name else duty.goes
        case "handed_on":
            duty.give("ladder", at, 0.0)
        case "on_site" | "freed":
            duty.give(event.kind, at, HALF_AN_HOUR)
        case "not_on_site":
            duty.goes = ""
            duty.give("ladder", at, 0.0)
        case "abandoned" if _stops(story.acts, event):
            duty.give("abandoned", at, HALF_AN_HOUR)
        case "reminded":
            duty.due = at + max(at - duty.since, HALF_AN_HOUR)
        case "overdue" if not duty.stopped:
            duty.due = min(duty.due, at)


def _joined(duty: _Duty, event: Event) -> None:
    """Somebody asks again: where all seemed over it begins anew, on site people look after it within three minutes."""
    overlong = duty.holder == "on_site" and event.at - duty.since > RESCUE_SECONDS
    if duty.holder in ("freed", "abandoned") or overlong:
        duty.begin(event.at)
    elif duty.holder == "on_site" and event.facts.get("source") in MACHINES:
        duty.due = min(duty.due, event.at + LONGEST.answered)


def _dispatched(duty: _Duty, at: float, name: str) -> None:
    duty.asked.add(name)
    if duty.holder == "on_site" or (duty.goes and duty.held(at)):
        return
    duty.goes = duty.goes if duty.goes == name else ""
    duty.give("staff", at, LONGEST.dispatched)


def _on_the_way(duty: _Duty, event: Event, name: str) -> None:
    arrives = event.facts.get("arrives_at")
    seconds = 2 * RESCUE_SECONDS
    if arrives is not None:
        shown = Day.instant(str(arrives))
        seconds = max(shown - event.ahead - event.at, 0.0) + BEHIND_SECONDS
    duty.goes = name
    duty.give("responder", event.at, seconds)


def _ends(events: Sequence[Event], event: Event) -> bool:
    """Tell whether an answer was only that of who frees everybody or closes the call: one act writes both then."""
    together = [each.kind for each in events if each.at == event.at and each.number > event.number]
    return event.kind == "answered" and together[:1] in (["closed"], ["freed"])


def _stops(acts: Sequence[Act], event: Event) -> bool:
    """Tell whether a call stood as taken back after ``event``, by what was answered to who took it back."""
    answers = [act for act in acts if act.name in ("abandon", "page abandon") and act.done and act.covers(event.at)]
    return all(act.answer.get("state") == "abandoned" for act in answers)


def is_late(gap: Gap, day: Day) -> bool:
    """Tell whether nothing followed for longer than people may be waited for."""
    return gap.ended > gap.due + day.slack(gap.due, gap.ended) + ROUNDED_SECONDS


def closes_in_alarm(events: Sequence[Event]) -> bool:
    """Tell whether the call was closed while the alarm of its car had not been ended."""
    alarm = False
    for event in events:
        if event.kind in ("raised", "joined") and event.facts.get("source") == "car_button":
            alarm = True
        elif event.kind == "alarm_ended":
            alarm = False
        elif event.kind == "closed":
            return alarm
    return False
