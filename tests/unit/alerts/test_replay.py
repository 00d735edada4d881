"""What comes out hangs on the messages and their order alone: not on batches, ticks or restarts."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.engine import Engine
from alerts.inventory import Inventory
from alerts.memory import DeviceState, Leaf
from alerts.model import Transition, TransitionKind
from alerts.packs import builtin_rules
from alerts.rules import Rule
from core.devices import DeviceKey, DeviceKind
from core.observations import Observation
from core.wire.payloads import (
    Body,
    Direction,
    DoorState,
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
    ServiceMode,
    ThermalEvent,
    ThermalEventType,
    ThermalLevel,
    ThermalTelemetry,
)
from tests.unit.alerts.plain import PlainEngine
from tests.unit.alerts.talk import Talk, instant, rule

RULES = builtin_rules()
_HOT = "{kind: threshold, signal: maximum_celsius, above: 40, clear: 30"
_FAULT = "{kind: event, types: [fault_raised], clears_on: [fault_cleared]}"
_ASKED = (
    "{kind: event, types: [fault_raised], clears_on: [fault_cleared], "
    "while: {kind: state, signal: service_mode, not_in: [inspection]}, "
    "until: {kind: state, signal: door_state, equals: open}}"
)
_DOOR = "{kind: state, signal: door_state, equals: open}"
SORTS = [
    rule(kind, condition, extra, rule_id=f"sort-{number}")
    for number, (kind, condition, extra) in enumerate(
        [
            ("elevator", _DOOR, ""),
            ("elevator", _DOOR, "for: 7s\ngaps: resolve\ngap_after: 20s"),
            ("elevator", _DOOR, "schedule: {hours: ['15:00-15:01', '15:02-15:10']}"),
            ("elevator", _FAULT, "keep_firing_for: 5s\nchatter: {count: 2, within: 30s}"),
            ("elevator", f"{{kind: any_of, of: [{_FAULT}, {{kind: missing, offline_for: 5s}}]}}", ""),
            ("elevator", "{kind: state, signal: door_state, not_in: [closed], confirm: 3s}", "for: 1s"),
            ("elevator", _FAULT, f"levels: [{{severity: critical, condition: {_DOOR}}}]\nkeep_firing_for: 4s"),
            ("elevator", _FAULT, f"clears_when: {_DOOR}"),
            ("elevator", "{kind: missing, types: [alarm_pressed], nothing_for: 9s}", ""),
            (
                "elevator",
                f"{{kind: all_of, of: [{_DOOR}, {{kind: missing, types: [alarm_reset], nothing_for: 6s}}]}}",
                "",
            ),
            ("gate", "{kind: event, types: [held_open], resolve_after: 20s}", "chatter: off"),
            ("thermal", f"{_HOT}}}", f"levels: [{{severity: critical, condition: {_HOT}, confirm: 4s}}}}]"),
            ("thermal", f"{_HOT}, confirm: 3s}}", "clears_when: {kind: missing, nothing_for: 30s}"),
            ("elevator", _FAULT, f"late: tell\nmax_late: 10m\nclears_when: {_DOOR}"),
            ("elevator", _FAULT, "late: tell\nmax_late: 1d\nlate_severity: critical\nby_arrival: true"),
            ("gate", "{kind: event, types: [forced_open], clears_on: [door_closed]}", "late: tell\nmax_late: 10m"),
            ("thermal", f"{_HOT}}}", "late: tell\nmax_late: 1d\nlate_readings: true\nfor: 3s"),
            ("gate", "{kind: event, types: [held_open, forced_open], clears_on: [door_closed]}", ""),
            ("elevator", _ASKED, ""),
            ("elevator", _ASKED, "late: tell\nmax_late: 10m"),
        ]
    )
]
EVERY = RULES + SORTS
LIFTS = [DeviceKey("demo", DeviceKind.ELEVATOR, name) for name in ("lift-1", "lift-2")]
GATES = [DeviceKey("demo", DeviceKind.GATE, "gate-1")]
GATEWAYS = [DeviceKey("demo", DeviceKind.GATEWAY, "gw-1")]
CAMERAS = [DeviceKey("demo", DeviceKind.THERMAL, "shed-1")]

Maker = Callable[[float], tuple[DeviceKey, Body]]
"""Given the device's second, what it says."""
Step = tuple[float, float, bool, Maker]
"""Seconds since the message before, how old it is, whether it is flagged late, and what is said."""

maybe = st.none() | st.booleans()


def lift_reading() -> st.SearchStrategy[Maker]:
    return st.builds(
        lambda key, mode, direction, door, zone, person: (
            lambda at: (
                key,
                ElevatorTelemetry(
                    at=instant(at),
                    service_mode=mode,
                    direction=direction,
                    door_state=door,
                    door_zone=zone,
                    passenger_present=person,
                ),
            )
        ),
        st.sampled_from(LIFTS),
        st.sampled_from([None, ServiceMode.NORMAL, ServiceMode.INSPECTION]),
        st.sampled_from([None, Direction.STOPPED, Direction.STOPPED, Direction.UP]),
        st.sampled_from([None, DoorState.CLOSED, DoorState.CLOSED, DoorState.OPEN]),
        maybe,
        st.sampled_from([None, True, True, False]),
    )


