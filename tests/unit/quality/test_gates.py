"""Worlds of gates: reproducible, readable for the product, and their truth agrees with their messages."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
import pytest

from core.observations import Observation
from core.wire.payloads import GateEvent, GateEventType
from tests.quality.gate_doors import MAKES, Controller, Door
from tests.quality.gates import gate_worlds
from tests.quality.model import Incident, IncidentKind, Span, World
from tests.unit.quality.decoding import everything, observed

SPAN = Span(datetime(2026, 7, 1, tzinfo=UTC), timedelta(days=10))
SECOND = timedelta(seconds=1)
SEED = 16  # of the first worlds in which everything happens that is looked for


def test_the_same_seed_gives_the_same_worlds_and_another_one_others() -> None:
    span = Span(SPAN.since, timedelta(days=1))
    first, again, other = ([everything(world) for world in gate_worlds(seed, 7, span)] for seed in (1, 1, 2))
    assert first == again
    assert all(one != another for one, another in zip(first, other, strict=True))


class Heard(NamedTuple):
    """A world that has run, and what the product understood of its gate."""

    world: World
    events: list[Observation]

    def bodies(self) -> list[GateEvent]:
        return [each.body for each in self.events if isinstance(each.body, GateEvent)]

    def first_sign(self, incident: Incident) -> int:
        """Return which event is the first sign of ``incident``."""
        return [each.received_at for each in self.events].index(incident.first_sign)  # type: ignore[arg-type]

    def incidents(self, kind: IncidentKind, variant: str) -> list[Incident]:
        return [each for each in self.world.incidents if each.kind is kind and each.variant.startswith(variant)]


@pytest.fixture(scope="module")
def heard() -> list[Heard]:
    worlds = gate_worlds(SEED, 7, SPAN)
    return [
        Heard(world, [each for each in observed(world.messages) if isinstance(each.body, GateEvent)])
        for world in worlds
    ]


def test_makes_tell_only_what_they_can(heard: list[Heard]) -> None:
    for make, gate in zip(MAKES, heard, strict=True):
        assert gate.world.station.make == make.name
        told = {body.type for body in gate.bodies()}
        assert {GateEventType.GRANTED, GateEventType.DENIED} <= told <= make.tells
        assert all(
            (body.seq is not None) == make.numbers for body in gate.bodies() if body.type != GateEventType.DURESS
        )


def test_a_door_that_was_forced_and_fell_shut_is_told_so(heard: list[Heard]) -> None:
    checked = 0
    for gate in (each for each in heard if each.world.station.make.startswith("all-events")):
        for incident in gate.incidents(IncidentKind.FORCED_ENTRY, "shut-again"):
            told = gate.bodies()[gate.first_sign(incident) :]
            assert told[0].type is GateEventType.FORCED_OPEN
            shut = next(each for each in told if each.door == incident.part and each.type is GateEventType.DOOR_CLOSED)
            assert 19 * SECOND < shut.at - told[0].at < 121 * SECOND
            checked += 1
    assert checked


def test_a_duress_code_comes_behind_a_younger_event(heard: list[Heard]) -> None:
    gates = [(each, each.incidents(IncidentKind.DURESS, "behind-a-younger-event")) for each in heard]
    assert any(incidents for _, incidents in gates)
    for gate, incident in ((gate, incident) for gate, incidents in gates for incident in incidents):
        index = gate.first_sign(incident)
        duress = gate.events[index]
        assert duress.received_at - incident.began < 2 * SECOND
        younger = [each for each in gate.events[:index] if each.at > duress.at]
        assert younger
        assert duress.received_at - younger[0].received_at < 2 * SECOND


def test_a_duress_code_comes_late_after_a_gap(heard: list[Heard]) -> None:
    late = [incident for gate in heard for incident in gate.incidents(IncidentKind.DURESS, "late-after-a-gap")]
    assert late
    for incident in late:
        assert incident.first_sign is not None
        assert timedelta(minutes=12) <= incident.first_sign - incident.began < timedelta(minutes=12, seconds=20)


def test_a_latch_in_the_wind_chatters_within_two_seconds(heard: list[Heard]) -> None:
    gate = next(
        gate
        for gate in heard
        if gate.world.station.make.startswith("all-events") and "wind-on-contact" in _causes(gate.world)
    )
    gales = [each for each in gate.world.disturbances if each.cause == "wind-on-contact"]
    events = [
        body
        for each, body in zip(gate.events, gate.bodies(), strict=True)
        if any(gale.part == body.door and gale.began <= each.received_at < gale.ended + SECOND for gale in gales)
    ]
    gusts = sum(
        [each.type for each in three]
        == [GateEventType.FORCED_OPEN, GateEventType.DOOR_OPENED, GateEventType.DOOR_CLOSED]
        and three[2].at - three[0].at < 2 * SECOND
        for three in zip(events, events[1:], events[2:], strict=False)
    )
    assert gusts > 10 * len(gales) / 2


def _causes(world: World) -> set[str]:
    return {disturbance.cause for disturbance in world.disturbances}


def test_an_open_door_opens_once_is_held_open_and_shuts() -> None:
    controller = Controller(MAKES[0], SPAN, 1, 30.0)
    (door,) = controller.doors

    def hold(door: Door, t: float) -> None:
        door.open(t, 50.0)

    controller.at(100.0, door, hold)
    controller.at(120.0, door, hold)
    told = [(emission.at - SPAN.since, msgspec.convert(emission.body, dict)) for emission in controller.emissions()]
    assert [(at.total_seconds(), event["type"], event["seq"]) for at, event in told] == [
        (100.0, "door_opened", 1),
        (130.0, "held_open", 2),
        (170.0, "door_closed", 3),
    ]


def test_what_happens_while_a_controller_restarts_is_not_told() -> None:
    controller = Controller(MAKES[0], SPAN, 1, 60.0)
    (door,) = controller.doors
    controller.restart(100.0, 20.0)
    controller.at(105.0, door, lambda door, t: door.open(t, 30.0))
    told = [msgspec.convert(emission.body, dict)["type"] for emission in controller.emissions()]
    assert told == ["door_opened", "forced_open", "door_closed"]


def test_passages_follow_the_hours_of_the_day(heard: list[Heard]) -> None:
    hours = Counter((each.received_at.hour + 8) % 24 for each in heard[0].events)
    assert hours[18] > 5 * max(hours[2], 1)
