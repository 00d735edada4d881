"""The committed AsyncAPI document says what the code does: same text, same topics, same verdict on a payload."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from app.asyncapi import BODIES, COMMAND, render
from core.devices import Channel, DeviceKey, DeviceKind
from core.wire import commands, topics
from core.wire.commands import ElevatorCommand, ElevatorCommandType
from ingest.decoders.native_body import FORMATS

COMMITTED = Path(__file__).parents[2] / "docs" / "reference" / "asyncapi.yaml"
DOCUMENT: dict[str, Any] = yaml.safe_load(COMMITTED.read_text(encoding="utf-8"))
KEYS = list(BODIES)
RECEIVED = [one for one in DOCUMENT["channels"].values() if one["address"].startswith("anju/v1/")]
NAMES = [f"{kind.value}-{channel.value}" for kind, channel in KEYS]
AT = "2026-08-14T07:02:26Z"

ELEVATOR_TELEMETRY = (DeviceKind.ELEVATOR, Channel.TELEMETRY)
ELEVATOR_EVENT = (DeviceKind.ELEVATOR, Channel.EVENT)
GATE_EVENT = (DeviceKind.GATE, Channel.EVENT)
THERMAL_TELEMETRY = (DeviceKind.THERMAL, Channel.TELEMETRY)
THERMAL_EVENT = (DeviceKind.THERMAL, Channel.EVENT)
GATEWAY_EVENT = (DeviceKind.GATEWAY, Channel.EVENT)
PRESENCE = (DeviceKind.GATE, Channel.PRESENCE)


def resolve(reference: str) -> Any:
    node: Any = DOCUMENT
    for word in reference.removeprefix("#/").split("/"):
        node = node[word]
    return node


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for one in node.values():
            yield from references(one)
    elif isinstance(node, list):
        for one in node:
            yield from references(one)


def channel_of(kind: DeviceKind, channel: Channel) -> dict[str, Any]:
    (found,) = [one for one in RECEIVED if one["address"].split("/")[3::2] == [kind.value, channel.value]]
    return dict(found)


def message_of(kind: DeviceKind, channel: Channel) -> dict[str, Any]:
    (reference,) = references(channel_of(kind, channel)["messages"])
    return dict(resolve(reference))


def schema_accepts(kind: DeviceKind, channel: Channel, payload: Any) -> bool:
    schema = {**message_of(kind, channel)["payload"], "components": DOCUMENT["components"]}
    return jsonschema.Draft7Validator(schema).is_valid(payload)


def struct_accepts(kind: DeviceKind, channel: Channel, payload: Any) -> bool:
    try:
        msgspec.json.decode(json.dumps(payload), type=BODIES[kind, channel])
    except msgspec.ValidationError:
        return False
    return True


def test_the_committed_document_is_what_the_code_says() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == render(), (
        "run `python -m app.asyncapi > docs/reference/asyncapi.yaml`"
    )


def test_it_describes_exactly_what_the_decoder_reads() -> None:
    assert BODIES.keys() == FORMATS.keys()
    for key, form in FORMATS.items():
        assert issubclass(form.twin, BODIES[key])


def test_it_is_asyncapi_3_and_every_reference_leads_somewhere() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    found = list(references(DOCUMENT))
    assert len(found) > len(KEYS) * 4
    for reference in found:
        assert resolve(reference)


def test_every_channel_is_received_by_exactly_one_operation_but_what_is_asked_is_sent() -> None:
    asked = [one for one in DOCUMENT["operations"].values() if one["action"] == "send"]
    assert [one["channel"]["$ref"] for one in asked] == [f"#/channels/{COMMAND}"]
    operations = [one for one in DOCUMENT["operations"].values() if one["action"] == "receive"]
    received = sorted(one["channel"]["$ref"] for one in operations)
    assert received == sorted(f"#/channels/{name}" for name in DOCUMENT["channels"] if name != COMMAND)
    retained = {one["channel"]["$ref"] for one in operations if one["bindings"]["mqtt"]["retain"]}
    assert retained == {name for name in received if name.endswith("Presence")}


@pytest.mark.parametrize(("kind", "channel"), KEYS, ids=NAMES)
def test_an_address_is_a_topic_the_code_builds_and_reads(kind: DeviceKind, channel: Channel) -> None:
    device = DeviceKey("jinxiu", kind, "a-1")
    described = channel_of(kind, channel)
    address = described["address"]
    assert set(re.findall(r"{(\w+)}", address)) == described["parameters"].keys()
    topic = address.format(community=device.community, device=device.device)
    assert topic == topics.build(device, channel)
    assert topics.parse(topic) == (device, channel)


@pytest.mark.parametrize(("kind", "channel"), KEYS, ids=NAMES)
def test_every_example_decodes_and_fits_its_schema(kind: DeviceKind, channel: Channel) -> None:
    examples = message_of(kind, channel)["examples"]
    assert examples
    for example in examples:
        assert schema_accepts(kind, channel, example["payload"]), example["name"]
        assert struct_accepts(kind, channel, example["payload"]), example["name"]


def test_a_command_stands_on_the_topic_the_code_builds_and_is_as_described() -> None:
    device = DeviceKey("jinxiu", DeviceKind.ELEVATOR, "a-1")
    described = DOCUMENT["channels"][COMMAND]
    topic = commands.build(device)
    assert described["address"].format(community=device.community, device=device.device) == topic
    with pytest.raises(topics.UnknownTopic):
        topics.parse(topic)
    (reference,) = references(described["messages"])
    message = resolve(reference)
    schema = {**message["payload"], "components": DOCUMENT["components"]}
    sent = ElevatorCommand(command=ElevatorCommandType.ALARM_TEST, at=datetime(2026, 8, 14, tzinfo=UTC))
    for payload in (json.loads(commands.encode(sent)), *(each["payload"] for each in message["examples"])):
        jsonschema.Draft7Validator(schema).validate(payload)
    assert not jsonschema.Draft7Validator(schema).is_valid({"command": "open_doors", "at": AT})


REGION = {"region": "a", "maximum_celsius": 30}
TOLD_APART = {
    "no time": (PRESENCE, {"status": "online"}, False),
    "unknown status": (PRESENCE, {"at": AT, "status": "away"}, False),
    "unknown field": (PRESENCE, {"at": AT, "status": "online", "rssi": -70}, True),
    "nothing but a time": (ELEVATOR_TELEMETRY, {"at": AT}, True),
    "explicit null": (ELEVATOR_TELEMETRY, {"at": AT, "floor": None}, True),
    "speed as text": (ELEVATOR_TELEMETRY, {"at": AT, "speed_mps": "1.0"}, False),
    "speed at the bound": (ELEVATOR_TELEMETRY, {"at": AT, "speed_mps": 25}, True),
    "speed beyond the bound": (ELEVATOR_TELEMETRY, {"at": AT, "speed_mps": 25.1}, False),
    "floor too long": (ELEVATOR_TELEMETRY, {"at": AT, "floor": "x" * 17}, False),
    "seq below zero": (ELEVATOR_TELEMETRY, {"at": AT, "seq": -1}, False),
    "fault with both": (ELEVATOR_EVENT, {"at": AT, "type": "fault_raised", "source": "s", "code": 4}, True),
    "fault without code": (ELEVATOR_EVENT, {"at": AT, "type": "fault_raised", "source": "s"}, False),
    "fault with null code": (ELEVATOR_EVENT, {"at": AT, "type": "fault_cleared", "source": "s", "code": None}, False),
    "mode without mode": (ELEVATOR_EVENT, {"at": AT, "type": "mode_changed"}, False),
    "all cleared of a list": (ELEVATOR_EVENT, {"at": AT, "type": "faults_cleared", "source": "s"}, True),
    "all cleared of no list": (ELEVATOR_EVENT, {"at": AT, "type": "faults_cleared"}, False),
    "power changed without power": (ELEVATOR_EVENT, {"at": AT, "type": "main_power_changed"}, False),
    "power changed": (ELEVATOR_EVENT, {"at": AT, "type": "main_power_changed", "main_power": True}, True),
    "car calls": (ELEVATOR_TELEMETRY, {"at": AT, "car_calls": ["7", "B1"]}, True),
    "car call of a number": (ELEVATOR_TELEMETRY, {"at": AT, "car_calls": [7]}, False),
    "levelling beyond the bound": (ELEVATOR_TELEMETRY, {"at": AT, "levelling_error_metres": 2.1}, False),
    "motor beyond the bound": (ELEVATOR_TELEMETRY, {"at": AT, "motor_celsius": 401}, False),
    "alarm alone": (ELEVATOR_EVENT, {"at": AT, "type": "alarm_pressed"}, True),
    "end of alarm alone": (ELEVATOR_EVENT, {"at": AT, "type": "alarm_reset"}, True),
    "alarm tested alone": (ELEVATOR_EVENT, {"at": AT, "type": "alarm_tested"}, True),
    "alarm test failed alone": (ELEVATOR_EVENT, {"at": AT, "type": "alarm_test_failed"}, True),
    "alarm test with a word of its own": (ELEVATOR_EVENT, {"at": AT, "type": "alarm_test"}, False),
    "denied without reason": (GATE_EVENT, {"at": AT, "type": "denied"}, False),
    "denied with reason": (GATE_EVENT, {"at": AT, "type": "denied", "reason": "expired"}, True),
    "granted without reason": (GATE_EVENT, {"at": AT, "type": "granted"}, True),
    "controller without name": (GATEWAY_EVENT, {"at": AT, "type": "controller_lost"}, False),
    "controller with null": (GATEWAY_EVENT, {"at": AT, "type": "controller_restored", "controller": None}, False),
    "controller with name": (GATEWAY_EVENT, {"at": AT, "type": "controller_lost", "controller": "lift-1"}, True),
    "battery alone": (GATEWAY_EVENT, {"at": AT, "type": "battery_low"}, True),
    "no region": (THERMAL_TELEMETRY, {"at": AT, "regions": []}, False),
    "one region": (THERMAL_TELEMETRY, {"at": AT, "regions": [REGION]}, True),
    "charger": (THERMAL_TELEMETRY, {"at": AT, "regions": [REGION | {"charger_current_amperes": 1_000}]}, True),
    "charger below zero": (THERMAL_TELEMETRY, {"at": AT, "regions": [REGION | {"charger_current_amperes": -1}]}, False),
    "smoke as a number": (THERMAL_TELEMETRY, {"at": AT, "regions": [REGION], "smoke_detected": 1}, False),
    "hotspot of two": (THERMAL_TELEMETRY, {"at": AT, "regions": [REGION | {"hotspot": [0, 1]}]}, True),
    "hotspot of one": (THERMAL_TELEMETRY, {"at": AT, "regions": [REGION | {"hotspot": [0]}]}, False),
    "hotspot of three": (THERMAL_TELEMETRY, {"at": AT, "regions": [REGION | {"hotspot": [0, 1, 1]}]}, False),
    "hotspot outside": (THERMAL_TELEMETRY, {"at": AT, "regions": [REGION | {"hotspot": [0, 1.5]}]}, False),
    "episode without id": (
        THERMAL_EVENT,
        {"at": AT, "type": "episode_started", "level": "alarm", "region": "a"},
        False,
    ),
}


@pytest.mark.parametrize(("key", "payload", "accepted"), TOLD_APART.values(), ids=TOLD_APART.keys())
def test_schema_and_struct_agree(key: tuple[DeviceKind, Channel], payload: dict[str, Any], accepted: bool) -> None:
    assert (schema_accepts(*key, payload), struct_accepts(*key, payload)) == (accepted, accepted)
