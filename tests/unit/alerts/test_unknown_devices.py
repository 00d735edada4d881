"""Unregistered devices are bounded; registered ones are not touched by it; the same is forgotten whatever happens."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.engine import Engine
from alerts.inventory import DeviceFacts, Inventory
from alerts.model import Transition, TransitionKind
from alerts.rules import Rule
from alerts.unknown_devices import UNHEARD_FOR, UnknownLimits
from core.devices import DeviceKey, DeviceKind
from core.observations import Observation
from core.wire.payloads import (
    Body,
    ElevatorEvent,
    ElevatorEventType,
    ElevatorTelemetry,
    Presence,
    PresenceStatus,
    Region,
    ThermalTelemetry,
)
from tests.unit.alerts.talk import START, Talk, instant, rule
from tests.unit.alerts.test_replay import EVERY, Step, stories
from tests.unit.alerts.test_replay import told as observed

BUTTON = rule(
    "elevator", "{kind: event, types: [alarm_pressed], clears_on: [alarm_released]}", "protected: true", "button"
)
DOOR = rule("elevator", "{kind: state, signal: door_state, equals: open}", rule_id="door")
SILENT = rule("elevator", "{kind: missing, nothing_for: 5m}", rule_id="silent")
COMPARED = rule(
    "elevator",
    "{kind: compare, signal: load_kilograms, with: lift-9999, above_by: 8}",
    rule_id="compared",
)
RISING = rule("thermal", "{kind: rate, signal: maximum_celsius, above: 4, clear: 2, window: 2m}", rule_id="rising")
DAYS = UNHEARD_FOR / 1_000_000


def lift(name: str | int, community: str = "demo") -> DeviceKey:
    return DeviceKey(community, DeviceKind.ELEVATOR, f"lift-{name}")


class Street:
    """An engine, and short words for what lifts say to it."""

    def __init__(self, *rules: Rule, here: int = 3, elsewhere: int = 5, registered: Iterable[DeviceKey] = ()) -> None:
        self.talk = Talk()
        self.engine = Engine(rules, UnknownLimits(here, elsewhere))
        self.engine.set_inventory(Inventory({device: DeviceFacts() for device in registered}, 1))
        self.said: list[Transition] = []

    def reads(self, seconds: float, device: DeviceKey, **signals: object) -> None:
        self._hear(seconds, device, ElevatorTelemetry(at=instant(seconds), **signals))  # type: ignore[arg-type]

    def presses(self, seconds: float, device: DeviceKey) -> None:
        self._hear(seconds, device, ElevatorEvent(at=instant(seconds), type=ElevatorEventType.ALARM_PRESSED))

    def releases(self, seconds: float, device: DeviceKey) -> None:
        self._hear(seconds, device, ElevatorEvent(at=instant(seconds), type=ElevatorEventType.ALARM_RELEASED))

    def passes(self, seconds: float) -> None:
        self.said += self.engine.advance(instant(seconds))

    def _hear(self, seconds: float, device: DeviceKey, body: ElevatorTelemetry | ElevatorEvent) -> None:
        self.said += self.engine.observe(self.talk.say(seconds, device, body))

    def ends(self) -> list[tuple[str, str]]:
        """Return which device's alerts have ended, and why."""
        ended = [one for one in self.said if one.kind is TransitionKind.RESOLVED]
        return [(one.device.device, one.reason.code) for one in ended]

    def remembered(self) -> set[str]:
        return {site.device.key.device for site in self.engine._sites.values()}


def test_the_one_unheard_for_longest_makes_room_and_its_state_is_deleted() -> None:
    street = Street(DOOR)
    for second, name in enumerate([1, 2, 3, 1, 4]):
        street.reads(second, lift(name))
    assert street.remembered() == {"lift-1", "lift-3", "lift-4"}
    assert street.engine.take_forgotten() == [lift(2)]
    assert [path for path, state in street.engine.dirty().items() if state is None] == [lift(2).path]


def test_one_that_comes_back_at_once_begins_anew() -> None:
    street = Street(DOOR)
    for second, name in enumerate([1, 2, 3, 4, 1]):
        street.reads(second, lift(name))
    states = street.engine.dirty()
    assert states[lift(1).path] is not None
    assert states[lift(2).path] is None


