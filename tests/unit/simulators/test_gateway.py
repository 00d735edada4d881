"""A gateway's beat, its power, and the controllers behind it; and the facts of a community's devices."""

from collections.abc import Mapping
from itertools import pairwise

import msgspec
import pytest

from alerts.inventory import DeviceFacts
from core.devices import DeviceKey
from core.wire.payloads import GatewayEvent, Presence
from simulators.facts import facts_of
from simulators.gate import ForceOpen
from simulators.gateway import LoseController, LosePower, RegainController, RegainPower
from simulators.model import Input, UnknownInputError
from simulators.spec import load, with_lifts
from tests.unit.simulators.driving import START, drive, gateway

LOW_AFTER = 0.75 * 3_600


def told(seconds: float, inputs: Mapping[float, Input]) -> list[tuple[float, str, str | None]]:
    """Return (second, event, controller) of what a gateway says on its event channel."""
    return [
        ((body.at - START).total_seconds(), body.type.value, body.controller)
        for body in drive(gateway(), seconds, inputs=dict(inputs))
        if isinstance(body, GatewayEvent)
    ]


def test_a_quiet_gateway_says_its_beat_and_nothing_else() -> None:
    said = list(drive(gateway(), 3_600))
    assert {type(body) for body in said} == {Presence}
    assert {(after.at - before.at).total_seconds() for before, after in pairwise(said)} == {60.0}


STORIES: dict[str, tuple[dict[float, Input], list[tuple[float, str, str | None]]]] = {
    "a short cut": (
        {100.0: LosePower(), 400.0: RegainPower()},
        [(100, "power_lost", None), (400, "power_restored", None)],
    ),
    "a long cut": (
        {100.0: LosePower(), 3_000.0: RegainPower()},
        [
            (100, "power_lost", None),
            (100 + LOW_AFTER, "battery_low", None),
            (3_000, "power_restored", None),
            (3_000, "battery_ok", None),
        ],
    ),
    "mains that never failed are not back": ({100.0: RegainPower()}, []),
    "a second failure is none": (
        {100.0: LosePower(), 200.0: LosePower(), 300.0: RegainPower()},
        [(100, "power_lost", None), (300, "power_restored", None)],
    ),
    "a controller": (
        {100.0: LoseController("lift"), 150.0: LoseController("lift"), 200.0: RegainController("lift")},
        [(100, "controller_lost", "lift"), (200, "controller_restored", "lift")],
    ),
    "a controller that was never lost": ({100.0: RegainController("lift")}, []),
}


@pytest.mark.parametrize(("inputs", "expected"), STORIES.values(), ids=STORIES.keys())
def test_what_a_gateway_tells(inputs: dict[float, Input], expected: list[tuple[float, str, str | None]]) -> None:
    assert told(3_600, inputs) == expected


def test_the_same_seed_says_the_same_and_another_does_not() -> None:
    said = [list(drive(gateway(seed), 600)) for seed in (1, 1, 2)]
    assert said[0] == said[1]
    assert said[0] != said[2]


def test_an_input_of_another_device_is_refused() -> None:
    with pytest.raises(UnknownInputError, match="ForceOpen"):
        gateway().step(START, [ForceOpen()])


def test_the_demo_s_facts_are_facts_that_anju_keeps_and_name_every_device() -> None:
    spec = load("demo")
    facts = {path: msgspec.convert(each, DeviceFacts) for path, each in facts_of(spec).items()}
    assert len(facts) == len(spec.lifts) + len(spec.gates) + len(spec.cameras) + len(spec.gateways) == 6
    assert all(DeviceKey.from_path(path).path == path for path in facts)
    assert all(each.name_zh and each.name_en for each in facts.values())
    lift = facts["jinxiu/elevator/block-3-lift"]
    assert (lift.gateway, lift.building, lift.tags) == ("block-3-gateway", "block-3", frozenset({"housing"}))
    assert lift.numbers == {"rated_load_kilograms": 630.0, "stops": 7.0}


def test_many_lifts_do_not_share_a_name() -> None:
    facts = facts_of(with_lifts(load("demo"), 3))
    lifts = [each for path, each in facts.items() if "/elevator/" in path]
    assert len(lifts) == 3
    assert not any("name_zh" in each or "name_en" in each for each in lifts)
    assert {str(each["gateway"]) for each in lifts} == {"block-3-gateway"}
