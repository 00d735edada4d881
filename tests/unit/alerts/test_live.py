"""The live view and the fault history: what is known of a device now, and what its faults were."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from alerts.faults import fault_of
from alerts.live import LiveView
from alerts.model import DeviceSighting, FaultCleared, FaultRaised, Severity
from core.observations import Observation
from core.wire.payloads import ElevatorEventType as Lift
from core.wire.payloads import GateEvent, PresenceStatus
from core.wire.payloads import GateEventType as Gate
from core.wire.payloads import GatewayEventType as Gateway
from tests.unit.alerts.talk import GATE, LIFT, Talk, instant


def sighting(view: LiveView) -> DeviceSighting:
    ((only, _),) = view.changed()
    return only


def latest(view: LiveView) -> dict[str, dict[str, object]]:
    parts = msgspec.json.decode(sighting(view).latest)
    return {part: {name: one["value"] for name, one in signals.items()} for part, signals in parts.items()}


def test_partial_messages_are_merged_and_each_value_has_its_instant() -> None:
    talk, view = Talk(), LiveView()
    for said in (talk.lift(0, speed_mps=1.0, floor="B1"), talk.lift(1, speed_mps=1.5), talk.lift(2, door_zone=False)):
        view.observe(said)
    parts = msgspec.json.decode(sighting(view).latest)
    assert parts == {
        "": {
            "speed_mps": {"value": 1.5, "at": "2026-08-14T07:00:01Z"},
            "floor": {"value": "B1", "at": "2026-08-14T07:00:00Z"},
            "door_zone": {"value": False, "at": "2026-08-14T07:00:02Z"},
        }
    }


@pytest.mark.parametrize("count", [1, 63, 64, 65, 200])
def test_long_bursts_are_folded_to_the_same(count: int) -> None:
    talk, view = Talk(), LiveView()
    view.observe(talk.lift(0, floor="G"))
    for index in range(count):
        view.observe(talk.lift(index + 1, trip_count=index))
    assert latest(view) == {"": {"floor": "G", "trip_count": count - 1}}


def test_older_values_do_not_replace_newer_ones() -> None:
    talk, view = Talk(), LiveView()
    view.observe(talk.lift(10, speed_mps=1.0))
    view.observe(talk.lift(5, received=11, speed_mps=2.0, floor="3"))
    assert latest(view) == {"": {"speed_mps": 1.0, "floor": "3"}}


def test_a_value_stamped_ahead_does_not_keep_out_what_comes_after_it() -> None:
    talk, view = Talk(), LiveView()
    view.observe(talk.lift(298, received=0, speed_mps=1.0))
    assert msgspec.json.decode(sighting(view).latest)[""]["speed_mps"]["at"] == "2026-08-14T07:00:00Z"
    view.observe(talk.lift(2, speed_mps=2.0))
    assert latest(view) == {"": {"speed_mps": 2.0}}
    together = LiveView()
    for observation in (talk.lift(298, received=0, speed_mps=1.0), talk.lift(2, speed_mps=2.0)):
        together.observe(observation)
    assert latest(together) == {"": {"speed_mps": 2.0}}


def test_late_messages_only_tell_that_the_device_was_heard() -> None:
    talk, view = Talk(), LiveView()
    view.observe(talk.lift(0, speed_mps=1.0))
    view.observe(talk.lift(1, received=900, late=True, speed_mps=2.0))
    seen = sighting(view)
    assert seen.last_heard_at == instant(900)
    assert msgspec.json.decode(seen.latest)[""]["speed_mps"]["value"] == 1.0


def test_regions_doors_and_events_are_parts() -> None:
    talk, view = Talk(), LiveView()
    view.observe(talk.camera(0, a=20.0, b=30.0))
    assert latest(view) == {"": {}, "a": {"maximum_celsius": 20.0}, "b": {"maximum_celsius": 30.0}}
    gates = LiveView()
    gates.observe(talk.gate(0, Gate.DOOR_OPENED, "2"))
    assert latest(gates) == {"2": {"event": "door_opened"}}
    gateways = LiveView()
    for said in (talk.gateway(0, Gateway.POWER_LOST), talk.gateway(1, Gateway.CONTROLLER_LOST, "lift-1")):
        gateways.observe(said)
    assert latest(gateways) == {"": {"event": "power_lost"}, "lift-1": {"event": "controller_lost"}}


def test_who_passed_is_not_shown() -> None:
    talk, view = Talk(), LiveView()
    view.observe(talk.say(0, GATE, GateEvent(at=instant(0), type=Gate.GRANTED, credential="card-7")))
    assert "card-7" not in sighting(view).latest.decode()


@pytest.mark.parametrize(
    ("statuses", "speaks", "expected"),
    [([], True, None), (["online"], False, True), (["offline"], False, False), (["offline"], True, True)],
)
def test_online(statuses: list[str], speaks: bool, expected: bool | None) -> None:
    talk, view = Talk(), LiveView()
    for at, status in enumerate(statuses):
        view.observe(talk.presence(at, PresenceStatus(status)))
    if speaks:
        view.observe(talk.lift(50))
    assert sighting(view).online is expected


def test_a_will_is_not_the_device_speaking() -> None:
    talk, view = Talk(), LiveView()
    view.observe(talk.lift(0))
    view.observe(talk.presence(60, PresenceStatus.OFFLINE))
    assert sighting(view).last_heard_at == instant(0)


def test_skew_is_known_until_the_clock_is_right_again() -> None:
    talk, view = Talk(), LiveView()
    skewed = msgspec.structs.replace(talk.lift(0), skew=timedelta(hours=1))
    view.observe(skewed)
    assert sighting(view).skew == timedelta(hours=1)
    view.observe(talk.lift(1))
    assert sighting(view).skew is None


def test_what_is_written_down_is_taken_over() -> None:
    talk, before, after = Talk(), LiveView(), LiveView()
    before.observe(talk.lift(0, floor="B1", speed_mps=1.0))
    after.restore({one.device.path: state for one, state in before.changed()})
    assert list(after.changed()) == []
    after.observe(talk.lift(1, speed_mps=2.0))
    assert latest(after) == {"": {"floor": "B1", "speed_mps": 2.0}}


def test_only_changed_devices_are_told() -> None:
    talk, view = Talk(), LiveView()
    view.observe(talk.lift(0))
    view.observe(talk.gate(0, Gate.EXIT_BUTTON))
    assert {one.device for one, _ in view.changed()} == {LIFT, GATE}
    view.observe(talk.gate(1, Gate.EXIT_BUTTON))
    assert {one.device for one, _ in view.changed()} == {GATE}


FAULT = Talk().lift_event(0, Lift.FAULT_RAISED, "2", received=900, late=True)


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        (
            FAULT,
            FaultRaised(LIFT, "gbt24476-2017", "2", "door_close_failure", Severity.MAJOR, instant(0), late=True),
        ),
        (
            Talk().lift_event(1, Lift.FAULT_CLEARED, "2"),
            FaultCleared(LIFT, "gbt24476-2017", "2", instant(1)),
        ),
        (
            Talk().lift_event(0, Lift.FAULT_RAISED, "Err02", source="vendor"),
            FaultRaised(LIFT, "vendor", "Err02", "other", Severity.MAJOR, instant(0), late=False),
        ),
        (
            Talk().lift_event(298, Lift.FAULT_RAISED, "2", received=0),
            FaultRaised(LIFT, "gbt24476-2017", "2", "door_close_failure", Severity.MAJOR, instant(0), late=False),
        ),
        (Talk().lift_event(3, Lift.FAULT_RAISED, "0"), FaultCleared(LIFT, "gbt24476-2017", None, instant(3))),
        (Talk().lift_event(3, Lift.FAULT_RAISED, "44"), FaultCleared(LIFT, "gbt24476-2017", "44", instant(3))),
        (Talk().lift_event(3, Lift.FAULT_CLEARED, "41"), FaultCleared(LIFT, "gbt24476-2017", "41", instant(3))),
        (Talk().lift_event(0, Lift.ALARM_PRESSED), None),
        (Talk().lift(0), None),
        (Talk().gate(0, Gate.TAMPER), None),
    ],
    ids=["raised late", "cleared", "unknown list", "ahead", "no fault", "mode", "mains", "alarm", "telemetry", "gate"],
)
def test_faults(observation: Observation, expected: FaultRaised | FaultCleared | None) -> None:
    assert fault_of(observation) == expected


def test_what_a_lift_and_a_camera_say_of_the_new_is_shown() -> None:
    talk, view = Talk(), LiveView()
    calls: dict[str, Any] = {"car_calls": ["7", "B1"], "landing_doors_open": []}
    view.observe(talk.lift(0, direction="up", motion="stopped", **calls, light_curtain_interrupted=True))
    view.observe(talk.lift_event(1, Lift.FAULT_RAISED, "41"))
    shown = latest(view)[""]
    assert {name: shown[name] for name in (*calls, "motion", "light_curtain_interrupted", "main_power")} == {
        **calls,
        "motion": "stopped",
        "light_curtain_interrupted": True,
        "main_power": False,
    }


def test_a_forgotten_device_is_shown_no_more_and_begins_anew() -> None:
    talk, view = Talk(), LiveView()
    view.observe(talk.lift(0, floor="1"))
    view.observe(talk.gate(0, Gate.FORCED_OPEN))
    view.forget(LIFT)
    assert [sighting.device for sighting, _ in view.changed()] == [GATE]
    view.observe(talk.lift(1, speed_mps=1.0))
    assert "floor" not in latest(view)[""]
