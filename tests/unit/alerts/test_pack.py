"""The built-in pack over whole stories: what is raised, when, and what is not."""

from collections.abc import Iterable
from typing import Any

import pytest

from alerts.model import Severity, Transition, TransitionKind
from alerts.packs import builtin_rules
from core.devices import DeviceKey, DeviceKind
from core.observations import Observation
from core.wire.payloads import ElevatorEventType as Lift
from core.wire.payloads import GateEventType as Gate
from core.wire.payloads import GatewayEventType as Gateway
from core.wire.payloads import PresenceStatus, ThermalEvent, ThermalEventType, ThermalLevel
from tests.unit.alerts.talk import CAMERA, GATE, GATEWAY, LIFT, START, Talk, instant, run

TRAPPED: dict[str, Any] = {
    "direction": "stopped",
    "door_state": "closed",
    "door_zone": False,
    "passenger_present": True,
}
RIDING = TRAPPED | {"direction": "up", "service_mode": "normal"}
AT_LEVEL: dict[str, Any] = {
    "direction": "stopped",
    "door_zone": True,
    "service_mode": "normal",
    "passenger_present": False,
}


def story(observations: Iterable[Observation], until: float) -> list[tuple[float, str, str]]:
    """Return (second, rule, kind) of what fires and resolves."""
    return _short(run(builtin_rules(), observations, until))


def _short(transitions: Iterable[Transition]) -> list[tuple[float, str, str]]:
    return [
        ((each.at - START).total_seconds(), each.rule, each.kind.value)
        for each in transitions
        if each.kind is not TransitionKind.PENDING
    ]


def test_every_rule_says_what_to_do_in_both_languages_and_each_kind_can_go_offline() -> None:
    rules = builtin_rules()
    assert {rule.kind for rule in rules if rule.id.endswith("-offline")} == set(DeviceKind) - {DeviceKind.SYSTEM}
    assert all(rule.next_step.zh != rule.next_step.en for rule in rules)
    assert {rule.severity for rule in rules} == set(Severity)


def test_fire_and_a_pressed_button_are_told_whatever_is_silenced_and_stand_until_somebody_has_looked() -> None:
    rules = builtin_rules()
    fire = {"thermal-alarm", "thermal-runaway", "thermal-slow-rise", "thermal-hot-at-night", "thermal-smoke"}
    button = {"car-alarm-button", "car-alarm-in-maintenance"}
    assert {rule.id for rule in rules if rule.latch} == {"car-alarm-button", *fire}
    assert {rule.id for rule in rules if rule.protected} == {
        "trapped-passenger",
        "gate-duress",
        "trapped-reported",
        *button,
        *fire,
    }
    assert {rule.id for rule in rules if rule.maintenance} == {"lift-in-inspection", "lift-inspection-long"}


def test_every_press_of_the_button_counts() -> None:
    talk = Talk()
    said = [
        talk.lift_event(at + wait, kind)
        for at in range(0, 50, 10)
        for wait, kind in ((0, Lift.ALARM_PRESSED), (5, Lift.ALARM_RELEASED))
    ]
    assert [kind for _, _, kind in story(said, 60)] == ["firing", "resolved"] * 5


def test_a_trapped_passenger_is_suspected_then_confirmed_and_freed_only_at_level_with_the_door_open() -> None:
    talk = Talk()
    said = [
        *(talk.lift(at, **RIDING) for at in range(10)),
        *(talk.lift(at, **TRAPPED, service_mode="normal") for at in range(10, 180, 5)),
        talk.lift(180, **RIDING | {"direction": "down"}),
        talk.lift(190, **RIDING | {"direction": "stopped", "door_zone": True}),
        talk.lift(195, **AT_LEVEL, door_state="opening"),
        talk.lift(197, **AT_LEVEL, door_state="open"),
        talk.lift(210, **AT_LEVEL, door_state="closed"),
    ]
    # It stands from 10 s on; between floors it is from the beginning.
    assert story(said, 400) == [
        (10 + 70, "trapped-passenger-suspected", "firing"),
        (120, "trapped-passenger", "firing"),
        (197, "trapped-passenger", "resolved"),
        (197, "trapped-passenger-suspected", "resolved"),
    ]


def ride(talk: Talk) -> list[Observation]:
    """Return a ride of two floors that begins at 0 s; what follows says how it ends."""
    floors = (0, "3"), (4, "4"), (8, "5")
    return [talk.lift(at, floor=floor, direction="up", door_state="closed") for at, floor in floors]


