"""The fleet: order, wall-clock instants at any speed, numbering, the wire contract, incidents and their errors."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import accumulate
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.devices import Channel, DeviceKey, DeviceKind
from core.errors import StartupError
from core.wire.commands import ElevatorCommand, ElevatorCommandType
from core.wire.payloads import (
    ElevatorEvent,
    ElevatorTelemetry,
    GateEvent,
    GatewayEvent,
    Payload,
    Presence,
    ThermalEvent,
    ThermalTelemetry,
)
from core.wire.topics import parse
from simulators.fleet import Fleet, LinkLost, LinkRestored, Outgoing, Output, PhaseBegan, PlannedIncident
from simulators.incidents import CATALOGUE, build
from simulators.link import BrokerAddress
from simulators.run import DEMO_CYCLE_SECONDS, DEMO_INCIDENTS, SimulationOptions, build_fleet
from simulators.spec import load, with_lifts
from tests.unit.simulators.driving import START

BODIES: dict[tuple[DeviceKind, Channel], type[Payload]] = {
    (DeviceKind.ELEVATOR, Channel.TELEMETRY): ElevatorTelemetry,
    (DeviceKind.ELEVATOR, Channel.EVENT): ElevatorEvent,
    (DeviceKind.GATE, Channel.EVENT): GateEvent,
    (DeviceKind.THERMAL, Channel.TELEMETRY): ThermalTelemetry,
    (DeviceKind.THERMAL, Channel.EVENT): ThermalEvent,
    (DeviceKind.GATEWAY, Channel.EVENT): GatewayEvent,
    (DeviceKind.GATEWAY, Channel.PRESENCE): Presence,
}
GATEWAY = DeviceKey("jinxiu", DeviceKind.GATEWAY, "block-3-gateway")
LIFT = DeviceKey("jinxiu", DeviceKind.ELEVATOR, "block-3-lift")


def after(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def fleet(*incidents: PlannedIncident, seed: int = 1, speed: float = 1.0) -> Fleet:
    return Fleet(load("demo"), seed=seed, start=START, speed=speed, incidents=incidents)


def decoded(outputs: Sequence[Output]) -> list[Payload]:
    sent = [output for output in outputs if isinstance(output, Outgoing)]
    return [msgspec.json.decode(each.payload, type=BODIES[_who(each)]) for each in sent]


def _who(outgoing: Outgoing) -> tuple[DeviceKind, Channel]:
    device, channel = parse(outgoing.topic)
    assert device == outgoing.device
    return device.kind, channel


def phases(outputs: Sequence[Output]) -> list[tuple[str, str, float]]:
    began = [output for output in outputs if isinstance(output, PhaseBegan)]
    return [(each.incident, each.phase, (each.at - START).total_seconds()) for each in began]


def test_a_demo_cycle_speaks_the_wire_contract_without_nulls() -> None:
    outputs = fleet(*DEMO_INCIDENTS).step(START + after(900))
    bodies = decoded(outputs)
    assert {type(body) for body in bodies} == set(BODIES.values())
    assert not [each for each in outputs if isinstance(each, Outgoing) and b"null" in each.payload]


def test_numbers_run_without_gaps_on_each_device() -> None:
    sent = [each for each in fleet(*DEMO_INCIDENTS[:3]).step(START + after(300)) if isinstance(each, Outgoing)]
    for device in {each.device for each in sent}:
        numbers = [msgspec.json.decode(each.payload)["seq"] for each in sent if each.device == device]
        assert numbers == list(range(1, len(numbers) + 1))


@given(st.lists(st.floats(0.01, 60.0), min_size=1, max_size=20), st.integers(0, 100))
@settings(max_examples=10, deadline=None)
def test_what_is_said_does_not_depend_on_when_it_is_asked(steps: list[float], seed: int) -> None:
    in_pieces, at_once = fleet(*DEMO_INCIDENTS, seed=seed), fleet(*DEMO_INCIDENTS, seed=seed)
    now, said = START, list[Output]()
    for step in steps:
        now += after(step)
        said += in_pieces.step(now)
    assert said == at_once.step(now)


@pytest.mark.parametrize("speed", [0.5, 1.0, 60.0])
def test_instants_are_the_walls_at_any_speed(speed: float) -> None:
    now = START + after(30)
    instants = [body.at for body in decoded(fleet(speed=speed).step(now))]
    assert instants == sorted(instants)
    assert instants[0] > START
    assert instants[-1] <= now
    assert instants[-1] > now - after(5 / speed)


def test_a_fast_fleet_says_more() -> None:
    slow, fast = (len(fleet(speed=speed).step(START + after(60))) for speed in (1.0, 10.0))
    assert fast == pytest.approx(10 * slow, rel=0.5)


def test_next_at_is_when_something_happens() -> None:
    demo = fleet(PlannedIncident("door-forced", 10.0))
    for _ in range(200):
        due = demo.next_at
        assert demo.step(due - timedelta(microseconds=2)) == []
        demo.step(due + timedelta(microseconds=1))
        assert demo.next_at > due


@pytest.mark.parametrize("name", CATALOGUE)
def test_an_incident_runs_its_phases_and_ends(name: str) -> None:
    incident = build(name)
    outputs = fleet(PlannedIncident(name, 5.0)).step(START + after(incident.seconds + 100))
    begins = list(accumulate((phase.seconds for phase in incident.phases[:-1]), initial=5.0))
    seen = phases(outputs)
    assert [(name, phase) for name, phase, _ in seen] == [(name, phase.name) for phase in incident.phases]
    assert [at for _, _, at in seen] == pytest.approx(begins)


def test_what_began_has_ended_after_each_incident() -> None:
    outputs = fleet(*DEMO_INCIDENTS).step(START + after(DEMO_CYCLE_SECONDS))
    kinds = [(type(body).__name__, body.type.value) for body in decoded(outputs) if hasattr(body, "type")]
    for begin, end in (("fault_raised", "fault_cleared"), ("episode_started", "episode_ended")):
        began, ended = (sum(kind == word for _, kind in kinds) for word in (begin, end))
        assert began == ended == 2
    assert ("GateEvent", "forced_open") in kinds
    assert ("ElevatorEvent", "alarm_released") in kinds


GATE = DeviceKey("jinxiu", DeviceKind.GATE, "south-gate")
ASKED = {
    "a lift of here": (LIFT, timedelta(), ["alarm_tested"]),
    "within the hour": (LIFT, timedelta(minutes=-60), ["alarm_tested"]),
    "too long ago": (LIFT, timedelta(minutes=-61), []),
    "a lift of elsewhere": (DeviceKey("demo", DeviceKind.ELEVATOR, "nowhere"), timedelta(), []),
    "a gate": (GATE, timedelta(), []),
}


@pytest.mark.parametrize(("device", "age", "expected"), ASKED.values(), ids=ASKED.keys())
def test_a_lift_tests_its_alarm_when_it_is_asked(device: DeviceKey, age: timedelta, expected: list[str]) -> None:
    demo, now = fleet(speed=2.0), START + after(20)
    demo.step(START + after(10))
    command = ElevatorCommand(command=ElevatorCommandType.ALARM_TEST, at=now + age)
    events = [each for each in decoded(demo.ask(command, device, now)) if isinstance(each, ElevatorEvent)]
    assert [each.type.value for each in events] == expected
    assert all(each.at == now for each in events)


def test_an_offline_device_is_silent_and_comes_back() -> None:
    plan = PlannedIncident("device-offline", 20.0, "block-3-lift", parameters={"silent_seconds": 60.0})
    demo = fleet(plan)
    outputs = demo.step(START + after(120))
    (lost,) = (each for each in outputs if isinstance(each, LinkLost))
    (restored,) = (each for each in outputs if isinstance(each, LinkRestored))
    assert [(each.at - START).total_seconds() for each in (lost, restored)] == [20.0, 80.0]
    said = [each for each in outputs if isinstance(each, Outgoing) and each.device == lost.device]
    instants = [(body.at - START).total_seconds() for body in decoded(said)]
    assert [at for at in instants if 20 < at < 80] == []
    assert min(instants) < 20
    assert max(instants) > 80


def links(outputs: Sequence[Output]) -> list[tuple[str, str, float]]:
    """Return (what, device, second) of each link that is lost or restored."""
    return [
        (type(each).__name__, each.device.device, (each.at - START).total_seconds())
        for each in outputs
        if isinstance(each, LinkLost | LinkRestored)
    ]


def test_a_dead_gateway_takes_what_hangs_on_it_along_and_nothing_else() -> None:
    plan = PlannedIncident("gateway-dead", 100.0, parameters={"silent_seconds": 200.0})
    outputs = fleet(plan).step(START + after(400))
    assert links(outputs) == [
        ("LinkLost", "block-3-gateway", 100.0),
        ("LinkLost", "block-3-lift", 100.0),
        ("LinkRestored", "block-3-gateway", 300.0),
        ("LinkRestored", "block-3-lift", 300.0),
    ]
    spoke = {
        each.device
        for each, body in zip((one for one in outputs if isinstance(one, Outgoing)), decoded(outputs), strict=True)
        if 100 < (body.at - START).total_seconds() < 300
    }
    assert spoke.isdisjoint({GATEWAY, LIFT})
    assert {device.device for device in spoke} >= {"bike-shed", "shed-gateway"}


def test_a_device_that_is_cut_off_itself_does_not_come_back_with_its_gateway() -> None:
    outputs = fleet(
        PlannedIncident("device-offline", 50.0, "block-3-lift", parameters={"silent_seconds": 300.0}),
        PlannedIncident("gateway-dead", 100.0, parameters={"silent_seconds": 100.0}),
    ).step(START + after(400))
    assert links(outputs) == [
        ("LinkLost", "block-3-lift", 50.0),
        ("LinkLost", "block-3-gateway", 100.0),
        ("LinkRestored", "block-3-gateway", 200.0),
        ("LinkRestored", "block-3-lift", 350.0),
    ]


def test_a_gateway_says_its_beat_every_minute_retained() -> None:
    outputs = fleet().step(START + after(600))
    beats = [each for each in outputs if isinstance(each, Outgoing) and each.device == GATEWAY]
    assert len(beats) == 10
    assert {(each.topic, each.retain) for each in beats} == {("anju/v1/jinxiu/gateway/block-3-gateway/presence", True)}


@pytest.mark.parametrize("seed", range(6))
def test_lift_and_gateway_feel_the_same_mains(seed: int) -> None:
    outputs = fleet(PlannedIncident("power-cut", 20.0), seed=seed).step(START + after(300))
    bodies = decoded(outputs)
    dark = [each.at for each in bodies if isinstance(each, ElevatorTelemetry) and each.main_power is False]
    told = [(each.type.value, each.at) for each in bodies if isinstance(each, GatewayEvent)]
    assert [kind for kind, _ in told] == ["power_lost", "power_restored"]
    assert told[0][1] == dark[0]
    assert dark[-1] < told[1][1] < dark[-1] + after(5)


def test_a_repeated_incident_comes_again_and_again() -> None:
    outputs = fleet(PlannedIncident("door-forced", 10.0, repeat_seconds=100.0)).step(START + after(320))
    assert [at for _, phase, at in phases(outputs) if phase == "forced-open"] == [10.0, 110.0, 210.0, 310.0]


def test_the_demo_raises_something_within_seconds() -> None:
    outputs = build_fleet(SimulationOptions(), START).step(START + after(45))
    assert [(name, at) for name, _, at in phases(outputs)] == [("door-forced", 10.0), ("ebike-fire", 30.0)]


def test_many_lifts_have_names_and_lives_of_their_own() -> None:
    spec = with_lifts(load("demo"), 3)
    crowd = Fleet(spec, seed=1, start=START)
    names = [key.device for key in crowd.devices if key.kind is DeviceKind.ELEVATOR]
    assert names == ["lift-0001", "lift-0002", "lift-0003"]
    outputs = crowd.step(START + after(20))
    said = {
        key: [each.payload for each in outputs if isinstance(each, Outgoing) and each.device == key]
        for key in crowd.devices
    }
    lifts = [messages for key, messages in said.items() if key.kind is DeviceKind.ELEVATOR]
    assert lifts[0] != lifts[1] != lifts[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            SimulationOptions(incidents=(PlannedIncident("flood", 1.0),)),
            "'flood': expected one of trapped-passenger, door",
        ),
        (
            SimulationOptions(incidents=(PlannedIncident("door-forced", 1.0, parameters={"minutes": 1.0}),)),
            "'minutes': expected one of open_seconds",
        ),
        (
            SimulationOptions(incidents=(PlannedIncident("door-forced", 1.0, parameters={"open_seconds": -1.0}),)),
            "open_seconds = -1.0: expected seconds",
        ),
        (
            SimulationOptions(incidents=(PlannedIncident("ebike-fire", 1.0, "south-gate"),)),
            "device south-gate: expected one of: bike-shed",
        ),
        (SimulationOptions(repeat_seconds=30.0), "cannot be repeated every 30 s"),
        (SimulationOptions(speed=0.0), "speed 0.0: expected more than 0"),
        (SimulationOptions(elevators=0), "elevators 0: expected 1 to 9999"),
        (SimulationOptions(community="/nowhere.yaml"), "/nowhere.yaml: No such file"),
    ],
    ids=["incident", "parameter", "parameter value", "device", "repeat", "speed", "elevators", "file"],
)
def test_what_cannot_be_simulated_is_said_in_one_line(options: SimulationOptions, message: str) -> None:
    with pytest.raises(StartupError) as raised:
        build_fleet(options, START)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("community: Jinxiu", "$.community"),
        ("community: a\nlifts: [{device: x, floors: [{name: '1'}]}]", "$.lifts[0].floors"),
        ("community: a\ncolour: red", "colour"),
        ("community: a\ngates: [{device: x}, {device: x}]", "share a name"),
        ("community: a\ngates: [{device: x, facts: {gateway: g}}]", "x: gateway 'g': expected one of: none"),
        ("community: a\ngates: [{device: x, facts: {floor: '1'}}]", "floor"),
        ("community: [", "community file"),
    ],
    ids=["bad word", "one floor", "unknown field", "twice", "gateway", "unknown fact", "not yaml"],
)
def test_a_bad_community_file_is_said_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "community.yaml"
    path.write_text(text)
    with pytest.raises(StartupError) as raised:
        load(path)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_ca_file_is_a_startup_error(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="CA file"):
        BrokerAddress(tls=True, ca_file=str(tmp_path / "none.pem")).ssl_context()
    assert BrokerAddress().ssl_context() is None


def test_a_password_is_never_shown() -> None:
    assert "hush" not in repr(BrokerAddress(username="a", password="hush"))