def lift_event() -> st.SearchStrategy[Maker]:
    return st.builds(
        lambda key, kind, code: (
            lambda at: (
                key,
                ElevatorEvent(
                    at=instant(at),
                    type=kind,
                    source="gbt24476-2017",
                    code=code,
                    service_mode=ServiceMode.INSPECTION,
                    main_power=False,
                ),
            )
        ),
        st.sampled_from(LIFTS),
        st.sampled_from(ElevatorEventType),
        st.sampled_from(["1", "2", "4", "93"]),
    )


def gate_event() -> st.SearchStrategy[Maker]:
    kinds = [kind for kind in GateEventType if kind is not GateEventType.DENIED]
    return st.builds(
        lambda kind, door: lambda at: (GATES[0], GateEvent(at=instant(at), type=kind, door=door)),
        st.sampled_from(kinds),
        st.sampled_from(["1", "2"]),
    )


def gateway_event() -> st.SearchStrategy[Maker]:
    kinds = [GatewayEventType.CONTROLLER_LOST, GatewayEventType.CONTROLLER_LOST, GatewayEventType.CONTROLLER_RESTORED]
    return st.builds(
        lambda kind, name: lambda at: (GATEWAYS[0], GatewayEvent(at=instant(at), type=kind, controller=name)),
        st.sampled_from(kinds),
        st.sampled_from(["lift-1", "lift-2"]),
    )


def look() -> st.SearchStrategy[Maker]:
    return st.builds(
        lambda hot, cold: (
            lambda at: (
                CAMERAS[0],
                ThermalTelemetry(
                    at=instant(at),
                    regions=[Region(region=name, maximum_celsius=t) for name, t in (("a", hot), ("b", cold))],
                ),
            )
        ),
        st.sampled_from([25.0, 40.0, 48.0, 60.0, 100.0]),
        st.sampled_from([25.0, 40.0, 60.0]),
    )


def episode() -> st.SearchStrategy[Maker]:
    return st.builds(
        lambda kind, level: (
            lambda at: (
                CAMERAS[0],
                ThermalEvent(at=instant(at), type=kind, level=level, region="a", episode="e"),
            )
        ),
        st.sampled_from(ThermalEventType),
        st.sampled_from(ThermalLevel),
    )


def presence() -> st.SearchStrategy[Maker]:
    return st.builds(
        lambda key, status: lambda at: (key, Presence(at=instant(at), status=status)),
        st.sampled_from(LIFTS + GATES + CAMERAS),
        st.sampled_from(PresenceStatus),
    )


step = st.tuples(
    st.sampled_from([0.0, 0.5, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0]),
    st.sampled_from([0.0, 0.0, 0.0, 3.0, 400.0]),
    st.sampled_from([False, False, False, True]),
    st.one_of(lift_reading(), lift_event(), gate_event(), gateway_event(), look(), episode(), presence()),
)
stories = st.lists(step, min_size=1, max_size=60)


def told(steps: list[Step]) -> list[Observation]:
    talk, clock, observations = Talk(), 0.0, []
    for since, age, late, make in steps:
        clock += since
        key, body = make(clock - age)
        observations.append(talk.say(clock - age, key, body, received=clock, late=late))
    return observations


def undisturbed(observations: list[Observation], rules: list[Rule]) -> list[Transition]:
    engine = Engine(rules)
    said = [one for observation in observations for one in engine.observe(observation)]
    return said + engine.advance(observations[-1].received_at + timedelta(days=2))


strategy = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@strategy
@given(stories, st.data())
def test_ticks_anywhere_change_nothing(steps: list[Step], draw: st.DataObject) -> None:
    observations = told(steps)
    engine, said = Engine(EVERY), []
    for before, observation in zip([None, *observations], observations, strict=False):
        if before is not None and draw.draw(st.booleans()):
            share = draw.draw(st.floats(0, 1))
            said += engine.advance(before.received_at + share * (observation.received_at - before.received_at))
        said += engine.observe(observation)
    said += engine.advance(observations[-1].received_at + timedelta(days=2))
    assert said == undisturbed(observations, EVERY)


@strategy
@given(stories, st.data())
def test_restarts_anywhere_change_nothing(steps: list[Step], draw: st.DataObject) -> None:
    observations = told(steps)
    engine, said = Engine(EVERY), []
    stored: dict[str, bytes] = {}
    for observation in observations:
        said += engine.observe(observation)
        if draw.draw(st.booleans()):
            stored |= {path: state for path, state in engine.dirty().items() if state is not None}
            if draw.draw(st.booleans()):
                engine = Engine(EVERY)
                engine.restore(stored)
    said += engine.advance(observations[-1].received_at + timedelta(days=2))
    assert said == undisturbed(observations, EVERY)


