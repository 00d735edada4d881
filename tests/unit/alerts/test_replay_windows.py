"""What conditions over time say hangs on the messages and their order alone: not on batches, ticks or restarts."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.engine import Engine
from alerts.model import Transition
from core.devices import DeviceKey, DeviceKind
from core.observations import Observation
from core.wire.payloads import ElevatorEventType, ElevatorTelemetry, GateEventType
from tests.unit.alerts.plain import PlainEngine
from tests.unit.alerts.talk import LIFT, Talk, instant, rule

_OPEN = "{kind: state, signal: door_state, equals: open}"
_MOVING = "{kind: threshold, signal: speed_mps, above: 0.5}"
_OPENED = "{kind: event, types: [door_opened]}"
CONDITIONS = {
    "count": ("elevator", "{kind: count, of: {types: [fault_raised]}, at_least: 3, clear_below: 2, within: 5m}"),
    "ratio": (
        "elevator",
        "{kind: ratio, signal: door_cycle_count, per: trip_count, above: 5, clear: 3, within: 5m, at_least: 10}",
    ),
    "sequence": (
        "gate",
        "{kind: sequence, within: 30s, hold_for: 1m, without: [granted], "
        f"steps: [{{kind: event, types: [granted]}}, {_OPENED}, {_OPENED}]}}",
    ),
    "signals": ("elevator", f"{{kind: sequence, within: 1m, hold_for: 30s, steps: [{_OPEN}, {_MOVING}]}}"),
    "together": (
        "elevator",
        f"{{kind: together, within: 8s, of: [{_OPEN}, {{kind: event, types: [alarm_pressed]}}, "
        "{kind: threshold, signal: speed_mps, above: 0.5, confirm: 3s}]}",
    ),
    "none-of": ("elevator", f"{{kind: none_of, of: [{_MOVING}, {{kind: missing, nothing_for: 40s}}]}}"),
    "past": (
        "elevator",
        "{kind: compare, duration_of: {signal: door_state, values: [open]}, past: 3d, above_times: 1.5, "
        "at_least_days: 1, over: 1}",
    ),
    "beside": ("elevator", "{kind: compare, signal: load_kilograms, with: lift-2, above_by: 20, clear: 5}"),
    "cool": ("thermal", "{kind: none_of, of: [{kind: threshold, signal: maximum_celsius, above: 40}]}"),
    "steady": ("elevator", "{kind: threshold, signal: load_kilograms, above: 20, median_of: 3, confirm: 3s}"),
    "steady-rise": ("thermal", "{kind: rate, signal: maximum_celsius, above: 2, window: 1m, median_of: 3}"),
    "warmer": ("thermal", "{kind: change, signal: maximum_celsius, rises_by: 9, clear: 3, within: 30s, median_of: 3}"),
    "door-changed": ("elevator", "{kind: change, signal: door_state, by: any, within: 12s}"),
    "no-trip": (
        "elevator",
        f"{{kind: all_of, of: [{_OPEN}, "
        "{kind: none_of, of: [{kind: change, signal: trip_count, by: any, within: 20s}]}]}",
    ),
    "lighter": ("elevator", "{kind: change, signal: load_kilograms, falls_by: 40, within: 16s}"),
    "moved-since": ("elevator", f"{{kind: since, after: {_MOVING}, until: {_OPEN}}}"),
    "no-door-since": (
        "elevator",
        "{kind: since, after: {kind: change, signal: trip_count, by: any}, "
        "until: {kind: change, signal: door_state, by: any}}",
    ),
    "pressed-since": (
        "elevator",
        "{kind: since, after: {kind: event, types: [alarm_pressed]}, "
        "until: {kind: threshold, signal: load_kilograms, above: 50, clear: 10, confirm: 3s}}",
    ),
    "closed-since": (
        "elevator",
        f"{{kind: since, after: {{kind: state, signal: door_state, not_in: [open], confirm: 2s}}, until: {_MOVING}}}",
    ),
    "granted-since": ("gate", f"{{kind: since, after: {{kind: event, types: [granted]}}, until: {_OPENED}}}"),
    "beyond": (
        "elevator",
        "{kind: threshold, signal: load_kilograms, above: {signal: trip_count, times: 2, plus: 5}, "
        "clear: {signal: trip_count, plus: 1}, confirm: 3s}",
    ),
    "by-hour": (
        "elevator",
        "{kind: all_of, of: [{kind: compare, signal: load_kilograms, past: 3d, by_hour: true, above_by: 20, clear: 5, "
        f"at_least_days: 1, over: 1, until_learned: true}}, {_MOVING}]}}",
    ),
    "stuck": (
        "elevator",
        "{kind: unchanged, signal: door_state, equals: open, while_changes: speed_mps, at_least: 2, for: 5s}",
    ),
    "still": ("elevator", "{kind: unchanged, signal: load_kilograms, while_changes: trip_count, at_least: 2}"),
    "quiet": ("elevator", "{kind: missing, nothing_for: 30s, offline_for: 5s, rhythm: {times: 2, at_most: 2h}}"),
    "quiet-shed": (
        "thermal",
        "{kind: all_of, of: [{kind: threshold, signal: maximum_celsius, above: 20}, "
        "{kind: missing, nothing_for: 30s, channel: telemetry, rhythm: {times: 2, at_most: 1h}}]}",
    ),
    "heard": ("elevator", "{kind: none_of, of: [{kind: missing, nothing_for: 30s}]}"),
    "usual": (
        "elevator",
        "{kind: compare, signal: load_kilograms, past: 2d, below_times: 0.5, at_least_days: 1, over: 2}",
    ),
}
RULES = [rule(kind, condition, rule_id=name) for name, (kind, condition) in CONDITIONS.items()]

Saying = tuple[float, str, int]
"""Seconds since the one before, what it is, and a figure that makes of it what it is."""
WHAT = (
    "lift",
    "doors",
    "fault",
    "faults",
    "alarm",
    "gate",
    "crowd",
    "stay",
    "ride",
    "jam",
    "peer",
    "look",
    "warming",
    "late",
)
sayings = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 2.0, 5.0, 20.0, 60.0, 200.0, 40_000.0]),
        st.sampled_from(WHAT),
        st.integers(0, 11),
    ),
    min_size=1,
    max_size=70,
)


def observations_of(said: list[Saying]) -> list[Observation]:
    talk, clock, found = Talk(), 0.0, []
    doors = trips = 0
    for since, what, figure in [one for saying in said for one in _script(*saying)]:
        clock += since
        if what == "doors":
            # Every twelfth time the controller is a new one.
            doors, trips = (0, 0) if figure == 11 else (doors + 2 * figure, trips + figure % 2)
        found.append(_observation(talk, clock, what, figure, (doors, trips)))
    return found


def _script(since: float, what: str, figure: int) -> list[Saying]:
    """Return the sayings that ``what`` is short for: what chance alone would bring too seldom."""
    match what:
        case "faults":
            return [(since, "fault", 0), (figure, "fault", 1), (figure, "fault", 2)]
        case "crowd":
            return [(since, "gate", 0), (1.0, "gate", 1), (1.0 + figure, "gate", 1 + figure % 2)]
        case "stay":
            return [(since, "lift", 0), (1.0, "lift", 1), (1.0 + figure, "lift", 0)]
        case "ride":
            return [(since, "lift", 0), (1.0, "lift", 1), (1.0 + figure, "lift", 8), (1.0, "lift", 6)]
        case "jam" if figure % 2:
            return [(since, "lift", figure), *((2.0, "doors", 1) for _ in range(3))]
        case "jam":
            return [(since, "lift", 1), (2.0, "lift", 5), (2.0, "lift", 7), (float(figure), "lift", 11)]
        case "warming":
            return [(since, "look", 0), *((1.0 + figure, "look", 2 * step) for step in range(1, 6))]
    return [(since, what, figure)]


def _observation(talk: Talk, at: float, what: str, figure: int, counters: tuple[int, int]) -> Observation:
    match what:
        case "doors":
            return talk.lift(at, door_cycle_count=counters[0], trip_count=counters[1])
        case "fault":
            kinds = (ElevatorEventType.FAULT_RAISED, ElevatorEventType.FAULT_CLEARED)
            return talk.lift_event(at, kinds[figure % 4 == 3], str(1 + figure % 3))
        case "alarm":
            return talk.lift_event(at, ElevatorEventType.ALARM_PRESSED)
        case "gate":
            kinds_of_gate = (GateEventType.GRANTED, GateEventType.DOOR_OPENED, GateEventType.DOOR_OPENED)
            return talk.gate(at, kinds_of_gate[figure % 3], door=str(1 + figure // 6))
        case "peer":
            load = ElevatorTelemetry(at=instant(at), load_kilograms=5.0 * figure)
            return talk.say(at, DeviceKey("demo", DeviceKind.ELEVATOR, "lift-2"), load)
        case "look":
            return talk.camera(at, **{"ab"[figure % 2]: 20.0 + 3 * figure})
        case "late":
            body = ElevatorTelemetry(at=instant(at - 400), speed_mps=2.0, load_kilograms=0.0)
            return talk.say(at - 400, LIFT, body, received=at, late=True)
    signals: dict[str, object] = {
        "door_state": "open" if figure % 2 else "closed",
        "load_kilograms": float(figure * figure),
    }
    if figure % 3:
        signals["speed_mps"] = float(figure % 3 - 1)
    return talk.lift(at, received=None, late=False, **signals)


def end_of(observations: list[Observation]) -> timedelta:
    return observations[-1].received_at - observations[0].received_at + timedelta(days=2)


def undisturbed(observations: list[Observation]) -> list[Transition]:
    engine = Engine(RULES)
    said = [one for observation in observations for one in engine.observe(observation)]
    return said + engine.advance(observations[0].received_at + end_of(observations))


strategy = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@strategy
@given(sayings, st.data())
def test_ticks_and_restarts_anywhere_change_nothing(said: list[Saying], draw: st.DataObject) -> None:
    observations = observations_of(said)
    engine, told = Engine(RULES), []
    stored: dict[str, bytes] = {}
    for before, observation in zip([None, *observations], observations, strict=False):
        if before is not None and draw.draw(st.booleans()):
            share = draw.draw(st.floats(0, 1))
            told += engine.advance(before.received_at + share * (observation.received_at - before.received_at))
        if draw.draw(st.booleans()):
            for path, state in engine.dirty().items():
                stored.pop(path, None)
                if state is not None:
                    stored[path] = state
            engine = Engine(RULES)
            engine.restore(stored)
        told += engine.observe(observation)
    told += engine.advance(observations[0].received_at + end_of(observations))
    assert told == undisturbed(observations)


@strategy
@given(sayings)
def test_an_engine_that_remembers_everything_everywhere_tells_the_same(said: list[Saying]) -> None:
    observations, plain = observations_of(said), PlainEngine(RULES)
    expected = [one for each in observations for one in plain.observe(each)]
    expected += plain.advance(observations[0].received_at + end_of(observations))
    assert undisturbed(observations) == expected


@strategy
@given(sayings)
def test_what_is_remembered_of_a_device_stays_small(said: list[Saying]) -> None:
    engine = Engine(RULES)
    for observation in observations_of(said * 5):
        engine.observe(observation)
    for state in engine.dirty().values():
        # At most 2 KB for each rule that has something to remember; most need a fraction of that.
        assert state is None or len(state) < 2048 * 3


def test_the_sayings_raise_an_alert_of_every_kind() -> None:
    raised: set[str] = set()

    @settings(max_examples=400, deadline=None, database=None, derandomize=True)
    @given(sayings)
    def collect(said: list[Saying]) -> None:
        raised.update(one.rule for one in undisturbed(observations_of(said)))

    collect()
    assert raised == set(CONDITIONS)
