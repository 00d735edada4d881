"""What people would tell of the simulated devices: names, places, gateways, rated figures."""

from collections.abc import Iterator

import msgspec

from core.devices import DeviceKey, DeviceKind
from simulators.spec import CommunitySpec, DeviceFactsSpec


def facts_of(spec: CommunitySpec) -> dict[str, dict[str, object]]:
    """Return the facts of each device of ``spec`` by its path, as plain values and without what is not known.

    Keys and values are those of the facts that Anju keeps: ``name_zh``, ``name_en``, ``building``, ``gateway`` (a
    device's name), ``tags`` (a list), ``numbers``, ``rescue_code``.
    """
    return {
        DeviceKey(spec.community, kind, device).path: {
            name: value for name, value in msgspec.to_builtins(facts).items() if value
        }
        for kind, device, facts in _devices(spec)
    }


def _devices(spec: CommunitySpec) -> Iterator[tuple[DeviceKind, str, DeviceFactsSpec]]:
    for lift in spec.lifts:
        rated = {"rated_load_kilograms": lift.rated_load_kilograms, "stops": float(len(lift.floors))}
        numbers = rated | lift.facts.numbers
        yield DeviceKind.ELEVATOR, lift.device, msgspec.structs.replace(lift.facts, numbers=numbers)
    for gate in spec.gates:
        yield DeviceKind.GATE, gate.device, gate.facts
    for camera in spec.cameras:
        yield DeviceKind.THERMAL, camera.device, camera.facts
    for gateway in spec.gateways:
        yield DeviceKind.GATEWAY, gateway.device, gateway.facts