@strategy
@given(stories, st.integers(1, 7), st.sets(st.integers(0, 12)))
def test_a_crash_and_a_replay_from_the_last_commit_tell_the_same(
    steps: list[Step], batch: int, killed: set[int]
) -> None:
    observations = told(steps)
    engine, committed, position = Engine(EVERY), [], 0
    stored: dict[str, bytes] = {}
    for attempt in count():
        if position >= len(observations):
            break
        said = [one for each in observations[position : position + batch] for one in engine.observe(each)]
        if attempt in killed:  # before the commit
            engine = Engine(EVERY)
            engine.restore(stored)
            continue
        committed += said
        stored |= {path: state for path, state in engine.dirty().items() if state is not None}
        position += batch
    committed += engine.advance(observations[-1].received_at + timedelta(days=2))
    assert committed == undisturbed(observations, EVERY)


def both(steps: list[Step], rules: list[Rule]) -> tuple[list[Transition], list[Transition]]:
    observations, plain = told(steps), PlainEngine(rules)
    end = observations[-1].received_at + timedelta(days=2)
    expected = [one for each in observations for one in plain.observe(each)] + plain.advance(end)
    return undisturbed(observations, rules), expected


@strategy
@given(stories)
def test_an_engine_that_remembers_everything_everywhere_tells_the_same(steps: list[Step]) -> None:
    said, expected = both(steps, RULES)
    assert said == expected


@strategy
@given(stories)
def test_so_it_is_with_rules_of_every_sort(steps: list[Step]) -> None:
    said, expected = both(steps, SORTS)
    assert said == expected


@strategy
@given(stories, st.data())
def test_the_same_rules_put_in_force_again_anywhere_change_nothing(steps: list[Step], draw: st.DataObject) -> None:
    observations, rules = told(steps), EVERY
    engine, said = Engine(rules), []
    for observation in observations:
        if draw.draw(st.booleans()):
            engine.replace_rules([msgspec.convert(msgspec.to_builtins(each), Rule) for each in rules])
            engine.set_inventory(Inventory(version=observation.position))
        said += engine.observe(observation)
    said += engine.advance(observations[-1].received_at + timedelta(days=2))
    assert said == undisturbed(observations, rules)


@strategy
@given(stories)
def test_some_quiet_days_later_only_what_is_open_or_watched_is_remembered(steps: list[Step]) -> None:
    # What was taken by its arrival stays until the device says otherwise with a right clock.
    rules = [msgspec.structs.replace(each, by_arrival=False) for each in RULES]
    observations, engine = told(steps), Engine(rules)
    for observation in observations:
        engine.observe(observation)
    # Longer than any event may be late, or may be waited for.
    engine.advance(observations[-1].received_at + timedelta(days=4))
    for state in engine.dirty().values():
        for name, left in msgspec.msgpack.decode(state, type=DeviceState).rules.items() if state else ():
            leaves = [leaf for part in left.parts.values() for leaf in part]
            forgotten = [Leaf(value=leaf.value, changed_at=leaf.changed_at) for leaf in leaves]
            assert left.phase or leaves != forgotten, name


@strategy
@given(stories)
def test_one_open_alert_for_each_rule_and_device_and_every_end_has_a_beginning(steps: list[Step]) -> None:
    # One of now, and one of what arrived late.
    open_alerts: dict[str, tuple[str, DeviceKey, bool]] = {}
    for one in undisturbed(told(steps), RULES):
        if one.kind is TransitionKind.FIRING:
            key = (one.rule, one.device, one.reason.code == "late")
            assert key not in open_alerts.values()
            open_alerts[one.alert_id] = key
        elif one.kind is TransitionKind.RESOLVED:
            assert open_alerts.pop(one.alert_id)[:2] == (one.rule, one.device)


@strategy
@given(stories)
def test_the_instants_of_a_device_never_run_backwards(steps: list[Step]) -> None:
    last: dict[DeviceKey, object] = {}
    for one in undisturbed(told(steps), RULES):
        if one.kind is not TransitionKind.PENDING:
            assert one.device not in last or last[one.device] <= one.at  # type: ignore[operator]
            last[one.device] = one.at


def test_the_stories_do_raise_alerts() -> None:
    raised: set[str] = set()
    joined: set[DeviceKind] = set()

    @settings(max_examples=320, deadline=None, database=None, derandomize=True)
    @given(stories)
    def collect(steps: list[Step]) -> None:
        said = undisturbed(told(steps), EVERY)
        raised.update(one.rule for one in said if not one.rule.startswith("sort-"))
        joined.update(one.device.kind for one in said if one.reason.code == "another_part")

    collect()
    assert len(raised) > 8, raised
    assert joined == {DeviceKind.GATE, DeviceKind.THERMAL, DeviceKind.GATEWAY}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_timers_of_the_same_instant_happen_in_the_order_of_devices(order: tuple[int, int]) -> None:
    talk = Talk()
    said = [talk.say(0, LIFTS[index], ElevatorTelemetry(at=instant(0))) for index in order]
    engine = Engine(RULES)
    for observation in said:
        engine.observe(observation)
    fired = [one.device.device for one in engine.advance(instant(4 * 3_600 + 1)) if one.kind is TransitionKind.FIRING]
    assert fired == ["lift-1", "lift-2"]
