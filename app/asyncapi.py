"""The wire contract as an AsyncAPI 3.0 document, drawn from the structs that decode it.

``python -m app.asyncapi > docs/reference/asyncapi.yaml`` writes it anew; a test compares the two.
"""

import sys
from typing import Any

import msgspec
import yaml

from app.asyncapi_examples import COMMANDS, EXAMPLES
from core.devices import Channel, DeviceKind
from core.observations import PAYLOAD_LIMIT_BYTES
from core.wire import commands
from core.wire.commands import ElevatorCommand
from core.wire.payloads import (
    Body,
    ElevatorEvent,
    ElevatorTelemetry,
    GateEvent,
    GatewayEvent,
    Presence,
    ThermalEvent,
    ThermalTelemetry,
)
from core.wire.topics import ROOT, WORD

Json = dict[str, Any]

VERSION = "1.2.0"
HEADER = "# Generated from the code by `python -m app.asyncapi`; do not edit.\n"
# The MQTT bindings' own version, published with AsyncAPI 3.0.
BINDING_VERSION = "0.2.0"

BODIES: dict[tuple[DeviceKind, Channel], type[Body]] = {
    (DeviceKind.ELEVATOR, Channel.TELEMETRY): ElevatorTelemetry,
    (DeviceKind.ELEVATOR, Channel.EVENT): ElevatorEvent,
    (DeviceKind.ELEVATOR, Channel.PRESENCE): Presence,
    (DeviceKind.GATE, Channel.EVENT): GateEvent,
    (DeviceKind.GATE, Channel.PRESENCE): Presence,
    (DeviceKind.THERMAL, Channel.TELEMETRY): ThermalTelemetry,
    (DeviceKind.THERMAL, Channel.EVENT): ThermalEvent,
    (DeviceKind.THERMAL, Channel.PRESENCE): Presence,
    (DeviceKind.GATEWAY, Channel.EVENT): GatewayEvent,
    (DeviceKind.GATEWAY, Channel.PRESENCE): Presence,
}

COMMAND = "elevatorCommand"

_DESCRIPTION = (
    "What lifts, access gates, thermal cameras and the gateways before them say to Anju over MQTT 3.1.1 or 5. Publish "
    "with QoS 1: Anju acknowledges a message only after it is on disk. Fields that are not marked required may be left "
    "out, and unknown fields are kept, not refused. A message that breaks this contract, or is larger than "
    f"{PAYLOAD_LIMIT_BYTES} bytes, or has control characters in a text, ends in quarantine with its reason. The same "
    "bytes sent again on the same topic count as one message. What Anju asks of lifts stands on topics of its own."
)

_AT = (
    "The device's instant, RFC 3339 with an offset; a time without one is read in the community's zone. "
    "More than five minutes in the future it is replaced by the instant of arrival."
)
_ASKED_AT = "When it was asked, RFC 3339 in UTC. What is older than an hour is to be left undone: it is asked again."

# What `__post_init__` of the structs asks beyond types and ranges, said in JSON Schema.
_CONDITIONS: dict[str, list[tuple[list[str], list[str]]]] = {
    "ElevatorEvent": [
        (["fault_raised", "fault_cleared"], ["source", "code"]),
        (["faults_cleared"], ["source"]),
        (["mode_changed"], ["service_mode"]),
        (["main_power_changed"], ["main_power"]),
    ],
    "GateEvent": [(["denied"], ["reason"])],
    "GatewayEvent": [(["controller_lost", "controller_restored"], ["controller"])],
}


def document() -> Json:
    """Return the whole AsyncAPI document."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Anju devices", "version": VERSION, "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": {_name(*key): _channel(*key) for key in BODIES} | {COMMAND: _command_channel()},
        "operations": {f"receive{_title(_name(*key))}": _operation(*key) for key in BODIES}
        | {f"send{_title(COMMAND)}": _command_operation()},
        "components": {
            "parameters": _parameters(),
            "messages": {_title(_name(*key)): _message(*key) for key in BODIES} | {_title(COMMAND): _command_message()},
            "schemas": _schemas(),
        },
    }


def render() -> str:
    """Return the document as the YAML text that is committed."""
    return HEADER + yaml.dump(document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


class _Plain(yaml.SafeDumper):
    """YAML without anchors: an object that stands in two places is written twice."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _servers() -> Json:
    def server(protocol: str, port: str, text: str) -> Json:
        return {
            "host": "{host}:{port}",
            "protocol": protocol,
            "description": text,
            "variables": {
                "host": {"default": "localhost", "description": "Where your broker is."},
                "port": {"default": port},
            },
            "security": [{"type": "userPassword", "description": "The community's account at the broker."}],
        }

    return {
        "plain": server("mqtt", "1883", "MQTT 3.1.1 or 5 inside a network you trust."),
        "secure": server("secure-mqtt", "8883", "MQTT 3.1.1 or 5 over TLS."),
    }


