"""Every kind of device on the wire is known to all who list kinds: decoder, stores, rules, API, simulators."""

import pytest

from alerts.rules.signals import event_fields, signals_of
from api.series import FAMILIES_OF_KIND
from app.asyncapi import BODIES
from core.devices import Channel, DeviceKind
from core.telemetry import FAMILIES
from ingest.decoders.native_body import FORMATS
from simulators.fleet import Fleet
from simulators.spec import load
from tests.unit.simulators.driving import START

KINDS = sorted({kind for kind, _ in FORMATS})


def test_the_kinds_on_the_wire() -> None:
    assert KINDS == [DeviceKind.ELEVATOR, DeviceKind.GATE, DeviceKind.GATEWAY, DeviceKind.THERMAL]
    assert {kind for kind, _ in BODIES} == set(KINDS)
    assert {key.kind for key in Fleet(load("demo"), seed=1, start=START).devices} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_tells_presence_and_events_and_rules_know_them(kind: DeviceKind) -> None:
    channels = {channel for each, channel in FORMATS if each is kind}
    assert channels >= {Channel.EVENT, Channel.PRESENCE}
    assert event_fields(kind)["type"].choices
    assert bool(signals_of(kind)) is (Channel.TELEMETRY in channels)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_families_that_stores_know_its_own_first(kind: DeviceKind) -> None:
    families = FAMILIES_OF_KIND[kind]
    assert set(families) <= set(FAMILIES)
    assert families[0].split("_")[0] == kind.value
    assert families[-1] == "presence"