def test_what_a_neighbour_says_is_not_hearing_the_device() -> None:
    street = Street(COMPARED, registered=[lift(9999)])
    for name in (1, 2, 3):
        street.reads(name, lift(name), load_kilograms=50)
    street.engine.dirty()
    street.reads(4, lift(9999), load_kilograms=50)
    assert lift(1).path in street.engine.dirty()
    street.reads(5, lift(3))
    street.reads(6, lift(2))
    street.reads(7, lift(4))
    assert street.remembered() == {"lift-9999", "lift-2", "lift-3", "lift-4"}
    street.reads(8, lift(9999), load_kilograms=60)
    street.reads(9, lift(5))
    assert street.remembered() == {"lift-9999", "lift-2", "lift-4", "lift-5"}


def test_registered_devices_are_not_counted_and_never_forgotten() -> None:
    known = [lift(f"known-{number}") for number in range(9)]
    street = Street(DOOR, registered=known)
    for second, device in enumerate(known):
        street.reads(second, device)
    for number in range(20):
        street.reads(100 + number, lift(number))
    assert street.remembered() == {device.device for device in known} | {"lift-17", "lift-18", "lift-19"}


def test_one_that_is_registered_later_is_kept() -> None:
    street = Street(DOOR)
    street.reads(0, lift("new"))
    street.engine.set_inventory(Inventory({lift("new"): DeviceFacts()}, 2))
    for number in range(9):
        street.reads(1 + number, lift(number))
    assert "lift-new" in street.remembered()


def test_communities_without_a_registered_device_share_a_bound() -> None:
    street = Street(DOOR, registered=[lift("known", "home")])
    for number in range(3):
        street.reads(number, lift(number, "home"))
    for number in range(50):
        street.reads(10 + number, lift("only", f"invented-{number}"))
    heard = {site.device.key for site in street.engine._sites.values()}
    assert {device.community for device in heard} == {"home", *(f"invented-{number}" for number in range(45, 50))}
    assert {lift(number, "home") for number in range(3)} <= heard
    assert list(street.engine.unknown.problems()) == ["unknown-devices/home", "unknown-devices"]


def test_an_open_alert_keeps_a_device_and_a_pressed_button_keeps_it_longest() -> None:
    street = Street(BUTTON, DOOR)
    street.presses(0, lift("pressed"))
    street.reads(1, lift("open"), door_state="open")
    for number in range(9):
        street.reads(2 + number, lift(number))
    assert street.remembered() == {"lift-pressed", "lift-open", "lift-8"}
    for number in range(2):
        street.presses(20 + number, lift(f"invented-{number}"))
    assert street.remembered() == {"lift-pressed", "lift-invented-0", "lift-invented-1"}
    assert street.ends() == [("lift-open", "unknown_device_forgotten")]


def test_a_press_at_an_unknown_lift_is_told_whatever_was_invented_before() -> None:
    street = Street(BUTTON)
    for number in range(9):
        street.presses(number, lift(number))
    street.presses(20, lift("real"))
    assert [one.device.device for one in street.said if one.kind is TransitionKind.FIRING][-1] == "lift-real"
    assert street.ends() == [(f"lift-{number}", "unknown_device_forgotten") for number in range(7)]


def test_an_alert_that_ended_keeps_its_device_no_longer() -> None:
    street = Street(BUTTON)
    street.presses(0, lift("calm"))
    for number in range(4):
        street.reads(1 + number, lift(number))
    street.releases(10, lift("calm"))
    for number in range(4, 6):
        street.reads(11 + number, lift(number))
    assert street.remembered() == {"lift-calm", "lift-4", "lift-5"}
    street.reads(30, lift(6))
    assert street.remembered() == {"lift-4", "lift-5", "lift-6"}


def test_an_alert_of_silence_keeps_no_device_and_ends_with_it() -> None:
    street = Street(SILENT)
    for number in range(3):
        street.reads(number, lift(number))
    street.reads(1000, lift("alive"))
    assert street.remembered() == {"lift-1", "lift-2", "lift-alive"}
    assert street.ends() == [("lift-0", "unknown_device_forgotten")]


def test_what_says_nothing_for_a_week_is_forgotten_at_that_instant() -> None:
    street = Street(SILENT, registered=[lift("known")])
    for name in ("known", 1, 2):
        street.reads(0, lift(name))
    street.reads(3600, lift(2))
    street.passes(DAYS - 1)
    assert street.remembered() == {"lift-known", "lift-1", "lift-2"}
    street.passes(DAYS + 3599)
    assert street.remembered() == {"lift-known", "lift-2"}
    assert street.ends()[-1] == ("lift-1", "unknown_device_unheard")
    assert street.said[-1].at == START + timedelta(seconds=DAYS)


