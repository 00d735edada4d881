"""What the simulator tests share: a start, device builders, and a drive that steps a model at its own instants."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from core.devices import DeviceKey, DeviceKind
from core.wire.payloads import Payload
from simulators.elevator import Elevator
from simulators.gate import Gate
from simulators.gateway import Gateway
from simulators.model import DeviceModel, Input
from simulators.spec import CameraSpec, FloorSpec, GateSpec, GatewaySpec, LiftSpec, RegionSpec
from simulators.thermal import ThermalCamera

# Shanghai midnight.
START = datetime(2026, 3, 1, 16, tzinfo=UTC)
FLOORS = (FloorSpec("1", 4.2), *(FloorSpec(str(number), 2.9) for number in range(2, 8)))


def lift(seed: int = 1, *, start: datetime = START, **changes: Any) -> Elevator:
    key = DeviceKey("jinxiu", DeviceKind.ELEVATOR, "lift")
    spec = LiftSpec("lift", FLOORS, **changes)
    return Elevator(key, spec, start=start, utc_offset_hours=8, chance=random.Random(seed))


def gate(seed: int = 1, **changes: float) -> Gate:
    key = DeviceKey("jinxiu", DeviceKind.GATE, "gate")
    spec = GateSpec("gate", **changes)  # type: ignore[arg-type]  # names and floats, checked by the struct
    return Gate(key, spec, start=START, utc_offset_hours=8, chance=random.Random(seed))


def camera(seed: int = 1, *, interval_seconds: float = 2.0) -> ThermalCamera:
    key = DeviceKey("jinxiu", DeviceKind.THERMAL, "camera")
    spec = CameraSpec("camera", (RegionSpec("row-a"), RegionSpec("row-b")), interval_seconds=interval_seconds)
    return ThermalCamera(key, spec, start=START, utc_offset_hours=8, chance=random.Random(seed))


def gateway(seed: int = 1, *, battery_seconds: float = 3_600.0) -> Gateway:
    key = DeviceKey("jinxiu", DeviceKind.GATEWAY, "gateway")
    spec = GatewaySpec("gateway", battery_seconds=battery_seconds)
    return Gateway(key, spec, start=START, chance=random.Random(seed))


def drive(
    model: DeviceModel, seconds: float, *, start: datetime = START, inputs: dict[float, Input] | None = None
) -> Iterator[Payload]:
    """Step ``model`` for ``seconds`` at its own instants and at those of ``inputs`` (seconds after the start)."""
    waiting = sorted((inputs or {}).items(), key=lambda item: item[0])
    end = start + timedelta(seconds=seconds)
    while True:
        planned = start + timedelta(seconds=waiting[0][0]) if waiting else end
        now = min(model.next_at, planned)
        if now >= end:
            return
        given = [waiting.pop(0)[1]] if waiting and planned <= now else []
        yield from (message.body for message in model.step(now, given))
        assert model.next_at > now, "a step must move the device's next instant on"