@pytest.mark.parametrize(
    "changed",
    [
        {"passenger_present": False},
        {"direction": "up"},
        {"service_mode": "inspection"},
        # Between floors an open door lets nobody out.
        {"door_state": "open", "door_zone": True},
        {"passenger_present": False, "door_zone": True},
        {"direction": "up", "door_zone": True},
        {"service_mode": "inspection", "door_zone": True},
    ],
    ids="-".join,
)
def test_three_of_the_four_are_not_a_trapped_passenger(changed: dict[str, Any]) -> None:
    talk = Talk()
    stands = {"service_mode": "normal"} | TRAPPED | changed
    said = [*ride(talk), *(talk.lift(at, **stands) for at in range(10, 600, 5))]
    assert not {"trapped-passenger", "trapped-passenger-suspected"} & {name for _, name, _ in story(said, 600)}


def test_a_people_sensor_that_flaps_at_a_floor_raises_nothing() -> None:
    talk = Talk()
    stands = TRAPPED | {"door_zone": True}
    said = [*ride(talk), *(talk.lift(at, **stands | {"passenger_present": at % 8 < 4}) for at in range(10, 600, 2))]
    assert story(said, 600) == []


def test_between_floors_somebody_seen_once_is_suspected_but_not_confirmed() -> None:
    talk = Talk()
    stands = [talk.lift(at, **TRAPPED | {"passenger_present": at % 8 < 4}) for at in range(10, 400, 2)]
    assert story([talk.lift(0, **RIDING), *stands], 400) == [(10 + 70, "trapped-passenger-suspected", "firing")]


@pytest.mark.parametrize("changed", [{"door_zone": False}, {"door_state": "opening"}], ids=["between floors", "ajar"])
def test_of_a_lift_of_which_only_one_message_is_known_nothing_is_suspected_at_once(changed: dict[str, Any]) -> None:
    inside: dict[str, Any] = {"direction": "stopped", "door_state": "closed", "passenger_present": True}
    said = [Talk().lift(0, **inside | changed)]
    assert story(said, 60) == []


def test_a_lift_with_a_slow_clock_is_suspected_as_soon_as_any_other() -> None:
    talk, slow = Talk(), 360.0
    ride = [talk.lift(at - slow, received=at, **RIDING, floor=str(at)) for at in range(5)]
    stands = [talk.lift(at - slow, received=at, **TRAPPED, floor="4") for at in range(5, 100, 5)]
    assert (75, "trapped-passenger-suspected", "firing") in story([*ride, *stands], 100)


def test_a_lift_without_mode_and_zone_can_still_tell_of_a_trapped_passenger() -> None:
    talk = Talk()
    said = [*ride(talk), talk.lift(10, direction="stopped", door_state="closed", passenger_present=True)]
    # It stops at 10 s.
    assert story(said, 400) == [
        (10 + 70, "trapped-passenger-suspected", "firing"),
        (10 + 65 + 240, "trapped-passenger", "firing"),
    ]


def test_the_end_of_a_trapping_fault_may_get_lost() -> None:
    talk = Talk()
    said = [
        talk.lift(0, **AT_LEVEL, door_state="closed"),
        talk.lift_event(1, Lift.FAULT_RAISED, "93"),
        talk.lift(60, **AT_LEVEL, door_state="open"),
        talk.lift(70, **AT_LEVEL, door_state="closed"),
    ]
    assert story(said, 300) == [(1, "trapped-passenger", "firing"), (60, "trapped-passenger", "resolved")]


GBT, FLAGS, KINDS = "gbt24476-2017", "cn-flag-set", "anju"


