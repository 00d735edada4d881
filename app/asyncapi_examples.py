"""One or two messages of every channel, as the structs that decode them: the type checker keeps them true."""

from datetime import UTC, datetime

from core.devices import Channel, DeviceKind
from core.wire.commands import ElevatorCommand, ElevatorCommandType
from core.wire.payloads import (
    Body,
    DenialReason,
    Direction,
    DoorState,
    ElevatorEvent,
    ElevatorEventType,
    ElevatorTelemetry,
    GateEvent,
    GateEventType,
    GatewayEvent,
    GatewayEventType,
    Presence,
    PresenceStatus,
    Region,
    ServiceMode,
    ThermalEvent,
    ThermalEventType,
    ThermalLevel,
    ThermalTelemetry,
)

_AT = datetime(2026, 8, 14, 7, 2, 26, tzinfo=UTC)

PRESENCE: dict[str, Body] = {
    "birth": Presence(at=_AT, status=PresenceStatus.ONLINE),
    "last-will": Presence(at=_AT, status=PresenceStatus.OFFLINE),
}

EXAMPLES: dict[tuple[DeviceKind, Channel], dict[str, Body]] = {
    (DeviceKind.ELEVATOR, Channel.TELEMETRY): {
        "running-up": ElevatorTelemetry(
            at=_AT,
            seq=4711,
            service_mode=ServiceMode.NORMAL,
            direction=Direction.UP,
            floor="3",
            position_metres=7.1,
            speed_mps=1.0,
            door_state=DoorState.CLOSED,
            door_zone=False,
            passenger_present=True,
            load_kilograms=152.0,
            trip_count=218904,
            door_cycle_count=431077,
        ),
        "arriving": ElevatorTelemetry(
            at=_AT,
            seq=4718,
            direction=Direction.UP,
            motion=Direction.STOPPED,
            floor="5",
            car_calls=["7", "B1"],
            levelling_error_metres=0.004,
            door_state=DoorState.OPENING,
            door_position_fraction=0.3,
            light_curtain_interrupted=False,
            landing_doors_open=["5"],
            motor_celsius=61.5,
        ),
    },
    (DeviceKind.ELEVATOR, Channel.EVENT): {
        "fault": ElevatorEvent(
            at=_AT, seq=4712, type=ElevatorEventType.FAULT_RAISED, source="gbt24476-2017", code="4", floor="3"
        ),
        "no-fault-left": ElevatorEvent(at=_AT, seq=4719, type=ElevatorEventType.FAULTS_CLEARED, source="gbt24476-2017"),
        "power-cut": ElevatorEvent(at=_AT, seq=4720, type=ElevatorEventType.MAIN_POWER_CHANGED, main_power=False),
        "alarm-button": ElevatorEvent(at=_AT, seq=4713, type=ElevatorEventType.ALARM_PRESSED),
        "end-of-alarm": ElevatorEvent(at=_AT, seq=4715, type=ElevatorEventType.ALARM_RESET),
        "alarm-tested": ElevatorEvent(at=_AT, seq=4716, type=ElevatorEventType.ALARM_TESTED),
        "alarm-test-failed": ElevatorEvent(at=_AT, seq=4717, type=ElevatorEventType.ALARM_TEST_FAILED),
        "inspection": ElevatorEvent(
            at=_AT, seq=4714, type=ElevatorEventType.MODE_CHANGED, service_mode=ServiceMode.INSPECTION
        ),
    },
    (DeviceKind.ELEVATOR, Channel.PRESENCE): PRESENCE,
    (DeviceKind.GATE, Channel.EVENT): {
        "forced-open": GateEvent(at=_AT, seq=139, type=GateEventType.FORCED_OPEN, door="1"),
        "reader-fault": GateEvent(at=_AT, seq=141, type=GateEventType.READER_FAULT),
        "unlocked-by-timetable": GateEvent(at=_AT, seq=142, type=GateEventType.SCHEDULED_UNLOCK_STARTED),
        "denied": GateEvent(
            at=_AT, seq=140, type=GateEventType.DENIED, reason=DenialReason.EXPIRED, credential="card-0007"
        ),
    },
    (DeviceKind.GATE, Channel.PRESENCE): PRESENCE,
    (DeviceKind.THERMAL, Channel.TELEMETRY): {
        "two-regions": ThermalTelemetry(
            at=_AT,
            seq=88,
            ambient_celsius=24.0,
            smoke_detected=False,
            regions=[
                Region(
                    region="row-a",
                    maximum_celsius=31.5,
                    average_celsius=26.2,
                    hotspot=(0.42, 0.61),
                    charger_current_amperes=12.5,
                ),
                Region(region="row-b", maximum_celsius=28.0),
            ],
        )
    },
    (DeviceKind.THERMAL, Channel.EVENT): {
        "pre-alarm": ThermalEvent(
            at=_AT,
            seq=89,
            type=ThermalEventType.EPISODE_STARTED,
            level=ThermalLevel.PRE_ALARM,
            region="row-a",
            episode="20260814-0001",
            temperature_celsius=57.6,
        )
    },
    (DeviceKind.THERMAL, Channel.PRESENCE): PRESENCE,
    (DeviceKind.GATEWAY, Channel.EVENT): {
        "on-battery": GatewayEvent(at=_AT, seq=12, type=GatewayEventType.POWER_LOST),
        "controller-lost": GatewayEvent(
            at=_AT, seq=13, type=GatewayEventType.CONTROLLER_LOST, controller="block-3-lift"
        ),
    },
    (DeviceKind.GATEWAY, Channel.PRESENCE): PRESENCE,
}

COMMANDS: dict[str, ElevatorCommand] = {
    "alarm-test": ElevatorCommand(command=ElevatorCommandType.ALARM_TEST, at=_AT),
}
