"""Limits against abuse: what they let through, what they refuse, and that they never stand in a first call's way."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emergency.throttle import REFUSED, Limits, Reason, Throttle, network_of

T0 = datetime(2026, 3, 1, 22, 15, tzinfo=UTC)
LIMITS = Limits(window=timedelta(minutes=60), per_point=2, per_address=3, repeats=2)


def minutes(count: float) -> datetime:
    return T0 + timedelta(minutes=count)


def test_a_call_of_a_point_that_was_quiet_is_a_first_call() -> None:
    throttle = Throttle(LIMITS)
    assert throttle.judge("a", "10.0.0.1", T0, open_call=False).reason is Reason.FIRST
    throttle.count("a", "10.0.0.1", T0, new=True)
    assert throttle.judge("a", "10.0.0.1", minutes(59.9), open_call=False).reason is Reason.WITHIN
    assert throttle.judge("a", "10.0.0.1", minutes(60), open_call=False).reason is Reason.FIRST


def test_a_point_beyond_its_limit_is_told_when_to_come_again() -> None:
    throttle = Throttle(LIMITS)
    for at in (0, 10):
        throttle.count("a", "", minutes(at), new=True)
    verdict = throttle.judge("a", "", minutes(15), open_call=False)
    assert (verdict.reason, verdict.admitted, verdict.retry_after) == (
        Reason.POINT_LIMIT,
        False,
        timedelta(minutes=45),
    )
    assert throttle.judge("a", "", minutes(15) + verdict.retry_after, open_call=False).admitted


def test_first_calls_do_not_count_towards_the_address_that_many_share() -> None:
    throttle = Throttle(LIMITS)
    for number in range(20):
        throttle.count(f"point {number}", "10.0.0.1", T0, new=True)
    assert throttle.judge("point 1", "10.0.0.1", minutes(1), open_call=False).reason is Reason.WITHIN


def test_an_address_beyond_its_limit_still_makes_first_calls() -> None:
    throttle = Throttle(LIMITS)
    for point in "aabbcc":
        throttle.count(point, "10.0.0.1", T0, new=True)
    throttle.count("d", "10.0.0.2", T0, new=True)
    verdict = throttle.judge("d", "10.0.0.1", minutes(1), open_call=False)
    assert (verdict.reason, verdict.retry_after) == (Reason.ADDRESS_LIMIT, timedelta(minutes=59))
    assert throttle.judge("e", "10.0.0.1", minutes(1), open_call=False).reason is Reason.FIRST
    assert throttle.judge("d", "10.0.0.2", minutes(1), open_call=False).reason is Reason.WITHIN


def test_taps_on_an_open_call_are_let_through_and_soon_no_longer_written_down() -> None:
    throttle = Throttle(LIMITS)
    reasons = []
    for second in range(4):
        now = T0 + timedelta(seconds=second)
        reasons.append(throttle.judge("a", "10.0.0.1", now, open_call=True).reason)
        if reasons[-1] is Reason.OPEN:
            throttle.count("a", "10.0.0.1", now, new=False)
    assert reasons == [Reason.OPEN, Reason.OPEN, Reason.REPEATED, Reason.REPEATED]
    assert throttle.judge("a", "10.0.0.1", minutes(1.1), open_call=True).reason is Reason.OPEN
    assert throttle.judge("a", "10.0.0.1", T0, open_call=False).reason is Reason.FIRST


def test_the_names_heard_of_longest_ago_are_forgotten_first() -> None:
    throttle = Throttle(LIMITS)
    for number in range(10_001):
        throttle.count(f"point {number}", "", T0, new=True)
    assert throttle.judge("point 0", "", T0, open_call=False).reason is Reason.FIRST
    assert throttle.judge("point 1", "", T0, open_call=False).reason is Reason.WITHIN


TAPS = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from(["", "10.0.0.1", "10.0.0.2"]), st.integers(-90, 90), st.booleans()
    )
)


def _played(taps: list[tuple[str, str, int, bool]]) -> list[tuple[str, str, datetime, bool, Reason, timedelta]]:
    """Return what became of taps some minutes apart; a clock that is set back is among them."""
    throttle, now, seen = Throttle(LIMITS), T0, []
    for point, address, later, open_call in taps:
        now += timedelta(minutes=later)
        verdict = throttle.judge(point, address, now, open_call=open_call)
        seen.append((point, address, now, open_call, verdict.reason, verdict.retry_after))
        if verdict.admitted and verdict.reason is not Reason.REPEATED:
            throttle.count(point, address, now, new=not open_call)
    return seen


@given(TAPS)
def test_no_first_call_and_no_repeat_is_ever_refused(taps: list[tuple[str, str, int, bool]]) -> None:
    seen = _played(taps)
    for index, (point, _, now, open_call, reason, _) in enumerate(seen):
        raised = [
            each
            for each in seen[:index]
            if each[0] == point and not each[3] and each[4] not in REFUSED and now - LIMITS.window < each[2] <= now
        ]
        if open_call or not raised:
            assert reason not in REFUSED


@given(TAPS)
def test_no_more_than_the_limit_is_raised_within_a_window(taps: list[tuple[str, str, int, bool]]) -> None:
    forward = [(point, address, abs(later), open_call) for point, address, later, open_call in taps]
    raised = [each for each in _played(forward) if not each[3] and each[4] not in REFUSED]
    for point, _, now, *_ in raised:
        within = [each for each in raised if each[0] == point and now - LIMITS.window < each[2] <= now]
        assert len(within) <= LIMITS.per_point


@given(TAPS)
def test_who_is_refused_waits_for_some_time_and_not_longer_than_the_window(
    taps: list[tuple[str, str, int, bool]],
) -> None:
    for *_, reason, retry_after in _played(taps):
        if reason in REFUSED:
            assert timedelta(0) < retry_after <= LIMITS.window
        else:
            assert retry_after == timedelta(0)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", ""),
        ("", ""),
        (None, ""),
    ],
    ids=["IPv4", "IPv4 in IPv6", "a home's IPv6", "with a zone", "no address", "empty", "none"],
)
def test_what_stands_for_a_callers_connection(host: str | None, expected: str) -> None:
    assert network_of(host) == expected