@pytest.mark.parametrize(
    ("source", "code", "after", "expected"),
    [
        (GBT, "1", 0, "safety-chain-open"),
        (GBT, "2", 0, "fault-major"),
        (GBT, "4", 0, "stopped-outside-door-zone"),
        (GBT, "41", 5, "lift-power-off"),
        (GBT, "42", 60, "lift-out-of-service"),
        (GBT, "43", 0, "lift-in-inspection"),
        (GBT, "44", 0, "lift-fire-recall"),
        (GBT, "45", 0, "lift-firefighter"),
        (GBT, "46", 5, "lift-emergency-power"),
        (GBT, "47", 0, "lift-earthquake"),
        (GBT, "90", 0, "car-alarm-button"),
        (GBT, "91", 0, "fault-critical"),
        (GBT, "93", 0, "trapped-passenger"),
        (GBT, "Err02", 0, "fault-major"),
        (FLAGS, "1", 0, "trapped-passenger"),
        (FLAGS, "5", 0, "fault-critical"),
        (FLAGS, "8", 0, "moved-with-door-open"),
        ("schindler", "0101", 0, "trapped-passenger"),
        (KINDS, "brake", 0, "fault-critical"),
        (KINDS, "door_lock_open", 0, "fault-critical"),
        (KINDS, "repeated_door_operation", 0, "fault-minor"),
        (KINDS, "device_offline", 0, "fault-minor"),
        (KINDS, "ebike_in_car", 0, "ebike-in-car"),
    ],
)
def test_each_code_raises_exactly_one_alert(source: str, code: str, after: int, expected: str) -> None:
    talk = Talk()
    said = talk.lift_event(0, Lift.FAULT_RAISED, code, source=source)
    assert story([said], 200) == [(after, expected, "firing")]


@pytest.mark.parametrize("code", ["0", "40"])
def test_no_fault_and_back_to_automatic_raise_nothing(code: str) -> None:
    talk = Talk()
    assert story([talk.lift_event(at, Lift.FAULT_RAISED, code) for at in range(4)], 200) == []


def test_no_fault_ends_all_faults_of_its_list_and_no_others() -> None:
    talk = Talk()
    said = [
        talk.lift_event(0, Lift.FAULT_RAISED, "2"),
        talk.lift_event(1, Lift.FAULT_RAISED, "5"),
        talk.lift_event(2, Lift.FAULT_RAISED, "door_open_failure", source=KINDS),
        talk.lift_event(10, Lift.FAULT_RAISED, "0"),
        talk.lift_event(20, Lift.FAULT_CLEARED, "door_open_failure", source=KINDS),
    ]
    assert [each for each in story(said, 60) if each[1] != "frequent-faults"] == [
        (0, "fault-major", "firing"),
        (1, "fault-critical", "firing"),
        (10, "fault-critical", "resolved"),
        (20, "fault-major", "resolved"),
    ]


def test_events_told_as_faults_are_none_that_come_too_often() -> None:
    talk = Talk()
    codes = ["43", "40", "43", "40", "41", "90"]
    said = [talk.lift_event(at * 400, Lift.FAULT_RAISED, code) for at, code in enumerate(codes)]
    assert "frequent-faults" not in {rule for _, rule, _ in story(said, 3_000)}


def test_the_alarm_button_is_heard_even_an_hour_late() -> None:
    talk = Talk()
    said = [
        talk.lift_event(0, Lift.ALARM_PRESSED, received=3600, late=True),
        talk.lift_event(3610, Lift.ALARM_PRESSED),
        talk.lift_event(3700, Lift.ALARM_RELEASED),
    ]
    assert story(said, 3701) == [
        (3600, "car-alarm-button", "firing"),
        (3610, "car-alarm-button", "repeated"),
        (3700, "car-alarm-button", "resolved"),
    ]


def test_an_e_bike_in_the_lift() -> None:
    talk = Talk()
    said = [talk.lift_event(0, Lift.EBIKE_DETECTED), talk.lift_event(30, Lift.EBIKE_CLEARED)]
    assert story(said, 40) == [(0, "ebike-in-car", "firing"), (30, "ebike-in-car", "resolved")]


@pytest.mark.parametrize(
    ("begin", "end", "fires_after", "expected"),
    [
        (Gate.FORCED_OPEN, Gate.DOOR_CLOSED, 10, "gate-forced-open"),
        (Gate.TAMPER, Gate.TAMPER_CLEARED, 0, "gate-tamper"),
        (Gate.READER_FAULT, Gate.READER_FAULT_CLEARED, 60, "gate-reader-fault"),
    ],
)
def test_gate_events(begin: Gate, end: Gate, fires_after: int, expected: str) -> None:
    talk = Talk()
    said = [talk.gate(0, begin), talk.gate(80, end)]
    assert story(said, 90) == [(fires_after, expected, "firing"), (80, expected, "resolved")]


def test_duress_is_kept_for_half_an_hour() -> None:
    talk = Talk()
    assert story([talk.gate(0, Gate.DURESS)], 2000) == [(0, "gate-duress", "firing"), (1800, "gate-duress", "resolved")]


