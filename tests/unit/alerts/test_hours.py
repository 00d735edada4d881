"""A device beside its own past at the same hour of day: sun patches, and fires that are not learned."""

from collections.abc import Iterable

import msgspec
import pytest

from alerts.engine import Engine
from core.observations import Observation
from tests.unit.alerts.talk import CAMERA, Talk, rule, run, run_restarting, told

DAY, HOUR = 86_400, 3_600
BY_HOUR = (
    "{kind: compare, signal: maximum_celsius, past: 7d, by_hour: true, above_by: 15, clear: 10, at_least_days: 3, "
    "over: 3}"
)


def shed(talk: Talk, days: Iterable[int], sun: float, *, at: float = 6.0, long: float = 0.25) -> list[Observation]:
    """Return looks each two minutes at 20 °C, with the sun for ``long`` hours from hour ``at`` of each day on."""
    looks = [(day * DAY + 120 * look, 120 * look / HOUR) for day in days for look in range(720)]
    return [talk.camera(second, a=sun if at <= hour < at + long else 20.0) for second, hour in looks]


def burst(talk: Talk, day: int, at: float, celsius: float) -> list[Observation]:
    return [talk.camera(day * DAY + at * HOUR + 120 * look, a=celsius) for look in range(5)]


def test_sun_that_comes_at_the_same_hour_each_day_raises_nothing() -> None:
    talk = Talk()
    said = shed(talk, range(3), 45.0) + shed(talk, range(3, 8), 46.0)
    assert told(run([rule("thermal", BY_HOUR)], said)) == []


def test_the_same_warmth_at_another_hour_does() -> None:
    talk = Talk()
    said = shed(talk, range(3), 45.0) + burst(talk, 3, 14.0, 45.0)
    begins = 3 * DAY + 14 * HOUR
    expected = [(begins + 120, "firing")]
    assert told(run([rule("thermal", BY_HOUR)], said)) == expected
    assert told(run_restarting([rule("thermal", BY_HOUR)], said)) == expected


def test_what_is_hotter_than_the_sun_does_too_and_is_over_at_clear() -> None:
    talk = Talk()
    said = shed(talk, range(3), 45.0) + burst(talk, 3, 6.0, 61.0) + burst(talk, 3, 6.5, 54.0)
    begins = 3 * DAY + 6 * HOUR
    # The second look is the first whose median is hot.
    assert told(run([rule("thermal", BY_HOUR)], said)) == [(begins + 120, "firing"), (begins + 1920, "resolved")]


@pytest.mark.parametrize("at", [5.9, 6.9])
def test_sun_that_crosses_into_the_next_hour_raises_nothing(at: float) -> None:
    talk = Talk()
    said = shed(talk, range(4), 45.0, at=6.0, long=0.9) + shed(talk, [4], 45.0, at=at)
    assert told(run([rule("thermal", BY_HOUR)], said)) == []


def test_nothing_is_said_before_an_hour_is_learned() -> None:
    talk = Talk()
    assert told(run([rule("thermal", BY_HOUR)], shed(talk, range(2), 20.0) + burst(talk, 2, 14.0, 300.0))) == []


def test_until_learned_says_what_holds_before() -> None:
    learning = BY_HOUR.replace("over: 3", "over: 3, until_learned: true")
    hot = "{kind: threshold, signal: maximum_celsius, above: 46}"
    both = rule("thermal", f"{{kind: all_of, of: [{hot}, {learning}]}}")
    talk = Talk()
    before = shed(talk, range(2), 20.0) + burst(talk, 2, 14.0, 50.0)
    assert told(run([both], before)) == told(run_restarting([both], before)) == [(2 * DAY + 14 * HOUR, "firing")]
    talk = Talk()
    sunny = shed(talk, range(1), 44.0) + shed(talk, range(1, 3), 45.0) + shed(talk, range(3, 5), 50.0)
    assert told(run([both], sunny)) == []


def test_one_fire_is_hardly_learned_and_a_change_that_stays_is() -> None:
    talk = Talk()
    once = shed(talk, range(3), 20.0) + shed(talk, [3], 300.0) + shed(talk, [4], 42.0)
    starts = [at for at, kind in told(run([rule("thermal", BY_HOUR)], once)) if kind == "firing"]
    assert [int(at // DAY) for at in starts] == [3, 4]
    talk = Talk()
    stays = shed(talk, range(3), 20.0) + shed(talk, range(3, 12), 45.0)
    starts = [at for at, kind in told(run([rule("thermal", BY_HOUR)], stays)) if kind == "firing"]
    assert [int(at // DAY) for at in starts] == [3, 4, 5, 6]


def test_what_was_learned_is_forgotten_after_so_many_days_without_it() -> None:
    talk = Talk()
    said = shed(talk, range(3), 20.0) + burst(talk, 20, 14.0, 300.0)
    assert told(run([rule("thermal", BY_HOUR)], said)) == []


def test_what_is_kept_is_small() -> None:
    engine, talk = Engine([rule("thermal", BY_HOUR)]), Talk()
    for observation in shed(talk, range(9), 45.0):
        engine.observe(observation)
    state = engine.dirty()[CAMERA.path]
    assert state is not None
    assert len(state) < 600
    assert msgspec.msgpack.decode(state)


def test_below_compares_with_the_lowest_of_the_hour() -> None:
    talk = Talk()
    cold = BY_HOUR.replace("above_by: 15", "below_by: 15")
    said = shed(talk, range(3), 5.0) + burst(talk, 3, 6.0, 0.0) + burst(talk, 3, 14.0, 0.0)
    assert told(run([rule("thermal", cold)], said)) == [(3 * DAY + 14 * HOUR, "firing")]


def test_the_reason_tells_what_is_usual_at_this_hour() -> None:
    talk = Talk()
    (_, firing) = run([rule("thermal", BY_HOUR)], shed(talk, range(3), 45.0) + burst(talk, 3, 14.0, 45.0))
    assert firing.reason.code == "compare"
    assert firing.reason.zh == "区域 a：最高温度 45 °C，以往此时段最高约 20 °C"
    assert firing.reason.en == "region a: maximum temperature 45 °C, usually at most about 20 °C at this hour"
    assert firing.reason.facts["usual"] == 20.0
