"""What memories gather, packed and read again."""

import pytest

from alerts.watches.windows import (
    DAY,
    SAMPLE,
    days_of,
    instants_of,
    known,
    mark_of,
    newest,
    pack_instants,
    pack_known,
    pack_standing,
    pack_values,
    samples_since,
    standing,
    value_then,
    values_of,
)

NOW = 1_786_690_800_000_001
"""Microseconds that take all the digits of an instant of today."""
WINDOW = b"".join(SAMPLE.pack(NOW + at, value) for at, value in ((0, 1.5), (10, 2.5), (20, 0.1)))


@pytest.mark.parametrize(
    ("since", "left"),
    [
        pytest.param(0, 3, id="all"),
        pytest.param(1, 2, id="without the first"),
        pytest.param(10, 2, id="what is at the instant stays"),
        pytest.param(20, 1, id="the last"),
        pytest.param(21, 0, id="none"),
    ],
)
def test_a_window_without_what_is_too_old(since: int, left: int) -> None:
    assert samples_since(WINDOW, NOW + since) == WINDOW[(3 - left) * SAMPLE.size :]


@pytest.mark.parametrize(("at", "value"), [(0, 1.5), (9, 1.5), (10, 2.5), (19, 2.5), (20, 0.1), (99, 0.1)])
def test_the_value_at_an_instant(at: int, value: float) -> None:
    assert value_then(WINDOW, NOW + at) == value


def test_the_newest_sample_is_exact_to_the_microsecond_and_the_last_digit() -> None:
    assert newest(WINDOW) == (NOW + 20, 0.1)


def test_what_is_packed_is_read_again() -> None:
    assert instants_of(pack_instants([NOW, 0])) == [NOW, 0]
    assert values_of(pack_values([0.1, -7.0])) == [0.1, -7.0]
    assert days_of(DAY.pack(20_679, 0.1) + DAY.pack(20_680, 3)) == [(20_679, 0.1), (20_680, 3.0)]
    assert known(pack_known({mark_of("b"): NOW, mark_of("a"): 1})) == {mark_of("b"): NOW, mark_of("a"): 1}
    assert list(standing(pack_standing({"b": NOW, "": 0}))) == ["b", ""]


def test_nothing_takes_nothing() -> None:
    assert (pack_instants([]), pack_values([]), pack_known({}), pack_standing({})) == (b"", b"", b"", b"")
    assert (instants_of(b""), values_of(b""), days_of(b""), known(b""), standing(b"")) == ([], [], [], {}, {})


def test_marks_tell_names_apart_and_are_the_same_after_a_restart() -> None:
    assert mark_of("gbt24476-2017\x1f1").hex() == "7f4998fc75ce7cc0"
    assert len({mark_of(f"code-{number}") for number in range(1_000)}) == 1_000