def test_an_open_alert_keeps_a_device_beyond_a_week() -> None:
    street = Street(BUTTON, DOOR)
    street.presses(0, lift(1))
    street.passes(2 * DAYS)
    assert street.remembered() == {"lift-1"}
    assert not street.ends()


def test_an_alert_of_a_rule_that_is_removed_keeps_its_device_no_longer_than_a_week() -> None:
    street = Street(DOOR)
    street.reads(0, lift(1), door_state="open")
    street.passes(2 * DAYS)
    street.engine.replace_rules([])
    street.passes(2 * DAYS + 1)
    street.passes(2 * DAYS + 2)
    assert street.remembered() == set()
    assert street.ends() == [("lift-1", "rule_removed")]


def test_what_is_beyond_the_bounds_at_a_start_is_forgotten_with_the_first_message() -> None:
    street, stored = Street(DOOR, here=9, elsewhere=9), {}
    for number in range(9):
        street.reads(number, lift(number))
    for path, state in street.engine.dirty().items():
        stored[path] = state or b""
    narrow = Street(DOOR, here=2)
    narrow.talk = street.talk
    narrow.engine.restore(stored)
    narrow.reads(20, lift(3))
    assert narrow.remembered() == {"lift-3", "lift-8"}
    assert narrow.engine.take_forgotten() == [lift(number) for number in range(8)]


@pytest.mark.parametrize("community", ["demo", None])
def test_names_without_end_leave_nothing_behind(community: str | None) -> None:
    street = Street(BUTTON, SILENT, COMPARED, here=50, elsewhere=50)
    for number in range(5_000):
        street.reads(number / 1_000, lift(number, community or f"c-{number}"))
        street.engine.take_forgotten()
    engine = street.engine
    assert len(engine._sites) == engine.unknown.count == 50
    assert len(engine._watchers) <= 50
    assert len(engine._timers) < 1_000
    assert len(engine.unknown._communities) <= 50
    assert len(engine.unknown._unregistered._entries) < 200


def looks(street: Street, seconds: float, name: str, regions: int) -> None:
    camera = DeviceKey("demo", DeviceKind.THERMAL, name)
    seen = [Region(region=f"rack-{number}", maximum_celsius=20.0) for number in range(regions)]
    street.said += street.engine.observe(
        street.talk.say(seconds, camera, ThermalTelemetry(at=instant(seconds), regions=seen))
    )


def test_many_parts_count_as_many_devices() -> None:
    street = Street(RISING, here=20, elsewhere=20)
    for number in range(10):
        looks(street, number, f"narrow-{number}", 1)
    looks(street, 20, "wide-1", 40)
    assert len(street.remembered()) == 11
    looks(street, 21, "wide-2", 36)
    assert street.remembered() == {*(f"narrow-{number}" for number in range(6, 10)), "wide-1", "wide-2"}
    looks(street, 22, "wide-3", 64)
    assert street.remembered() == {"wide-3"}
    looks(street, 23, "narrow-0", 1)
    assert street.remembered() == {"wide-3", "narrow-0"}
    assert list(street.engine.unknown.problems()) == ["unknown-devices/demo", "unknown-devices"]


def test_parts_without_an_alert_push_out_no_pressed_button() -> None:
    street = Street(RISING, BUTTON, here=15, elsewhere=15)
    for number in range(14):
        street.presses(number, lift(number))
    looks(street, 20, "wide", 64)
    assert street.remembered() == {f"lift-{number}" for number in range(14)}
    assert not street.ends()
    looks(street, 21, "narrow", 60)
    assert "narrow" in street.remembered()


LIMITS = UnknownLimits(2, 3)
_seconds = st.floats(0, 400) | st.sampled_from([90_000.0, 500_000.0, 700_000.0])
_names = st.integers(0, 6)
_bodies = st.sampled_from(
    ["look-1", "look-3", "look-7", "press", "release", "read", "open", "closed", "online", "offline"]
)
_talks = st.lists(st.tuples(_seconds, _names, _bodies), min_size=1, max_size=60)
_RULES = [RISING, BUTTON, DOOR, SILENT, rule("elevator", "{kind: missing, offline_for: 5s}", rule_id="away")]
_KNOWN = Inventory({lift(0): DeviceFacts(), lift(1): DeviceFacts()}, 1)
_strategy = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def spoken(talks: list[tuple[float, int, str]]) -> list[Observation]:
    talk, now, said = Talk(), 0.0, []
    for seconds, name, what in talks:
        now += seconds
        device = lift(name, "demo" if name < 5 else f"else-{name}")
        if what.startswith("look"):
            device = DeviceKey(device.community, DeviceKind.THERMAL, device.device)
        said.append(talk.say(now, device, _body(now, what)))
    return said


