"""Who is served next: a full car leaves those behind who do not fit."""

import pytest

from simulators.calls import Calls
from simulators.traffic import Passenger


def calls(*waiting: Passenger) -> Calls:
    of = Calls(floors=5, rated_load_kilograms=300.0)
    for passenger in waiting:
        of.wait(passenger)
    of.exchange(0)
    return of


def heavy(kilograms: float, origin: int = 0) -> Passenger:
    return Passenger(origin, 3, kilograms)


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        ([], None),
        ([heavy(70)], 3),
        ([heavy(120), heavy(120), heavy(100)], 3),
        ([heavy(120), heavy(70, origin=2)], 2),
        ([heavy(310)], None),
    ],
    ids=["nobody", "one rides", "the third does not fit", "somebody on the way", "too heavy for the empty car"],
)
def test_the_next_stop_from_the_ground_floor(waiting: list[Passenger], expected: int | None) -> None:
    assert calls(*waiting).next_stop(0) == expected


def test_the_door_opens_again_for_somebody_who_fits() -> None:
    of = calls(heavy(120), heavy(120))
    of.wait(heavy(60))
    assert of.next_stop(0) == 0
    of.exchange(0)
    assert (of.load_kilograms, of.next_stop(0)) == (300.0, 3)
