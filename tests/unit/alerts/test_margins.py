"""Thresholds beside another signal of the same device."""

from collections.abc import Sequence

import pytest

from core.observations import Observation
from core.wire.payloads import Region, ThermalTelemetry
from tests.unit.alerts.talk import CAMERA, Talk, instant, rule, run, run_restarting, told

Said = list[tuple[float, str]]
Look = tuple[float, float | None]
"""The maximum of the region, the ambient temperature."""
WARM = "{kind: threshold, signal: maximum_celsius, above: {signal: ambient_celsius, plus: 25}"
KNOWN_ONLY = f"{WARM}}}"
OTHERWISE = f"{WARM[:-1]}, otherwise: 56}}, clear: {{signal: ambient_celsius, plus: 20, otherwise: 53}}}}"


def look(at: float, maximum: float, ambient: float | None) -> Observation:
    regions = [Region(region="a", maximum_celsius=maximum)]
    return Talk().say(at, CAMERA, ThermalTelemetry(at=instant(at), regions=regions, ambient_celsius=ambient))


@pytest.mark.parametrize(
    ("condition", "looks", "expected"),
    [
        pytest.param(KNOWN_ONLY, [(55.0, 35.0)], [], id="a hot day"),
        pytest.param(KNOWN_ONLY, [(55.0, 20.0)], [(0, "firing")], id="a cool one"),
        pytest.param(KNOWN_ONLY, [(45.0, 20.0)], [], id="above means more than"),
        pytest.param(KNOWN_ONLY, [(300.0, None)], [], id="never sent says nothing"),
        pytest.param(KNOWN_ONLY, [(20.0, 20.0), (55.0, None)], [(1, "firing")], id="the newest known counts"),
        pytest.param(KNOWN_ONLY, [(55.0, 20.0), (55.0, 35.0)], [(0, "firing"), (1, "resolved")], id="it grows warm"),
        pytest.param(OTHERWISE, [(57.0, None)], [(0, "firing")], id="what stands for it"),
        pytest.param(OTHERWISE, [(57.0, None), (54.0, None)], [(0, "firing")], id="what stands for its clear"),
        pytest.param(OTHERWISE, [(57.0, None), (57.0, 40.0)], [(0, "firing"), (1, "resolved")], id="until it is sent"),
        pytest.param(
            OTHERWISE, [(50.0, 20.0), (41.0, 20.0), (40.0, 20.0)], [(0, "firing"), (2, "resolved")], id="clear"
        ),
    ],
)
def test_a_limit_that_is_a_signal(condition: str, looks: Sequence[Look], expected: Said) -> None:
    said = [look(at, *temperatures) for at, temperatures in enumerate(looks)]
    assert told(run([rule("thermal", condition)], said)) == expected
    assert told(run_restarting([rule("thermal", condition)], said)) == expected


def test_both_may_come_in_different_messages() -> None:
    talk = Talk()
    high = rule("elevator", "{kind: threshold, signal: load_kilograms, above: {signal: trip_count}, median_of: 3}")
    said = [talk.lift(at, load_kilograms=50.0) for at in range(3)]
    said += [talk.lift(3, trip_count=40), talk.lift(4, door_state="open"), talk.lift(5, trip_count=60)]
    assert told(run([high], said)) == told(run_restarting([high], said)) == [(3, "firing"), (5, "resolved")]


def test_below_with_times_and_confirm() -> None:
    talk = Talk()
    below = "below: {signal: trip_count, times: 2}, clear: {signal: trip_count, times: 3}"
    low = rule("elevator", f"{{kind: threshold, signal: load_kilograms, {below}, confirm: 5s}}")
    pairs = [(0, 19.0, 10), (3, 21.0, 10), (10, 29.0, 15), (30, 44.0, 15), (40, 46.0, 15)]
    said = [talk.lift(at, load_kilograms=load, trip_count=trips) for at, load, trips in pairs]
    assert told(run([low], said, until=100)) == [(5, "firing"), (45, "resolved")]
    assert told(run_restarting([low], said, until=100)) == [(5, "firing"), (45, "resolved")]


def test_the_median_of_the_one_beside_the_newest_of_the_other() -> None:
    steady = rule("thermal", KNOWN_ONLY.replace("}}", "}, median_of: 3}"))
    looks: list[Look]
    looks = [(20.0, 15.0), (20.0, None), (300.0, None), (20.0, None), (20.0, None), (50.0, None), (50.0, None)]
    looks += [(50.0, 30.0)]
    said = [look(at, *temperatures) for at, temperatures in enumerate(looks)]
    assert told(run([steady], said)) == [(6, "firing"), (7, "resolved")]


def test_the_reason_tells_both() -> None:
    (_, firing) = run([rule("thermal", OTHERWISE)], [look(0, 55.0, 20.0)])
    assert firing.reason.zh == "区域 a：最高温度 55 °C（环境温度 20 °C）"
    assert firing.reason.en == "region a: maximum temperature 55 °C (ambient temperature 20 °C)"
    assert firing.reason.facts["ambient_celsius"] == 20.0
    (_, firing) = run([rule("thermal", OTHERWISE)], [look(0, 57.0, None)])
    assert firing.reason.zh == "区域 a：最高温度 57 °C（环境温度未上报）"
    assert firing.reason.en == "region a: maximum temperature 57 °C (ambient temperature never sent)"
    assert "ambient_celsius" not in firing.reason.facts