def _body(now: float, what: str) -> Body:
    at = instant(now)
    if what.startswith("look"):
        regions = [Region(region=f"rack-{number}", maximum_celsius=20.0) for number in range(int(what[-1]))]
        return ThermalTelemetry(at=at, regions=regions)
    match what:
        case "press":
            return ElevatorEvent(at=at, type=ElevatorEventType.ALARM_PRESSED)
        case "release":
            return ElevatorEvent(at=at, type=ElevatorEventType.ALARM_RELEASED)
        case "online" | "offline":
            return Presence(at=at, status=PresenceStatus(what))
        case "open" | "closed":
            return ElevatorTelemetry(at=at, door_state=what)  # type: ignore[arg-type]
    return ElevatorTelemetry(at=at)


def bounded(rules: list[Rule], inventory: Inventory = _KNOWN) -> Engine:
    engine = Engine(rules, LIMITS)
    engine.set_inventory(inventory)
    return engine


def undisturbed(observations: list[Observation], rules: list[Rule]) -> list[Transition]:
    engine = bounded(rules)
    said = [one for each in observations for one in engine.observe(each)]
    return said + engine.advance(observations[-1].received_at + timedelta(days=20))


def disturbed(observations: list[Observation], rules: list[Rule], draw: st.DataObject) -> list[Transition]:
    """Restart from what was committed, or let time pass, before any message."""
    engine, stored = bounded(rules), dict[str, bytes]()
    said: list[Transition] = []
    for observation in observations:
        if draw.draw(st.booleans()):
            for path, state in engine.dirty().items():
                stored.pop(path, None)
                if state is not None:
                    stored[path] = state
            assert set(stored) == {site.device.path for site in engine._sites.values()}
            engine = bounded(rules)
            engine.restore(dict(reversed(stored.items())))
        if draw.draw(st.booleans()):
            said += engine.advance(observation.received_at)
        said += engine.observe(observation)
    return said + engine.advance(observations[-1].received_at + timedelta(days=20))


@_strategy
@given(_talks, st.data())
def test_restarts_and_ticks_anywhere_forget_the_same(talks: list[tuple[float, int, str]], draw: st.DataObject) -> None:
    observations = spoken(talks)
    assert disturbed(observations, _RULES, draw) == undisturbed(observations, _RULES)


@settings(_strategy, max_examples=40)
@given(stories, st.data())
def test_so_it_is_with_rules_of_every_sort(steps: list[Step], draw: st.DataObject) -> None:
    observations = observed(steps)
    assert disturbed(observations, EVERY, draw) == undisturbed(observations, EVERY)


@_strategy
@given(_talks)
def test_known_devices_hear_nothing_of_it(talks: list[tuple[float, int, str]]) -> None:
    observations, engine = spoken(talks), bounded(_RULES)
    alone = [one for each in observations if _KNOWN.has(each.device) for one in engine.observe(each)]
    alone += engine.advance(observations[-1].received_at + timedelta(days=20))
    assert [one for one in undisturbed(observations, _RULES) if _KNOWN.has(one.device)] == alone


@_strategy
@given(_talks)
def test_the_bounds_hold_after_every_message_and_every_alert_that_was_raised_ends_or_is_open(
    talks: list[tuple[float, int, str]],
) -> None:
    engine, open_alerts = bounded(_RULES), set[str]()
    for observation in spoken(talks):
        for one in engine.observe(observation):
            if one.kind is TransitionKind.FIRING:
                open_alerts.add(one.alert_id)
            elif one.kind is TransitionKind.RESOLVED:
                open_alerts.remove(one.alert_id)
        unknown = [site.device.key for site in engine._sites.values() if not _KNOWN.has(site.device.key)]
        here = [device for device in unknown if device.community == "demo"]
        assert len(here) <= LIMITS.per_community
        assert len(unknown) - len(here) <= LIMITS.unregistered_communities
    states = (state for site in engine._sites.values() for state in site.device.state.rules.values())
    assert {state.alert.id for state in states if state.alert is not None} == open_alerts
