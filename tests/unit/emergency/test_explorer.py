"""Every way in which a call can go, up to a number of moves: what the person in the lift relies on holds in each.

States that differ only in names of instants are one: instants count from now. ``ANJU_TEST_CALL_MOVES`` explores deeper,
or less deep; each move more takes about eight times as long.
"""

import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import asdict, replace

from core.errors import Conflict
from emergency import acts, steps
from emergency.changes import LATE_AGAIN
from emergency.model import STOPPED, Call, CallEvent, CallState, Cause, Decision, EventKind, PageKind, Party, Source
from emergency.own_rules import OVERDUE
from emergency.steps import CallRequest
from storage.records.call_rebuilding import rebuilt
from tests.unit.emergency.calls import LIFT, RULES, T0, asked, columns_of

MOVES = int(os.environ.get("ANJU_TEST_CALL_MOVES", "5"))
AT_LEAST = {5: 100_000}
# Three steps are enough to have a first, a middle and a last one.
LADDER = replace(RULES, steps=(*RULES.steps[:2], replace(RULES.steps[2], dial=True)))
WAITS = (timedelta(seconds=61), timedelta(minutes=16), timedelta(minutes=46))


def doings(now: datetime) -> list[tuple[str, acts.Act]]:
    """Return what can be done, and by whom."""
    return [
        ("li", acts.Answer()),
        ("wang", acts.Answer()),
        ("li", acts.Dispatch("zhang", step=2)),
        ("zhang", acts.OnTheWay("zhang", now + timedelta(hours=2))),
        ("li", acts.OnTheWay("li")),
        ("zhang", acts.CannotCome("zhang")),
        ("li", acts.CannotCome("li")),
        ("zhang", acts.OnSite()),
        ("li", acts.NotOnSite()),
        ("li", acts.Freed()),
        ("r1", acts.Abandon("r1")),
        ("r2", acts.Join(Source.RESIDENT, "r2")),
        ("lift", acts.Join(Source.CAR_BUTTON, "a/1")),
        ("lift", acts.EndAlarm("code")),
        ("li", acts.Note("x")),
        ("li", acts.Dial("maintainer", "they come")),
        ("li", acts.Close(Cause.HUMAN)),
    ]


Move = str | tuple[str, acts.Act] | timedelta


def key_of(call: Call, now: datetime) -> bytes:
    """Return what tells ``call`` from others that stand another way."""

    def shown(value: Any) -> Any:
        if isinstance(value, datetime):
            return round((value - now).total_seconds())
        if isinstance(value, dict):
            return {name: shown(each) for name, each in value.items()}
        return [shown(each) for each in value] if isinstance(value, tuple | list) else value

    fields = asdict(replace(call, version=0, dialled=(), number=0, noted="", clock_from=None, rescue_from=None))
    for name in ("responsible", "responder", "timed", "stamps"):
        fields[name] = None if fields[name] is None else asdict(fields[name])
    del fields["place"], fields["caller"], fields["taken_back_before"]
    return msgspec.msgpack.encode(shown(fields))


def check(before: Call, move: Move, decided: Decision, now: datetime, newest: datetime) -> None:
    call = decided.call
    assert (call.responsible is None) == (not call.open), "an open call has somebody responsible"
    assert call.state is call.settled
    assert (call.next_at is None) == (not call.open)
    if call.responsible is not None and call.responsible.party is Party.LADDER:
        assert call.answered_by == "", "nobody holds it"
        assert call.state is not CallState.ABANDONED or call.responder is None
    instants = [newest, *(event.at for event in decided.events)]
    assert instants == sorted(instants), "the history runs backwards"
    assert all(at <= now for at in instants)
    if call.climb_at is not None and call.rescue_by is not None:
        assert call.climb_at <= max(call.rescue_by, now) + LATE_AGAIN, "nobody is waited for without end"
    if call.state is CallState.ON_THE_WAY:
        said = move[1] if isinstance(move, tuple) else None
        assert isinstance(said, acts.OnTheWay) or (before.responder and before.responder.on_the_way_at)
    if call.state in STOPPED:
        assert not [each for each in decided.tellings if each.kind is PageKind.OVERDUE]
    if not call.open:
        assert call.alerts == ()
        assert not call.alarm or call.stamps.alarm_ended is not None, "closed over an alarm"


def check_time(call: Call, decided: Decision, now: datetime) -> None:
    """After time was looked at, nothing is due, the clock is true, and whoever was told may answer."""
    assert call.next_at is None or call.next_at > now, "something due was left undone"
    if call.state not in STOPPED and call.rescue_by is not None and now >= call.rescue_by:
        assert call.stamps.overdue is not None
        assert OVERDUE in call.alerts
    kinds = [event.kind for event in decided.events]
    steps_told = {EventKind.STEP_TOLD, EventKind.TO_BE_DIALLED}
    if steps_told & {*kinds}:
        assert any(telling.kind is PageKind.CALL for telling in decided.tellings)
    if EventKind.OVERDUE in kinds:
        assert steps_told & {*kinds[kinds.index(EventKind.OVERDUE) :]}, "the ladder goes on at once"
    who = call.responsible
    if who is not None and who.party is Party.LADDER and call.state not in STOPPED:
        for actor in ("li", "wang"):
            answered = steps.act(call, acts.Answer(), actor, now, LADDER)
            assert answered is not None
            assert answered.call.answered_by == actor


