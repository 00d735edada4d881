"""Points back to observations: what was said comes back as it was, and what cannot have been said is passed over."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.devices import Channel, DeviceKey, DeviceKind
from core.observations import Observation
from core.telemetry import Point, Sample, Series
from core.wire.payloads import (
    Body,
    ElevatorEvent,
    ElevatorEventType,
    ElevatorTelemetry,
    GateEvent,
    GateEventType,
    GatewayEvent,
    GatewayEventType,
    Presence,
    PresenceStatus,
    Region,
    ThermalEvent,
    ThermalEventType,
    ThermalLevel,
    ThermalTelemetry,
)
from ingest.points import points_of
from ingest.recall import families_of, observations_of

AT = datetime(2026, 8, 14, 7, 0, 0, 250_000, tzinfo=UTC)
LIFT = DeviceKey("demo", DeviceKind.ELEVATOR, "lift-1")


def series_of(points: Iterable[Point]) -> list[Series]:
    """Return points as a store gives them back."""
    samples: defaultdict[tuple[str, str, str], list[Sample]] = defaultdict(list)
    for point in points:
        for signal, value in point.values.items():
            samples[point.family, point.part, signal].append(Sample(point.at_nanoseconds, value))
    return [Series(*key, found) for key, found in sorted(samples.items())]


def said(kind: DeviceKind, channel: Channel, body: Body, **more: Any) -> Observation:
    return Observation(0, DeviceKey("demo", kind, "one"), channel, body.at, body.at, body, 7, **more)


CASES = {
    "a lift's reading": said(
        DeviceKind.ELEVATOR,
        Channel.TELEMETRY,
        ElevatorTelemetry(at=AT, seq=3, floor="B1", speed_mps=1.5, door_zone=False, trip_count=9),
    ),
    "a lift's floors": said(
        DeviceKind.ELEVATOR,
        Channel.TELEMETRY,
        ElevatorTelemetry(at=AT, car_calls=["7", "B1"], landing_doors_open=[], motor_celsius=60.5),
    ),
    "smoke": said(
        DeviceKind.THERMAL,
        Channel.TELEMETRY,
        ThermalTelemetry(
            at=AT,
            regions=[Region(region="a", maximum_celsius=40.5, charger_current_amperes=3.5)],
            smoke_detected=True,
        ),
    ),
    "a heartbeat": said(DeviceKind.ELEVATOR, Channel.TELEMETRY, ElevatorTelemetry(at=AT)),
    "a fault": said(
        DeviceKind.ELEVATOR,
        Channel.EVENT,
        ElevatorEvent(at=AT, type=ElevatorEventType.FAULT_RAISED, source="gbt24476-2017", code="93"),
    ),
    "a gate's event": said(
        DeviceKind.GATE, Channel.EVENT, GateEvent(at=AT, type=GateEventType.GRANTED, door="2", credential="9f2c")
    ),
    "a look of a camera": said(
        DeviceKind.THERMAL,
        Channel.TELEMETRY,
        ThermalTelemetry(
            at=AT,
            seq=1,
            regions=[
                Region(region="a", maximum_celsius=40.5, hotspot=(0.25, 0.5)),
                Region(region="b", maximum_celsius=20.0, minimum_celsius=10.0),
            ],
            ambient_celsius=21.0,
        ),
    ),
    "a camera's alarm": said(
        DeviceKind.THERMAL,
        Channel.EVENT,
        ThermalEvent(at=AT, type=ThermalEventType.EPISODE_STARTED, level=ThermalLevel.ALARM, region="a", episode="e1"),
    ),
    "a gateway's event": said(
        DeviceKind.GATEWAY,
        Channel.EVENT,
        GatewayEvent(at=AT, type=GatewayEventType.CONTROLLER_LOST, controller="lift-1"),
    ),
    "a gateway's own event": said(
        DeviceKind.GATEWAY, Channel.EVENT, GatewayEvent(at=AT, type=GatewayEventType.POWER_LOST)
    ),
    "a last will": said(DeviceKind.GATE, Channel.PRESENCE, Presence(at=AT, status=PresenceStatus.OFFLINE)),
}


@pytest.mark.parametrize("observation", CASES.values(), ids=CASES.keys())
def test_what_was_said_comes_back(observation: Observation) -> None:
    points = points_of(observation)
    recalled = observations_of(observation.device, points[0].family, series_of(points))
    assert recalled.observations == [observation]
    assert recalled.unreadable == 0
    assert points[0].family in families_of(observation.device.kind)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3_600_000),
            st.dictionaries(
                st.sampled_from(["a", "b", "c"]), st.floats(-60, 2_000, allow_nan=False), min_size=1, max_size=3
            ),
        ),
        unique_by=lambda one: one[0],
        max_size=20,
    )
)
def test_any_looks_of_a_camera_come_back_in_their_order(looks: list[tuple[int, dict[str, float]]]) -> None:
    told = [
        said(
            DeviceKind.THERMAL,
            Channel.TELEMETRY,
            ThermalTelemetry(
                at=AT + timedelta(milliseconds=after),
                regions=[Region(region=name, maximum_celsius=celsius) for name, celsius in sorted(regions.items())],
            ),
        )
        for after, regions in looks
    ]
    points = [point for observation in told for point in points_of(observation)]
    recalled = observations_of(DeviceKey("demo", DeviceKind.THERMAL, "one"), "thermal", series_of(points))
    assert recalled.observations == sorted(told, key=lambda one: one.at)


def test_what_no_device_can_have_said_is_counted_and_passed_over() -> None:
    series = [
        Series("elevator_event", "", "type", [Sample(1_000, "fault_raised"), Sample(2_000, "alarm_pressed")]),
        Series("elevator_event", "", "floor", [Sample(3_000, "2")]),
    ]
    recalled = observations_of(LIFT, "elevator_event", series)
    assert [observation.body for observation in recalled.observations] == [
        ElevatorEvent(at=datetime(1970, 1, 1, 0, 0, 0, 2, tzinfo=UTC), type=ElevatorEventType.ALARM_PRESSED)
    ]
    assert recalled.unreadable == 2


def test_each_kind_is_looked_for_in_its_own_families() -> None:
    assert {kind.value: families_of(kind) for kind in DeviceKind} == {
        "elevator": ["elevator", "elevator_event", "presence"],
        "gate": ["gate_event", "presence"],
        "thermal": ["thermal", "thermal_event", "presence"],
        "gateway": ["gateway_event", "presence"],
        "system": [],
    }


def test_a_code_kept_before_it_was_known_comes_back_as_what_it_says() -> None:
    kept = Point("elevator_event", LIFT, "", 0, {"type": "fault_raised", "source": "gbt24476-2017", "code": "44"}, 0)
    (recalled,) = observations_of(LIFT, "elevator_event", series_of([kept])).observations
    assert isinstance(recalled.body, ElevatorEvent)
    assert (recalled.body.type, recalled.body.service_mode) == (ElevatorEventType.MODE_CHANGED, "fire_recall")
