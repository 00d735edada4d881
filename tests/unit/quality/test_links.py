"""Links of the scored corpus: what arrives, when, and what the truth notes of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
import pytest

from core.devices import Channel, DeviceKey, DeviceKind
from core.wire.payloads import GatewayEventType
from tests.quality.links import Emission, Link, Outage, deliver, draw_link, gateway_key, gateway_world, link_incidents
from tests.quality.model import COMMUNITY, Incident, IncidentKind, Message, Span

START = datetime(2026, 3, 1, tzinfo=UTC)
SPAN = Span(START, timedelta(hours=1))
LIFT = DeviceKey(COMMUNITY, DeviceKind.ELEVATOR, "lift-1")
MINUTE = timedelta(minutes=1)


def each_minute(incident: Incident | None = None) -> Iterator[Emission]:
    signs = (incident,) if incident else ()
    for minute in range(60):
        yield Emission(START + minute * MINUTE, Channel.TELEMETRY, b'{"trip_count":%d}' % minute, signs)


def received(link: Link, incident: Incident | None = None) -> list[Message]:
    messages = list(deliver(LIFT, each_minute(incident), link, SPAN, Random(1)))
    assert messages == sorted(messages, key=lambda message: message.received_at)
    return messages


def counts(messages: list[Message]) -> list[int]:
    return [msgspec.json.decode(m.payload)["trip_count"] for m in messages if m.topic.endswith("telemetry")]


def test_a_good_link_delivers_each_message_once_in_its_order() -> None:
    assert counts(received(Link(duplicate_share=0))) == list(range(60))


@pytest.mark.parametrize(
    ("stores", "arrive"), [(0, []), (4, [16, 17, 18, 19]), (500, list(range(10, 20)))], ids=["none", "few", "all"]
)
def test_of_a_long_outage_the_newest_stored_messages_arrive_after_it(stores: int, arrive: list[int]) -> None:
    outage = Outage(START + 10 * MINUTE, START + 20 * MINUTE, stores)
    messages = received(Link(outages=(outage,), duplicate_share=0))
    assert counts(messages) == [*range(10), *arrive, *range(20, 60)]
    assert not [m for m in messages if outage.began + 2 * MINUTE < m.received_at < outage.ended]
    presence = [(m.received_at, msgspec.json.decode(m.payload)["status"]) for m in messages if "presence" in m.topic]
    assert [status for _, status in presence] == ["online", "offline", "online"]
    assert presence[1][0] == outage.began + timedelta(seconds=90)


def test_a_short_outage_only_delays() -> None:
    outage = Outage(START + 10 * MINUTE, START + 11 * MINUTE)
    messages = received(Link(outages=(outage,), duplicate_share=0))
    assert counts(messages) == list(range(60))
    assert len([m for m in messages if "presence" in m.topic]) == 1


def test_the_first_sign_is_the_first_arrival() -> None:
    incident = Incident(kind=IncidentKind.LIFT_FAULT, device=LIFT, began=START, ended=START + MINUTE)
    outage = Outage(START, START + 10 * MINUTE, stores=500)
    received(Link(outages=(outage,)), incident)
    assert incident.first_sign is not None
    assert outage.ended <= incident.first_sign < outage.ended + timedelta(seconds=2)


def test_a_wrong_clock_stands_in_the_payload_alone() -> None:
    (message, *_) = received(Link(clock_offset_seconds=-90, presence=False))
    assert msgspec.json.decode(message.payload)["at"] == "2026-02-28T23:58:30.000+00:00"
    assert message.received_at < START + timedelta(seconds=1)


def test_a_gateway_beats_each_minute_and_tells_its_events_between() -> None:
    device = gateway_key(1)
    events = [(START + 10.5 * MINUTE, GatewayEventType.POWER_LOST, None)]
    world = gateway_world(device, SPAN, Link(), Random(1), events)
    topics = [message.topic.rsplit("/")[-1] for message in world.messages]
    assert (topics.count("presence"), topics.count("event")) == (61, 1)


def test_outages_of_drawn_links_are_apart_and_told_of_where_long() -> None:
    link = draw_link(Random(3), Span(START, timedelta(days=30)), weak=True)
    assert all(first.ended < second.began for first, second in zip(link.outages, link.outages[1:], strict=False))
    told = link_incidents(LIFT, link, Span(START, timedelta(days=30)))
    assert 0 < len(told) < len(link.outages)
    assert all(incident.ended - incident.began > link.keep_alive * 1.5 for incident in told)