def test_an_ordinary_day_at_a_gate_is_quiet_all_night() -> None:
    talk = Talk()
    said = [talk.gate(at, kind) for at in range(0, 3600, 60) for kind in (Gate.GRANTED, Gate.DOOR_OPENED)]
    assert story(said, 12 * 3600) == []


@pytest.mark.parametrize(
    ("per_minute", "interval", "expected"),
    [
        (2.0, 2, []),
        (20.0, 1, [(49, "thermal-alarm")]),
        (20.0, 2, [(50, "thermal-alarm")]),
        (20.0, 10, [(50, "thermal-alarm")]),
        (60.0, 2, [(34, "thermal-alarm")]),
        (60.0, 10, [(40, "thermal-alarm")]),
    ],
)
def test_a_region_that_grows_hot(per_minute: float, interval: int, expected: list[tuple[float, str]]) -> None:
    talk = Talk()
    said = [talk.camera(at, a=25.0, b=30.0 + per_minute * at / 60) for at in range(0, 60, interval)]
    # Above 46 °C and after half a minute of growth, whichever comes later.
    assert [(at, name) for at, name, kind in story(said, 60) if kind == "firing"] == expected


@pytest.mark.parametrize("interval", [1, 2, 5, 10])
@pytest.mark.parametrize("rise_seconds", [0, 2, 8, 15])
def test_an_exhaust_that_rolls_into_view_is_no_fire(interval: int, rise_seconds: int) -> None:
    talk = Talk()

    def seen(at: float) -> float:
        share = 1.0 if at >= 300 + rise_seconds else max(0.0, at - 300) / max(rise_seconds, 1)
        return 30.0 + share * (75 - max(0.0, at - 320) / 30) if at < 860 else 30.0

    said = [talk.camera(at, a=seen(at)) for at in range(0, 1_500, interval)]
    assert story(said, 1_500) == []


def test_a_warm_bike_that_rolls_into_view_is_no_fire() -> None:
    talk = Talk()
    said = [talk.camera(at, a=20.0 if at < 100 else 34.0) for at in range(0, 600, 2)]
    assert story(said, 600) == []


def test_a_fire_climbs_from_rising_fast_to_runaway() -> None:
    talk = Talk()
    said = [talk.camera(at, cool=24.0, sockets=_burning(at)) for at in range(0, 300, 2)]
    fired = [name for _, name, kind in story(said, 300) if kind == "firing"]
    assert fired == ["thermal-alarm", "thermal-rate-of-rise", "thermal-slow-rise", "thermal-runaway"]


def _burning(seconds: float) -> float:
    """Return 15 °C/min up to 80 °C, then 1.5 °C/s: the stages of a charging pack."""
    return min(25 + 0.25 * seconds, 80.0) if seconds < 220 else 80 + 1.5 * (seconds - 220)


def test_the_camera_s_own_alarm_and_ours_are_one_alert() -> None:
    talk = Talk()

    def episode(at: float, kind: ThermalEventType) -> Observation:
        body = ThermalEvent(at=instant(at), type=kind, level=ThermalLevel.ALARM, region="a", episode="e1")
        return talk.say(at, CAMERA, body)

    said = [
        episode(0, ThermalEventType.EPISODE_STARTED),
        *(talk.camera(at, a=60.0) for at in range(2, 30, 2)),
        talk.camera(30, a=40.0),
        episode(35, ThermalEventType.EPISODE_ENDED),
    ]
    assert [one for one in story(said, 3_600) if one[1] == "thermal-alarm"] == [
        (0, "thermal-alarm", "firing"),
        (35 + 1_800, "thermal-alarm", "resolved"),
    ]


@pytest.mark.parametrize(("key", "name"), [(LIFT, "elevator"), (GATE, "gate"), (CAMERA, "thermal")])
def test_each_kind_of_device_can_go_offline(key: DeviceKey, name: str) -> None:
    talk = Talk()
    said = [
        talk.presence(0, PresenceStatus.ONLINE, key),
        talk.presence(10, PresenceStatus.OFFLINE, key),
        talk.presence(300, PresenceStatus.ONLINE, key),
    ]
    assert story(said, 320) == [(130, f"{name}-offline", "firing"), (300, f"{name}-offline", "resolved")]


def test_a_new_lift_that_says_nothing_is_missing_after_four_hours_and_a_gate_is_not() -> None:
    talk = Talk()
    said = [talk.lift(0, **AT_LEVEL), talk.gate(0, Gate.GRANTED)]
    assert story(said, 6 * 3600) == [(4 * 3600, "elevator-offline", "firing")]


