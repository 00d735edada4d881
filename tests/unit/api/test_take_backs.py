"""Who took calls back lately: counted by code, network and phone, for an hour."""

from datetime import UTC, datetime, timedelta

import pytest

from api.take_backs import TakeBacks, Tapper, network_of
from emergency.model import TakenBack

T0 = datetime(2026, 3, 1, 22, 15, tzinfo=UTC)
PLAYER = Tapper("p1", "net-1", "page-1")


def test_take_backs_are_counted_by_everything_known_of_who_taps() -> None:
    kept = TakeBacks()
    for minute in range(6):
        kept.add(PLAYER, T0 + timedelta(minutes=minute))
    now = T0 + timedelta(minutes=6)
    assert kept.before(PLAYER, now) == TakenBack(6, 6, 6)
    assert kept.before(Tapper("p1", "net-2", "page-2"), now) == TakenBack(code=6)
    assert kept.before(Tapper("p2", "net-1", ""), now) == TakenBack(network=6)
    assert kept.before(Tapper("p2", "", ""), now) == TakenBack()


def test_after_an_hour_they_count_no_more_nor_from_a_future_that_a_clock_had() -> None:
    kept = TakeBacks()
    kept.add(PLAYER, T0)
    assert kept.before(PLAYER, T0 + timedelta(minutes=59)) == TakenBack(1, 1, 1)
    assert kept.before(PLAYER, T0 + timedelta(minutes=60)) == TakenBack()
    assert kept.before(PLAYER, T0 - timedelta(seconds=1)) == TakenBack()


def test_memory_is_bounded_and_those_heard_of_longest_ago_are_forgotten_first() -> None:
    kept = TakeBacks()
    for number in range(10_001):
        kept.add(Tapper(f"p{number}", "", ""), T0)
    assert kept.before(Tapper("p0", "", ""), T0) == TakenBack()
    assert kept.before(Tapper("p1", "", ""), T0) == TakenBack(code=1)
    for _ in range(1_000):
        kept.add(PLAYER, T0)
    assert kept.before(PLAYER, T0).code == 100


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
