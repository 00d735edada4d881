"""Any number of calls under any acts, ticks, restarts and failures: what must hold of them, whatever happens."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from core.errors import Conflict, TemporaryError
from emergency import acts
from emergency.model import Call, CallFilter, CallState, Cause, EventKind, Party, Place, Source
from emergency.steps import CallRequest
from tests.unit.emergency.boards import Board
from tests.unit.emergency.calls import plan

_T = TypeVar("_T")
LIFTS = [Place("willow-court", f"willow-court/elevator/lift-{index}") for index in range(3)]
SOURCES = st.sampled_from([Source.RESIDENT, Source.APP, Source.CAR_BUTTON, Source.ALERT, Source.STAFF])
STEPS = 5
# What each act makes of each state, by the book; what is missing is refused. The machine is compared with it.
COMING = {CallState.RINGING, CallState.ANSWERED, CallState.DISPATCHED, CallState.ON_THE_WAY}
UNFINISHED = COMING | {CallState.ABANDONED, CallState.ON_SITE}
SENT = {CallState.DISPATCHED, CallState.ON_THE_WAY, CallState.ON_SITE}
GOING = {CallState.ON_THE_WAY, CallState.ON_SITE}
ACTS: dict[str, tuple[acts.Act, set[CallState], set[CallState]]] = {
    "dispatch": (acts.Dispatch("zhang"), UNFINISHED, SENT),
    "dispatch another": (acts.Dispatch("chen"), UNFINISHED, SENT),
    "on the way": (acts.OnTheWay("zhang"), UNFINISHED, GOING),
    "another sets out": (acts.OnTheWay("chen"), UNFINISHED, GOING),
    "cannot come": (acts.CannotCome("zhang"), COMING, COMING),
    "another cannot come": (acts.CannotCome("chen"), COMING, COMING),
    "on site": (acts.OnSite(), UNFINISHED, {CallState.ON_SITE}),
    "not on site": (acts.NotOnSite(), {CallState.ON_SITE}, {CallState.RINGING}),
    "freed": (acts.Freed(), UNFINISHED | {CallState.FREED}, {CallState.FREED}),
    "note": (acts.Note("shouting heard"), UNFINISHED | {CallState.FREED}, UNFINISHED | {CallState.FREED}),
}


class Calls(RuleBasedStateMachine):
    """Calls at three lifts, done to by people who know nothing of each other."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Board()
        # One loop for all steps: making one for each takes longer than the steps.
        self.runner = asyncio.Runner()
        self.keys = 0
        self.gone: dict[str, Call] = {}

    def teardown(self) -> None:
        self.runner.close()

    def does(self, doing: Coroutine[Any, Any, _T]) -> _T | None:
        """Do it, again where the records fail; ``None`` where it is refused."""

        async def trying() -> _T | None:
            try:
                return await doing
            except Conflict:
                return None

        return self.runner.run(trying())

    def all(self) -> list[Call]:
        return self.runner.run(self.board.records.calls(CallFilter(), None, 1_000))

    def chosen(self, number: int) -> Call:
        calls = self.all()
        return calls[number % len(calls)]

    @rule(lift=st.sampled_from(LIFTS), source=SOURCES, again=st.booleans())
    def somebody_calls(self, lift: Place, source: Source, again: bool) -> None:
        self.keys += not again or not self.keys
        key = f"k{self.keys}-{lift.lift}"
        request = CallRequest(source, lift, ref=f"ref-{self.keys}")
        there = [call for call in self.all() if call.open and call.place == lift]
        called = self.does(self.board.switchboard.raise_call(request, "somebody", key=key))
        assert called is not None
        call, new = called
        assert not (new and there)
        assert call.place == lift

    @precondition(lambda self: self.all())
    @rule(number=st.integers(0, 99), name=st.sampled_from(sorted(ACTS)), actor=st.sampled_from(["li", "wang"]))
    def somebody_acts(self, number: int, name: str, actor: str) -> None:
        before = self.chosen(number)
        what, states, expected = ACTS[name]
        after = self.does(self.board.switchboard.act(before.id, what, actor))
        assert (after is not None) == (before.state in states), f"{name} in {before.state}"
        assert after is None or after.state in expected

    @precondition(lambda self: self.all())
    @rule(number=st.integers(0, 99), minutes=st.sampled_from([-525_600, -10, 0, 5, 29, 120, 1_439, 1_441, 525_600]))
    def somebody_says_when_they_come(self, number: int, minutes: int) -> None:
        before = self.chosen(number)
        arrives_at = self.board.clock.now() + timedelta(minutes=minutes)
        after = self.does(self.board.switchboard.act(before.id, acts.OnTheWay("zhang", arrives_at), "zhang"))
        assert (after is not None) == (before.state in UNFINISHED and minutes <= 1_440)

    @rule(contacts=st.integers(1, STEPS))
    def somebody_changes_the_plan(self, contacts: int) -> None:
        ladder = plan().ladders[0]
        self.board.plan = replace(plan(), ladders=[replace(ladder, steps=ladder.steps[:contacts])])

    @precondition(lambda self: self.all())
    @rule(number=st.integers(0, 99), actor=st.sampled_from(["li", "wang"]))
    def somebody_answers(self, number: int, actor: str) -> None:
        before = self.chosen(number)
        after = self.does(self.board.switchboard.act(before.id, acts.Answer(), actor))
        who, now = before.responsible, self.board.clock.steady()
        taken = who is not None and who.party is Party.STAFF and who.until > now
        # Who answered it before, and says so again, has answered it, whoever has sent somebody since.
        taken = taken and actor not in (before.answered_by, who.name if who else "")
        over = before.state in (CallState.FREED, CallState.CLOSED)
        assert (after is None) == (over or taken)
        assert after is None or after.answered_by == actor

    @precondition(lambda self: self.all())
    @rule(number=st.integers(0, 99))
    def the_caller_takes_it_back(self, number: int) -> None:
        before = self.chosen(number)
        after = self.does(self.board.switchboard.act(before.id, acts.Abandon(), "caller"))
        people = len(before.callers) + (before.source is not Source.RESIDENT)
        others = before.alarm or before.joined or people > 1
        if others or before.source in (Source.CAR_BUTTON, Source.ALERT):
            # A hold that ended meanwhile has rung again by then.
            assert after is None or after.state in {before.state, CallState.RINGING}

    @precondition(lambda self: self.all())
    @rule(number=st.integers(0, 99), ended=st.booleans())
    def somebody_closes(self, number: int, ended: bool) -> None:
        before = self.chosen(number)
        if ended:
            self.does(self.board.switchboard.act(before.id, acts.EndAlarm("code"), "li"))
        after = self.does(self.board.switchboard.act(before.id, acts.Close(Cause.OTHER), "li"))
        if before.open and before.state is CallState.RINGING and before.stamps.answered is None:
            assert after is None
        if after is not None and before.open:
            assert not after.alarm or after.stamps.alarm_ended is not None

    @rule(seconds=st.sampled_from([1, 10, 29, 30, 31, 60, 200, 899, 901, 1800, 7200]))
    def time_passes(self, seconds: int) -> None:
        self.board.clock.advance(timedelta(seconds=seconds))

    @rule(hours=st.sampled_from([-2, -1, 1, 2]))
    def somebody_sets_the_wall_clock(self, hours: int) -> None:
        now = self.board.clock.steady()
        waiting = {call.id: call for call in self.all() if call.next_at is None or call.next_at > now}
        self.board.clock.jump(timedelta(hours=hours))
        self.somebody_looks()
        # No time has passed: what was not due before is not due now.
        assert waiting == {call.id: call for call in self.all() if call.id in waiting}

    @rule()
    def somebody_looks(self) -> None:
        self.runner.run(self.board.switchboard.tick())
        assert not self.due()

    def due(self) -> bool:
        now = self.board.clock.steady()
        return any(call.next_at is not None and call.next_at <= now for call in self.all())

    @precondition(lambda self: self.due())
    @rule(stored=st.booleans())
    def a_process_dies_while_it_looks(self, stored: bool) -> None:
        self.board.records.fail(times=1, stored=stored)
        with pytest.raises(TemporaryError):
            self.runner.run(self.board.switchboard.tick())
        self.board.restart()

    @invariant()
    def one_call_is_open_at_a_place(self) -> None:
        places = [call.place.lift for call in self.all() if call.open]
        assert len(places) == len(set(places))

    @invariant()
    def nobody_who_rings_is_forgotten(self) -> None:
        for call in self.all():
            assert (call.responsible is None) == (not call.open)
            assert (call.next_at is None) == (not call.open)
            assert call.state is call.settled

    @invariant()
    def nobody_waits_longer_than_the_clock_and_the_ladder_say(self) -> None:
        now = self.board.clock.steady()
        for call in self.all():
            if call.climb_at is not None:
                assert call.rescue_by is not None
                assert call.climb_at <= max(call.rescue_by, now) + timedelta(minutes=5)

    @invariant()
    def every_step_is_told_in_order_once_in_each_round(self) -> None:
        for call in self.all():
            expected = 1
            for row in self.runner.run(self.board.records.events(call.id)):
                step = row.event.facts.get("step") if row.event.kind is EventKind.STEP_TOLD else None
                if step is None:
                    continue
                # A round begins anew where somebody asked again after all seemed over.
                assert step in (expected, 1)
                expected = int(step) + 1
            assert call.told == expected - 1

    @invariant()
    def every_page_is_one_row(self) -> None:
        ids = Counter(entry.intent.id for entry in self.board.records.desk.outbox.entries)
        assert not [each for each, count in ids.items() if count > 1]

    @invariant()
    def every_step_told_has_its_page(self) -> None:
        for commit in self.board.records.commits:
            told = [event for event in commit.events if event.kind is EventKind.STEP_TOLD]
            names = {str(event.facts["name"]) for event in told if "name" in event.facts}
            assert names <= {page.receiver for page in commit.pages}

    @invariant()
    def own_alerts_stand_as_the_calls_do(self) -> None:
        firing: Counter[tuple[str, str]] = Counter()
        for commit in self.board.records.commits:
            for alert in commit.alerts:
                firing[alert.rule, alert.device] += 1 if alert.firing else -1
        expected = Counter((each, call.place.lift) for call in self.all() for each in call.alerts)
        assert +firing == expected

    @invariant()
    def what_is_closed_stays_as_it_is(self) -> None:
        for call in self.all():
            if call.state is CallState.CLOSED:
                assert self.gone.setdefault(call.id, call) == call
                assert call.alerts == ()


Calls.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestCalls = Calls.TestCase