def check_act(before: Call, actor: str, what: acts.Act, decided: Decision, now: datetime) -> None:
    """200 means that it is so."""
    call = decided.call
    match what:
        case acts.Answer():
            assert call.answered_by == actor
            assert call.state is not CallState.RINGING
        case acts.Dispatch() if call.state is not CallState.ON_SITE:
            assert call.responder is not None
            assert what.name in (call.responder.name, *call.further)
        case acts.OnTheWay() if call.state is not CallState.ON_SITE:
            assert call.state is CallState.ON_THE_WAY
            assert call.responder is not None
            assert call.responder.name == what.name
        case acts.CannotCome():
            assert call.responder is None or call.responder.name != what.name
        case acts.OnSite():
            assert call.state is CallState.ON_SITE
        case acts.Freed():
            assert call.state is CallState.FREED
        case acts.NotOnSite():
            assert any(telling.kind is PageKind.CALL for telling in decided.tellings)
        case acts.Join(source=Source.CAR_BUTTON):
            told = {telling.kind for telling in decided.tellings}
            assert before.state is CallState.RINGING or told & {PageKind.AGAIN, PageKind.CALL}
            assert call.alarm
    if not isinstance(what, acts.OnTheWay | acts.Dispatch | acts.NotOnSite):
        assert steps.act(call, what, actor, now, LADDER) is None, "done twice is done once"


def asked_by(history: Sequence[CallEvent]) -> set[str]:
    """Return who was asked to go, or said that they go, and has not declined since, in the last round."""
    asked = set[str]()
    for event in history:
        name = str(event.facts.get("name", ""))
        match event.kind:
            case EventKind.DISPATCHED | EventKind.ON_THE_WAY:
                asked.add(name)
            case EventKind.CANNOT_COME:
                asked.discard(name)
            case EventKind.STEP_TOLD if event.facts.get("step") == 1:
                asked.clear()
    return asked


def check_asked(before: Call, decided: Decision, history: Sequence[CallEvent]) -> None:
    """Who was asked and has not declined may be on their way to the lift: nothing that others do makes them forgotten.

    ``history`` is all that happened, what was decided now included.
    """
    call, by_history = decided.call, asked_by(history)
    if call.state not in (CallState.FREED, CallState.CLOSED):
        assert asked(call) == by_history, "who was asked is shown as asked, and nobody else is"
    if call.state is CallState.ABANDONED and before.state is not CallState.ABANDONED:
        assert not by_history, "taken back although somebody was asked to go"
    if by_history and call.state is CallState.CLOSED and before.state is not CallState.FREED:
        told = {step for each in decided.tellings if each.kind is PageKind.UPDATE for step in each.steps}
        assert told == {*before.due}, "who was asked is told of the closing"
    if asked(call) != asked(before):
        assert asked(rebuilt(columns_of(call), history, "cut off")) == asked(call), "a damaged record forgets nobody"


Node = tuple[Call, datetime, tuple[CallEvent, ...]]
"""A call, now, and one of the ways by which it came to stand so."""


def moves_from(call: Call, now: datetime, history: tuple[CallEvent, ...]) -> Iterator[Node]:
    """Yield every state one move away, checked."""
    newest = history[-1].at
    for actor, what in doings(now):
        try:
            decided = steps.act(call, what, actor, now, LADDER)
        except Conflict:
            continue
        if decided is not None:
            by_then = history + decided.events
            check(call, (actor, what), decided, now, newest)
            check_act(call, actor, what, decided, now)
            check_asked(call, decided, by_then)
            yield decided.call, now, by_then
    looked = steps.tick(call, now, LADDER)
    if looked is not None:
        by_then = history + looked.events
        check(call, "tick", looked, now, newest)
        check_time(looked.call, looked, now)
        check_asked(call, looked, by_then)
        yield looked.call, now, by_then
    for wait in WAITS:
        yield call, now + wait, history


@pytest.mark.timeout(3_600)
def test_whatever_happens_somebody_is_responsible() -> None:
    first = steps.raised(CallRequest(Source.RESIDENT, LIFT, ref="r1"), "c1", "caller", T0, LADDER)
    seen, edge, transitions = {key_of(first.call, T0)}, [(first.call, T0, first.events)], 0
    for _ in range(MOVES):
        further = []
        for node in edge:
            for then in moves_from(*node):
                transitions += 1
                key = key_of(then[0], then[1])
                if key not in seen:
                    seen.add(key)
                    further.append(then)
        edge = further
    print(f"{len(seen)} states, {transitions} transitions")
    assert len(seen) >= AT_LEAST.get(MOVES, 1)
