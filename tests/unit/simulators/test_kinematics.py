"""Rides obey the laws of motion."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.kinematics import Motion, brake, travel

heights = st.floats(min_value=0.0, max_value=100.0)
rated = st.floats(min_value=0.5, max_value=2.5)
accelerations = st.floats(min_value=0.3, max_value=1.5)


def samples(motion: Motion) -> list[tuple[float, float]]:
    return [motion.at(motion.seconds * share / 200) for share in range(201)]


@given(heights, heights, rated, accelerations)
def test_a_ride_keeps_to_speed_and_acceleration_and_ends_at_its_level(
    start: float, end: float, rated_mps: float, acceleration: float
) -> None:
    motion = travel(start, end, rated_mps=rated_mps, acceleration_mps2=acceleration)
    step = motion.seconds / 200
    path = samples(motion)
    assert path[0] == (start, 0.0)
    assert list(path[-1]) == pytest.approx([end, 0.0], abs=1e-6)
    for (here, slower), (there, faster) in pairwise(path):
        assert abs(faster) <= rated_mps + 1e-9
        assert abs(faster - slower) <= acceleration * step + 1e-9
        assert abs(there - here) <= rated_mps * step + 1e-9


@given(heights, heights, rated, accelerations)
def test_a_ride_never_turns_round(start: float, end: float, rated_mps: float, acceleration: float) -> None:
    path = samples(travel(start, end, rated_mps=rated_mps, acceleration_mps2=acceleration))
    sign = 1 if end >= start else -1
    assert all(sign * velocity >= -1e-9 for _, velocity in path)


def test_a_long_ride_takes_the_time_of_the_textbook() -> None:
    # 10 m at 1 m/s and 0.5 m/s²: 2 s and 1 m to speed up, the same to slow down, 8 m of cruise.
    assert travel(0.0, 10.0, rated_mps=1.0, acceleration_mps2=0.5).seconds == pytest.approx(12.0)


def test_a_short_ride_never_reaches_rated_speed() -> None:
    motion = travel(3.0, 2.0, rated_mps=1.75, acceleration_mps2=1.0)
    assert list(motion.at(motion.seconds / 2)) == pytest.approx([2.5, -1.0])


def test_braking_ends_at_rest_after_the_braking_distance() -> None:
    motion = brake(5.0, -1.0, deceleration_mps2=1.0)
    assert list(motion.at(motion.seconds)) == pytest.approx([4.5, 0.0])
