"""A thousand lifts as messages: every field present, values that change slowly, as a real fleet's do."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from core.devices import Channel, DeviceKey, DeviceKind
from core.wire import topics
from core.wire.payloads import Direction, DoorState, ElevatorTelemetry, GateEvent, GateEventType, ServiceMode

COMMUNITY = "bench"
VALUES_PER_MESSAGE = 13
# Readings of one trip: twelve while the car moves, four while the door opens, stands open and closes, four waiting.
_MOVING, _DOOR, _TRIP = 12, 4, 20
_DOORS = (DoorState.OPENING, DoorState.OPEN, DoorState.OPEN, DoorState.CLOSING)
_FLOOR_METRES = 3.0
_TOP_FLOOR = 24

Message = tuple[bytes, bytes]
"""Topic and payload."""


def readings(count: int, lifts: int, start: datetime, step: timedelta) -> Iterator[Message]:
    """Yield ``count`` readings, the lifts taking turns; a lift's instants are ``step`` apart and begin at ``start``."""
    names = [_topic(DeviceKind.ELEVATOR, f"lift-{lift:04}", Channel.TELEMETRY) for lift in range(lifts)]
    encode = msgspec.json.Encoder().encode
    for number in range(count):
        turn, lift = divmod(number, lifts)
        yield names[lift], encode(reading(lift, turn, start + turn * step))


def reading(lift: int, turn: int, at: datetime) -> ElevatorTelemetry:
    """Return reading number ``turn`` of a lift; lifts are at different places of their trips."""
    trip, phase = divmod(turn + lift * 7, _TRIP)
    moving, door = phase < _MOVING, phase - _MOVING
    up = trip % 2 == 0
    floors = 1 + (trip // 2 + lift) % (_TOP_FLOOR - 1)
    way = min(phase / _MOVING, 1.0)
    position = round(_FLOOR_METRES * floors * (way if up else 1 - way), 2)
    passenger = trip % 3 > 0 and phase < _MOVING + _DOOR
    return ElevatorTelemetry(
        at=at,
        service_mode=ServiceMode.NORMAL,
        direction=(Direction.UP if up else Direction.DOWN) if moving else Direction.STOPPED,
        floor=str(1 + int(position / _FLOOR_METRES)),
        position_metres=position,
        speed_mps=(1.5 if up else -1.5) if moving else 0.0,
        door_state=_DOORS[door] if 0 <= door < _DOOR else DoorState.CLOSED,
        door_zone=not moving,
        passenger_present=passenger,
        load_kilograms=75.0 + lift % 40 if passenger else 0.0,
        trip_count=100_000 + trip,
        door_cycle_count=120_000 + trip + (phase >= _MOVING),
        running_seconds=3_000_000 + turn,
        main_power=True,
    )


def forced_open(gate: str, at: datetime) -> Message:
    """Return the message of a gate that was forced open: the built-in rules raise an alert for it at once."""
    body = GateEvent(at=at, type=GateEventType.FORCED_OPEN)
    return _topic(DeviceKind.GATE, gate, Channel.EVENT), msgspec.json.encode(body)


def _topic(kind: DeviceKind, device: str, channel: Channel) -> bytes:
    return topics.build(DeviceKey(COMMUNITY, kind, device), channel).encode()
