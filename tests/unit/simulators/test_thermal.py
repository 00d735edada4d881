"""A shed's day through its camera, a battery's runaway by its stages, and the camera's own episodes."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.wire.payloads import Payload, Region, ThermalEvent, ThermalEventType, ThermalLevel, ThermalTelemetry
from simulators.episodes import EpisodeTracker
from simulators.fire import STAGES, burning, cooling
from simulators.gate import ForceOpen
from simulators.model import UnknownInputError
from simulators.thermal import Douse, Ignite
from tests.unit.simulators.driving import START, camera, drive


def looks(said: list[Payload]) -> list[ThermalTelemetry]:
    return [body for body in said if isinstance(body, ThermalTelemetry)]


def episodes(said: list[Payload]) -> list[ThermalEvent]:
    return [body for body in said if isinstance(body, ThermalEvent)]


def hottest(look: ThermalTelemetry, region: str = "row-a") -> float:
    return next(each.maximum_celsius for each in look.regions if each.region == region)


def ordered(region: Region) -> bool:
    assert region.minimum_celsius is not None
    assert region.average_celsius is not None
    return region.minimum_celsius <= region.average_celsius <= region.maximum_celsius


def test_a_quiet_day_stays_below_the_pre_alarm_and_follows_the_air() -> None:
    day = list(drive(camera(interval_seconds=30.0), 86_400))
    assert episodes(day) == []
    assert max(hottest(look) for look in looks(day)) < 40.0
    air = {(look.at + timedelta(hours=8)).hour: look.ambient_celsius for look in looks(day)}
    assert air[15] == pytest.approx(23.0, abs=0.3)
    assert air[3] == pytest.approx(13.0, abs=0.3)


def test_charging_warms_slowly() -> None:
    day = looks(list(drive(camera(interval_seconds=60.0), 86_400)))
    assert max(hottest(look) - (look.ambient_celsius or 0.0) for look in day) > 5.0
    # Below the 4 °C/min that fire panels call a fast rise, noise included.
    assert max(hottest(after) - hottest(before) for before, after in pairwise(day)) < 3.0


def test_every_look_is_in_order_and_in_the_picture() -> None:
    for look in looks(list(drive(camera(), 3_600, inputs={60.0: Ignite()}))):
        assert [region.region for region in look.regions] == ["row-a", "row-b"]
        assert all(ordered(region) for region in look.regions)
        assert all(region.hotspot is not None for region in look.regions)


@given(st.floats(-10.0, 45.0), st.floats(0.0, 900.0), st.floats(0.0, 900.0))
def test_a_fire_only_rises_until_its_peak(start: float, one: float, other: float) -> None:
    earlier, later = sorted((one, other))
    assert start <= burning(start, earlier) <= burning(start, later) + 1e-9
    assert burning(start, later) <= STAGES[-1].until_celsius


@given(st.floats(-10.0, 45.0), st.integers(0, 500))
def test_from_80_degrees_on_it_runs_away_by_the_criterion(start: float, second: int) -> None:
    here, next_second = burning(start, second), burning(start, second + 1)
    if here >= 80.0 and next_second < STAGES[-1].until_celsius:
        # GB 38031: 1 °C/s and more.
        assert next_second - here >= 1.0 - 1e-9


@pytest.mark.parametrize(("name", "ends_celsius"), [("sei", 120.0), ("separator", 160.0), ("venting", 200.0)])
def test_the_stages_end_where_the_source_says(name: str, ends_celsius: float) -> None:
    assert {stage.name: stage.until_celsius for stage in STAGES}[name] == ends_celsius


def test_a_doused_pack_cools_to_the_air() -> None:
    assert cooling(600.0, 20.0, 0.0) == 600.0
    assert cooling(600.0, 20.0, 1_000.0) == pytest.approx(20.0, abs=0.1)


def test_a_fire_raises_both_episodes_and_they_end_after_it() -> None:
    said = list(drive(camera(), 1_200, inputs={60.0: Ignite("row-b"), 480.0: Douse()}))
    events = episodes(said)
    assert {event.region for event in events} == {"row-b"}
    for level, threshold in ((ThermalLevel.PRE_ALARM, 46.0), (ThermalLevel.ALARM, 56.0)):
        own = [event for event in events if event.level is level]
        assert len({event.episode for event in own}) == 1
        assert own[0].type is ThermalEventType.EPISODE_STARTED
        assert own[-1].type is ThermalEventType.EPISODE_ENDED
        assert {event.type for event in own[1:-1]} == {ThermalEventType.EPISODE_UPDATED}
        assert (own[0].temperature_celsius or 0.0) >= threshold
    assert max(hottest(look, "row-b") for look in looks(said)) > 200.0
    assert max(hottest(look, "row-a") for look in looks(said)) < 40.0


@pytest.mark.parametrize(
    ("celsius", "expected"),
    [
        ([50.0, 20.0, 50.0, 20.0], []),
        ([50.0, 50.0, 50.0], [(1, "episode_started")]),
        ([50.0, 50.0, 44.0, 44.0, 44.0, 44.0], [(1, "episode_started")]),
        ([50.0, 50.0, 20.0, 20.0, 20.0], [(1, "episode_started"), (4, "episode_ended")]),
        ([50.0] * 8, [(1, "episode_started"), (6, "episode_updated")]),
    ],
    ids=[
        "a blink is none",
        "starts after the dwell",
        "hysteresis keeps it",
        "ends after quiet",
        "updates while it lasts",
    ],
)
def test_episodes(celsius: list[float], expected: list[tuple[int, str]]) -> None:
    tracker = EpisodeTracker("row-a", ThermalLevel.PRE_ALARM, 46.0)
    said = [tracker.look(START + timedelta(seconds=2 * index), value) for index, value in enumerate(celsius)]
    assert [(index, event.type.value) for index, event in enumerate(said) if event is not None] == expected


def test_a_second_episode_has_an_id_of_its_own() -> None:
    said = episodes(list(drive(camera(), 2_400, inputs={60.0: Ignite(), 300.0: Douse(), 1200.0: Ignite()})))
    started = [event for event in said if event.type is ThermalEventType.EPISODE_STARTED]
    assert len({event.episode for event in started}) == len(started) == 4


def test_the_same_seed_says_the_same_and_another_does_not() -> None:
    said = [list(drive(camera(seed), 600)) for seed in (1, 1, 2)]
    assert said[0] == said[1]
    assert said[0] != said[2]


def test_an_input_of_another_device_is_refused() -> None:
    with pytest.raises(UnknownInputError, match="ForceOpen"):
        camera().step(START, [ForceOpen()])