@pytest.mark.parametrize(
    ("begin", "end", "wait", "expected"),
    [
        (Gateway.POWER_LOST, Gateway.POWER_RESTORED, 5, "gateway-power-lost"),
        (Gateway.BATTERY_LOW, Gateway.BATTERY_OK, 0, "gateway-battery-low"),
    ],
)
def test_the_power_of_a_gateway(begin: Gateway, end: Gateway, wait: float, expected: str) -> None:
    talk = Talk()
    said = [talk.gateway(0, begin), talk.gateway(60, end)]
    assert story(said, 90) == [(wait, expected, "firing"), (60, expected, "resolved")]


def test_a_flicker_of_a_gateway_s_mains_is_nothing() -> None:
    talk = Talk()
    assert story([talk.gateway(0, Gateway.POWER_LOST), talk.gateway(3, Gateway.POWER_RESTORED)], 90) == []


def test_controllers_lost_behind_one_gateway_are_one_alert_until_the_last_is_back() -> None:
    talk = Talk()
    said = [
        talk.gateway(0, Gateway.CONTROLLER_LOST, "lift-1"),
        talk.gateway(1, Gateway.CONTROLLER_LOST, "lift-2"),
        talk.gateway(50, Gateway.CONTROLLER_RESTORED, "lift-1"),
        talk.gateway(80, Gateway.CONTROLLER_RESTORED, "lift-2"),
    ]
    transitions = run(builtin_rules(), said, 100)
    assert _short(transitions) == [(20, "controller-lost", "firing"), (80, "controller-lost", "resolved")]
    reason = next(each.reason for each in transitions if each.kind is TransitionKind.FIRING)
    assert reason.zh.startswith("控制器失联：lift-1、控制器失联：lift-2")
    assert reason.en.startswith("controller lost: lift-1, controller lost: lift-2")
    assert reason.facts["controller"] == "lift-2"


def test_a_dead_gateway_is_told_before_what_hangs_on_it() -> None:
    talk = Talk()
    # The broker publishes all wills within one instant, in any order.
    said = [talk.presence(0, PresenceStatus.OFFLINE, key) for key in (GATE, LIFT, GATEWAY, CAMERA)]
    assert story(said, 180) == [
        (90, "gateway-offline", "firing"),
        (120, "elevator-offline", "firing"),
        (120, "gate-offline", "firing"),
        (120, "thermal-offline", "firing"),
    ]


def test_a_gateway_whose_broker_knows_no_wills_is_missed_before_what_hangs_on_it() -> None:
    talk = Talk()
    said = [talk.presence(0, PresenceStatus.ONLINE, GATEWAY), talk.lift(5, **AT_LEVEL)]
    assert story(said, 5 * 3600) == [(720, "gateway-offline", "firing"), (14_405, "elevator-offline", "firing")]


def test_a_gateway_that_says_its_beat_is_there() -> None:
    talk = Talk()
    said = [talk.presence(at, PresenceStatus.ONLINE, GATEWAY) for at in range(0, 3600, 60)]
    assert story(said, 3600) == []


def test_a_power_cut_with_somebody_in_the_car_is_both() -> None:
    talk = Talk()
    said = [
        *(talk.lift(at, **RIDING, main_power=True) for at in range(5)),
        *(talk.lift(at, **TRAPPED, main_power=False, service_mode="emergency_power") for at in range(5, 200, 5)),
        talk.lift(200, **TRAPPED | AT_LEVEL | {"door_state": "open"}, main_power=True),
    ]
    assert story(said, 300) == [
        (10, "lift-power-off", "firing"),
        (5 + 70, "trapped-passenger-suspected", "firing"),
        (120, "trapped-passenger", "firing"),
        (200, "trapped-passenger", "resolved"),
        (200, "trapped-passenger-suspected", "resolved"),
        (200, "lift-power-off", "resolved"),
    ]


def test_an_inspection_is_told_once_though_the_key_is_turned_to_and_fro() -> None:
    talk = Talk()
    modes = [(0, "inspection"), (100, "normal"), (130, "inspection"), (300, "normal")]
    said = [talk.lift_event(at, Lift.MODE_CHANGED, service_mode=mode) for at, mode in modes]
    assert story(said, 400) == [(0, "lift-in-inspection", "firing"), (360, "lift-in-inspection", "resolved")]