def _channel(kind: DeviceKind, channel: Channel) -> Json:
    title = _title(_name(kind, channel))
    return {
        "address": f"{ROOT}/{{community}}/{kind.value}/{{device}}/{channel.value}",
        "messages": {title: {"$ref": f"#/components/messages/{title}"}},
        "parameters": {name: {"$ref": f"#/components/parameters/{name}"} for name in _parameters()},
    }


def _parameters() -> Json:
    form = f"1 to 64 of a-z, 0-9 and inner dashes (`{WORD.pattern}`)."
    return {
        "community": {"description": f"The residential community, {form}", "examples": ["jinxiu"]},
        "device": {
            "description": f"The device, unique in its community and kind, {form}",
            "examples": ["block-3-lift"],
        },
    }


def _operation(kind: DeviceKind, channel: Channel) -> Json:
    name = _name(kind, channel)
    retained = channel is Channel.PRESENCE
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{name}"},
        "summary": _SUMMARIES[channel].format(kind=kind.value),
        "messages": [{"$ref": f"#/channels/{name}/messages/{_title(name)}"}],
        "bindings": {"mqtt": {"qos": 1, "retain": retained, "bindingVersion": BINDING_VERSION}},
    }


_SUMMARIES = {
    Channel.TELEMETRY: "Readings of one {kind}, at the pace of the device.",
    Channel.EVENT: "What happened at one {kind}, as it happens.",
    Channel.PRESENCE: "Birth and last will of one {kind}, both retained.",
}


def _message(kind: DeviceKind, channel: Channel) -> Json:
    body = BODIES[kind, channel]
    return {
        "name": _name(kind, channel),
        "title": f"{kind.value} {channel.value}",
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{body.__name__}"},
        "examples": [
            {"name": name, "payload": _without_nulls(msgspec.to_builtins(example))}
            for name, example in EXAMPLES[kind, channel].items()
        ],
    }


def _command_channel() -> Json:
    title = _title(COMMAND)
    return {
        "address": f"{commands.ROOT}/{{community}}/{DeviceKind.ELEVATOR.value}/{{device}}",
        "messages": {title: {"$ref": f"#/components/messages/{title}"}},
        "parameters": {name: {"$ref": f"#/components/parameters/{name}"} for name in _parameters()},
    }


def _command_operation() -> Json:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{COMMAND}"},
        "summary": "What Anju asks of one elevator. A device that cannot do it needs not listen.",
        "messages": [{"$ref": f"#/channels/{COMMAND}/messages/{_title(COMMAND)}"}],
        "bindings": {"mqtt": {"qos": 1, "retain": False, "bindingVersion": BINDING_VERSION}},
    }


def _command_message() -> Json:
    return {
        "name": COMMAND,
        "title": "elevator command",
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{ElevatorCommand.__name__}"},
        "examples": [{"name": name, "payload": msgspec.to_builtins(example)} for name, example in COMMANDS.items()],
    }


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


def _schemas() -> Json:
    template = "#/components/schemas/{name}"
    bodies = [*dict.fromkeys(BODIES.values()), ElevatorCommand]
    _, schemas = msgspec.json.schema_components(bodies, ref_template=template)
    for name, schema in schemas.items():
        if name == ElevatorCommand.__name__:
            schema["properties"]["at"]["description"] = _ASKED_AT
        elif "at" in schema.get("properties", {}):
            schema["properties"]["at"]["description"] = _AT
        if name in _CONDITIONS:
            schema["allOf"] = [_condition(types, needed) for types, needed in _CONDITIONS[name]]
    return {name: _as_draft_07(schema) for name, schema in sorted(schemas.items())}


def _condition(types: list[str], needed: list[str]) -> Json:
    given = {"properties": {name: {"not": {"type": "null"}} for name in needed}, "required": needed}
    return {"if": {"properties": {"type": {"enum": types}}}, "then": given}


def _as_draft_07(node: Any) -> Any:
    """AsyncAPI's schema objects are JSON Schema draft 07, where a tuple is ``items`` with a list."""
    if isinstance(node, list):
        return [_as_draft_07(one) for one in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _as_draft_07(one) for key, one in node.items()}
    if "prefixItems" in plain:
        plain["items"] = plain.pop("prefixItems")
    if isinstance(plain.get("description"), str):
        plain["description"] = " ".join(plain["description"].replace("``", "`").split())
    return plain


def _name(kind: DeviceKind, channel: Channel) -> str:
    return kind.value + channel.value.capitalize()


def _title(name: str) -> str:
    return name[0].upper() + name[1:]


if __name__ == "__main__":
    sys.stdout.write(render())
