"""Pauses and lifetimes, and how one receiver stands between deliveries."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.dispatch.model import Purpose
from alerts.notify.lane import Lane, Pace
from alerts.notify.patience import LIFETIMES, Patience
from tests.unit.alerts.notify.intents import START, after, entry

PATIENCE = Patience()


@pytest.mark.parametrize(
    ("failures", "chance", "asked", "seconds"),
    [
        (1, 0.0, None, 1),
        (2, 0.0, None, 2),
        (4, 0.0, None, 8),
        (4, 1.0, None, 4),
        (9, 0.0, None, 256),
        (10, 0.0, None, 300),
        (10_000, 0.0, None, 300),
        (1, 0.0, 0.0, 1),
        (1, 1.0, 20.0, 20),
        (10, 0.0, 20.0, 300),
        (1, 0.0, 1e300, 900),
    ],
)
def test_pauses_double_up_to_five_minutes_and_keep_to_what_is_asked(
    failures: int, chance: float, asked: float | None, seconds: float
) -> None:
    assert PATIENCE.pause(failures, chance, asked) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("failures", "asked", "seconds"), [(1, None, 1), (30, None, 10), (1, 20.0, 20), (1, 900.0, 60)]
)
def test_for_a_call_pauses_stay_short(failures: int, asked: float | None, seconds: float) -> None:
    assert PATIENCE.pause(failures, 0.0, asked, calls=True) == timedelta(seconds=seconds)


def test_every_purpose_has_an_end() -> None:
    assert LIFETIMES.keys() == set(Purpose)
    assert LIFETIMES[Purpose.RESOLVED] == max(LIFETIMES.values())


@pytest.mark.parametrize("purpose", Purpose)
def test_a_message_is_tried_for_its_lifetime(purpose: Purpose) -> None:
    lifetime = LIFETIMES[purpose].total_seconds()
    assert not PATIENCE.is_over(entry(purpose=purpose), after(lifetime))
    assert PATIENCE.is_over(entry(purpose=purpose), after(lifetime + 1))


def lane(slots: int = 2, per_minute: int | None = None) -> Lane:
    made = Lane(slots)
    made.use("channel", per_minute)
    return made


def test_no_more_than_its_slots_are_on_their_way() -> None:
    one = lane(2)
    one.begin(START)
    assert one.may_begin(START)
    one.begin(START)
    assert not one.may_begin(START)
    one.end()
    assert one.may_begin(START)


def test_after_a_failure_it_rests_and_is_then_tried_with_one() -> None:
    one = lane(2)
    one.begin(START)
    one.fail(START, timedelta(seconds=3))
    one.end()
    assert not one.may_begin(after(2))
    assert one.may_begin(after(3))
    one.begin(after(3))
    assert not one.may_begin(after(3))
    one.recover()
    assert one.may_begin(after(3))


def test_what_fails_side_by_side_is_one_outage() -> None:
    one = lane(4)
    for _ in range(4):
        one.begin(START)
    for _ in range(4):
        one.fail(after(1), timedelta(seconds=2))
        one.end()
    assert one.failures == 1
    one.fail(after(4), timedelta(seconds=2))
    assert (one.failures, one.failing_since) == (2, after(1))


def test_another_channel_begins_anew() -> None:
    one = lane(2, per_minute=1)
    one.begin(START)
    one.end()
    one.fail(START, timedelta(minutes=5))
    one.use("channel", 1)
    assert not one.may_begin(after(1))
    one.use("another", 1)
    assert one.may_begin(after(1))


@pytest.mark.parametrize(
    ("attempts", "own_failures", "poisoned"),
    [(10, 3, True), (50, 7, True), (9, 9, False), (10, 2, False), (10_000, 0, False)],
)
def test_a_message_is_poisoned_after_many_attempts_some_of_them_its_own_failures(
    attempts: int, own_failures: int, poisoned: bool
) -> None:
    assert PATIENCE.is_poisoned(attempts, own_failures) is poisoned


def test_a_failure_is_the_messages_own_only_where_another_was_taken_since_the_one_before() -> None:
    one = lane()
    one.take(8)
    doubts = []
    for takes in (0, 1, 0, 2, 0, 1):
        for _ in range(takes):
            one.take(9)
        doubts.append(one.doubt(7))
    assert doubts == [0, 1, 0, 2, 0, 3]


def test_each_message_is_doubted_by_itself_and_anew_after_it_ended_or_over_another_channel() -> None:
    one = lane()
    for number in (1, 2, 3):
        one.doubt(number)
    one.take(3)
    assert (one.doubt(1), one.doubt(3)) == (1, 0)
    one.forget(1)
    one.take(4)
    assert (one.doubt(1), one.doubt(2)) == (0, 1)
    one.use("another", None)
    one.take(5)
    assert one.doubt(2) == 0


@given(st.integers(1, 12), st.lists(st.tuples(st.floats(0, 30), st.booleans()), min_size=1, max_size=60))
def test_both_lanes_of_a_receiver_keep_to_its_pace_together(per_minute: int, gaps: list[tuple[float, bool]]) -> None:
    pace, now, begun = Pace(), START, []
    lanes = {calls: Lane(100, pace, calls=calls) for calls in (False, True)}
    for one in lanes.values():
        one.use("channel", per_minute)
    for gap, calls in gaps:
        now += timedelta(seconds=gap)
        if lanes[calls].may_begin(now):
            lanes[calls].begin(now)
            begun.append((now, calls))
    for first, _ in begun:
        within = [calls for at, calls in begun if first <= at < first + timedelta(minutes=1)]
        assert len(within) <= per_minute
        assert within.count(False) <= per_minute - per_minute // 5


@given(st.integers(1, 5), st.lists(st.floats(0, 30), min_size=1, max_size=40))
def test_within_any_minute_no_more_leave_than_the_receiver_takes(per_minute: int, gaps: list[float]) -> None:
    one, now, begun = lane(100, per_minute), START, []
    for gap in gaps:
        now += timedelta(seconds=gap)
        if one.may_begin(now):
            one.begin(now)
            begun.append(now)
    for first in begun:
        assert len([at for at in begun if first <= at < first + timedelta(minutes=1)]) <= per_minute
