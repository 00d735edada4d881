"""The built-in pack over the simulated community: each incident raises what it should, an ordinary morning nothing."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from alerts.engine import Engine
from alerts.inventory import DeviceFacts, Inventory
from alerts.model import TransitionKind
from alerts.packs import builtin_rules
from core.devices import DeviceKey
from core.observations import Entry, Observation
from core.wire.payloads import PresenceStatus
from ingest.decoders.native import NativeDecoder
from simulators.facts import facts_of
from simulators.fleet import Fleet, LinkLost, LinkRestored, Outgoing, Output, PlannedIncident, presence
from simulators.spec import load

# Half past seven in the morning in Shanghai: the busiest hours of lifts and gates.
DEMO_FACTS = Inventory(
    {DeviceKey.from_path(path): msgspec.convert(facts, DeviceFacts) for path, facts in facts_of(load("demo")).items()}
)
_TOLD = (TransitionKind.FIRING, TransitionKind.SEVERITY_CHANGED, TransitionKind.RESOLVED)
START = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)


def alerts_of(seconds: float, *incidents: PlannedIncident) -> list[tuple[str, str]]:
    """Return (rule, kind) of everything that fires and resolves in so many simulated seconds; not what repeats."""
    fleet = Fleet(load("demo"), seed=1, start=START, incidents=incidents)
    decode, engine = NativeDecoder(pseudonym_key=b"k" * 32), Engine(builtin_rules())
    engine.set_inventory(DEMO_FACTS)
    said, position = [], 0
    while (now := fleet.next_at) < START + timedelta(seconds=seconds):
        for output in fleet.step(now):
            if (message := as_message(output, now)) is not None:
                position += 1
                entry = Entry(position, now, message.topic, message.payload, len(message.payload))
                observation = decode(entry)
                assert isinstance(observation, Observation)
                said += engine.observe(observation)
    said += engine.advance(START + timedelta(seconds=seconds))
    return [(one.rule, one.kind.value) for one in said if one.kind in _TOLD]


def as_message(output: Output, now: datetime) -> Outgoing | None:
    """Return what the broker would publish: a lost link ends in a last will, a restored one begins with a birth."""
    match output:
        case Outgoing():
            return output
        case LinkLost():
            return presence(output.device, PresenceStatus.OFFLINE, now)
        case LinkRestored():
            return presence(output.device, PresenceStatus.ONLINE, now)
    return None


@pytest.mark.parametrize(
    ("incident", "expected"),
    [
        (
            "trapped-passenger",
            {
                "stopped-outside-door-zone",
                "car-alarm-button",
                "car-alarm-ended",
                "trapped-passenger-suspected",
                "trapped-passenger",
                "lift-in-inspection",
            },
        ),
        ("door-fault", {"fault-major"}),
        (
            "ebike-fire",
            {"thermal-pre-alarm", "thermal-alarm", "thermal-rate-of-rise", "thermal-slow-rise", "thermal-runaway"},
        ),
        ("door-forced", {"gate-forced-open"}),
        ("device-offline", {"gate-offline"}),
        ("gateway-dead", {"gateway-offline", "elevator-offline"}),
        (
            "power-cut",
            {
                "gateway-power-lost",
                "lift-power-off",
                "trapped-passenger-suspected",
                "trapped-passenger",
                "car-alarm-button",
            },
        ),
        ("power-cut-at-once", {"gateway-power-lost", "lift-power-off"}),
        ("door-chatter", {"repeated-door-operation", "lift-door-open-long"}),
        ("overload", {"lift-overloaded"}),
    ],
)
def test_each_incident_raises_what_it_should_once_and_ends(incident: str, expected: set[str]) -> None:
    # A fire stands for half an hour after it has cooled.
    said = alerts_of(3_600 if incident == "ebike-fire" else 2_400, PlannedIncident(incident, 60))
    assert {rule for rule, _ in said} == expected
    said = [(rule, kind) for rule, kind in said if kind != "severity_changed"]
    assert sorted(said) == sorted((rule, kind) for rule in expected for kind in ("firing", "resolved"))


def test_of_a_dead_gateway_the_cause_comes_first() -> None:
    fired = [rule for rule, kind in alerts_of(600, PlannedIncident("gateway-dead", 60)) if kind == "firing"]
    assert fired == ["gateway-offline", "elevator-offline"]


def test_of_a_power_cut_the_causes_come_first() -> None:
    fired = [rule for rule, kind in alerts_of(600, PlannedIncident("power-cut", 60)) if kind == "firing"]
    assert set(fired[:2]) == {"gateway-power-lost", "lift-power-off"}


@pytest.mark.parametrize("incident", ["trapped-passenger", "power-cut"])
def test_who_is_trapped_is_confirmed_with_the_press_of_the_button(incident: str) -> None:
    # The press comes 80 s after the incident begins, before 70 s of standing are over, let alone 2 min.
    fired = [rule for rule, kind in alerts_of(60 + 80 + 1, PlannedIncident(incident, 60)) if kind == "firing"]
    assert [rule for rule in fired if "trapped" in rule] == ["trapped-passenger"]


def test_a_busy_morning_raises_nothing() -> None:
    assert alerts_of(2 * 3600) == []
